"""One PostgreSQL database: its connections, who waits for them, and its transactions.

Two lanes lead to it. In the *main* lane, one connection wide, go keys, directories and appends to the ledger, each
after the one before: whoever adds up what results say relies on their order. The *side* lane is as wide as there may be
connections; lists, reports and stored responses go there, so that none of them holds up a key.

A connection that breaks is replaced when it is needed next. While the server cannot be reached, calls fail at once
instead of each waiting for it, and every half second one of them tries. A server that takes connections and says
nothing is found out within two seconds (``pulse``), and what decides about a request waits no longer than that anyway.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import asyncpg

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.core.nursery import Nursery
from pointsman.stores.postgres.address import PostgresAddress
from pointsman.stores.postgres.connecting import connection
from pointsman.stores.postgres.failures import PASSING, translated, unavailable
from pointsman.stores.postgres.lanes import Call, Job, Kind, Lane
from pointsman.stores.postgres.migrate import Migration, looked_up, migrate, shipped
from pointsman.stores.postgres.pulse import DOUBT_SECONDS, GREETING_SECONDS, Pulse, within_own_time
from pointsman.stores.postgres.report import Report, processes, report
from pointsman.stores.postgres.session import Session, Transaction, connect

__all__ = ["CONNECTIONS", "SOON_SECONDS", "TIMEOUT_SECONDS", "PostgresDatabase"]

T = TypeVar("T")

CONNECTIONS: Final = 10
TIMEOUT_SECONDS: Final = 10.0
SOON_SECONDS: Final = 2.0
"""How long a request waits for what decides about it, such as whose key it is."""
_ATTEMPTS: Final = 5
_REST_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 1.0
_GOODBYE_SECONDS: Final = 2.0

_BEGIN: Final = {
    "read": "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "write": "BEGIN",
    # The number is of this program's; it is taken by all replicas, until the end of the transaction.
    "alone": "BEGIN; SELECT pg_advisory_xact_lock(1349742675)",
}
_LIMIT: Final = "SELECT set_config('statement_timeout', $1, true)"
_GREETING: Final = "SELECT 1"
_log: Final = logging.getLogger("pointsman.storage")


class PostgresDatabase:
    """The database at ``address``. Any number of replicas may use it at once.

    ``timeout_seconds`` bounds every call, the wait for a connection included; ``connections`` are never exceeded.
    """

    def __init__(
        self,
        address: PostgresAddress,
        *,
        connections: int | None = None,
        timeout_seconds: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
        migrations: tuple[Migration, ...] | None = None,
    ) -> None:
        self.address = address
        self.timeout_seconds = timeout_seconds or address.timeout_seconds or TIMEOUT_SECONDS
        self._clock = clock
        self._migrations = shipped() if migrations is None else migrations
        self._nursery = Nursery(_tell_failure)
        self._failure: StorageUnavailable | None = None
        self._failed_at = 0.0
        self._is_open = False
        width = max((connections or address.connection_limit or CONNECTIONS) - 1, 0)
        self._main = Lane(self, 1)
        self._side = Lane(self, width) if width else self._main
        self._pulse = Pulse(self._greet, self._fall_silent)

    async def open(self, patience_seconds: float = 0.0) -> None:
        """Connect, and bring the schema up to date; a server that is not there is waited for.

        Raises:
            StorageUnavailable: it is not there within ``patience_seconds``.
            Misconfigured: it does not let us in, or see :func:`pointsman.stores.postgres.migrate.migrate`.
        """
        give_up_at = self._clock.monotonic() + patience_seconds
        told = False
        while True:
            try:
                await self.migrate()
            except StorageUnavailable as error:
                if self._clock.monotonic() >= give_up_at:
                    raise
                if not told:
                    told = True
                    _log.warning("%s It is tried again for %g s.", error.message, patience_seconds)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                break
        self._is_open = True
        for lane in {self._main, self._side}:
            lane.start(self._nursery)
        self._pulse.start(self._nursery)

    async def close(self) -> None:
        """Finish what waits, and let go of all connections. Calls that come later raise ``StorageUnavailable``."""
        if not self._is_open:
            return
        self._is_open = False
        self._pulse.stop()
        for lane in {self._main, self._side}:
            await lane.close(_GOODBYE_SECONDS)
        await self._nursery.close()

    async def look(self, job: Job[T], *, aside: bool = False, soon: bool = False) -> T:
        """Run ``job``, which runs one statement that changes nothing; ``soon``: within ``SOON_SECONDS``, or not at all.

        Raises:
            StorageUnavailable: the database cannot answer, or not in time.
        """
        seconds = min(self.timeout_seconds, SOON_SECONDS) if soon else None
        kind: Kind = "read" if self.address.pooled else "look"
        return await self._call(kind, job, aside=aside, seconds=seconds)

    async def read(self, job: Job[T], *, aside: bool = True, soon: bool = False) -> T:
        """Run ``job``, which sees one state of the database and changes nothing. The rest as :meth:`look`."""
        seconds = min(self.timeout_seconds, SOON_SECONDS) if soon else None
        return await self._call("read", job, aside=aside, seconds=seconds)

    async def write(self, job: Job[T], *, aside: bool = False) -> T:
        """Run ``job`` as one transaction. It may be run several times, if others are in its way.

        Raises:
            StorageUnavailable: as :meth:`look`; after a time-out the transaction may yet have happened.
            asyncpg.IntegrityConstraintViolationError, asyncpg.DataError: what was written violates the schema.
        """
        return await self._call("write", job, aside=aside)

    async def alone(self, job: Job[T]) -> T:
        """As :meth:`write`, and while it runs no other replica runs one of these."""
        return await self._call("alone", job, aside=False)

    # -- for the lanes -----------------------------------------------------------------------------------

    async def session(self) -> Session:
        """A new connection.

        Raises:
            StorageUnavailable: there is none, or there was none a moment ago.
        """
        if self._failure is not None and self._clock.monotonic() - self._failed_at < _REST_SECONDS:
            raise _again(self._failure)
        try:
            with translated(self.address):
                session = await connect(self.address, self.timeout_seconds)
        except StorageUnavailable as error:
            self._failure, self._failed_at = error, self._clock.monotonic()
            raise
        self._failure = None
        return session

    async def perform(self, session: Session, call: Call) -> object:
        """What the job gives, in a transaction of its kind."""
        if call.kind == "look":
            result = await call.job(session)
        else:
            result = await self._repeated(session, call)
        self._pulse.heard()
        return result

    async def _repeated(self, session: Session, call: Call) -> object:
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._in_transaction(session, call)
            except PASSING:
                continue
        return await self._in_transaction(session, call)

    async def _in_transaction(self, session: Session, call: Call) -> object:
        async with Transaction(session, _BEGIN[call.kind]):
            call.begun = True
            if self.address.pooled:
                await session.rows(_LIMIT, str(int(self.timeout_seconds * 1000)))
            return await call.job(session)

    # -- before it is open, and for operators -------------------------------------------------------------

    async def migrate(self, *, rehearse: bool = False) -> tuple[Migration, ...]:
        """Bring the schema up to date, or ``rehearse`` it, and give the steps; over a connection of its own.

        Raises:
            StorageUnavailable, Misconfigured: as :meth:`open`.
        """
        async with self._apart() as session:
            return await migrate(session, self.address, self._migrations, self._clock, rehearse=rehearse)

    async def pending(self) -> tuple[Migration, ...]:
        """The steps that are missing; errors as :meth:`migrate`."""
        async with self._apart() as session:
            return await looked_up(session, self.address, self._migrations)

    async def report(self) -> Report:
        """What can be told about it; errors as :meth:`migrate`."""
        async with self._apart() as session:
            return await report(session, self.address, self._migrations)

    async def users(self) -> tuple[str, ...]:
        """The gateway processes that use it, as WORKER@HOST; errors as :meth:`migrate`."""
        async with self._apart() as session:
            return await processes(session)

    @asynccontextmanager
    async def _apart(self) -> AsyncIterator[Session]:
        """A connection of its own. Errors tell where the database is, since operators read them, and no clients."""
        try:
            async with connection(self.address, self.timeout_seconds) as session:
                yield session
        except StorageUnavailable as error:
            raise StorageUnavailable(f"{error.message} It is {error.detail}.", hint=error.hint) from error

    # -- on the event loop -------------------------------------------------------------------------------

    async def _call(self, kind: Kind, job: Job[T], *, aside: bool, seconds: float | None = None) -> T:
        if not self._is_open:
            hint = "The gateway is starting or stopping; try again in a moment."
            raise unavailable(self.address, "is not open", hint)
        if self._pulse.silence is not None:
            raise _again(self._pulse.silence)
        lane = self._side if aside else self._main
        if lane.is_full:
            raise unavailable(self.address, "has too much waiting for it", "Try again in a moment.")
        seconds = seconds or self.timeout_seconds
        doubting = asyncio.get_running_loop().call_later(DOUBT_SECONDS, self._pulse.doubt)
        try:
            async with asyncio.timeout(seconds):
                with translated(self.address):
                    return await lane.call(kind, job, seconds)
        except TimeoutError:
            raise self.too_late(seconds) from None
        except asyncio.CancelledError:
            if self._is_open:
                raise
            raise unavailable(self.address, "was closed", "The gateway is stopping.") from None
        finally:
            doubting.cancel()

    async def _greet(self) -> None:
        """A sign of life over a connection of its own; whatever the server says is one, a refusal too.

        Raises:
            StorageUnavailable: there is none.
        """
        try:
            await within_own_time(GREETING_SECONDS, self._greeted())
        except TimeoutError:
            raise self.too_late(DOUBT_SECONDS + GREETING_SECONDS) from None
        except OSError:
            with translated(self.address):
                raise
        except asyncpg.PostgresError:
            return

    async def _greeted(self) -> None:
        session = await connect(self.address, self.timeout_seconds)
        try:
            await session.rows(_GREETING)
        finally:
            session.abandon()

    def _fall_silent(self, error: StorageUnavailable) -> None:
        """Nobody waits any longer. Behind a pool others may only have to wait for their turn, beside the main lane."""
        _log.warning("%s", error.message)
        for lane in {self._main} if self.address.pooled else {self._main, self._side}:
            lane.give_up(error)

    def too_late(self, seconds: float) -> StorageUnavailable:
        """The error that says that time is over."""
        what = f"did not answer within {seconds:g} s"
        return unavailable(
            self.address, what, "Check the server and the network, or raise database_connection_timeout."
        )


def _again(error: StorageUnavailable) -> StorageUnavailable:
    again = StorageUnavailable(error.message, hint=error.hint)
    again.detail = error.detail
    return again


def _tell_failure(name: str, error: BaseException) -> None:
    _log.error("the background task %r ended", name, exc_info=error)
