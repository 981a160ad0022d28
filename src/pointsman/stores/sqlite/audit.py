"""The audit log in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from pointsman.stores.audit import AuditEntry, AuditPage, AuditQuery, NumberedEntry
from pointsman.stores.sqlite.audit_statements import (
    ADD_ENTRY,
    ALLOW_REMOVAL,
    COMPLETE_ENTRY,
    COUNT_ENTRIES,
    END_REMOVAL,
    FIND_ENTRIES,
    READ_ENTRIES,
    SWEEP_ENTRIES,
)
from pointsman.stores.sqlite.database import SqliteDatabase
from pointsman.stores.sqlite.transaction import rows

__all__ = ["SqliteAuditStore"]


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
        paged = {
            **wanted,
            "sort_by": query.sort_by,
            "falling": query.sort_order == "desc",
            "limit": query.page_size,
            "offset": (query.page - 1) * query.page_size,
        }

        def job(connection: apsw.Connection) -> AuditPage:
            total: int = connection.execute(COUNT_ENTRIES, wanted).get
            return AuditPage(tuple(_entry(row) for row in rows(connection.execute(FIND_ENTRIES, paged))), total)

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


def _filters(query: AuditQuery) -> dict[str, Any]:
    filters = msgspec.structs.asdict(query)
    for name in ("sort_by", "sort_order", "page", "page_size"):
        del filters[name]
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
