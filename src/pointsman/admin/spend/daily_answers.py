"""From the ledger's sums to the answer of ``…/daily/activity``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Final

import msgspec

from pointsman.admin.office import Office
from pointsman.admin.spend.daily_shapes import (
    Breakdown,
    DailySpendData,
    DailySpendMetadata,
    KeyMetadata,
    KeyMetric,
    Metric,
    SpendAnalyticsReply,
    metrics_of,
)
from pointsman.admin.spend.sight import aliases_of, key_records
from pointsman.core.identity import KeyRecord
from pointsman.core.price import dollars
from pointsman.stores.activity import ActivityQuery, ActivityRow, Counts, Dimension, Line
from pointsman.stores.directory.kinds import TEAMS, Kind

__all__ = ["Page", "Subject", "daily_reply"]

_ROWS_MAX: Final = 20_000
"""Sums that the breakdowns of one answer are made of; with more, the dearest are named. Totals are always whole."""
_PROVIDERLESS: Final = "unknown"
_UNASSIGNED: Final = "Unassigned"


class Subject(msgspec.Struct, frozen=True):
    """Who a report is about: what to ask the ledger, whether its sums know keys, and what names the entities."""

    query: ActivityQuery
    entity: Dimension | None
    kind: Kind[Any] | None
    with_keys: bool


class Page(msgspec.Struct, frozen=True):
    """Which of the days to tell, the latest first."""

    number: int
    size: int


class _Names(msgspec.Struct, frozen=True):
    keys: Mapping[str, KeyRecord]
    entities: Mapping[str, str]
    entity_field: str


async def daily_reply(office: Office, subject: Subject, page: Page) -> SpendAnalyticsReply:
    """Days with their sums and breakdowns."""
    query = subject.query
    days = {row.day: row.counts for row in await office.ledger.activity(msgspec.structs.replace(query, by=("day",)))}
    latest = sorted(days, reverse=True)
    shown = latest[(page.number - 1) * page.size : page.number * page.size]
    rows = await _rows(office, subject, shown) if shown else ()
    names = await _names_of(office, subject, rows)
    # In a thread, since twenty thousand sums with their breakdowns take a second, and others want to be served.
    results = await asyncio.to_thread(_results, subject, {day: days[day] for day in shown}, rows, names)
    return SpendAnalyticsReply(results, _metadata([days[day] for day in shown], page, len(latest)))


def _results(
    subject: Subject, days: Mapping[date, Counts], rows: Iterable[ActivityRow], names: _Names
) -> list[DailySpendData]:
    by_day: dict[date, list[ActivityRow]] = {}
    for row in rows:
        by_day.setdefault(row.day, []).append(row)
    return [
        DailySpendData(day.isoformat(), metrics_of(counts), _breakdown(subject, by_day.get(day, []), names))
        for day, counts in days.items()
    ]


async def _rows(office: Office, subject: Subject, shown: list[date]) -> tuple[ActivityRow, ...]:
    """What the breakdowns are made of."""
    by: tuple[Dimension, ...] = ("day", "model_group", "model", "provider", "route")
    by += () if subject.entity is None else (subject.entity,)
    by += ("key_token",) if subject.with_keys else ()
    query = msgspec.structs.replace(
        subject.query, by=by, first_day=shown[-1], last_day=shown[0], order="spend", limit=_ROWS_MAX
    )
    return await office.ledger.activity(query)


async def _names_of(office: Office, subject: Subject, rows: Iterable[ActivityRow]) -> _Names:
    rows = list(rows)
    keys = await key_records(office, (row.line.key_token for row in rows if row.line.key_token))
    entities: dict[str, str] = {}
    if subject.kind is not None:
        entities = await aliases_of(office, subject.kind, (_entity(subject, row) for row in rows))
    return _Names(keys, entities, "team_alias" if subject.kind is TEAMS else "alias")


def _entity(subject: Subject, row: ActivityRow) -> str:
    if subject.entity is None:
        return ""
    name: str = row.identity if subject.entity == "identity" else getattr(row.line, subject.entity)
    return name


def _breakdown(subject: Subject, rows: list[ActivityRow], names: _Names) -> Breakdown:
    def by_line(name_of: Callable[[Line], str]) -> dict[str, Metric]:
        return _metrics(rows, lambda row: name_of(row.line), subject, names)

    entities = {} if subject.entity is None else _metrics(rows, lambda row: _entity(subject, row), subject, names)
    if "" in entities:
        entities[_UNASSIGNED] = entities.pop("")
    return Breakdown(
        models=_named(by_line(lambda line: line.model or line.model_group)),
        model_groups=_named(by_line(lambda line: line.model_group)),
        providers=by_line(lambda line: line.provider or _PROVIDERLESS),
        endpoints=_named(by_line(lambda line: line.route)),
        api_keys=_keys(rows, names) if subject.with_keys else {},
        entities={
            name: msgspec.structs.replace(
                metric, metadata={names.entity_field: names.entities[name]} if name in names.entities else {}
            )
            for name, metric in entities.items()
        },
    )


def _named(metrics: dict[str, Metric]) -> dict[str, Metric]:
    return {name: metric for name, metric in metrics.items() if name}


def _metrics(
    rows: Iterable[ActivityRow], name_of: Callable[[ActivityRow], str], subject: Subject, names: _Names
) -> dict[str, Metric]:
    groups: dict[str, list[ActivityRow]] = {}
    for row in rows:
        groups.setdefault(name_of(row), []).append(row)
    return {
        name: Metric(metrics_of(_sum(group)), {}, _keys(group, names) if subject.with_keys else {})
        for name, group in groups.items()
    }


def _keys(rows: Iterable[ActivityRow], names: _Names) -> dict[str, KeyMetric]:
    sums: dict[str, Counts] = {}
    for row in rows:
        sums.setdefault(row.line.key_token, Counts()).add(row.counts)
    return {token: KeyMetric(metrics_of(counts), _key(token, names)) for token, counts in sums.items()}


def _key(token: str, names: _Names) -> KeyMetadata:
    record = names.keys.get(token)
    if record is None:
        return KeyMetadata(key_exists=False if token else None)
    return KeyMetadata(record.key_alias, record.team_id, record.user_id, key_exists=True)


def _sum(rows: Iterable[ActivityRow]) -> Counts:
    total = Counts()
    for row in rows:
        total.add(row.counts)
    return total


def _metadata(shown: Iterable[Counts], page: Page, days: int) -> DailySpendMetadata:
    total = Counts()
    for counts in shown:
        total.add(counts)
    pages = -(-days // page.size)
    return DailySpendMetadata(
        total_spend=dollars(total.spend),
        total_prompt_tokens=total.prompt_tokens,
        total_completion_tokens=total.completion_tokens,
        total_tokens=total.total_tokens,
        total_api_requests=total.calls,
        total_successful_requests=total.successes,
        total_failed_requests=total.failures,
        total_cache_read_input_tokens=total.cached_tokens,
        total_cache_creation_input_tokens=total.cache_write_tokens,
        total_response_time_ms=total.milliseconds,
        total_timed_requests=total.calls,
        page=page.number,
        total_pages=pages,
        has_more=page.number < pages,
    )
