"""Every record of the spool reaches the ledger, once, whoever dies or does not answer meanwhile."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from shutil import rmtree
from typing import Any

import apsw
import msgspec
import pytest

from pointsman.accounting.mover import Mover
from pointsman.accounting.segments import SegmentReader, orphans
from pointsman.accounting.spool import Spool
from pointsman.core.errors import Malformed, StorageUnavailable
from pointsman.core.identity import KeyRecord
from pointsman.core.nursery import Nursery
from pointsman.core.outcome import CallRecord
from pointsman.stores.memory import MemoryDatabase, MemoryKeyStore, MemoryLedgerStore
from pointsman.stores.ports import Appended, LedgerQuery
from pointsman.stores.sqlite import SqliteDatabase, SqliteKeyStore, SqliteLedgerStore

EVERYTHING = LedgerQuery(limit=1_000_000)
APPENDING = Path(__file__).with_name("appending_process.py")


def call(number: int = 1, **changes: Any) -> CallRecord:
    record = CallRecord(f"c{number}", "chat", "/v1/chat/completions", 1000.0, 1001.0, key_token="t1", cost=number)
    return msgspec.structs.replace(record, **changes)


def put(spool: Spool, *records: CallRecord) -> None:
    """Append and flush."""
    for record in records:
        spool.append(record)
    spool.flush()


def forget(spool: Spool) -> None:
    """Let the spool forget what it wrote, as it does when the ledger is long away."""
    for segment in spool.segments():
        spool._forget(segment, segment.size)


class Told:
    """What a mover told, added up."""

    def __init__(self) -> None:
        self.amounts: dict[str, int] = {}

    def __call__(self, amounts: Mapping[str, int]) -> None:
        for token, amount in amounts.items():
            self.amounts[token] = self.amounts.get(token, 0) + amount


class FickleLedger(MemoryLedgerStore):
    """A ledger that can be made to fail: before it keeps a batch, after, or for single records."""

    def __init__(self) -> None:
        super().__init__(MemoryDatabase())
        self.failures: list[str] = []
        self.refused: set[str] = set()
        self.tries = 0

    async def append(self, records: Sequence[CallRecord]) -> Appended:
        self.tries += 1
        failure = self.failures.pop(0) if self.failures else ""
        if failure == "before":
            raise StorageUnavailable("The database does not answer.")
        if self.refused & {record.call_id for record in records}:
            raise Malformed("A record is refused.")
        appended = await super().append(records)
        if failure == "after":
            raise StorageUnavailable("The answer of the database came too late.")
        return appended

    async def costs(self) -> list[int]:
        return sorted(record.cost for record in await self.find(EVERYTHING))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", "w", segment_bytes=2000)


@pytest.fixture
def ledger() -> FickleLedger:
    return FickleLedger()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def mover(spool: Spool, ledger: FickleLedger, told: Told) -> Mover:
    return Mover(spool, ledger, told, gather_seconds=0.0)


@asynccontextmanager
async def running(*movers: Mover) -> AsyncIterator[None]:
    failures: list[BaseException] = []
    nursery = Nursery(lambda _, error: failures.append(error))
    for mover in movers:
        nursery.start(mover.run(), "mover")
    yield
    await nursery.close()
    assert failures == []


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.001)


async def test_what_is_appended_while_running_arrives(
    spool: Spool, ledger: FickleLedger, mover: Mover, told: Told
) -> None:
    async with running(mover):
        for number in range(50):
            put(spool, call(number))
            await asyncio.sleep(0)
        await until(lambda: mover.backlog().records == 0)
        put(spool, call(50))
        await until(lambda: mover.backlog().records == 0)
    assert await ledger.costs() == list(range(51))
    assert told.amounts == {"t1": sum(range(51))}


async def test_draining_moves_everything_and_leaves_an_empty_folder(
    spool: Spool, ledger: FickleLedger, mover: Mover, told: Told
) -> None:
    for number in range(1000):
        spool.append(call(number, key_token=f"t{number % 2}"))
    assert mover.backlog().records == 1000
    assert await mover.drain(10)
    assert await ledger.costs() == list(range(1000))
    assert told.amounts == {"t0": sum(range(0, 1000, 2)), "t1": sum(range(1, 1000, 2))}
    assert mover.backlog().records == 0
    spool.close()
    assert list(spool.directory.iterdir()) == []


@pytest.mark.parametrize("failures", [["before"], ["after"], ["before", "after", "after", "before"]])
async def test_each_record_is_told_once_though_the_ledger_fails(
    spool: Spool, ledger: FickleLedger, mover: Mover, told: Told, failures: list[str]
) -> None:
    ledger.failures = list(failures)
    for number in range(600):
        spool.append(call(number))
    assert await mover.drain(10)
    assert await ledger.costs() == list(range(600))
    assert told.amounts == {"t1": sum(range(600))}
    assert mover.backlog().trouble is None


async def test_a_dead_ledger_stops_nobody_and_is_asked_ever_more_seldom(
    spool: Spool, ledger: FickleLedger, mover: Mover, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds:
            delays.append(seconds)
        await real_sleep(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    ledger.failures = ["before"] * 9
    spool.append(call(1))
    async with running(mover):
        async with asyncio.timeout(10):
            while ledger.tries < 9:
                await real_sleep(0)
        assert mover.backlog().trouble == "The database does not answer."
        assert mover.backlog().records == 1
        spool.append(call(2))
        async with asyncio.timeout(10):
            while mover.backlog().records:
                await real_sleep(0)
    assert delays[:9] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0, 2.0]
    assert await ledger.costs() == [1, 2]
    assert mover.backlog().trouble is None


async def test_draining_in_vain_ends_in_time_and_loses_nothing(
    spool: Spool, ledger: FickleLedger, mover: Mover
) -> None:
    ledger.failures = ["before"] * 1000
    spool.append(call())
    assert not await mover.drain(0.05)
    spool.close()
    ledger.failures = []
    successor = Spool(spool.directory, "w")
    assert await Mover(successor, ledger, Told()).drain(10)
    assert await ledger.costs() == [1]
    successor.close()
    assert list(spool.directory.iterdir()) == []


async def test_a_refused_record_is_set_aside_and_holds_up_no_other(
    spool: Spool, ledger: FickleLedger, mover: Mover, told: Told
) -> None:
    ledger.refused = {"c3", "c77"}
    for number in range(100):
        spool.append(call(number))
    assert await mover.drain(10)
    assert await ledger.costs() == [number for number in range(100) if number not in {3, 77}]
    assert told.amounts == {"t1": sum(range(100)) - 80}
    aside = [msgspec.json.decode(line, type=CallRecord) for line in rejected(spool)]
    assert aside == [call(3), call(77)]
    assert (mover.backlog().rejected, mover.backlog().records) == (2, 0)


def holds(spool: Spool) -> bool:
    """Whether records wait in memory."""
    return not spool.healthy


def rejected(spool: Spool) -> list[bytes]:
    return (spool.directory / "rejected.jsonl").read_bytes().splitlines()


async def test_a_damaged_line_is_set_aside_and_told(
    spool: Spool, ledger: FickleLedger, mover: Mover, caplog: pytest.LogCaptureFixture
) -> None:
    put(spool, call(1))
    (segment,) = spool.segments()
    with segment.path.open("r+b") as file:
        file.write(b"[damage]")
    forget(spool)
    put(spool, call(2))
    assert await mover.drain(10)
    assert await ledger.costs() == [2]
    assert [line[:8] for line in rejected(spool)] == [b"[damage]"]
    assert mover.backlog().rejected == 1
    assert "rejected.jsonl" in caplog.text


async def test_what_a_dead_process_left_is_adopted_but_not_told(
    spool: Spool, ledger: FickleLedger, mover: Mover, told: Told
) -> None:
    dead = Spool(spool.directory, "dead", segment_bytes=2000)
    for number in range(100):
        dead.append(call(number))
    last = dead.segments()[-1].path
    dead.close()
    with last.open("ab") as file:
        file.write(b'{"call_id":"torn')
    spool.append(call(500))
    assert await mover.drain(10)
    assert await ledger.costs() == [*range(100), 500]
    assert told.amounts == {"t1": 500}
    assert rejected(spool) == [b'{"call_id":"torn']
    assert list(orphans(spool.directory, "me")) == []
    assert sorted(path.name for path in spool.directory.iterdir()) == sorted([
        f"{spool.name}.000001.jsonl", f"{spool.name}.lock", "rejected.jsonl",
    ])  # fmt: skip


async def test_adoption_goes_on_where_it_was_broken_off(spool: Spool, ledger: FickleLedger, mover: Mover) -> None:
    dead = Spool(spool.directory, "dead")
    for number in range(600):
        dead.append(call(number))
    dead.close()
    ledger.failures = ["", "after", "before"]
    assert await mover.drain(10)
    assert await ledger.costs() == list(range(600))


async def test_orphans_are_looked_for_at_the_start_and_again_later(
    tmp_path: Path, ledger: FickleLedger, told: Told
) -> None:
    class Clock:
        now = 1000.0

        def wall(self) -> float:
            return self.now

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    directory = tmp_path / "spool"

    def leave(number: int) -> None:
        dead = Spool(directory, "dead")
        dead.append(call(number))
        dead.close()

    leave(1)
    spool = Spool(directory, "w")
    async with running(Mover(spool, ledger, told, clock=clock, gather_seconds=0.0)):
        await until(lambda: spool._wake is not None)
        assert ledger.tries == 1
        leave(2)
        clock.now += 30
        put(spool, call(3))
        await until(lambda: ledger.tries == 3)
    assert await ledger.costs() == [1, 2, 3]


async def test_what_the_disk_refuses_goes_to_the_ledger_past_it(
    spool: Spool, ledger: FickleLedger, mover: Mover, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for number in range(300):
            spool.append(call(number))
        ledger.failures = ["before"]
        assert holds(spool)
        assert await mover.drain(10)
        assert not holds(spool)
    assert await ledger.costs() == list(range(300))
    assert told.amounts == {"t1": sum(range(300))}
    assert mover.backlog().records == 0


@pytest.mark.parametrize("forgotten", [False, True])
@pytest.mark.parametrize("whole", [False, True])
async def test_a_folder_that_was_emptied_or_removed_by_hand_is_made_again_and_nothing_is_lost(
    tmp_path: Path, ledger: FickleLedger, told: Told, caplog: pytest.LogCaptureFixture, forgotten: bool, whole: bool
) -> None:
    spool = Spool(tmp_path / "spool", "w")
    mover = Mover(spool, ledger, told)
    put(spool, *map(call, range(30)))
    assert await mover.drain(10)
    put(spool, *map(call, range(30, 40)))
    if forgotten:
        forget(spool)
    put(spool, *map(call, range(40, 43)))
    lone = spool.segments()[-1]
    if whole:
        rmtree(spool.directory)
    else:
        lone.path.unlink()
    ledger.failures = ["before"]
    assert not await mover._drained()
    assert "is gone; call records are written to another file" in caplog.text
    assert spool.segments()[-1].path.exists()
    assert spool.trouble is None
    put(spool, call(99))
    assert [path.name for path in spool.directory.glob("*.lock")] == [f"{spool.name}.lock"]
    assert await mover.drain(10)
    assert await ledger.costs() == [*range(43), 99]
    assert mover.backlog().records == 0
    with closing(orphans(spool.directory, "somebody-else")) as found:
        assert list(found) == [], "nobody takes what lives for what was left"


async def test_finished_files_that_are_gone_are_told(
    spool: Spool, ledger: FickleLedger, mover: Mover, caplog: pytest.LogCaptureFixture
) -> None:
    while len(spool.segments()) < 2:
        put(spool, call())
    forget(spool)
    spool.segments()[0].path.unlink()
    assert await mover.drain(10)
    assert "waited only there (" in caplog.text
    assert mover.backlog().records == 0


async def test_a_spool_that_cannot_be_made_again_says_so_until_it_can(
    spool: Spool, ledger: FickleLedger, mover: Mover
) -> None:
    put(spool, call(1))
    rmtree(spool.directory)
    spool.directory.write_text("in the way")
    ledger.failures = ["before"]
    assert not await mover._drained()
    assert "is gone and cannot be made again" in str(spool.trouble)
    put(spool, call(2))
    spool.directory.unlink()
    ledger.failures = ["before"]
    assert not await mover._drained()
    assert str(spool.trouble) == "None"
    again = Spool(spool.directory, "after-a-crash")
    assert sum(path.read_text().count("c1") for path in spool.directory.glob("w-*.jsonl")) == 1
    again.close()
    assert await mover.drain(10)
    assert await ledger.costs() == [1, 2]


async def test_own_records_come_from_memory_and_not_from_the_file(
    spool: Spool, ledger: FickleLedger, mover: Mover, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SegmentReader, "read", None)
    for number in range(1000):
        spool.append(call(number))
        if number % 7 == 0:
            spool.flush()
    assert await mover.drain(10)
    assert await ledger.costs() == list(range(1000))
    assert told.amounts == {"t1": sum(range(1000))}
    spool.close()
    assert list(spool.directory.iterdir()) == []


async def test_what_was_forgotten_or_is_odd_comes_from_the_file_in_its_turn(
    tmp_path: Path, ledger: FickleLedger, told: Told
) -> None:
    spool = Spool(tmp_path, "w")
    mover = Mover(spool, ledger, told)
    put(spool, *map(call, range(1000)))
    forget(spool)
    put(spool, *map(call, range(1000, 1100)))
    put(spool, call(1100, end_user="\udcff"))
    put(spool, *map(call, range(1101, 1200)))
    ledger.failures = ["", "after", "before"]
    assert await mover.drain(10)
    assert [record.cost for record in reversed(await ledger.find(EVERYTHING))] == list(range(1200))
    assert told.amounts == {"t1": sum(range(1200))}
    spool.close()
    assert list(tmp_path.iterdir()) == []


async def test_a_backlog_too_long_to_be_remembered_arrives_whole(tmp_path: Path, told: Told) -> None:
    ledger = FickleLedger()
    spool = Spool(tmp_path, "w")
    mover = Mover(spool, ledger, told)
    for number in range(20_100):
        spool.append(call(number))
    assert mover.backlog().records == 20_100
    assert await mover.drain(20)
    assert await ledger.costs() == list(range(20_100))
    assert told.amounts == {"t1": sum(range(20_100))}
    spool.close()
    assert list(tmp_path.iterdir()) == []


async def test_what_is_appended_but_not_flushed_is_moved_when_one_drains(
    spool: Spool, ledger: FickleLedger, mover: Mover
) -> None:
    spool.append(call(1))
    assert mover.backlog().records == 1
    assert await mover.drain(10)
    assert await ledger.costs() == [1]
    assert mover.backlog().records == 0


@pytest.mark.parametrize(("coming", "expected"), [(100, [0.1]), (199, [0.1, pytest.approx(0.3)])])
async def test_under_load_more_is_gathered(
    spool: Spool, ledger: FickleLedger, told: Told, monkeypatch: pytest.MonkeyPatch, coming: int, expected: list[float]
) -> None:
    naps: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds:
            naps.append(seconds)
            put(spool, *map(call, range(1, 1 + coming)))
        await real_sleep(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    mover = Mover(spool, ledger, told)
    async with running(mover), asyncio.timeout(10):
        while spool._wake is None:
            await real_sleep(0)
        put(spool, call(0))
        while not ledger.tries:
            await real_sleep(0)
    assert naps == expected


class SlowLedger(MemoryLedgerStore):
    """Each call takes it so many seconds, as its clock says."""

    def __init__(self) -> None:
        super().__init__(MemoryDatabase())
        self.now = 0.0
        self.cost = 0.001
        self.sizes: list[int] = []

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now

    async def append(self, records: Sequence[CallRecord]) -> Appended:
        self.now += self.cost * len(records)
        self.sizes.append(len(records))
        return await super().append(records)


async def test_batches_are_no_larger_than_what_a_key_can_wait_for(tmp_path: Path, told: Told) -> None:
    spool, ledger = Spool(tmp_path / "spool", "worker-0"), SlowLedger()
    mover = Mover(spool, ledger, told, clock=ledger)

    async def move(first: int, count: int) -> list[int]:
        ledger.sizes.clear()
        for number in range(first, first + count):
            put(spool, call(number))
        assert await mover.drain(1.0)
        return list(ledger.sizes)

    assert await move(0, 500) == [500]
    assert await move(500, 500) == [100] * 5  # at a millisecond each these take 0.1 s, and fewer would cost too much
    ledger.cost = 0.00001
    assert await move(1000, 700) == [100, 200, 400]


async def test_the_backlog_tells_how_long_the_oldest_waits(tmp_path: Path, ledger: FickleLedger) -> None:
    class Clock:
        def wall(self) -> float:
            return 1061.0

        def monotonic(self) -> float:
            return 0.0

    spool = Spool(tmp_path, "w", segment_bytes=20_000)
    mover = Mover(spool, ledger, Told(), clock=Clock())
    for number in range(400):
        spool.append(call(number))
    forget(spool)
    ledger.failures = ["", *["before"] * 100]
    assert not await mover.drain(0.05)
    # The first batch ended with a call that ended at 1001.
    assert mover.backlog().oldest_seconds == 60.0
    moved = len(await ledger.costs())
    assert 0 < moved < 400
    assert mover.backlog().records == 400 - moved
    ledger.failures = []
    assert await mover.drain(10)
    assert mover.backlog().oldest_seconds == 0.0


# -- with a real database -----------------------------------------------------------------------------


@asynccontextmanager
async def sqlite(path: Path, **options: Any) -> AsyncIterator[tuple[SqliteKeyStore, SqliteLedgerStore]]:
    database = SqliteDatabase(path, **options)
    await database.open()
    yield SqliteKeyStore(database), SqliteLedgerStore(database)
    await database.close()


async def spent(keys: SqliteKeyStore | MemoryKeyStore) -> int:
    stored = await keys.get("t1")
    assert stored is not None
    return stored.spend


async def test_two_movers_on_one_database_and_one_spool_count_each_call_once(tmp_path: Path) -> None:
    directory, path = tmp_path / "spool", tmp_path / "a.db"
    for number in range(0, 900, 100):
        dead = Spool(directory, "dead", segment_bytes=5000)
        for one in range(number, number + 100):
            dead.append(call(one))
        dead.close()
    async with sqlite(path) as (keys, ledger), sqlite(path) as (_, other_ledger):
        await keys.insert(KeyRecord("t1", "key"))
        spools = [Spool(directory, "w"), Spool(directory, "w")]
        told = [Told(), Told()]
        movers = [Mover(spools[0], ledger, told[0]), Mover(spools[1], other_ledger, told[1])]
        for number in range(900, 1000):
            spools[number % 2].append(call(number))
        assert await asyncio.gather(*(mover.drain(20) for mover in movers)) == [True, True]
        assert sorted(record.cost for record in await ledger.find(EVERYTHING)) == list(range(1000))
        assert await spent(keys) == sum(range(1000))
        assert [one.amounts["t1"] for one in told] == [sum(range(900, 1000, 2)), sum(range(901, 1000, 2))]
        for spool in spools:
            spool.close()
    assert list(directory.iterdir()) == []


async def test_a_locked_database_is_waited_out(tmp_path: Path, told: Told) -> None:
    path = tmp_path / "a.db"
    async with sqlite(path, busy_seconds=0.02) as (keys, ledger):
        await keys.insert(KeyRecord("t1", "key"))
        blocker = apsw.Connection(str(path))
        blocker.execute("BEGIN IMMEDIATE")
        spool = Spool(tmp_path / "spool", "w")
        mover = Mover(spool, ledger, told, gather_seconds=0.0)
        async with running(mover):
            put(spool, call(1))
            await until(lambda: mover.backlog().trouble is not None)
            put(spool, call(2))
            assert told.amounts == {}
            blocker.execute("COMMIT")
            await until(lambda: mover.backlog().records == 0)
        assert await spent(keys) == 3
        assert told.amounts == {"t1": 3}
        blocker.close()
        spool.close()


async def test_a_moved_amount_is_told_before_a_later_look_at_the_key_ends(tmp_path: Path) -> None:
    """Else a key's spending would count twice: in the record that is read, and as not yet moved."""
    async with sqlite(tmp_path / "a.db") as (keys, ledger):
        await keys.insert(KeyRecord("t1", "key"))
        spool = Spool(tmp_path / "spool", "w")
        pending = moves = 0

        def moved(amounts: Mapping[str, int]) -> None:
            nonlocal pending, moves
            pending -= amounts["t1"]
            moves += 1

        mover = Mover(spool, ledger, moved, gather_seconds=0.0)
        async with running(mover):
            for number in range(1, 200):
                put(spool, call(number))
                pending += number
                assert await spent(keys) + pending == sum(range(number + 1))
        assert moves > 10
        spool.close()


async def test_what_a_process_flushed_and_had_moved_in_part_counts_once_when_it_dies(tmp_path: Path) -> None:
    async with sqlite(tmp_path / "a.db") as (keys, ledger):
        await keys.insert(KeyRecord("t1", "key"))
        dying = Spool(tmp_path / "spool", "dying")
        put(dying, *map(call, range(300)))
        assert await Mover(dying, ledger, Told()).drain(10)
        put(dying, *map(call, range(300, 500)))
        dying.append(call(500))
        # As the end of the process does it; what was not flushed ends with it.
        os.close(dying._lock)
        spool, told = Spool(tmp_path / "spool", "next"), Told()
        put(spool, call(1000))
        assert await Mover(spool, ledger, told).drain(10)
        assert sorted(record.cost for record in await ledger.find(EVERYTHING)) == [*range(500), 1000]
        assert await spent(keys) == sum(range(500)) + 1000
        assert told.amounts == {"t1": 1000}
        spool.close()
    assert list(spool.directory.iterdir()) == []


async def test_a_record_that_sqlite_refuses_is_set_aside_and_holds_up_no_other(tmp_path: Path, told: Told) -> None:
    async with sqlite(tmp_path / "a.db") as (keys, ledger):
        await keys.insert(KeyRecord("t1", "key"))
        spool = Spool(tmp_path / "spool", "w")
        mover = Mover(spool, ledger, told)
        for number in range(400):
            spool.append(call(number, started_at=1e18 if number in {7, 333} else 1000.0))
        assert await mover.drain(10)
        assert sorted(record.cost for record in await ledger.find(EVERYTHING)) == sorted({*range(400)} - {7, 333})
        assert await spent(keys) == told.amounts["t1"] == sum(range(400)) - 340
        assert [msgspec.json.decode(line)["cost"] for line in rejected(spool)] == [7, 333]
        spool.close()


@pytest.mark.parametrize("attempt", range(3))
async def test_a_killed_process_loses_nothing_that_was_taken(tmp_path: Path, attempt: int) -> None:
    directory = tmp_path / "spool"
    with subprocess.Popen([sys.executable, str(APPENDING), str(directory), "dead"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        taken = [int(process.stdout.readline()) for _ in range(100 + 170 * attempt)]
        process.kill()
        taken += [int(line) for line in process.stdout.read().split(b"\n")[:-1]]
    assert taken == list(range(1, len(taken) + 1))
    async with sqlite(tmp_path / "a.db") as (keys, ledger):
        await keys.insert(KeyRecord("t1", "key"))
        spool = Spool(directory, "next")
        assert await Mover(spool, ledger, Told()).drain(20)
        costs = sorted(record.cost for record in await ledger.find(EVERYTHING))
        # It may have died between the write and telling of it.
        assert costs in (taken, [*taken, len(taken) + 1])
        assert await spent(keys) == sum(costs)
        spool.close()
    assert {path.name for path in directory.iterdir()} <= {"rejected.jsonl"}


async def test_a_ledger_that_is_to_know_no_customers_is_told_of_none(spool: Spool, ledger: FickleLedger) -> None:
    heard: list[str | None] = []
    mover = Mover(spool, ledger, Told(), on_records=lambda records: heard.extend(one.end_user for one in records))
    mover.forgets_customers = True
    put(spool, call(1, end_user="zoe"), call(2, end_user="amy"))
    assert await mover.drain(10)
    assert [record.end_user for record in await ledger.find(EVERYTHING)] == [None, None]
    assert heard == ["zoe", "amy"]
    ledger.refused = {"c3"}
    put(spool, call(3, end_user="zoe"), call(4, end_user="amy"))
    assert await mover.drain(10)
    assert await ledger.costs() == [1, 2, 4]
