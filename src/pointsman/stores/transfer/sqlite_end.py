"""A SQLite file as an end of a transfer. It blocks the event loop, which only a command may that does nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any, Final, Self

import apsw

from pointsman.stores.sqlite.audit_statements import ALLOW_REMOVAL, END_REMOVAL
from pointsman.stores.sqlite.failures import for_operators, translated
from pointsman.stores.sqlite.transaction import READ, WRITE, transaction
from pointsman.stores.transfer.call_columns import MORE_COLUMNS, apart, together
from pointsman.stores.transfer.ends import CHECKS, DERIVED, MADE_ANEW, Batch, Sums
from pointsman.stores.transfer.table_statements import count_of, deletion_of, insertion_into, selection_of

__all__ = ["SqliteEnd", "back_up"]

_AT_ONCE: Final = 5_000
_PAGES_AT_ONCE: Final = 2_000
_BUSY_MILLISECONDS: Final = 5_000

_LOOK: Final = "SELECT count(*) FROM sqlite_schema"
_TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid"
_COLUMNS: Final = "SELECT name FROM pragma_table_info(?) ORDER BY cid"
_MAKE_SECONDS: Final = """
INSERT INTO party_seconds (party, second) SELECT DISTINCT party, CAST(floor(started_at) AS INTEGER) FROM calls
"""
_COUNT_BYTES: Final = """
UPDATE stored_bytes SET bytes = (SELECT coalesce(sum(length(input_items) + length(body)), 0) FROM responses)
    + (SELECT coalesce(sum(length(events)), 0) FROM response_events)
    + (SELECT coalesce(sum(item_bytes), 0) FROM conversations)
"""


class SqliteEnd:
    """Both a source and a target, within one transaction on ``connection``; the schema is this version's."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self.place = str(path)
        self._connection = connection

    @classmethod
    @contextmanager
    def reading(cls, path: Path) -> Iterator[Self]:
        """The file as it is at this moment.

        Raises:
            StorageUnavailable: it cannot be read.
        """
        with _told(path), _opened(path, apsw.SQLITE_OPEN_READWRITE) as connection, transaction(connection, READ):
            yield cls(connection, path)

    @classmethod
    @contextmanager
    def writing(cls, path: Path) -> Iterator[Self]:
        """The file, which is changed when the block ends well and only then.

        Raises:
            StorageUnavailable: it cannot be written.
        """
        with _told(path), _opened(path, apsw.SQLITE_OPEN_READWRITE) as connection, transaction(connection, WRITE):
            yield cls(connection, path)

    async def tables(self) -> Mapping[str, tuple[str, ...]]:
        """See the protocols."""
        names = [str(name) for (name,) in self._connection.execute(_TABLES).fetchall()]
        return {name: self._travelling(name) for name in names if name not in DERIVED}

    async def sums(self, table: str) -> Sums:
        """See the protocols."""
        statement = CHECKS.get(table) or count_of(table)
        return tuple(int(number or 0) for number in self._connection.execute(statement).fetchall()[0])

    async def rows(self, table: str) -> AsyncIterator[Batch]:
        """See the protocols."""
        columns = self._columns(table)
        cursor = self._connection.execute(selection_of(table, columns))
        while batch := list(islice(cursor, _AT_ONCE)):
            yield [_spread(columns, row) for row in batch] if table == "calls" else batch

    async def empty(self) -> None:
        """See the protocol."""
        self._connection.execute(ALLOW_REMOVAL, (inf,))
        for (name,) in reversed(self._connection.execute(_TABLES).fetchall()):
            if name not in DERIVED.difference(MADE_ANEW):
                self._connection.execute(deletion_of(str(name)))
        self._connection.execute(END_REMOVAL)

    async def put(self, table: str, columns: Sequence[str], rows: Batch) -> None:
        """See the protocol."""
        if table == "calls":
            columns, rows = _gathered(columns, rows)
        self._connection.executemany(insertion_into(table, columns), rows)

    async def complete(self) -> None:
        """See the protocol."""
        self._connection.execute(_MAKE_SECONDS)
        self._connection.execute(_COUNT_BYTES)

    def _columns(self, table: str) -> tuple[str, ...]:
        return tuple(str(name) for (name,) in self._connection.execute(_COLUMNS, (table,)).fetchall())

    def _travelling(self, table: str) -> tuple[str, ...]:
        columns = self._columns(table)
        if table != "calls":
            return columns
        return (*(column for column in columns if column != "more"), *MORE_COLUMNS)


def back_up(source: Path, target: Path) -> Iterator[tuple[int, int]]:
    """Copy a file page by page as it is at one moment, while others may use it; gives pages done, and all of them.

    Raises:
        StorageUnavailable: one of the two cannot be read or written, or is in use.
    """
    with _told(source), _opened(source, apsw.SQLITE_OPEN_READWRITE) as original:
        original.execute(_LOOK)
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        with _told(target), _opened(target, flags) as copy, copy.backup("main", original, "main") as backup:
            while not backup.done:
                backup.step(_PAGES_AT_ONCE)
                yield backup.page_count - backup.remaining, backup.page_count


@contextmanager
def _told(path: Path) -> Iterator[None]:
    with for_operators(), translated(path):
        yield


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(path), flags=flags)
    try:
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        yield connection
    finally:
        connection.close()


def _spread(columns: Sequence[str], row: tuple[Any, ...]) -> tuple[Any, ...]:
    more = columns.index("more")
    return (*row[:more], *row[more + 1 :], *apart(row[more]))


def _gathered(columns: Sequence[str], rows: Batch) -> tuple[Sequence[str], Batch]:
    """Calls as they lie in a file."""
    plain = [index for index, column in enumerate(columns) if column not in MORE_COLUMNS]
    seldom = [columns.index(column) for column in MORE_COLUMNS]
    gathered = [(*[row[index] for index in plain], together([row[index] for index in seldom])) for row in rows]
    return (*[columns[index] for index in plain], "more"), gathered
