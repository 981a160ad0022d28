"""Let old calls go while others are written and read, and measure who waits for it; see README.md."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

import asyncpg

from ledgers.calls import DAYS, Company, key_text
from ledgers.measuring import keyring_of, of_today
from ledgers.places import SERVER_SETTINGS, Place, PostgresPlace, SqlitePlace, Stores
from pointsman.assembly.retention import Retention, RetentionRule
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.outcome import CallRecord
from pointsman.stores.activity import EPOCH, ActivityQuery
from pointsman.stores.pages import CallQuery
from tests.support.servers import PostgresServer

_DAY_SECONDS: Final = 86_400
_BATCH: Final = 200
_GATHER_SECONDS: Final = 0.1
_PAUSE_SECONDS: Final = 0.02
_CHECK_MAX_MS: Final = 250.0
"""The slowest key check of a hundred may take so long while calls go: the machine is shared with all the rest."""


class Waits:
    """How long each kind of work was waited for (milliseconds), by phase."""

    def __init__(self) -> None:
        self.phase = ""
        self.found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)

    async def take(self, name: str, work: Callable[[], Awaitable[Any]]) -> None:
        """Do it once, and note it under the phase in which it began."""
        phase, started = self.phase, time.perf_counter()
        await work()
        self.found[phase, name].append((time.perf_counter() - started) * 1000)

    def line(self, phase: str, name: str) -> str:
        """A row of a table."""
        waits = sorted(self.found[phase, name])
        if not waits:
            return f"| {phase} | {name} | 0 | | | |"
        middle, late = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
        return f"| {phase} | {name} | {len(waits):,} | {middle:.1f} | {late:.1f} | {waits[-1]:.1f} |"

    def late(self, phase: str, name: str) -> float:
        """What one of a hundred waits at least."""
        waits = sorted(self.found[phase, name])
        return waits[int(len(waits) * 0.99)] if waits else 0.0


def main() -> int:
    """Measure, tell, and say whether key checks were quick enough meanwhile."""
    parser = argparse.ArgumentParser(prog="bench/retention", description=__doc__)
    parser.add_argument("--backend", action="append", choices=("sqlite", "postgres"), help="both, if not given")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--teams", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long before, and at most meanwhile")
    parser.add_argument("--days", type=int, default=45, help="how many of the 90 days stay")
    parser.add_argument("--check", action="store_true", help="exit with 1 if key checks had to wait too long")
    options = parser.parse_args()
    start = (time.time() // _DAY_SECONDS - DAYS) * _DAY_SECONDS
    company = Company(options.keys, options.teams, start)
    passed = True
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="pointsman-retention-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        file = SqlitePlace(folder / "ledger")
        for backend in options.backend or ("sqlite", "postgres"):
            place: Place = file
            if backend == "postgres":
                # As an operator has it: what is removed is swept by the server itself.
                server = stack.enter_context(PostgresServer({**SERVER_SETTINGS, "autovacuum": "on"}))
                place = PostgresPlace(server.url(server.new_database()), file)
            asyncio.run(place.prepare(company, options.calls, lambda *_: None))
            if backend == "sqlite" and "postgres" in (options.backend or ("postgres",)):
                shutil.copytree(file.folder, folder / "copy")
                place = SqlitePlace(folder / "copy")
            passed = asyncio.run(_measured(backend, place, company, options)) and passed
    return 0 if passed or not options.check else 1


async def _measured(backend: str, place: Place, company: Company, options: argparse.Namespace) -> bool:
    waits = Waits()
    before = await place.size()
    async with place.stores() as stores:
        work = [asyncio.ensure_future(one) for one in _everybody(stores, company, options.calls, waits)]
        waits.phase = "before"
        await asyncio.sleep(options.seconds)
        waits.phase = "meanwhile"
        age = RetentionRule(time.time() - company.start - (DAYS - options.days) * _DAY_SECONDS)
        retention = Retention(stores.ledger, lambda: age, SYSTEM_CLOCK)
        started = time.perf_counter()
        pruning = asyncio.ensure_future(retention.look())
        done, _ = await asyncio.wait([pruning, *work], timeout=options.seconds, return_when=asyncio.FIRST_COMPLETED)
        seconds, waits.phase = time.perf_counter() - started, "after"
        pruning.cancel()
        for one in done - {pruning}:
            one.result()  # somebody else failed
        left = (await stores.ledger.page(CallQuery(end=company.start + _DAY_SECONDS, limit=1))).records
        for one in work:
            one.cancel()
        await asyncio.gather(pruning, *work, return_exceptions=True)
    room = await _told(place, before)
    print(f"\n{backend}: {room}; removed for {seconds:.0f} s, the first day is gone: {not left}")
    print("\n| | what | how often | median ms | 99 of 100 | slowest |\n|---|---|---:|---:|---:|---:|")
    for name in ("append of 200", "key check", "report", "50 calls"):
        for phase in ("before", "meanwhile"):
            print(waits.line(phase, name))
    return waits.late("meanwhile", "key check") <= _CHECK_MAX_MS


def _everybody(stores: Stores, company: Company, calls: int, waits: Waits) -> Iterator[Awaitable[None]]:
    batches = _batches(company, calls)
    keyring = keyring_of(stores)
    numbers = count(int(time.time()) % 7919, 7919)
    last = EPOCH + timedelta(days=int(company.start // _DAY_SECONDS) + DAYS - 1)
    month = ActivityQuery(first_day=last - timedelta(days=30), last_day=last, scope="team", by=("day", "identity"))

    async def append() -> None:
        await stores.ledger.append(next(batches))

    async def check() -> None:
        key = key_text(next(numbers) % company.keys).encode()
        await keyring.caller(((b"authorization", b"Bearer " + key),))

    yield _again("append of 200", append, waits, _GATHER_SECONDS)
    yield _again("key check", check, waits, _PAUSE_SECONDS)
    yield _again("report", lambda: stores.ledger.activity(month), waits, 1.0)
    yield _again("50 calls", lambda: stores.ledger.page(CallQuery(limit=50)), waits, 0.5)


async def _again(name: str, work: Callable[[], Awaitable[Any]], waits: Waits, pause: float) -> None:
    while True:
        await waits.take(name, work)
        await asyncio.sleep(pause)


def _batches(company: Company, calls: int) -> Iterator[list[CallRecord]]:
    mark = f"{time.time_ns():x}-"
    fresh = company.calls(calls, calls, calls * 2)
    while batch := [of_today(record, mark, company) for record in islice(fresh, _BATCH)]:
        yield batch


async def _told(place: Place, before: int) -> str:
    """What became of the room."""
    after = await place.size()
    told = f"{before / 1e6:,.0f} MB before, {after / 1e6:,.0f} MB after"
    if not isinstance(place, PostgresPlace):
        return told
    connection = await asyncpg.connect(place.url)
    try:
        dead = await connection.fetchval("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'calls'")
    finally:
        await connection.close()
    return f"{told}, {dead:,} removed calls not swept yet"


if __name__ == "__main__":
    sys.exit(main())
