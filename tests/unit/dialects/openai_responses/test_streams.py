from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx2
import msgspec
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from pointsman.core.call import Call, Tool
from pointsman.core.content import Message, Text
from pointsman.core.errors import Broken, LimitReached
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
from pointsman.dialects.custom_tools import wrap_input
from pointsman.dialects.folding import fold
from pointsman.dialects.openai_responses.grammar import violations
from pointsman.dialects.openai_responses.replies import write_reply
from pointsman.dialects.openai_responses.response import ResponseRequest
from pointsman.dialects.openai_responses.streams import StreamReader, StreamWriter
from pointsman.wire.sse import ServerSentEvent, SseParser
from tests.support.steps import steps

CUSTOM = Tool("patch", None, msgspec.Raw(b"{}"), native=msgspec.Raw(b"{}"), dialect="openai_responses")
_COMPLETED_AT = re.compile(rb'"completed_at":[0-9]+')
CALL = Call("m", (Message("user", (Text("Hi"),)),), stream=True, tools=(CUSTOM,))
REQUEST = ResponseRequest(
    id="resp_1",
    created_at=7,
    echo={
        "tools": msgspec.Raw(b"[]"),
        "tool_choice": msgspec.Raw(b'"auto"'),
        "parallel_tool_calls": msgspec.Raw(b"true"),
    },
)

STARTED = Started("resp_1", "m", 7)
LOGPROBS = msgspec.Raw(b'[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[]}]')
USAGE = Usage(3, 4, 1, 2, 3, source="measured")

StreamedEvent: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)


def counted_ids() -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers)}"


def frames(stream: bytes) -> list[ServerSentEvent]:
    return SseParser().feed(stream)


def write(*events: Event) -> list[dict[str, Any]]:
    writer = StreamWriter(CALL, REQUEST)
    stream = writer.write(events) + writer.end()
    assert violations(stream) == []
    return [json.loads(event.data) for event in frames(stream)]


def kinds(found: Iterable[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in found]


# ── Identity ─────────────────────────────────────────────────────────────────────────────────────────────────────

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
counts = st.integers(0, 9999)
pieces = st.lists(words, max_size=3)


@st.composite
def calls(draw: st.DrawFn) -> list[Event]:
    events: list[Event] = []
    for slot in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(["f", "patch"]))
        arguments = wrap_input(draw(words)) if name == "patch" else json.dumps({draw(words): draw(words)})
        cut = draw(st.integers(0, len(arguments)))
        events.append(ToolCallStarted(slot, f"call_{slot}", name))
        events += [ToolCallDelta(slot, piece) for piece in (arguments[:cut], arguments[cut:]) if piece]
    return events


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """The events of an answer in the order in which models give its parts."""
    events: list[Event] = [STARTED]
    thinking = draw(pieces)
    events += [ThinkingDelta(piece) for piece in thinking]
    if draw(st.booleans()):
        events.append(ThinkingSigned("secret", redacted=not thinking, signer="openai"))
    for piece in draw(pieces):
        if draw(st.booleans()):
            events.append(LogprobsDelta(LOGPROBS))
        events.append(TextDelta(piece))
    events += [RefusalDelta(piece) for piece in draw(pieces)]
    tools = draw(calls())
    reason: FinishReason = "tool_calls" if tools else "stop"
    events += [*tools, Finished(draw(st.sampled_from([reason, "length", "content_filter"])))]
    if draw(st.booleans()):
        events.append(UsageReported(USAGE))
    return events


@st.composite
def mixed(draw: st.DrawFn) -> list[Event]:
    """Events in any order at all."""
    slots = st.integers(0, 2)
    any_event = st.one_of(
        st.builds(TextDelta, words | st.just(""), st.integers(0, 1)),
        st.builds(ThinkingDelta, words | st.just("")),
        st.builds(RefusalDelta, words),
        st.builds(ThinkingSigned, words, st.just(0), st.booleans()),
        st.builds(ToolCallDelta, slots, st.sampled_from(["{", "}", "{}", '"a":1', " ", "x", ""])),
        st.just(LogprobsDelta(LOGPROBS)),
        st.just(LogprobsDelta(msgspec.Raw(b'[{"token":1}]'))),
        st.just(UsageReported(USAGE)),
        st.just(STARTED),
    )
    events = draw(st.lists(any_event, max_size=12))
    for slot in range(3):
        place = draw(st.integers(0, len(events)))
        events.insert(place, ToolCallStarted(slot, f"call_{slot}", draw(st.sampled_from(["f", "patch"]))))
    if draw(st.booleans()):
        events.append(Finished(draw(st.sampled_from(["stop", "length"]))))
    if draw(st.booleans()):
        events.append(Failed(Broken("Gone.")))
    return events


@settings(max_examples=60)
@given(answers())
def test_what_is_written_is_read_back(events: list[Event]) -> None:
    writer, reader = StreamWriter(CALL, REQUEST), StreamReader()
    stream = b"".join(writer.write([event]) for event in events) + writer.end()
    assert violations(stream) == []
    found = [found for frame in frames(stream) for found in reader.feed(frame.data)] + reader.end()
    if not isinstance(events[-1], UsageReported):
        events = [*events, UsageReported(Usage(source="measured"))]
    # Log probabilities that came one by one may come together, and an answer of nothing gets an empty message.
    expected, given = fold(events), fold(found)
    tokens = [
        [token for raw in reply.choices[0].logprobs for token in json.loads(bytes(raw))] for reply in (expected, given)
    ]
    assert tokens[0] == tokens[1]
    plain = [
        msgspec.structs.replace(reply, choices=(msgspec.structs.replace(reply.choices[0], logprobs=()),))
        for reply in (expected, given)
    ]
    assert plain[0] == plain[1]


@settings(max_examples=40)
@given(mixed(), st.lists(st.integers(1, 400), max_size=30))
def test_the_pieces_in_which_bytes_come_do_not_matter(events: list[Event], sizes: list[int]) -> None:
    writer = StreamWriter(CALL, REQUEST)
    stream = writer.write(events) + writer.end()
    cuts = sorted({min(cut, len(stream)) for cut in itertools.accumulate(sizes)})
    parser, reader = SseParser(), StreamReader(new_id=counted_ids())
    found: list[Event] = []
    for start, stop in itertools.pairwise([0, *cuts, len(stream)]):
        for frame in parser.feed(stream[start:stop]):
            found += reader.feed(frame.data)
    whole = StreamReader(new_id=counted_ids())
    expected = [event for frame in frames(stream) for event in whole.feed(frame.data)]
    assert [told(event) for event in found] == [told(event) for event in expected]


def told(event: Event) -> str:
    """An event as text: errors are told apart by their words, raw JSON by its bytes and not by where it lies."""
    if isinstance(event, LogprobsDelta):
        return f"{bytes(event.content)!r} {event.choice}"
    return repr(event)


@settings(max_examples=60)
@given(answers())
def test_the_last_event_has_the_response_that_is_given_whole(events: list[Event]) -> None:
    writer = StreamWriter(CALL, REQUEST)
    stream = writer.write(events) + writer.end()
    last = json.loads(frames(stream)[-1].data)
    assert last["response"] == json.loads(write_reply(fold(events), CALL, REQUEST))


@given(mixed())
def test_the_batches_in_which_events_come_do_not_matter(events: list[Event]) -> None:
    one, other = StreamWriter(CALL, REQUEST), StreamWriter(CALL, REQUEST)
    together = one.write(events) + one.end()
    apart = b"".join(other.write([event]) for event in events) + other.end()
    # They may end in different seconds.
    assert _COMPLETED_AT.sub(b"", together) == _COMPLETED_AT.sub(b"", apart)


@settings(max_examples=200)
@given(mixed())
def test_whatever_comes_the_stream_keeps_to_its_grammar(events: list[Event]) -> None:
    writer = StreamWriter(CALL, REQUEST)
    stream = writer.write(events) + writer.end()
    # Arguments that are no JSON are the model's; the checker is right to object, and to nothing else.
    assert [found for found in violations(stream) if "not a JSON object" not in found] == []


@settings(max_examples=60)
@given(mixed())
def test_the_official_sdk_can_read_every_event(events: list[Event]) -> None:
    writer = StreamWriter(CALL, REQUEST)
    for frame in frames(writer.write(events) + writer.end()):
        found = StreamedEvent.validate_json(frame.data)
        assert found.type == frame.event


def test_the_official_client_follows_a_stream() -> None:
    writer = StreamWriter(CALL, REQUEST)
    events: list[Event] = [
        STARTED,
        ThinkingDelta("Hm"),
        TextDelta("Hi"),
        ToolCallStarted(0, "a", "f"),
        ToolCallDelta(0, "{}"),
    ]
    stream = writer.write([*events, Finished("tool_calls"), UsageReported(USAGE)]) + writer.end()
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, content=stream, headers={"content-type": "text/event-stream"})
    )
    client = openai.OpenAI(api_key="x", base_url="http://x/v1", http_client=httpx2.Client(transport=transport))
    with client.responses.stream(model="m", input="Hi") as following:
        seen = [event.type for event in following]
        final = following.get_final_response()
    assert seen[:2] == ["response.created", "response.in_progress"] and seen[-1] == "response.completed"
    assert final.output_text == "Hi" and [item.type for item in final.output] == [
        "reasoning",
        "message",
        "function_call",
    ]


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_text_is_told_with_its_item_and_its_part() -> None:
    found = write(STARTED, TextDelta("H"), TextDelta("i"), Finished("stop"), UsageReported(USAGE))
    assert kinds(found) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    place = {"item_id": "msg_100", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    assert found[3] == {"type": "response.content_part.added", **place, "part": part, "sequence_number": 3}
    assert found[5] == {
        "type": "response.output_text.delta", **place, "delta": "i", "logprobs": [], "sequence_number": 5,
    }  # fmt: skip
    item = {"id": "msg_100", "type": "message", "status": "completed", "role": "assistant"}
    assert found[8]["item"] == {**item, "content": [{**part, "text": "Hi"}]}
    assert found[9]["response"]["usage"]["total_tokens"] == 7


def test_reasoning_is_a_summary_of_one_part_with_its_signature() -> None:
    found = write(
        STARTED, ThinkingDelta("H"), ThinkingDelta("m"), ThinkingSigned("s"), TextDelta("x"), Finished("stop")
    )
    assert kinds(found)[2:9] == [
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.delta", "reasoning_summary_text.done", "reasoning_summary_part.done",
        "output_item.done",
    ]  # fmt: skip
    summary = [{"type": "summary_text", "text": "Hm"}]
    assert found[8]["item"] == {"id": "rs_100", "type": "reasoning", "summary": summary, "encrypted_content": "s"}


def test_what_is_thought_after_a_signature_is_another_item() -> None:
    found = write(
        STARTED, ThinkingDelta("a"), ThinkingSigned("s"), ThinkingDelta("b"), ThinkingSigned("t"), Finished("stop")
    )
    output = found[-1]["response"]["output"]
    assert [(item["summary"][0]["text"], item["encrypted_content"]) for item in output] == [("a", "s"), ("b", "t")]


def test_redacted_reasoning_does_not_sign_the_reasoning_before_it() -> None:
    output = write(STARTED, ThinkingDelta("a"), ThinkingSigned("s", redacted=True), Finished("stop"))[-1]["response"][
        "output"
    ]
    assert [item.get("encrypted_content") for item in output] == [None, "s"]


def test_a_call_is_told_as_it_comes() -> None:
    found = write(
        STARTED, ToolCallStarted(0, "a", "f"), ToolCallDelta(0, '{"x"'), ToolCallDelta(0, ":1}"), Finished("tool_calls")
    )
    assert kinds(found)[2:-1] == [
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
    ]  # fmt: skip
    assert found[6]["item"] == {
        "id": "fc_100", "type": "function_call", "status": "completed", "arguments": '{"x":1}', "call_id": "a",
        "name": "f",
    }  # fmt: skip


def test_the_input_of_a_custom_tool_is_taken_out_of_its_arguments() -> None:
    found = write(
        STARTED,
        ToolCallStarted(0, "a", "patch"),
        ToolCallDelta(0, '{"input":"a\\n'),
        ToolCallDelta(0, 'b"}'),
        Finished("tool_calls"),
    )
    assert kinds(found)[2:-1] == [
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done",
    ]  # fmt: skip
    assert found[3]["delta"] == found[4]["input"] == found[5]["item"]["input"] == "a\nb"


def test_a_call_without_arguments_gets_an_empty_object() -> None:
    found = write(STARTED, ToolCallStarted(0, "a", "f"), Finished("tool_calls"))
    assert found[-1]["response"]["output"][0]["arguments"] == found[3]["delta"] == "{}"


def test_calls_that_are_interleaved_are_told_one_after_the_other() -> None:
    found = write(
        STARTED, ToolCallStarted(0, "a", "f"), ToolCallStarted(1, "b", "f"), ToolCallDelta(1, '{"y"'),
        ToolCallDelta(0, "{"), TextDelta("x"), ToolCallDelta(1, ":1}"), ToolCallDelta(0, "}"),
        TextDelta("y"), Finished("tool_calls"),
    )  # fmt: skip
    assert [(event["output_index"], event["delta"]) for event in found if event["type"].endswith(".delta")] == [
        (0, "{"), (0, "}"), (1, '{"y":1}'), (2, "xy"),
    ]  # fmt: skip


def test_a_whole_call_does_not_hold_up_the_next() -> None:
    writer = StreamWriter(CALL, REQUEST)
    writer.write([STARTED, ToolCallStarted(0, "a", "f"), ToolCallDelta(0, "{}")])
    assert b"response.output_item.done" in writer.write([ToolCallStarted(1, "b", "f")])
    assert b'"output_index":1,"delta":"{"' in writer.write([ToolCallDelta(0, " "), ToolCallDelta(1, "{")])


def test_an_answer_that_was_cut_off_is_incomplete() -> None:
    found = write(STARTED, ThinkingDelta("a"), TextDelta("b"), Finished("length"))
    response = found[-1]["response"]
    assert found[-1]["type"] == "response.incomplete" and response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][-1]["status"] == "incomplete"
    filtered = write(STARTED, TextDelta("b"), Finished("content_filter"))[-1]["response"]
    assert filtered["incomplete_details"] == {"reason": "content_filter"}


def test_an_answer_of_nothing_has_an_empty_message() -> None:
    output = write(STARTED, Finished("stop"))[-1]["response"]["output"]
    assert output[0]["content"] == [{"type": "output_text", "text": "", "annotations": [], "logprobs": []}]


def test_log_probabilities_come_with_the_text_they_belong_to() -> None:
    other = b'{"token":"?","logprob":-2}'
    bare = msgspec.Raw(b'[{"token":"!","logprob":-1,"bytes":null,"top_logprobs":[%b]}]' % other)
    found = write(
        STARTED, LogprobsDelta(LOGPROBS), TextDelta("Hi"), TextDelta("!"), LogprobsDelta(bare), Finished("stop")
    )
    tokens = [event["logprobs"] for event in found if event["type"].startswith("response.output_text.")]
    assert [[token["token"] for token in some] for some in tokens] == [["Hi"], [], ["Hi", "!"]]
    assert tokens[2][1]["bytes"] == [33] and tokens[2][1]["top_logprobs"][0]["bytes"] == [63]


def test_an_estimate_stands_in_for_usage_that_never_came() -> None:
    writer = StreamWriter(CALL, REQUEST)
    writer.write([STARTED, Finished("stop")])
    assert b'"total_tokens":11' in writer.end(Usage(5, 6, source="estimated"))


def test_a_failure_ends_the_stream_with_what_was_whole_by_then() -> None:
    writer = StreamWriter(CALL, REQUEST)
    stream = writer.write([STARTED, ThinkingDelta("a"), TextDelta("Hi"), Failed(Broken("Gone.")), TextDelta("no")])
    assert violations(stream) == []
    last = json.loads(frames(stream)[-1].data)
    assert last["type"] == "response.failed" and [item["type"] for item in last["response"]["output"]] == ["reasoning"]
    assert last["response"]["error"] == {
        "code": "server_error", "message": "Gone.", "param": None, "type": "upstream_broken",
    }  # fmt: skip
    assert writer.write([TextDelta("x")]) == writer.fail(Broken("x")) == writer.end() == b""


def test_a_failure_at_once_is_a_stream_too() -> None:
    stream = StreamWriter(CALL, REQUEST).fail(LimitReached("Too many.", retry_after=1))
    assert violations(stream) == []
    assert b'"code":"rate_limit_exceeded"' in stream


def test_a_stream_without_a_beginning_or_an_end_gets_them() -> None:
    writer = StreamWriter(CALL, REQUEST)
    assert violations(writer.write([TextDelta("Hi")]) + writer.end()) == []
    assert writer.end() == b""
    assert violations(StreamWriter(CALL, REQUEST).end()) == []


def test_nothing_is_written_behind_the_reason() -> None:
    writer = StreamWriter(CALL, REQUEST)
    writer.write([STARTED, TextDelta("Hi"), Finished("stop")])
    assert writer.write([TextDelta("x"), ToolCallStarted(0, "a", "f"), Finished("length")]) == b""


# ── Cost ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_streamed_word_costs_microseconds() -> None:
    """The aim is 2 µs a word on a quiet core; here only that no work was added to each word."""
    writer = StreamWriter(CALL, REQUEST)
    writer.write([STARTED, TextDelta("a")])
    assert steps(lambda: writer.write([TextDelta(" word")])) < 180


@pytest.mark.parametrize("kind", [TextDelta, ThinkingDelta])
def test_a_long_answer_costs_time_in_proportion(kind: Callable[[str], Event]) -> None:
    writer = StreamWriter(CALL, REQUEST)
    started = time.process_time()
    writer.write([STARTED, *[kind("word ") for _ in range(50_000)], Finished("stop")])
    assert (time.process_time() - started) < 2
