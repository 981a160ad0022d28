"""Reports, exports and statements of a gateway that served calls: their figures are the ledger's."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.configs import openai_entry
from tests.support.gateway import MASTER_KEY, Gateway
from tests.upstreams import FakeOpenAI, Reply

CANARY = "sk-canary-of-the-upstream-77aa"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest) -> Iterator[tuple[Gateway, FakeOpenAI]]:
    env: dict[str, str] = {}
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        env["DATABASE_URL"] = server.url(server.new_database())
    with FakeOpenAI() as upstream:
        entry = openai_entry("priced", upstream, input_cost_per_token=0.001, output_cost_per_token=0.01)
        entry["litellm_params"]["api_key"] = CANARY
        config = {
            "model_list": [entry],
            "litellm_settings": {"cost_discount_config": {"openai": 0.1}},
            "pointsman": {"billing": {"customers": {"acme": {"discount": 0.5, "margin": 0.25}}}},
        }
        with Gateway.start(config, env=env) as gateway:
            yield gateway, upstream


def span() -> str:
    today = datetime.now(UTC).date()
    return f"start_date={today - timedelta(days=1)}&end_date={today + timedelta(days=1)}"


def ask(gateway: Gateway, path: str, key: str | None = None) -> Any:
    answer = gateway.http("GET", path, key=key or MASTER_KEY)
    assert answer.status == 200, (path, answer.body)
    return answer.json()


def call(gateway: Gateway, key: str, **fields: Any) -> None:
    body = {"model": "priced", "messages": [{"role": "user", "content": "hi"}], **fields}
    assert gateway.http("POST", "/v1/chat/completions", body, key=key).status == 200


def test_reports_say_what_the_ledger_says(house: tuple[Gateway, FakeOpenAI]) -> None:
    gateway, _ = house
    key = gateway.new_key(key_alias="reported", tags=["web"])
    for _ in range(3):
        call(gateway, key, user="acme")
    rows = gateway.settled_ledger(3, key)
    spent = sum(row["spend"] for row in rows)
    assert spent == pytest.approx(3 * 0.051)
    (report,) = ask(gateway, f"/key/spend/report?{span()}", key)
    assert report["total_cost"] == pytest.approx(spent)
    activity = ask(gateway, f"/user/daily/activity?{span()}", key)
    assert activity["metadata"]["total_spend"] == pytest.approx(spent)
    assert activity["metadata"]["total_api_requests"] == 3
    total = ask(gateway, "/global/spend")["spend"]
    days = ask(gateway, "/global/spend/logs")
    assert sum(day["spend"] for day in days) == pytest.approx(total)
    teams = ask(gateway, f"/global/spend/report?{span()}")
    assert sum(team["total_spend"] for day in teams for team in day["teams"]) == pytest.approx(total)
    listed = ask(gateway, "/spend/logs/v2?page_size=2", key)
    assert (listed["total"], len(listed["data"])) == (3, 2)
    assert len(ask(gateway, f"/spend/logs/v2?page_size=2&cursor={listed['next_cursor']}", key)["data"]) == 1


def test_an_export_has_the_ledger_and_no_secrets(house: tuple[Gateway, FakeOpenAI]) -> None:
    gateway, upstream = house
    key = gateway.new_key()
    upstream.script(Reply.error(401, f"Incorrect API key provided: {CANARY}"))
    gateway.http(
        "POST", "/v1/chat/completions", {"model": "priced", "messages": [{"role": "user", "content": "x"}]}, key=key
    )
    call(gateway, key, user="=1+1")
    rows = gateway.settled_ledger(2, key)
    for kind in ("csv", "jsonl", "parquet"):
        answer = gateway.http("GET", f"/spend/export?format={kind}", key=MASTER_KEY)
        assert answer.status == 200
        assert CANARY.encode() not in answer.body
        assert MASTER_KEY.encode() not in answer.body
        assert key.encode() not in answer.body
    table = list(csv.DictReader(io.StringIO(gateway.http("GET", "/spend/export", key=key).body.decode(), newline="")))
    assert {row["request_id"] for row in table} == {row["request_id"] for row in rows}
    assert sum(Decimal(row["spend_usd"]) for row in table) == Decimal("0.051")
    assert [row["end_user"] for row in table if row["end_user"]] == ["'=1+1"]


def command(gateway: Gateway, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "pointsman", "spend", *arguments, "--url", f"http://127.0.0.1:{gateway.port}",
         "--key", MASTER_KEY],
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip


def test_the_command_line_writes_exports_and_statements(house: tuple[Gateway, FakeOpenAI]) -> None:
    gateway, _ = house
    key = gateway.new_key()
    call(gateway, key, user="acme")
    gateway.settled_ledger(1, key)
    done = command(gateway, "export", "--format", "jsonl", "--customer", "acme")
    assert done.returncode == 0, done.stderr
    calls = done.stdout.splitlines()
    assert calls
    month = f"{datetime.now(UTC):%Y-%m}"
    done = command(gateway, "statement", "--customer", "acme", "--month", month, "--format", "csv")
    assert done.returncode == 0, done.stderr
    *_, total = csv.DictReader(io.StringIO(done.stdout.decode(), newline=""))
    listed = Decimal("0.051") * len(calls)
    assert Decimal(total["list_price"]) == listed
    assert Decimal(total["discount"]) == listed / 2
    assert Decimal(total["billed"]) == listed / 2 * Decimal("1.25")
    refused = command(gateway, "statement", "--customer", "acme")
    assert refused.returncode != 0
    assert b"--month" in refused.stderr
