"""What only a file can do wrong: locks, damage, permissions, other processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import apsw
import pytest

from pointsman.core.errors import Malformed, StorageUnavailable
from pointsman.stores.ports import KeyChanges, LedgerQuery
from pointsman.stores.sqlite import SqliteDatabase, SqliteKeyStore, SqliteLedgerStore
from tests.stores.samples import bare_call, bare_key, full_key

T = TypeVar("T")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pointsman.db"


async def opened(path: Path, **options: Any) -> SqliteDatabase:
    database = SqliteDatabase(path, **options)
    await database.open()
    return database


async def test_what_was_written_is_there_after_opening_again(path: Path) -> None:
    first = await opened(path)
    await SqliteKeyStore(first).insert(full_key())
    await SqliteLedgerStore(first).append([bare_call(key_token="t1", cost=4)])
    await first.close()
    second = await opened(path)
    stored = await SqliteKeyStore(second).get("t1")
    assert stored is not None
    assert stored.spend == 4
    await second.close()


async def test_the_file_and_its_log_are_for_their_owner_only(database: SqliteDatabase) -> None:
    await SqliteKeyStore(database).insert(bare_key())
    files = sorted(database.path.parent.iterdir())
    assert [file.name for file in files] == ["pointsman.db", "pointsman.db-shm", "pointsman.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_a_folder_that_is_made_is_for_its_owner_only(tmp_path: Path) -> None:
    database = await opened(tmp_path / "new" / "pointsman.db")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    await database.close()


async def test_two_databases_on_one_file_see_one_another(path: Path) -> None:
    one, other = await asyncio.gather(opened(path), opened(path))
    await SqliteKeyStore(one).insert(bare_key())
    version, tokens = await SqliteKeyStore(other).changed_since(0)
    assert tokens == ("t1",)
    await SqliteKeyStore(other).update("t1", KeyChanges(updated_at=1.0, rpm_limit=5))
    stored = await SqliteKeyStore(one).get("t1")
    assert stored is not None
    assert stored.rpm_limit == 5
    assert (await SqliteKeyStore(one).changed_since(version))[1] == ("t1",)
    await one.close()
    await other.close()


async def test_concurrent_appends_of_the_same_calls_count_once(path: Path) -> None:
    one, other = await opened(path), await opened(path)
    await SqliteKeyStore(one).insert(bare_key())
    batches = [[bare_call(f"c{n}", key_token="t1", cost=1) for n in range(k, k + 40)] for k in range(0, 60, 10)]
    ledgers = (SqliteLedgerStore(one), SqliteLedgerStore(other))
    appended = await asyncio.gather(*(ledger.append(batch) for batch in batches for ledger in ledgers))
    stored = await SqliteKeyStore(one).get("t1")
    assert stored is not None
    assert stored.spend == sum(one.calls for one in appended) == 90
    await one.close()
    await other.close()


async def test_a_lock_that_is_let_go_in_time_is_waited_for(path: Path) -> None:
    database = await opened(path)
    blocker = apsw.Connection(str(path))
    blocker.execute("BEGIN IMMEDIATE")
    appending = asyncio.gather(SqliteLedgerStore(database).append([bare_call()]))
    asyncio.get_running_loop().call_later(0.05, blocker.execute, "COMMIT")
    assert (await appending)[0].calls == 1
    blocker.close()
    await database.close()


async def test_a_lasting_lock_is_told_and_ends_nothing(path: Path) -> None:
    database = await opened(path, busy_seconds=0.05)
    ledger, keys = SqliteLedgerStore(database), SqliteKeyStore(database)
    await keys.insert(bare_key())
    blocker = apsw.Connection(str(path))
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match="The database is locked by another process") as told:
        await ledger.append([bare_call()])
    assert str(path) not in told.value.told()
    assert str(path) in told.value.detail
    with pytest.raises(StorageUnavailable):
        await keys.delete(["t1"], 0.0)
    # In write-ahead mode who only reads is not stopped.
    assert await keys.get("t1") == bare_key()
    blocker.execute("COMMIT")
    assert (await ledger.append([bare_call()])).calls == 1
    blocker.close()
    await database.close()


class SetClock:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def wall(self) -> float:
        """Seconds."""
        return self.now


async def test_a_call_ends_in_time_though_the_thread_is_busy(path: Path) -> None:
    # The thread goes by the clock and the callers by the loop's time, so that a slow machine is late for neither.
    clock = SetClock()
    database = SqliteDatabase(path, timeout_seconds=0.05, clock=clock)
    with contextlib.suppress(StorageUnavailable):
        await database.open()
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def wait(_: apsw.Connection) -> None:
        begun.set()
        go_on.wait(30)

    while not begun.is_set():  # opening may be late as well
        with pytest.raises(StorageUnavailable):
            await database.read(wait)
    with pytest.raises(StorageUnavailable, match=r"did not answer within 0\.05 s"):
        await SqliteKeyStore(database).insert(bare_key())
    clock.now = 0.05
    go_on.set()
    while not done.is_set():  # on a busy machine this may be late as well, and is asked for again
        with contextlib.suppress(StorageUnavailable):
            await database.read(lambda _: done.set())
    # What had not begun when its time was up does not happen later.
    other = await opened(path)
    assert await SqliteKeyStore(other).get("t1") is None
    await other.close()
    with contextlib.suppress(StorageUnavailable):
        await database.close()


async def soon_given_up(path: Path) -> SqliteDatabase:
    """One that waits for no longer than 0.2 s, whether or not opening it has taken longer."""
    database = SqliteDatabase(path, timeout_seconds=0.2)
    with contextlib.suppress(StorageUnavailable):
        await database.open()
    return database


async def answered(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer of such a database, which a busy machine may miss more than once."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(StorageUnavailable):
                return await ask()


async def test_a_statement_that_takes_too_long_is_stopped(path: Path) -> None:
    database = await soon_given_up(path)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(StorageUnavailable, match="did not answer"):
        await database.write(lambda connection: connection.execute(endless).get)
    assert await answered(lambda: SqliteKeyStore(database).get("t1")) is None
    await database.close()


async def test_what_fails_in_the_middle_leaves_nothing(database: SqliteDatabase) -> None:
    def fail(connection: apsw.Connection) -> None:
        connection.execute("INSERT INTO key_changes (token) VALUES ('t1')")
        connection.execute("SELECT * FROM missing")

    with pytest.raises(StorageUnavailable) as told:
        await database.write(fail)
    assert "missing" in told.value.detail
    assert await SqliteKeyStore(database).version() == 0


async def test_results_arrive_in_the_order_of_the_calls(database: SqliteDatabase) -> None:
    arrived: list[int] = []

    async def call(number: int) -> None:
        await SqliteKeyStore(database).get("t1")
        arrived.append(number)

    await asyncio.gather(*map(call, range(50)))
    assert arrived == list(range(50))


async def test_the_event_loop_goes_on_while_the_thread_works(database: SqliteDatabase) -> None:
    release = threading.Event()
    reading = asyncio.gather(database.read(lambda _: release.wait(5)))
    # Were the loop blocked, this would only run after the wait had failed.
    asyncio.get_running_loop().call_soon(release.set)
    assert list(await reading) == [True]


async def test_a_stuck_database_does_not_gather_callers_without_bound(database: SqliteDatabase) -> None:
    release = threading.Event()
    keys = SqliteKeyStore(database)
    stuck = asyncio.gather(database.read(lambda _: release.wait(5)), *(keys.get("t1") for _ in range(1_999)))
    await asyncio.sleep(0)
    with pytest.raises(StorageUnavailable, match="too much waiting"):
        await keys.get("t1")
    release.set()
    await stuck
    assert await keys.get("t1") is None


async def test_a_closed_or_unopened_database_says_so(path: Path) -> None:
    database = SqliteDatabase(path)
    with pytest.raises(StorageUnavailable, match="is not open"):
        await SqliteKeyStore(database).get("t1")
    await database.open()
    await database.open()
    await database.close()
    await database.close()
    with pytest.raises(StorageUnavailable, match="is not open"):
        await SqliteKeyStore(database).get("t1")


async def test_a_record_that_breaks_the_schema_is_refused_whole(database: SqliteDatabase) -> None:
    ledger = SqliteLedgerStore(database)
    wrong = bare_call("c2", started_at="yesterday")
    with pytest.raises(Malformed) as refused:
        await ledger.append([bare_call("c1"), wrong])
    assert refused.value.code == "record_not_kept"
    assert await ledger.find(LedgerQuery()) == ()


def make_garbage(path: Path) -> None:
    path.write_bytes(b"not a database " * 1000)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_parent_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (make_garbage, "is damaged or is no SQLite database"),
        (make_folder, "cannot be made"),
        (make_parent_a_file, "cannot be made"),
    ],
)
async def test_a_file_that_cannot_be_used_is_told_with_a_hint(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    path = tmp_path / "data" / "pointsman.db"
    path.parent.mkdir()
    spoil(path)
    with pytest.raises(StorageUnavailable, match=said) as failed:
        await SqliteDatabase(path).open()
    assert str(path) in failed.value.message
    assert failed.value.hint


async def test_damage_while_running_is_told(path: Path) -> None:
    await (await opened(path)).close()
    schema = path.stat().st_size
    database = await opened(path)
    for number in range(600):
        await SqliteKeyStore(database).insert(full_key(f"t{number}"))
    await database.close()
    content = path.read_bytes()
    whole = max(schema, len(content) * 3 // 4)
    assert whole < len(content)
    path.write_bytes(content[:whole] + os.urandom(len(content) - whole))
    damaged = await opened(path)
    reading = asyncio.gather(*(SqliteKeyStore(damaged).get(f"t{number}") for number in range(600)))
    with pytest.raises(StorageUnavailable, match="is damaged"):
        await reading
    await damaged.close()


async def test_a_full_disk_is_told_and_then_goes_on(database: SqliteDatabase) -> None:
    ledger = SqliteLedgerStore(database)
    pages = await database.read(lambda connection: connection.execute("PRAGMA page_count").get)
    await database.read(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").get)
    many = [bare_call(f"c{number}", peer="x" * 200) for number in range(500)]
    with pytest.raises(StorageUnavailable, match="the disk is full"):
        await ledger.append(many)
    assert (await ledger.totals()).calls == 0
    await database.read(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").get)
    assert (await ledger.append(many)).calls == 500


async def test_opening_can_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "pointsman.db"
    path.mkdir()
    database = SqliteDatabase(path)
    with pytest.raises(StorageUnavailable):
        await database.open()
    path.rmdir()
    await database.open()
    assert await SqliteKeyStore(database).get("t1") is None
    await database.close()


@pytest.mark.parametrize(
    ("query", "indexes"),
    [
        ({"call_id": "c1"}, ["calls USING INTEGER PRIMARY KEY"]),
        ({"key_token": "t1"}, ["parties_by_key", "party_seconds USING PRIMARY KEY", "COVERING INDEX calls_by_start"]),
        ({"user_id": "u1"}, ["parties_by_user", "party_seconds USING PRIMARY KEY", "COVERING INDEX calls_by_start"]),
        ({}, ["COVERING INDEX calls_by_start"]),
    ],
)
async def test_every_search_of_calls_uses_indexes(
    database: SqliteDatabase, query: dict[str, Any], indexes: list[str]
) -> None:
    await SqliteLedgerStore(database).append([bare_call("c1")])
    plans: list[str] = []

    def plan(connection: apsw.Connection) -> None:
        connection.exec_trace = explain

    def explain(cursor: apsw.Cursor, sql: str, bindings: apsw.Bindings | None) -> bool:
        if "call_records" in sql:
            plans.extend(str(row[3]) for row in connection_of(cursor).execute(f"EXPLAIN QUERY PLAN {sql}", bindings))
        return True

    def connection_of(cursor: apsw.Cursor) -> apsw.Connection:
        cursor.connection.exec_trace = None
        return cursor.connection

    await database.read(plan, aside=True)
    await SqliteLedgerStore(database).find(LedgerQuery(**query))
    assert all(any(index in step for step in plans) for index in indexes), plans
    # The subquery is the page that was found.
    assert not any(step.startswith("SCAN") and "subquery" not in step for step in plans), plans


async def test_a_long_report_holds_up_no_key_and_no_call(path: Path) -> None:
    database = await opened(path)
    keys, ledger = SqliteKeyStore(database), SqliteLedgerStore(database)
    await keys.insert(bare_key())
    begun, over = threading.Event(), threading.Event()

    def report(connection: apsw.Connection) -> object:
        before = connection.execute("SELECT count(*) FROM calls").get
        begun.set()
        assert over.wait(5.0)
        return before, connection.execute("SELECT count(*) FROM calls").get

    reporting = asyncio.ensure_future(database.read(report, aside=True))
    await asyncio.to_thread(begun.wait, 5.0)
    assert await keys.get("t1") is not None
    assert (await ledger.append([bare_call()])).calls == 1
    assert not reporting.done()
    over.set()
    assert await reporting == (0, 0)  # one state of the database, whatever happens meanwhile
    assert len(await ledger.find(LedgerQuery())) == 1
    await database.close()


async def test_what_is_read_aside_cannot_write_and_ends_in_time(path: Path) -> None:
    database = await soon_given_up(path)
    with pytest.raises(StorageUnavailable):
        await database.read(lambda connection: connection.execute("DELETE FROM keys").fetchall(), aside=True)
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(StorageUnavailable, match="did not answer"):
        await database.read(lambda connection: connection.execute(endless).get, aside=True)
    assert await answered(lambda: database.read(lambda connection: connection.execute("SELECT 1").get, aside=True)) == 1
    await database.close()
