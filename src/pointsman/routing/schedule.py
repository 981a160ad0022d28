"""Times of a week, such as ``07:30 mon-fri``, in a time zone."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from typing import Final

import msgspec

__all__ = ["WeeklyTime", "weekly_time"]

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK: Final = len(_DAYS)


class WeeklyTime(msgspec.Struct, frozen=True):
    """A time of day on some days of the week, Monday being 0."""

    at: time
    days: frozenset[int]

    def latest(self, now: float, zone: tzinfo) -> float:
        """When it was that time last, at ``now`` or before; both are seconds since the epoch.

        A time that a change of the clocks leaves out is taken as by the former clock.
        """
        today = datetime.fromtimestamp(now, zone).date()
        for back in range(_WEEK + 1):
            day = today - timedelta(days=back)
            if day.weekday() in self.days:
                moment = datetime.combine(day, self.at, zone).timestamp()
                if moment <= now:
                    return moment
        message = "a week without any of its days"
        raise AssertionError(message)


def weekly_time(text: str) -> WeeklyTime:
    """Read ``HH:MM`` and, behind a space, days: ``daily``, ``mon-fri``, ``sat,sun``, ``fri-mon,wed``; daily if unsaid.

    Raises:
        ValueError: it is no such text.
    """
    clock, _, days = text.partition(" ")
    hour, _, minute = clock.partition(":")
    if not days or days == "daily":
        chosen = frozenset(range(_WEEK))
    else:
        chosen = frozenset(day for part in days.split(",") for day in _span(part))
    return WeeklyTime(time(int(hour), int(minute)), chosen)


def _span(text: str) -> range | list[int]:
    """The days of ``mon``, ``mon-fri`` or ``fri-mon``."""
    first, _, last = text.partition("-")
    start = _DAYS.index(first)
    length = (_DAYS.index(last or first) - start) % _WEEK + 1
    return [(start + step) % _WEEK for step in range(length)]
