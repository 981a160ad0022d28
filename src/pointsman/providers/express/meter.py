"""Finding the usage in OpenAI answers without reading the rest.

Quotes inside JSON strings are escaped, so the bytes ``"usage":`` cannot occur inside one; a byte search is
therefore exact, and only what it finds is decoded.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from pointsman.core.usage import Usage

__all__ = ["ReplyMeter", "UsageWire", "read_embedding_usage", "read_usage"]


_NULL: Final = msgspec.Raw(b"null")
_COUNT_MAX: Final = 2**53

_Count = Annotated[int, msgspec.Meta(ge=0, le=_COUNT_MAX)]
"""A usage with a count beyond these bounds is no usage: the call is estimated, as with one of odd types."""


class _PromptDetails(msgspec.Struct):
    cached_tokens: _Count | None = 0
    audio_tokens: _Count | None = 0
    cache_creation_tokens: _Count | None = 0


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: _Count | None = 0
    audio_tokens: _Count | None = 0


class UsageWire(msgspec.Struct):
    """``usage`` as OpenAI-compatible servers send it.

    ``prompt_cache_hit_tokens`` is DeepSeek's word for cached tokens, ``cached_tokens`` Moonshot's.
    """

    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None
    total_tokens: _Count | None = None
    prompt_cache_hit_tokens: _Count | None = None
    cached_tokens: _Count | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class ReplyMeter(msgspec.Struct):
    """The fields of a whole answer, or of one streamed event, that the meter reads; empty where there is none."""

    id: object = None
    model: object = None
    usage: UsageWire | None = None
    service_tier: object = None
    error: msgspec.Raw = msgspec.Raw()
    choices: msgspec.Raw = msgspec.Raw()

    @property
    def has_choices(self) -> bool:
        """Whether there are any choices."""
        return bytes(self.choices).strip(b"[] \t\r\n") not in (b"", b"null")

    @property
    def failed(self) -> bool:
        """Whether it is an error in place of an answer."""
        return bool(self.error) and self.error != _NULL


def read_usage(wire: UsageWire | None) -> Usage | None:
    """The counts, or None where the upstream gave none.

    xAI counts reasoning beside the completion; where the sum says so it is put into it, as everywhere else.
    """
    if wire is None or (wire.prompt_tokens is None and wire.completion_tokens is None):
        return None
    prompt = wire.prompt_tokens or 0
    completion = wire.completion_tokens or 0
    cached = wire.prompt_cache_hit_tokens or wire.cached_tokens or 0
    written = reasoning = heard = spoken = 0
    details, output = wire.prompt_tokens_details, wire.completion_tokens_details
    if details is not None:
        cached = details.cached_tokens or cached
        written = details.cache_creation_tokens or 0
        heard = details.audio_tokens or 0
    if output is not None:
        reasoning = output.reasoning_tokens or 0
        spoken = output.audio_tokens or 0
        if reasoning and wire.total_tokens == prompt + completion + reasoning:
            completion += reasoning
    return Usage(prompt, completion, cached, written, reasoning, heard, spoken, "measured")


def read_embedding_usage(wire: UsageWire | None) -> Usage | None:
    """The same of embeddings, where some (Voyage) give the sum alone."""
    if wire is not None and wire.prompt_tokens is None and wire.total_tokens is not None:
        return Usage(wire.total_tokens, source="measured")
    return read_usage(wire)
