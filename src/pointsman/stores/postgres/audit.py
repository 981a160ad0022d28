"""The audit log in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pointsman.stores.audit import AuditEntry, AuditPage, AuditQuery, NumberedEntry, json_text
from pointsman.stores.postgres.audit_statements import (
    ADD_ENTRY,
    ALLOW_REMOVAL,
    AUDIT_PAGE,
    COMPLETE_ENTRY,
    COUNT_AUDIT,
    ENTRY,
    READ_ENTRIES,
    SWEEP_ENTRIES,
)
from pointsman.stores.postgres.database import PostgresDatabase
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.statements import PLAN_ANEW
from pointsman.stores.postgres.text import kept, told_columns

__all__ = ["PostgresAuditStore"]


class PostgresAuditStore:
    """Keeps :class:`pointsman.stores.audit.AuditStore`'s promises in PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        rows = [_columns(entry) for entry in entries]
        await self._database.write(lambda session: session.many(ADD_ENTRY, rows))

    async def complete(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        first, *others = [_columns(entry) for entry in entries]

        async def job(session: Session) -> None:
            if await session.execute(COMPLETE_ENTRY, *first):
                await session.many(ADD_ENTRY, others)

        await self._database.write(job)

    async def get(self, identity: str) -> AuditEntry | None:
        """See the port."""
        found = await self._database.look(lambda session: session.named(ENTRY, kept(identity)))
        return next((_entry(row) for row in found), None)

    async def find(self, query: AuditQuery) -> AuditPage:
        """See the port."""
        wanted = _filters(query)
        statement = AUDIT_PAGE[query.sort_by, query.sort_order]
        part = (query.page_size, (query.page - 1) * query.page_size)

        async def job(session: Session) -> AuditPage:
            await session.execute(PLAN_ANEW)
            total = await session.whole(COUNT_AUDIT, *wanted) or 0
            found = await session.named(statement, *wanted, *part) if total > part[1] else ()
            return AuditPage(tuple(_entry(row) for row in found), total)

        return await self._database.read(job)

    async def read(self, query: AuditQuery, after: int, limit: int = 1000) -> tuple[NumberedEntry, ...]:
        """See the port."""
        wanted = _filters(query)
        found = await self._database.look(
            lambda session: session.named(READ_ENTRIES, *wanted, after, limit), aside=True
        )
        return tuple(NumberedEntry(row["number"], _entry(row)) for row in found)

    async def sweep(self, before: float, limit: int = 1000) -> bool:
        """See the port."""

        async def job(session: Session) -> bool:
            await session.rows(ALLOW_REMOVAL, repr(before))
            return await session.execute(SWEEP_ENTRIES, before, limit) == limit

        return await self._database.write(job, aside=True)


def _filters(query: AuditQuery) -> tuple[object, ...]:
    texts = (
        query.changed_by, query.changed_by_api_key, query.action, query.table_name, query.object_id, query.outcome,
    )  # fmt: skip
    searched = (query.object_team_id, query.object_key_hash, query.search)
    within = (json_text(query.object_team_id or ""), json_text(query.object_key_hash or ""))
    return (*map(_kept, texts), query.start, query.end, *map(_kept, searched), *within)


def _kept(text: str | None) -> str | None:
    return None if text is None else kept(text)


def _columns(entry: AuditEntry) -> tuple[object, ...]:
    values = (
        bytes(value).decode("utf-8", "replace") if isinstance(value, msgspec.Raw) else value
        for value in msgspec.structs.astuple(entry)
    )
    return tuple(kept(value) if isinstance(value, str) else value for value in values)


def _entry(row: dict[str, Any]) -> AuditEntry:
    columns = told_columns(row)
    for name in ("before_value", "updated_values"):
        columns[name] = None if columns[name] is None else msgspec.Raw(columns[name].encode())
    return AuditEntry(**{name: columns[name] for name in AuditEntry.__struct_fields__})
