"""One SQLite file: its connections, a thread for each, and its transactions.

Two lanes lead to it, each a thread with a connection. In the *main* lane go keys, what decides about requests, and all
that is written; in the *side* lane, which only reads, lists and reports, so that none of them holds up a key.

The file is in write-ahead mode, so that readers and writers of several processes do not wait for one another. The
ledger commits without waiting for the disk (``synchronous=NORMAL``): a killed process loses nothing, a power cut may
lose the last moments of it. Keys are few and matter more (a deleted key must not come back), so their transactions
wait for the disk (``FULL``).
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import apsw

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.stores.sqlite.failures import for_operators, unavailable
from pointsman.stores.sqlite.lane import Lane
from pointsman.stores.sqlite.migrate import Migration, migrate, shipped
from pointsman.stores.sqlite.stillness import Mark, mark_of
from pointsman.stores.sqlite.transaction import READ, WRITE, Begin, transaction

__all__ = ["SqliteDatabase"]

T = TypeVar("T")

_TIMEOUT_SECONDS: Final = 10.0
_BUSY_SECONDS: Final = 5.0
_SHORT_BUSY_MILLISECONDS: Final = 100
_CACHE: Final = "PRAGMA cache_size = -8000"  # KiB


class SqliteDatabase:
    """The file at ``path``, made with mode 0600 where there is none.

    Any number of databases, also in other processes, may have the same file open. ``timeout_seconds`` bounds every
    call, the wait for the thread included; ``busy_seconds`` bounds the wait for another process's lock.
    """

    def __init__(
        self,
        path: Path,
        *,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        busy_seconds: float = _BUSY_SECONDS,
        clock: Clock = SYSTEM_CLOCK,
        migrations: tuple[Migration, ...] | None = None,
    ) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self._clock = clock
        self._migrations = migrations
        self._main = Lane(path, "sqlite", self._opened, timeout_seconds, clock)
        self._side = Lane(path, "sqlite-reports", self._opened_aside, timeout_seconds, clock)

    async def open(self) -> None:
        """Open the file and bring its schema up to date. May be tried again after it failed.

        Raises:
            StorageUnavailable: the file cannot be made, opened or locked, or is damaged.
            Misconfigured: see :func:`pointsman.stores.sqlite.migrate.migrate`.
        """
        self._main.start()
        self._side.start()
        with for_operators():
            await self._main.call(lambda _: None)

    async def close(self) -> None:
        """Finish what waits, and close the file. Calls that come later raise ``StorageUnavailable``."""
        await self._side.stop()
        await self._main.stop()

    async def read(self, job: Callable[[apsw.Connection], T], *, aside: bool = False) -> T:
        """Run ``job``; it sees one state of the database. ``aside``: it may take long, and is not to hold up others.

        Raises:
            StorageUnavailable: the database cannot answer, or not in time.
        """
        return await (self._side if aside else self._main).call(lambda connection: _within(connection, READ, job))

    async def write(self, job: Callable[[apsw.Connection], T], *, durable: bool = False) -> T:
        """Run ``job`` as one transaction; with ``durable`` it outlives a power cut.

        Raises:
            StorageUnavailable: as :meth:`read`; after a time-out the transaction may yet have happened.
            apsw.ConstraintError: what was written violates the schema.
        """
        write = _durably if durable else _within
        return await self._main.call(lambda connection: write(connection, WRITE, job))

    def mark(self) -> Mark | None:
        """How the file stands. As long as it is the same, no question need be asked again; None: it may be another."""
        return mark_of(self.path, self._clock)

    async def give_back_room(self) -> None:
        """Give some of the pages that are free back to the disk, where the file was made so that it can.

        Raises:
            StorageUnavailable: as :meth:`read`.
        """
        await self._main.call(lambda connection: connection.execute("PRAGMA incremental_vacuum(1000)").fetchall())

    # -- in the threads --------------------------------------------------------------------------------

    def _opened(self) -> apsw.Connection:
        try:
            _make_private(self.path)
        except OSError as error:
            hint = "Check that its folder exists and belongs to the user who runs the gateway."
            raise unavailable(self.path, "cannot be made", hint, error.strerror or "") from error
        return self._made(self._prepare)

    def _opened_aside(self) -> apsw.Connection:
        def prepare(connection: apsw.Connection) -> None:
            connection.set_busy_timeout(int(self._busy_seconds * 1000))
            connection.execute(_CACHE)
            connection.execute("PRAGMA query_only = ON")

        return self._made(prepare)

    def _made(self, prepare: Callable[[apsw.Connection], None]) -> apsw.Connection:
        connection = apsw.Connection(str(self.path))
        ready = False
        try:
            prepare(connection)
            ready = True
        finally:
            if not ready:
                connection.close()
        return connection

    def _prepare(self, connection: apsw.Connection) -> None:
        busy_milliseconds = int(self._busy_seconds * 1000)
        connection.set_busy_timeout(busy_milliseconds)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(_CACHE)
        # Only of effect for a new file; another one can be made over by VACUUM.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        # Calls go to few pages again and again, so the longer the log, the fewer pages go to the file. 16 MB.
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        mode = self._enter_write_ahead_mode(connection)
        if mode != "wal":
            hint = "Put the data directory on a local disk; network file systems cannot share it safely."
            raise unavailable(self.path, f"cannot have a write-ahead log (its mode stays {mode})", hint)
        connection.set_busy_timeout(busy_milliseconds)
        connection.execute("PRAGMA synchronous = NORMAL")
        migrate(connection, self.path, shipped() if self._migrations is None else self._migrations, self._clock)

    def _enter_write_ahead_mode(self, connection: apsw.Connection) -> str:
        """Ask for it and give the mode that the file now has.

        Two who ask at once for a new file can each hold what the other waits for, so each lets go now and then.
        """
        connection.set_busy_timeout(_SHORT_BUSY_MILLISECONDS)
        give_up_at = self._clock.monotonic() + self._busy_seconds
        while True:
            try:
                return str(connection.execute("PRAGMA journal_mode = WAL").get)
            except apsw.BusyError:
                if self._clock.monotonic() >= give_up_at:
                    raise
                time.sleep(_SHORT_BUSY_MILLISECONDS / 10_000)


def _durably(connection: apsw.Connection, begin: Begin, job: Callable[[apsw.Connection], T]) -> T:
    connection.execute("PRAGMA synchronous = FULL")
    try:
        return _within(connection, begin, job)
    finally:
        connection.execute("PRAGMA synchronous = NORMAL")


def _within(connection: apsw.Connection, begin: Begin, job: Callable[[apsw.Connection], T]) -> T:
    with transaction(connection, begin):
        return job(connection)


def _make_private(path: Path) -> None:
    """Make the file for its owner's eyes only; SQLite gives the mode on to the log beside it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=stat.S_IRWXU)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, stat.S_IRUSR | stat.S_IWUSR))
