"""Fills a new SQLite file as if the ledger had taken over very many calls one by one; a test compares the two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec

from ledgers.calls import DAYS, MODELS, Company, provider_of, token_of_key
from ledgers.filling_statements import (
    ADD_CALLS,
    ADD_CONTEXT,
    ADD_FAILURES,
    ADD_KEYS,
    ADD_LINE,
    ADD_PARTIES,
    ADD_SECONDS,
    ADD_SUMS,
    ADD_TOKEN,
    ADD_TOTALS,
    NOTE_ENTRIES,
    NOTE_KEYS,
    NOTE_TOTALS,
    PREPARE,
    SPEND_KEYS,
    USED_CONTEXTS,
    USED_LINES,
)
from pointsman.stores.activity import Line, line_of
from pointsman.stores.call_rows import context_of, digest_of
from pointsman.stores.directory.kinds import TEAMS, USERS, Kind
from pointsman.stores.directory.records import Team
from pointsman.stores.sqlite.directory_statements import INSERT_ENTRY
from pointsman.stores.sqlite.statements import ADD_ORIGIN

__all__ = ["Told", "fill"]

Told = Callable[[str, int, int], None]
"""Is told what is under way, and how much of how much is done."""

_AT_ONCE: Final = 200_000
_DAY_SECONDS: Final = 86_400
# Nothing that matters is lost with a half-filled file.
_QUICKLY: Final = """
PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; PRAGMA temp_store = FILE
"""


def fill(path: Path, company: Company, calls: int, told: Told) -> None:
    """Add so many calls of 90 days, with all keys, teams and users, to a file that has the schema and nothing else."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(_QUICKLY)
        with connection:
            _fill(connection, company, calls, told)
        connection.execute("PRAGMA journal_mode = WAL")


def _fill(connection: apsw.Connection, company: Company, calls: int, told: Told) -> None:
    connection.execute(PREPARE)
    connection.executemany(
        "INSERT INTO models VALUES (?, ?, ?)", [(at, name, provider_of(name)) for at, name in enumerate(MODELS)]
    )
    told("names", 0, 1)
    connection.executemany(ADD_TOKEN, ((number, token_of_key(number)) for number in range(company.keys)))
    connection.executemany(INSERT_ENTRY, _entries(company))
    _add_calls(connection, company, calls, told)
    told("contexts", 0, 1)
    connection.execute(ADD_PARTIES)
    used = connection.execute(USED_CONTEXTS)
    connection.executemany(ADD_CONTEXT, (_context(company, context) for (context,) in used))
    lines = connection.execute(USED_LINES)
    connection.executemany(ADD_LINE, (_line(company, line) for (line,) in lines))
    lanes = company.keys * len(MODELS) + 1
    connection.executemany(ADD_LINE, (_row(lanes + model, _lane(company, model)) for model in range(len(MODELS))))
    told("seconds", 0, 1)
    connection.execute(ADD_SECONDS)
    _add_up(connection, company, lanes, told)


def _add_calls(connection: apsw.Connection, company: Company, calls: int, told: Told) -> None:
    origin = connection.execute(ADD_ORIGIN, ("bench-", True)).get
    values = {
        "start": company.start,
        "step": DAYS * _DAY_SECONDS / calls,
        "origin": origin,
        "busy": company.busy,
        "keys": company.keys,
    }
    for first in range(0, calls, _AT_ONCE):
        told("calls", first, calls)
        connection.execute(ADD_CALLS, {**values, "first": first, "last": min(first + _AT_ONCE, calls)})


def _add_up(connection: apsw.Connection, company: Company, lanes: int, told: Told) -> None:
    values = {"lanes": lanes, "teams": company.teams, "start": company.start}
    first_day = int(company.start) // _DAY_SECONDS
    for number, statement in enumerate(ADD_SUMS):
        for day in range(DAYS):
            told("sums", number * DAYS + day, len(ADD_SUMS) * DAYS)
            connection.execute(statement, {**values, "day": first_day + day})
    connection.execute(ADD_FAILURES, values)
    told("keys", 0, 1)
    connection.execute(SPEND_KEYS)
    connection.execute(ADD_KEYS, values)
    for number, statement in enumerate(ADD_TOTALS):
        told("totals", number, len(ADD_TOTALS))
        connection.execute(statement, values)
    for statement in (NOTE_KEYS, NOTE_ENTRIES, NOTE_TOTALS):
        connection.execute(statement)


def _entries(company: Company) -> Iterator[dict[str, Any]]:
    for record in company.entries():
        kind: Kind[Any] = TEAMS if isinstance(record, Team) else USERS
        place = kind.place(record)
        yield {
            "kind": place.kind,
            "id": place.identity,
            "alias": place.alias,
            "unique_alias": None,
            "parent": place.parent,
            "owner": place.owner,
            "record": kind.encode(record),
            "created_at": place.created_at,
            "updated_at": place.updated_at,
        }


def _context(company: Company, number: int) -> tuple[Any, ...]:
    line, failed = (number - 1) // 2, number % 2 == 0
    key, model = divmod(line, len(MODELS))
    context = context_of(company.call(key, model, failed=failed))
    source, _token, _user, *others = context
    texts = [msgspec.json.encode(value).decode() if isinstance(value, tuple) else value for value in others]
    return number, digest_of(context), key + 1, source, *texts


def _line(company: Company, number: int) -> tuple[Any, ...]:
    return _row(number, line_of(company.call(*divmod(number - 1, len(MODELS)), failed=False)))


def _lane(company: Company, model: int) -> Line:
    return Line("", "", "", "", *line_of(company.call(0, model, failed=False))[4:])


def _row(number: int, line: Line) -> tuple[Any, ...]:
    return number, digest_of(line), *line
