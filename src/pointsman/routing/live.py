"""What is known of each deployment from its traffic; one that keeps its id over a reload keeps its record.

Moments are monotonic seconds, 0 where it has not happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp
from typing import Final

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.routing.circuit import Circuit
from pointsman.routing.failures import Failure
from pointsman.routing.meter import Meter

__all__ = ["Live", "LiveBook"]

_LIVES_MAX: Final = 65_536
_WINDOW_SECONDS: Final = 60.0
_GRAIN_SECONDS: Final = 0.05
_MEMORY_SECONDS: Final = 30.0
"""After so long without news a measure weighs a third of what it did."""


class Live(Circuit, eq=False):
    """One deployment now. Of each average the worst news count at once and fade (peak EWMA).

    ``latency`` is seconds to the end of an answer, ``first_byte`` to its beginning, ``seconds_per_token`` those of
    writing; 0 while nothing is known. ``recent`` counts failures by kind in the minute that began at ``minute_at``,
    after ``calls_before`` calls. ``meter`` counts what only some deployments need counted.
    """

    id: str
    in_flight: int = 0
    calls: int = 0
    failures: int = 0
    failures_in_row: int = 0
    latency: float = 0.0
    first_byte: float = 0.0
    seconds_per_token: float = 0.0
    ended_at: float = 0.0
    failed_at: float = 0.0
    failure: str = ""
    minute_at: float = 0.0
    calls_before: int = 0
    recent: dict[Failure, int] = msgspec.field(default_factory=dict)
    meter: Meter | None = None

    @property
    def answered_at(self) -> float | None:
        """When the last call ended, if it ended well."""
        return self.ended_at if self.ended_at and not self.failures_in_row else None

    def succeeded(self, now: float, sent_at: float, heard_at: float, tokens: int) -> None:
        """A call has ended well; ``tokens`` is how many were written."""
        self.calls += 1
        self.failures_in_row = 0
        latency, since = now - sent_at, now - self.ended_at
        if latency <= self.latency and since < _GRAIN_SECONDS:
            return  # of very many good calls a few say enough
        # The weight of what was known fades with the time since then.
        old = exp(-since / _MEMORY_SECONDS)
        self.ended_at = now
        self.latency = latency if latency >= self.latency else latency + (self.latency - latency) * old
        first = heard_at - sent_at
        self.first_byte = first if first >= self.first_byte else first + (self.first_byte - first) * old
        if tokens > 1 and now > heard_at:
            pace = (now - heard_at) / tokens
            self.seconds_per_token = pace + (self.seconds_per_token - pace) * old if self.seconds_per_token else pace

    def failed(self, now: float, code: str, kind: Failure = Failure.OTHER) -> None:
        """A call has failed, and the deployment is to blame."""
        if now - self.minute_at >= _WINDOW_SECONDS:
            self.minute_at, self.calls_before, self.recent = now, self.calls, {}
        self.recent[kind] = self.recent.get(kind, 0) + 1
        self.calls += 1
        self.failures += 1
        self.failures_in_row += 1
        self.failed_at = self.ended_at = now
        self.failure = code

    @property
    def recent_failures(self) -> int:
        """Failures since ``minute_at``."""
        return sum(self.recent.values())

    @property
    def recent_calls(self) -> int:
        """Calls that have ended since ``minute_at``."""
        return self.calls - self.calls_before


class LiveBook:
    """Keeps the record of every deployment, by its id."""

    def __init__(self) -> None:
        self._lives: dict[str, Live] = {}

    def __iter__(self) -> Iterator[Live]:
        return iter(self._lives.values())

    def __len__(self) -> int:
        return len(self._lives)

    def of(self, deployment: Deployment) -> Live:
        """The record of a deployment, a fresh one if nothing is known."""
        live = self._lives.get(deployment.id)
        if live is None:
            if len(self._lives) >= _LIVES_MAX:
                self._lives = {key: kept for key, kept in self._lives.items() if kept.in_flight}
            live = self._lives[deployment.id] = Live(deployment.id)
        return live

    def known(self, deployment_id: str) -> Live | None:
        """The record with that id; None: nothing is known."""
        return self._lives.get(deployment_id)
