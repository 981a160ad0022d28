"""Where filled ledgers are: SQLite files, or databases of a PostgreSQL server. What is filled is used again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import asyncpg
import msgspec

from ledgers.calls import Company
from ledgers.copying import copy_quickly
from ledgers.filling import Told, fill
from pointsman.core.secret import Secret
from pointsman.stores.directory.ports import DirectoryStore, SpendStore
from pointsman.stores.ports import KeyStore, LedgerStore
from pointsman.stores.postgres import (
    PostgresAddress,
    PostgresDatabase,
    PostgresDirectoryStore,
    PostgresKeyStore,
    PostgresLedgerStore,
    PostgresSpendStore,
    postgres_address,
)
from pointsman.stores.sqlite import (
    SqliteDatabase,
    SqliteDirectoryStore,
    SqliteKeyStore,
    SqliteLedgerStore,
    SqliteSpendStore,
)

__all__ = ["SERVER_SETTINGS", "Place", "PostgresPlace", "SqlitePlace", "Stores"]

SERVER_SETTINGS: Final = {
    "shared_buffers": "1GB", "work_mem": "32MB", "maintenance_work_mem": "256MB", "max_wal_size": "4GB",
    "autovacuum": "off", "random_page_cost": "1.1",
}  # fmt: skip
"""As an operator would set a small server up; it is vacuumed once, when it is filled."""
_PATIENCE_SECONDS: Final = 7200.0
_FILE: Final = "pointsman.db"


class Stores(NamedTuple):
    """What a gateway keeps everything in."""

    keys: KeyStore
    ledger: LedgerStore
    directory: DirectoryStore
    spend: SpendStore


class Place(Protocol):
    """One ledger, on one backend."""

    async def prepare(self, company: Company, calls: int, told: Told) -> None:
        """Fill it, unless it is filled."""
        ...

    def stores(self) -> AbstractAsyncContextManager[Stores]:
        """Its stores, open for a while."""
        ...

    def gateway(self) -> tuple[Path | None, dict[str, str]]:
        """The data directory and the environment of a gateway that uses it."""
        ...

    async def size(self) -> int:
        """Bytes on the disk."""
        ...


class SqlitePlace(msgspec.Struct, frozen=True):
    """A file in a folder of its own."""

    folder: Path

    async def prepare(self, company: Company, calls: int, told: Told) -> None:
        """See the protocol."""
        ready = self.folder / f"filled-{calls}-{company.keys}-{company.teams}"
        if not ready.exists():
            for old in self.folder.glob("*"):
                old.unlink()
            await self._migrate()
            await asyncio.to_thread(fill, self.folder / _FILE, company, calls, told)
            ready.touch()
        await self._migrate()

    @asynccontextmanager
    async def stores(self) -> AsyncIterator[Stores]:
        """See the protocol."""
        database = SqliteDatabase(self.folder / _FILE, timeout_seconds=600.0)
        await database.open()
        try:
            yield Stores(
                SqliteKeyStore(database),
                SqliteLedgerStore(database),
                SqliteDirectoryStore(database),
                SqliteSpendStore(database),
            )
        finally:
            await database.close()

    def gateway(self) -> tuple[Path | None, dict[str, str]]:
        """See the protocol."""
        return self.folder, {}

    async def size(self) -> int:
        """See the protocol."""
        return sum(file.stat().st_size for file in self.folder.glob(f"{_FILE}*"))

    async def _migrate(self) -> None:
        database = SqliteDatabase(self.folder / _FILE, timeout_seconds=_PATIENCE_SECONDS)
        await database.open()
        await database.close()


class PostgresPlace(msgspec.Struct, frozen=True):
    """A database that exists, at ``url``, which gets what ``origin`` has."""

    url: str
    origin: SqlitePlace

    async def prepare(self, company: Company, calls: int, told: Told) -> None:
        """See the protocol."""
        database = PostgresDatabase(self._address(), timeout_seconds=_PATIENCE_SECONDS)
        await database.open()
        try:
            if await PostgresLedgerStore(database).lines(1):
                return
        finally:
            await database.close()
        await self.origin.prepare(company, calls, told)

        await copy_quickly(self.origin.folder / _FILE, self.url, self._address(), told)
        told("vacuum", 0, 1)
        connection = await asyncpg.connect(self.url)
        try:
            # By whom the tables belong to; what is the server's own is left alone.
            await connection.execute("VACUUM ANALYZE")
        finally:
            await connection.close()

    @asynccontextmanager
    async def stores(self) -> AsyncIterator[Stores]:
        """See the protocol."""
        database = PostgresDatabase(self._address(), timeout_seconds=600.0)
        await database.open()
        try:
            yield Stores(
                PostgresKeyStore(database),
                PostgresLedgerStore(database),
                PostgresDirectoryStore(database),
                PostgresSpendStore(database),
            )
        finally:
            await database.close()

    def gateway(self) -> tuple[Path | None, dict[str, str]]:
        """See the protocol."""
        return None, {"DATABASE_URL": self.url}

    async def size(self) -> int:
        """See the protocol."""
        connection = await asyncpg.connect(self.url)
        try:
            return int(await connection.fetchval("SELECT pg_database_size(current_database())"))
        finally:
            await connection.close()

    def _address(self) -> PostgresAddress:
        return postgres_address(Secret(self.url), "the benchmark")
