"""Cohere's counts: what it bills, since that is what a call costs; what the model was given only where no bill came."""

from __future__ import annotations

from typing import Final

from pointsman.core.usage import Usage
from pointsman.dialects.cohere_chat.types import Counts, WireUsage

__all__ = ["read_usage"]

_COUNT_MAX: Final = 2**53


def read_usage(wire: WireUsage | None) -> Usage | None:
    """The counts as measured, or None where there are none."""
    if wire is None:
        return None
    counts = next((one for one in (wire.billed_units, wire.tokens) if _says_something(one)), None)
    if counts is None:
        return None
    prompt = _count(counts.input_tokens)
    return Usage(
        prompt=prompt,
        completion=_count(counts.output_tokens),
        cached=min(_count(wire.cached_tokens), prompt),
        source="measured",
    )


def _says_something(counts: Counts | None) -> bool:
    return counts is not None and bool(counts.input_tokens or counts.output_tokens)


def _count(said: float | None) -> int:
    """A count that a ledger can hold, whatever was said."""
    return int(min(max(said or 0, 0), _COUNT_MAX))
