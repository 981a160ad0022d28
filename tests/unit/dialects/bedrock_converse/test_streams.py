"""Streams as AWS's reference of ConverseStream shows them, and the same as whole answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.content import Text, Thinking, ToolCall
from pointsman.core.errors import Broken, Overloaded
from pointsman.core.events import (
    Event,
    Failed,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.reply import Choice, Reply
from pointsman.core.usage import Usage
from pointsman.dialects.bedrock_converse.names import ToolNames
from pointsman.dialects.bedrock_converse.replies import read_reply
from pointsman.dialects.bedrock_converse.streams import Expected, StreamReader
from pointsman.dialects.folding import fold

START = {"messageStart": {"role": "assistant", "p": "abc"}}
USED = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 35, "cacheReadInputTokens": 16, "cacheWriteInputTokens": 4}
METADATA = {"metadata": {"usage": USED, "metrics": {"latencyMs": 1176}, "p": "a"}}
COUNTED = Usage(30, 5, cached=16, cache_write=4, source="measured")


def delta(index: int, **fields: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": fields, "p": "abcd"}}


def opened(index: int, call_id: str, name: str) -> dict[str, Any]:
    start = {"toolUse": {"toolUseId": call_id, "name": name}}
    return {"contentBlockStart": {"contentBlockIndex": index, "start": start}}


def closed(index: int) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def stopped(reason: str, **fields: Any) -> dict[str, Any]:
    return {"messageStop": {"stopReason": reason, **fields}}


def counted_ids() -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers)}"


def events(*frames: dict[str, Any], expected: Expected | None = None) -> list[Event]:
    reader = StreamReader(expected, new_id=counted_ids())
    read = [event for frame in frames for event in reader.feed(msgspec.json.encode(frame))]
    return [*read, *reader.end()]


def whole(content: list[dict[str, Any]], reason: str = "end_turn", **fields: Any) -> bytes:
    output = {"message": {"role": "assistant", "content": content}}
    return msgspec.json.encode({"output": output, "stopReason": reason, "usage": USED, **fields})


def choice_of(content: list[dict[str, Any]], reason: str = "end_turn", expected: Expected | None = None) -> Choice:
    reply = read_reply(whole(content, reason), expected)
    assert reply.usage == COUNTED
    return reply.choices[0]


def test_text() -> None:
    expected = Expected("claude", 7)
    assert events(
        START, delta(0, text="Hel"), delta(0, text="lo"), closed(0), stopped("end_turn"), METADATA, expected=expected
    ) == [
        Started("chatcmpl-1", "claude", 7),
        TextDelta("Hel"),
        TextDelta("lo"),
        Finished("stop"),
        UsageReported(COUNTED, completion_ms=1176.0),
    ]


def test_thinking_then_two_tools() -> None:
    names = ToolNames(["get.weather", "now"])
    frames = (
        START,
        delta(0, reasoningContent={"text": "Hm."}),
        delta(0, reasoningContent={"signature": "c2ln"}),
        closed(0),
        delta(1, reasoningContent={"redactedContent": "cmVk"}),
        closed(1),
        opened(2, "tooluse_1", "get_weather"),
        delta(2, toolUse={"input": ""}),
        delta(2, toolUse={"input": '{"city":'}),
        delta(2, toolUse={"input": '"Rome"}'}),
        closed(2),
        opened(3, "tooluse_2", "now"),
        closed(3),
        stopped("tool_use"),
    )
    assert events(*frames, expected=Expected(names=names))[1:] == [
        ThinkingDelta("Hm."),
        ThinkingSigned("c2ln", signer="anthropic"),
        ThinkingSigned("cmVk", redacted=True, signer="anthropic"),
        ToolCallStarted(0, "tooluse_1", "get.weather"),
        ToolCallDelta(0, '{"city":'),
        ToolCallDelta(0, '"Rome"}'),
        ToolCallStarted(1, "tooluse_2", "now"),
        ToolCallDelta(1, "{}"),
        Finished("tool_calls"),
    ]


def test_the_same_as_a_whole_answer() -> None:
    content: list[dict[str, Any]] = [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
        {"text": "I look."},
        {"citationsContent": {"content": [{"text": " It is so."}], "citations": []}},
        {"toolUse": {"toolUseId": "tooluse_1", "name": "get_weather", "input": {"city": "Rome"}}},
        {"toolUse": {"toolUseId": "tooluse_2", "name": "now", "input": {}}},
        {"somethingNew": {}},
    ]
    assert choice_of(content, "tool_use") == Choice(
        parts=(
            Thinking("Hm.", "c2ln", signer="anthropic"),
            Text("I look. It is so."),
            ToolCall("tooluse_1", "get_weather", '{"city":"Rome"}'),
            ToolCall("tooluse_2", "now", "{}"),
        ),
        finish_reason="tool_calls",
    )


def test_redacted_reasoning_of_a_whole_answer() -> None:
    choice = choice_of([{"reasoningContent": {"redactedContent": "cmVk"}}])
    assert choice.parts == (Thinking("", "cmVk", redacted=True, signer="anthropic"),)


@pytest.mark.parametrize(
    ("reason", "finished"),
    [
        ("end_turn", Finished("stop")),
        ("max_tokens", Finished("length")),
        ("stop_sequence", Finished("stop", native="stop_sequence")),
        ("model_context_window_exceeded", Finished("length", native="model_context_window_exceeded")),
        ("guardrail_intervened", Finished("content_filter", native="guardrail_intervened")),
        ("content_filtered", Finished("content_filter", native="content_filtered")),
        ("malformed_tool_use", Finished("stop", native="malformed_tool_use")),
        ("something_new", Finished("stop", native="something_new")),
    ],
)
def test_why_an_answer_ended(reason: str, finished: Finished) -> None:
    assert events(START, stopped(reason))[-1] == finished


def test_what_claude_says_beyond_the_common() -> None:
    fields = {"stop_sequence": "END", "usage": {"output_tokens_details": {"thinking_tokens": 3}}}
    finished, report = events(START, stopped("stop_sequence", additionalModelResponseFields=fields), METADATA)[1:]
    assert finished == Finished("stop", native="stop_sequence", stop_sequence="END")
    assert isinstance(report, UsageReported) and report.usage.reasoning == 3
    assert events(START, stopped("stop_sequence", additionalModelResponseFields=[1]))[-1] == Finished(
        "stop", native="stop_sequence"
    )


def test_tools_count_whatever_the_reason_says() -> None:
    assert events(START, opened(0, "1", "f"), stopped("end_turn"))[-1] == Finished("tool_calls")


def test_the_input_of_the_shape_tool_is_the_text() -> None:
    expected = Expected(shape_tool="json_tool_call")
    frames = (START, opened(0, "1", "json_tool_call"), delta(0, toolUse={"input": '{"a":1}'}), closed(0))
    assert events(*frames, stopped("tool_use"), expected=expected)[1:] == [TextDelta('{"a":1}'), Finished("stop")]
    content = [{"toolUse": {"toolUseId": "1", "name": "json_tool_call", "input": {"a": 1}}}]
    assert choice_of(content, "tool_use", expected) == Choice(parts=(Text('{"a":1}'),), finish_reason="stop")


def test_one_tool_call_at_a_time() -> None:
    expected = Expected(single_tool_call=True)
    frames = (START, opened(0, "1", "f"), closed(0), opened(1, "2", "g"), delta(1, toolUse={"input": "{}"}), closed(1))
    assert events(*frames, stopped("tool_use"), expected=expected)[1:] == [
        ToolCallStarted(0, "1", "f"),
        ToolCallDelta(0, "{}"),
        Finished("tool_calls"),
    ]


def test_an_exception_ends_the_stream() -> None:
    failure = {"exception": {"type": "throttlingException", "detail": {"message": "Slow down."}}}
    *before, failed = events(START, delta(0, text="Hi"), failure, delta(0, text="there"), METADATA)
    assert before[1:] == [TextDelta("Hi")]
    assert isinstance(failed, Failed) and isinstance(failed.error, Overloaded) and failed.error.message == "Slow down."


@pytest.mark.parametrize("frames", [[], [START], [START, delta(0, text="Hi")]])
def test_an_answer_that_never_ended_is_a_failure(frames: list[dict[str, Any]]) -> None:
    last = events(*frames)[-1]
    assert isinstance(last, Failed) and isinstance(last.error, Broken)


def test_events_that_nobody_knows_are_passed_over() -> None:
    assert events(START, {"somethingNew": {"a": 1}}, {"contentBlockStart": {"start": {}}}, stopped("end_turn"))[1:] == [
        Finished("stop")
    ]


@given(st.binary(max_size=200))
def test_any_frame_gives_events_and_never_an_exception(frame: bytes) -> None:
    StreamReader().feed(frame)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"output":{}}', b'{"message":"no"}', b"<html>"])
def test_a_body_that_is_no_answer_is_broken(body: bytes) -> None:
    with pytest.raises(Broken):
        read_reply(body)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(
    st.lists(st.one_of(TEXTS.map(lambda text: {"text": text}), st.dictionaries(TEXTS, TEXTS, max_size=3)), max_size=5)
)
def test_streamed_and_whole_are_the_same(parts: list[dict[str, Any]]) -> None:
    content: list[dict[str, Any]] = []
    frames: list[dict[str, Any]] = [START]
    for index, part in enumerate(parts):
        if list(part) == ["text"]:
            content.append(part)
            frames += [delta(index, text=part["text"][:2]), delta(index, text=part["text"][2:]), closed(index)]
            continue
        use = {"toolUseId": f"t{index}", "name": "f"}
        content.append({"toolUse": {**use, "input": part}})
        text = msgspec.json.encode(part).decode()
        pieces = [delta(index, toolUse={"input": text[:3]}), delta(index, toolUse={"input": text[3:]})]
        frames += [opened(index, use["toolUseId"], "f"), *pieces, closed(index)]
    streamed: Reply = fold(events(*frames, stopped("tool_use"), METADATA))
    together = read_reply(whole(content, "tool_use", metrics={"latencyMs": 1176}))
    assert msgspec.structs.replace(together, id="") == msgspec.structs.replace(streamed, id="")


@pytest.mark.parametrize("milliseconds", [-1, 1e308])
def test_a_time_that_no_model_can_have_taken_is_not_passed_on(milliseconds: float) -> None:
    metadata = {"metadata": {"usage": USED, "metrics": {"latencyMs": milliseconds}}}
    assert fold(events(START, stopped("end_turn"), metadata)).completion_ms is None


def test_two_calls_have_two_ids_whatever_the_server_says() -> None:
    calls = [*(frame for index in (0, 1) for frame in (opened(index, "t", "f"), closed(index)))]
    found = fold(events(START, *calls, stopped("tool_use"), METADATA)).choices[0].tool_calls
    assert len({call.id for call in found}) == 2 and found[0].id == "t"
