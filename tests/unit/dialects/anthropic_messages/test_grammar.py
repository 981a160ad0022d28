from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects.anthropic_messages.grammar import violations

Frames = list[Any]

MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
    "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
}  # fmt: skip
START: dict[str, Any] = {"type": "message_start", "message": MESSAGE}
PING = {"type": "ping"}
STOP = {"type": "message_stop"}
ERROR = {"type": "error", "error": {"type": "api_error", "message": "m"}}


def begin(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def close(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(reason: str | None = "end_turn", **fields: Any) -> dict[str, Any]:
    delta = {"stop_reason": reason, "stop_sequence": None, **fields}
    return {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 1}}


def tool(index: int, call_id: str, arguments: str) -> Frames:
    block = begin(index, type="tool_use", id=call_id, name="f", input={})
    return [block, delta(index, "input_json_delta", partial_json=arguments), close(index)]


BLOCK = [begin(0, type="text", text=""), delta(0, "text_delta", text="Hi"), close(0)]
THOUGHT = [
    begin(0, type="thinking", thinking="", signature=""),
    delta(0, "thinking_delta", thinking="Hm"),
    delta(0, "signature_delta", signature="s"),
    close(0),
]
TEXT = [START, PING, *BLOCK, end(), STOP]
TOOLS = [START, *tool(0, "a", "{}"), *tool(1, "b", ""), end("tool_use"), STOP]
SERVER = [START, begin(0, type="server_tool_use", id="s"), delta(0, "input_json_delta", partial_json="{"), close(0)]


def stream(frames: Frames) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (frame["type"].encode(), json.dumps(frame).encode()) for frame in frames
    )


def one(*frames: Any, reason: str = "end_turn") -> Frames:
    return [START, *frames, close(0), end(reason), STOP]


def started(**fields: Any) -> Frames:
    return [{**START, "message": {**MESSAGE, **fields}}, *BLOCK, end(), STOP]


@pytest.mark.parametrize(
    "frames",
    [
        TEXT,
        TOOLS,
        [START, *THOUGHT, begin(1, type="redacted_thinking", data="x"), close(1), end(), STOP],
        [*SERVER, end("pause_turn"), STOP],
        [START, end("stop_sequence", stop_sequence="END"), STOP],
        [START, *tool(0, "a", "{"), end("max_tokens"), STOP],
        [START, *BLOCK[:2], ERROR],
        [ERROR],
    ],
    ids=["text", "tools", "thinking", "server", "sequence", "cut off", "error", "at once"],
)
def test_a_good_stream_has_no_violations(frames: Frames) -> None:
    assert violations(stream(frames)) == []
    assert violations(b": keep-alive\n\n" + stream(frames)) == []


BAD: list[tuple[str, Frames, str]] = [
    ("no end", TEXT[:-1], "does not end with message_stop"),
    ("two ends", [*TEXT, STOP], "something follows the end"),
    ("after an error", [START, ERROR, STOP], "something follows the end"),
    ("no start", TEXT[1:], "comes before message_start"),
    ("two starts", [START, *TEXT], "message_start comes again"),
    ("empty id", started(id=""), "has no id"),
    ("other role", started(role="user"), "none of an assistant"),
    ("full", started(content=[{}]), "the message is not empty"),
    ("ended", started(stop_reason="end_turn"), "the message is not empty"),
    ("uncounted", started(usage={"output_tokens": 1}), "without input_tokens"),
    ("no reason", [START, *BLOCK, STOP], "message_stop comes before message_delta"),
    ("two reasons", [*TEXT[:-1], end(), STOP], "message_delta comes again"),
    ("bad reason", [START, *BLOCK, end("stop"), STOP], "stop_reason is 'stop'"),
    ("null reason", [START, *BLOCK, end(None), STOP], "stop_reason is None"),
    ("no usage", [START, *BLOCK, {**end(), "usage": None}, STOP], "message_delta has no usage"),
    ("stray sequence", [START, end(stop_sequence="x"), STOP], "it is not the reason"),
    ("calls without", [START, *BLOCK, end("tool_use"), STOP], "'tool_use' with 0 tool calls"),
    ("end with calls", [*TOOLS[:-2], end(), STOP], "'end_turn' with 2 tool calls"),
    ("no JSON", [START, *tool(0, "a", "{"), end("tool_use"), STOP], "tool call 0 is not a JSON object"),
    ("no object", [START, *tool(0, "a", "7"), end("tool_use"), STOP], "tool call 0 is not a JSON object"),
    ("one id twice", [START, *tool(0, "a", ""), *tool(1, "a", ""), end("tool_use"), STOP], "has the id of another"),
    ("nameless", one(begin(0, type="tool_use", id="a", input={}), reason="tool_use"), "lacks a field"),
    ("no data", [START, begin(0, type="redacted_thinking"), close(0), end(), STOP], "lacks a field"),
    ("unsigned", [START, begin(0, type="thinking", thinking=""), close(0), end(), STOP], "lacks a field"),
    ("empty text", [START, BLOCK[0], close(0), end(), STOP], "block 0 is an empty text"),
    ("begins full", [START, begin(0, type="text", text="x"), *BLOCK[1:], end(), STOP], "does not begin empty"),
    ("a gap", [START, begin(1, type="text", text=""), end(), STOP], "block 1 comes after 0 others"),
    ("overlap", [START, BLOCK[0], begin(1, type="text", text=""), end(), STOP], "before the one before it is closed"),
    ("never closed", [START, *BLOCK[:2], end(), STOP], "before the last block is closed"),
    ("late block", [START, end(), *BLOCK, STOP], "begins after message_delta"),
    ("wrong delta", one(BLOCK[0], delta(0, "thinking_delta", thinking="x")), "a thinking_delta in a block of type"),
    ("redacted words", one(begin(0, type="redacted_thinking", data="x"), BLOCK[1]), "in a block of type redacted"),
    ("not open", [START, *BLOCK, BLOCK[1], end(), STOP], "a delta for block 0, which is not open"),
    ("closed twice", [START, *BLOCK, close(0), end(), STOP], "the end of block 0, which is not open"),
    ("after signature", [START, *THOUGHT[:3], THOUGHT[1], close(0), end(), STOP], "goes on after its signature"),
    ("unknown", [START, {"type": "weather"}, *BLOCK, end(), STOP], "weather is unknown"),
    ("hollow", [START, {"type": "content_block_start", "index": 0}, end(), STOP], "lacks what it tells"),
    ("empty error", [{"type": "error"}], "an error without an error"),
]  # fmt: skip


@pytest.mark.parametrize(("frames", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_each_rule_can_be_broken(frames: Frames, words: str) -> None:
    found = violations(stream(frames))
    assert any(words in one for one in found), found


def test_an_event_bears_the_name_of_its_type() -> None:
    assert violations(stream(TEXT).replace(b"event: ping", b"event: pong")) == [
        "event 2: is named pong and of type ping"
    ]
    assert "no event of a message" in violations(b"data: {\n\n")[0]


def test_the_last_event_must_be_closed() -> None:
    assert violations(stream(TEXT)[:-1])[0] == "the last event is not closed by an empty line"


def test_an_endless_event_is_a_violation() -> None:
    assert "longer than" in violations(b"data: " + b"x" * 9_000_000)[0]


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(stream: bytes) -> None:
    assert violations(stream)
