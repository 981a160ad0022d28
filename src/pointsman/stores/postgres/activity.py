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
    COUNT_CALLS_OF_DAYS,
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
from pointsman.stores.postgres.tag_users import let_users_go
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
_SOON_FOUND: Final = 5_000
"""Sums that are looked for one by one however few there are: some ten milliseconds."""
_READ_AT_ONCE: Final = 4
"""Sums that are read, one after the other, in the time in which one is looked for."""
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
        gone = [(row[0], row[1]) for row in await session.rows(LET_GO, scope, day, routes, identities, lines)]
        changed += len(gone)
        if gone and scope == SCOPES["tag"]:
            await let_users_go(session, day, gone)
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
    statement, more = await _statement(session, query, span)
    rows = await session.rows(statement, SCOPES[query.scope], *span, *_filters(query), *more)
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


async def _statement(session: Session, query: ActivityQuery, span: tuple[int, int]) -> tuple[str, tuple[int, ...]]:
    """How the sums are found that have the fewest others beside them, and what that takes beyond the filters."""
    owners = owners_of(query)
    if owners is not None and query.scope != "line" and await _are_few(session, query, owners, span):
        return ACTIVITY_OF_OWNERS[owners], (SCOPES[without_owners(query.scope)],)
    if query.identities is not None:
        return ACTIVITY_OF_DAYS, ()
    if owners is None or query.scope != "line" or await _are_most(session, query, owners, span):
        return ACTIVITY, ()
    return ACTIVITY_BY_LINES[owners], ()


async def _are_few(session: Session, query: ActivityQuery, owners: Owners, span: tuple[int, int]) -> bool:
    """Whether the sums of owners under names are to be looked for one by one."""
    lines = await _count_lines(session, query, owners, LOOKED_FOR_MAX)
    names = (span[1] - span[0] + 1) * len(query.identities or ())
    if query.identities is None:
        scope = SCOPES[without_owners(query.scope)]
        names = await session.whole(COUNT_NAMES, scope, *span, LOOKED_FOR_MAX) or 0
    return lines * names <= LOOKED_FOR_MAX


async def _are_most(session: Session, query: ActivityQuery, owners: Owners, span: tuple[int, int]) -> bool:
    """Whether owners have so many lines that it takes longer to look for each on each day than to read all of the days.

    Of a day there are no more sums by lines than calls, and to look for one takes as long as reading several.
    """
    calls = await session.whole(COUNT_CALLS_OF_DAYS, *span) or 0
    most = max(calls // _READ_AT_ONCE, _SOON_FOUND) // (span[1] - span[0] + 1)
    return await _count_lines(session, query, owners, most) > most


async def _count_lines(session: Session, query: ActivityQuery, owners: Owners, most: int) -> int:
    """How many lines the owners have, or one more than ``most``."""
    wanted: Mapping[Owners, tuple[Any, ...]] = {
        "key": (_array(query.key_tokens),),
        "user": (_wanted(query.user_id),),
        "team": (_array(query.team_ids), _wanted(query.organization_id)),
    }
    return await session.whole(LINES_OF_OWNERS[owners], most, *wanted[owners]) or 0


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
