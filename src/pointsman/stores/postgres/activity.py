"""Sums by day in PostgreSQL: how they are added to, and how reports read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from operator import itemgetter
from typing import Any, Final

from msgspec.structs import astuple

from pointsman.stores.activity import (
    EPOCH,
    LOOKED_FOR_MAX,
    SCOPES,
    ActivityQuery,
    ActivityRow,
    Cell,
    Counts,
    FailureGroup,
    FailureQuery,
    FailureRow,
    Line,
    Owners,
    Ranked,
    Scope,
    cheapest,
    day_number,
    owners_of,
    summed_without_owners,
    without_owners,
)
from pointsman.stores.ports import LedgerTotals
from pointsman.stores.postgres.activity_statements import (
    ACTIVITY,
    ACTIVITY_BY_LINES,
    ACTIVITY_OF_DAYS,
    ACTIVITY_OF_OWNERS,
    ADD_ACTIVITY,
    ADD_FAILURES,
    COUNT_NAMES,
    FAILURES,
    KNOWN_DAYS,
    LET_GO,
    LINES_OF_OWNERS,
    RANKED,
    SET_ACTIVITY,
    TOTALS,
)
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.statements import PLAN_ANEW
from pointsman.stores.postgres.text import indexed, told

__all__ = [
    "add_activity",
    "read_activity",
    "read_failures",
    "read_ranked",
    "read_totals",
    "set_activity",
]

_DIMENSIONS: Final = (
    "day", "identity", "key_token", "user_id", "team_id", "organization_id", "model_group", "model", "provider", "route"
)  # fmt: skip
_LINE_AT: Final = 2
_COUNTS_AT: Final = len(_DIMENSIONS)
_AT_ONCE: Final = 500
"""Sums in one statement: making it holds the event loop for about a millisecond."""
_PLACE: Final = itemgetter(0, 1, 2, 3)


async def add_activity(
    session: Session,
    sums: Mapping[Cell, Counts],
    failures: Mapping[FailureGroup, int],
    line_ids: Mapping[Line, int],
) -> None:
    """Count in what a batch of calls came to."""
    cells = _cells(sums, line_ids)
    for start in range(0, len(cells), _AT_ONCE):
        await session.execute(ADD_ACTIVITY, *_columns(cells[start : start + _AT_ONCE]))
    if failures:
        failed = [
            (day, indexed(model_group), indexed(host), http_status, calls)
            for (day, model_group, host, http_status), calls in failures.items()
        ]
        await session.execute(ADD_FAILURES, *_columns(failed))


async def set_activity(
    session: Session, day: int, routes: str, sums: Mapping[Cell, Counts], line_ids: Mapping[Line, int]
) -> int:
    """Put sums of a day in place of those from before, and tell how many changed."""
    await _set(session, day, routes, summed_without_owners(sums), line_ids)
    return await _set(session, day, routes, sums, line_ids)


async def _set(
    session: Session, day: int, routes: str, sums: Mapping[Cell, Counts], line_ids: Mapping[Line, int]
) -> int:
    cells = _cells(sums, line_ids)
    changed = 0
    for scope in sorted({SCOPES[cell.scope] for cell in sums}):
        given = [cell for cell in cells if cell[0] == scope]
        identities, lines = [cell[2] for cell in given], [cell[3] for cell in given]
        changed += await session.execute(LET_GO, scope, day, routes, identities, lines)
    for start in range(0, len(cells), _AT_ONCE):
        changed += await session.execute(SET_ACTIVITY, *_columns(cells[start : start + _AT_ONCE]))
    return changed


def _cells(sums: Mapping[Cell, Counts], line_ids: Mapping[Line, int]) -> list[tuple[Any, ...]]:
    """As rows, in the order in which all replicas write them."""
    cells = [
        (SCOPES[scope], day, indexed(identity), line_ids[line], *astuple(counts))
        for (day, scope, identity, line), counts in sums.items()
    ]
    cells.sort(key=_PLACE)
    return cells


async def read_activity(session: Session, query: ActivityQuery) -> tuple[ActivityRow, ...]:
    """The sums that match."""
    query = cheapest(query)
    span = await _known_span(session, day_number(query.first_day), day_number(query.last_day))
    if span is None:
        return ()
    await session.execute(PLAN_ANEW)
    values = (SCOPES[query.scope], *span, *_filters(query))
    owners = await _looked_for(session, query, span)
    if owners is None:
        rows = await session.rows(_statement(query), *values)
    else:
        rows = await session.rows(ACTIVITY_OF_OWNERS[owners], *values, SCOPES[without_owners(query.scope)])
    return tuple(
        ActivityRow(
            EPOCH + timedelta(days=row[0]),
            told(row[1]),
            Line(*map(told, row[_LINE_AT:_COUNTS_AT])),
            Counts(*row[_COUNTS_AT:]),
        )
        for row in rows
    )


async def read_ranked(session: Session, scope: Scope, days: tuple[int, int], limit: int) -> tuple[Ranked, ...]:
    """Who of a scope spent most within the days."""
    return _ranked(await session.rows(RANKED, SCOPES[without_owners(scope)], *days, limit))


async def read_failures(session: Session, query: FailureQuery) -> tuple[FailureRow, ...]:
    """How many calls failed in one way."""
    days = day_number(query.first_day), day_number(query.last_day)
    rows = await session.rows(FAILURES, *days, indexed(query.model_group), query.http_status)
    return tuple(FailureRow(EPOCH + timedelta(days=day), told(host), calls) for day, host, calls in rows)


async def read_totals(session: Session) -> LedgerTotals:
    """The sums of everything."""
    (row,) = await session.rows(TOTALS)
    return LedgerTotals(*row)


async def _known_span(session: Session, first_day: int, last_day: int) -> tuple[int, int] | None:
    """The part of a span that has calls at all, since some statements look at each of its days."""
    ((earliest, latest),) = await session.rows(KNOWN_DAYS)
    if earliest is None:
        return None
    span = max(first_day, earliest), min(last_day, latest)
    return span if span[0] <= span[1] else None


async def _looked_for(session: Session, query: ActivityQuery, span: tuple[int, int]) -> Owners | None:
    """Whose sums under names are few enough to be looked for one by one; None: there is no such thing."""
    owners = owners_of(query)
    if owners is None or query.scope == "line":
        return None
    wanted: Mapping[Owners, tuple[Any, ...]] = {
        "key": (_array(query.key_tokens),),
        "user": (_wanted(query.user_id),),
        "team": (_array(query.team_ids), _wanted(query.organization_id)),
    }
    lines = await session.whole(LINES_OF_OWNERS[owners], LOOKED_FOR_MAX, *wanted[owners]) or 0
    names = (span[1] - span[0] + 1) * len(query.identities or ())
    if query.identities is None:
        scope = SCOPES[without_owners(query.scope)]
        names = await session.whole(COUNT_NAMES, scope, *span, LOOKED_FOR_MAX) or 0
    return owners if lines * names <= LOOKED_FOR_MAX else None


def _statement(query: ActivityQuery) -> str:
    if query.identities is not None:
        return ACTIVITY_OF_DAYS
    owners = owners_of(query)
    return ACTIVITY if owners is None or query.scope != "line" else ACTIVITY_BY_LINES[owners]


def _filters(query: ActivityQuery) -> tuple[Any, ...]:
    """The parameters of the statements behind scope and days, in their order."""
    return (
        _array(query.identities),
        _array(query.but_not),
        _array(query.key_tokens),
        _wanted(query.user_id),
        query.team_ids is None and query.organization_id is None,
        _array(query.team_ids),
        _wanted(query.organization_id),
        _wanted(query.model),
        query.order == "spend",
        query.limit,
        query.offset,
        *[name in query.by for name in _DIMENSIONS],
    )


def _ranked(rows: Sequence[Any]) -> tuple[Ranked, ...]:
    return tuple(Ranked(told(identity), calls, spend) for identity, calls, spend in rows)


def _array(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else [indexed(name) for name in names]


def _wanted(name: str | None) -> str | None:
    return None if name is None else indexed(name)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
