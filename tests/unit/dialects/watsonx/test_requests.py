"""What watsonx.ai is sent of a chat, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.call import Call, Reasoning, Sampling, Tool
from pointsman.core.content import File, Message, Text, Thinking, ToolResult
from pointsman.core.errors import Unsupported
from pointsman.dialects.watsonx.knobs import refuse_or_drop
from pointsman.dialects.watsonx.requests import fit_content, rewrite_request


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def call(*messages: Message, **fields: Any) -> Call:
    return Call("public", messages or (Message("user", (Text("hi"),)),), **fields)


def rewritten(place: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    body = json.dumps({"model": "m", "messages": [], **fields}).encode()
    out: dict[str, Any] = json.loads(rewrite_request(body, place or {}))
    return out


def test_the_model_goes_where_who_pays_is_told() -> None:
    assert rewritten({"model_id": "g", "project_id": "p"}, stream=True, stream_options={"include_usage": True}) == {
        "model_id": "g", "project_id": "p", "messages": [],
    }  # fmt: skip


@pytest.mark.parametrize("word", ["auto", "none", "required"])
def test_a_choice_of_tools_in_one_word_has_a_field_of_its_own(word: str) -> None:
    assert rewritten(tool_choice=word) == {"messages": [], "tool_choice_option": word}


def test_a_choice_of_one_tool_stays() -> None:
    named = {"type": "function", "function": {"name": "f"}}
    assert rewritten(tool_choice=named) == {"messages": [], "tool_choice": named}


def test_tools_are_neither_strict_nor_closed_and_keep_the_names_of_their_fields() -> None:
    closed = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "additionalProperties": {"type": "boolean", "default": {"additionalProperties": False}},
            "list": {"type": "array", "items": {"type": "object", "additionalProperties": False}},
            "free": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "$defs": {"strict": {"anyOf": [{"type": "object", "additionalProperties": False}, {"type": "null"}]}},
    }
    (tool,) = fit_content(call(tools=(Tool("f", parameters=raw(closed), strict=True),))).tools
    assert tool.strict is None and tool.parameters is not None
    assert json.loads(bytes(tool.parameters)) == {
        "type": "object",
        "properties": {
            "additionalProperties": {"type": "boolean", "default": {"additionalProperties": False}},
            "list": {"type": "array", "items": {"type": "object"}},
            "free": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "$defs": {"strict": {"anyOf": [{"type": "object"}, {"type": "null"}]}},
    }
    plain = Tool("f", parameters=raw({"type": "object"}))
    assert fit_content(call(tools=(plain,))).tools == (plain,)


def test_messages_have_no_thoughts_no_developer_and_no_names_of_tools() -> None:
    fitted = fit_content(
        call(
            Message("developer", (Text("be kind"),)),
            Message("assistant", (Thinking("hm", "sig"), Text("yes"))),
            Message("tool", (ToolResult("c", (Text("1"),), "f"),)),
        )
    )
    assert fitted.messages == (
        Message("system", (Text("be kind"),)),
        Message("assistant", (Text("yes"),)),
        Message("tool", (ToolResult("c", (Text("1"),)),)),
    )


def test_a_document_is_refused_by_its_place_unless_it_is_text() -> None:
    with pytest.raises(Unsupported, match="takes no documents") as refused:
        fit_content(call(Message("user", (Text("x"),)), Message("user", (File(data="aGk="),))))
    assert refused.value.param == "messages[1].content"
    text = Message("user", (File(text="hi"),))
    assert fit_content(call(text)).messages == (text,)


def test_what_it_does_not_know_is_refused_by_name_or_dropped() -> None:
    asked = call(
        sampling=Sampling(top_k=5, temperature=0.5), tools=(Tool("f"),), parallel_tool_calls=False, user="ann",
        extra={"odd": raw(1), "metadata": raw({}), "guided_choice": raw(["a"])},
    )  # fmt: skip
    with pytest.raises(Unsupported, match=r"watsonx\.ai does not support top_k, parallel_tool_calls, odd"):
        refuse_or_drop(asked)
    fitted = refuse_or_drop(asked, drop_params=True)
    assert fitted.sampling == Sampling(temperature=0.5)
    assert (fitted.parallel_tool_calls, fitted.user, fitted.extra) == (None, None, {"guided_choice": raw(["a"])})
    assert refuse_or_drop(asked, additional=("top_k", "parallel_tool_calls", "odd")) == fitted


def test_what_asks_for_nothing_is_no_reason_to_refuse() -> None:
    assert refuse_or_drop(call(parallel_tool_calls=True, tools=(Tool("f"),))).parallel_tool_calls is None
    assert refuse_or_drop(call(parallel_tool_calls=False)).parallel_tool_calls is None
    assert refuse_or_drop(call(reasoning=Reasoning("none"))).reasoning is None
    with pytest.raises(Unsupported, match="text only"):
        refuse_or_drop(call(extra={"modalities": raw(["audio"])}), drop_params=True)
