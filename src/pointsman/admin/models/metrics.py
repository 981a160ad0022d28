"""``/model/metrics`` and its kin: how fast and how well models answered, out of the ledger, in LiteLLM's shapes.

Times are in seconds. A series is named after its address where that is https, as in LiteLLM; several local servers with
one model would then be one, so those are named after both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from pointsman.admin.keys.lookup import flushed, token_meant
from pointsman.admin.models.description import address_without_secrets
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.spend.sight import REPORT_SHORTENED
from pointsman.admin.timestamps import read_moment
from pointsman.core.errors import Malformed
from pointsman.core.outcome import CallRecord
from pointsman.stores.performance import PerformanceFound, PerformanceQuery, PerformanceRow
from pointsman.stores.ports import LedgerQuery

__all__ = [
    "ExceptionsReply",
    "MetricsQuery",
    "MetricsReply",
    "SlowResponsesRow",
    "model_exceptions",
    "model_metrics",
    "slow_responses",
    "streaming_metrics",
]

_DAYS: Final = 30
_STREAMING_DAYS: Final = 7
_SLOW_SECONDS: Final = 300.0
"""LiteLLM's ``alerting_threshold``."""

_CALLS_MAX: Final = 1000
_CUT_AT: Final = "/openai/"

_Sums = dict[str, list[float]]


class MetricsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls: of a group, of a key (or its hash), of an end user; of the last 30 days if nothing else is said.

    Dates and times are UTC; a date as ``endTime`` counts to its end. ``slow_seconds`` is ours.
    """

    _selected_model_group: str | None = None
    startTime: str | None = None  # noqa: N815 - as LiteLLM writes it
    endTime: str | None = None  # noqa: N815 - as LiteLLM writes it
    api_key: str | None = None
    customer: str | None = None
    slow_seconds: Annotated[float, Meta(gt=0)] = _SLOW_SECONDS


class MetricsReply(msgspec.Struct, frozen=True):
    """Each row has its ``date`` and the values of the series by their names (``all_api_bases``)."""

    data: tuple[Mapping[str, str | float], ...]
    all_api_bases: tuple[str, ...]


class SlowResponsesRow(msgspec.Struct, frozen=True):
    """One address."""

    api_base: str
    total_count: int
    slow_count: int


class ExceptionsReply(msgspec.Struct, frozen=True):
    """Each row has its ``model``, ``total_exceptions`` and the counts by the errors' codes (``exception_types``)."""

    data: tuple[Mapping[str, str | int], ...]
    exception_types: tuple[str, ...]


async def model_metrics(office: Office, visit: Visit[MetricsQuery, Nothing]) -> Answer:
    """Seconds for each token of an answer, averaged over the calls of each day."""
    found = await _found(office, visit.query, _DAYS)
    return Answer(_by_day(found.rows, lambda row: (row.pace_seconds, row.paced)), headers=_told(found))


async def streaming_metrics(office: Office, visit: Visit[MetricsQuery, Nothing]) -> Answer:
    """Seconds to the first token, averaged over the streams of each day; of a single day stream by stream."""
    query = visit.query
    start, end = _span(office, query, _STREAMING_DAYS)
    if start.date() != (end - timedelta(microseconds=1)).date():
        of_days = await _found(office, query, _STREAMING_DAYS)
        return Answer(_by_day(of_days.rows, lambda row: (row.first_seconds, row.begun)), headers=_told(of_days))
    await flushed(office)
    token = token_meant(query.api_key) if query.api_key else None
    records = await office.ledger.find(
        LedgerQuery(key_token=token, start=start.timestamp(), end=end.timestamp(), limit=_CALLS_MAX)
    )
    found = [(record, seconds) for record in records if (seconds := _first_seconds(record, query)) is not None]
    data: tuple[Mapping[str, str | float], ...] = tuple(
        {"date": record.call_id, _series(record.model, record.api_base): first} for record, first in found
    )
    return Answer(MetricsReply(data, tuple({_series(record.model, record.api_base): None for record, _ in found})))


async def slow_responses(office: Office, visit: Visit[MetricsQuery, Nothing]) -> Answer:
    """How many calls took longer than is right, by address."""
    counts: dict[str, list[int]] = {}
    found = await _found(office, visit.query, _DAYS)
    for row in found.rows:
        count = counts.setdefault(_cut(address_without_secrets(row.api_base)), [0, 0])
        count[0] += row.calls
        count[1] += row.slow
    rows = [SlowResponsesRow(base, total, slow) for base, (total, slow) in counts.items()]
    return Answer(sorted(rows, key=lambda row: row.slow_count, reverse=True), headers=_told(found))


async def model_exceptions(office: Office, visit: Visit[MetricsQuery, Nothing]) -> Answer:
    """How many calls failed, by model and by the error's code."""
    counts: dict[str, dict[str, int]] = {}
    found = await _found(office, visit.query, _DAYS)
    for row in found.rows:
        if row.error_code:
            base = address_without_secrets(row.api_base)
            of_model = counts.setdefault(f"{row.model}-{base}" if base else row.model, {})
            of_model[row.error_code] = of_model.get(row.error_code, 0) + row.calls
    most_first = sorted(counts.items(), key=lambda item: sum(item[1].values()), reverse=True)
    data: list[Mapping[str, str | int]] = [
        {"model": name, "total_exceptions": sum(codes.values()), **codes} for name, codes in most_first
    ]
    every = sorted({code for codes in counts.values() for code in codes})
    return Answer(ExceptionsReply(tuple(data), tuple(every)), headers=_told(found))


async def _found(office: Office, query: MetricsQuery, days: int) -> PerformanceFound:
    start, end = _span(office, query, days)
    await flushed(office)
    return await office.ledger.performance(
        PerformanceQuery(
            start=start.timestamp(),
            end=end.timestamp(),
            slow_seconds=query.slow_seconds,
            model_group=_group(query),
            key_token=token_meant(query.api_key) if query.api_key else None,
            end_user=query.customer,
        )
    )


def _told(found: PerformanceFound) -> tuple[tuple[str, str], ...]:
    return () if found.is_whole else (REPORT_SHORTENED,)


def _group(query: MetricsQuery) -> str | None:
    return query._selected_model_group  # noqa: SLF001 - it is LiteLLM's name of the parameter


def _span(office: Office, query: MetricsQuery, days: int) -> tuple[datetime, datetime]:
    """The span of time that is meant.

    Raises:
        Malformed: a date that is none, or an end before the start.
    """
    now = datetime.fromtimestamp(office.clock.wall(), UTC)
    end, is_day = read_moment(query.endTime, "endTime") if query.endTime else (now, False)
    try:
        end = end + timedelta(days=1) if is_day else end
        start = read_moment(query.startTime, "startTime")[0] if query.startTime else end - timedelta(days=days)
    except OverflowError:
        raise Malformed("endTime is too early or too late.", param="endTime") from None
    if end < start:
        raise Malformed("endTime is before startTime.", param="endTime")
    return start, end


def _by_day(
    rows: Iterable[PerformanceRow], sum_and_count: Callable[[PerformanceRow], tuple[float, int]]
) -> MetricsReply:
    days: dict[str, _Sums] = {}
    for row in rows:
        total, count = sum_and_count(row)
        if count:
            sums = days.setdefault(row.day, {}).setdefault(_series(row.model, row.api_base), [0.0, 0.0])
            sums[0] += total
            sums[1] += count
    data: list[Mapping[str, str | float]] = [
        {"date": day, **{name: total / count for name, (total, count) in series.items()}}
        for day, series in sorted(days.items())
    ]
    return MetricsReply(tuple(data), tuple(dict.fromkeys(name for series in days.values() for name in series)))


def _first_seconds(record: CallRecord, query: MetricsQuery) -> float | None:
    first = record.first_token_at
    if not record.stream or first is None or first >= record.ended_at:
        return None
    is_meant = _group(query) in {None, record.model_group} and query.customer in {None, record.end_user}
    return first - record.started_at if is_meant else None


def _series(model: str, api_base: str) -> str:
    base = address_without_secrets(api_base)
    if base.startswith("https://"):
        return _cut(base)
    return f"{model}-{base}" if base else model


def _cut(base: str) -> str:
    return base.partition(_CUT_AT)[0]
