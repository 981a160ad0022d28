"""A request of OpenAI's chat becomes one that Mistral takes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.call import Call, CompletionCall, Reasoning, Sampling
from pointsman.core.content import Message, Text
from pointsman.core.errors import Unsupported
from pointsman.dialects.mistral.ids import fitting_id
from pointsman.dialects.mistral.knobs import refuse_or_drop, refuse_or_drop_completion
from pointsman.dialects.mistral.requests import rewrite_request, write_completion_request

USER = {"role": "user", "content": "Hi"}
CALL = Call("public", (Message("user", (Text("Hi"),)),))


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def rewritten(
    *messages: dict[str, Any],
    model: str = "small",
    reasoning: Reasoning | None = None,
    thinks: bool = False,
    **fields: Any,
) -> dict[str, Any]:
    body = json.dumps({"model": model, "messages": messages or [USER], **fields}).encode()
    out: dict[str, Any] = json.loads(rewrite_request(body, model=model, reasoning=reasoning, thinks=thinks))
    return out


def fitted(message: dict[str, Any], *, thinks: bool = False) -> dict[str, Any]:
    out: dict[str, Any] = rewritten(message, USER, thinks=thinks)["messages"][0]
    return out


def test_fields_go_by_mistrals_names_and_what_it_refuses_stays_behind() -> None:
    sent = rewritten(
        seed=1, max_completion_tokens=9, tool_choice="required", user="u", stream=True,
        stream_options={"include_usage": True}, thinking={"type": "enabled"}, safe_prompt=True,
    )  # fmt: skip
    assert sent == {
        "model": "small", "messages": [USER], "random_seed": 1, "max_tokens": 9, "tool_choice": "any", "stream": True,
        "safe_prompt": True,
    }  # fmt: skip
    named = {"type": "function", "function": {"name": "f"}}
    assert rewritten(tool_choice=named)["tool_choice"] == named
    assert rewritten(tool_choice="auto")["tool_choice"] == "auto"


def test_only_tools_have_names_and_a_developer_is_the_system() -> None:
    assert fitted({"role": "developer", "content": "Be brief.", "name": "d"}) == {
        "role": "system", "content": "Be brief.",
    }  # fmt: skip
    assert fitted({**USER, "name": "ann"}) == USER
    assert fitted({"role": "tool", "content": "1", "tool_call_id": "abcdefghi", "name": "f"})["name"] == "f"
    assert "name" not in fitted({"role": "tool", "content": "1", "tool_call_id": "abcdefghi", "name": ""})


def test_calls_and_results_find_each_other_by_ids_of_nine_characters() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assistant = {"role": "assistant", "content": None, "tool_calls": [call]}
    sent = rewritten(USER, assistant, {"role": "tool", "content": None, "tool_call_id": "call_1"})["messages"]
    made = sent[1]["tool_calls"][0]["id"]
    assert sent[1] == {"role": "assistant", "tool_calls": [{**call, "id": made}]}
    assert sent[2] == {"role": "tool", "content": "", "tool_call_id": made}
    assert len(made) == 9 and made.isalnum()


@given(st.text(max_size=40), st.text(max_size=40))
def test_every_id_fits_and_stays_the_same(one: str, other: str) -> None:
    made = fitting_id(one)
    assert len(made) == 9 and made.isascii() and made.isalnum()
    assert fitting_id(one) == made == fitting_id(made)
    assert one == other or made != fitting_id(other)


def test_an_assistant_that_says_nothing_is_left_out_and_one_at_the_end_is_gone_on_with() -> None:
    silent = {"role": "assistant", "content": ""}
    assert rewritten(USER, silent, USER)["messages"] == [USER, USER]
    begun = {"role": "assistant", "content": "Once"}
    assert rewritten(USER, begun)["messages"][-1] == {**begun, "prefix": True}
    assert rewritten(USER, {**begun, "prefix": False})["messages"][-1] == {**begun, "prefix": False}
    assert rewritten(USER, begun, USER)["messages"][1] == begun


def test_thoughts_go_back_as_chunks_to_models_that_have_them_and_to_no_others() -> None:
    message = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm.", "thinking_blocks": []}
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}], "closed": True}
    text = {"type": "text", "text": "Hi"}
    assert fitted(message, thinks=True) == {"role": "assistant", "content": [thought, text]}
    assert fitted({**message, "content": [text]}, thinks=True)["content"] == [thought, text]
    assert fitted({**message, "content": None}, thinks=True)["content"] == [thought]
    assert fitted(message) == {"role": "assistant", "content": "Hi"}


def test_parts_are_mistrals() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    parts = [
        {"type": "text", "text": "a"},
        image,
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f-1"}},
        {"type": "file", "file": {"file_id": "https://h/a.pdf", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": "aGk=", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": "data:text/plain;base64,aGk="}},
    ]
    assert fitted({"role": "user", "content": parts})["content"] == [
        {"type": "text", "text": "a"},
        image,
        {"type": "input_audio", "input_audio": "aGk="},
        {"type": "file", "file_id": "f-1"},
        {"type": "document_url", "document_url": "https://h/a.pdf", "document_name": "a.pdf"},
        {"type": "document_url", "document_url": "data:application/pdf;base64,aGk=", "document_name": "a.pdf"},
        {"type": "document_url", "document_url": "data:text/plain;base64,aGk="},
    ]
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
    assert fitted(refused)["content"] == [{"type": "text", "text": "no"}]


@pytest.mark.parametrize(
    ("model", "reasoning", "expected"),
    [
        ("medium", Reasoning(effort="low"), {"reasoning_effort": "high"}),
        ("medium", Reasoning(effort="xhigh"), {"reasoning_effort": "high"}),
        ("zai-glm-5-2", Reasoning(effort="low"), {"reasoning_effort": "low"}),
        ("zai-glm-5-2", Reasoning(budget_tokens=2000), {"reasoning_effort": "high"}),
        ("medium", Reasoning(effort="none"), {"reasoning_effort": "none"}),
        ("medium", Reasoning(enabled=False), {"reasoning_effort": "none"}),
        ("medium", Reasoning(enabled=True), {"reasoning_effort": "high"}),
        ("medium", Reasoning(budget_tokens=2000), {"reasoning_effort": "high"}),
        ("medium", Reasoning(budget_tokens=20000), {"reasoning_effort": "high"}),
        ("magistral-small", Reasoning(effort="high"), {}),
        ("magistral-small", Reasoning(effort="none"), {"prompt_mode": None}),
        ("medium", None, {}),
    ],
)
def test_how_hard_to_think(model: str, reasoning: Reasoning | None, expected: dict[str, Any]) -> None:
    sent = rewritten(model=model, reasoning=reasoning, thinks=True, reasoning_effort="odd")
    assert {name: sent[name] for name in ("reasoning_effort", "prompt_mode") if name in sent} == expected


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("logit_bias", {"sampling": Sampling(logit_bias=raw({"1": 2}))}),
        ("min_p", {"sampling": Sampling(min_p=0.5)}),
        ("reasoning_effort", {"reasoning": Reasoning(effort="high")}),
        ("web_search_options", {"extra": {"web_search_options": raw({})}}),
    ],
)
def test_a_knob_that_mistral_lacks_is_refused_by_name_or_dropped(name: str, fields: dict[str, Any]) -> None:
    call = msgspec.structs.replace(CALL, **fields)
    with pytest.raises(Unsupported, match=f"Mistral does not support {name}"):
        refuse_or_drop(call, thinks=False)
    assert refuse_or_drop(call, thinks=False, drop_params=True) == CALL
    assert refuse_or_drop(call, thinks=False, additional=(name,)) == CALL


def test_hints_and_what_asks_for_nothing_are_passed_over() -> None:
    call = msgspec.structs.replace(
        CALL, user="u", sampling=Sampling(logit_bias=raw({})), reasoning=Reasoning(effort="none"),
        extra={"store": raw(True), "safe_prompt": raw(True), "modalities": raw(["text"])},
    )  # fmt: skip
    kept = refuse_or_drop(call, thinks=False)
    assert kept == msgspec.structs.replace(CALL, extra={"safe_prompt": raw(True)})
    with pytest.raises(Unsupported, match="text only"):
        refuse_or_drop(msgspec.structs.replace(CALL, extra={"modalities": raw(["audio"])}), thinks=False)


def test_filling_in_the_middle() -> None:
    call = CompletionCall(
        "public", ("def f(",), Sampling(max_tokens=9, seed=1, stop=("\n",)), suffix="return x", stream=True,
        extra={"min_tokens": raw(2), "store": raw(True)},
    )  # fmt: skip
    sent = json.loads(write_completion_request(refuse_or_drop_completion(call), "codestral"))
    assert sent == {
        "model": "codestral", "prompt": "def f(", "suffix": "return x", "stream": True, "max_tokens": 9,
        "stop": ["\n"], "random_seed": 1, "min_tokens": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("n", {"sampling": Sampling(n=2)}),
        ("logprobs", {"sampling": Sampling(logprobs=True, top_logprobs=1)}),
        ("echo", {"echo": True}),
        ("best_of", {"extra": {"best_of": raw(2)}}),
    ],
)
def test_a_completion_is_refused_what_mistral_lacks(name: str, fields: dict[str, Any]) -> None:
    call = CompletionCall("public", ("x",), **fields)
    with pytest.raises(Unsupported, match=f"Mistral does not support {name}"):
        refuse_or_drop_completion(call)
    for dropped in (
        refuse_or_drop_completion(call, drop_params=True),
        refuse_or_drop_completion(call, additional=(name,)),
    ):
        assert json.loads(write_completion_request(dropped, "m")) == {"model": "m", "prompt": "x"}


def test_several_prompts_are_content_and_always_refused() -> None:
    with pytest.raises(Unsupported, match="one at a time"):
        refuse_or_drop_completion(CompletionCall("public", ("x", "y")), drop_params=True)
