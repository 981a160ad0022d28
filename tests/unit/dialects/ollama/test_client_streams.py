from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama import ChatResponse, GenerateResponse

from pointsman.core.call import Call, CompletionCall
from pointsman.core.errors import Broken
from pointsman.core.events import (
    Event,
    Failed,
    Finished,
    FinishReason,
    LogprobsDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import Usage
from pointsman.dialects.ollama.client_grammar import violations
from pointsman.dialects.ollama.client_streams import ChatStreamWriter, GenerateStreamWriter
from pointsman.dialects.ollama.streams import StreamReader
from pointsman.wire.ndjson import LineSplitter
from tests.unit.dialects.ollama.client_samples import STAMP, SetClock, answers

CALL = Call("m", ())
START = Started("x", "up", 1)
USAGE = Usage(3, 4, source="measured")


def chat(*events: Event, usage: Usage | None = None) -> list[dict[str, Any]]:
    writer = ChatStreamWriter(CALL, SetClock())
    stream = writer.write(events) + writer.end(usage)
    assert violations(stream) == []
    return [json.loads(line) for line in stream.splitlines()]


def line(content: str = "", *, done: bool = False, **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    message.update({name: fields.pop(name) for name in ("thinking", "tool_calls") if name in fields})
    return {"model": "m", "created_at": STAMP, "message": message, "done": done, **fields}


def test_an_answer_line_by_line() -> None:
    reported = UsageReported(USAGE, load_ms=1.5, prompt_ms=2, completion_ms=3)
    assert chat(START, ThinkingDelta("Hm"), TextDelta("Hi"), TextDelta("!"), Finished("stop"), reported) == [
        line(thinking="Hm"),
        line("Hi"),
        line("!"),
        line(
            done=True,
            done_reason="stop",
            load_duration=1_500_000,
            prompt_eval_count=3,
            prompt_eval_duration=2_000_000,
            eval_count=4,
            eval_duration=3_000_000,
        ),
    ]


def test_the_bytes_are_those_of_ollama() -> None:
    writer = ChatStreamWriter(CALL, SetClock())
    assert writer.write([START, TextDelta("Hi")]) == (
        b'{"model":"m","created_at":"%b","message":{"role":"assistant","content":"Hi"},"done":false}\n' % STAMP.encode()
    )
    assert writer.write([Finished("stop")]) == b""
    assert writer.end() == (
        b'{"model":"m","created_at":"%b","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}\n'
        % STAMP.encode()
    )
    assert writer.end() == writer.write([TextDelta("no")]) == writer.fail(Broken("no")) == b""


def test_generate_has_its_own_fields_and_no_tool_calls() -> None:
    writer = GenerateStreamWriter(CompletionCall("m", ()), SetClock())
    events: list[Event] = [
        START,
        ThinkingDelta("Hm"),
        TextDelta("Hi"),
        ToolCallStarted(0, "x", "f"),
        ToolCallDelta(0, "{}"),
    ]
    stream = writer.write([*events, Finished("length")]) + writer.end(USAGE)
    assert violations(stream) == []
    head = {"model": "m", "created_at": STAMP}
    assert [json.loads(one) for one in stream.splitlines()] == [
        {**head, "response": "", "thinking": "Hm", "done": False},
        {**head, "response": "Hi", "done": False},
        {**head, "response": "", "done": True, "done_reason": "length", "prompt_eval_count": 3, "eval_count": 4},
    ]


def test_tool_calls_come_whole_in_one_line() -> None:
    events: list[Event] = [
        ToolCallStarted(0, "x", "f"),
        ToolCallDelta(0, '{"a"'),
        ToolCallStarted(1, "y", "g", signature="s"),
        ToolCallDelta(0, ":\n1}"),
    ]
    assert chat(START, *events, Finished("tool_calls"))[:-1] == [
        line(
            tool_calls=[
                {"id": "x", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}},
                {"id": "y", "function": {"index": 1, "name": "g", "arguments": {}}},
            ]
        )
    ]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("stop", "stop"), ("length", "length"), ("tool_calls", "stop"), ("content_filter", "stop")],
)
def test_the_reason(reason: FinishReason, expected: str) -> None:
    assert chat(START, TextDelta("Hi"), Finished(reason))[-1]["done_reason"] == expected


def test_a_call_that_was_cut_off_is_left_out() -> None:
    lines = chat(START, ToolCallStarted(0, "x", "f"), ToolCallDelta(0, '{"a'), Finished("length"))
    assert [one["done"] for one in lines] == [True]


@pytest.mark.parametrize("arguments", ["[1]", "{", "7", '{"a":1}}', "\ud83d"])
def test_arguments_that_are_no_object_end_in_an_error(arguments: str) -> None:
    writer = ChatStreamWriter(CALL, SetClock())
    writer.write([START, ToolCallStarted(0, "x", "f"), ToolCallDelta(0, arguments), Finished("tool_calls")])
    stream = writer.end()
    assert violations(stream) == []
    assert json.loads(stream) == {"error": "The model called the tool 'f' with arguments that are not a JSON object."}


def test_log_probabilities_come_with_their_text() -> None:
    token = {"token": "Hi", "logprob": -0.5, "top_logprobs": []}
    probabilities = LogprobsDelta(msgspec.Raw(json.dumps([token]).encode()))
    lines = chat(START, probabilities, TextDelta("Hi"), TextDelta("!"), probabilities, Finished("stop"))
    assert [one.get("logprobs") for one in lines] == [[token], None, [token]]


def test_what_has_no_place_is_left_out_and_a_refusal_is_text() -> None:
    events: list[Event] = [
        ThinkingSigned("s"),
        TextDelta("other", 1),
        TextDelta(""),
        RefusalDelta("No."),
        Finished("stop", 1),
    ]
    assert [one["message"]["content"] for one in chat(START, *events, Finished("stop"))] == ["No.", ""]


def test_what_the_upstream_did_not_measure_is_measured_here() -> None:
    clock = SetClock(monotonic=10)
    writer = ChatStreamWriter(CALL, clock)
    writer.write([START])
    clock.monotonic_seconds = 11
    writer.write([TextDelta("Hi")])
    clock.monotonic_seconds = 13
    writer.write([Finished("stop"), UsageReported(USAGE, completion_ms=1)])
    clock.monotonic_seconds = 14
    last = json.loads(writer.end())
    assert {name: last[name] for name in last if name.endswith("_duration")} == {
        "total_duration": 4_000_000_000,
        "prompt_eval_duration": 1_000_000_000,
        "eval_duration": 1_000_000,
    }


def test_what_the_upstream_counted_goes_before_an_estimate() -> None:
    assert chat(START, Finished("stop"), usage=Usage(7, 8))[-1]["eval_count"] == 8
    assert chat(START, Finished("stop"), UsageReported(USAGE), usage=Usage(7, 8))[-1]["eval_count"] == 4


def test_a_failure_is_a_line_and_the_end() -> None:
    writer = ChatStreamWriter(CALL, SetClock())
    stream = writer.write([START, TextDelta("Hi"), Failed(Broken("It broke.", hint="Ask again.")), TextDelta("no")])
    assert writer.end() == b""
    assert violations(stream) == []
    assert stream.splitlines()[1:] == [b'{"error":"It broke. Ask again."}']


def test_each_line_has_its_own_time() -> None:
    clock = SetClock(wall=0.0)
    writer = ChatStreamWriter(CALL, clock)
    stream = writer.write([TextDelta("a")])
    clock.wall_seconds = 0.5
    stream += writer.write([TextDelta("b")])
    clock.wall_seconds = 1.125
    stream += writer.end()
    assert [json.loads(one)["created_at"] for one in stream.splitlines()] == [
        "1970-01-01T00:00:00.000000000Z",
        "1970-01-01T00:00:00.500000000Z",
        "1970-01-01T00:00:01.125000000Z",
    ]


def read_back(stream: bytes) -> list[Event]:
    reader = StreamReader(new_id=lambda prefix: f"{prefix}1")
    return [event for one in LineSplitter().feed(stream) for event in reader.feed(one)] + reader.end()


@given(answers(), st.lists(st.integers(0, 30)))
def test_the_reader_of_ollamas_streams_reads_back_what_is_written(events: list[Event], edges: list[int]) -> None:
    writer = ChatStreamWriter(CALL, SetClock())
    places = [0, *sorted(edges), len(events)]
    pieces = [events[a:b] for a, b in itertools.pairwise(places)]
    stream = b"".join(writer.write(piece) for piece in pieces) + writer.end()
    assert violations(stream) == []
    assert read_back(stream) == events
    for one in stream.splitlines():
        ChatResponse.model_validate_json(one, strict=True)


@given(answers())
def test_generate_is_read_back_alike(events: list[Event]) -> None:
    events = [event for event in events if not isinstance(event, ToolCallStarted | ToolCallDelta)]
    writer = GenerateStreamWriter(CALL, SetClock())
    stream = writer.write(events) + writer.end()
    assert violations(stream) == []
    told = [Finished("stop") if event == Finished("tool_calls") else event for event in events]
    if len(told) > 3:
        assert read_back(stream) == told
    for one in stream.splitlines():
        GenerateResponse.model_validate_json(one, strict=True)


def test_the_official_sdk_reads_tool_calls() -> None:
    writer = ChatStreamWriter(CALL)
    writer.write([START, ToolCallStarted(0, "x", "f"), ToolCallDelta(0, '{"a":1}'), Finished("tool_calls")])
    first, last = [ChatResponse.model_validate_json(one, strict=True) for one in writer.end(USAGE).splitlines()]
    assert first.message.tool_calls is not None
    assert first.message.tool_calls[0].function.arguments == {"a": 1}
    assert (last.done, last.done_reason, last.prompt_eval_count, last.eval_count) == (True, "stop", 3, 4)
    assert (last.total_duration or 0) > 0
