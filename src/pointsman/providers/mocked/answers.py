"""What a mocked deployment answers, as an OpenAI-compatible upstream would: status and body.

The texts that mean an error are those of LiteLLM 1.109.1 (``mock_completion``), and so are the three characters of a
text that each event of a stream has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, short_id

__all__ = ["MockAnswer", "chat_answer", "embedding_answer", "image_answer", "mock_problem"]

_STEP: Final = 3
_EVENTS_MAX: Final = 1_000
_OK: Final = 200
_DONE: Final = b"data: [DONE]\n\n"
_encode: Final = msgspec.json.Encoder().encode


class MockAnswer(msgspec.Struct, frozen=True):
    """``body`` is JSON, or the events of a stream."""

    status: int
    body: bytes


class _Function(msgspec.Struct):
    name: str
    arguments: str = "{}"


class _ToolCall(msgspec.Struct):
    function: _Function
    id: str | None = None
    type: str = "function"


class _Message(msgspec.Struct, omit_defaults=True):
    role: str = "assistant"
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str = "stop"


class _Completion(msgspec.Struct):
    choices: list[_Choice]


class _Error(msgspec.Struct, frozen=True):
    status: int
    message: str
    type: str
    code: str | None = None


_ERRORS: Final[Mapping[str, _Error]] = {
    "litellm.RateLimitError": _Error(429, "this is a mock rate limit error", "rate_limit_error", "rate_limit_exceeded"),
    "litellm.ContextWindowExceededError": _Error(
        400, "this is a mock context window exceeded error", "invalid_request_error", "context_length_exceeded"
    ),
    "litellm.InternalServerError": _Error(500, "this is a mock internal server error", "server_error"),
}
_CONTENT: Final = "Exception: content_filter_policy"
_BROKEN: Final = "Exception: mock_streaming_error"
_EMBEDDING_ERROR: Final = "error"

_Mock = str | list[float] | _Completion
_decode: Final = msgspec.json.Decoder(_Mock).decode


def mock_problem(mock: msgspec.Raw) -> str | None:
    """Why something cannot be answered with; None: it can."""
    try:
        read = _decode(mock)
    except msgspec.ValidationError as wrong:
        return f"expected a text, a list of numbers, or a map with choices as a chat completion has them: {wrong}"
    if isinstance(read, list) and not read:
        return "is an empty list, which is no embedding."
    if isinstance(read, _Completion) and not read.choices:
        return "has no choices."
    return None


def chat_answer(mock: msgspec.Raw, model: str, count: int, *, stream: bool) -> MockAnswer:
    """The answer to a chat that asked for ``count`` choices."""
    said = _decode(mock)
    if isinstance(said, list):
        return _refused("The mock_response of this model is an embedding, so it does not chat.")
    if isinstance(said, str):
        error = _error_of(said)
        if error is not None:
            return _failed(error)
    choices = said.choices if isinstance(said, _Completion) else [_Choice(_Message(content=said))] * count
    head = {"id": short_id("chatcmpl-"), "created": int(SYSTEM_CLOCK.wall()), "model": model}
    if stream:
        return MockAnswer(_OK, b"".join(_events({**head, "object": "chat.completion.chunk"}, choices)) + _DONE)
    told = [
        {"index": index, "message": choice.message, "finish_reason": _reason(choice)}
        for index, choice in enumerate(choices)
    ]
    return MockAnswer(_OK, _encode({**head, "object": "chat.completion", "choices": told}))


def embedding_answer(mock: msgspec.Raw, model: str, count: int) -> MockAnswer:
    """The same vector for each of ``count`` inputs."""
    said = _decode(mock)
    if isinstance(said, str):
        error = _error_of(said)
        if said == _EMBEDDING_ERROR:
            error = _ERRORS["litellm.InternalServerError"]
        if error is not None:
            return _failed(error)
    if not isinstance(said, list):
        return _refused("The mock_response of this model is no list of numbers, so it embeds nothing.")
    vectors = [{"object": "embedding", "index": index, "embedding": said} for index in range(count)]
    return MockAnswer(_OK, _encode({"object": "list", "data": vectors, "model": model}))


def image_answer(mock: msgspec.Raw) -> MockAnswer:
    """A picture whose address is the text."""
    said = _decode(mock)
    if not isinstance(said, str):
        return _refused("The mock_response of this model is no text, so it cannot be the address of a picture.")
    error = _error_of(said)
    if error is not None:
        return _failed(error)
    return MockAnswer(_OK, _encode({"created": int(SYSTEM_CLOCK.wall()), "data": [{"url": said}]}))


def _events(head: Mapping[str, object], choices: Sequence[_Choice]) -> Iterator[bytes]:
    for index, choice in enumerate(choices):
        message = choice.message
        yield _event(head, index, {"role": message.role, "content": ""})
        if message.reasoning_content:
            yield _event(head, index, {"reasoning_content": message.reasoning_content})
        text = message.content or ""
        step = max(_STEP, -(-len(text) // _EVENTS_MAX))
        for start in range(0, len(text), step):
            yield _event(head, index, {"content": text[start : start + step]})
        if message.tool_calls:
            calls = [
                {"index": place, "id": call.id or short_id("call_"), "type": call.type, "function": call.function}
                for place, call in enumerate(message.tool_calls)
            ]
            yield _event(head, index, {"tool_calls": calls})
        yield _event(head, index, {}, _reason(choice))


def _event(head: Mapping[str, object], index: int, delta: object, reason: str | None = None) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": reason}
    return b"data: " + _encode({**head, "choices": [choice]}) + b"\n\n"


def _reason(choice: _Choice) -> str:
    return "tool_calls" if choice.message.tool_calls and choice.finish_reason == "stop" else choice.finish_reason


def _error_of(said: str) -> _Error | None:
    if said.startswith(_CONTENT):
        return _Error(400, said, "invalid_request_error", "content_policy_violation")
    if said.startswith(_BROKEN):
        return _Error(529, "This is a mock error raised mid-stream", "overloaded_error")
    return _ERRORS.get(said)


def _failed(error: _Error) -> MockAnswer:
    told = {"message": error.message, "type": error.type, "code": error.code}
    return MockAnswer(error.status, _encode({"error": told}))


def _refused(message: str) -> MockAnswer:
    return _failed(_Error(400, message, "invalid_request_error", "unsupported_operation"))
