"""Listing calls page by page in SQLite, and letting old ones go."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import apsw
import msgspec

from pointsman.stores.call_rows import record_of
from pointsman.stores.directory.ports import INTEGER_MAX
from pointsman.stores.pages import SCANNED_MAX, CallPage, CallQuery, bad_cursor, cursor_time
from pointsman.stores.sqlite.page_statements import (
    CALL_PAGE,
    CALL_PAGE_OF_ALL,
    CALL_PAGE_OF_CONTEXTS,
    CALL_PAGE_OF_PARTIES,
    COUNT_ALL_CALLS,
    COUNT_CALLS,
    COUNT_CALLS_OF_CONTEXTS,
    COUNT_CALLS_OF_PARTIES,
    OLDEST_CALLS,
    PAGE_END,
    PARTIES_END,
    PRUNE_CALLS,
    PRUNE_CONTENTS,
    PRUNE_ORIGINS,
    PRUNE_SECONDS,
    TEAM_CONTEXTS,
    Parties,
)
from pointsman.stores.sqlite.transaction import rows

__all__ = ["count_calls", "prune", "read_page"]


_CONTEXTS_MAX: Final = 5_000
"""Contexts of teams that calls are sifted by; where there are more, a page is soon full of their calls."""


class _Place(NamedTuple):
    """Where a call stands in the order of pages."""

    at: float
    party: int
    call: int


_BEYOND: Final = _Place(float("inf"), 0, 0)
_BEFORE: Final = _Place(float("-inf"), 0, 0)


def read_page(connection: apsw.Connection, query: CallQuery) -> CallPage:
    """Calls that match, and where to go on."""
    values = _values(query)
    if _sifts_nothing(query):
        end, statement = _BEFORE, CALL_PAGE_OF_ALL
    else:
        ending, statement, _ = _statements(connection, query, values)
        end = _end(connection, ending, values)
    cursor = connection.execute(statement, {**values, **_through(end)})
    found = [(row.pop("page_party"), row["id"], record_of(row)) for row in rows(cursor)]
    following = None if end == _BEFORE else _text(end)
    if found and len(found) == query.limit:
        party, call, last = found[-1]
        following = _text(_Place(last.started_at, party, call))
    return CallPage(tuple(record for _, _, record in found), following)


def count_calls(connection: apsw.Connection, query: CallQuery, most: int) -> int:
    """How many calls match, as far as ``most``, among the latest that are looked at."""
    values = {**_values(query), "limit": most}
    ending, _, statement = _statements(connection, query, values)
    end = _end(connection, ending, values)
    if query.cursor is None and _sifts_nothing(query):
        statement = COUNT_ALL_CALLS
    return int(connection.execute(statement, {**values, **_through(end)}).get)


def prune(connection: apsw.Connection, before: float, limit: int) -> int:
    """Remove the oldest calls."""
    oldest = connection.execute(OLDEST_CALLS, (before, limit)).fetchall()
    if not oldest:
        return 0
    calls = (msgspec.json.encode([call for call, _, _ in oldest]).decode(),)
    connection.execute(PRUNE_CALLS, calls)
    connection.execute(PRUNE_CONTENTS, calls)
    connection.execute(PRUNE_ORIGINS, calls)
    seconds = sorted({(party, second) for _, party, second in oldest})
    connection.execute(PRUNE_SECONDS, (msgspec.json.encode(seconds).decode(),))
    return len(oldest)


def _sifts_nothing(query: CallQuery) -> bool:
    """Whether all calls of the time are wanted."""
    return query == CallQuery(
        start=query.start, end=query.end, cursor=query.cursor, limit=query.limit, offset=query.offset
    )


def _statements(connection: apsw.Connection, query: CallQuery, values: dict[str, Any]) -> tuple[str, str, str]:
    """How calls are found: how far back, those of a page, and how many. ``values`` gets what an index has found."""
    parties = _parties(query)
    if parties is not None:
        return PARTIES_END[parties], CALL_PAGE_OF_PARTIES[parties], COUNT_CALLS_OF_PARTIES[parties]
    if query.team_ids is not None and not query.either:
        found: str = connection.execute(TEAM_CONTEXTS, {**values, "contexts_max": _CONTEXTS_MAX}).get
        if len(msgspec.json.decode(found, type=list[int])) <= _CONTEXTS_MAX:
            values["contexts"] = found
            return PAGE_END, CALL_PAGE_OF_CONTEXTS, COUNT_CALLS_OF_CONTEXTS
    return PAGE_END, CALL_PAGE, COUNT_CALLS


def _parties(query: CallQuery) -> Parties | None:
    """Whose calls are wanted, by an index; None: calls are looked at whosever they are."""
    if query.either and query.team_ids is not None:
        return None
    if query.key_tokens is not None:
        return "key"
    return None if query.user_id is None else "user"


def _end(connection: apsw.Connection, statement: str, values: dict[str, Any]) -> _Place:
    found: list[tuple[Any, ...]] = connection.execute(statement, {**values, "scanned_max": SCANNED_MAX}).fetchall()
    return _Place(*found[0]) if found else _BEFORE


def _through(end: _Place) -> dict[str, Any]:
    at, party, call = end
    return {"end_at": at, "end_party": party, "end_id": call}


def _values(query: CallQuery) -> dict[str, Any]:
    at, party, call = _BEYOND if query.cursor is None else _place(query.cursor)
    values = msgspec.structs.asdict(query)
    del values["cursor"]
    values |= {name: _array(getattr(query, name)) for name in ("key_tokens", "team_ids")}
    values |= {"start": _bound(query.start, "-inf"), "end": _bound(query.end, "inf")}
    values["either"] = query.either and query.team_ids is not None
    return {**values, "at": at, "party": party, "id": call}


def _bound(moment: float | None, otherwise: str) -> float:
    return float(otherwise) if moment is None else moment


def _array(names: tuple[str, ...] | None) -> str | None:
    return None if names is None else msgspec.json.encode(names).decode()


def _text(place: _Place) -> str:
    at, party, call = place
    return f"{cursor_time(at)}_{party}_{call}"


def _place(cursor: str) -> _Place:
    try:
        at, party, call = cursor.split("_")
        return _Place(float.fromhex(at), min(int(party), INTEGER_MAX), min(int(call), INTEGER_MAX))
    except (ValueError, OverflowError):
        raise bad_cursor() from None
