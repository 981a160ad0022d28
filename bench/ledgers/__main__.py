"""Fill ledgers of growing sizes, and measure what each costs to ask; see README.md."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from ledgers.asking import ask_gateway
from ledgers.calls import DAYS, Company
from ledgers.filling import Told
from ledgers.measuring import measure, remembered
from ledgers.places import SERVER_SETTINGS, Place, PostgresPlace, SqlitePlace
from ledgers.plot import plot
from ledgers.points import Point, missed, table
from tests.support.servers import PostgresServer

_PARTS: Final = (1000, 100, 10, 1)
_BACKENDS: Final = ("sqlite", "postgres")
_DAY_SECONDS: Final = 86_400
_DRAWN: Final = (
    "report of a month",
    "daily activity of everybody",
    "50 calls",
    "50 calls of a user",
    "50 keys",
    "20 teams",
    "/global/spend/keys",
    "key check, not remembered",
    "key check, remembered",
)


def main() -> int:
    """Measure, tell, and say whether that is good enough."""
    options = _options()
    if options.read:
        points = [
            one for file in options.read for one in msgspec.json.decode(Path(file).read_bytes(), type=list[Point])
        ]
    else:
        points = list(_measured(options))
    for backend in _BACKENDS:
        of_backend = [point for point in points if point.backend == backend]
        if of_backend:
            print(table(of_backend), end="\n\n")
    if options.json:
        Path(options.json).write_bytes(msgspec.json.format(msgspec.json.encode(points), indent=2))
    if options.chart:
        Path(options.chart).write_text(plot(_panels(points)))
    failures = missed(points)
    for failure in failures:
        print(f"missed: {failure}")
    return 1 if options.check and failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/ledger", description=__doc__)
    parser.add_argument("--backend", action="append", choices=_BACKENDS, help="may be given twice; both, if not at all")
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--teams", type=int, default=10_000)
    parser.add_argument("--parts", default=",".join(map(str, _PARTS)), help="the sizes, as divisors of all these")
    parser.add_argument("--directory", help="where to make the files, which then stay and are used again")
    parser.add_argument("--postgres", help="URL of a server whose databases are then used again; else one is started")
    parser.add_argument("--postgres-pid", type=int, help="its process, so that its work can be counted")
    parser.add_argument("--touch", type=int, default=1_000_000, help="keys that one process is made to remember")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--read", action="append", help="figures of an earlier run, instead of measuring")
    parser.add_argument("--chart", help="file for the chart (SVG)")
    parser.add_argument("--check", action="store_true", help="exit with 1 if an aim was missed")
    return parser.parse_args()


def _measured(options: argparse.Namespace) -> Iterator[Point]:
    """Ledgers of several sizes, each over the same days, with as many keys and teams as belong to its size."""
    start = (time.time() // _DAY_SECONDS - DAYS) * _DAY_SECONDS
    with ExitStack() as stack:
        directory = Path(options.directory or tempfile.mkdtemp(prefix="pointsman-ledger-"))
        if options.directory is None:
            stack.callback(shutil.rmtree, directory, ignore_errors=True)
        server: PostgresServer | None = None
        for backend in options.backend or _BACKENDS:
            if backend == "postgres" and options.postgres is None:
                server = stack.enter_context(PostgresServer(SERVER_SETTINGS))
            for part in map(int, options.parts.split(",")):
                company = Company(max(20, options.keys // part), max(2, options.teams // part), start)
                calls = max(1000, options.calls // part)
                place: Place = SqlitePlace(directory / f"ledger-{calls}")
                servers: tuple[int, ...] = ()
                if backend == "postgres":
                    url = options.postgres or (server.url("postgres") if server else "")
                    place = PostgresPlace(_database(url, f"ledger_{calls}"), SqlitePlace(directory / f"ledger-{calls}"))
                    servers = tuple(filter(None, (options.postgres_pid or (server.pid if server else None),)))
                point = _point(backend, place, company, calls, servers, min(company.keys, options.touch))
                print(_line(point), flush=True)
                yield point


def _database(url: str, name: str) -> str:
    """The URL of a database beside the one at ``url``, which is made where there is none."""

    async def make() -> None:
        connection = await asyncpg.connect(url)
        try:
            if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name):
                await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        finally:
            await connection.close()

    asyncio.run(make())
    return f"{url.rpartition('/')[0]}/{name}"


def _point(backend: str, place: Place, company: Company, calls: int, servers: Sequence[int], touched: int) -> Point:
    with _bar(f"{backend} {calls:,}") as told:
        asyncio.run(place.prepare(company, calls, told))
        size = asyncio.run(place.size())
        asked = ask_gateway(place, company, servers, told)
        told("key checks, appends", 0, 1)
        direct = asyncio.run(measure(place, company, calls, servers))
        told("memory", 0, 1)
        folder, environment = place.gateway()
        where = str(folder) if folder else environment["DATABASE_URL"]
        kept = asyncio.run(remembered([where], touched)) if touched else None
    return Point(
        backend=backend,
        calls=calls,
        keys=company.keys,
        teams=company.teams,
        megabytes=size / 1e6,
        start_seconds=asked.start_seconds,
        gateway_megabytes=asked.megabytes,
        append_us=direct.append_us,
        append_few_us=direct.append_few_us,
        costs={**asked.costs, **direct.costs},
        remembered=kept,
    )


@contextmanager
def _bar(what: str) -> Iterator[Told]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:36}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)

        def told(step: str, done: int, total: int) -> None:
            progress.update(task, description=f"{what}: {step}", completed=done, total=total)

        yield told


def _line(point: Point) -> str:
    kept = (
        "" if point.remembered is None else f", {point.remembered.megabytes:.0f} MB for {point.remembered.kept:,} keys"
    )
    return f"{point.backend} {point.calls:,}: {point.megabytes:,.0f} MB on disk{kept}"


def _panels(points: Sequence[Point]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    names = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for point in points:
        lines = found.setdefault(names[point.backend], {})
        for name in _DRAWN:
            lines.setdefault(name, []).append((point.calls, point.costs[name].waited))
    return found


if __name__ == "__main__":
    sys.exit(main())
