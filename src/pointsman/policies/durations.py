"""LiteLLM's durations (``30s``, ``15m``, ``12h``, ``7d``, ``1w``, ``1mo``): how long, and when the next one begins."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from pointsman.core.errors import Malformed

__all__ = ["next_reset", "seconds_of"]

_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})(s|m|h|d|w|mo)", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_MONTHS_A_YEAR: Final = 12
_YEAR_MAX: Final = 9_999


def seconds_of(duration: str, now: float) -> float:
    """The seconds of a duration that begins ``now``; a month is a month of the calendar.

    Raises:
        Malformed: it is no duration.
    """
    number, unit = _parts(duration)
    if unit == "mo":
        return _months_after(now, number) - now
    return float(number * _SECONDS[unit])


def next_reset(duration: str, now: float) -> float:
    """When a budget of this duration is next reset: at the end of the day, week or month of UTC for whole ones.

    ``1d`` ends at midnight, ``7d`` and ``1w`` on Monday, ``1mo`` and ``30d`` on the first; others run from now on.

    Raises:
        Malformed: it is no duration.
    """
    number, unit = _parts(duration)
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if (number, unit) == (1, "d"):
        return (today + timedelta(days=1)).timestamp()
    if (number, unit) in ((7, "d"), (1, "w")):
        return (today + timedelta(days=7 - today.weekday())).timestamp()
    if (number, unit) in ((30, "d"), (1, "mo")):
        return _months_after(today.replace(day=1).timestamp(), 1)
    return now + seconds_of(duration, now)


def _parts(duration: str) -> tuple[int, str]:
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise Malformed(f"{duration!r} is not a duration.", hint="Write it like 30s, 15m, 12h, 7d, 1w or 1mo.")
    return int(found[1]), found[2]


def _months_after(moment: float, months: int) -> float:
    """The same day and time ``months`` later, or that month's last day."""
    start = datetime.fromtimestamp(moment, UTC)
    ahead = start.year * _MONTHS_A_YEAR + start.month - 1 + months
    year, month = divmod(ahead, _MONTHS_A_YEAR)
    if year > _YEAR_MAX:
        raise Malformed("That many months end after the year 9999.")
    for day in range(start.day, 0, -1):
        try:
            return start.replace(year=year, month=month + 1, day=day).timestamp()
        except ValueError:
            continue
    return moment
