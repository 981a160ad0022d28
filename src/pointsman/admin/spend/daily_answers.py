"""From the ledger's sums to the answer of ``…/daily/activity``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from pointsman.admin.spend.daily_sums import entities_of, lanes_of
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


class _Rows(msgspec.Struct, frozen=True):
    """Sums by day: by models and routes, and by entities. They are the same where keys are told apart, too."""

    lanes: Sequence[ActivityRow]
    entities: Sequence[ActivityRow]
    are_cut: bool = False


class _Names(msgspec.Struct, frozen=True):
    keys: Mapping[str, KeyRecord]
    entities: Mapping[str, str]
    entity_field: str


async def daily_reply(office: Office, subject: Subject, page: Page) -> tuple[SpendAnalyticsReply, bool]:
    """Days with their sums and breakdowns, and whether not all that there is is named."""
    lanes = () if subject.with_keys else await lanes_of(office, subject.query)
    if subject.with_keys:
        of_days = await office.ledger.activity(msgspec.structs.replace(subject.query, by=("day",)))
        days = {row.day: row.counts for row in of_days}
    else:
        days = _by_day(lanes)
    latest = sorted(days, reverse=True)
    shown = latest[(page.number - 1) * page.size : page.number * page.size]
    told = {day: days[day] for day in shown}
    rows = await _rows(office, subject, told, lanes)
    names = await _names_of(office, subject, rows.entities)
    # In a thread, since twenty thousand sums with their breakdowns take a second, and others want to be served.
    results = await asyncio.to_thread(_results, subject, told, rows, names)
    return SpendAnalyticsReply(results, _metadata(told.values(), page, len(latest))), rows.are_cut


def _results(subject: Subject, days: Mapping[date, Counts], rows: _Rows, names: _Names) -> list[DailySpendData]:
    lanes, entities = _grouped(rows.lanes), _grouped(rows.entities)
    return [
        DailySpendData(
            day.isoformat(),
            metrics_of(counts),
            _breakdown(subject, lanes.get(day, []), entities.get(day, []), names),
        )
        for day, counts in days.items()
    ]


def _grouped(rows: Iterable[ActivityRow]) -> dict[date, list[ActivityRow]]:
    by_day: dict[date, list[ActivityRow]] = {}
    for row in rows:
        by_day.setdefault(row.day, []).append(row)
    return by_day


def _by_day(rows: Iterable[ActivityRow]) -> dict[date, Counts]:
    return {day: _sum(of_day) for day, of_day in _grouped(rows).items()}


async def _rows(office: Office, subject: Subject, days: Mapping[date, Counts], lanes: Sequence[ActivityRow]) -> _Rows:
    """What the breakdowns are made of."""
    if not days:
        return _Rows((), ())
    query = msgspec.structs.replace(subject.query, first_day=min(days), last_day=max(days))
    if not subject.with_keys:
        if subject.entity is None:
            return _Rows(lanes, ())
        entities, are_cut = await entities_of(office, query, days)
        return _Rows(lanes, entities, are_cut)
    by: tuple[Dimension, ...] = ("day", "model_group", "model", "provider", "route", "key_token")
    by += () if subject.entity is None else (subject.entity,)
    rows = await office.ledger.activity(msgspec.structs.replace(query, by=by, order="spend", limit=_ROWS_MAX))
    return _Rows(rows, rows, len(rows) >= _ROWS_MAX)


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


def _breakdown(subject: Subject, rows: list[ActivityRow], of_entities: list[ActivityRow], names: _Names) -> Breakdown:
    def by_line(name_of: Callable[[Line], str]) -> dict[str, Metric]:
        return _metrics(rows, lambda row: name_of(row.line), subject, names)

    entities = (
        {} if subject.entity is None else _metrics(of_entities, lambda row: _entity(subject, row), subject, names)
    )
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
