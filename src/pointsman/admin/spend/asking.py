"""What ``/spend/…`` is asked, and which span of time that means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from pointsman.admin.timestamps import read_moment
from pointsman.core.errors import Malformed

__all__ = ["ROWS_MAX", "Span", "SpendKeysQuery", "SpendLogsQuery", "span_of"]

ROWS_MAX: Final = 1000

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SpendLogsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls. With a date and ``summarize`` sums by day are given, otherwise rows, the latest first.

    Dates and times are UTC; a date as ``end_date`` counts to its end.
    """

    api_key: str | None = None
    user_id: str | None = None
    request_id: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    summarize: bool = True
    limit: Annotated[int, Meta(ge=1, le=ROWS_MAX)] = ROWS_MAX
    offset: Annotated[int, Meta(ge=0, le=2**53)] = 0


class SpendKeysQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How many keys."""

    limit: Annotated[int, Meta(ge=1, le=ROWS_MAX)] = 100


class Span(msgspec.Struct, frozen=True):
    """From ``start`` (included) to ``end`` (not included)."""

    start: datetime
    end: datetime


def span_of(query: SpendLogsQuery, now: float) -> Span | None:
    """The span of time asked for; None: all of it.

    Raises:
        Malformed: a date that is none, or an end before the start.
    """
    if query.start_date is None and query.end_date is None:
        return None
    start = read_moment(query.start_date, "start_date")[0] if query.start_date else _FIRST
    end = max(start, datetime.fromtimestamp(now, UTC) + timedelta(days=1))
    if query.end_date:
        end, is_day = read_moment(query.end_date, "end_date")
        end = _day_later(end) if is_day else end
    if end < start:
        raise Malformed("end_date is before start_date.", param="end_date")
    return Span(start, end)


def _day_later(day: datetime) -> datetime:
    try:
        return day + timedelta(days=1)
    except OverflowError:
        raise Malformed("end_date is too late.", param="end_date") from None
