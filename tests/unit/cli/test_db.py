"""The commands that look after the database, on SQLite files and on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner, Result

from pointsman.cli.main import cli
from pointsman.core.errors import Misconfigured, StorageUnavailable
from pointsman.core.identity import KeyRecord
from pointsman.core.outcome import CallRecord
from pointsman.core.secret import Secret
from pointsman.stores.postgres import PostgresDatabase, PostgresKeyStore, PostgresPresence, postgres_address
from pointsman.stores.postgres.migrate import Migration
from pointsman.stores.postgres.migrate import shipped as postgres_shipped
from pointsman.stores.sqlite import SqliteDatabase, SqliteKeyStore, SqliteLedgerStore
from pointsman.stores.sqlite.migrate import shipped
from pointsman.stores.transfer.sqlite_end import SqliteEnd
from tests.support.servers import PASSWORD, PostgresServer

DAY = 86_400.0


def run(*words: str | Path, env: dict[str, str] | None = None) -> Result:
    result = CliRunner().invoke(cli, ["db", *map(str, words)], env={"DATABASE_URL": "", **(env or {})})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A gateway's folder with a key and a call."""
    folder = tmp_path / "data"

    async def fill() -> None:
        database = SqliteDatabase(folder / "pointsman.db")
        await database.open()
        await SqliteKeyStore(database).insert(KeyRecord(token="t1", key_name="sk-…1"))
        call = CallRecord("c1", "chat", "/chat/completions", 20_000 * DAY, key_token="t1", cost=5)
        await SqliteLedgerStore(database).append([call])
        await database.close()

    asyncio.run(fill())
    return folder


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.url(postgres.new_database())


async def spent_there(url: str) -> int | None:
    database = PostgresDatabase(postgres_address(Secret(url), "the test"))
    await database.open()
    key = await PostgresKeyStore(database).get("t1")
    await database.close()
    return None if key is None else key.spend


def spent_here(file: Path) -> list[tuple[str, int]]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute("SELECT token, spend FROM keys").fetchall()
    finally:
        connection.close()


def older(file: Path) -> None:
    """Make a database of an earlier version."""

    async def make() -> None:
        database = SqliteDatabase(file, migrations=shipped()[:2])
        await database.open()
        await database.close()

    asyncio.run(make())


def test_what_is_missing_is_rehearsed_and_then_applied(tmp_path: Path) -> None:
    older(tmp_path / "pointsman.db")
    rehearsed = run("migrate", "--dry-run", "--data-dir", tmp_path)
    assert "0003_units.sql" in rehearsed.output
    assert "0002" not in rehearsed.output
    assert "Nothing changed" in rehearsed.output
    applied = run("migrate", "--data-dir", tmp_path)
    assert "0003_units.sql" in applied.output
    assert "Applied to" in applied.output
    assert "is up to date" in run("migrate", "--data-dir", tmp_path).output


def test_a_database_on_a_server_is_rehearsed_and_then_made(url: str, postgres: PostgresServer) -> None:
    rehearsed = run("migrate", "--dry-run", env={"DATABASE_URL": url})
    assert "0001_initial.sql" in rehearsed.output
    assert PASSWORD not in rehearsed.output
    name = url.rpartition("/")[2]
    assert postgres.fetch("SELECT 1 FROM pg_tables WHERE schemaname = 'public'", database=name) == []
    assert "Applied to" in run("migrate", env={"DATABASE_URL": url}).output
    assert "is up to date" in run("migrate", env={"DATABASE_URL": url}).output


def test_the_status_tells_what_is_there(directory: Path, url: str) -> None:
    here = json.loads(run("status", "--json", "--data-dir", directory).output)
    known = len(shipped())
    assert (here["kind"], here["schema"], here["keys"], here["calls"]) == ("SQLite", f"{known} of {known}", 1, 1)
    before = json.loads(run("status", "--json", env={"DATABASE_URL": url}).output)
    assert before["schema"].startswith("0 of ")
    run("migrate", env={"DATABASE_URL": url})
    there = run("status", env={"DATABASE_URL": url}).output
    assert "PostgreSQL" in there
    after = json.loads(run("status", "--json", env={"DATABASE_URL": url}).output)
    assert {"keys", "deleted_keys", "calls", "stored_responses"} <= here.keys() & after.keys()
    assert "to come" not in there
    assert PASSWORD not in there


def test_a_server_that_is_not_there_is_told_with_its_place() -> None:
    with pytest.raises(StorageUnavailable, match=r"d at 127\.0\.0\.1:9") as told:
        run("status", env={"DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:9/d"})
    assert "hunter2" not in told.value.told()


def test_a_backup_of_a_file_is_restored(directory: Path, tmp_path: Path) -> None:
    file, elsewhere = tmp_path / "backup.db", tmp_path / "other"
    elsewhere.mkdir()
    assert "was backed up" in run("backup", "--data-dir", directory, file).output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(Misconfigured, match="exists already"):
        run("backup", "--data-dir", directory, file)
    run("restore", "--data-dir", elsewhere, file)
    assert spent_here(elsewhere / "pointsman.db") == [("t1", 5)]
    with pytest.raises(Misconfigured, match="is not empty"):
        run("restore", "--data-dir", elsewhere, file)
    run("restore", "--replace", "--data-dir", elsewhere, file)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("content", [b"", b"PGDMP and more", b"\x1f\x8b\x08 a backup that was compressed"])
def test_what_is_no_backup_is_not_taken_for_a_damaged_database(directory: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "backup.db"
    file.write_bytes(content)
    with pytest.raises(Misconfigured, match=r"backup\.db is no backup") as told:
        run("restore", "--replace", "--data-dir", directory, file)
    assert "pointsman db backup" in str(told.value.hint)
    assert spent_here(directory / "pointsman.db") == [("t1", 5)]


async def test_a_file_is_copied_to_a_server_and_its_backup_back_to_a_file(
    directory: Path, url: str, tmp_path: Path
) -> None:
    copied = await asyncio.to_thread(run, "copy", "--from", directory / "pointsman.db", "--to", url)
    assert "was copied to" in copied.output
    assert PASSWORD not in copied.output
    assert await spent_there(url) == 5
    await asyncio.to_thread(run, "backup", tmp_path / "b.db", env={"DATABASE_URL": url})
    assert spent_here(tmp_path / "b.db") == [("t1", 5)]
    await asyncio.to_thread(run, "restore", "--replace", tmp_path / "b.db", env={"DATABASE_URL": url})
    assert await spent_there(url) == 5


def test_a_backup_of_an_earlier_version_is_brought_up_to_date_on_the_way(tmp_path: Path) -> None:
    older(tmp_path / "old.db")
    before = (tmp_path / "old.db").read_bytes()
    run("copy", "--from", tmp_path / "old.db", "--to", f"sqlite://{tmp_path}/new.db")
    assert "is up to date" in run("migrate", env={"DATABASE_URL": f"sqlite://{tmp_path}/new.db"}).output
    assert (tmp_path / "old.db").read_bytes() == before


def test_a_copy_onto_itself_or_from_nowhere_is_refused(directory: Path, tmp_path: Path) -> None:
    file = directory / "pointsman.db"
    with pytest.raises(Misconfigured, match="the same database"):
        run("copy", "--from", file, "--to", f"sqlite://{file}")
    with pytest.raises(Misconfigured, match="There is no file"):
        run("copy", "--from", tmp_path / "none.db", "--to", tmp_path / "new.db")
    with pytest.raises(Misconfigured, match="--to does not begin with postgresql://"):
        run("copy", "--from", file, "--to", "mysql://h/d")


def test_a_copy_that_fails_leaves_no_file_behind(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "new.db"

    async def fill_up(*_: object) -> None:
        raise StorageUnavailable("The database cannot grow: the disk is full.")

    monkeypatch.setattr(SqliteEnd, "put", fill_up)
    with pytest.raises(StorageUnavailable, match="disk is full"):
        run("copy", "--from", directory / "pointsman.db", "--to", target)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.fixture
def used(directory: Path) -> Iterator[Path]:
    """The database of the folder, which another process has open."""
    file = directory / "pointsman.db"
    program = (
        "import apsw, sys; c = apsw.Connection(sys.argv[1]); c.execute('SELECT * FROM keys').get; print(); input()"
    )
    command = [sys.executable, "-c", program, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        yield file
        other.communicate(b"\n")


def test_nothing_is_taken_away_under_a_gateway_that_uses_a_file(used: Path, directory: Path, tmp_path: Path) -> None:
    run("backup", "--data-dir", directory, tmp_path / "b.db")
    with pytest.raises(Misconfigured, match=r"pointsman\.db is in use by another process"):
        run("restore", "--replace", "--data-dir", directory, tmp_path / "b.db")
    with pytest.raises(Misconfigured, match="is in use") as refused:
        run("copy", "--replace", "--from", tmp_path / "b.db", "--to", used)
    assert "--force" in str(refused.value.hint)
    run("restore", "--replace", "--force", "--data-dir", directory, tmp_path / "b.db")
    warned = run("copy", "--from", used, "--to", tmp_path / "new.db")
    assert "is in use: what is recorded there from now on is not copied" in warned.output
    assert spent_here(tmp_path / "new.db") == [("t1", 5)]


async def test_nothing_is_taken_away_under_gateways_that_use_a_server(
    directory: Path, url: str, postgres: PostgresServer
) -> None:
    copied = "copy", "--replace", "--from", directory / "pointsman.db", "--to", url
    await asyncio.to_thread(run, *copied)
    database = PostgresDatabase(postgres_address(Secret(url), "the test"))
    await database.open()
    for number in range(5):
        await PostgresPresence(database).enter(f"worker-{number}@here")
    await database.close()
    with pytest.raises(Misconfigured, match="worker-0@here, worker-1@here, worker-2@here and 2 more"):
        await asyncio.to_thread(run, *copied)
    await asyncio.to_thread(run, *copied, "--force")
    name = url.rpartition("/")[2]
    postgres.execute("UPDATE processes SET seen_at = now() - interval '31 seconds'", database=name)
    await asyncio.to_thread(run, *copied)


async def test_a_schema_of_a_newer_version_is_told(url: str) -> None:
    newer = Migration(len(postgres_shipped()) + 1, "9999_newer.sql", "CREATE TABLE newer (x INTEGER)")
    database = PostgresDatabase(postgres_address(Secret(url), "the test"), migrations=(*postgres_shipped(), newer))
    await database.open()
    await database.close()
    done = await asyncio.to_thread(run, "migrate", env={"DATABASE_URL": url})
    assert "A newer version was here before" in done.output
    status = await asyncio.to_thread(run, "status", env={"DATABASE_URL": url})
    assert "a newer version uses it, too" in status.output


def test_a_backup_of_a_locked_file_names_it(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.stores.transfer.sqlite_end._BUSY_MILLISECONDS", 10)
    holder = apsw.Connection(str(directory / "pointsman.db"))
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageUnavailable, match=r"is locked by another process\. It is .*/data/pointsman\.db"):
        run("backup", "--data-dir", directory, tmp_path / "backup.db")
    holder.close()
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
