"""While nobody writes to the file, what changed and what is due is not asked of it again."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import apsw
import pytest

from pointsman.stores.directory.kinds import CREDENTIALS
from pointsman.stores.directory.ports import Meter
from pointsman.stores.directory.records import StoredCredential
from pointsman.stores.sqlite import SqliteDatabase, SqliteDirectoryStore, SqliteKeyStore, SqliteSpendStore
from tests.stores.samples import bare_key

T = TypeVar("T")
LONG_AGO = 1_000_000_000
TEAM = Meter("team", "core")


class CountingDatabase(SqliteDatabase):
    """Counts the questions that reach the file."""

    reads = 0

    async def read(self, job: Callable[[apsw.Connection], T], *, aside: bool = False) -> T:
        self.reads += 1
        return await super().read(job, aside=aside)

    def settle(self) -> None:
        """As if nobody had written for long."""
        for file in (self.path, self.path.with_name(f"{self.path.name}-wal")):
            os.utime(file, (LONG_AGO, LONG_AGO))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[CountingDatabase]:
    """An open one."""
    found = CountingDatabase(tmp_path / "p.db")
    await found.open()
    yield found
    await found.close()


async def test_what_changed_is_asked_once_while_nobody_writes(database: CountingDatabase, tmp_path: Path) -> None:
    keys, directory = SqliteKeyStore(database), SqliteDirectoryStore(database)
    database.settle()
    for _ in range(3):
        assert await keys.changed_since(0) == (0, ())
        assert await directory.changed_since(0) == (0, ())
    assert database.reads == 2
    other = SqliteDatabase(tmp_path / "p.db")
    await other.open()
    await SqliteKeyStore(other).insert(bare_key("t1"))
    assert await keys.changed_since(0) == (1, ("t1",))
    assert await keys.changed_since(1) == (1, ())
    database.settle()
    await SqliteDirectoryStore(other).insert(CREDENTIALS, StoredCredential(name="c"))
    version, changes = await directory.changed_since(0)
    assert [(change.kind, change.identity) for change in changes] == [(CREDENTIALS.name, "c")]
    database.settle()
    reads = database.reads
    assert await directory.changed_since(version) == (version, ())
    assert await directory.changed_since(version) == (version, ())
    assert await directory.changed_since(0) == (version, changes)
    assert database.reads == reads + 2
    await other.close()


async def test_a_file_that_was_just_written_is_asked_every_time(database: CountingDatabase) -> None:
    keys = SqliteKeyStore(database)
    await keys.insert(bare_key("t1"))
    for _ in range(2):
        assert await keys.changed_since(1) == (1, ())
    assert database.reads == 2


async def test_what_is_due_is_asked_again_when_it_may_be(database: CountingDatabase) -> None:
    keys, spend = SqliteKeyStore(database), SqliteSpendStore(database)
    await keys.insert(bare_key("t1", budget_duration="1d", budget_reset_at=500.0))
    await spend.schedule(TEAM, "1d", 700.0)
    database.settle()
    for now in (100.0, 200.0, 499.0):
        assert await keys.budgets_due(now) == ()
        assert await spend.due(now) == ()
    assert database.reads == 2
    for _ in range(2):  # for as long as it is not done
        assert [record.token for record in await keys.budgets_due(500.0)] == ["t1"]
        assert [due.meter for due in await spend.due(700.0)] == [TEAM]
    await keys.reset_budget("t1", 500.0, 900.0)
    database.settle()
    assert await keys.budgets_due(899.0) == await keys.budgets_due(899.5) == ()
    assert [record.token for record in await keys.budgets_due(900.0)] == ["t1"]
