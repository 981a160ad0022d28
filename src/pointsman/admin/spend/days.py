"""Which days a report is about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from pointsman.admin.timestamps import read_moment
from pointsman.core.errors import Malformed
from pointsman.stores.activity import EPOCH

__all__ = ["Days", "all_days", "asked_days", "label", "last_days", "midnight", "today"]

_LATEST: Final = date(9999, 12, 31)


class Days(msgspec.Struct, frozen=True):
    """From ``first`` to ``last``, both included; days of UTC."""

    first: date
    last: date


def today(now: float) -> date:
    """The day of UTC that it is."""
    return datetime.fromtimestamp(now, UTC).date()


def last_days(now: float, count: int) -> Days:
    """Today and the days before, ``count`` before it."""
    last = today(now)
    return Days(last - timedelta(days=count), last)


def all_days() -> Days:
    """Every day that can be asked for."""
    return Days(EPOCH, _LATEST)


def asked_days(start_date: str | None, end_date: str | None, *, otherwise: Days | None = None) -> Days:
    """The days between two dates, as LiteLLM wants them: both, or neither where there is something otherwise.

    Raises:
        Malformed: a date is missing or is none, or the end is before the start.
    """
    if otherwise is not None and start_date is None and end_date is None:
        return otherwise
    if start_date is None or end_date is None:
        if otherwise is None:
            raise Malformed("Please provide start_date and end_date", hint="Both are dates, as 2026-01-31.")
        first = otherwise.first if start_date is None else _day(start_date, "start_date")
        last = otherwise.last if end_date is None else _day(end_date, "end_date")
    else:
        first, last = _day(start_date, "start_date"), _day(end_date, "end_date")
    if last < first:
        raise Malformed("end_date is before start_date.", param="end_date")
    return Days(first, last)


def label(day: date) -> str:
    """A day as charts of LiteLLM show it: ``Jan 22``."""
    return day.strftime("%b %d")


def midnight(day: date) -> str:
    """The moment a day begins, in ISO 8601."""
    return f"{day.isoformat()}T00:00:00+00:00"


def _day(text: str, field: str) -> date:
    return read_moment(text, field)[0].date()
