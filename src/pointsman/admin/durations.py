"""Durations as LiteLLM writes them: ``30s``, ``15m``, ``12h``, ``7d``, ``2w``, ``1mo``."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from pointsman.core.errors import Malformed

__all__ = ["after", "approximate_seconds"]

_FORM: Final = re.compile(r"([1-9][0-9]{0,8})(s|m|h|d|w|mo)", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "mo": 2_592_000}
_SECONDS_MAX: Final = 100 * 366 * 86_400


def after(duration: str, start: float, field: str) -> float:
    """The moment ``duration`` after ``start``, both in seconds since the epoch.

    A month later is the same day of the month and time of day in UTC, or the last day where the month has no such day.

    Raises:
        Malformed: no duration, or longer than a century; ``param`` is ``field``.
    """
    number, unit = _parse(duration, field)
    if unit != "mo":
        return start + number * _SECONDS[unit]
    moment = datetime.fromtimestamp(start, UTC)
    years, month = divmod(moment.month - 1 + number, 12)
    year = moment.year + years
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    target = moment.replace(year=year, month=month + 1, day=day)
    return start + (target - moment) / timedelta(seconds=1)


def approximate_seconds(duration: str, field: str) -> int:
    """The length of a duration in seconds, a month counted as 30 days; for comparing.

    Raises:
        Malformed: see :func:`after`.
    """
    number, unit = _parse(duration, field)
    return number * _SECONDS[unit]


def _parse(duration: str, field: str) -> tuple[int, str]:
    match = _FORM.fullmatch(duration)
    if match is None or int(match[1]) * _SECONDS[match[2]] > _SECONDS_MAX:
        raise Malformed(
            f"{field} must be a duration.",
            hint="For example 30s, 15m, 12h, 7d, 2w or 1mo; a century at most.",
            param=field,
        )
    return int(match[1]), match[2]
