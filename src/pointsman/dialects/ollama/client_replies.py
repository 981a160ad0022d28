"""Whole answers for clients of Ollama: one object with ``done`` and everything in it.

Source: Ollama's ``docs/api.md`` and ``api/types.go`` (``ChatResponse``, ``GenerateResponse``, ``EmbedResponse``,
``EmbeddingResponse``).
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, CompletionCall, EmbeddingCall
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.content import Image, Refusal, Text
from pointsman.core.reply import Choice, Embeddings, Reply
from pointsman.dialects.ollama.client_lines import (
    Timings,
    done_reason,
    image_of,
    media_words,
    write_counts,
    write_logprobs,
    write_tool_calls,
)
from pointsman.dialects.ollama.client_time import rfc3339
from pointsman.dialects.server_tools import choice_in_words

__all__ = ["write_chat_reply", "write_embedding", "write_embeddings", "write_generate_reply"]

_encode: Final = msgspec.json.Encoder().encode

_NO_CHOICE: Final = Choice()
_MILLISECONDS_PER_SECOND: Final = 1000


def write_chat_reply(reply: Reply, call: Call, *, seconds: float | None = None, clock: Clock = SYSTEM_CLOCK) -> bytes:
    """The body for ``/api/chat``; the client sees the model under the name that it asked for.

    Args:
        reply: The answer; other choices than the first have no place here.
        call: What was asked.
        seconds: How long the answer took, where the caller measured it.
        clock: Gives the time of the answer.

    Raises:
        Broken: a tool call's arguments are not a JSON object.
    """
    choice = _first(reply)
    message: dict[str, object] = {"role": "assistant", "content": _text(choice)}
    if choice.thinking:
        message["thinking"] = choice.thinking
    given = [image for part in choice.parts if isinstance(part, Image) and (image := image_of(part)) is not None]
    if given:
        message["images"] = given
    cut_off = choice.finish_reason in {"length", "content_filter"}
    calls = write_tool_calls(choice.tool_calls, cut_off=cut_off)
    if calls:
        message["tool_calls"] = calls
    return _write(reply, call.model, {"message": message}, seconds, clock)


def write_generate_reply(
    reply: Reply, call: Call | CompletionCall, *, seconds: float | None = None, clock: Clock = SYSTEM_CLOCK
) -> bytes:
    """The body for ``/api/generate``, as :func:`write_chat_reply`. Tool calls and images are left out."""
    choice = _first(reply)
    content: dict[str, object] = {"response": _text(choice)}
    if choice.thinking:
        content["thinking"] = choice.thinking
    return _write(reply, call.model, content, seconds, clock)


def write_embeddings(embeddings: Embeddings, call: EmbeddingCall, *, seconds: float | None = None) -> bytes:
    """The body for ``/api/embed``."""
    timings = Timings(total_ms=_milliseconds(seconds))
    counts = write_counts(embeddings.usage, timings)
    counts.pop("eval_count", None)
    return _encode({"model": call.model, "embeddings": embeddings.vectors, **counts})


def write_embedding(embeddings: Embeddings) -> bytes:
    """The body for the older ``/api/embeddings``: the first vector, and nothing else."""
    return _encode({"embedding": embeddings.vectors[0] if embeddings.vectors else ()})


def _first(reply: Reply) -> Choice:
    return choice_in_words(reply.choices[0], media_words) if reply.choices else _NO_CHOICE


def _text(choice: Choice) -> str:
    return "".join(part.text for part in choice.parts if isinstance(part, Text | Refusal))


def _write(reply: Reply, model: str, content: dict[str, object], seconds: float | None, clock: Clock) -> bytes:
    choice = _first(reply)
    total_ms = _milliseconds(seconds)
    # Clients divide by the duration, so there must be one: the whole, where the upstream did not measure its parts.
    completion_ms = total_ms if reply.completion_ms is None else reply.completion_ms
    timings = Timings(total_ms, reply.load_ms, reply.prompt_ms, completion_ms)
    logprobs = {"logprobs": write_logprobs(choice.logprobs)} if choice.logprobs else {}
    return _encode({
        "model": model,
        "created_at": rfc3339(clock.wall()),
        **content,
        "done": True,
        "done_reason": done_reason(choice.finish_reason),
        **logprobs,
        **write_counts(reply.usage, timings),
    })  # fmt: skip


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * _MILLISECONDS_PER_SECOND
