from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.call import Call
from pointsman.core.content import Message, Text
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
from pointsman.dialects.folding import fold
from pointsman.dialects.ollama.streams import StreamReader as OllamaReader
from pointsman.dialects.openai_chat.grammar import violations
from pointsman.dialects.openai_chat.streams import StreamReader, StreamWriter
from pointsman.wire.sse import SseParser
from tests.support.steps import steps

CALL = Call("m", (Message("user", (Text("Hi"),)),), stream=True)
CALL_WITH_USAGE = Call("m", (Message("user", (Text("Hi"),)),), stream=True, include_usage=True)
STARTED = Started("id", "m", 7)
LOGPROBS = msgspec.Raw(b'[{"token":"Hi","logprob":-0.5,"bytes":null,"top_logprobs":[]}]')


def counted_ids() -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers)}"


def write(*events: Event, call: Call = CALL) -> list[dict[str, object]]:
    writer = StreamWriter(call)
    stream = writer.write(events) + writer.end()
    assert violations(stream, include_usage=call.include_usage) == []
    frames = [event.data for event in SseParser().feed(stream)]
    assert frames[-1] == b"[DONE]"
    return [json.loads(frame) for frame in frames[:-1]]


def deltas(*events: Event) -> list[object]:
    return [chunk["choices"][0]["delta"] for chunk in write(*events)]  # type: ignore[index]


def read(*frames: object) -> list[Event]:
    reader = StreamReader(new_id=counted_ids())
    events: list[Event] = []
    for frame in frames:
        events += reader.feed(frame if isinstance(frame, bytes) else json.dumps(frame).encode())
    return [*events, *reader.end()]


def chunk(delta: dict[str, object] | None = None, finish: str | None = None, **fields: object) -> dict[str, object]:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "id", "created": 7, "model": "m", "choices": [choice], **fields}


def call_piece(**fields: object) -> dict[str, object]:
    function = {key: fields.pop(key) for key in ("name", "arguments") if key in fields}
    return {"tool_calls": [{**fields, "function": function}]}


# ── Identity ─────────────────────────────────────────────────────────────────────────────────────────────────────

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
counts = st.integers(0, 9999)


def signed(signature: str, choice: int) -> ThinkingSigned:
    return ThinkingSigned(signature, choice, signer="anthropic")


DELTAS: tuple[Callable[[str, int], Event], ...] = (TextDelta, ThinkingDelta, signed, RefusalDelta)


@st.composite
def choice_events(draw: st.DrawFn, choice: int) -> list[Event]:
    said = st.one_of([st.builds(kind, words, st.just(choice)) for kind in DELTAS])
    events: list[Event] = []
    for delta in draw(st.lists(said, max_size=4)):
        if isinstance(delta, TextDelta) and draw(st.booleans()):
            events.append(LogprobsDelta(LOGPROBS, choice))
        events.append(delta)
    calls = draw(st.integers(0, 2))
    for slot in range(calls):
        events.append(ToolCallStarted(slot, f"call_{choice}_{slot}", draw(words), choice))
        arguments = json.dumps({draw(words): draw(words)})
        events += [ToolCallDelta(slot, piece, choice) for piece in (arguments[:3], arguments[3:])]
    reason: FinishReason = "tool_calls" if calls else "stop"
    return [*events, Finished(draw(st.sampled_from([reason, "length", "content_filter"])), choice)]


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """The events of several choices, woven into one another."""
    queues = [draw(choice_events(choice)) for choice in range(draw(st.integers(1, 3)))]
    events: list[Event] = [STARTED]
    while queues:
        queue = draw(st.sampled_from(queues))
        events.append(queue.pop(0))
        # Log probabilities come with the text that they belong to.
        if isinstance(events[-1], LogprobsDelta):
            events.append(queue.pop(0))
        if not queue:
            queues.remove(queue)
    if draw(st.booleans()):
        usage = draw(st.builds(Usage, counts, counts, counts, counts, counts, source=st.just("measured")))
        events.append(UsageReported(usage))
    return events


@settings(max_examples=60)
@given(streams())
def test_what_is_written_is_read_back(events: list[Event]) -> None:
    writer, reader = StreamWriter(CALL_WITH_USAGE), StreamReader()
    stream = b"".join(writer.write([event]) for event in events) + writer.end()
    assert violations(stream, include_usage=True) == []
    found = [found for frame in SseParser().feed(stream) for found in reader.feed(frame.data)] + reader.end()
    if not isinstance(events[-1], UsageReported):
        events = [*events, UsageReported(Usage(source="measured"))]
    assert found == events
    assert fold(found) == fold(events)


@given(streams())
def test_the_batches_in_which_events_come_do_not_matter(events: list[Event]) -> None:
    one, other = StreamWriter(CALL), StreamWriter(CALL)
    assert one.write(events) + one.end() == b"".join(other.write([event]) for event in events) + other.end()


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_chunk_has_the_role_and_the_last_the_reason() -> None:
    assert write(STARTED, TextDelta("Hi"), Finished("stop")) == [
        {
            "id": "id",
            "object": "chat.completion.chunk",
            "created": 7,
            "model": "m",
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}],
        }
        for delta, reason in (({"role": "assistant", "content": ""}, None), ({"content": "Hi"}, None), ({}, "stop"))
    ]


@pytest.mark.parametrize(
    ("event", "content"),
    [
        (TextDelta("x"), ""),
        (ThinkingDelta("x"), ""),
        (ThinkingSigned("x"), ""),
        (RefusalDelta("x"), None),
        (ToolCallStarted(0, "1", "f"), None),
    ],
)
def test_content_begins_as_null_where_there_will_be_none(event: Event, content: str | None) -> None:
    closing: list[Event] = [ToolCallDelta(0, "{}")] if isinstance(event, ToolCallStarted) else []
    reason: FinishReason = "tool_calls" if closing else "stop"
    assert deltas(STARTED, event, *closing, Finished(reason))[0] == {"role": "assistant", "content": content}


def test_a_tool_call_is_opened_with_its_name_and_then_only_numbered() -> None:
    assert deltas(STARTED, ToolCallStarted(0, "1", "f"), ToolCallDelta(0, "{}"), Finished("tool_calls"))[1:3] == [
        {"tool_calls": [{"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
    ]


def test_usage_is_null_until_the_last_chunk_which_has_no_choices() -> None:
    chunks = write(STARTED, TextDelta("Hi"), Finished("stop"), UsageReported(Usage(3, 4)), call=CALL_WITH_USAGE)
    assert [chunk["usage"] is None for chunk in chunks] == [True, True, True, False]
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["total_tokens"] == 7  # type: ignore[index]


def test_an_estimate_stands_in_for_usage_that_never_came() -> None:
    writer = StreamWriter(CALL_WITH_USAGE)
    writer.write([STARTED, Finished("stop")])
    assert b'"total_tokens":11' in writer.end(Usage(5, 6, source="estimated"))


def test_log_probabilities_come_with_the_text_they_belong_to() -> None:
    found = write(STARTED, LogprobsDelta(LOGPROBS), TextDelta("Hi"), TextDelta("!"), Finished("stop"))
    logprobs = [chunk["choices"][0]["logprobs"] for chunk in found]  # type: ignore[index]
    assert logprobs == [None, {"content": json.loads(bytes(LOGPROBS)), "refusal": None}, None, None]


def test_log_probabilities_without_text_come_with_the_reason() -> None:
    found = write(STARTED, LogprobsDelta(LOGPROBS), LogprobsDelta(msgspec.Raw(b"[ ]")), Finished("stop"))
    assert found[-1]["choices"][0]["logprobs"]["content"] == json.loads(bytes(LOGPROBS))  # type: ignore[index]


def test_a_failure_ends_the_stream_and_nothing_follows() -> None:
    writer = StreamWriter(CALL)
    stream = writer.write([STARTED, TextDelta("Hi"), Failed(Broken("Gone.")), TextDelta("no")])
    assert stream.endswith(b'"code":"upstream_broken"}}\n\ndata: [DONE]\n\n') and b'"no"' not in stream
    assert violations(stream) == []
    assert writer.write([TextDelta("x")]) == writer.fail(Broken("x")) == writer.end() == b""


def test_a_stream_that_ended_does_not_end_again() -> None:
    writer = StreamWriter(CALL)
    assert writer.end() == b"data: [DONE]\n\n"
    assert writer.end() == b""


def test_a_stream_without_a_beginning_gets_one() -> None:
    writer = StreamWriter(CALL_WITH_USAGE)
    assert violations(writer.write([TextDelta("Hi"), Finished("stop")]) + writer.end()) == []
    assert b'"id":"chatcmpl-' in StreamWriter(CALL_WITH_USAGE).end()


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_usage_is_taken_from_any_chunk_and_told_once_at_the_end() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    later = {"prompt_tokens": 3, "completion_tokens": 4}
    found = read(chunk({"content": "Hi"}, usage=usage), chunk({}, "stop", usage=later), b"[DONE]")
    assert found == [
        STARTED,
        TextDelta("Hi"),
        Finished("stop"),
        UsageReported(Usage(3, 4, source="measured")),
    ]


def test_a_first_chunk_without_choices_is_not_the_beginning() -> None:
    azure = {"id": "", "choices": [], "created": 0, "model": "", "prompt_filter_results": []}
    assert read(azure, chunk({"content": "Hi"}, "stop"))[0] == STARTED


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (
            [call_piece(index=0, id="a", name="f", arguments=""), call_piece(index=0, arguments="{}")],
            [("a", "f", "{}")],
        ),
        (
            [
                call_piece(index=0, id="a", name="f", arguments="{}"),
                call_piece(index=0, id="b", name="g", arguments="{}"),
            ],
            [("a", "f", "{}"), ("b", "g", "{}")],
        ),
        ([call_piece(index=0, id="a", name="f"), call_piece(index=0, id="a", arguments="{}")], [("a", "f", "{}")]),
        ([call_piece(index=5, name="f", arguments="{}")], [("call_1", "f", "{}")]),
        (
            [call_piece(index=0, id="a", arguments="{"), call_piece(index=0, name="f", arguments="}")],
            [("a", "f", "{}")],
        ),
        ([{"function_call": {"name": "f"}}, {"function_call": {"arguments": "{}"}}], [("call_1", "f", "{}")]),
        (
            [{"tool_calls": [{"id": n, "function": {"name": n, "arguments": "{}"}} for n in "ab"]}],
            [("a", "a", "{}"), ("b", "b", "{}")],
        ),
        ([{"tool_calls": [{"index": 0, "id": "a"}]}, call_piece(index=0, name="f", arguments="1")], [("a", "f", "1")]),
    ],
)
def test_tool_calls_are_put_together_however_servers_number_them(
    pieces: list[dict[str, object]], expected: list[tuple[str, str, str]]
) -> None:
    reply = fold(read(*map(chunk, pieces), chunk({}, "tool_calls")))
    assert [(call.id, call.name, call.arguments) for call in reply.choices[0].tool_calls] == expected


@pytest.mark.parametrize(
    ("said", "with_calls", "expected"),
    [
        ("stop", False, "stop"),
        ("stop", True, "tool_calls"),
        ("length", True, "length"),
        ("function_call", True, "tool_calls"),
        ("content_filter", False, "content_filter"),
        ("eos_token", False, "stop"),
    ],
)
def test_only_stop_becomes_tool_calls(said: str, with_calls: bool, expected: str) -> None:
    words: dict[str, object] = {"content": "Hi"}
    piece = call_piece(index=0, id="a", name="f", arguments="{}") if with_calls else words
    assert fold(read(chunk(piece), chunk({}, said))).choices[0].finish_reason == expected


def test_reasoning_is_read_under_each_of_its_names() -> None:
    blocks = [{"type": "thinking", "thinking": "", "signature": "s"}, {"type": "redacted_thinking"}]
    found = read(chunk({"reasoning": "a"}), chunk({"reasoning_content": "b", "thinking_blocks": blocks}, "stop"))
    assert found[1:4] == [ThinkingDelta("a"), ThinkingDelta("b"), ThinkingSigned("s", signer="anthropic")]


def test_an_id_and_a_model_that_are_missing_are_made_up() -> None:
    assert read({"choices": [{"delta": {}, "finish_reason": "stop"}]})[0] == Started("chatcmpl-1", "", 0)


def test_nothing_is_read_behind_the_end() -> None:
    assert read(chunk({"content": "Hi"}, "stop"), chunk({"content": "no"}), b"[DONE]", chunk({"content": "no"})) == [
        STARTED,
        TextDelta("Hi"),
        Finished("stop"),
    ]


def test_done_without_a_reason_is_a_stop() -> None:
    assert read(chunk({"content": "Hi"}), b" [DONE]")[-1] == Finished("stop")


def test_a_choice_without_delta_says_nothing() -> None:
    found = read({"id": "id", "created": 7, "model": "m", "choices": [{"index": 0, "finish_reason": "stop"}]}, b"")
    assert found == [STARTED, Finished("stop")]


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "before the answer had begun"),
        ([b"[DONE]"], "before the answer had begun"),
        ([chunk({"content": "Hi"})], "before the answer was complete"),
        ([chunk({"content": "Hi"}), b'{"choices'], "not a chat completion chunk"),
        ([b"\xff"], "not a chat completion chunk"),
        ([chunk({"content": "Hi"}), {"error": {"message": "out of memory", "code": 500}}], "out of memory"),
        ([{"error": "plain"}], "plain"),
    ],
)
def test_a_stream_that_goes_wrong_fails_once(frames: list[object], words: str) -> None:
    found = read(*frames)
    failures = [event for event in found if isinstance(event, Failed)]
    assert len(failures) == 1 and found[-1] is failures[0]
    assert words in failures[0].error.message


def test_a_null_error_is_none() -> None:
    assert read(chunk({"content": "Hi"}, "stop", error=None))[-1] == Finished("stop")


def test_nothing_is_read_behind_a_failure() -> None:
    reader = StreamReader()
    assert isinstance(reader.feed(b"{")[0], Failed)
    assert reader.feed(json.dumps(chunk({"content": "Hi"})).encode()) == reader.end() == []


def test_the_end_is_told_once() -> None:
    reader = StreamReader()
    reader.feed(json.dumps(chunk({}, "stop", usage={"prompt_tokens": 1})).encode())
    assert len(reader.end()) == 1
    assert reader.end() == []


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_frames_give_events_and_never_an_exception(frames: list[bytes]) -> None:
    assert isinstance(read(*frames)[-1], Failed)


# ── Cost ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_streamed_word_costs_microseconds() -> None:
    """The aim is 6 µs a word on a quiet core; here only that no work was added to each word."""
    message = b'"message":{"role":"assistant","content":" word"}'
    line = b'{"model":"m","created_at":"2026-08-21T10:00:00Z",%b,"done":false}' % message
    reader, writer = OllamaReader(), StreamWriter(CALL)
    writer.write(reader.feed(line))
    assert steps(lambda: writer.write(reader.feed(line))) < 160


def test_content_may_be_a_list_with_the_models_thoughts() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}, {"type": "text", "text": "."}]}
    reference = {"type": "reference", "reference_ids": [1]}
    events = read(
        chunk({"role": "assistant", "content": [thought]}),
        chunk({"content": [{"type": "thinking", "thinking": "!", "signature": "s"}, {"type": "text", "text": "Hi"}]}),
        chunk({"content": [reference]}),
        chunk({"content": " you"}, finish="model_length"),
    )
    assert events[1:] == [
        ThinkingDelta("Hm."), ThinkingDelta("!"), ThinkingSigned("s"), TextDelta("Hi"), TextDelta(" you"),
        Finished("length"),
    ]  # fmt: skip


def test_a_call_whose_id_is_the_word_null_has_none() -> None:
    first = {"index": 0, "id": "abcdefghi", "function": {"name": "f", "arguments": "{"}}
    more = {"index": 0, "id": "null", "function": {"name": "", "arguments": "}"}}
    events = read(chunk({"tool_calls": [first]}), chunk({"tool_calls": [more]}, finish="tool_calls"))
    assert events[1:] == [
        ToolCallStarted(0, "abcdefghi", "f"), ToolCallDelta(0, "{"), ToolCallDelta(0, "}"), Finished("tool_calls"),
    ]  # fmt: skip
