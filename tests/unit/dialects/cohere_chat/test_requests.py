"""A call is written as Cohere's chat has it, or refused by the name of what it has not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.call import Call, Reasoning, ResponseFormat, Sampling, Tool, ToolChoice
from pointsman.core.content import (
    Audio,
    File,
    Image,
    Message,
    Part,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from pointsman.core.errors import Unsupported
from pointsman.dialects.cohere_chat.knobs import refuse_or_drop
from pointsman.dialects.cohere_chat.requests import write_request

FIND = Tool("find", "Finds.", msgspec.Raw(b'{"type":"object"}'))
NOW = Tool("now")


def said(role: Role, *parts: Part) -> Message:
    return Message(role, parts)


HI = said("user", Text("Hi"))


def written(*messages: Message, thinks: bool = False, **fields: Any) -> dict[str, Any]:
    call = Call("public", messages or (HI,), **fields)
    out: dict[str, Any] = json.loads(write_request(call, "command", thinks=thinks))
    return out


def first(*parts: Part, role: Role = "assistant", thinks: bool = False) -> dict[str, Any]:
    message: dict[str, Any] = written(said(role, *parts), thinks=thinks)["messages"][0]
    return message


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def test_the_least_request() -> None:
    assert written() == {"model": "command", "messages": [{"role": "user", "content": "Hi"}], "stream": False}


def test_knobs_go_by_coheres_names() -> None:
    sampling = Sampling(
        temperature=0.5, top_p=0.9, top_k=3, seed=1, stop=("a",), presence_penalty=0.1, max_tokens=9, logprobs=True
    )
    sent = written(sampling=sampling, stream=True)
    del sent["model"], sent["messages"]
    assert sent == {
        "stream": True, "temperature": 0.5, "p": 0.9, "k": 3, "seed": 1, "stop_sequences": ["a"],
        "presence_penalty": 0.1, "max_tokens": 9, "logprobs": True,
    }  # fmt: skip


@pytest.mark.parametrize(("top_p", "p"), [(1.0, 0.99), (0.0, 0.01)])
def test_a_share_beyond_coheres_bounds_is_the_nearest_within(top_p: float, p: float) -> None:
    assert written(sampling=Sampling(top_p=top_p, top_k=-1))["p"] == p
    assert "k" not in written(sampling=Sampling(top_k=-1))


def test_roles_and_contents() -> None:
    assert first(Text("a"), Text("b"), role="developer") == {"role": "system", "content": "a\nb"}
    assert first(Text("a"), Refusal("no")) == {"role": "assistant", "content": "a\nno"}
    picture = first(Text("a"), Image(data="aGk=", media_type="image/gif", detail="low"), role="user")
    assert picture["content"] == [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:image/gif;base64,aGk=", "detail": "low"}},
    ]
    assert first(Image(url="https://x/y.png"), role="user")["content"][0]["image_url"] == {"url": "https://x/y.png"}
    assert first(File(text="words"), role="user")["content"] == [{"type": "text", "text": "words"}]
    assert first(role="user")["content"] == ""


def test_what_was_said_before_tools_were_called_is_the_plan() -> None:
    call = ToolCall("c", "find", "")
    sent = [{"id": "c", "type": "function", "function": {"name": "find", "arguments": "{}"}}]
    assert first(Thinking("Hm."), Text("I look."), call) == {
        "role": "assistant", "tool_plan": "Hm.\nI look.", "tool_calls": sent,
    }  # fmt: skip
    assert first(Thinking("Hm."), call, thinks=True) == {
        "role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}], "tool_calls": sent,
    }  # fmt: skip


def test_thoughts_go_back_to_models_that_have_them() -> None:
    assert first(Thinking("Hm."), Text("Hi"), thinks=True)["content"] == [
        {"type": "thinking", "thinking": "Hm."},
        {"type": "text", "text": "Hi"},
    ]
    assert first(Thinking("Hm."), Text("Hi"))["content"] == "Hi"


def test_each_result_of_a_tool_is_a_message() -> None:
    results = said("user", ToolResult("a", (Text("1"),)), ToolResult("b", (Text("x"), Text("y"))), Text("so?"))
    assert written(results)["messages"] == [
        {"role": "tool", "content": "1", "tool_call_id": "a"},
        {
            "role": "tool",
            "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}],
            "tool_call_id": "b",
        },
        {"role": "user", "content": "so?"},
    ]
    assert written(said("tool", ToolResult("a", ())))["messages"][0]["content"] == ""


@pytest.mark.parametrize(
    ("choice", "names", "expected"),
    [
        (None, ["find", "now"], None),
        (ToolChoice("auto"), ["find", "now"], None),
        (ToolChoice("none"), ["find", "now"], "NONE"),
        (ToolChoice("required"), ["find", "now"], "REQUIRED"),
        (ToolChoice("named", "now"), ["now"], "REQUIRED"),
    ],
)
def test_a_tool_that_must_be_called_is_offered_alone(
    choice: ToolChoice | None, names: list[str], expected: str | None
) -> None:
    sent = written(tools=(FIND, NOW), tool_choice=choice)
    assert [tool["function"]["name"] for tool in sent["tools"]] == names and sent.get("tool_choice") == expected


def test_tools_have_parameters_and_are_strict_together() -> None:
    sent = written(tools=(FIND, msgspec.structs.replace(NOW, strict=True)))
    assert sent["strict_tools"] is True
    assert [tool["function"] for tool in sent["tools"]] == [
        {"name": "find", "description": "Finds.", "parameters": {"type": "object"}},
        {"name": "now", "parameters": {"type": "object", "properties": {}}},
    ]


def test_the_shape_of_an_answer() -> None:
    assert written(response_format=ResponseFormat("json_object"))["response_format"] == {"type": "json_object"}
    shape = ResponseFormat("json_schema", "n", msgspec.Raw(b'{"type":"object"}'))
    assert written(response_format=shape)["response_format"] == {
        "type": "json_object", "json_schema": {"type": "object"},
    }  # fmt: skip
    assert "response_format" not in written(response_format=ResponseFormat("text"))


@pytest.mark.parametrize(
    ("reasoning", "expected"),
    [
        (Reasoning(effort="none"), {"type": "disabled"}),
        (Reasoning(enabled=False), {"type": "disabled"}),
        (Reasoning(effort="high"), {"type": "enabled"}),
        (Reasoning(budget_tokens=100), {"type": "enabled", "token_budget": 100}),
    ],
)
def test_thinking_is_on_or_off_with_a_budget(reasoning: Reasoning, expected: dict[str, Any]) -> None:
    assert written(thinks=True, reasoning=reasoning)["thinking"] == expected


def test_coheres_own_fields_are_sent_as_they_are() -> None:
    extra = {"safety_mode": raw("STRICT"), "documents": raw(["a"]), "store": raw(True)}
    call = refuse_or_drop(Call("public", (HI,), extra=extra), thinks=False)
    sent = json.loads(write_request(call, "command", thinks=False))
    assert sent["safety_mode"] == "STRICT" and sent["documents"] == ["a"] and "store" not in sent


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("n", {"sampling": Sampling(n=2)}),
        ("logit_bias", {"sampling": Sampling(logit_bias=raw({"1": 2}))}),
        ("min_p", {"sampling": Sampling(min_p=0.1)}),
        ("top_logprobs", {"sampling": Sampling(top_logprobs=2)}),
        ("reasoning_effort", {"reasoning": Reasoning(effort="high")}),
        ("web_search_options", {"extra": {"web_search_options": raw({})}}),
    ],
)
def test_a_knob_that_cohere_lacks_is_refused_by_name_or_dropped(name: str, fields: dict[str, Any]) -> None:
    call = Call("public", (HI,), **fields)
    with pytest.raises(Unsupported, match=name):
        refuse_or_drop(call, thinks=False)
    plain = json.loads(write_request(Call("public", (HI,)), "command", thinks=False))
    for dropped in (
        refuse_or_drop(call, thinks=False, drop_params=True),
        refuse_or_drop(call, thinks=False, additional=(name,)),
    ):
        assert json.loads(write_request(dropped, "command", thinks=False)) == plain


def test_what_asks_for_nothing_is_no_reason_to_refuse() -> None:
    call = Call(
        "public", (HI,), Sampling(n=1, logit_bias=raw({})), reasoning=Reasoning(effort="none"),
        extra={"modalities": raw(["text"])},
    )  # fmt: skip
    assert refuse_or_drop(call, thinks=False).reasoning is None
    with pytest.raises(Unsupported, match="text only"):
        refuse_or_drop(msgspec.structs.replace(call, extra={"modalities": raw(["audio"])}), thinks=False)


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (said("user", Audio("aGk=", "wav")), r"messages\[0\]\.content\[0\].*no audio"),
        (said("user", File(data="aGk=")), r"messages\[0\]\.content\[0\].*no file"),
        (said("system", Image(url="https://x/y")), r"messages\[0\]\.content.*no image"),
        (said("tool", ToolResult("c", (Image(url="https://x/y"),))), r"messages\[0\].*no image"),
        (said("tool", Text("loose")), r"tool results only"),
    ],
)
def test_content_that_has_no_place_is_refused_by_its_place(message: Message, what: str) -> None:
    with pytest.raises(Unsupported, match=what):
        written(message)
