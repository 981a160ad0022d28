from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.call import Call
from pointsman.core.content import Message, Text
from pointsman.core.errors import Broken
from pointsman.core.events import Event, Finished, Started, TextDelta, ThinkingDelta, ToolCallDelta, ToolCallStarted
from pointsman.dialects.openai_responses.grammar import violations
from pointsman.dialects.openai_responses.response import ResponseRequest
from pointsman.dialects.openai_responses.streams import StreamWriter
from pointsman.wire.sse import SseParser

Frames = list[dict[str, Any]]

REQUEST = ResponseRequest(id="resp_1", created_at=7)
STARTED = Started("x", "m", 7)


def frames(*events: Event) -> Frames:
    writer = StreamWriter(Call("m", (Message("user", (Text("Hi"),)),)), REQUEST)
    return [json.loads(event.data) for event in SseParser().feed(writer.write(events) + writer.end())]


def failed() -> Frames:
    writer = StreamWriter(Call("m", (Message("user", (Text("Hi"),)),)), REQUEST)
    return [json.loads(event.data) for event in SseParser().feed(writer.fail(Broken("Gone.")))]


def stream(frames: Frames, *, numbered: bool = True) -> bytes:
    blocks = []
    for number, frame in enumerate(frames):
        data = {**frame, "sequence_number": number} if numbered else frame
        blocks.append(f"event: {frame.get('type')}\ndata: {json.dumps(data)}\n\n".encode())
    return b"".join(blocks)


def changed(frames: Frames, place: int, *path: str | int, value: object) -> Frames:
    frames = copy.deepcopy(frames)
    inner: Any = frames[place]
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return frames


# 0 created, 1 in_progress, 2 item, 3 part, 4 delta, 5 text.done, 6 part.done, 7 item.done, 8 completed
TEXT = frames(STARTED, TextDelta("Hi"), Finished("stop"))
# 2 item, 3 delta, 4 arguments.done, 5 item.done, 6 completed
CALL = frames(STARTED, ToolCallStarted(0, "a", "f"), ToolCallDelta(0, "{}"), Finished("tool_calls"))
REASONED = frames(STARTED, ThinkingDelta("Hm"), TextDelta("Hi"), Finished("length"))
TWO_CALLS = frames(
    STARTED, ToolCallStarted(0, "a", "f"), ToolCallDelta(0, "{}"), ToolCallStarted(1, "b", "f"), Finished("tool_calls")
)
ERROR: dict[str, Any] = {"type": "error", "message": "m"}


@pytest.mark.parametrize(
    "frames",
    [TEXT, CALL, REASONED, TWO_CALLS, failed(), [ERROR], [*TEXT[:3], ERROR]],
    ids=["text", "call", "reasoning", "calls", "failure", "error", "error later"],
)
def test_a_good_stream_has_no_violations(frames: Frames) -> None:
    assert violations(stream(frames)) == []
    assert violations(b": keep-alive\n\n" + stream(frames)) == []


def test_reasoning_that_is_shown_as_it_is_keeps_to_the_grammar_too() -> None:
    place = {"item_id": "rs", "output_index": 0, "content_index": 0}
    part = {"type": "reasoning_text", "text": "Hm"}
    item = {"id": "rs", "type": "reasoning", "summary": []}
    middle: Frames = [
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        {"type": "response.reasoning_text.delta", **place, "delta": "Hm"},
        {"type": "response.reasoning_text.done", **place, "text": "Hm"},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": {**item, "content": [part]}},
    ]
    ending = changed(TEXT, 8, "response", "output", value=[middle[-1]["item"]])[8]
    assert violations(stream([*TEXT[:2], *middle, ending])) == []


BAD: list[tuple[str, Frames, str]] = [
    ("no end", TEXT[:8], "does not end with a response that ended"),
    ("nothing", [], "does not end with a response that ended"),
    ("goes on", [*TEXT, TEXT[8]], "something follows the end"),
    ("no beginning", TEXT[1:], "response.in_progress is event 1"),
    ("created twice", [TEXT[0], *TEXT], "response.created is event 2"),
    ("no name", [{"x": 1}], "the type None is not the name"),
    ("other id", changed(TEXT, 8, "response", "id", value="x"), "id has changed"),
    ("other model", changed(TEXT, 1, "response", "model", value="x"), "model has changed"),
    ("other time", changed(TEXT, 8, "response", "created_at", value=0), "created_at has changed"),
    ("no object", changed(TEXT, 0, "response", "object", value="x"), "object is 'x'"),
    ("other status", changed(TEXT, 8, "response", "status", value="in_progress"), "the status is 'in_progress'"),
    ("an error", changed(TEXT, 8, "response", "error", value={"code": "x"}), "error does not go"),
    ("no details", changed(REASONED, -1, "response", "incomplete_details", value=None), "incomplete_details do not go"),
    ("output early", changed(TEXT, 0, "response", "output", value=[1]), "the output is not what was told"),
    ("output missing", changed(TEXT, 8, "response", "output", value=[]), "the output is not what was told"),
    ("no usage", changed(TEXT, 8, "response", "usage", value=None), "lacks a field or has one of a wrong type"),
    ("bad sum", changed(TEXT, 8, "response", "usage", "total_tokens", value=9), "the sum of the usage is wrong"),
    ("no item", [*TEXT[:2], *TEXT[3:]], "while no item is open"),
    ("two items", [*TEXT[:3], *TEXT[2:]], "an item begins while another is open"),
    ("left open", [*TEXT[:7], TEXT[8]], "an item is left open"),
    ("a gap", changed(TEXT, 2, "output_index", value=1), "output_index is 1"),
    ("other place", changed(TEXT, 4, "output_index", value=1), "output_index is 1 in item 0"),
    ("begins full", changed(TEXT, 2, "item", "content", value=[1]), "the item begins with content [1]"),
    ("begins done", changed(TEXT, 2, "item", "status", value="completed"), "does not begin in progress"),
    ("ends open", changed(TEXT, 7, "item", "status", value="in_progress"), "done and in progress"),
    ("other item", changed(TEXT, 4, "item_id", value="x"), "not the one that is open"),
    ("one id twice", changed(TWO_CALLS, 6, "item", "call_id", value="a"), "call_id 'a' is that of another"),
    ("item differs", changed(TEXT, 7, "item", "content", value=[]), "the content of the item is not what was told"),
    ("no part", [*TEXT[:3], *TEXT[4:]], "while no part is open"),
    ("two parts", [*TEXT[:4], *TEXT[3:]], "a part begins while another is open"),
    ("part open", [*TEXT[:6], *TEXT[7:]], "the item is closed while a part is open"),
    ("part gap", changed(TEXT, 3, "content_index", value=1), "part 1 comes after 0 others"),
    ("part full", changed(TEXT, 3, "part", "text", value="x"), "a part begins with words"),
    ("other part", changed(TEXT, 4, "content_index", value=1), "names part 1"),
    ("part differs", changed(TEXT, 6, "part", "text", value="x"), "the part is not what was told"),
    ("summary as text", changed(REASONED, 3, "part", "type", value="output_text"), "opens a part of type 'outp"),
    ("words differ", changed(TEXT, 4, "delta", value="Ho"), "the whole is not what its pieces were"),
    ("no words", [*TEXT[:5], *TEXT[6:]], "the part is closed before its words are"),
    ("more words", [*TEXT[:6], TEXT[4], *TEXT[6:]], "comes after the words were done"),
    ("no text", changed(TEXT, 4, "delta", value=None), "wrong type"),
    ("strange", changed(TEXT, 4, "type", value="response.refusal.delta"), "has no place here"),
    ("no arguments", [*CALL[:4], *CALL[5:]], "the call is closed before its arguments are"),
    ("no JSON", [changed(CALL, place, *path, value="{")[place] for place, *path in (
        (0, "x"), (1, "x"), (2, "x"), (3, "delta"), (4, "arguments"), (5, "item", "arguments"),
    )], "not a JSON object"),
    ("no words of error", [{**ERROR, "message": None}], "an error without words"),
]  # fmt: skip


@pytest.mark.parametrize(("frames", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_each_rule_can_be_broken(frames: Frames, words: str) -> None:
    found = violations(stream(frames))
    assert any(words in one for one in found), found


def test_events_are_numbered() -> None:
    assert violations(stream(changed(TEXT, 4, "sequence_number", value=7), numbered=False)) == [
        "event 5: sequence_number is 7"
    ]


def test_the_name_of_an_event_is_its_type() -> None:
    assert "is not the name None" in violations(stream(TEXT).replace(b"event: response.created\n", b"", 1))[0]


def test_there_is_no_done_sign_of_chat() -> None:
    assert "the data is no JSON object" in violations(stream(TEXT) + b"data: [DONE]\n\n")[0]


def test_the_last_event_must_be_closed() -> None:
    assert "the last event is not closed by an empty line" in violations(stream(TEXT)[:-1])


def test_an_endless_event_is_a_violation() -> None:
    assert "longer than" in violations(b"data: " + b"x" * 9_000_000)[0]


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(stream: bytes) -> None:
    assert violations(stream)


@given(st.lists(st.sampled_from([*TEXT, *CALL, *REASONED]), max_size=8), st.sampled_from(["item", "part", "response"]))
def test_any_order_and_any_hole_are_judged(some: Frames, hole: str) -> None:
    frames = [{name: value for name, value in frame.items() if name != hole} for frame in some]
    assert violations(stream(frames))
