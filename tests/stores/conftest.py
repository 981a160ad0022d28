"""Every backend, for the one suite that holds them all to the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pointsman.stores.memory import MemoryDatabase, MemoryKeyStore, MemoryLedgerStore
from pointsman.stores.ports import KeyStore, LedgerStore
from pointsman.stores.sqlite import SqliteDatabase, SqliteKeyStore, SqliteLedgerStore


class Stores(NamedTuple):
    keys: KeyStore
    ledger: LedgerStore


@pytest.fixture(params=["memory", "sqlite"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    if request.param == "memory":
        memory = MemoryDatabase()
        yield Stores(MemoryKeyStore(memory), MemoryLedgerStore(memory))
        return
    database = SqliteDatabase(tmp_path / "pointsman.db")
    await database.open()
    yield Stores(SqliteKeyStore(database), SqliteLedgerStore(database))
    await database.close()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "pointsman.db")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def keys(stores: Stores) -> KeyStore:
    return stores.keys


@pytest.fixture
def ledger(stores: Stores) -> LedgerStore:
    return stores.ledger


@pytest.fixture(params=["memory", "sqlite"])
def stores_of_example(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Callable[[Stores], Awaitable[None]]], None]:
    """Runs a coroutine with stores that nothing is in yet, for tests that run many times over."""

    async def with_memory(work: Callable[[Stores], Awaitable[None]]) -> None:
        memory = MemoryDatabase()
        await work(Stores(MemoryKeyStore(memory), MemoryLedgerStore(memory)))

    async def with_sqlite(work: Callable[[Stores], Awaitable[None]]) -> None:
        database = SqliteDatabase(tmp_path_factory.mktemp("stores") / "pointsman.db")
        await database.open()
        try:
            await work(Stores(SqliteKeyStore(database), SqliteLedgerStore(database)))
        finally:
            await database.close()

    run = with_memory if request.param == "memory" else with_sqlite
    return lambda work: asyncio.run(run(work))
