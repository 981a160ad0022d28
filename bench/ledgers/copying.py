"""Copies a filled SQLite file into an empty PostgreSQL database as fast as both can: as CSV, several tables at once.

``pointsman db copy`` does the same for operators, in one transaction and row by row in Python, and takes several times
as long. Both ends are compared by its sums.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

import apsw
import asyncpg

from ledgers.filling import Told
from pointsman.stores.postgres import PostgresAddress
from pointsman.stores.postgres.filing import Origin
from pointsman.stores.transfer.postgres_end import PostgresEnd
from pointsman.stores.transfer.sqlite_end import SqliteEnd

__all__ = ["copy_quickly"]

_TABLES: Final = (
    ("calls",),
    ("daily_activity",),
    ("spend_totals", "key_changes", "daily_failures", "directory", "tag_user_days", "tag_users"),
    ("parties", "contexts", "activity_lines", "keys", "directory_changes"),
)
"""Those in one row come one after the other; contexts refer to parties."""
_AT_ONCE: Final = 5_000
_MORE: Final = "more"
_COLUMNS: Final = "SELECT name, type FROM pragma_table_info(?) ORDER BY cid"
# What triggers would add up is copied, too.
_TRIGGERS: Final = {
    way: f"ALTER TABLE daily_activity {way} TRIGGER USER; ALTER TABLE tag_user_days {way} TRIGGER USER"
    for way in ("DISABLE", "ENABLE")
}
_SEQUENCES: Final = """
SELECT setval(pg_get_serial_sequence(quote_ident(tables.relname), columns.attname), 1000000000)
FROM pg_class AS tables JOIN pg_attribute AS columns ON columns.attrelid = tables.oid
WHERE tables.relkind = 'r' AND tables.relnamespace = current_schema()::regnamespace AND columns.attnum > 0
    AND NOT columns.attisdropped AND pg_get_serial_sequence(quote_ident(tables.relname), columns.attname) IS NOT NULL
"""


async def copy_quickly(path: Path, url: str, address: PostgresAddress, told: Told) -> None:
    """Copy what the benchmark fills a file with.

    Raises:
        SystemExit: what arrived is not what was sent.
    """
    with closing(apsw.Connection(str(path))) as source:
        total = sum(source.execute(f"SELECT count(*) FROM {table}").get for row in _TABLES for table in row)
        await _copy_origins(source, url)
    done = 0

    def advance(table: str, rows: int) -> None:
        nonlocal done
        done += rows
        told(f"copying {table}", done, total)

    async def copy(tables: Sequence[str]) -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("SET synchronous_commit = off")
            for table in tables:
                with closing(apsw.Connection(str(path))) as source:
                    names, statement = _reading(source, table)
                    lines = _lines(source.execute(statement), table, advance)
                    await connection.copy_to_table(
                        table, source=lines, columns=names, format="csv", timeout=36_000, null=""
                    )
            await connection.execute(_SEQUENCES)
        finally:
            await connection.close()

    await _execute(url, _TRIGGERS["DISABLE"])
    await asyncio.gather(*map(copy, _TABLES))
    await _execute(url, _TRIGGERS["ENABLE"])
    with SqliteEnd.reading(path) as file:
        async with PostgresEnd.reading(address) as database:
            for table in (table for row in _TABLES for table in row):
                told(f"comparing {table}", 0, 1)
                sent, arrived = await file.sums(table), await database.sums(table)
                if sent != arrived:
                    raise SystemExit(f"{table} did not arrive as it was: {arrived} instead of {sent}")


async def _execute(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def _copy_origins(source: apsw.Connection, url: str) -> None:
    rows = source.execute("SELECT id, prefix, numbered FROM origins").fetchall()
    connection = await asyncpg.connect(url)
    try:
        await connection.copy_records_to_table(
            "origins",
            records=[
                (number, Origin(str(prefix), bool(its)).digest, prefix, bool(its)) for number, prefix, its in rows
            ],
            columns=("id", "digest", "prefix", "numbered"),
        )
    finally:
        await connection.close()


def _reading(source: apsw.Connection, table: str) -> tuple[list[str], str]:
    """The columns, and a statement that gives each row as a line of CSV."""
    columns = [(str(name), str(kind)) for name, kind in source.execute(_COLUMNS, (table,)).fetchall()]
    names = ["end_user" if name == _MORE else name for name, _ in columns]
    parts = [_text("more ->> 'end_user'", "TEXT") if name == _MORE else _text(name, kind) for name, kind in columns]
    return names, f"SELECT {' || char(44) || '.join(parts)} FROM {table}"


def _text(column: str, kind: str) -> str:
    if kind == "INTEGER":
        return f"coalesce({column}, '')"
    if kind == "REAL":
        return f"CASE WHEN {column} IS NULL THEN '' ELSE printf('%!.17g', {column}) END"
    if kind == "BLOB":
        return f"'\\x' || hex({column})"
    return f"""coalesce('"' || replace({column}, '"', '""') || '"', '')"""


async def _lines(cursor: apsw.Cursor, table: str, advance: Callable[[str, int], None]) -> AsyncIterator[bytes]:
    while rows := await asyncio.to_thread(lambda: list(islice(cursor, _AT_ONCE))):
        advance(table, len(rows))
        yield ("\n".join([line for (line,) in rows]) + "\n").encode()
