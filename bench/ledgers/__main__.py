"""Fill a ledger step by step, and measure at each step."""

from __future__ import annotations

import argparse
import asyncio
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec

from ledgers.calls import DAYS, Company, key_text, token_of_key
from ledgers.plot import plot
from pointsman.admin.spend.reports import ReportQuery, global_report
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.identity import KeyRecord
from pointsman.core.secret import Secret
from pointsman.policies.keyring import Keyring
from pointsman.stores.activity import ActivityQuery
from pointsman.stores.pages import CallQuery
from pointsman.stores.sqlite import SqliteDatabase, SqliteDirectoryStore, SqliteKeyStore, SqliteLedgerStore
from pointsman.stores.sqlite.statements import INSERT_KEY

BATCH: Final = 2000
PARTS: Final = (100, 10, 1)
FIRST: Final = date(2026, 1, 1)
MONTH: Final = (FIRST + timedelta(days=DAYS - 31), FIRST + timedelta(days=DAYS - 1))
AIMS_MS: Final = {"report of a month": 1000.0, "key, not remembered": 2.0, "key, remembered": 0.030}


class Point(msgspec.Struct):
    """What was measured with so many calls in the ledger. Times are CPU time in milliseconds, medians."""

    calls: int
    append_us: float
    megabytes: float
    memory_megabytes: float
    milliseconds: dict[str, float]


class Fill(msgspec.Struct, frozen=True):
    """What is there to be asked."""

    database: SqliteDatabase
    keys: SqliteKeyStore
    ledger: SqliteLedgerStore
    company: Company


async def main() -> int:
    """Measure, tell, and say whether that is good enough."""
    options = _options()
    directory = Path(options.directory or tempfile.mkdtemp(prefix="pointsman-ledger-"))
    directory.mkdir(parents=True, exist_ok=True)
    try:
        points = await _measure(options, directory)
    finally:
        if options.directory is None:
            shutil.rmtree(directory, ignore_errors=True)
    if options.json:
        Path(options.json).write_bytes(msgspec.json.format(msgspec.json.encode(points), indent=2))
    if options.chart:
        Path(options.chart).write_text(plot([(one.calls, one.milliseconds) for one in points]))
    missed = [name for name, aim in AIMS_MS.items() if points[-1].milliseconds[name] > aim]
    for name in missed:
        print(f"missed: {name} took {points[-1].milliseconds[name]:.3f} ms, at most {AIMS_MS[name]:g} were wanted")
    return 1 if options.check and missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/ledger", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--teams", type=int, default=10_000)
    parser.add_argument("--directory", help="where to make the database, which then stays")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--chart", help="file for the chart (SVG)")
    parser.add_argument("--check", action="store_true", help="exit with 1 if an aim was missed")
    return parser.parse_args()


async def _measure(options: argparse.Namespace, directory: Path) -> list[Point]:
    """Ledgers of several sizes, each over the same days, with as many keys and teams as belong to its size."""
    points: list[Point] = []
    for part in PARTS:
        path = directory / f"ledger-{options.calls // part}" / "pointsman.db"
        database = SqliteDatabase(path, timeout_seconds=600.0)
        await database.open()
        company = Company(max(10, options.keys // part), max(2, options.teams // part))
        fill = Fill(database, SqliteKeyStore(database), SqliteLedgerStore(database), company)
        points.append(await _filled(fill, options.calls // part, path))
        _tell(points[-1])
        await database.close()
    return points


async def _filled(fill: Fill, wanted: int, path: Path) -> Point:
    records = fill.company.records()
    while some := list(islice(records, 20_000)):
        await fill.database.write(partial(_put_keys, some))
    calls = fill.company.calls(wanted)
    spent = 0.0
    while batch := list(islice(calls, BATCH)):
        started = time.process_time()
        await fill.ledger.append(batch)
        spent += time.process_time() - started
    return await _point(fill, wanted, spent * 1e6 / wanted, path)


def _put_keys(records: list[KeyRecord], connection: apsw.Connection) -> None:
    """All at once: one by one, each of a million would wait for the disk."""
    rows = []
    for record in records:
        row = msgspec.structs.asdict(record)
        row |= {
            name: msgspec.json.encode(row[name]).decode() for name in ("models", "aliases", "metadata", "tags", "extra")
        }
        rows.append(row)
    connection.executemany(INSERT_KEY, rows)


async def _point(fill: Fill, calls: int, append_us: float, path: Path) -> Point:
    size = sum(file.stat().st_size for file in path.parent.glob(path.name + "*")) / 1e6
    milliseconds = {name: await _median(work) for name, work in _works(fill).items()}
    milliseconds["key, remembered"] = await _remembered(fill)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Point(calls, append_us, size, memory, milliseconds)


def _works(fill: Fill) -> dict[str, Callable[[int], Awaitable[Any]]]:
    first, last = MONTH
    ledger = fill.ledger

    async def report(_number: int) -> None:
        office: Any = _Office(fill)
        visit: Any = _Visit(ReportQuery(start_date=first.isoformat(), end_date=last.isoformat()))
        await global_report(office, visit)

    return {
        "report of a month": report,
        "activity of a month": lambda _number: ledger.activity(
            ActivityQuery(first_day=first, last_day=last, by=("day", "model_group"))
        ),
        "one team of a month, by key": lambda number: ledger.activity(
            ActivityQuery(
                first_day=first, last_day=last, scope="line", by=("day", "key_token"), team_ids=(f"team-{number}",)
            )
        ),
        "50 calls of a key": lambda number: ledger.page(CallQuery(key_tokens=(token_of_key(number),), limit=50)),
        "1000 calls": lambda _number: ledger.page(CallQuery(limit=1000)),
        "key, not remembered": lambda number: fill.keys.get(token_of_key(number * 7919 % fill.company.keys)),
    }


async def _median(work: Callable[[int], Awaitable[Any]]) -> float:
    times = []
    for number in range(9):
        started = time.process_time()
        await work(number)
        times.append((time.process_time() - started) * 1000)
    return sorted(times)[len(times) // 2]


async def _remembered(fill: Fill) -> float:
    """A key check as every request does it, once the key is known."""
    keyring = Keyring(Secret("sk-master-of-the-benchmark"), fill.keys, SYSTEM_CLOCK)
    headers = ((b"authorization", b"Bearer " + key_text(1).encode()),)
    await keyring.find(keyring.token(headers))
    rounds = 1000
    started = time.process_time()
    for _ in range(rounds):
        await keyring.find(keyring.token(headers))
    return (time.process_time() - started) * 1000 / rounds


class _Office:
    """As much of the management API as a report needs."""

    def __init__(self, fill: Fill) -> None:
        self.ledger = fill.ledger
        self.directory = SqliteDirectoryStore(fill.database)
        self.clock = SYSTEM_CLOCK

    async def flush(self) -> None:
        """Nothing is spooled here."""


class _Visit:
    """The operator asks."""

    def __init__(self, query: ReportQuery) -> None:
        self.query = query
        self.caller = _Operator()


class _Operator:
    admin = True
    record = KeyRecord(token="master", key_name="master")
    organization_id = None


def _tell(point: Point) -> None:
    print(
        f"{point.calls:>11,} calls  append {point.append_us:6.1f} us  {point.megabytes:8.0f} MB on disk  "
        f"{point.memory_megabytes:5.0f} MB memory",
        flush=True,
    )
    for name, milliseconds in point.milliseconds.items():
        print(f"    {name:32} {milliseconds:10.3f} ms", flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
