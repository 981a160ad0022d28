"""The audit log in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Final

import apsw
import msgspec

from pointsman.stores.audit import AuditEntry, AuditPage, AuditQuery, NumberedEntry, json_text
from pointsman.stores.sqlite.audit_statements import (
    ADD_ENTRY,
    ALLOW_REMOVAL,
    AUDIT_PAGE,
    COMPLETE_ENTRY,
    COUNT_AUDIT,
    END_REMOVAL,
    READ_ENTRIES,
    SWEEP_ENTRIES,
    WAYS,
    Way,
)
from pointsman.stores.sqlite.database import SqliteDatabase
from pointsman.stores.sqlite.transaction import rows

__all__ = ["SqliteAuditStore"]

_FILTERS: Final = (*WAYS, "object_team_id", "object_key_hash")


class SqliteAuditStore:
    """Keeps :class:`pointsman.stores.audit.AuditStore`'s promises in a SQLite file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        rows_ = [_columns(entry) for entry in entries]
        await self._database.write(lambda connection: _each(connection, ADD_ENTRY, rows_), durable=True)

    async def complete(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        first, *others = [_columns(entry) for entry in entries]

        def job(connection: apsw.Connection) -> None:
            connection.execute(COMPLETE_ENTRY, first)
            if connection.changes():
                _each(connection, ADD_ENTRY, others)

        await self._database.write(job, durable=True)

    async def get(self, identity: str) -> AuditEntry | None:
        """See the port."""
        return await self._database.read(
            lambda connection: next(
                (_entry(row) for row in rows(connection.execute("SELECT * FROM audit_log WHERE id = ?", (identity,)))),
                None,
            ),
            aside=True,
        )

    async def find(self, query: AuditQuery) -> AuditPage:
        """See the port."""
        wanted = _filters(query)
        way, alone = _way(query)
        order = query.sort_by if way == "all" else "updated_at" if query.sort_by in {"updated_at", way} else None
        statement = AUDIT_PAGE[way, order, query.sort_order == "desc", alone]
        paged = {
            **wanted,
            "sort_by": query.sort_by,
            "limit": query.page_size,
            "offset": (query.page - 1) * query.page_size,
        }

        def job(connection: apsw.Connection) -> AuditPage:
            total: int = connection.execute(COUNT_AUDIT[way, alone], wanted).get
            found = rows(connection.execute(statement, paged)) if total > paged["offset"] else ()
            return AuditPage(tuple(_entry(row) for row in found), total)

        return await self._database.read(job, aside=True)

    async def read(self, query: AuditQuery, after: int, limit: int = 1000) -> tuple[NumberedEntry, ...]:
        """See the port."""
        wanted = {**_filters(query), "after": after, "limit": limit}
        return await self._database.read(
            lambda connection: tuple(
                NumberedEntry(row["number"], _entry(row)) for row in rows(connection.execute(READ_ENTRIES, wanted))
            ),
            aside=True,
        )

    async def sweep(self, before: float, limit: int = 1000) -> bool:
        """See the port."""

        def job(connection: apsw.Connection) -> bool:
            connection.execute(ALLOW_REMOVAL, (before,))
            connection.execute(SWEEP_ENTRIES, (before, limit))
            swept = connection.changes()
            connection.execute(END_REMOVAL)
            return swept == limit

        return await self._database.write(job)


def _each(connection: apsw.Connection, statement: str, rows_: Sequence[dict[str, Any]]) -> None:
    for row in rows_:
        connection.execute(statement, row)


def _way(query: AuditQuery) -> tuple[Way, bool]:
    """How entries are looked for, and whether no filter but that and the time is given."""
    given = [name for name in _FILTERS if getattr(query, name) is not None]
    way: Way = next((way for way in WAYS if way in given), "all")
    return way, given == ([] if way == "all" else [way])


def _filters(query: AuditQuery) -> dict[str, Any]:
    filters = {name: getattr(query, name) for name in _FILTERS}
    filters |= {"start": -inf if query.start is None else query.start, "end": inf if query.end is None else query.end}
    filters |= {
        "object_team_text": json_text(query.object_team_id or ""),
        "object_key_text": json_text(query.object_key_hash or ""),
    }
    return filters


def _columns(entry: AuditEntry) -> dict[str, Any]:
    columns = msgspec.structs.asdict(entry)
    for name in ("before_value", "updated_values"):
        if columns[name] is not None:
            columns[name] = bytes(columns[name]).decode("utf-8", "replace")
    return columns


def _entry(row: dict[str, Any]) -> AuditEntry:
    for name in ("before_value", "updated_values"):
        row[name] = None if row[name] is None else msgspec.Raw(row[name].encode())
    return AuditEntry(**{name: row[name] for name in AuditEntry.__struct_fields__})
