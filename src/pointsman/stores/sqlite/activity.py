"""Sums by day in SQLite: how they are added to, and how reports read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import apsw
import msgspec
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
    Ranked,
    Scope,
    cheapest,
    day_number,
    owners_of,
    summed_without_owners,
    without_owners,
)
from pointsman.stores.ports import LedgerTotals
from pointsman.stores.sqlite.activity_statements import (
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
from pointsman.stores.sqlite.tag_users import let_users_go

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


def add_activity(
    connection: apsw.Connection,
    sums: Mapping[Cell, Counts],
    failures: Mapping[FailureGroup, int],
    line_id: Callable[[Line], int],
) -> None:
    """Count in what a batch of calls came to."""
    connection.execute(ADD_ACTIVITY, (_cells(sums, line_id),))
    if failures:
        failed = [(*group, calls) for group, calls in failures.items()]
        connection.execute(ADD_FAILURES, (msgspec.json.encode(failed).decode(),))


def set_activity(
    connection: apsw.Connection, day: int, routes: str, sums: Mapping[Cell, Counts], line_id: Callable[[Line], int]
) -> int:
    """Put sums of a day in place of those from before, and tell how many changed."""
    _set(connection, day, routes, summed_without_owners(sums), line_id)
    return _set(connection, day, routes, sums, line_id)


def _set(
    connection: apsw.Connection, day: int, routes: str, sums: Mapping[Cell, Counts], line_id: Callable[[Line], int]
) -> int:
    cells = _cells(sums, line_id)
    connection.execute(SET_ACTIVITY, (cells,))
    changed = connection.changes()
    for scope in {cell.scope for cell in sums}:
        values = {"scope": SCOPES[scope], "day": day, "routes": routes, "cells": cells}
        gone = [(str(identity), int(line)) for identity, line in connection.execute(LET_GO, values)]
        changed += len(gone)
        if gone and scope == "tag":
            let_users_go(connection, day, gone)
    return changed


def _cells(sums: Mapping[Cell, Counts], line_id: Callable[[Line], int]) -> str:
    cells = [
        (SCOPES[scope], day, identity, line_id(line), *astuple(counts))
        for (day, scope, identity, line), counts in sums.items()
    ]
    return msgspec.json.encode(cells).decode()


def read_activity(connection: apsw.Connection, query: ActivityQuery) -> tuple[ActivityRow, ...]:
    """The sums that match."""
    query = cheapest(query)
    span = _known_span(connection, day_number(query.first_day), day_number(query.last_day))
    if span is None:
        return ()
    values = {
        "scope": SCOPES[query.scope],
        "scope_without_owners": SCOPES[without_owners(query.scope)],
        "first_day": span[0],
        "last_day": span[1],
        **_filters(query),
    }
    found = connection.execute(_statement(connection, query, values), values)
    return tuple(
        ActivityRow(EPOCH + timedelta(days=row[0]), row[1], Line(*row[_LINE_AT:_COUNTS_AT]), Counts(*row[_COUNTS_AT:]))
        for row in found
    )


def read_ranked(
    connection: apsw.Connection, scope: Scope, first_day: int, last_day: int, limit: int
) -> tuple[Ranked, ...]:
    """Who of a scope spent most."""
    values = {
        "scope": SCOPES[without_owners(scope)],
        "first_day": first_day,
        "last_day": last_day,
        "limit": limit,
    }
    return tuple(Ranked(*row) for row in connection.execute(RANKED, values))


def read_failures(connection: apsw.Connection, query: FailureQuery) -> tuple[FailureRow, ...]:
    """How many calls failed in one way."""
    values = {
        "first_day": day_number(query.first_day),
        "last_day": day_number(query.last_day),
        "model_group": query.model_group,
        "http_status": query.http_status,
    }
    found = connection.execute(FAILURES, values)
    return tuple(FailureRow(EPOCH + timedelta(days=day), host, calls) for day, host, calls in found)


def read_totals(connection: apsw.Connection) -> LedgerTotals:
    """The sums of everything."""
    row: tuple[Any, ...] = connection.execute(TOTALS).fetchall()[0]
    counts = Counts(*[each or 0 for each in row])
    return LedgerTotals(counts.calls, counts.failures, counts.prompt_tokens, counts.completion_tokens, counts.spend)


def _known_span(connection: apsw.Connection, first_day: int, last_day: int) -> tuple[int, int] | None:
    """The part of a span that has calls at all, since some statements look at each of its days."""
    known: tuple[Any, ...] = connection.execute(KNOWN_DAYS).fetchall()[0]
    earliest, latest = known
    if earliest is None:
        return None
    span = max(first_day, earliest), min(last_day, latest)
    return span if span[0] <= span[1] else None


def _statement(connection: apsw.Connection, query: ActivityQuery, values: Mapping[str, Any]) -> str:
    owners = owners_of(query)
    if owners is not None:
        if query.scope == "line":
            return ACTIVITY_OF_DAYS if query.identities is not None else ACTIVITY_BY_LINES[owners]
        counted = {**values, "looked_for_max": LOOKED_FOR_MAX}
        lines: int = connection.execute(LINES_OF_OWNERS[owners], counted).get
        days = values["last_day"] - values["first_day"] + 1
        names = days * len(query.identities or ())
        if query.identities is None:
            names = connection.execute(COUNT_NAMES, counted).get
        if lines * names <= LOOKED_FOR_MAX:
            return ACTIVITY_OF_OWNERS[owners]
    return ACTIVITY if query.identities is None else ACTIVITY_OF_DAYS


def _filters(query: ActivityQuery) -> dict[str, Any]:
    return {
        **{f"by_{name}": name in query.by for name in _DIMENSIONS},
        "identities": _array(query.identities),
        "but_not": _array(query.but_not),
        "key_tokens": _array(query.key_tokens),
        "user_id": query.user_id,
        "all_teams": query.team_ids is None and query.organization_id is None,
        "team_ids": _array(query.team_ids),
        "organization_id": query.organization_id,
        "model": query.model,
        "by_spend": query.order == "spend",
        "limit": query.limit,
        "offset": query.offset,
    }


def _array(names: Sequence[str] | None) -> str | None:
    return None if names is None else msgspec.json.encode(names).decode()
