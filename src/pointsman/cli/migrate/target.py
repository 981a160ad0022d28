"""Where what is taken over goes: the database that the gateway uses, or for a dry run a copy of what matters in it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import apsw

from pointsman.assembly.backends import SQLITE_FILE, PostgresBackend
from pointsman.cli.db.places import place_of, told
from pointsman.config.load import Loaded
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import Misconfigured
from pointsman.stores.directory.ports import DirectoryStore, SpendStore
from pointsman.stores.encryption import KEY_FILE, Sealer, SecretKeys, read_secret_keys
from pointsman.stores.ports import KeyStore, LedgerStore
from pointsman.stores.sqlite import (
    SqliteDatabase,
    SqliteDirectoryStore,
    SqliteKeyStore,
    SqliteLedgerStore,
    SqliteSpendStore,
)
from pointsman.stores.transfer.sqlite_end import SqliteEnd

if TYPE_CHECKING:
    from pointsman.stores.postgres import PostgresDatabase

__all__ = ["Target", "open_target"]

T = TypeVar("T")

_DECIDING: Final = frozenset({
    "keys", "deleted_keys", "directory", "spend_totals", "spend_periods", "activity_lines", "activity",
})  # fmt: skip
"""The tables in which an import looks for what is there already."""


class Target(NamedTuple):
    """The stores of a gateway, what encrypts its secrets, and where they are as an operator may read it."""

    keys: KeyStore
    directory: DirectoryStore
    spend: SpendStore
    ledger: LedgerStore
    sealer: Sealer
    clock: Clock
    place: str


class _ManyWrites(SqliteDatabase):
    """Does not wait for the disk after each write: what a power cut takes away, the next run brings again."""

    async def write(self, job: Callable[[apsw.Connection], T], *, durable: bool = False) -> T:
        """See :meth:`SqliteDatabase.write`."""
        return await super().write(job)


@asynccontextmanager
async def open_target(loaded: Loaded, directory: Path, *, dry_run: bool) -> AsyncIterator[Target]:
    """The stores of the gateway that is set up by ``loaded``, for as long as the block lasts.

    ``directory`` is its folder, in which its key for secrets is, and its database where none is named.

    Raises:
        StorageUnavailable, Misconfigured: they cannot be opened.
    """
    place = place_of(loaded, directory)
    if not dry_run:
        await asyncio.to_thread(directory.mkdir, 0o700, parents=True, exist_ok=True)
        sealer = _sealer(loaded, directory)
        if isinstance(place, Path):
            async with _in_file(place, sealer, told(place)) as target:
                yield target
        else:
            async with _in_postgres(place, sealer) as target:
                yield target
        return
    with TemporaryDirectory(prefix="pointsman-dry-run-") as folder:
        copy = Path(folder)
        await asyncio.to_thread(_copy, directory / KEY_FILE, copy / KEY_FILE)
        if isinstance(place, Path):
            for ending in ("", "-wal"):
                await asyncio.to_thread(_copy, Path(f"{place}{ending}"), copy / f"{SQLITE_FILE}{ending}")
        else:
            await _copy_what_decides(place, copy / SQLITE_FILE)
        async with _in_file(copy / SQLITE_FILE, _sealer(loaded, copy), told(place)) as target:
            yield target


def _sealer(loaded: Loaded, directory: Path) -> Sealer:
    def read(*, make: bool) -> SecretKeys:
        said = loaded.environment
        return read_secret_keys(said.secret_key, said.salt_key, directory, make=make)

    return Sealer(read)


@asynccontextmanager
async def _in_file(path: Path, sealer: Sealer, place: str) -> AsyncIterator[Target]:
    database = _ManyWrites(path)
    await database.open()
    try:
        yield Target(
            SqliteKeyStore(database),
            SqliteDirectoryStore(database),
            SqliteSpendStore(database),
            SqliteLedgerStore(database),
            sealer,
            SYSTEM_CLOCK,
            place,
        )
    finally:
        await database.close()


@asynccontextmanager
async def _in_postgres(database: PostgresDatabase, sealer: Sealer) -> AsyncIterator[Target]:
    stores = PostgresBackend(database, SYSTEM_CLOCK)
    await database.open()
    try:
        yield Target(stores.keys, stores.directory, stores.spend, stores.ledger, sealer, SYSTEM_CLOCK, told(database))
    finally:
        await database.close()


def _copy(file: Path, copy: Path) -> None:
    if file.is_file():
        shutil.copy2(file, copy)


async def _copy_what_decides(database: PostgresDatabase, copy: Path) -> None:
    """Without calls and what else may be large; a database in which nothing is yet gives an empty copy."""
    from pointsman.stores.transfer.postgres_end import PostgresEnd  # noqa: PLC0415 - an extra

    empty = SqliteDatabase(copy)
    await empty.open()
    await empty.close()
    pending = await database.pending()
    if pending and pending[0].number == 1:
        return
    if pending:
        raise Misconfigured(
            f"The database {told(database)} lacks {pending[0].name}.",
            hint="Bring it up to date first with: pointsman db migrate",
        )
    async with PostgresEnd.reading(database.address) as source:
        with SqliteEnd.writing(copy) as target:
            for table, columns in (await source.tables()).items():
                if table in _DECIDING:
                    async for rows in source.rows(table):
                        await target.put(table, columns, rows)
