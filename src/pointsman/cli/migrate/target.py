"""Where what is taken over goes: the database of a gateway on this machine, or for a dry run a copy of it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, TypeVar

import apsw

from pointsman.config.environment import EnvironmentSettings
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.stores.directory.ports import DirectoryStore, SpendStore
from pointsman.stores.encryption import KEY_FILE, Sealer, SecretKeys, read_secret_keys
from pointsman.stores.ports import KeyStore
from pointsman.stores.sqlite import SqliteDatabase, SqliteDirectoryStore, SqliteKeyStore, SqliteSpendStore

__all__ = ["Target", "open_target"]

T = TypeVar("T")

_FILES: Final = ("pointsman.db", "pointsman.db-wal", KEY_FILE)


class Target(NamedTuple):
    """The stores of a gateway, and what encrypts its secrets."""

    keys: KeyStore
    directory: DirectoryStore
    spend: SpendStore
    sealer: Sealer
    clock: Clock


class _ManyWrites(SqliteDatabase):
    """Does not wait for the disk after each write: what a power cut takes away, the next run brings again."""

    async def write(self, job: Callable[[apsw.Connection], T], *, durable: bool = False) -> T:
        """See :meth:`SqliteDatabase.write`."""
        return await super().write(job)


@asynccontextmanager
async def open_target(directory: Path, environment: Mapping[str, str], *, dry_run: bool) -> AsyncIterator[Target]:
    """The gateway's stores, for as long as the block lasts.

    Raises:
        StorageUnavailable, Misconfigured: they cannot be opened.
    """
    if not dry_run:
        await asyncio.to_thread(directory.mkdir, 0o700, parents=True, exist_ok=True)
        async with _opened(directory, environment) as target:
            yield target
        return
    with TemporaryDirectory(prefix="pointsman-dry-run-") as copy:
        await asyncio.to_thread(_copy, directory, Path(copy))
        async with _opened(Path(copy), environment) as target:
            yield target


@asynccontextmanager
async def _opened(directory: Path, environment: Mapping[str, str]) -> AsyncIterator[Target]:
    said = EnvironmentSettings.read(environment)

    def read(*, make: bool) -> SecretKeys:
        return read_secret_keys(said.secret_key, said.salt_key, directory, make=make)

    database = _ManyWrites(directory / "pointsman.db")
    await database.open()
    try:
        yield Target(
            SqliteKeyStore(database),
            SqliteDirectoryStore(database),
            SqliteSpendStore(database),
            Sealer(read),
            SYSTEM_CLOCK,
        )
    finally:
        await database.close()


def _copy(directory: Path, copy: Path) -> None:
    for name in _FILES:
        if (directory / name).is_file():
            shutil.copy2(directory / name, copy / name)
