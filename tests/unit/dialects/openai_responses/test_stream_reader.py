from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.content import ServerToolUse
from pointsman.core.errors import Broken, Overloaded
from pointsman.core.events import (
    Event,
    Failed,
    Finished,
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
from pointsman.dialects.folding import fold
from pointsman.dialects.openai_responses.streams import StreamReader

STARTED = Started("resp_x", "m", 7)
RESPONSE = {"id": "resp_x", "created_at": 7.9, "model": "m", "status": "in_progress", "output": []}
CREATED = {"type": "response.created", "response": RESPONSE}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": ""}
CUSTOM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "b", "name": "patch", "input": ""}


def counted_ids() -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers)}"


def read(*frames: object) -> list[Event]:
    reader = StreamReader(new_id=counted_ids())
    events: list[Event] = []
    for frame in frames:
        events += reader.feed(frame if isinstance(frame, bytes) else json.dumps(frame).encode())
    return [*events, *reader.end()]


def delta(kind: str, text: str, index: int = 0, **fields: object) -> dict[str, Any]:
    return {"type": f"response.{kind}.delta", "delta": text, "output_index": index, **fields}


def added(item: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"type": "response.output_item.added", "item": item, "output_index": index}


def done(item: dict[str, Any], index: int = 0, **fields: object) -> dict[str, Any]:
    return {"type": "response.output_item.done", "item": {**item, **fields}, "output_index": index}


def ended(kind: str = "completed", **fields: object) -> dict[str, Any]:
    return {"type": f"response.{kind}", "response": {**RESPONSE, "status": kind, **fields}}


def message(text: str, **fields: object) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], **fields}
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}


def test_text_comes_with_its_log_probabilities_and_the_usage_at_the_end() -> None:
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7, "input_tokens_details": {"cached_tokens": 1}}
    token = {"token": "Hi", "logprob": -1}
    found = read(
        CREATED,
        delta("output_text", "Hi", logprobs=[token]),
        delta("output_text", "!", logprobs=[]),
        ended(usage=usage),
    )
    assert isinstance(found[1], LogprobsDelta)
    assert json.loads(bytes(found[1].content)) == [{**token, "bytes": [72, 105], "top_logprobs": []}]
    assert [*found[:1], *found[2:]] == [
        STARTED, TextDelta("Hi"), TextDelta("!"), Finished("stop"),
        UsageReported(Usage(3, 4, cached=1, source="measured")),
    ]  # fmt: skip


def test_what_was_told_in_pieces_is_not_told_again() -> None:
    found = read(
        CREATED,
        added(message("")),
        delta("output_text", "Hi"),
        done(message("Hi there")),
        ended(output=[message("Hi there")]),
    )
    assert found[1:] == [TextDelta("Hi"), TextDelta(" there"), Finished("stop")]


def test_what_differs_from_what_was_told_is_not_told_at_all() -> None:
    assert read(delta("output_text", "Hi"), done(message("Ho")))[1] == TextDelta("Hi")


def test_an_answer_may_come_with_its_end_alone() -> None:
    refusal = {"type": "message", "content": [{"type": "refusal", "refusal": "No"}]}
    reasoning = {"type": "reasoning", "summary": [{"text": "a"}, {"text": "b"}], "encrypted_content": "s"}
    search = {"type": "web_search_call", "id": "ws", "action": {"query": "x"}}
    native = (msgspec.Raw(json.dumps(search, separators=(",", ":")).encode()),)
    searched = ServerToolUse("ws", "search", "x", native=native, dialect="openai_responses")
    output = [reasoning, search, refusal, {**CALL, "arguments": "{}"}, {**CUSTOM, "input": "x"}]
    assert read(ended(output=output)) == [
        STARTED, ThinkingDelta("a\n\nb"), ThinkingSigned("s", signer="openai"), PartGiven(searched), RefusalDelta("No"),
        ToolCallStarted(0, "a", "f"), ToolCallDelta(0, "{}"),
        ToolCallStarted(1, "b", "patch"), ToolCallDelta(1, '{"input":"x"}'), Finished("tool_calls"),
    ]  # fmt: skip


def test_reasoning_that_comes_twice_is_told_once() -> None:
    found = read(
        CREATED,
        delta("reasoning_summary_text", "a", summary_index=0),
        delta("reasoning_text", "A", content_index=0),
        {"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 1},
        delta("reasoning_summary_text", "b", summary_index=1),
        done({"type": "reasoning", "summary": [{"text": "a"}, {"text": "b"}]}, encrypted_content="s"),
    )
    assert found[1:5] == [
        ThinkingDelta("a"),
        ThinkingDelta("\n\n"),
        ThinkingDelta("b"),
        ThinkingSigned("s", signer="openai"),
    ]


def test_reasoning_that_is_kept_secret_is_a_signature() -> None:
    item = {"type": "reasoning", "summary": [], "encrypted_content": "s"}
    assert read(CREATED, done(item))[1] == ThinkingSigned("s", redacted=True, signer="openai")


def test_calls_may_be_interleaved() -> None:
    found = read(
        CREATED, added(CALL), added(CUSTOM, 1), delta("custom_tool_call_input", "a\n", 1),
        delta("function_call_arguments", "{"), delta("custom_tool_call_input", 'b"', 1),
        delta("function_call_arguments", "}"), done(CALL, arguments="{}"), done(CUSTOM, 1, input='a\nb"'), ended(),
    )  # fmt: skip
    calls = fold(found).choices[0].tool_calls
    assert [(call.id, call.name, call.arguments) for call in calls] == [
        ("a", "f", "{}"),
        ("b", "patch", json.dumps({"input": 'a\nb"'}, separators=(",", ":"))),
    ]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([added({"type": "function_call", "id": "fc_1"}), done({**CALL, "arguments": "{}"})], ("a", "f", "{}")),
        ([delta("function_call_arguments", "{"), done({**CALL, "arguments": "{}"})], ("a", "f", "{}")),
        ([added({**CALL, "call_id": None}), done(CALL, arguments="{}")], ("fc_1", "f", "{}")),
        ([done({"type": "function_call", "name": "f", "arguments": "{}"})], ("call_1", "f", "{}")),
        ([done({**CUSTOM, "input": "x"})], ("b", "patch", '{"input":"x"}')),
        (
            [added(CUSTOM), delta("custom_tool_call_input", "x"), done(CUSTOM, input="y")],
            ("b", "patch", '{"input":"x"}'),
        ),
    ],
)
def test_calls_are_put_together_however_servers_tell_them(frames: list[object], expected: tuple[str, str, str]) -> None:
    (call,) = fold(read(CREATED, *frames, ended())).choices[0].tool_calls
    assert (call.id, call.name, call.arguments) == expected


@pytest.mark.parametrize(
    ("details", "expected"),
    [({"reason": "max_output_tokens"}, "length"), ({"reason": "content_filter"}, "content_filter"), (None, "length")],
)
def test_an_incomplete_answer_says_why(details: object, expected: str) -> None:
    found = read(CREATED, added(CALL), ended("incomplete", incomplete_details=details))
    assert fold(found).choices[0].finish_reason == expected


def test_what_does_not_matter_is_passed_over() -> None:
    strangers = [{"type": "response.web_search_call.searching", "x": 1}, {"type": "keepalive"}, b"", b"[DONE]"]
    assert read(CREATED, *strangers, delta("output_text", ""), ended(), delta("output_text", "no")) == [
        STARTED,
        Finished("stop"),
    ]


def test_an_id_and_a_model_that_are_missing_are_made_up() -> None:
    assert read(delta("output_text", "Hi"))[0] == Started("resp_1", "", 0)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "before the answer had begun"),
        ([CREATED], "before the answer was complete"),
        ([CREATED, b"{"], "not an event of a response"),
        ([b"\xff"], "not an event of a response"),
        ([{"type": "response.output_text.delta"}], "not an event of a response"),
        ([CREATED, done({"type": "message", "content": 1})], "cannot be read"),
        ([{"type": "error", "code": "server_error", "message": "out of memory"}], "out of memory"),
        ([{"type": "error", "error": {"message": "out of memory"}}], "out of memory"),
        ([{"error": {"message": "out of memory"}}], "out of memory"),
        ([CREATED, ended("failed", error={"code": "server_error", "message": "out of memory"})], "out of memory"),
        ([CREATED, ended("failed")], "did not say why"),
    ],
)
def test_a_stream_that_goes_wrong_fails_once(frames: list[object], words: str) -> None:
    found = read(*frames)
    failures = [event for event in found if isinstance(event, Failed)]
    assert len(failures) == 1 and found[-1] is failures[0]
    assert words in failures[0].error.message


def test_the_code_of_a_failure_tells_whether_to_try_elsewhere() -> None:
    full = read(ended("failed", error={"code": "rate_limit_exceeded", "message": "Slow down"}))[-1]
    assert isinstance(full, Failed) and isinstance(full.error, Overloaded)
    broken = read({"type": "error", "code": "server_error", "message": "x"})[-1]
    assert isinstance(broken, Failed) and isinstance(broken.error, Broken)


def test_nothing_is_read_behind_a_failure_and_the_end_is_told_once() -> None:
    reader = StreamReader()
    assert isinstance(reader.feed(b"{")[0], Failed)
    assert reader.feed(json.dumps(CREATED).encode()) == reader.end() == []
    counted = StreamReader()
    counted.feed(json.dumps(ended(usage={"input_tokens": 1})).encode())
    assert len(counted.end()) == 1
    assert counted.end() == []


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_frames_give_events_and_never_an_exception(frames: list[bytes]) -> None:
    assert isinstance(read(*frames)[-1], Failed)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "text", "id", "name"]), inner),
    max_leaves=5,
)
fields = st.sampled_from([
    "response", "item", "output_index", "delta", "output", "status", "usage", "error", "content", "logprobs",
    "call_id", "name", "arguments", "encrypted_content", "summary", "code", "message",
])  # fmt: skip
types = st.sampled_from([
    "created", "output_item.added", "output_item.done", "output_text.delta", "completed", "failed", "incomplete",
    "function_call_arguments.delta", "reasoning_summary_text.delta",
])  # fmt: skip


@given(st.lists(st.tuples(types, st.dictionaries(fields, values, max_size=4)), max_size=5))
def test_any_fields_give_events_and_never_an_exception(events: list[tuple[str, dict[str, Any]]]) -> None:
    assert read(*({"type": f"response.{kind}", **some} for kind, some in events))
