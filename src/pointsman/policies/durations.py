"""LiteLLM's durations (``30s``, ``15m``, ``12h``, ``7d``, ``2w``, ``1mo``): when one ends, and when a budget is reset.

Source: LiteLLM 1.109.1, ``duration_parser.py``. A key's life is counted from the moment it begins; a budget is reset on
the clock, so that "a day" of every key ends at the same time. The rules here differ from LiteLLM's where those reset
a budget more often than it says: LiteLLM resets ``48h`` every midnight and ``90m`` every hour. Budgets of several
months, which it refuses, end on the first of a month.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

import msgspec

from pointsman.core.errors import Malformed

__all__ = ["UTC_MIDNIGHT", "ResetClock", "approximate_seconds", "ends_at", "next_reset"]

_FORM: Final = re.compile(r"([1-9][0-9]{0,8})(s|m|h|d|w|mo)", re.ASCII)
_WORDS: Final = {"hourly": "1h", "daily": "24h", "weekly": "7d", "monthly": "30d"}
_DAY_SECONDS: Final = 86_400
_WEEK_DAYS: Final = 7
_HOUR: Final = timedelta(hours=1)
_SECONDS: Final = {
    "s": 1,
    "m": 60,
    "h": 3_600,
    "d": _DAY_SECONDS,
    "w": _WEEK_DAYS * _DAY_SECONDS,
    "mo": 30 * _DAY_SECONDS,
}
_SECONDS_MAX: Final = 100 * 366 * _DAY_SECONDS
_MONTHS_A_YEAR: Final = 12


class ResetClock(msgspec.Struct, frozen=True):
    """Whose days, weeks and months budgets go by, and at which time of day these end.

    ``carries``: what was spent beyond a budget when its period ends counts in the next one, too.
    """

    zone: tzinfo = UTC
    time_of_day: time = time()
    carries: bool = False


UTC_MIDNIGHT: Final = ResetClock()


def ends_at(duration: str, start: float, field: str) -> float:
    """When what begins at ``start`` ends; both in seconds since the epoch.

    A month later is the same day of the month and time of day in UTC, or the last day where the month has no such day.

    Raises:
        Malformed: no duration, or longer than a century; ``param`` is ``field``.
    """
    number, unit = _parts(duration, field)
    return _months_after(start, number) if unit == "mo" else start + number * _SECONDS[unit]


def next_reset(duration: str, now: float, clock: ResetClock = UTC_MIDNIGHT) -> float:
    """When a budget of this duration is next reset, in seconds since the epoch, as ``now``; always after it.

    ``7d`` and ``1w`` end on Monday, months and ``30d`` on the first, other days after so many of them, each at the
    clock's time of day. Shorter units end at a whole multiple of themselves since midnight: ``1h`` at the full hour.
    What the clock on the wall shows counts, also where it is put forward or back: ``24h`` always ends at midnight.

    Raises:
        Malformed: see :func:`ends_at`; ``param`` is ``budget_duration``.
    """
    number, unit = _parts(duration, "budget_duration")
    today = datetime.fromtimestamp(now, clock.zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if unit == "mo" or (number, unit) == (30, "d"):
        months = number if unit == "mo" else 1
        first = today.replace(day=1)
        passed = _at(first, clock) <= now
        return _at(_month_later(first, months if passed else months - 1), clock)
    if unit in {"d", "w"}:
        return _day_end(today, number * (1 if unit == "d" else _WEEK_DAYS), now, clock)
    return _on_the_clock(now, timedelta(seconds=number * _SECONDS[unit]), clock)


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


def _day_end(today: datetime, days: int, now: float, clock: ResetClock) -> float:
    if days == 1:
        end = today
    elif days == _WEEK_DAYS:
        end = today + timedelta(days=-today.weekday() % _WEEK_DAYS)
    else:
        return _at(today + timedelta(days=days), clock)
    return _at(end if _at(end, clock) > now else end + timedelta(days=days), clock)


def _on_the_clock(now: float, length: timedelta, clock: ResetClock) -> float:
    """The next time that the clock shows a whole multiple of a length since midnight."""
    shown = datetime.fromtimestamp(now, clock.zone).replace(tzinfo=None, fold=0)
    midnight = shown.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = (shown - midnight) // length
    ahead: list[float] = []
    for count in (passed, passed + 1, passed + 2):
        time_shown = midnight + count * length
        # One that is skipped comes where the clock goes on; one that is shown twice counts twice where both are so far
        # apart as the budget says, and else once.
        first, again = (time_shown.replace(tzinfo=clock.zone, fold=fold) for fold in (0, 1))
        moments = [first.timestamp()]
        if (
            length <= _HOUR
            and again.utcoffset() != first.utcoffset()
            and again.astimezone(UTC).astimezone(clock.zone).fold
        ):
            moments.append(again.timestamp())
        ahead += [moment for moment in moments if moment > now]
    return min(ahead)


def _at(day: datetime, clock: ResetClock) -> float:
    moment = clock.time_of_day
    return day.replace(hour=moment.hour, minute=moment.minute, second=moment.second).timestamp()


def _months_after(moment: float, months: int) -> float:
    """The same day and time ``months`` later in UTC, or that month's last day."""
    start = datetime.fromtimestamp(moment, UTC)
    first = _month_later(start.replace(day=1), months)
    last = _month_later(first, 1) - timedelta(days=1)
    target = first.replace(day=min(start.day, last.day))
    # The difference is exact where the timestamp of a fraction of a second would be rounded.
    return moment + (target - start) / timedelta(seconds=1)


def _month_later(first: datetime, months: int) -> datetime:
    """The first of a month, so many months after another."""
    years, month = divmod(first.month - 1 + months, _MONTHS_A_YEAR)
    return first.replace(year=first.year + years, month=month + 1)
