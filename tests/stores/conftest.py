"""Every backend, for the one suite that holds them all to the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pointsman.core.secret import Secret
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
    MemorySignInStore,
    MemorySpendStore,
)
from pointsman.stores.ports import KeyStore, LedgerStore
from pointsman.stores.postgres import (
    PostgresAuditStore,
    PostgresConversationStore,
    PostgresDatabase,
    PostgresDirectoryStore,
    PostgresKeyStore,
    PostgresLedgerStore,
    PostgresResponseStore,
    PostgresSignInStore,
    PostgresSpendStore,
    postgres_address,
)
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
from tests.support.servers import PostgresServer, run_aside

BACKENDS = ("memory", "sqlite", "postgres")

EMPTY = """
SELECT set_config('pointsman.audit_removed_before', 'infinity', true);
DELETE FROM keys; DELETE FROM deleted_keys; DELETE FROM key_changes; DELETE FROM calls; DELETE FROM contents;
DELETE FROM contexts; DELETE FROM parties; DELETE FROM origins; DELETE FROM daily_energy;
DELETE FROM activity_lines; DELETE FROM daily_activity; DELETE FROM daily_failures;
DELETE FROM directory; DELETE FROM directory_changes; DELETE FROM spend_totals; DELETE FROM spend_periods;
DELETE FROM conversations; DELETE FROM responses; DELETE FROM processes; DELETE FROM sign_in; DELETE FROM audit_log;
DELETE FROM spend_news; DELETE FROM tag_user_days; DELETE FROM tag_users; DELETE FROM roll_up_progress
"""


class Stores(NamedTuple):
    keys: KeyStore
    ledger: LedgerStore
    responses: ResponseStore
    conversations: ConversationStore
    directory: DirectoryStore
    spend: SpendStore
    sign_in: SignInStore
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
        MemorySignInStore(),
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
        SqliteSignInStore(database),
        SqliteAuditStore(database),
    )


def in_postgres(database: PostgresDatabase) -> Stores:
    return Stores(
        PostgresKeyStore(database),
        PostgresLedgerStore(database),
        PostgresResponseStore(database),
        PostgresConversationStore(database),
        PostgresDirectoryStore(database),
        PostgresSpendStore(database),
        PostgresSignInStore(database),
        PostgresAuditStore(database),
    )


def postgres_at(url: str, **options: float) -> PostgresDatabase:
    return PostgresDatabase(postgres_address(Secret(url), "the test"), **options)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """A database that has the schema and nothing in it, to make others from."""
    name = postgres.new_database()

    async def migrate() -> None:
        database = postgres_at(postgres.url(name))
        await database.open()
        await database.close()

    run_aside(migrate())
    return name


@pytest.fixture(scope="session")
def postgres_shared(postgres: PostgresServer, postgres_template: str) -> str:
    """The database that tests use one after the other."""
    return postgres.new_database(postgres_template)


@pytest.fixture
def postgres_url(postgres: PostgresServer, postgres_shared: str) -> str:
    """A database with the schema and nothing in it; to empty one is quicker than to make one."""
    postgres.execute(EMPTY, database=postgres_shared)
    return postgres.url(postgres_shared)


@pytest.fixture
async def postgres_database(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    database = postgres_at(postgres_url, connections=3)
    await database.open()
    yield database
    await database.close()


@pytest.fixture(params=BACKENDS)
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield in_memory()
    elif request.param == "sqlite":
        database = SqliteDatabase(tmp_path / "pointsman.db")
        await database.open()
        yield in_sqlite(database)
        await database.close()
    else:
        there = postgres_at(request.getfixturevalue("postgres_url"), connections=3)
        await there.open()
        yield in_postgres(there)
        await there.close()


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


@pytest.fixture(params=BACKENDS)
def stores_of_example(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Callable[[Stores], Awaitable[None]]], None]]:
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

    there: list[PostgresDatabase] = []

    async def with_postgres(work: Callable[[Stores], Awaitable[None]]) -> None:
        (database,) = there
        await database.write(lambda session: session.execute(EMPTY))
        await work(in_postgres(database))

    runs = {"memory": with_memory, "sqlite": with_sqlite, "postgres": with_postgres}
    with asyncio.Runner() as runner:
        if request.param == "postgres":
            there.append(postgres_at(request.getfixturevalue("postgres_url"), connections=2))
        for database in there:
            runner.run(database.open())
        yield lambda work: runner.run(runs[request.param](work))
        for database in there:
            runner.run(database.close())
