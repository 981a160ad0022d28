"""Listing calls page by page in PostgreSQL, and letting old ones go."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pointsman.stores.call_rows import record_of
from pointsman.stores.pages import SCANNED_MAX, CallPage, CallQuery, bad_cursor, cursor_time
from pointsman.stores.postgres.page_statements import (
    CALL_PAGE,
    CALL_PAGE_OF_PARTIES,
    COUNT_CALLS,
    OLDEST_CALLS,
    PAGE_END,
    PARTIES_END,
    PRUNE_CALLS,
    PRUNE_CONTENTS,
    PRUNE_ORIGINS,
)
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.statements import PLAN_ANEW
from pointsman.stores.postgres.text import indexed, kept, told_columns
from pointsman.stores.records import saturated

__all__ = ["Place", "count_calls", "place_of", "prune", "read_page"]


class Place(NamedTuple):
    """Where a call stands in the order of pages: by its start, then by its ``calls.id``."""

    at: float
    call: int


_SIFTING: Final = (
    "team_ids", "organization_id", "end_user", "key_alias", "status", "model", "model_group", "deployment_id",
    "error_code", "error_message", "cost_min", "cost_max",
)  # fmt: skip
"""The filters that no index serves."""
_BEYOND: Final = Place(float("inf"), 0)


def place_of(query: CallQuery) -> Place:
    """Behind which call a page begins.

    Raises:
        Malformed: the cursor is none.
    """
    if query.cursor is None:
        return _BEYOND
    try:
        at, call = query.cursor.split("_")
        return Place(float.fromhex(at), saturated(int(call)))
    except (ValueError, OverflowError):
        raise bad_cursor() from None


async def read_page(session: Session, query: CallQuery, place: Place) -> CallPage:
    """Calls that match, and where to go on."""
    await session.execute(PLAN_ANEW)
    end = await _end(session, query, place)
    statement = CALL_PAGE_OF_PARTIES if _is_of_parties(query) else CALL_PAGE
    found = await session.named(statement, *_values(query, place, end), query.limit, query.offset)
    following = None if end is None else _text(Place(end, 0))
    if found and len(found) == query.limit:
        following = _text(Place(found[-1]["started_at"], found[-1]["id"]))
    return CallPage(tuple(record_of(told_columns(row)) for row in found), following)


async def count_calls(session: Session, query: CallQuery, place: Place, most: int) -> int:
    """How many calls match, as far as ``most``, among the latest that are looked at."""
    await session.execute(PLAN_ANEW)
    end = await _end(session, query, place)
    return await session.whole(COUNT_CALLS, *_values(query, place, end), most, 0) or 0


async def prune(session: Session, before: float, limit: int) -> int:
    """Remove the oldest calls."""
    calls = [int(call) for (call,) in await session.rows(OLDEST_CALLS, before, limit)]
    if calls:
        await session.execute(PRUNE_CALLS, calls)
        await session.execute(PRUNE_CONTENTS, calls)
        await session.execute(PRUNE_ORIGINS, sorted({call >> 32 for call in calls}))
    return len(calls)


def _is_of_parties(query: CallQuery) -> bool:
    return (query.key_tokens is not None or query.user_id is not None) and not query.either


async def _end(session: Session, query: CallQuery, place: Place) -> float | None:
    """The start of the earliest calls that are looked at, all of those included; None: as far as there are any."""
    if all(getattr(query, name) is None for name in _SIFTING) and not query.either:
        return None  # each that is looked at is found
    values = (*place, _bound(query.start, "-inf"), _bound(query.end, "inf"), SCANNED_MAX)
    if _is_of_parties(query):
        rows = await session.rows(PARTIES_END, *values, *_parties(query))
    else:
        rows = await session.rows(PAGE_END, *values)
    return float(rows[0][0]) if rows else None


def _values(query: CallQuery, place: Place, end: float | None) -> tuple[Any, ...]:
    """The parameters of the statements before the limit, in their order."""
    first = _bound(query.start, "-inf")
    return (
        *place,
        first if end is None else max(first, end),
        _bound(query.end, "inf"),
        *_parties(query),
        None if query.team_ids is None else [kept(team_id) for team_id in query.team_ids],
        query.either and query.team_ids is not None,
        _kept(query.organization_id),
        _kept(query.end_user),
        _kept(query.key_alias),
        query.status,
        _kept(query.model),
        _kept(query.model_group),
        _kept(query.deployment_id),
        _kept(query.error_code),
        _kept(query.error_message),
        None if query.cost_min is None else saturated(query.cost_min),
        None if query.cost_max is None else saturated(query.cost_max),
    )


def _parties(query: CallQuery) -> tuple[list[str] | None, str | None]:
    tokens = None if query.key_tokens is None else [indexed(token) for token in query.key_tokens]
    return tokens, None if query.user_id is None else indexed(query.user_id)


def _bound(moment: float | None, otherwise: str) -> float:
    return float(otherwise) if moment is None else moment


def _kept(text: str | None) -> str | None:
    return None if text is None else kept(text)


def _text(place: Place) -> str:
    return f"{cursor_time(place.at)}_{place.call}"
