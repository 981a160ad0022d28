"""One SQLite file: its connection, the one thread that uses it, and its transactions.

The file is in write-ahead mode, so that readers and writers of several processes do not wait for one another. The
ledger commits without waiting for the disk (``synchronous=NORMAL``): a killed process loses nothing, a power cut may
lose the last moments of it. Keys are few and matter more (a deleted key must not come back), so their transactions
wait for the disk (``FULL``).
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import apsw

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.stores.sqlite.failures import for_operators, translated, unavailable
from pointsman.stores.sqlite.migrate import Migration, migrate, shipped
from pointsman.stores.sqlite.stillness import Mark, mark_of
from pointsman.stores.sqlite.transaction import READ, WRITE, Begin, transaction

__all__ = ["SqliteDatabase"]

T = TypeVar("T")

_TIMEOUT_SECONDS: Final = 10.0
_BUSY_SECONDS: Final = 5.0
_WAITING_MAX: Final = 2_000
"""Calls that may wait for the thread; more only come when it is stuck, and waiting would not help them."""
_STEPS_BETWEEN_LOOKS: Final = 20_000
"""Steps of SQLite's machine between two looks at the clock: about a millisecond."""

_SHORT_BUSY_MILLISECONDS: Final = 100


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
        self._timeout_seconds = timeout_seconds
        self._busy_seconds = busy_seconds
        self._clock = clock
        self._migrations = migrations
        self._executor: ThreadPoolExecutor | None = None
        self._connection: apsw.Connection | None = None
        self._deadline = 0.0
        self._waiting = 0

    async def open(self) -> None:
        """Open the file and bring its schema up to date. May be tried again after it failed.

        Raises:
            StorageUnavailable: the file cannot be made, opened or locked, or is damaged.
            Misconfigured: see :func:`pointsman.stores.sqlite.migrate.migrate`.
        """
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        with for_operators():
            await self._call(self._open)

    async def close(self) -> None:
        """Finish what waits, and close the file. Calls that come later raise ``StorageUnavailable``."""
        executor = self._executor
        if executor is None:
            return
        try:
            await self._call(self._close)
        finally:
            self._executor = None
            executor.shutdown(wait=False)

    async def read(self, job: Callable[[apsw.Connection], T]) -> T:
        """Run ``job`` in the thread; it sees one state of the database.

        Raises:
            StorageUnavailable: the database cannot answer, or not in time.
        """
        return await self._call(lambda: self._transaction(READ, job))

    async def write(self, job: Callable[[apsw.Connection], T], *, durable: bool = False) -> T:
        """Run ``job`` in the thread as one transaction; with ``durable`` it outlives a power cut.

        Raises:
            StorageUnavailable: as :meth:`read`; after a time-out the transaction may yet have happened.
            apsw.ConstraintError: what was written violates the schema.
        """
        return await self._call(lambda: self._durably(job) if durable else self._transaction(WRITE, job))

    def mark(self) -> Mark | None:
        """How the file stands. As long as it is the same, no question need be asked again; None: it may be another."""
        return mark_of(self.path, self._clock)

    async def give_back_room(self) -> None:
        """Give some of the pages that are free back to the disk, where the file was made so that it can.

        Raises:
            StorageUnavailable: as :meth:`read`.
        """
        await self._call(lambda: self._connected().execute("PRAGMA incremental_vacuum(1000)").fetchall())

    # -- on the event loop -----------------------------------------------------------------------------

    async def _call(self, job: Callable[[], T]) -> T:
        executor = self._executor
        if executor is None:
            raise unavailable(self.path, "is not open", "The gateway is starting or stopping; try again in a moment.")
        if self._waiting >= _WAITING_MAX:
            raise unavailable(self.path, "has too much waiting for it", "Try again in a moment.")
        deadline = self._clock.monotonic() + self._timeout_seconds
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await asyncio.get_running_loop().run_in_executor(executor, self._work, job, deadline)
        except TimeoutError:
            raise self._too_late() from None
        finally:
            self._waiting -= 1

    def _too_late(self) -> StorageUnavailable:
        what = f"did not answer within {self._timeout_seconds:g} s"
        return unavailable(self.path, what, "Check the disk, and whether another program holds a lock on the file.")

    # -- in the thread ---------------------------------------------------------------------------------

    def _work(self, job: Callable[[], T], deadline: float) -> T:
        if self._clock.monotonic() >= deadline:
            raise self._too_late()
        self._deadline = deadline
        with translated(self.path):
            return job()

    def _overdue(self) -> bool:
        return self._clock.monotonic() >= self._deadline

    def _open(self) -> None:
        if self._connection is not None:
            return
        try:
            _make_private(self.path)
        except OSError as error:
            hint = "Check that its folder exists and belongs to the user who runs the gateway."
            raise unavailable(self.path, "cannot be made", hint, error.strerror or "") from error
        connection = apsw.Connection(str(self.path))
        try:
            self._prepare(connection)
            self._connection = connection
        finally:
            if self._connection is None:
                connection.close()

    def _prepare(self, connection: apsw.Connection) -> None:
        busy_milliseconds = int(self._busy_seconds * 1000)
        connection.set_busy_timeout(busy_milliseconds)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -8000")  # KiB
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
        connection.set_progress_handler(self._overdue, _STEPS_BETWEEN_LOOKS)

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

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _durably(self, job: Callable[[apsw.Connection], T]) -> T:
        connection = self._connected()
        connection.execute("PRAGMA synchronous = FULL")
        try:
            return self._transaction(WRITE, job)
        finally:
            connection.execute("PRAGMA synchronous = NORMAL")

    def _transaction(self, begin: Begin, job: Callable[[apsw.Connection], T]) -> T:
        connection = self._connected()
        with transaction(connection, begin):
            return job(connection)

    def _connected(self) -> apsw.Connection:
        if self._connection is None:
            raise unavailable(self.path, "is not open", "The gateway is starting or stopping; try again in a moment.")
        return self._connection


def _make_private(path: Path) -> None:
    """Make the file for its owner's eyes only; SQLite gives the mode on to the log beside it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=stat.S_IRWXU)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, stat.S_IRUSR | stat.S_IWUSR))
