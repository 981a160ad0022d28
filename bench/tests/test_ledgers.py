"""What the benchmark fills a ledger with is what the ledger would have written itself, and the benchmark runs."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import apsw
import msgspec
import pytest

from ledgers.__main__ import main
from ledgers.calls import Company
from ledgers.places import PostgresPlace, SqlitePlace
from ledgers.points import AIMS_MS, FURTHEST, Point, extrapolated, missed
from pointsman.stores.directory.kinds import TEAMS, USERS
from pointsman.stores.directory.ports import Write
from pointsman.stores.directory.records import Team
from tests.support.servers import PostgresServer

CALLS = 1500
COMPANY = Company(100, 10)
SAME = {
    "calls": "SELECT * FROM call_records ORDER BY id",
    "seconds": "SELECT key_token, second FROM party_seconds JOIN parties ON id = party ORDER BY 1, 2",
    "contexts": "SELECT digest FROM contexts ORDER BY 1",
    "lines": "SELECT digest FROM activity_lines ORDER BY 1",
    "sums": """
        SELECT daily_activity.*, digest FROM daily_activity JOIN activity_lines ON id = line
        ORDER BY scope, day, identity, digest
    """,
    "users of tags": "SELECT * FROM tag_users WHERE users > 0 ORDER BY 1, 2, 3",
    "days of users": "SELECT * FROM tag_user_days ORDER BY 1, 2, 3",
    "failures": "SELECT * FROM daily_failures ORDER BY 1, 2, 3, 4",
    "totals": "SELECT * FROM spend_totals ORDER BY 1, 2, 3",
    "keys": "SELECT * FROM keys ORDER BY token",
    "entries": "SELECT * FROM directory ORDER BY 1, 2",
    "changed keys": "SELECT token FROM key_changes ORDER BY 1",
    "changed entries": "SELECT kind, id FROM directory_changes ORDER BY 1, 2",
}


def nothing(*_: object) -> None:
    """Nobody is told."""


async def appended(folder: Path) -> SqlitePlace:
    """The same ledger, made by the stores themselves."""
    place = SqlitePlace(folder)
    folder.mkdir()
    async with place.stores() as stores:
        for number in range(COMPANY.keys):
            await stores.keys.insert(COMPANY.key(number))
        writes = [
            Write(TEAMS, one.team_id, one) if isinstance(one, Team) else Write(USERS, one.user_id, one)
            for one in COMPANY.entries()
        ]
        await stores.directory.write(writes)
        records = list(COMPANY.calls(CALLS))
        for start in range(0, CALLS, 400):
            await stores.ledger.append(records[start : start + 400])
    return place


def rows(place: SqlitePlace, statement: str) -> list[tuple[object, ...]]:
    """What is in a file; numbers that only say in which order rows came about are left out."""
    with closing(apsw.Connection(str(place.folder / "pointsman.db"))) as connection:
        cursor = connection.execute(statement)
        names = [name for name, _ in cursor.get_description()]
        line = names.index("line") if "line" in names else None
        return [tuple(value for at, value in enumerate(row) if at != line) for row in cursor]


async def test_what_is_filled_is_what_the_ledger_would_have_written(tmp_path: Path) -> None:
    """Row by row, all but the numbers of rows."""
    filled = SqlitePlace(tmp_path / "filled")
    filled.folder.mkdir()
    await filled.prepare(COMPANY, CALLS, nothing)
    itself = await appended(tmp_path / "itself")
    for name, statement in SAME.items():
        assert rows(filled, statement) == rows(itself, statement), name


async def test_postgresql_gets_the_same(tmp_path: Path, postgres: PostgresServer) -> None:
    """And goes on from there."""
    filled = SqlitePlace(tmp_path / "filled")
    filled.folder.mkdir()
    there = PostgresPlace(postgres.url(postgres.new_database()), filled)
    await there.prepare(COMPANY, CALLS, nothing)  # which compares the sums
    async with filled.stores() as one, there.stores() as other:
        assert await one.ledger.totals() == await other.ledger.totals()
        token = COMPANY.key(3).token
        assert await one.keys.get(token) == await other.keys.get(token)
        # What is appended next gets numbers of its own.
        (more,) = COMPANY.calls(CALLS, CALLS, CALLS + 1)
        assert (await other.ledger.append([more])).calls == 1


def test_the_benchmark_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a small size, with figures, chart and check."""
    figures, chart = tmp_path / "figures.json", tmp_path / "chart.svg"
    arguments = ["--backend", "sqlite", "--calls", "2000", "--keys", "100", "--teams", "5", "--parts", "1"]
    arguments += ["--directory", str(tmp_path), "--json", str(figures), "--chart", str(chart), "--check"]
    monkeypatch.setattr(sys, "argv", ["bench/ledger", *arguments])
    assert main() == 0
    points = msgspec.json.decode(figures.read_bytes(), type=list[Point])
    assert [point.calls for point in points] == [2000]
    assert AIMS_MS.keys() <= points[0].costs.keys()
    assert points[-1].remembered is not None
    assert points[-1].remembered.kept == 100
    assert chart.read_text().startswith("<svg")
    monkeypatch.setattr(sys, "argv", ["bench/ledger", "--read", str(figures), "--check"])
    assert main() == 0
    slow = {**points[-1].costs, "report of a month": msgspec.structs.replace(points[-1].costs["50 calls"], worked=1e4)}
    assert missed([msgspec.structs.replace(points[-1], costs=slow)])


def test_a_fit_carries_on_what_grows_and_nothing_that_falls() -> None:
    """The power law."""
    assert extrapolated([(10**4, 1.0), (10**5, 10.0), (10**6, 100.0)], FURTHEST) == pytest.approx(10_000.0)
    assert extrapolated([(10**4, 3.0), (10**5, 2.0), (10**6, 1.0)], FURTHEST) == pytest.approx(6 ** (1 / 3))
    assert extrapolated([(10**4, 3.0)], FURTHEST) == 3.0
