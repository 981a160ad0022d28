from __future__ import annotations

import json

import msgspec
import pytest
from anthropic.types import Message as SdkMessage
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.call import Call
from pointsman.core.content import Message, ServerToolUse, Text, ToolCall
from pointsman.core.errors import Broken, GatewayError
from pointsman.core.events import FinishReason
from pointsman.core.reply import Choice, Reply
from pointsman.core.usage import Usage
from pointsman.dialects.anthropic_messages.replies import read_reply, write_reply
from pointsman.dialects.anthropic_messages.streams import StreamReader
from tests.support.answers import choice_of

CALL = Call("named-so", (Message("user", (Text("Hi"),)),))

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
texts = words | st.just("")
counts = st.integers(0, 9999)
usages = st.builds(
    lambda fresh, completion, cached, written, thought: Usage(
        fresh + cached + written, completion, cached, written, thought, source="measured"
    ),
    counts, counts, counts, counts, counts,
)  # fmt: skip


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    names = draw(st.lists(words, max_size=2, unique=True))
    given = [msgspec.json.encode({draw(words): draw(words)}).decode() for _ in names]
    calls = tuple(ToolCall(f"toolu_{name}", name, text) for name, text in zip(names, given, strict=True))
    signature = draw(st.none() | words)
    redacted = signature is not None and draw(st.booleans())
    endings: list[tuple[FinishReason, str | None, str | None]] = [
        ("tool_calls" if calls else "stop", None, None),
        ("length", None, None),
        ("content_filter", "refusal", None),
        ("stop", "pause_turn", None),
        ("stop", "stop_sequence", "END"),
    ]
    reason, native, sequence = draw(st.sampled_from(endings))
    return choice_of(
        text=draw(texts),
        thinking=draw(texts),
        signature=signature,
        signer=None if signature is None else "anthropic",
        redacted=redacted,
        tool_calls=calls,
        finish_reason=reason,
        native_reason=native,
        stop_sequence=sequence,
    )


replies = st.builds(
    Reply,
    id=words.map("msg_".__add__),
    model=st.just(CALL.model),
    created=st.just(7),
    choices=choices().map(lambda choice: (choice,)),
    usage=usages,
)


@given(replies)
def test_what_is_written_is_read_back(reply: Reply) -> None:
    assert read_reply(write_reply(reply, CALL), StreamReader(created=7)) == reply


@given(replies)
def test_the_official_sdk_can_read_what_is_written(reply: Reply) -> None:
    found = SdkMessage.model_validate_json(write_reply(reply, CALL), strict=True)
    choice = reply.choices[0]
    assert found.model == "named-so"
    assert "".join(block.text for block in found.content if block.type == "text") == choice.text
    calls = [(block.id, block.input) for block in found.content if block.type == "tool_use"]
    assert calls == [(call.id, json.loads(call.arguments)) for call in choice.tool_calls]


def test_blocks_come_in_anthropics_order() -> None:
    choice = choice_of(
        text="Hi",
        thinking="Hm",
        signature="s",
        refusal=" No.",
        tool_calls=(ToolCall("1", "f", ""), ToolCall("2", "g", '{"a":1}')),
        finish_reason="tool_calls",
    )
    body = json.loads(write_reply(Reply("chatcmpl-1", "up", 0, (choice,), Usage(30, 4, 10, 5)), CALL))
    assert body == {
        "id": "msg_chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "named-so",
        "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "s"},
            {"type": "text", "text": "Hi No."},
            {"type": "tool_use", "id": "1", "name": "f", "input": {}},
            {"type": "tool_use", "id": "2", "name": "g", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 15,
            "cache_creation_input_tokens": 5,
            "cache_read_input_tokens": 10,
            "output_tokens": 4,
        },
    }


@pytest.mark.parametrize(
    ("choice", "content"),
    [
        (Choice(), []),
        (choice_of(refusal="No."), [{"type": "text", "text": "No."}]),
        (choice_of(thinking="Hm"), [{"type": "thinking", "thinking": "Hm", "signature": ""}]),
        (choice_of(signature="s"), [{"type": "thinking", "thinking": "", "signature": "s"}]),
        (choice_of(signature="x", redacted=True), [{"type": "redacted_thinking", "data": "x"}]),
    ],
)
def test_what_is_not_there_has_no_block(choice: Choice, content: object) -> None:
    body = json.loads(write_reply(Reply("1", "m", 0, (choice,)), CALL))
    assert body["content"] == content
    assert body["stop_reason"] == ("refusal" if choice.refusal else "end_turn")


def test_a_reply_without_choices_is_an_empty_message() -> None:
    body = json.loads(write_reply(Reply("", "m", 0, ()), CALL))
    assert body["content"] == [] and body["id"].startswith("msg_")


@pytest.mark.parametrize("arguments", ["{", "7", '{"a":'])
def test_a_call_that_is_not_complete_is_left_out_only_where_the_answer_was_cut_off(arguments: str) -> None:
    call = ToolCall("1", "f", arguments)
    cut = choice_of(text="Hi", tool_calls=(call,), finish_reason="length")
    body = json.loads(write_reply(Reply("1", "m", 0, (cut,)), CALL))
    assert (body["content"], body["stop_reason"]) == ([{"type": "text", "text": "Hi"}], "max_tokens")
    with pytest.raises(Broken, match="arguments for the tool 'f' are not a JSON object"):
        write_reply(Reply("1", "m", 0, (choice_of(tool_calls=(call,), finish_reason="tool_calls"),)), CALL)


def test_the_answer_of_the_real_service_is_read() -> None:
    body = json.dumps({
        "model": "claude-opus-5-5",
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "container": None,
        "content": [
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            {"type": "text", "text": "Hello!", "citations": None},
        ],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": 12,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 6,
            "service_tier": "standard",
            "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
        },
    }).encode()  # fmt: skip
    reply = read_reply(body, StreamReader(created=7))
    assert (reply.id, reply.model, reply.created) == ("msg_01XFDUDYJgAACzvnptvVoYEL", "claude-opus-5-5", 7)
    assert reply.usage == Usage(12, 6, source="measured")
    (choice,) = reply.choices
    searched, text = choice.parts
    assert isinstance(searched, ServerToolUse) and (searched.kind, searched.input) == ("search", "x")
    assert (text, choice.finish_reason) == (Text("Hello!"), "stop")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"content":[]}', b"[]", b'{"type":"message","content":1}', b"\xff"]
)
def test_what_is_no_answer_is_broken(body: bytes) -> None:
    with pytest.raises(Broken):
        read_reply(body)


def test_an_error_with_status_200_is_an_error() -> None:
    with pytest.raises(GatewayError, match="Slow down") as caught:
        read_reply(b'{"type":"error","error":{"type":"rate_limit_error","message":"Slow down"}}')
    assert caught.value.status == 429


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_are_an_error(body: bytes) -> None:
    with pytest.raises(GatewayError):
        read_reply(body)
