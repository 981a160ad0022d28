"""All of it or none: a transaction around a block, and the rows of an answer by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import apsw

__all__ = ["READ", "WRITE", "Begin", "rows", "transaction"]

Begin = Literal["BEGIN DEFERRED", "BEGIN IMMEDIATE"]

READ: Final[Begin] = "BEGIN DEFERRED"
WRITE: Final[Begin] = "BEGIN IMMEDIATE"
"""Takes the write lock at once: a transaction that reads first could no longer wait for it later."""


@contextmanager
def transaction(connection: apsw.Connection, begin: Begin) -> Iterator[None]:
    """Commit when the block ends, undo everything when it does not end well."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def rows(cursor: apsw.Cursor) -> Iterator[dict[str, Any]]:
    """The rows of an answer as column names and values; columns that later versions add do no harm."""
    for row in cursor:
        names = [str(description[0]) for description in cursor.get_description()]
        yield dict(zip(names, row, strict=True))
