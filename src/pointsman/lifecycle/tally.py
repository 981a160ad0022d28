"""Sums of calls, small enough to keep for ever: what arms of an experiment are compared by."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Final

import msgspec

from pointsman.core.outcome import CallRecord

__all__ = ["Marks", "Spread", "Tally"]

_FIRST_MS: Final = 1.0
_STEP: Final = 1.15
_BOUNDS_COUNT: Final = 100
_BOUNDS: Final = tuple(_FIRST_MS * _STEP**power for power in range(_BOUNDS_COUNT))
"""Milliseconds, up to a quarter of an hour and more; what is read off them is right to 15 %."""


class Spread(msgspec.Struct):
    """How long things took, in classes. ``total_ms`` is their sum."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (_BOUNDS_COUNT + 1))
    number: int = 0
    total_ms: float = 0.0

    def add(self, milliseconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(_BOUNDS, milliseconds)] += 1
        self.number += 1
        self.total_ms += milliseconds

    def merge(self, other: Spread) -> None:
        """Count in what another process counted."""
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        self.number += other.number
        self.total_ms += other.total_ms

    def share_below(self, share: float) -> float | None:
        """The milliseconds within which ``share`` (0 to 1) of them were done; None: there are none."""
        if not self.number:
            return None
        place = bisect_left(list(accumulate(self.counts)), share * self.number)
        return _BOUNDS[min(place, _BOUNDS_COUNT - 1)]

    @property
    def mean(self) -> float | None:
        """Milliseconds, on average; None: there are none."""
        return self.total_ms / self.number if self.number else None


class Tally(msgspec.Struct):
    """Calls of one arm. ``errors`` failed, ``cancelled`` were left by their client.

    ``rescued`` were answered in the end, after the deployment that was asked first had failed. Money is in
    picodollars. ``latency`` and ``first_byte`` are of those that went well at once.
    """

    calls: int = 0
    errors: int = 0
    cancelled: int = 0
    rescued: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: int = 0
    latency: Spread = msgspec.field(default_factory=Spread)
    first_byte: Spread = msgspec.field(default_factory=Spread)

    def add(self, record: CallRecord, *, rescued: bool = False) -> None:
        """Count a call that is over."""
        self.calls += 1
        self.prompt_tokens += record.usage.prompt
        self.completion_tokens += record.usage.completion
        self.cost += record.cost
        if record.status == "success" and rescued:
            self.rescued += 1
        elif record.status == "success":
            self.latency.add((record.ended_at - record.started_at) * 1000.0)
            if record.first_token_at is not None:
                self.first_byte.add((record.first_token_at - record.started_at) * 1000.0)
        elif record.status == "failure":
            self.errors += 1
        else:
            self.cancelled += 1

    def merge(self, other: Tally) -> None:
        """Count in what another process counted."""
        for name in ("calls", "errors", "cancelled", "rescued", "prompt_tokens", "completion_tokens", "cost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.latency.merge(other.latency)
        self.first_byte.merge(other.first_byte)


class Marks(msgspec.Struct, weakref=False):
    """What is added to one call: ``tags`` to its record, header ``lines`` to its answer, the call to ``tallies``.

    ``is_free``: it cost nothing, whatever was used; ``is_rescued``: the deployment that was asked first failed.
    """

    tags: tuple[str, ...] = ()
    lines: bytes = b""
    tallies: tuple[Tally, ...] = ()
    is_free: bool = False
    is_rescued: bool = False

    def add(self, tag: str, line: bytes = b"", *tallies: Tally) -> None:
        """Add to these."""
        self.tags = (*self.tags, tag)
        self.lines += line
        self.tallies += tallies

    def ended(self, record: CallRecord) -> None:
        """The call is over."""
        for tally in self.tallies:
            tally.add(record, rescued=self.is_rescued)
