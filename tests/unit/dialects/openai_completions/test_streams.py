from __future__ import annotations

import json

import msgspec
from openai.types import Completion

from pointsman.core.call import CompletionCall
from pointsman.core.errors import Broken
from pointsman.core.events import (
    Event,
    Failed,
    Finished,
    LogprobsDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import Usage
from pointsman.dialects.openai_completions.errors import write_stream_error
from pointsman.dialects.openai_completions.streams import StreamWriter
from pointsman.wire.sse import SseParser

CALL = CompletionCall("named-so", ("Hi",), stream=True)
CALL_WITH_USAGE = CompletionCall("named-so", ("Hi",), stream=True, include_usage=True)
STARTED = Started("cmpl-1", "up", 7)


def logprobs(token: str) -> LogprobsDelta:
    chosen = {"token": token, "logprob": -1, "top_logprobs": [{"token": "x", "logprob": -2}]}
    return LogprobsDelta(msgspec.Raw(json.dumps([chosen]).encode()))


def write(*events: Event, call: CompletionCall = CALL) -> list[Completion]:
    writer = StreamWriter(call)
    frames = [event.data for event in SseParser().feed(writer.write(events) + writer.end())]
    assert frames[-1] == b"[DONE]"
    return [Completion.construct(**json.loads(frame)) for frame in frames[:-1]]


def test_text_comes_in_chunks_of_one_answer() -> None:
    chunks = write(STARTED, TextDelta("Hi"), TextDelta("!"), Finished("length"))
    assert [(chunk.id, chunk.created, chunk.model) for chunk in chunks] == [("cmpl-1", 7, "named-so")] * 3
    assert [(chunk.choices[0].text, chunk.choices[0].finish_reason) for chunk in chunks] == [
        ("Hi", None),
        ("!", None),
        ("", "length"),
    ]


def test_what_has_no_place_is_left_out() -> None:
    chunks = write(STARTED, ThinkingDelta("Hm"), ToolCallStarted(0, "1", "f"), Finished("tool_calls"))
    assert [(chunk.choices[0].text, chunk.choices[0].finish_reason) for chunk in chunks] == [("", "stop")]


def test_log_probabilities_run_in_parallel_and_know_their_place_in_the_answer() -> None:
    chunks = write(STARTED, logprobs("Hé"), TextDelta("Hé"), logprobs("!"), TextDelta("!"), Finished("stop"))
    found = [chunk.choices[0].logprobs for chunk in chunks]
    assert found[0] is not None and found[1] is not None and found[2] is None
    assert (found[0].tokens, found[0].text_offset, found[0].token_logprobs) == (["Hé"], [0], [-1.0])
    assert (found[1].tokens, found[1].text_offset, found[1].top_logprobs) == (["!"], [2], [{"x": -2.0}])


def test_usage_comes_last_without_choices() -> None:
    chunks = write(STARTED, TextDelta("Hi"), Finished("stop"), UsageReported(Usage(1, 2)), call=CALL_WITH_USAGE)
    assert chunks[-1].choices == [] and chunks[-1].usage is not None and chunks[-1].usage.total_tokens == 3
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_an_estimate_stands_in_for_usage_that_never_came() -> None:
    writer = StreamWriter(CALL_WITH_USAGE)
    assert b'"total_tokens":11' in writer.end(Usage(5, 6, source="estimated"))
    assert writer.end() == b""


def test_a_failure_ends_the_stream_and_nothing_follows() -> None:
    writer = StreamWriter(CALL)
    error = Broken("Gone.")
    stream = writer.write([STARTED, TextDelta("Hi"), Failed(error), TextDelta("no")])
    assert stream.endswith(write_stream_error(error)) and b'"no"' not in stream
    assert writer.write([TextDelta("x")]) == writer.fail(error) == writer.end() == b""


def test_a_stream_without_a_beginning_gets_one() -> None:
    chunks = write(TextDelta("Hi"), Finished("stop"))
    assert chunks[0].id.startswith("cmpl-") and chunks[0].id == chunks[1].id
