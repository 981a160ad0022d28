"""LiteLLM's durations (``30s``, ``15m``, ``12h``, ``7d``, ``2w``, ``1mo``): when one ends, and when a budget is reset.

Source: LiteLLM 1.109.1, ``duration_parser.py``. A key's life is counted from the moment it begins; a budget is reset on
the clock, so that "a day" of every key ends at the same time. The rules here differ from LiteLLM's where those reset
a budget more often than it says: LiteLLM resets ``48h`` every midnight and ``90m`` every hour. Budgets of several
months, which it refuses, end on the first of a month.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from pointsman.core.errors import Malformed

__all__ = ["approximate_seconds", "ends_at", "next_reset"]

_FORM: Final = re.compile(r"([1-9][0-9]{0,8})(s|m|h|d|w|mo)", re.ASCII)
_WORDS: Final = {"hourly": "1h", "daily": "24h", "weekly": "7d", "monthly": "30d"}
_DAY_SECONDS: Final = 86_400
_WEEK_SECONDS: Final = 7 * _DAY_SECONDS
_MONTH_SECONDS: Final = 30 * _DAY_SECONDS
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": _DAY_SECONDS, "w": _WEEK_SECONDS, "mo": _MONTH_SECONDS}
_SECONDS_MAX: Final = 100 * 366 * _DAY_SECONDS
_MONTHS_A_YEAR: Final = 12


def ends_at(duration: str, start: float, field: str) -> float:
    """When what begins at ``start`` ends; both in seconds since the epoch.

    A month later is the same day of the month and time of day in UTC, or the last day where the month has no such day.

    Raises:
        Malformed: no duration, or longer than a century; ``param`` is ``field``.
    """
    number, unit = _parts(duration, field)
    return _months_after(start, number) if unit == "mo" else start + number * _SECONDS[unit]


def next_reset(duration: str, now: float, field: str = "budget_duration") -> float:
    """When a budget of this duration is next reset, in seconds since the epoch, as ``now``; always after it.

    ``7d`` and ``1w`` end on Monday, months and ``30d`` on the first, each at midnight UTC. All others end at a whole
    multiple of themselves since today's midnight UTC: ``1d`` at the next midnight, ``1h`` at the full hour.

    Raises:
        Malformed: see :func:`ends_at`.
    """
    number, unit = _parts(duration, field)
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    midnight = today.timestamp()
    if unit == "mo" or (number, unit) == (30, "d"):
        return _months_after(today.replace(day=1).timestamp(), number if unit == "mo" else 1)
    if unit in {"d", "w"} and number * _SECONDS[unit] == _WEEK_SECONDS:
        return (today + timedelta(days=7 - today.weekday())).timestamp()
    length = number * _SECONDS[unit]
    return midnight + ((now - midnight) // length + 1) * length


def approximate_seconds(duration: str, field: str) -> int:
    """The length of a duration in seconds, a month counted as 30 days; for comparing.

    Raises:
        Malformed: see :func:`ends_at`.
    """
    number, unit = _parts(duration, field)
    return number * _SECONDS[unit]


def _parts(duration: str, field: str) -> tuple[int, str]:
    found = _FORM.fullmatch(_WORDS.get(duration.strip().lower(), duration))
    if found is None or int(found[1]) * _SECONDS[found[2]] > _SECONDS_MAX:
        raise Malformed(
            f"{field} must be a duration.",
            hint="For example 30s, 15m, 12h, 7d, 2w or 1mo; a century at most.",
            param=field,
        )
    return int(found[1]), found[2]


def _months_after(moment: float, months: int) -> float:
    """The same day and time ``months`` later, or that month's last day."""
    start = datetime.fromtimestamp(moment, UTC)
    years, month = divmod(start.month - 1 + months, _MONTHS_A_YEAR)
    first = start.replace(year=start.year + years, month=month + 1, day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    target = first.replace(day=min(start.day, last.day))
    # The difference is exact where the timestamp of a fraction of a second would be rounded.
    return moment + (target - start) / timedelta(seconds=1)
