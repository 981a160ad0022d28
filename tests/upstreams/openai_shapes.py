"""Bodies as an OpenAI-compatible server sends them."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Any, Final

__all__ = [
    "chat_chunks",
    "chat_reply",
    "completion_chunks",
    "completion_reply",
    "embedding_reply",
    "model_list",
    "tool_call",
    "usage",
]

_CREATED: Final = 1_767_225_600
_DIMENSIONS: Final = 8


def usage(prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> dict[str, Any]:
    """The ``usage`` object."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def tool_call(name: str, arguments: str, number: int = 0) -> dict[str, Any]:
    """One complete call of a function; ``arguments`` is JSON text."""
    return {"id": f"call_{number:024d}", "type": "function", "function": {"name": name, "arguments": arguments}}


def chat_reply(
    content: str | None,
    counts: dict[str, Any],
    *,
    model: str = "fake-model",
    tool_calls: Sequence[dict[str, Any]] = (),
    finish_reason: str = "stop",
    number: int = 1,
) -> dict[str, Any]:
    """A ``chat.completion`` object."""
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if tool_calls:
        message["tool_calls"] = list(tool_calls)
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": _CREATED,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}],
        "usage": counts,
        "system_fingerprint": "fp_fake",
    }


def chat_chunks(
    pieces: Sequence[str],
    counts: dict[str, Any] | None,
    *,
    model: str = "fake-model",
    tool_deltas: Sequence[dict[str, Any]] = (),
    finish_reason: str = "stop",
    number: int = 1,
) -> list[dict[str, Any]]:
    """The events of a streamed chat; ``counts`` adds the usage event with its empty ``choices``."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"content": piece} for piece in pieces]
    deltas += [{"tool_calls": [delta]} for delta in tool_deltas]
    frame: dict[str, Any] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": model,
        "system_fingerprint": "fp_fake",
    }
    if counts is not None:
        frame["usage"] = None
    chunks = [
        {**frame, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]}
        for delta in deltas
    ]
    chunks.append({**frame, "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish_reason}]})
    if counts is not None:
        chunks.append({**frame, "choices": [], "usage": counts})
    return chunks


def completion_reply(
    text: str, counts: dict[str, Any], *, model: str = "fake-model", number: int = 1
) -> dict[str, Any]:
    """A ``text_completion`` object."""
    return {
        "id": f"cmpl-{number}",
        "object": "text_completion",
        "created": _CREATED,
        "model": model,
        "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}],
        "usage": counts,
    }


def completion_chunks(
    pieces: Sequence[str], counts: dict[str, Any] | None, *, model: str = "fake-model", number: int = 1
) -> list[dict[str, Any]]:
    """The events of a streamed legacy completion."""
    frame = {"id": f"cmpl-{number}", "object": "text_completion", "created": _CREATED, "model": model}
    chunks: list[dict[str, Any]] = [
        {**frame, "choices": [{"index": 0, "text": piece, "logprobs": None, "finish_reason": None}]} for piece in pieces
    ]
    chunks.append({**frame, "choices": [{"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}]})
    if counts is not None:
        chunks.append({**frame, "choices": [], "usage": counts})
    return chunks


def embedding_reply(
    inputs: Sequence[str], prompt_tokens: int, *, model: str = "fake-model", as_base64: bool = False
) -> dict[str, Any]:
    """An embeddings list; each vector depends on its text's length only."""
    data = []
    for index, text in enumerate(inputs):
        vector = [(len(text) + place) / 16 for place in range(_DIMENSIONS)]
        packed = base64.b64encode(struct.pack(f"<{_DIMENSIONS}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": packed if as_base64 else vector})
    counts = {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}
    return {"object": "list", "data": data, "model": model, "usage": counts}


def model_list(names: Sequence[str]) -> dict[str, Any]:
    """``GET /v1/models``."""
    rows = [{"id": name, "object": "model", "created": _CREATED, "owned_by": "fake"} for name in names]
    return {"object": "list", "data": rows}
