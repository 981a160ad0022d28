"""When a second deployment is asked because the first is silent, and how often that may be."""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import Final

__all__ = ["Hedging"]

_SAVED_MAX: Final = 10.0
_WINDOW: Final = 128
_ENOUGH: Final = 20
_FRESH_MAX: Final = 16
_SHARE: Final = 0.95
_HAIR: Final = 1e-9


class Hedging:
    """For one model. ``after_seconds`` None: as long as nineteen of twenty of the latest answers took to begin.

    Each request earns ``max_share`` of a second one, and a few can be saved up for a bad moment; so there are never
    more second requests than that share of all.
    """

    def __init__(self, after_seconds: float | None, max_share: float) -> None:
        self.after_seconds = after_seconds
        self.max_share = max_share
        self._saved = 0.0
        self._whole = _Latest()
        self._streams = _Latest()

    def asked(self) -> None:
        """One more request came."""
        self._saved = min(self._saved + self.max_share, _SAVED_MAX)

    def may(self) -> bool:
        """Whether a second request may be sent."""
        # A sum of shares may be a hair below the whole number that it means.
        return self._saved >= 1.0 - _HAIR

    def take(self) -> None:
        """One was sent."""
        self._saved -= 1.0

    def patience(self, *, stream: bool) -> float | None:
        """Seconds until a second deployment is asked; None: too little is known to say."""
        return self.after_seconds or (self._streams if stream else self._whole).slow_seconds()

    def began(self, seconds: float, *, stream: bool) -> None:
        """An answer began, or a whole one came, so long after it was asked for."""
        (self._streams if stream else self._whole).add(seconds)


class _Latest:
    """The latest of many durations."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_WINDOW)
        self._fresh = 0
        self._slow: float | None = None

    def add(self, seconds: float) -> None:
        self._seconds.append(seconds)
        self._fresh += 1

    def slow_seconds(self) -> float | None:
        if len(self._seconds) < _ENOUGH:
            return None
        if self._slow is None or self._fresh >= _FRESH_MAX:
            self._fresh = 0
            self._slow = sorted(self._seconds)[ceil(len(self._seconds) * _SHARE) - 1]
        return self._slow
