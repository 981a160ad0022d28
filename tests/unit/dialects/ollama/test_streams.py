from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.events import (
    Event,
    Failed,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import Usage
from pointsman.dialects.ollama.streams import StreamReader

CREATED = "2026-08-21T10:00:00.123456789Z"
SECONDS = 1787306400


def counted_ids() -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers)}"


def line(content: str = "", *, done: bool = False, **fields: object) -> dict[str, object]:
    message = {"role": "assistant", "content": content}
    message.update({name: fields.pop(name) for name in ("thinking", "tool_calls") if name in fields})  # type: ignore[misc]
    return {"model": "up", "created_at": CREATED, "message": message, "done": done, **fields}


def call(name: str, arguments: object, **fields: object) -> dict[str, object]:
    return {**fields, "function": {"name": name, "arguments": arguments}}


def read(*lines: object, single: bool = False) -> list[Event]:
    reader = StreamReader("up", single_tool_call=single, new_id=counted_ids())
    events: list[Event] = []
    for one in lines:
        events += reader.feed(one if isinstance(one, bytes) else json.dumps(one).encode())
    return [*events, *reader.end()]


def test_an_answer_begins_with_its_first_line_and_ends_with_done() -> None:
    done = line(
        done=True, done_reason="stop", prompt_eval_count=3, eval_count=4, load_duration=1_500_000, eval_duration=2
    )
    assert read(line("Hi"), line("!", thinking="Hm"), done) == [
        Started("chatcmpl-1", "up", SECONDS),
        TextDelta("Hi"),
        ThinkingDelta("Hm"),
        TextDelta("!"),
        Finished("stop"),
        UsageReported(Usage(3, 4, source="measured"), load_ms=1.5, prompt_ms=None, completion_ms=0.000002),
    ]


def test_generate_is_read_alike_under_its_own_id() -> None:
    reader = StreamReader(id_prefix="cmpl-", new_id=counted_ids())
    first = reader.feed(json.dumps({"model": "up", "created_at": "", "response": "Hi", "thinking": "Hm"}).encode())
    assert first == [Started("cmpl-1", "up", 0), ThinkingDelta("Hm"), TextDelta("Hi")]
    assert reader.feed(b'{"response":"","done":true,"context":[1]}') == [Finished("stop")]
    assert reader.end() == []


@pytest.mark.parametrize("created", ["", "yesterday", "1969-01-01T00:00:00Z", "9999-99-99T00:00:00Z"])
def test_a_time_that_is_none_is_zero(created: str) -> None:
    assert read({"message": {}, "created_at": created, "done": True})[0] == Started("chatcmpl-1", "", 0)


def test_calls_are_numbered_and_named_whatever_lines_they_come_in() -> None:
    calls = [call("f", {"a": 1}, id=""), call("g", {}, id="call_x")]
    events = read(
        line(tool_calls=calls), line(tool_calls=[call("f", {}, id="call_x")]), line(done=True, done_reason="stop")
    )
    assert events[1:-1] == [
        ToolCallStarted(0, "call_2", "f"),
        ToolCallDelta(0, '{"a":1}'),
        ToolCallStarted(1, "call_x", "g"),
        ToolCallDelta(1, "{}"),
        ToolCallStarted(2, "call_3", "f"),
        ToolCallDelta(2, "{}"),
    ]
    assert events[-1] == Finished("tool_calls")


def test_only_the_first_call_is_kept_where_one_at_a_time_is_wanted() -> None:
    calls = [call("f", {}), call("g", {})]
    events = read(line(tool_calls=calls), line(tool_calls=calls), line(done=True), single=True)
    assert [event.name for event in events if isinstance(event, ToolCallStarted)] == ["f"]
    assert events[-1] == Finished("tool_calls")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (b'{ "a" : [1, 2.50] }', '{"a":[1,2.50]}'),
        (b'"{\\"a\\":1}"', '{"a":1}'),
        (b"null", "{}"),
    ],
)
def test_arguments_are_json_text_whatever_they_were(arguments: bytes, expected: str) -> None:
    frame = b'{"message":{"tool_calls":[{"function":{"name":"f","arguments":%b}}]},"done":true}' % arguments
    assert ToolCallDelta(0, expected) in read(frame)


def test_a_call_without_arguments_has_none() -> None:
    assert ToolCallDelta(0, "{}") in read(b'{"message":{"tool_calls":[{"function":{"name":"f"}}]},"done":true}')


@pytest.mark.parametrize(
    ("said", "with_calls", "expected"),
    [
        ("stop", False, "stop"),
        ("stop", True, "tool_calls"),
        ("length", True, "length"),
        ("length", False, "length"),
        ("load", False, "stop"),
        ("unload", False, "stop"),
        (None, False, "stop"),
        (None, True, "tool_calls"),
        ("novel", False, "stop"),
    ],
)
def test_only_stop_becomes_tool_calls(said: str | None, with_calls: bool, expected: str) -> None:
    calls = [call("f", {})] if with_calls else []
    finished = [
        event for event in read(line(tool_calls=calls, done=True, done_reason=said)) if isinstance(event, Finished)
    ]
    assert [event.reason for event in finished] == [expected]


def test_counts_that_are_left_out_are_zero_and_without_any_nothing_is_reported() -> None:
    assert read(line(done=True, eval_count=2))[-1] == UsageReported(Usage(0, 2, source="measured"))
    assert read(line(done=True))[-1] == Finished("stop")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "before the answer had begun"),
        ([line("Hi")], "before the answer was complete"),
        ([line("Hi"), b"<html>"], "not one of its answers"),
        ([line("Hi"), b'{"message":{"content":7}}'], "not one of its answers"),
        ([b"\xff"], "not one of its answers"),
        ([line("Hi"), {"error": "out of memory"}], "out of memory"),
        ([{"error": {"message": "odd"}}], "odd"),
        ([{"message": {}, "done": True, "eval_count": -1}], "not one of its answers"),
        ([{"message": {}, "done": True, "eval_count": 2**60}], "not one of its answers"),
    ],
)
def test_a_stream_that_goes_wrong_fails_once(lines: list[object], words: str) -> None:
    events = read(*lines, line("more")) if len(lines) > 1 else read(*lines)
    failures = [event for event in events if isinstance(event, Failed)]
    assert len(failures) == 1 and events[-1] is failures[0]
    assert words in failures[0].error.message


@pytest.mark.parametrize(
    "pieces",
    [
        ["Go:", *[" no"] * 31],
        ["no", *[" no", "no\n"] * 15],
        [*["\n", "\n\n"] * 15, "\n"],
    ],
)
@pytest.mark.parametrize("field", ["content", "thinking"])
def test_a_model_that_repeats_itself_is_cut_off_by_ollama_without_a_last_line(pieces: list[str], field: str) -> None:
    said = [line(piece) if field == "content" else line(thinking=piece) for piece in pieces]
    events = read(*said)
    assert events[-1] == Finished("length")
    kind = TextDelta if field == "content" else ThinkingDelta
    assert [event.text for event in events if isinstance(event, kind)] == pieces


def test_the_same_in_one_piece() -> None:
    assert read(line("Go:" + " no" * 31))[-1] == Finished("length")
    assert isinstance(read(line("Go:" + " no" * 30))[-1], Failed)
    assert isinstance(read(line("n" * 31), line("o"))[-1], Failed)


def test_nothing_is_read_behind_the_end() -> None:
    assert read(line(done=True), line("no")) == read(line(done=True))


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_lines_give_events_and_never_an_exception(lines: list[bytes]) -> None:
    assert isinstance(read(*lines)[-1], Failed)
