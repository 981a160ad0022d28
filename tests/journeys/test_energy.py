"""What a local host draws stands beside what clouds are paid: on each call, in the report, in the metrics."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import MASTER_KEY, Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel, Turn

WATTS = 3_600_000.0
"""A watt-hour in a millisecond, so that a short call draws something worth mentioning."""
PRICE_KWH = 0.25


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Gateway, FakeOllama]]:
    with FakeOllama([OllamaModel("big:8b")]) as upstream, FakeOpenAI() as cloud:
        config = {
            "model_list": [
                ollama_entry("big", upstream, "big:8b"),
                openai_entry("paid", cloud, input_cost_per_token=0.001, output_cost_per_token=0.001),
            ],
            "pointsman": {
                "local_hosts": [
                    {"api_base": upstream.url, "watts_idle": 60, "watts_busy": WATTS, "price_kwh": PRICE_KWH}
                ],
            },
        }
        with Gateway.start(config) as gateway:
            upstream.turn = Turn(pieces=("one", "two"), gap_seconds=0.2)
            yield gateway, upstream


def report(gateway: Gateway, *arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "pointsman", "spend", "--energy", "--json", *arguments],
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(gateway.directory)},
    )
    assert done.returncode == 0, done.stderr.decode()
    lines: list[dict[str, Any]] = json.loads(done.stdout)
    return lines


def test_a_call_is_told_what_its_host_drew_for_it(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    key = gateway.new_key()
    assert gateway.chat("big", key=key, stream=True).status == 200
    (row,) = gateway.settled_ledger(1, key)
    told = row["metadata"]
    seconds = (row["request_duration_ms"] - told["overhead_ms"]) / 1000
    assert seconds >= 0.2
    assert told["energy_wh"] == pytest.approx(WATTS * seconds / 3600, rel=0.1)
    assert told["energy_cost"] == pytest.approx(told["energy_wh"] / 1000 * PRICE_KWH)
    assert row["spend"] == 0.0
    assert gateway.metric("pointsman_energy_watt_hours_total", host=upstream.url) >= told["energy_wh"]


def test_a_call_to_a_cloud_drew_nothing_of_ours(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, _ = house
    key = gateway.new_key()
    assert gateway.chat("paid", key=key).status == 200
    (row,) = gateway.settled_ledger(1, key)
    assert (row["metadata"]["energy_wh"], row["metadata"]["energy_cost"]) == (None, None)
    assert row["spend"] > 0


def test_the_report_is_the_same_from_the_disk_and_from_the_gateway(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    key = gateway.new_key()
    assert gateway.chat("big", key=key).status == 200
    assert gateway.chat("paid", key=key).status == 200
    gateway.settled_ledger(2, key)
    asked = report(gateway, "--by", "model", "--url", gateway.url, "--key", MASTER_KEY)
    read = report(gateway, "--by", "model", "--data-dir", str(gateway.data_dir))
    assert {line["name"] for line in asked} == {"big", "paid"}
    assert [line["name"] for line in asked] == [line["name"] for line in read]
    for one, other in zip(asked, read, strict=True):
        assert one["spend"] == pytest.approx(other["spend"])
        assert one["energy_wh"] == pytest.approx(other["energy_wh"])
    (line,) = report(gateway, "--by", "host", "--url", gateway.url, "--key", MASTER_KEY)
    assert line["name"] == upstream.url
    assert line["energy_wh"] > 0


def test_an_idle_host_draws_something_too(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    name = "pointsman_idle_energy_watt_hours_total"
    eventually(lambda: gateway.metric(name, host=upstream.url) > 0, "idle energy is counted", 15.0)


def test_only_the_operator_sees_the_report(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, _ = house
    assert gateway.http("GET", "/spend/energy", key=gateway.new_key()).status == 403
    assert gateway.http("GET", "/spend/energy").status == 200


def test_energy_counts_against_budgets_where_the_operator_says_so(launch: Launch) -> None:
    with FakeOllama([OllamaModel("big:8b")]) as upstream:
        upstream.turn = Turn(pieces=("one", "two"), gap_seconds=0.2)
        gateway = launch(
            {
                "model_list": [ollama_entry("big", upstream, "big:8b")],
                "pointsman": {
                    "energy_counts_as_spend": True,
                    "local_hosts": [{"api_base": upstream.url, "watts_busy": WATTS, "price_kwh": PRICE_KWH}],
                },
            }
        )
        key = gateway.new_key(max_budget=0.01)
        assert gateway.chat("big", key=key, stream=True).status == 200
        (row,) = gateway.settled_ledger(1, key)
        assert row["spend"] == pytest.approx(row["metadata"]["energy_cost"])
        assert row["spend"] > 0.01
        refused = gateway.chat("big", key=key)
        assert (refused.status, refused.error["type"]) == (422, "budget_exceeded")
