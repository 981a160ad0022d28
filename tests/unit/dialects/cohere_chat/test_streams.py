"""Cohere's events become the common ones, however they are cut up."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.call import Call
from pointsman.core.content import Citation
from pointsman.core.errors import Broken, TimedOut
from pointsman.core.events import (
    Cited,
    Event,
    Failed,
    Finished,
    LogprobsDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import Usage
from pointsman.dialects.cohere_chat.replies import read_reply
from pointsman.dialects.cohere_chat.streams import StreamReader
from pointsman.dialects.cohere_chat.types import Counts, WireUsage
from pointsman.dialects.cohere_chat.usage import read_usage
from pointsman.dialects.folding import fold
from pointsman.dialects.openai_chat.grammar import violations
from pointsman.dialects.openai_chat.streams import StreamWriter
from pointsman.providers.translated import SseFrames
from tests.upstreams.cohere_server import USAGE, stream_events

BILLED = Usage(prompt=5, completion=7, cached=2, source="measured")


class StoppedClock:
    def wall(self) -> float:
        return 7.9

    def monotonic(self) -> float:
        return 0.0


def counted_ids() -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers)}"


def reader(**options: Any) -> StreamReader:
    return StreamReader("command", new_id=counted_ids(), clock=StoppedClock(), **options)


def events_of(frames: list[Any], **options: Any) -> list[Event]:
    reading = reader(**options)
    read = [event for frame in frames for event in reading.feed(json.dumps(frame).encode())]
    return [*read, *reading.feed(b"[DONE]"), *reading.end()]


def failure(events: list[Event]) -> Exception:
    assert isinstance(events[-1], Failed)
    return events[-1].error


def test_text_comes_piece_by_piece_and_then_what_it_rests_on() -> None:
    assert events_of(stream_events(("He", "llo"))) == [
        Started("29f14a5a", "command", 7),
        TextDelta("He"),
        TextDelta("llo"),
        Cited(Citation(None, "1", start=0, end=5)),
        Finished("stop"),
        UsageReported(BILLED),
    ]


def test_thoughts_and_plans_are_thinking() -> None:
    events = events_of(stream_events(("Hi",), thoughts=("Hm", ".")))
    assert events[1:4] == [ThinkingDelta("Hm"), ThinkingDelta("."), TextDelta("Hi")]
    planned = events_of(stream_events(plan=("I will", " look.")))
    assert planned[1:3] == [ThinkingDelta("I will"), ThinkingDelta(" look.")]


def test_parallel_calls_keep_their_order_and_a_call_without_arguments_has_an_empty_object_of_them() -> None:
    calls = [("a", "find", ('{"q"', ":1}")), ("b", "now", ())]
    events = events_of(stream_events(calls=calls, reason="TOOL_CALL"))
    assert events[1:] == [
        ToolCallStarted(0, "a", "find"),
        ToolCallDelta(0, '{"q"'),
        ToolCallDelta(0, ":1}"),
        ToolCallStarted(1, "b", "now"),
        ToolCallDelta(1, "{}"),
        Finished("tool_calls"),
        UsageReported(BILLED),
    ]


def test_one_call_at_a_time_where_the_client_wants_no_more() -> None:
    calls = [("a", "find", ("{}",)), ("b", "find", ('{"x":1}',))]
    events = events_of(stream_events(calls=calls, reason="TOOL_CALL"), single_tool_call=True)
    assert events[1:-1] == [ToolCallStarted(0, "a", "find"), ToolCallDelta(0, "{}"), Finished("tool_calls")]


def test_calls_with_the_same_id_or_none_get_ids_of_their_own() -> None:
    events = events_of(stream_events(calls=[("a", "f", ("{}",)), ("a", "f", ("{}",)), ("", "f", ("{}",))]))
    assert [event.id for event in events if isinstance(event, ToolCallStarted)] == ["a", "call_1", "call_2"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("COMPLETE", Finished("stop")),
        ("MAX_TOKENS", Finished("length")),
        ("TOOL_CALL", Finished("stop")),
        ("ERROR_TOXIC", Finished("content_filter")),
        ("ERROR_LIMIT", Finished("length")),
        ("SOMETHING_NEW", Finished("stop")),
        ("STOP_SEQUENCE", Finished("stop")),
    ],
)
def test_each_reason_has_its_common_word(said: str, expected: Finished) -> None:
    assert expected in events_of(stream_events(("x",), reason=said))


def test_a_stop_sequence_is_told_where_only_one_was_asked_for() -> None:
    told = events_of(stream_events(("x",), reason="STOP_SEQUENCE"), stop=("END",))
    assert Finished("stop", native="stop_sequence", stop_sequence="END") in told
    assert Finished("stop") in events_of(stream_events(("x",), reason="STOP_SEQUENCE"), stop=("A", "B"))


def test_a_failure_at_the_end_is_one() -> None:
    frames = stream_events(("x",))
    frames[-1]["delta"] = {"finish_reason": "ERROR", "error": "the model fell over"}
    error = failure(events_of(frames))
    assert isinstance(error, Broken) and "the model fell over" in str(error)
    assert isinstance(failure(events_of(stream_events(("x",), reason="TIMEOUT"))), TimedOut)


def test_an_error_in_place_of_an_event_is_a_failure() -> None:
    error = failure(events_of([{"message": "internal server error", "id": "1"}]))
    assert isinstance(error, Broken) and "internal server error" in str(error)


@pytest.mark.parametrize(
    "frame", [b"nonsense", b"[]", b'{"type":1}', b'\xff{"type":"content-delta"}', b'{"index":"x"}']
)
def test_what_is_no_event_breaks_the_answer(frame: bytes) -> None:
    events = reader().feed(frame)
    assert isinstance(failure(events), Broken)


def test_events_of_unknown_types_and_the_debug_event_are_passed_over() -> None:
    frames = [{"type": "debug", "prompt": "…"}, {"type": "new-thing", "delta": {}}, *stream_events(("Hi",))]
    assert events_of(frames) == events_of(stream_events(("Hi",)))


@pytest.mark.parametrize("kept", range(4))
def test_a_stream_that_is_cut_off_is_a_failure(kept: int) -> None:
    assert isinstance(failure(events_of(stream_events(("x",))[:kept])), Broken)


def test_nothing_follows_the_end() -> None:
    frames = stream_events(("x",))
    assert events_of([*frames, *frames]) == events_of(frames)


def test_log_probabilities_are_in_openais_form() -> None:
    frames = stream_events(("Hi",))
    frames[2]["logprobs"] = {"text": "Hi", "token_ids": [1, 2], "logprobs": [-0.5, -0.25]}
    deltas = [event for event in events_of(frames) if isinstance(event, LogprobsDelta)]
    assert [json.loads(bytes(delta.content)) for delta in deltas] == [
        [{"token": "Hi", "logprob": -0.75, "bytes": [72, 105], "top_logprobs": []}]
    ]


def whole(content: Any, reason: str = "COMPLETE", **message: Any) -> bytes:
    said = {"role": "assistant", "content": content, **message}
    return json.dumps({"id": "29f14a5a", "finish_reason": reason, "message": said, "usage": USAGE}).encode()


def test_a_whole_answer_is_what_its_stream_tells() -> None:
    calls = [("a", "find", ('{"q":1}',)), ("b", "now", ())]
    told = fold(events_of(stream_events(("Hi",), thoughts=("Hm",), calls=calls, reason="TOOL_CALL")))
    content = [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}]
    sent = [
        {"id": "a", "type": "function", "function": {"name": "find", "arguments": '{"q":1}'}},
        {"id": "b", "type": "function", "function": {"name": "now", "arguments": ""}},
    ]
    citations = [{"start": 0, "end": 5, "text": "Hi", "sources": [{"type": "document", "id": "1"}]}]
    assert read_reply(whole(content, "TOOL_CALL", tool_calls=sent, citations=citations), reader()) == told


def test_a_whole_answer_that_is_none_is_refused() -> None:
    for body in (b"nonsense", b"{}", b'{"message":[]}'):
        with pytest.raises(Broken):
            read_reply(body, reader())
    with pytest.raises(Broken, match="could not complete"):
        read_reply(whole(None, "ERROR"), reader())


def test_what_is_billed_counts_and_what_was_read_only_without_a_bill() -> None:
    tokens = Counts(input_tokens=71.0, output_tokens=9.0)
    assert read_usage(WireUsage(billed_units=Counts(), tokens=tokens)) == Usage(71, 9, source="measured")
    assert read_usage(WireUsage(billed_units=Counts(input_tokens=5.0), tokens=tokens)) == Usage(5, 0, source="measured")
    assert read_usage(WireUsage(tokens=Counts(-1.0, 1e300))) == Usage(0, 2**53, source="measured")
    assert read_usage(WireUsage()) is None and read_usage(None) is None


# ── Any cutting, any garbage ─────────────────────────────────────────────────────────────────────────────────────────

TEXTS = st.lists(st.text(min_size=1, max_size=8), max_size=4)
CALLS = st.lists(
    st.tuples(st.text(min_size=1, max_size=4), st.text(min_size=1, max_size=4), st.just(('{"a":', "1}"))), max_size=3
)
REASONS = st.sampled_from(["COMPLETE", "TOOL_CALL", "MAX_TOKENS"])
FRAMES = st.sampled_from([json.dumps(frame).encode() for frame in stream_events("xy")])


def wire(frames: list[dict[str, Any]], newline: str) -> bytes:
    blocks = [f"event: {frame['type']}{newline}data: {json.dumps(frame)}{newline}{newline}" for frame in frames]
    return "".join([*blocks, f"data: [DONE]{newline}{newline}"]).encode("utf-8", "surrogatepass")


@given(
    st.data(),
    TEXTS,
    TEXTS,
    CALLS,
    st.sampled_from(["COMPLETE", "TOOL_CALL", "MAX_TOKENS"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_cutting_of_a_stream_tells_the_same(
    data: st.DataObject,
    pieces: list[str],
    thoughts: list[str],
    calls: list[tuple[str, str, tuple[str, ...]]],
    reason: str,
    newline: str,
) -> None:
    frames = stream_events(pieces, thoughts=thoughts, calls=calls, reason=reason)
    stream = wire(frames, newline)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    splitter, reading = SseFrames(), reader()
    told: list[Event] = []
    for begin, end in itertools.pairwise([0, *cuts, len(stream)]):
        told += [event for frame in splitter.feed(stream[begin:end]) for event in reading.feed(frame)]
    told += [event for frame in splitter.end() for event in reading.feed(frame)]
    told += reading.end()
    assert told == events_of(frames)
    assert "".join(event.text for event in told if isinstance(event, TextDelta)) == "".join(pieces)
    writer = StreamWriter(Call("m", ()))
    assert violations(writer.write(told) + writer.end()) == []


@given(
    st.lists(st.binary(max_size=64) | st.sampled_from([json.dumps(frame).encode() for frame in stream_events("xy")]))
)
def test_hostile_bytes_never_raise_and_a_stream_ends_once(frames: list[bytes]) -> None:
    reading = reader()
    told = [event for frame in frames for event in reading.feed(frame)] + reading.end()
    endings = [event for event in told if isinstance(event, Finished | Failed)]
    assert len(endings) == 1
