"""One connection to PostgreSQL, with types; all that the stores know of asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlencode

import asyncpg

from pointsman.stores.postgres.address import PostgresAddress
from pointsman.stores.postgres.failures import breaks_connection

__all__ = ["Session", "Transaction", "connect"]

_CONNECT_SECONDS_MAX: Final = 5.0
_STATEMENTS_MAX: Final = 200
"""Statements that a connection keeps prepared."""


class _Connection(Protocol):
    """The part of asyncpg's connection that is used."""

    def is_closed(self) -> bool: ...
    async def fetch(self, query: str, *args: object) -> list[Sequence[Any]]: ...
    async def execute(self, query: str, *args: object) -> str: ...
    async def executemany(self, command: str, args: Iterable[Sequence[object]]) -> None: ...
    async def copy_records_to_table(
        self, table_name: str, *, records: Iterable[Sequence[object]], columns: Sequence[str]
    ) -> str: ...
    def cursor(self, query: str, *args: object, prefetch: int) -> AsyncIterator[Sequence[Any]]: ...
    def terminate(self) -> None: ...


class Session:
    """A connection as jobs use it. Values are given one by one and never become part of a statement."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    @property
    def is_closed(self) -> bool:
        """Whether it can no longer be used."""
        return self._connection.is_closed()

    async def rows(self, statement: str, *values: object) -> list[Any]:
        """The rows of an answer, each a sequence of its columns."""
        found: list[Any] = await self._connection.fetch(statement, *values)
        return found

    async def named(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """The rows of an answer by the names of their columns; columns that later versions add do no harm."""
        return [dict(row) for row in await self.rows(statement, *values)]

    async def whole(self, statement: str, *values: object) -> int | None:
        """The whole number in the first row; None: there is none."""
        for row in await self._connection.fetch(statement, *values):
            return None if row[0] is None else int(row[0])
        return None

    async def text(self, statement: str, *values: object) -> str | None:
        """The text in the first row; None: there is none."""
        for row in await self._connection.fetch(statement, *values):
            return None if row[0] is None else str(row[0])
        return None

    async def execute(self, statement: str, *values: object) -> int:
        """Run a statement, and give how many rows it changed. Without values there may be several statements."""
        status = await self._connection.execute(statement, *values)
        last = status.rpartition(" ")[2]
        return int(last) if last.isdecimal() else 0

    async def many(self, statement: str, values: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each of ``values``, in one go."""
        await self._connection.executemany(statement, values)

    async def copy_in(self, table: str, columns: Sequence[str], records: Iterable[Sequence[object]]) -> None:
        """Add rows to a table as fast as can be."""
        await self._connection.copy_records_to_table(table, records=records, columns=columns)

    def stream(self, statement: str, *values: object, at_once: int = 5_000) -> AsyncIterator[Sequence[Any]]:
        """The rows of a long answer, within a transaction, so many held ``at_once``."""
        return self._connection.cursor(statement, *values, prefetch=at_once)

    def abandon(self) -> None:
        """Let go of it at once; the server undoes what was not committed."""
        self._connection.terminate()


class Transaction:
    """A transaction around a block: what ``end`` says when the block ends well, and undone else."""

    def __init__(self, session: Session, begin: str, end: Literal["COMMIT", "ROLLBACK"] = "COMMIT") -> None:
        self._session = session
        self._begin = begin
        self._end = end

    async def __aenter__(self) -> None:
        began = False
        try:
            await self._session.execute(self._begin)
            began = True
        finally:
            if not began:  # it may have begun and then waited for a lock in vain
                self._session.abandon()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None:
            await self._session.execute(self._end)
        elif isinstance(error, Exception) and not breaks_connection(error) and not self._session.is_closed:
            await self._session.execute("ROLLBACK")


async def connect(address: PostgresAddress, timeout_seconds: float) -> Session:
    """A new connection, on which each statement may take ``timeout_seconds``.

    Raises:
        OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: see ``failures``.
    """
    milliseconds = str(int(timeout_seconds * 1000))
    settings = {"application_name": address.application}
    if not address.pooled:  # PgBouncer refuses to connect to whoever sets more
        settings |= {
            "statement_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
            "timezone": "UTC",
        }
        if address.schema is not None:
            settings["search_path"] = address.schema
    files = {"sslmode": address.ssl_mode, **address.certificates}
    connection = await asyncpg.connect(
        dsn=f"postgresql://?{urlencode({name: value for name, value in files.items() if value is not None})}",
        host=address.host,
        port=address.port,
        user=address.user,
        password=None if address.password is None else address.password.reveal(),
        database=address.database,
        timeout=min(timeout_seconds, _CONNECT_SECONDS_MAX),
        # Behind PgBouncer the next statement may go to a server that has not prepared it.
        statement_cache_size=0 if address.pooled else _STATEMENTS_MAX,
        server_settings=settings,
        target_session_attrs=address.target,
    )
    return Session(connection)
