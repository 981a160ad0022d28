from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects.openai_chat.grammar import violations

Frames = list[Any]


def chunk(delta: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **fields}


def call(index: int, **fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **fields}]}


def opened(index: int, call_id: str) -> dict[str, Any]:
    return call(index, id=call_id, type="function", function={"name": "f", "arguments": ""})


ROLE = chunk({"role": "assistant", "content": ""})
TEXT = [ROLE, chunk({"content": "Hi"}), chunk({}, "stop"), "[DONE]"]
TOOLS = [
    ROLE,
    chunk(opened(0, "a")),
    chunk(call(0, function={"arguments": "{}"})),
    chunk(opened(1, "b")),
    chunk(call(1, function={"arguments": '{"a":1}'})),
    chunk({}, "tool_calls"),
    "[DONE]",
]
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
COUNTED = [*[{**frame, "usage": None} for frame in TEXT[:3]], {**TEXT[2], "choices": [], "usage": USAGE}, "[DONE]"]  # type: ignore[dict-item]
ERROR = [ROLE, {"error": {"message": "m", "type": "t"}}, "[DONE]"]


def stream(frames: Frames) -> bytes:
    return b"".join(
        b"data: " + (frame if isinstance(frame, str) else json.dumps(frame)).encode() + b"\n\n" for frame in frames
    )


def changed(frames: Frames, place: int, **fields: Any) -> Frames:
    frames = copy.deepcopy(frames)
    frames[place].update(fields)
    return frames


@pytest.mark.parametrize(
    "frames", [TEXT, TOOLS, COUNTED, ERROR, ERROR[1:]], ids=["text", "tools", "usage", "error", "at once"]
)
def test_a_good_stream_has_no_violations(frames: Frames) -> None:
    assert violations(stream(frames)) == []
    assert violations(b": keep-alive\n\n" + stream(frames)) == []


BAD: list[tuple[str, Frames, str]] = [
    ("no end", TEXT[:3], "does not end with [DONE]"),
    ("two ends", [*TEXT, "[DONE]"], "something follows [DONE]"),
    ("nothing", ["[DONE]"], "there is no choice"),
    ("no reason", [*TEXT[:2], "[DONE]"], "choice 0 has no finish_reason"),
    ("no role", TEXT[1:], "begins without its role"),
    ("two roles", [ROLE, *TEXT], "has its role again"),
    ("goes on", [*TEXT[:3], TEXT[1], "[DONE]"], "goes on after its finish_reason"),
    ("other id", changed(TEXT, 1, id="y"), "id has changed"),
    ("empty id", [{**frame, "id": ""} if isinstance(frame, dict) else frame for frame in TEXT], "the id is empty"),
    ("other model", changed(TEXT, 1, model="y"), "model has changed"),
    ("other time", changed(TEXT, 1, created=2), "created has changed"),
    ("other object", changed(TEXT, 0, object="chat.completion"), "object is 'chat.completion'"),
    ("not JSON", [ROLE, "{", *TEXT[1:]], "neither a chunk nor an error"),
    ("no choices", [ROLE, {**ROLE, "choices": []}, *TEXT[1:]], "a chunk without usage has no choices"),
    ("usage at times", changed(TEXT, 1, usage=None), "usage is on some chunks and not on others"),
    ("usage with choices", changed(COUNTED, 2, usage=USAGE), "the chunk with the usage has choices"),
    ("two usages", [*COUNTED[:4], COUNTED[3], "[DONE]"], "a chunk follows the usage"),
    ("bad sum", changed(COUNTED, 3, usage={**USAGE, "total_tokens": 4}), "the sum of the usage is wrong"),
    ("bad reason", changed(TEXT, 2, choices=chunk({}, "eos")["choices"]), "finish_reason is 'eos'"),
    ("words at the end", changed(TEXT, 2, choices=chunk({"content": "x"}, "stop")["choices"]), "has content"),
    ("stop with calls", [*TOOLS[:5], chunk({}, "stop"), "[DONE]"], "finish_reason is 'stop' with 2 tool calls"),
    ("calls without", [*TEXT[:2], chunk({}, "tool_calls"), "[DONE]"], "'tool_calls' with 0 tool calls"),
    ("all at index 0", [*TOOLS[:3], chunk(opened(0, "b")), *TOOLS[5:]], "tool call 0 has its id or name again"),
    ("a gap", [ROLE, chunk(opened(1, "b")), *TOOLS[5:]], "tool call 1 comes after 0 others"),
    ("nameless", [ROLE, chunk(call(0, id="a", type="function")), *TOOLS[5:]], "begins without id, type or name"),
    ("one id twice", [*TOOLS[:3], chunk(opened(1, "a")), *TOOLS[4:]], "tool call 1 has the id of another"),
    ("no JSON", [*TOOLS[:4], chunk(call(1, function={"arguments": "{"})), *TOOLS[5:]], "tool call 1 are not a JSON"),
    ("no object", [*TOOLS[:4], chunk(call(1, function={"arguments": "7"})), *TOOLS[5:]], "tool call 1 are not a JSON"),
    ("after an error", [*ERROR[:2], *TEXT], "something follows an error"),
]  # fmt: skip


@pytest.mark.parametrize(("frames", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_each_rule_can_be_broken(frames: Frames, words: str) -> None:
    found = violations(stream(frames))
    assert any(words in one for one in found), found


def test_length_may_cut_off_calls() -> None:
    assert violations(stream([*TOOLS[:2], chunk(call(0, function=None)), chunk({}, "length"), "[DONE]"])) == []


def test_what_was_asked_for_is_checked() -> None:
    assert violations(stream(TEXT), include_usage=True) == ["usage is missing"]
    assert violations(stream(COUNTED), include_usage=False) == ["usage was not asked for"]
    assert violations(stream(COUNTED), include_usage=True) == []


def test_the_last_event_must_be_closed() -> None:
    assert violations(stream(TEXT)[:-1]) == [
        "the last event is not closed by an empty line",
        "the stream does not end with [DONE]",
    ]


def test_an_endless_event_is_a_violation() -> None:
    assert "longer than" in violations(b"data: " + b"x" * 9_000_000)[0]


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(stream: bytes) -> None:
    assert violations(stream)
