"""``usage`` as the OpenAI family writes and reads it."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.usage import Usage

__all__ = ["CompletionDetails", "PromptDetails", "WireUsage", "read_embedding_usage", "read_usage", "write_usage"]

_COUNT_MAX: Final = 2**53
"""The largest integer that every reader of JSON holds exactly."""


class PromptDetails(msgspec.Struct, frozen=True, kw_only=True):
    """``prompt_tokens_details``; ``cache_creation_tokens`` is LiteLLM's and written only when there are any."""

    cached_tokens: int | None = 0
    audio_tokens: int | None = 0
    cache_creation_tokens: int | msgspec.UnsetType | None = msgspec.UNSET


class CompletionDetails(msgspec.Struct, frozen=True, kw_only=True):
    """``completion_tokens_details``."""

    reasoning_tokens: int | None = 0
    audio_tokens: int | None = 0
    accepted_prediction_tokens: int | None = 0
    rejected_prediction_tokens: int | None = 0


_NO_PROMPT_DETAILS: Final = PromptDetails()
_NO_COMPLETION_DETAILS: Final = CompletionDetails()


class WireUsage(msgspec.Struct, frozen=True, kw_only=True):
    """``usage``. Everything may be null or missing in what other servers send.

    ``prompt_cache_hit_tokens`` is DeepSeek's word for cached tokens, ``cached_tokens`` Moonshot's; neither is written.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | msgspec.UnsetType | None = msgspec.UNSET
    completion_tokens_details: CompletionDetails | msgspec.UnsetType | None = msgspec.UNSET
    prompt_cache_hit_tokens: int | msgspec.UnsetType | None = msgspec.UNSET
    cached_tokens: int | msgspec.UnsetType | None = msgspec.UNSET


def write_usage(usage: Usage) -> WireUsage:
    """The counts with their details."""
    return WireUsage(
        prompt_tokens=usage.prompt,
        completion_tokens=usage.completion,
        total_tokens=usage.total,
        prompt_tokens_details=PromptDetails(
            cached_tokens=usage.cached,
            audio_tokens=usage.audio_input,
            cache_creation_tokens=usage.cache_write or msgspec.UNSET,
        ),
        completion_tokens_details=CompletionDetails(reasoning_tokens=usage.reasoning, audio_tokens=usage.audio_output),
    )


def read_usage(wire: WireUsage | None) -> Usage | None:
    """The counts as measured, or None where the server gave none.

    xAI counts reasoning beside the completion; where the sum says so it is put into it, as everywhere else.
    """
    if wire is None or (wire.prompt_tokens is None and wire.completion_tokens is None):
        return None
    prompt = wire.prompt_tokens_details or _NO_PROMPT_DETAILS
    completion = wire.completion_tokens_details or _NO_COMPLETION_DETAILS
    reasoning = _count(completion.reasoning_tokens)
    asked, said = _count(wire.prompt_tokens), _count(wire.completion_tokens)
    beside = wire.total_tokens == asked + said + reasoning
    return Usage(
        prompt=asked,
        completion=said + reasoning if beside else said,
        cached=_count(prompt.cached_tokens or wire.prompt_cache_hit_tokens or wire.cached_tokens or 0),
        cache_write=_count(prompt.cache_creation_tokens or 0),
        reasoning=reasoning,
        audio_input=_count(prompt.audio_tokens),
        audio_output=_count(completion.audio_tokens),
        source="measured",
    )


def read_embedding_usage(wire: WireUsage | None) -> Usage | None:
    """The same of embeddings, where some (Voyage) give the sum alone."""
    if wire is not None and wire.prompt_tokens is None and wire.total_tokens is not None:
        return Usage(_count(wire.total_tokens), source="measured")
    return read_usage(wire)


def _count(said: int | None) -> int:
    """A count that a ledger can hold, whatever the server said."""
    if not said:
        return 0
    return said if 0 < said <= _COUNT_MAX else min(max(said, 0), _COUNT_MAX)
