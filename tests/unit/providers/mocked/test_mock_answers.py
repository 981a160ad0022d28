"""What may stand in mock_response, and what is answered for it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.dialects.grammars import check
from pointsman.providers.mocked import mock_problem
from pointsman.providers.mocked.answers import chat_answer, embedding_answer, image_answer

CALLS = {"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": '{"a":1}'}}]}}]}


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


@pytest.mark.parametrize("fine", ["", "words", [0.5, 1], CALLS, "litellm.RateLimitError"])
def test_what_can_be_answered(fine: Any) -> None:
    assert mock_problem(raw(fine)) is None


@pytest.mark.parametrize("wrong", [7, True, [], ["a"], {}, {"choices": []}, {"choices": [{"text": "x"}]}])
def test_what_cannot_is_told(wrong: Any) -> None:
    assert mock_problem(raw(wrong))


@pytest.mark.parametrize("mock", ["", "Hello, world", "😀é" * 4_000, CALLS])
def test_a_stream_keeps_the_grammar(mock: Any) -> None:
    answer = chat_answer(raw(mock), "m", 2, stream=True)
    # Nobody asked for the usage, and the lane adds it where somebody did.
    assert (answer.status, check("openai_chat", answer.body)) == (200, [])


def test_each_choice_is_the_whole_text_in_small_pieces() -> None:
    body = chat_answer(raw("Hello!"), "m", 2, stream=True).body
    events = [msgspec.json.decode(line[6:]) for line in body.split(b"\n\n") if line.startswith(b"data: {")]
    for index in (0, 1):
        said = [one["choices"][0]["delta"].get("content") for one in events if one["choices"][0]["index"] == index]
        assert said == ["", "Hel", "lo!", None]


def test_a_whole_completion_may_call_tools() -> None:
    (choice,) = msgspec.json.decode(chat_answer(raw(CALLS), "m", 1, stream=False).body)["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ("litellm.RateLimitError", 429, "rate_limit_exceeded"),
        ("litellm.ContextWindowExceededError", 400, "context_length_exceeded"),
        ("litellm.InternalServerError", 500, None),
        ("Exception: content_filter_policy, the prompt was filtered", 400, "content_policy_violation"),
        ("Exception: mock_streaming_error", 529, None),
    ],
)
def test_some_texts_are_failures(said: str, status: int, code: str | None) -> None:
    for answer in (
        chat_answer(raw(said), "m", 1, stream=False),
        chat_answer(raw(said), "m", 1, stream=True),
        embedding_answer(raw(said), "m", 1),
        image_answer(raw(said)),
    ):
        assert (answer.status, msgspec.json.decode(answer.body)["error"]["code"]) == (status, code)


def test_only_numbers_are_an_embedding_and_only_text_is_an_address() -> None:
    assert len(msgspec.json.decode(embedding_answer(raw([0.5]), "m", 3).body)["data"]) == 3
    assert embedding_answer(raw("words"), "m", 1).status == 400
    assert embedding_answer(raw("error"), "m", 1).status == 500
    assert chat_answer(raw([0.5]), "m", 1, stream=False).status == 400
    assert msgspec.json.decode(image_answer(raw("http://a/b.png")).body)["data"] == [{"url": "http://a/b.png"}]
    assert image_answer(raw([0.5])).status == 400
