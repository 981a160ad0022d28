"""``/global/activity…``: how many calls and tokens there were by day, in LiteLLM's words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.admin.keys.lookup import flushed
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.spend.days import asked_days, label
from pointsman.admin.spend.sight import Sight, demand_all, sight_of
from pointsman.admin.spend.totals import ReportDaysQuery
from pointsman.core.errors import Malformed
from pointsman.stores.activity import ActivityQuery, ActivityRow, FailureQuery, FailureRow

__all__ = [
    "ActivityReply",
    "CacheActivityReply",
    "CacheFilters",
    "CacheGroup",
    "CacheTotals",
    "DayActivity",
    "DayExceptions",
    "DeploymentExceptions",
    "ExceptionsQuery",
    "ExceptionsReply",
    "ModelActivity",
    "cache_hits",
    "global_activity",
    "global_exceptions",
    "global_exceptions_by_deployment",
    "global_model_activity",
]

_SHOWN_MAX: Final = 10
_RATE_LIMITED: Final = 429


class ExceptionsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which days (UTC), both included, and of which model."""

    model_group: str | None = None
    start_date: str | None = None
    end_date: str | None = None


class DayActivity(msgspec.Struct, frozen=True):
    """One day; ``date`` is as charts show it: ``Jan 22``."""

    date: str
    api_requests: int
    total_tokens: int


class ActivityReply(msgspec.Struct, frozen=True):
    """The days that had calls, and their sums."""

    daily_data: list[DayActivity]
    sum_api_requests: int
    sum_total_tokens: int


class ModelActivity(msgspec.Struct, frozen=True):
    """The same for one model."""

    model: str
    daily_data: list[DayActivity]
    sum_api_requests: int
    sum_total_tokens: int


class DayExceptions(msgspec.Struct, frozen=True):
    """How many calls were refused with 429 on one day."""

    date: str
    num_rate_limit_exceptions: int


class ExceptionsReply(msgspec.Struct, frozen=True):
    """The days that had such calls, and their sum."""

    daily_data: list[DayExceptions]
    sum_num_rate_limit_exceptions: int


class DeploymentExceptions(msgspec.Struct, frozen=True):
    """The same for one host."""

    api_base: str
    daily_data: list[DayExceptions]
    sum_num_rate_limit_exceptions: int


class CacheGroup(msgspec.Struct, frozen=True):
    """Calls of one route."""

    call_type: str
    api_requests: int
    cache_hits: int
    failed_requests: int
    cached_completion_tokens: int
    generated_completion_tokens: int


class CacheTotals(msgspec.Struct, frozen=True):
    """The sums of all routes."""

    api_requests: int
    cache_hits: int
    failed_requests: int
    cached_completion_tokens: int
    cache_hit_ratio: float


class CacheFilters(msgspec.Struct, frozen=True):
    """What can be filtered by."""

    key_aliases: list[str]
    models: list[str]


class CacheActivityReply(msgspec.Struct, frozen=True):
    """How often answers came out of a cache of the gateway's own: never yet, so that hits are 0."""

    groups: list[CacheGroup]
    totals: CacheTotals
    filter_options: CacheFilters
    error_breakdown: list[str] = []


async def global_activity(office: Office, visit: Visit[ReportDaysQuery, Nothing]) -> Answer:
    """Calls and tokens by day."""
    rows = await _rows(office, visit)
    return Answer(ActivityReply(_days(rows), *_sums(rows)))


async def global_model_activity(office: Office, visit: Visit[ReportDaysQuery, Nothing]) -> Answer:
    """Calls and tokens by day for each of the ten models with most calls."""
    by_model: dict[str, list[ActivityRow]] = {}
    for row in await _rows(office, visit, by_model=True):
        by_model.setdefault(row.line.model_group, []).append(row)
    found = [ModelActivity(model, _days(rows), *_sums(rows)) for model, rows in by_model.items()]
    found.sort(key=lambda one: -one.sum_api_requests)
    return Answer(found[:_SHOWN_MAX])


async def global_exceptions(office: Office, visit: Visit[ExceptionsQuery, Nothing]) -> Answer:
    """How many calls of a model were refused with 429, by day."""
    by_day: dict[str, int] = {}
    for row in await _failures(office, visit):
        by_day[label(row.day)] = by_day.get(label(row.day), 0) + row.calls
    return Answer(_exceptions(by_day))


async def global_exceptions_by_deployment(office: Office, visit: Visit[ExceptionsQuery, Nothing]) -> Answer:
    """The same for each of the ten hosts with most of them."""
    by_host: dict[str, dict[str, int]] = {}
    for row in await _failures(office, visit):
        if row.host:
            by_host.setdefault(row.host, {})[label(row.day)] = row.calls
    found = [
        DeploymentExceptions(host, reply.daily_data, reply.sum_num_rate_limit_exceptions)
        for host, reply in ((host, _exceptions(by_day)) for host, by_day in by_host.items())
    ]
    found.sort(key=lambda one: (-one.sum_num_rate_limit_exceptions, one.api_base))
    return Answer(found[:_SHOWN_MAX])


async def cache_hits(office: Office, visit: Visit[ReportDaysQuery, Nothing]) -> Answer:
    """Calls by route, and how many of them a cache answered."""
    sight = await sight_of(office, visit.caller)
    days = asked_days(visit.query.start_date, visit.query.end_date)
    routes = await _read(office, sight, ActivityQuery(first_day=days.first, last_day=days.last, by=("route",)))
    models = await _read(office, sight, ActivityQuery(first_day=days.first, last_day=days.last, by=("model_group",)))
    groups = [
        CacheGroup(
            row.line.route or "Unknown",
            row.counts.successes,
            0,
            row.counts.failures,
            0,
            row.counts.completion_tokens,
        )
        for row in routes
    ]
    totals = CacheTotals(sum(one.api_requests for one in groups), 0, sum(one.failed_requests for one in groups), 0, 0.0)
    names = [row.line.model_group for row in models if row.line.model_group]
    return Answer(CacheActivityReply(groups, totals, CacheFilters([], names)))


async def _rows(
    office: Office, visit: Visit[ReportDaysQuery, Nothing], *, by_model: bool = False
) -> tuple[ActivityRow, ...]:
    sight = await sight_of(office, visit.caller)
    days = asked_days(visit.query.start_date, visit.query.end_date)
    query = ActivityQuery(first_day=days.first, last_day=days.last, by=("day", "model_group") if by_model else ("day",))
    return await _read(office, sight, query)


async def _read(office: Office, sight: Sight, query: ActivityQuery) -> tuple[ActivityRow, ...]:
    await flushed(office)
    return await office.ledger.activity(sight.within(query))


async def _failures(office: Office, visit: Visit[ExceptionsQuery, Nothing]) -> tuple[FailureRow, ...]:
    demand_all(await sight_of(office, visit.caller), "look at everybody's failures")
    asked = visit.query
    if asked.model_group is None:
        raise Malformed("Please provide model_group", param="model_group")
    days = asked_days(asked.start_date, asked.end_date)
    await flushed(office)
    query = FailureQuery(
        first_day=days.first, last_day=days.last, model_group=asked.model_group, http_status=_RATE_LIMITED
    )
    return await office.ledger.failed_calls(query)


def _days(rows: Iterable[ActivityRow]) -> list[DayActivity]:
    return [DayActivity(label(row.day), row.counts.calls, row.counts.total_tokens) for row in rows]


def _sums(rows: Iterable[ActivityRow]) -> tuple[int, int]:
    counts = [row.counts for row in rows]
    return sum(one.calls for one in counts), sum(one.total_tokens for one in counts)


def _exceptions(by_day: dict[str, int]) -> ExceptionsReply:
    return ExceptionsReply([DayExceptions(day, calls) for day, calls in by_day.items()], sum(by_day.values()))
