"""One thread with one connection to a SQLite file, and who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import apsw

from pointsman.core.clock import Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.stores.sqlite.failures import translated, unavailable

__all__ = ["Lane"]

T = TypeVar("T")

_WAITING_MAX: Final = 2_000
"""Calls that may wait for the thread; more only come when it is stuck, and waiting would not help them."""
_STEPS_BETWEEN_LOOKS: Final = 20_000
"""Steps of SQLite's machine between two looks at the clock: about a millisecond."""


class Lane:
    """Jobs one after the other, each within ``timeout_seconds``, the wait for the thread included.

    The connection is made by ``connect`` when it is first needed.
    """

    def __init__(
        self, path: Path, name: str, connect: Callable[[], apsw.Connection], timeout_seconds: float, clock: Clock
    ) -> None:
        self._path = path
        self._name = name
        self._connect = connect
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._executor: ThreadPoolExecutor | None = None
        self._connection: apsw.Connection | None = None
        self._deadline = 0.0
        self._waiting = 0

    def start(self) -> None:
        """Take jobs from now on."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=self._name)

    async def stop(self) -> None:
        """Finish what waits, and let go of the file. Jobs that come later raise ``StorageUnavailable``."""
        executor = self._executor
        if executor is None:
            return
        try:
            await self._run(self._disconnect)
        finally:
            self._executor = None
            executor.shutdown(wait=False)

    async def call(self, job: Callable[[apsw.Connection], T]) -> T:
        """What the job gives, in the thread.

        Raises:
            StorageUnavailable: the database cannot answer, or not in time.
            apsw.ConstraintError: what was written violates the schema.
        """
        return await self._run(lambda: job(self._connected()))

    async def _run(self, work: Callable[[], T]) -> T:
        executor = self._executor
        if executor is None:
            raise unavailable(self._path, "is not open", "The gateway is starting or stopping; try again in a moment.")
        if self._waiting >= _WAITING_MAX:
            raise unavailable(self._path, "has too much waiting for it", "Try again in a moment.")
        deadline = self._clock.monotonic() + self._timeout_seconds
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await asyncio.get_running_loop().run_in_executor(executor, self._work, work, deadline)
        except TimeoutError:
            raise self._too_late() from None
        finally:
            self._waiting -= 1

    def _too_late(self) -> StorageUnavailable:
        what = f"did not answer within {self._timeout_seconds:g} s"
        return unavailable(self._path, what, "Check the disk, and whether another program holds a lock on the file.")

    # -- in the thread ---------------------------------------------------------------------------------

    def _work(self, work: Callable[[], T], deadline: float) -> T:
        if self._clock.monotonic() >= deadline:
            raise self._too_late()
        self._deadline = deadline
        with translated(self._path):
            return work()

    def _overdue(self) -> bool:
        return self._clock.monotonic() >= self._deadline

    def _connected(self) -> apsw.Connection:
        if self._connection is None:
            self._connection = self._connect()
            self._connection.set_progress_handler(self._overdue, _STEPS_BETWEEN_LOOKS)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
