"""What the ledger is asked for reports of everybody by day, so that it never has to tell apart very many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import msgspec

from pointsman.admin.office import Office
from pointsman.stores.activity import ActivityQuery, ActivityRow, Counts, Dimension, Line

__all__ = ["OTHERS", "entities_of", "lanes_of"]

OTHERS: Final = "(others)"
"""Under this name those are added up that are not named."""
_NAMED_MAX: Final = 100
_LANE: Final[tuple[Dimension, ...]] = ("day", "model_group", "model", "provider", "route")


async def lanes_of(office: Office, query: ActivityQuery) -> tuple[ActivityRow, ...]:
    """The sums by day, models, provider and route, whoever they are of.

    Those of all teams are what everything comes to but for what belongs to no team: a fraction of the sums.
    """
    if query.scope != "team" or query.identities is not None or "" not in query.but_not:
        return await office.ledger.activity(msgspec.structs.replace(query, by=_LANE))
    everything = msgspec.structs.replace(query, scope="all", but_not=(), by=_LANE)
    left_out = msgspec.structs.replace(query, identities=query.but_not, but_not=(), by=_LANE)
    parts = {(row.day, row.line): row.counts for row in await office.ledger.activity(left_out)}
    rows = await office.ledger.activity(everything)
    found = [
        msgspec.structs.replace(row, counts=_less(row.counts, [parts[row.day, row.line]]))
        if (row.day, row.line) in parts
        else row
        for row in rows
    ]
    return tuple(row for row in found if row.counts.calls)


async def entities_of(
    office: Office, query: ActivityQuery, days: Mapping[date, Counts]
) -> tuple[list[ActivityRow], bool]:
    """The sums by day of those that spent most, of the others together, and whether there are others."""
    if query.identities is not None:
        return list(await office.ledger.activity(msgspec.structs.replace(query, by=("day", "identity")))), False
    most = _NAMED_MAX + 1 + len(query.but_not)
    ranked = await office.ledger.ranked(query.scope, query.first_day, query.last_day, most)
    found = [one.identity for one in ranked if one.identity not in query.but_not]
    named = msgspec.structs.replace(query, identities=tuple(found[:_NAMED_MAX]), by=("day", "identity"))
    rows = list(await office.ledger.activity(named))
    if len(found) <= _NAMED_MAX:
        return rows, False
    of_days: dict[date, list[Counts]] = {}
    for row in rows:
        of_days.setdefault(row.day, []).append(row.counts)
    others = {day: _less(counts, of_days.get(day, [])) for day, counts in days.items()}
    return [*rows, *(_row(day, counts) for day, counts in others.items() if counts.calls)], True


def _row(day: date, counts: Counts) -> ActivityRow:
    return ActivityRow(day, OTHERS, Line(), counts)


def _less(total: Counts, parts: Sequence[Counts]) -> Counts:
    """What is left of a sum."""
    values = msgspec.structs.asdict(total)
    for part in parts:
        for name, value in msgspec.structs.asdict(part).items():
            values[name] = max(values[name] - value, 0)
    return Counts(**values)
