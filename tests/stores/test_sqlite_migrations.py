"""How a database comes to its schema, and what it refuses to guess at."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import apsw
import pytest

from pointsman.core.errors import Misconfigured, StorageUnavailable
from pointsman.stores.sqlite import SqliteDatabase, SqliteKeyStore
from pointsman.stores.sqlite.migrate import Migration, shipped
from tests.stores.samples import full_key

FIRST = Migration(1, "0001_first.sql", "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);")
SECOND = Migration(2, "0002_second.sql", "ALTER TABLE a ADD COLUMN y TEXT; UPDATE a SET y = 'new';")


async def open_with(path: Path, *migrations: Migration, **options: Any) -> SqliteDatabase:
    database = SqliteDatabase(path, migrations=migrations, **options)
    await database.open()
    return database


def content(path: Path) -> list[tuple[object, ...]]:
    return list(apsw.Connection(str(path)).execute("SELECT * FROM a"))


def test_shipped_migrations_are_numbered_without_gaps() -> None:
    steps = shipped()
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", step.name) for step in steps)


async def test_an_empty_file_gets_the_whole_schema(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    database = SqliteDatabase(path)
    await database.open()
    await SqliteKeyStore(database).insert(full_key())
    applied = await database.read(lambda connection: list(connection.execute("SELECT number FROM schema_migrations")))
    assert applied == [(step.number,) for step in shipped()]
    await database.close()


async def test_later_steps_are_added_and_data_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await (await open_with(path, FIRST)).close()
    await (await open_with(path, FIRST, SECOND)).close()
    await (await open_with(path, FIRST, SECOND)).close()
    assert content(path) == [(1, "new")]


async def test_several_processes_at_once_apply_each_step_once(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    databases = await asyncio.gather(*(open_with(path, FIRST, SECOND) for _ in range(6)))
    for database in databases:
        await database.close()
    assert content(path) == [(1, "new")]


async def test_a_step_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await (await open_with(path, FIRST)).close()
    broken = Migration(2, "0002_broken.sql", "UPDATE a SET x = 2; CREATE TABLE a (again INTEGER);")
    with pytest.raises(StorageUnavailable, match="already exists"):
        await open_with(path, FIRST, broken)
    assert content(path) == [(1,)]
    await (await open_with(path, FIRST, SECOND)).close()
    assert content(path) == [(1, "new")]


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await (await open_with(path, FIRST, SECOND)).close()
    with pytest.raises(Misconfigured, match=r"newer version: its schema is 2, this version knows 1") as refused:
        await open_with(path, FIRST)
    assert str(path) in refused.value.message
    assert "Upgrade" in (refused.value.hint or "")


async def test_a_step_that_was_applied_with_other_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await (await open_with(path, FIRST)).close()
    changed = FIRST._replace(sql=FIRST.sql + " -- changed afterwards")
    with pytest.raises(Misconfigured, match=r"made with another 0001_first\.sql"):
        await open_with(path, changed, SECOND)
    assert content(path) == [(1,)]


async def test_the_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with apsw.Connection(str(path)) as connection:
        connection.execute("CREATE TABLE a (x)")
    with pytest.raises(Misconfigured, match="belongs to another program: it holds the table a"):
        await open_with(path, FIRST)


async def test_a_lock_during_migration_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await (await open_with(path, FIRST)).close()
    blocker = apsw.Connection(str(path))
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match="locked"):
        await open_with(path, FIRST, SECOND, busy_seconds=0.05)
    blocker.close()
    await (await open_with(path, FIRST, SECOND)).close()
    assert content(path) == [(1, "new")]
