"""The report of what was spent and drawn, from a ledger on disk."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pointsman.cli.main import cli
from pointsman.core.outcome import CallRecord
from pointsman.core.secret import Secret
from pointsman.stores.postgres import PostgresDatabase, PostgresLedgerStore, postgres_address
from pointsman.stores.sqlite import SqliteDatabase, SqliteLedgerStore
from tests.support.servers import PostgresServer

DAY = 86_400.0
MORNING = 20_000 * DAY
"""2024-10-04."""


def call(number: int, **values: object) -> CallRecord:
    given: dict[str, object] = {"started_at": MORNING, "deployment_id": "d", "key_token": "k1", **values}
    return CallRecord(f"c{number}", "chat", "/chat/completions", **given)  # type: ignore[arg-type]


LOCAL = {"model_group": "llama", "api_base": "http://gpu1:11434", "provider": "ollama"}
CALLS = [
    call(1, **LOCAL, energy_mwh=9_722, energy_cost=2_236_060_000),
    call(2, **LOCAL, energy_mwh=278, energy_cost=63_940_000, started_at=MORNING + DAY, key_token="k2"),
    call(3, model_group="gpt-5", api_base="https://api.example", cost=1_500_000_000_000),
]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    async def fill() -> None:
        database = SqliteDatabase(tmp_path / "pointsman.db")
        await database.open()
        await SqliteLedgerStore(database).append(CALLS)
        await database.close()

    asyncio.run(fill())
    return tmp_path


def report(directory: Path, *arguments: str) -> list[dict[str, float | str]]:
    done = CliRunner().invoke(cli, ["spend", "--data-dir", str(directory), "--json", *arguments])
    assert done.exit_code == 0, done.output
    lines: list[dict[str, float | str]] = json.loads(done.output)
    return lines


def test_energy_stands_beside_what_providers_were_paid(directory: Path) -> None:
    first, second = report(directory, "--energy")
    assert (first["name"], first["spend"], first["energy_wh"]) == ("2024-10-04", 1.5, 9.722)
    assert first["energy_cost"] == pytest.approx(0.00223606)
    assert (second["name"], second["spend"], second["energy_wh"]) == ("2024-10-05", 0.0, 0.278)


@pytest.mark.parametrize(
    ("by", "names"), [("model", ["gpt-5", "llama"]), ("host", ["http://gpu1:11434"]), ("key", ["k1", "k2"])]
)
def test_a_line_for_each(directory: Path, by: str, names: list[str]) -> None:
    lines = report(directory, "--energy", "--by", by)
    assert [line["name"] for line in lines] == names
    assert sum(float(line["energy_wh"]) for line in lines) == pytest.approx(10.0)


def test_days_can_be_chosen(directory: Path) -> None:
    assert [line["name"] for line in report(directory, "--start", "2024-10-05")] == ["2024-10-05"]
    assert [line["name"] for line in report(directory, "--end", "2024-10-04")] == ["2024-10-04"]
    assert report(directory, "--start", "2024-11-01", "--energy") == []


def test_the_table_has_a_total(directory: Path) -> None:
    done = CliRunner().invoke(cli, ["spend", "--data-dir", str(directory), "--energy", "--by", "model"])
    head, *_, total = done.output.splitlines()
    assert head.split() == ["MODEL", "SPEND", "USD", "ENERGY", "Wh", "ENERGY", "USD"]
    assert total.split() == ["total", "1.5000", "10.0", "0.0023"]
    plain = CliRunner().invoke(cli, ["spend", "--data-dir", str(directory), "--by", "model"])
    assert "ENERGY" not in plain.output and "llama" not in plain.output


def test_a_folder_without_a_ledger_is_told_and_not_made(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["spend", "--data-dir", str(tmp_path / "none")])
    assert done.exit_code != 0
    assert "There is no ledger in" in str(done.exception)
    assert not (tmp_path / "none").exists()


def test_a_ledger_on_a_server_is_read_there(directory: Path, postgres: PostgresServer) -> None:
    url = postgres.url(postgres.new_database())

    async def fill() -> None:
        database = PostgresDatabase(postgres_address(Secret(url), "the test"))
        await database.open()
        await PostgresLedgerStore(database).append(CALLS)
        await database.close()

    asyncio.run(fill())
    for by in ("day", "model", "host", "key"):
        done = CliRunner().invoke(cli, ["spend", "--json", "--energy", "--by", by], env={"DATABASE_URL": url})
        assert done.exit_code == 0, done.output
        assert json.loads(done.output) == report(directory, "--energy", "--by", by)
