"""Legacy completions of an upstream, streamed and whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.call import CompletionCall, Sampling
from pointsman.core.errors import Broken, UpstreamFailed
from pointsman.core.events import Event, Failed, Finished, LogprobsDelta, Started, TextDelta, UsageReported
from pointsman.core.usage import Usage
from pointsman.dialects.openai_completions.requests import read_request, write_request
from pointsman.dialects.openai_completions.stream_reader import StreamReader, read_reply

HEAD = {"id": "cmpl-1", "object": "text_completion", "created": 7, "model": "theirs"}
COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def piece(text: str | None = None, reason: str | None = None, index: int = 0, **more: Any) -> bytes:
    choice = {"index": index, "text": text, "finish_reason": reason, "logprobs": None, **more}
    return json.dumps({**HEAD, "choices": [choice]}).encode()


def events(*frames: bytes) -> list[Event]:
    reader = StreamReader(new_id=lambda prefix: f"{prefix}new")
    return [event for frame in frames for event in reader.feed(frame)] + reader.end()


def test_a_stream() -> None:
    last = json.dumps({**HEAD, "choices": [], "usage": COUNTS}).encode()
    assert events(piece("Hel"), piece("lo"), piece("", "length"), last, b"[DONE]") == [
        Started("cmpl-1", "theirs", 7),
        TextDelta("Hel"),
        TextDelta("lo"),
        Finished("length"),
        UsageReported(Usage(3, 2, source="measured")),
    ]


def test_several_choices_are_told_apart() -> None:
    found = events(piece("a"), piece("b", index=1), piece("", "stop", index=1), piece("", "stop"), b"[DONE]")
    assert found[1:] == [TextDelta("a"), TextDelta("b", 1), Finished("stop", 1), Finished("stop")]


def test_log_probabilities_take_the_form_of_chats() -> None:
    said = {"tokens": ["x", "a"], "token_logprobs": [None, -0.5], "top_logprobs": [None, {"a": -0.5, "b": -2.0}]}
    found = events(piece("a", "stop", logprobs=said))
    (told,) = [event for event in found if isinstance(event, LogprobsDelta)]
    top = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -2.0}]
    assert json.loads(bytes(told.content)) == [{"token": "a", "logprob": -0.5, "top_logprobs": top}]


@pytest.mark.parametrize(
    "frames", [(), (piece("a"),), (piece("a", "abort"), b"[DONE]"), (b"nonsense",), (b'{"choices":"x"}',)]
)
def test_a_stream_that_is_none_or_not_whole_is_a_failure(frames: tuple[bytes, ...]) -> None:
    last = events(*frames)[-1]
    assert isinstance(last, Failed) and isinstance(last.error, Broken)


def test_an_error_in_a_stream_is_told_with_its_message() -> None:
    last = events(piece("a"), b'{"error":{"message":"out of memory"}}')[-1]
    assert isinstance(last, Failed) and "out of memory" in last.error.message


def test_a_whole_answer() -> None:
    body = json.dumps({**HEAD, "choices": [{"text": "Hi", "index": 0, "finish_reason": "stop"}], "usage": COUNTS})
    reply = read_reply(body.encode())
    assert (reply.choices[0].text, reply.choices[0].finish_reason, reply.usage.total) == ("Hi", "stop", 5)
    with pytest.raises(UpstreamFailed):
        read_reply(b'{"error":"no"}')


def test_what_was_asked_is_asked_of_the_upstream() -> None:
    body = {
        "model": "m", "prompt": "a", "suffix": "b", "echo": True, "stream": True, "max_tokens": 5, "logprobs": 2,
        "n": 2, "stop": ["x"], "user": "u", "guided_regex": "a+",
    }  # fmt: skip
    sent = json.loads(write_request(read_request(json.dumps(body).encode()), "theirs"))
    assert sent == {**body, "model": "theirs", "stream_options": {"include_usage": True}}
    plain = json.loads(write_request(CompletionCall("m", ("a", "b"), Sampling()), "theirs"))
    assert plain == {"model": "theirs", "prompt": ["a", "b"]}


@given(st.lists(st.binary(max_size=40) | st.just(piece("a")), max_size=6))
def test_any_frames_end_in_events(frames: list[bytes]) -> None:
    found = events(*frames)
    assert isinstance(found[-1], Failed | Finished | UsageReported)
