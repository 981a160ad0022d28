"""Every backend, for the one suite that holds them all to the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pointsman.stores.audit import AuditStore
from pointsman.stores.directory.ports import DirectoryStore, SpendStore
from pointsman.stores.memory import (
    MemoryAuditStore,
    MemoryConversationStore,
    MemoryDatabase,
    MemoryDirectoryStore,
    MemoryKeyStore,
    MemoryLedgerStore,
    MemoryResponseStore,
    MemorySpendStore,
)
from pointsman.stores.ports import KeyStore, LedgerStore
from pointsman.stores.response_ports import ConversationStore, ResponseStore
from pointsman.stores.sqlite import (
    SqliteAuditStore,
    SqliteConversationStore,
    SqliteDatabase,
    SqliteDirectoryStore,
    SqliteKeyStore,
    SqliteLedgerStore,
    SqliteResponseStore,
    SqliteSpendStore,
)


class Stores(NamedTuple):
    keys: KeyStore
    ledger: LedgerStore
    responses: ResponseStore
    conversations: ConversationStore
    directory: DirectoryStore
    spend: SpendStore
    audit: AuditStore


def in_memory() -> Stores:
    memory = MemoryDatabase()
    return Stores(
        MemoryKeyStore(memory),
        MemoryLedgerStore(memory),
        MemoryResponseStore(memory),
        MemoryConversationStore(memory),
        MemoryDirectoryStore(memory),
        MemorySpendStore(memory),
        MemoryAuditStore(),
    )


def in_sqlite(database: SqliteDatabase) -> Stores:
    return Stores(
        SqliteKeyStore(database),
        SqliteLedgerStore(database),
        SqliteResponseStore(database),
        SqliteConversationStore(database),
        SqliteDirectoryStore(database),
        SqliteSpendStore(database),
        SqliteAuditStore(database),
    )


@pytest.fixture(params=["memory", "sqlite"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield in_memory()
        return
    database = SqliteDatabase(tmp_path / "pointsman.db")
    await database.open()
    yield in_sqlite(database)
    await database.close()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "pointsman.db")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def audit(stores: Stores) -> AuditStore:
    return stores.audit


@pytest.fixture
def keys(stores: Stores) -> KeyStore:
    return stores.keys


@pytest.fixture
def ledger(stores: Stores) -> LedgerStore:
    return stores.ledger


@pytest.fixture
def responses(stores: Stores) -> ResponseStore:
    return stores.responses


@pytest.fixture
def conversations(stores: Stores) -> ConversationStore:
    return stores.conversations


@pytest.fixture
def directory(stores: Stores) -> DirectoryStore:
    return stores.directory


@pytest.fixture
def spend(stores: Stores) -> SpendStore:
    return stores.spend


@pytest.fixture(params=["memory", "sqlite"])
def stores_of_example(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Callable[[Stores], Awaitable[None]]], None]:
    """Runs a coroutine with stores that nothing is in yet, for tests that run many times over."""

    async def with_memory(work: Callable[[Stores], Awaitable[None]]) -> None:
        await work(in_memory())

    async def with_sqlite(work: Callable[[Stores], Awaitable[None]]) -> None:
        database = SqliteDatabase(tmp_path_factory.mktemp("stores") / "pointsman.db")
        await database.open()
        try:
            await work(in_sqlite(database))
        finally:
            await database.close()

    run = with_memory if request.param == "memory" else with_sqlite
    return lambda work: asyncio.run(run(work))
