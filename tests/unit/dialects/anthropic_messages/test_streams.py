from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pointsman.core.call import Call
from pointsman.core.content import Message, ServerToolUse, Text
from pointsman.core.errors import Broken, Overloaded
from pointsman.core.events import (
    Event,
    Failed,
    Finished,
    FinishReason,
    LogprobsDelta,
    PartGiven,
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
from pointsman.dialects.anthropic_messages import blocks
from pointsman.dialects.anthropic_messages.envelope import read_finish
from pointsman.dialects.anthropic_messages.grammar import violations
from pointsman.dialects.anthropic_messages.streams import StreamReader, StreamWriter
from pointsman.dialects.folding import fold
from pointsman.wire.sse import SseParser
from tests.support.steps import steps

CALL = Call("named-so", (Message("user", (Text("Hi"),)),), stream=True)
STARTED = Started("msg_1", "named-so", 7)
MEASURED = UsageReported(Usage(30, 4, 10, 5, 2, source="measured"))

sdk_event: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def counted_ids() -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers)}"


def write(*events: Event, prompt_tokens: int = 0) -> list[dict[str, Any]]:
    writer = StreamWriter(CALL, prompt_tokens)
    stream = writer.write(events) + writer.end()
    assert violations(stream) == []
    return [json.loads(event.data) for event in SseParser().feed(stream)]


def written(*events: Event) -> list[tuple[int, str, str]]:
    """Each block of the stream: its number, its type, and what its deltas say together."""
    found: list[tuple[int, str, str]] = []
    for event in write(STARTED, *events):
        if event["type"] == "content_block_start":
            block = event["content_block"]
            found.append((event["index"], block["type"], block.get("name") or block.get("data") or ""))
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            index, kind, words = found[-1]
            more = next(value for key, value in delta.items() if key != "type")
            found[-1] = (index, kind, f"{words}{'|' if delta['type'] == 'signature_delta' else ''}{more}")
    return found


def read(*frames: object) -> list[Event]:
    reader = StreamReader(created=7, new_id=counted_ids())
    events: list[Event] = []
    for frame in frames:
        events += reader.feed(frame if isinstance(frame, bytes) else json.dumps(frame).encode())
    return [*events, *reader.end()]


def read_stream(stream: bytes, sizes: Iterable[int] = ()) -> list[Event]:
    """The events of a stream that arrives in pieces of these sizes."""
    parser, reader = SseParser(), StreamReader(created=7)
    found: list[Event] = []
    for size in sizes:
        piece, stream = stream[:size], stream[size:]
        found += [event for frame in parser.feed(piece) for event in reader.feed(frame.data)]
    found += [event for frame in parser.feed(stream) for event in reader.feed(frame.data)]
    found += [event for frame in parser.end() for event in reader.feed(frame.data)]
    return found + reader.end()


def start(**fields: object) -> dict[str, object]:
    return {"type": "message_start", "message": {"id": "msg_1", "model": "named-so", "content": [], **fields}}


def begin(index: int, **block: object) -> dict[str, object]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **fields: object) -> dict[str, object]:
    return {"type": "content_block_delta", "index": index, "delta": fields}


def stop(index: int) -> dict[str, object]:
    return {"type": "content_block_stop", "index": index}


def finish(reason: str | None, usage: object = None, sequence: str | None = None) -> dict[str, object]:
    return {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": sequence},
        "usage": usage or {"output_tokens": 0},
    }


STOP = {"type": "message_stop"}
TEXT = [begin(0, type="text", text=""), delta(0, type="text_delta", text="Hi"), stop(0)]

# ── Identity ─────────────────────────────────────────────────────────────────────────────────────────────────────────

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
counts = st.integers(0, 9999)
said = st.one_of(
    st.builds(TextDelta, words),
    st.builds(ThinkingDelta, words),
    st.builds(ThinkingSigned, words, redacted=st.booleans(), signer=st.just("anthropic")),
)
ends: st.SearchStrategy[Finished] = st.sampled_from([
    Finished("stop"),
    Finished("length"),
    Finished("length", native="model_context_window_exceeded"),
    Finished("content_filter", native="refusal"),
    Finished("stop", native="pause_turn"),
    Finished("stop", native="stop_sequence", stop_sequence="END"),
])  # fmt: skip
usages = st.builds(
    lambda fresh, completion, cached, written, thought: UsageReported(
        Usage(fresh + cached + written, completion, cached, written, thought, source="measured")
    ),
    counts, counts, counts, counts, counts,
)  # fmt: skip


def pieces(text: str, cuts: Iterable[int]) -> list[str]:
    places = [0, *sorted({min(cut, len(text)) for cut in cuts} - {0, len(text)}), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(places)]


@st.composite
def tool_calls(draw: st.DrawFn, slot: int) -> list[Event]:
    arguments = json.dumps(draw(st.dictionaries(words, words, max_size=2)))
    cuts = draw(st.lists(st.integers(0, 30), max_size=3))
    started = ToolCallStarted(slot, f"toolu_{slot}", draw(words))
    return [started, *(ToolCallDelta(slot, piece) for piece in pieces(arguments, cuts))]


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    events: list[Event] = [STARTED, *draw(st.lists(said, max_size=5))]
    calls = draw(st.integers(0, 3))
    for slot in range(calls):
        events += [*draw(tool_calls(slot)), *draw(st.lists(said, max_size=1))]
    end = draw(ends)
    plain = end == Finished("stop")
    return [*events, Finished("tool_calls") if plain and calls else end, draw(usages)]


@settings(max_examples=100)
@given(streams(), st.lists(st.integers(1, 200), max_size=9))
def test_what_is_written_is_read_back_in_whatever_pieces_it_arrives(events: list[Event], sizes: list[int]) -> None:
    writer = StreamWriter(CALL)
    stream = b"".join(writer.write([event]) for event in events) + writer.end()
    assert violations(stream) == []
    assert read_stream(stream, sizes) == events


@given(streams())
def test_the_batches_in_which_events_come_do_not_matter(events: list[Event]) -> None:
    one, other = StreamWriter(CALL), StreamWriter(CALL)
    assert one.write(events) + one.end() == b"".join(other.write([event]) for event in events) + other.end()


@st.composite
def woven(draw: st.DrawFn) -> list[Event]:
    """Tool calls and words, each in its order, woven into one another."""
    queues: list[list[Event]] = [draw(tool_calls(slot)) for slot in range(draw(st.integers(0, 4)))]
    calls = len(queues)
    queues.append([*draw(st.lists(said, max_size=5))])
    events: list[Event] = [STARTED]
    while any(queues):
        events.append(draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    return [*events, Finished("tool_calls" if calls else "stop"), MEASURED]


@settings(max_examples=200)
@given(woven())
def test_pieces_that_are_woven_into_one_another_still_make_blocks_that_do_not_overlap(events: list[Event]) -> None:
    writer = StreamWriter(CALL)
    stream = b"".join(writer.write([event]) for event in events) + writer.end()
    assert violations(stream) == []
    found, expected = fold(read_stream(stream)).choices[0], fold(events).choices[0]
    assert (found.text, found.thinking) == (expected.text, expected.thinking)
    signatures = [
        [part.signature for part in choice.thoughts if part.signature is not None] for choice in (found, expected)
    ]
    assert signatures[0] == signatures[1]
    assert sorted(found.tool_calls, key=lambda one: one.id) == sorted(expected.tool_calls, key=lambda one: one.id)


@given(streams())
def test_the_official_sdk_puts_the_same_message_together(events: list[Event]) -> None:
    writer = StreamWriter(CALL)
    message: Any = None
    inputs: dict[int, bytes] = {}
    for frame in SseParser().feed(writer.write(events) + writer.end()):
        event = sdk_event.validate_json(frame.data, strict=True)
        if event.type != "message_stop":
            message = accumulate_event(event=event, current_snapshot=message, json_bufs=inputs)
    choice = fold(events).choices[0]
    assert "".join(block.text for block in message.content if block.type == "text") == choice.text
    assert "".join(block.thinking for block in message.content if block.type == "thinking") == choice.thinking
    calls = [(block.id, block.input) for block in message.content if block.type == "tool_use"]
    assert calls == [(call.id, json.loads(call.arguments)) for call in choice.tool_calls]
    usage = fold(events).usage
    assert (message.usage.cache_read_input_tokens, message.usage.output_tokens) == (usage.cached, usage.completion)


any_event = st.one_of(
    said,
    st.builds(RefusalDelta, words),
    st.builds(TextDelta, st.text(max_size=3), choice=st.integers(0, 1)),
    st.builds(ToolCallStarted, st.integers(0, 2), words, words),
    st.builds(ToolCallDelta, st.integers(0, 3), st.sampled_from(["", "{", "}", "{}", '"'])),
    st.builds(Finished, st.sampled_from(["stop", "length", "tool_calls", "content_filter"])),
    st.just(STARTED),
)


@settings(max_examples=200)
@given(st.lists(any_event, max_size=12))
def test_any_events_at_all_make_a_stream_that_a_client_can_follow(events: list[Event]) -> None:
    writer = StreamWriter(CALL)
    found = violations(writer.write(events) + writer.end())
    # What the model wrote as arguments, and as ids, is not the writer's to mend.
    assert [one for one in found if "JSON object" not in one and "the id of another" not in one] == []


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stream_is_told_from_its_beginning_to_its_end() -> None:
    assert write(STARTED, TextDelta("Hi"), Finished("stop"), MEASURED, prompt_tokens=33) == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "named-so",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {
                    "input_tokens": 33,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0,
                    "output_tokens": 0,
                },
            },
        },
        *TEXT,
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {
                "input_tokens": 15,
                "cache_creation_input_tokens": 5,
                "cache_read_input_tokens": 10,
                "output_tokens": 4,
                "output_tokens_details": {"thinking_tokens": 2},
            },
        },
        STOP,
    ]


def test_each_kind_of_content_has_its_own_block() -> None:
    assert written(
        TextDelta(""),
        ThinkingDelta("Hm"),
        ThinkingDelta("m"),
        ThinkingSigned("s", signer="anthropic"),
        ThinkingSigned("x", redacted=True, signer="anthropic"),
        ThinkingDelta("Oh"),
        TextDelta("a"),
        TextDelta("b"),
        ToolCallStarted(0, "1", "f:"),
        ToolCallDelta(0, "{"),
        ToolCallDelta(0, "}"),
        TextDelta("c"),
        Finished("tool_calls"),
    ) == [
        (0, "thinking", "Hmm|s"),
        (1, "redacted_thinking", "x"),
        (2, "thinking", "Oh"),
        (3, "text", "ab"),
        (4, "tool_use", "f:{}"),
        (5, "text", "c"),
    ]


def test_reasoning_that_is_kept_back_is_a_block_with_a_signature_alone() -> None:
    assert written(ThinkingSigned("s"), TextDelta("a"), Finished("stop")) == [(0, "thinking", "|s"), (1, "text", "a")]


def test_calls_whose_pieces_alternate_come_one_after_the_other() -> None:
    assert written(
        ToolCallStarted(0, "1", "f:"),
        ToolCallStarted(1, "2", "g:"),
        ToolCallDelta(0, "{"),
        ToolCallDelta(1, '{"a"'),
        TextDelta("Well"),
        ToolCallDelta(0, "}"),
        ToolCallDelta(1, ":1}"),
        Finished("tool_calls"),
    ) == [(0, "tool_use", "f:{}"), (1, "tool_use", 'g:{"a":1}'), (2, "text", "Well")]


def test_a_call_that_is_complete_does_not_hold_up_the_next() -> None:
    writer = StreamWriter(CALL)
    writer.write([STARTED, ToolCallStarted(0, "1", "f"), ToolCallDelta(0, '{"a":1}'), ToolCallStarted(1, "2", "g")])
    assert b'"partial_json":"{\\"b\\""' in writer.write([ToolCallDelta(1, '{"b"')])


def test_what_has_to_be_held_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "HELD_CHARACTERS_MAX", 12)
    writer = StreamWriter(CALL)
    started: list[Event] = [STARTED, ToolCallStarted(0, "1", "f"), ToolCallStarted(1, "2", "g")]
    writer.write([*started, ToolCallDelta(0, '{"a":'), ToolCallDelta(1, '{"b":')])
    with pytest.raises(Broken, match="more than 12 characters"):
        writer.write([TextDelta("x")])


def test_looking_whether_a_call_is_complete_takes_time_in_proportion() -> None:
    writer = StreamWriter(CALL)
    writer.write([STARTED, ToolCallStarted(0, "1", "f"), ToolCallDelta(0, '{"'), ToolCallStarted(1, "2", "g")])
    started = time.process_time()
    for _ in range(20_000):
        writer.write([ToolCallDelta(0, "}"), ToolCallDelta(1, "}")])
    assert time.process_time() - started < 4


@pytest.mark.parametrize(
    ("events", "reason", "sequence"),
    [
        ([Finished("stop")], "end_turn", None),
        ([Finished("length")], "max_tokens", None),
        ([Finished("content_filter")], "refusal", None),
        ([Finished("content_filter", native="SAFETY")], "refusal", None),
        ([Finished("stop", native="pause_turn")], "pause_turn", None),
        ([Finished("stop", native="stop_sequence", stop_sequence="END")], "stop_sequence", "END"),
        ([Finished("stop", stop_sequence="END")], "stop_sequence", "END"),
        ([Finished("length", native="model_context_window_exceeded")], "model_context_window_exceeded", None),
        ([RefusalDelta("No."), Finished("stop")], "refusal", None),
        ([Finished("tool_calls")], "end_turn", None),
        ([ToolCallStarted(0, "1", "f"), Finished("stop")], "tool_use", None),
        ([ToolCallStarted(0, "1", "f"), ToolCallDelta(0, "{"), Finished("length")], "max_tokens", None),
        ([], "end_turn", None),
    ],
)
def test_the_reason_is_told_in_anthropics_words(events: list[Event], reason: str, sequence: str | None) -> None:
    assert write(STARTED, *events)[-2]["delta"] == {"stop_reason": reason, "stop_sequence": sequence}


def test_other_choices_and_log_probabilities_are_passed_over() -> None:
    events: list[Event] = [TextDelta("x", 1), LogprobsDelta(msgspec.Raw(b"[]")), Finished("length", 1)]
    assert written(TextDelta("a"), *events, Finished("stop")) == [(0, "text", "a")]


def test_the_id_of_another_server_is_made_fit() -> None:
    assert write(Started("chatcmpl-7", "up", 1))[0]["message"]["id"] == "msg_chatcmpl-7"
    assert write()[0]["message"]["id"].startswith("msg_")


def test_an_estimate_stands_in_for_usage_that_never_came() -> None:
    writer = StreamWriter(CALL, 9)
    writer.write([STARTED, Finished("stop")])
    assert b'"input_tokens":5,' in writer.end(Usage(5, 6, source="estimated"))
    assert b'"input_tokens":9,' in StreamWriter(CALL, 9).end()


def test_a_failure_ends_the_stream_and_nothing_follows() -> None:
    writer = StreamWriter(CALL)
    stream = writer.write([STARTED, TextDelta("Hi"), Failed(Broken("Gone.")), TextDelta("no")])
    assert stream.endswith(
        b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"Gone."},"request_id":null}\n\n'
    )
    assert violations(stream) == [] and b'"no"' not in stream
    assert writer.write([TextDelta("x")]) == writer.fail(Broken("x")) == writer.end() == b""


def test_a_stream_that_ended_does_not_end_again() -> None:
    writer = StreamWriter(CALL)
    assert writer.end() != b""
    assert writer.end() == b""


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_later_counts_replace_earlier_ones_and_are_told_once_at_the_end() -> None:
    first = {"input_tokens": 9, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 1, "output_tokens": 1}
    last = {"output_tokens": 4, "input_tokens": None, "output_tokens_details": {"thinking_tokens": 3}}
    found = read(start(usage=first), *TEXT, finish("end_turn", last), STOP)
    assert found == [
        STARTED,
        TextDelta("Hi"),
        Finished("stop"),
        UsageReported(Usage(30, 4, 20, 1, 3, source="measured")),
    ]


def test_pings_and_what_nobody_knows_are_passed_over_and_a_search_is_told() -> None:
    found = read(
        {"type": "ping"},
        start(),
        {"type": "weather", "delta": {"text": "rain"}},
        *TEXT,
        begin(1, type="server_tool_use", id="srv", name="web_search", input={}),
        delta(1, type="input_json_delta", partial_json='{"query":"x"}'),
        stop(1),
        begin(2, type="web_search_tool_result", tool_use_id="srv", content=[{"type": "web_search_result"}]),
        stop(2),
        begin(3, type="text", text="", citations=[]),
        delta(3, type="citations_delta", citation={"type": "web_search_result_location"}),
        delta(3, type="text_delta", text="!"),
        stop(3),
        finish("end_turn"),
        STOP,
    )
    use = b'{"type":"server_tool_use","id":"srv","name":"web_search","input":{"query":"x"}}'
    result = b'{"type":"web_search_tool_result","tool_use_id":"srv","content":[{"type":"web_search_result"}]}'
    native = (msgspec.Raw(use), msgspec.Raw(result))
    searched = ServerToolUse("srv", "search", "x", at=2, native=native, dialect="anthropic_messages")
    assert found[:5] == [STARTED, TextDelta("Hi"), PartGiven(searched), TextDelta("!"), Finished("stop")]


def test_tool_calls_are_counted_from_nought_and_have_arguments_in_any_case() -> None:
    found = read(
        start(),
        *TEXT,
        begin(1, type="tool_use", id="a", name="f", input={}),
        delta(1, type="input_json_delta", partial_json=""),
        delta(1, type="input_json_delta", partial_json='{"x":1}'),
        stop(1),
        begin(2, type="tool_use", id="b", name="g", input={}),
        stop(2),
        begin(3, type="tool_use", name="h", input={"y": 2}),
        finish("tool_use"),
        STOP,
    )
    calls = fold(found).choices[0].tool_calls
    assert [(call.id, call.name, json.loads(call.arguments)) for call in calls] == [
        ("a", "f", {"x": 1}),
        ("b", "g", {}),
        ("toolu_1", "h", {"y": 2}),
    ]


def test_content_that_comes_with_the_beginning_of_a_block_is_not_lost() -> None:
    found = read(
        start(),
        begin(0, type="thinking", thinking="Hm", signature="s"),
        stop(0),
        begin(1, type="redacted_thinking", data="x"),
        stop(1),
        begin(2, type="text", text="Hi"),
        stop(2),
        finish("end_turn"),
    )
    assert found[1:5] == [
        ThinkingDelta("Hm"),
        ThinkingSigned("s", signer="anthropic"),
        ThinkingSigned("x", redacted=True, signer="anthropic"),
        TextDelta("Hi"),
    ]


@pytest.mark.parametrize(
    ("said", "with_call", "expected"),
    [
        ("end_turn", False, Finished("stop")),
        ("end_turn", True, Finished("tool_calls")),
        ("tool_use", True, Finished("tool_calls")),
        ("max_tokens", True, Finished("length")),
        ("refusal", False, Finished("content_filter", native="refusal")),
        ("pause_turn", False, Finished("stop", native="pause_turn")),
        ("model_context_window_exceeded", False, Finished("length", native="model_context_window_exceeded")),
        ("something_new", False, Finished("stop")),
    ],
)
def test_each_reason_is_understood(said: str, with_call: bool, expected: Finished) -> None:
    block = {"type": "tool_use", "id": "a", "name": "f", "input": {}} if with_call else {"type": "text", "text": ""}
    assert expected in read(start(), begin(0, **block), stop(0), finish(said), STOP)


def test_the_stop_sequence_that_was_met_is_told() -> None:
    found = read(start(), *TEXT, finish("stop_sequence", sequence="END"), STOP)
    assert found[2] == Finished("stop", native="stop_sequence", stop_sequence="END")


def test_a_stream_that_forgets_its_beginning_or_its_reason_is_read() -> None:
    assert read(*TEXT, STOP)[:3] == [Started("msg_1", "", 7), TextDelta("Hi"), Finished("stop")]
    assert read(start(id=None, model=None), finish("end_turn"))[0] == Started("msg_1", "", 7)


def test_nothing_is_read_behind_the_end() -> None:
    found = read(start(), *TEXT, finish("end_turn"), *TEXT, finish("max_tokens"), STOP, *TEXT)
    assert found[:3] == [STARTED, TextDelta("Hi"), Finished("stop")] and len(found) == 4


def test_the_end_is_told_once() -> None:
    reader = StreamReader()
    reader.feed(json.dumps(start()).encode())
    reader.feed(json.dumps(STOP).encode())
    assert len(reader.end()) == 1
    assert reader.end() == []


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "before the answer had begun"),
        ([{"type": "ping"}], "before the answer had begun"),
        ([start()], "before the answer was complete"),
        ([start(), *TEXT], "before the answer was complete"),
        ([start(), *TEXT, b'{"type'], "not an event of a message"),
        ([b"\xff"], "not an event of a message"),
        ([b'"message_start"'], "not an event of a message"),
        ([start(), {"type": "error", "error": {"type": "api_error", "message": "out of memory"}}], "out of memory"),
        ([{"error": "plain"}], "plain"),
    ],
)
def test_a_stream_that_goes_wrong_fails_once(frames: list[object], words: str) -> None:
    found = read(*frames)
    failures = [event for event in found if isinstance(event, Failed)]
    assert len(failures) == 1 and found[-1] is failures[0]
    assert words in failures[0].error.message


def test_an_overload_in_the_stream_is_one() -> None:
    found = read(start(), {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})[-1]
    assert isinstance(found, Failed) and isinstance(found.error, Overloaded)


def test_nothing_is_read_behind_a_failure() -> None:
    reader = StreamReader()
    assert isinstance(reader.feed(b"{")[0], Failed)
    assert reader.feed(json.dumps(start()).encode()) == reader.end() == []


def test_an_empty_frame_says_nothing() -> None:
    assert read(b" ", start(), STOP)[0] == STARTED


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_frames_give_events_and_never_an_exception(frames: list[bytes]) -> None:
    assert isinstance(read(*frames)[-1], Failed)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["tool_use", "text", "end_turn"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "text", "input", "stop_reason", "id", "content", "usage"]), inner)
    ),
    max_leaves=5,
)
hostile = st.fixed_dictionaries(
    {
        "type": st.sampled_from([
            "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
            "message_stop", "message",
        ])
    },
    optional=dict.fromkeys(("index", "message", "content_block", "delta", "usage", "error", "content"), json_values),
)  # fmt: skip


@given(st.lists(hostile, max_size=5))
def test_hostile_events_never_give_what_cannot_be_folded(frames: list[object]) -> None:
    events = read(*frames)
    writer = StreamWriter(CALL)
    assert isinstance(writer.write(events) + writer.end(), bytes)
    if not isinstance(events[-1], Failed):
        fold(events)


# ── Cost ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_streamed_word_costs_microseconds() -> None:
    """The aim is 3 µs a word on a quiet core; here only that no work was added to each word."""
    reader, writer = StreamReader(), StreamWriter(CALL)
    line = json.dumps(delta(0, type="text_delta", text=" word")).encode()
    writer.write([*reader.feed(json.dumps(start()).encode()), *reader.feed(line)])
    assert steps(lambda: writer.write(reader.feed(line))) < 150


FINISH_REASONS: tuple[FinishReason, ...] = ("stop", "length", "tool_calls", "content_filter")


@pytest.mark.parametrize("reason", FINISH_REASONS)
def test_every_common_reason_has_a_word(reason: FinishReason) -> None:
    assert write(STARTED, Finished(reason))[-2]["delta"]["stop_reason"]


def test_an_answer_that_says_tool_use_and_calls_nothing_has_just_ended() -> None:
    assert read_finish("tool_use", None, with_tools=False) == Finished("stop")
    assert read_finish("end_turn", None, with_tools=True) == Finished("tool_calls")
    assert read_finish("max_tokens", None, with_tools=True) == Finished("length")
