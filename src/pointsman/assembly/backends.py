"""Which database keeps what is kept: the one that the configuration names, else a SQLite file in the data directory."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from pointsman.config.load import Loaded
from pointsman.core.clock import Clock
from pointsman.core.errors import Misconfigured, StorageUnavailable
from pointsman.core.secret import Secret
from pointsman.stores.audit import AuditStore
from pointsman.stores.directory.ports import DirectoryStore, SpendStore
from pointsman.stores.ports import KeyStore, LedgerStore
from pointsman.stores.response_ports import ConversationStore, ResponseStore
from pointsman.stores.sign_in_ports import SignInStore
from pointsman.stores.sqlite import (
    SqliteAuditStore,
    SqliteConversationStore,
    SqliteDatabase,
    SqliteDirectoryStore,
    SqliteKeyStore,
    SqliteLedgerStore,
    SqliteResponseStore,
    SqliteSignInStore,
    SqliteSpendStore,
)

if TYPE_CHECKING:
    from pointsman.stores.postgres import PostgresDatabase

__all__ = [
    "SQLITE_FILE",
    "Backend",
    "PostgresBackend",
    "SqliteBackend",
    "backend_of",
    "postgres_database",
    "sqlite_file",
]

SQLITE_FILE: Final = "pointsman.db"
_SQLITE_SCHEMES: Final = ("sqlite", "file")
_START_SECONDS: Final = 60.0
"""So long a start waits for a server that is not there yet, as where both are started together."""
_log: Final = logging.getLogger("pointsman.storage")


class Backend(Protocol):
    """A database with all of its stores."""

    keys: KeyStore
    ledger: LedgerStore
    directory: DirectoryStore
    spend: SpendStore
    responses: ResponseStore
    conversations: ConversationStore
    audit: AuditStore
    sign_in: SignInStore

    async def open(self) -> None:
        """Have it ready.

        Raises:
            StorageUnavailable, Misconfigured: it cannot be.
        """
        ...

    async def enter(self, name: str, gone: Sequence[str]) -> int:
        """The number under which this process works in the background; what a former one left has failed.

        ``name`` is one that nobody had before, and ``gone`` are those of processes that have ended.
        """
        ...

    async def beat(self) -> None:
        """To be called every second or so, for as long as the process lives."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class SqliteBackend:
    """One file. Its processes are the workers of one gateway, so that their numbers tell them apart."""

    def __init__(self, path: Path, clock: Clock, *, worker: int = 0, workers: int = 1) -> None:
        self._workers = worker, workers
        self._database = SqliteDatabase(path, clock=clock)
        self.keys: KeyStore = SqliteKeyStore(self._database)
        self.ledger: LedgerStore = SqliteLedgerStore(self._database)
        self.directory: DirectoryStore = SqliteDirectoryStore(self._database)
        self.spend: SpendStore = SqliteSpendStore(self._database)
        self.responses: ResponseStore = SqliteResponseStore(self._database)
        self.conversations: ConversationStore = SqliteConversationStore(self._database)
        self.audit: AuditStore = SqliteAuditStore(self._database)
        self.sign_in: SignInStore = SqliteSignInStore(self._database)

    async def open(self) -> None:
        """See the protocol."""
        await self._database.open()

    async def enter(self, name: str, gone: Sequence[str]) -> int:
        """See the protocol."""
        await self.responses.fail_unfinished(*self._workers)
        return self._workers[0]

    async def beat(self) -> None:
        """Nothing needs to be said: the next process with the same number knows that this one has ended."""

    async def close(self) -> None:
        """See the protocol."""
        await self._database.close()


class PostgresBackend:
    """A server that replicas on other machines use too, so that each process says that it is there."""

    def __init__(self, database: PostgresDatabase, clock: Clock) -> None:
        from pointsman.stores import postgres  # noqa: PLC0415 - an extra, and a tenth of a second of every start

        self._database = database
        self._clock = clock
        self._presence = postgres.PostgresPresence(database)
        self._beat_at = 0.0
        self._care_at = 0.0
        self._beat_seconds, self._silent_seconds = postgres.BEAT_SECONDS, postgres.SILENT_SECONDS_MAX
        self.keys: KeyStore = postgres.PostgresKeyStore(database)
        self.ledger: LedgerStore = postgres.PostgresLedgerStore(database)
        self.directory: DirectoryStore = postgres.PostgresDirectoryStore(database)
        self.spend: SpendStore = postgres.PostgresSpendStore(database)
        self.responses: ResponseStore = postgres.PostgresResponseStore(database)
        self.conversations: ConversationStore = postgres.PostgresConversationStore(database)
        self.audit: AuditStore = postgres.PostgresAuditStore(database)
        self.sign_in: SignInStore = postgres.PostgresSignInStore(database)

    async def open(self) -> None:
        """See the protocol."""
        await self._database.open(_START_SECONDS)

    async def enter(self, name: str, gone: Sequence[str]) -> int:
        """See the protocol."""
        self._beat_at = self._clock.monotonic() + self._beat_seconds
        return await self._presence.enter(f"{name}@{socket.gethostname()}", [f"{one}@" for one in gone])

    async def beat(self) -> None:
        """See the protocol."""
        now = self._clock.monotonic()
        if now < self._beat_at:
            return
        try:
            failed = await self._presence.beat(look_after_others=now >= self._care_at)
        except StorageUnavailable:
            # When the server is back, others may need as long as this one to say that they are still there.
            self._care_at = now + 2 * self._silent_seconds
            raise
        self._beat_at = now + self._beat_seconds
        if failed:
            _log.warning("%d responses were left unfinished by processes that are gone; they have failed.", failed)

    async def close(self) -> None:
        """See the protocol."""
        try:
            await self._presence.leave()
        except StorageUnavailable as error:
            _log.warning("%s", error.message)
        await self._database.close()


def backend_of(loaded: Loaded, directory: Path, clock: Clock, *, worker: int = 0, workers: int = 1) -> Backend:
    """The database that ``loaded`` names, else the file in ``directory``.

    Raises:
        Misconfigured: its URL is wrong, or what is needed for it is not installed.
    """
    found = loaded.database_url
    if found is None:
        return SqliteBackend(directory / SQLITE_FILE, clock, worker=worker, workers=workers)
    url, source = found
    path = sqlite_file(url.reveal())
    if path is not None:
        return SqliteBackend(path, clock, worker=worker, workers=workers)
    return PostgresBackend(postgres_database(url, source, loaded, clock), clock)


def sqlite_file(url: str) -> Path | None:
    """The file that a URL such as sqlite:///var/lib/pointsman.db means; None: it means something else."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme in _SQLITE_SCHEMES:
        return Path(rest).expanduser()
    return None


def postgres_database(url: Secret, source: str, loaded: Loaded | None, clock: Clock) -> PostgresDatabase:
    """The database at a URL, which was found at ``source``.

    Raises:
        Misconfigured: see :func:`backend_of`.
    """
    try:
        from pointsman.stores import postgres  # noqa: PLC0415 - as above
    except ImportError:
        if not url.reveal().startswith(("postgres://", "postgresql://")):
            hint = "Write postgresql://…, or sqlite:///path."
            raise Misconfigured(f"{source} names no database that is known here.", hint=hint) from None
        message = f"{source} names a PostgreSQL database, and the library for it is not installed."
        raise Misconfigured(message, hint="Install it with: pip install 'pointsman[postgres]'") from None
    address = postgres.postgres_address(url, source)
    if loaded is None:
        return postgres.PostgresDatabase(address, clock=clock)
    general = loaded.settings.general_settings
    if general.database_disable_prepared_statements:
        address = msgspec.structs.replace(address, pooled=True)
    return postgres.PostgresDatabase(
        address,
        connections=general.database_connection_pool_limit,
        timeout_seconds=general.database_connection_timeout or general.database_connection_pool_timeout,
        clock=clock,
    )
