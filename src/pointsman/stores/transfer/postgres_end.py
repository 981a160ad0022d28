"""A PostgreSQL database as an end of a transfer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Self

from pointsman.stores.postgres.address import PostgresAddress
from pointsman.stores.postgres.audit_statements import ALLOW_REMOVAL
from pointsman.stores.postgres.connecting import connection
from pointsman.stores.postgres.filing import Origin
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.text import indexed, kept, told
from pointsman.stores.transfer.ends import CHECKS, DERIVED, MADE_ANEW, Batch, Sums
from pointsman.stores.transfer.table_statements import count_of, deletion_of, largest_in, selection_of, survey_of

__all__ = ["PostgresEnd"]

_AT_ONCE: Final = 5_000
_SECONDS: Final = 10.0

# Nobody else migrates, adds up or appends meanwhile.
_BEGIN_WRITING: Final = """
BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
SELECT pg_advisory_xact_lock(1349742676); SELECT pg_advisory_xact_lock(1349742675)
"""
_BEGIN_READING: Final = """
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0
"""
_COLUMNS: Final = """
SELECT tables.relname::TEXT, columns.attname::TEXT, columns.atttypid::regtype::TEXT
FROM pg_class AS tables JOIN pg_attribute AS columns ON columns.attrelid = tables.oid
WHERE tables.relkind = 'r' AND tables.relnamespace = current_schema()::regnamespace
    AND columns.attnum > 0 AND NOT columns.attisdropped
ORDER BY tables.oid, columns.attnum
"""
_SEQUENCES: Final = """
SELECT tables.relname::TEXT, columns.attname::TEXT, pg_get_serial_sequence(quote_ident(tables.relname), columns.attname)
FROM pg_class AS tables JOIN pg_attribute AS columns ON columns.attrelid = tables.oid
WHERE tables.relkind = 'r' AND tables.relnamespace = current_schema()::regnamespace AND columns.attnum > 0
    AND NOT columns.attisdropped AND pg_get_serial_sequence(quote_ident(tables.relname), columns.attname) IS NOT NULL
"""
_ADVANCE: Final = "SELECT setval($1::TEXT::regclass, greatest($2::BIGINT, 1), $2::BIGINT IS NOT NULL)"
_COUNT_BYTES: Final = """
UPDATE stored_bytes SET bytes = CASE WHEN id = 0 THEN (
    SELECT coalesce(sum(octet_length(input_items) + octet_length(body)), 0) FROM responses
) + (
    SELECT coalesce(sum(octet_length(events)), 0) FROM response_events
) + (
    SELECT coalesce(sum(item_bytes), 0) FROM conversations
) ELSE 0 END
"""
_UNCOUNTED: Final = "SET CONSTRAINTS ALL IMMEDIATE"

# Only SQLite has seconds of parties.
_MADE_ANEW: Final = tuple(table for table in MADE_ANEW if table != "party_seconds")
_OWN: Final = frozenset({("origins", "digest"), ("response_events", "id")})
"""Columns that only PostgreSQL has, and which are made anew."""
_INDEXED: Final = frozenset({
    "parties", "activity_lines", "daily_activity", "daily_failures", "daily_energy", "spend_totals", "spend_periods",
    "directory_changes",
})  # fmt: skip
"""Tables in which texts are looked for that may be long."""


class PostgresEnd:
    """Both a source and a target, within one transaction on ``session``; the schema is this version's."""

    def __init__(self, session: Session, address: PostgresAddress) -> None:
        self.place = f"The database {address.place}"
        self._session = session
        self._types: dict[str, dict[str, str]] = {}

    @classmethod
    @asynccontextmanager
    async def reading(cls, address: PostgresAddress) -> AsyncIterator[Self]:
        """The database as it is at this moment.

        Raises:
            StorageUnavailable, Misconfigured: it cannot be read.
        """
        async with connection(address, _SECONDS) as session:
            await session.execute(_BEGIN_READING)
            yield cls(session, address)

    @classmethod
    @asynccontextmanager
    async def writing(cls, address: PostgresAddress) -> AsyncIterator[Self]:
        """The database, which is changed when the block ends well and only then.

        Raises:
            StorageUnavailable, Misconfigured: it cannot be written.
        """
        async with connection(address, _SECONDS) as session:
            await session.execute(_BEGIN_WRITING)
            yield cls(session, address)
            await session.execute("COMMIT")

    async def tables(self) -> Mapping[str, tuple[str, ...]]:
        """See the protocols."""
        self._types = {}
        for table, column, kind in await self._session.rows(_COLUMNS):
            if table not in DERIVED:
                self._types.setdefault(table, {})[column] = kind
        return {
            table: tuple(column for column in columns if (table, column) not in _OWN)
            for table, columns in self._types.items()
        }

    async def sums(self, table: str) -> Sums:
        """See the protocols."""
        (row,) = await self._session.rows(CHECKS.get(table) or count_of(table))
        return tuple(int(number or 0) for number in row)

    async def rows(self, table: str) -> AsyncIterator[Batch]:
        """See the protocols."""
        columns = [column for column in self._types[table] if (table, column) not in _OWN]
        statement = selection_of(table, columns)
        batch: list[tuple[Any, ...]] = []
        async for row in self._session.stream(statement, at_once=_AT_ONCE):
            batch.append(tuple([told(value) if isinstance(value, str) else value for value in row]))
            if len(batch) >= _AT_ONCE:
                yield batch
                batch = []
        if batch:
            yield batch

    async def empty(self) -> None:
        """See the protocol."""
        await self._session.rows(ALLOW_REMOVAL, "infinity")
        for table in (*reversed(self._types), *_MADE_ANEW):
            await self._session.execute(deletion_of(table))

    async def put(self, table: str, columns: Sequence[str], rows: Batch) -> None:
        """See the protocol."""
        writers = [_writer(table, self._types[table][column]) for column in columns]
        written = [
            tuple([None if value is None else write(value) for write, value in zip(writers, row, strict=True)])
            for row in rows
        ]
        if table == "origins":
            prefix, numbered = columns.index("prefix"), columns.index("numbered")
            digests = [Origin(row[prefix], bool(row[numbered])).digest for row in rows]
            columns = (*columns, "digest")
            written = [(*row, digest) for row, digest in zip(written, digests, strict=True)]
        await self._session.copy_in(table, columns, written)

    async def complete(self) -> None:
        """See the protocol."""
        await self._session.execute(_UNCOUNTED)
        await self._session.execute(_COUNT_BYTES)
        for table, column, sequence in await self._session.rows(_SEQUENCES):
            last = await self._session.whole(largest_in(table, column))
            await self._session.rows(_ADVANCE, sequence, last)
        # The server would come to it by itself, a minute later: until then it would plan for empty tables.
        for table in self._types:
            await self._session.execute(survey_of(table))


def _writer(table: str, kind: str) -> Callable[[Any], Any]:
    if kind == "text":
        return indexed if table in _INDEXED else kept
    converters: Mapping[str, Callable[[Any], Any]] = {"boolean": bool, "double precision": float}
    return converters.get(kind, _same)


def _same(value: object) -> object:
    return value
