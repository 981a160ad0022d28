"""Sliding windows, exact to their bound: in no minute, or day, is more than the limit let through."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["SlidingDay", "SlidingMinute"]

_SPAN: Final = 61
"""Sixty whole seconds and the one that has begun: a unit counts until it is surely older than a minute."""

_TICK_SECONDS: Final = 300
_TICKS_A_DAY: Final = 24 * 60 * 60 // _TICK_SECONDS


class SlidingMinute:
    """Counts units by the second over the last minute. ``second`` is a monotonic clock's whole seconds."""

    __slots__ = ("_buckets", "_second", "total")

    def __init__(self) -> None:
        self._buckets = [0] * _SPAN
        self._second = 0
        self.total = 0

    def used(self, second: int) -> int:
        """Units in the window that ends now."""
        if second != self._second:
            self._advance(second)
        return self.total

    def add(self, units: int, second: int) -> None:
        """Count ``units`` now."""
        if second != self._second:
            self._advance(second)
        self._buckets[second % _SPAN] += units
        self.total += units

    def take(self, units: int, limit: int, second: int) -> bool:
        """Count ``units`` now if they fit under ``limit``, and say whether they did."""
        if second != self._second:
            self._advance(second)
        total = self.total + units
        if total > limit:
            return False
        self._buckets[second % _SPAN] += units
        self.total = total
        return True

    def replace(self, units: int, then: int, by: int, second: int) -> None:
        """Uncount ``units`` that were added at second ``then``, unless they have slid out already; count ``by`` now."""
        if second != self._second:
            self._advance(second)
        buckets = self._buckets
        if then == second:
            buckets[second % _SPAN] += by - units
            self.total += by - units
            return
        if self._second - then < _SPAN:
            buckets[then % _SPAN] -= units
            self.total -= units
        buckets[second % _SPAN] += by
        self.total += by

    def seconds_until(self, room: int, limit: int, second: int) -> int:
        """Whole seconds until ``room`` more units fit under ``limit``; 60 where they never will."""
        free = limit - self.used(second)
        for ahead in range(1, _SPAN + 1):
            free += self._buckets[(second + ahead) % _SPAN]
            if free >= room:
                return ahead
        return _SPAN - 1

    def _advance(self, second: int) -> None:
        gap = second - self._second
        if gap < 0:
            return
        if gap >= _SPAN:
            self._buckets = [0] * _SPAN
            self.total = 0
        else:
            buckets = self._buckets
            for passed in range(self._second + 1, second + 1):
                self.total -= buckets[passed % _SPAN]
                buckets[passed % _SPAN] = 0
        self._second = second


class SlidingDay:
    """As :class:`SlidingMinute` for the last 24 hours; a unit counts for up to five minutes longer.

    ``is_recalled`` says that what was used before it began is counted, too.
    """

    __slots__ = ("_latest", "_ticks", "is_recalled", "total")

    def __init__(self) -> None:
        self._ticks: dict[int, int] = {0: 0}
        self._latest = 0
        self.total = 0
        self.is_recalled = False

    def recall(self, past: Iterable[tuple[int, int]], second: int) -> None:
        """Count units that were used before: the seconds, which may be below 0, and how many, the oldest first."""
        tick = second // _TICK_SECONDS
        if tick > self._latest:
            self._advance(tick)
        ticks: dict[int, int] = {}
        for then, units in past:
            place = min(then // _TICK_SECONDS, self._latest)
            if place >= self._latest - _TICKS_A_DAY:
                ticks[place] = ticks.get(place, 0) + units
                self.total += units
        for place, units in self._ticks.items():
            ticks[place] = ticks.get(place, 0) + units
        self._ticks = dict(sorted(ticks.items()))

    def used(self, second: int) -> int:
        """Units in the window that ends now."""
        tick = second // _TICK_SECONDS
        if tick > self._latest:
            self._advance(tick)
        return self.total

    def add(self, units: int, second: int) -> None:
        """Count ``units`` now."""
        tick = second // _TICK_SECONDS
        if tick > self._latest:
            self._advance(tick)
        # What is told late counts from now on, so that the oldest stand first.
        self._ticks[self._latest] += units
        self.total += units

    def replace(self, units: int, then: int, by: int, second: int) -> None:
        """Uncount ``units`` that were added at second ``then``, unless they have slid out already; count ``by`` now."""
        tick = second // _TICK_SECONDS
        if tick > self._latest:
            self._advance(tick)
        ticks, latest = self._ticks, self._latest
        ticks[latest] += by
        self.total += by
        first = then // _TICK_SECONDS
        if first < latest - _TICKS_A_DAY:
            return
        # They may have been counted a little later than they were told of.
        for counted in range(first, latest + 1):
            taken = min(units, ticks.get(counted, 0))
            if taken:
                ticks[counted] -= taken
                self.total -= taken
                units -= taken
            if not units:
                return

    def seconds_until(self, room: int, limit: int, second: int) -> int:
        """Whole seconds until ``room`` more units fit under ``limit``; a day where they never will."""
        free = limit - self.used(second)
        for tick, units in self._ticks.items():
            free += units
            if free >= room:
                return max(1, (tick + _TICKS_A_DAY + 1) * _TICK_SECONDS - second)
        return _TICKS_A_DAY * _TICK_SECONDS

    def _advance(self, tick: int) -> None:
        ticks, first = self._ticks, tick - _TICKS_A_DAY
        while ticks and (oldest := next(iter(ticks))) < first:
            self.total -= ticks.pop(oldest)
        self._latest = tick
        ticks[tick] = 0
