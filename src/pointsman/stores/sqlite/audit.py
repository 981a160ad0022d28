"""The audit log in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import apsw
import msgspec

from pointsman.stores.audit import AuditEntry, AuditPage, AuditQuery, NumberedEntry
from pointsman.stores.sqlite.database import SqliteDatabase
from pointsman.stores.sqlite.transaction import rows

__all__ = ["SqliteAuditStore"]

_INSERT: Final = """
INSERT INTO audit_log (
    id, at, changed_by, changed_by_api_key, action, table_name, object_id, before_value, updated_values, route, call_id,
    peer, outcome, status, message
) VALUES (
    :id, :at, :changed_by, :changed_by_api_key, :action, :table_name, :object_id, :before_value, :updated_values,
    :route, :call_id, :peer, :outcome, :status, :message
) ON CONFLICT (id) DO NOTHING
"""

_COMPLETE: Final = """
UPDATE audit_log SET
    changed_by = :changed_by, changed_by_api_key = :changed_by_api_key, action = :action, table_name = :table_name,
    object_id = :object_id, before_value = :before_value, updated_values = :updated_values, route = :route,
    call_id = :call_id, peer = :peer, outcome = :outcome, status = :status, message = :message
WHERE id = :id AND outcome = 'unknown'
"""

_FIND: Final = """
SELECT * FROM audit_log
WHERE (:changed_by IS NULL OR changed_by = :changed_by)
    AND (:changed_by_api_key IS NULL OR changed_by_api_key = :changed_by_api_key)
    AND (:action IS NULL OR action = :action)
    AND (:table_name IS NULL OR table_name = :table_name)
    AND (:object_id IS NULL OR object_id = :object_id)
    AND (:outcome IS NULL OR outcome = :outcome)
    AND (:start IS NULL OR at >= :start)
    AND (:end IS NULL OR at <= :end)
    AND (:object_team_id IS NULL OR instr(before_value ->> 'team_id', :object_team_id) > 0
        OR instr(updated_values ->> 'team_id', :object_team_id) > 0)
    AND (:object_key_hash IS NULL OR instr(before_value ->> 'token', :object_key_hash) > 0
        OR instr(updated_values ->> 'token', :object_key_hash) > 0)
ORDER BY
    CASE WHEN :falling THEN NULL ELSE CASE :sort_by
        WHEN 'updated_at' THEN at WHEN 'changed_by' THEN changed_by WHEN 'changed_by_api_key' THEN changed_by_api_key
        WHEN 'action' THEN action WHEN 'table_name' THEN table_name WHEN 'object_id' THEN object_id ELSE id END END,
    CASE WHEN :falling THEN CASE :sort_by
        WHEN 'updated_at' THEN at WHEN 'changed_by' THEN changed_by WHEN 'changed_by_api_key' THEN changed_by_api_key
        WHEN 'action' THEN action WHEN 'table_name' THEN table_name WHEN 'object_id' THEN object_id ELSE id END
    END DESC,
    CASE WHEN :falling THEN -number ELSE number END
LIMIT :limit OFFSET :offset
"""

_COUNT: Final = """
SELECT count(*) FROM audit_log
WHERE (:changed_by IS NULL OR changed_by = :changed_by)
    AND (:changed_by_api_key IS NULL OR changed_by_api_key = :changed_by_api_key)
    AND (:action IS NULL OR action = :action)
    AND (:table_name IS NULL OR table_name = :table_name)
    AND (:object_id IS NULL OR object_id = :object_id)
    AND (:outcome IS NULL OR outcome = :outcome)
    AND (:start IS NULL OR at >= :start)
    AND (:end IS NULL OR at <= :end)
    AND (:object_team_id IS NULL OR instr(before_value ->> 'team_id', :object_team_id) > 0
        OR instr(updated_values ->> 'team_id', :object_team_id) > 0)
    AND (:object_key_hash IS NULL OR instr(before_value ->> 'token', :object_key_hash) > 0
        OR instr(updated_values ->> 'token', :object_key_hash) > 0)
"""

_READ: Final = """
SELECT * FROM audit_log
WHERE number > :after
    AND (:changed_by IS NULL OR changed_by = :changed_by)
    AND (:changed_by_api_key IS NULL OR changed_by_api_key = :changed_by_api_key)
    AND (:action IS NULL OR action = :action)
    AND (:table_name IS NULL OR table_name = :table_name)
    AND (:object_id IS NULL OR object_id = :object_id)
    AND (:outcome IS NULL OR outcome = :outcome)
    AND (:start IS NULL OR at >= :start)
    AND (:end IS NULL OR at <= :end)
    AND (:object_team_id IS NULL OR instr(before_value ->> 'team_id', :object_team_id) > 0
        OR instr(updated_values ->> 'team_id', :object_team_id) > 0)
    AND (:object_key_hash IS NULL OR instr(before_value ->> 'token', :object_key_hash) > 0
        OR instr(updated_values ->> 'token', :object_key_hash) > 0)
ORDER BY number LIMIT :limit
"""

_SWEEP: Final = """
DELETE FROM audit_log WHERE number IN (SELECT number FROM audit_log WHERE at < ? ORDER BY at LIMIT ?)
"""


class SqliteAuditStore:
    """Keeps :class:`pointsman.stores.audit.AuditStore`'s promises in a SQLite file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        rows_ = [_columns(entry) for entry in entries]
        await self._database.write(lambda connection: _each(connection, _INSERT, rows_), durable=True)

    async def complete(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        first, *others = [_columns(entry) for entry in entries]

        def job(connection: apsw.Connection) -> None:
            connection.execute(_COMPLETE, first)
            if connection.changes():
                _each(connection, _INSERT, others)

        await self._database.write(job, durable=True)

    async def get(self, identity: str) -> AuditEntry | None:
        """See the port."""
        return await self._database.read(
            lambda connection: next(
                (_entry(row) for row in rows(connection.execute("SELECT * FROM audit_log WHERE id = ?", (identity,)))),
                None,
            )
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
            total: int = connection.execute(_COUNT, wanted).get
            return AuditPage(tuple(_entry(row) for row in rows(connection.execute(_FIND, paged))), total)

        return await self._database.read(job)

    async def read(self, query: AuditQuery, after: int, limit: int = 1000) -> tuple[NumberedEntry, ...]:
        """See the port."""
        wanted = {**_filters(query), "after": after, "limit": limit}
        return await self._database.read(
            lambda connection: tuple(
                NumberedEntry(row["number"], _entry(row)) for row in rows(connection.execute(_READ, wanted))
            )
        )

    async def sweep(self, before: float, limit: int = 1000) -> bool:
        """See the port."""

        def job(connection: apsw.Connection) -> bool:
            connection.execute(_SWEEP, (before, limit))
            return connection.changes() == limit

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
