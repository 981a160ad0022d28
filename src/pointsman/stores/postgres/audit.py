"""The audit log in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pointsman.stores.audit import AuditEntry, AuditPage, AuditQuery, NumberedEntry
from pointsman.stores.postgres.database import PostgresDatabase
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.text import kept, told_columns

__all__ = ["PostgresAuditStore"]

_INSERT: Final = """
INSERT INTO audit_log (
    id, at, changed_by, changed_by_api_key, action, table_name, object_id, before_value, updated_values, route, call_id,
    peer, outcome, status, message
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (id) DO NOTHING
"""

_COMPLETE: Final = """
UPDATE audit_log SET
    at = $2, changed_by = $3, changed_by_api_key = $4, action = $5, table_name = $6, object_id = $7, before_value = $8,
    updated_values = $9, route = $10, call_id = $11, peer = $12, outcome = $13, status = $14, message = $15
WHERE id = $1 AND outcome = 'unknown'
"""

_MATCHING: Final = """
FROM audit_log
WHERE ($1::TEXT IS NULL OR changed_by = $1) AND ($2::TEXT IS NULL OR changed_by_api_key = $2)
    AND ($3::TEXT IS NULL OR action = $3) AND ($4::TEXT IS NULL OR table_name = $4)
    AND ($5::TEXT IS NULL OR object_id = $5) AND ($6::TEXT IS NULL OR outcome = $6)
    AND ($7::FLOAT8 IS NULL OR at >= $7) AND ($8::FLOAT8 IS NULL OR at <= $8)
    AND ($9::TEXT IS NULL OR strpos(before_value::JSON ->> 'team_id', $9) > 0
        OR strpos(updated_values::JSON ->> 'team_id', $9) > 0)
    AND ($10::TEXT IS NULL OR strpos(before_value::JSON ->> 'token', $10) > 0
        OR strpos(updated_values::JSON ->> 'token', $10) > 0)
"""

_FIND: Final = (
    "SELECT * "
    + _MATCHING
    + """
ORDER BY
    CASE WHEN $12 THEN NULL WHEN $11 = 'updated_at' THEN at END,
    CASE WHEN $12 THEN NULL ELSE CASE $11
        WHEN 'changed_by' THEN changed_by WHEN 'changed_by_api_key' THEN changed_by_api_key WHEN 'action' THEN action
        WHEN 'table_name' THEN table_name WHEN 'object_id' THEN object_id WHEN 'id' THEN id END END,
    CASE WHEN $12 AND $11 = 'updated_at' THEN at END DESC NULLS LAST,
    CASE WHEN $12 THEN CASE $11
        WHEN 'changed_by' THEN changed_by WHEN 'changed_by_api_key' THEN changed_by_api_key WHEN 'action' THEN action
        WHEN 'table_name' THEN table_name WHEN 'object_id' THEN object_id WHEN 'id' THEN id END
    END DESC NULLS LAST,
    CASE WHEN $12 THEN -number ELSE number END
LIMIT $13 OFFSET $14
"""
)

_COUNT: Final = "SELECT count(*) " + _MATCHING

_READ: Final = "SELECT * " + _MATCHING + "AND number > $11 ORDER BY number LIMIT $12"

_SWEEP: Final = """
DELETE FROM audit_log WHERE number IN (SELECT number FROM audit_log WHERE at < $1 ORDER BY at LIMIT $2)
"""


class PostgresAuditStore:
    """Keeps :class:`pointsman.stores.audit.AuditStore`'s promises in PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        rows = [_columns(entry) for entry in entries]
        await self._database.write(lambda session: session.many(_INSERT, rows))

    async def complete(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        first, *others = [_columns(entry) for entry in entries]

        async def job(session: Session) -> None:
            if await session.execute(_COMPLETE, *first):
                await session.many(_INSERT, others)

        await self._database.write(job)

    async def get(self, identity: str) -> AuditEntry | None:
        """See the port."""
        found = await self._database.look(
            lambda session: session.named("SELECT * FROM audit_log WHERE id = $1", kept(identity))
        )
        return next((_entry(row) for row in found), None)

    async def find(self, query: AuditQuery) -> AuditPage:
        """See the port."""
        wanted = _filters(query)
        order = (query.sort_by, query.sort_order == "desc", query.page_size, (query.page - 1) * query.page_size)

        async def job(session: Session) -> AuditPage:
            total = await session.whole(_COUNT, *wanted) or 0
            return AuditPage(tuple(_entry(row) for row in await session.named(_FIND, *wanted, *order)), total)

        return await self._database.read(job)

    async def read(self, query: AuditQuery, after: int, limit: int = 1000) -> tuple[NumberedEntry, ...]:
        """See the port."""
        wanted = _filters(query)
        found = await self._database.look(lambda session: session.named(_READ, *wanted, after, limit), aside=True)
        return tuple(NumberedEntry(row["number"], _entry(row)) for row in found)

    async def sweep(self, before: float, limit: int = 1000) -> bool:
        """See the port."""
        return await self._database.write(lambda session: session.execute(_SWEEP, before, limit), aside=True) == limit


def _filters(query: AuditQuery) -> tuple[object, ...]:
    texts = (
        query.changed_by, query.changed_by_api_key, query.action, query.table_name, query.object_id, query.outcome,
    )  # fmt: skip
    searched = (query.object_team_id, query.object_key_hash)
    return (*map(_kept, texts), query.start, query.end, *map(_kept, searched))


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
