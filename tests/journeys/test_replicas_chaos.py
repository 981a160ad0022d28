"""Gateways that are killed one after the other, and a database and a Redis that go away: no promise is broken."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, Self

import pytest

from tests.support.configs import ONE_ATTEMPT, openai_entry
from tests.support.gateway import Gateway
from tests.support.servers import PostgresServer, RedisServer
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, Reply
from tests.upstreams.openai_shapes import chat_reply, usage

REPLICAS: Final = 3
CALLERS: Final = 6
PRICE: Final = 0.001
BUDGETS: Final = {"soon": 20 * PRICE, "late": 150 * PRICE}
RPM: Final = 120
SLOTS: Final = 2
SLOT_SECONDS: Final = 15.0
"""After so long the slots of whoever was killed are free again, with time for a slow machine."""


class Call(NamedTuple):
    key: str
    status: int
    """0: the gateway was killed."""
    call_id: str


class Load:
    """Callers that go on until they are stopped."""

    def __init__(self, gateways: Sequence[Gateway], keys: dict[str, str]) -> None:
        self._gateways = gateways
        self._keys = keys
        self._over = threading.Event()
        self.calls: list[Call] = []
        self._threads = [threading.Thread(target=self._call, args=(seed,)) for seed in range(CALLERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _call(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self._over.wait(0.03):
            name = chance.choice(list(self._keys))
            gateway = chance.choice(self._gateways)
            try:
                answer = gateway.chat("priced", key=self._keys[name], max_tokens=5)
            except OSError:
                self.calls.append(Call(name, 0, ""))
            else:
                self.calls.append(Call(name, answer.status, answer.headers.get("x-litellm-call-id", "")))


@pytest.fixture(params=["leased", "exact"])
def gateways(
    request: pytest.FixtureRequest, database: PostgresServer, redis: RedisServer, upstream: FakeOpenAI
) -> Iterator[list[Gateway]]:
    upstream.always(Reply.json(chat_reply("ok", usage(3, 5))))
    priced = openai_entry("priced", upstream, input_cost_per_token=0.0, output_cost_per_token=0.0002)
    settings = {**ONE_ATTEMPT, "model_list": [priced], "pointsman": {"shared_limits": request.param}}
    env = {"DATABASE_URL": database.url(database.new_database()), "REDIS_URL": redis.new_url()}
    started = [Gateway(settings, env=env) for _ in range(REPLICAS)]
    try:
        for gateway in started:
            gateway.launch()
        for gateway in started:
            eventually(lambda: is_healthy(gateway), "limits are shared")  # noqa: B023
        yield started
    finally:
        for gateway in started:
            gateway.close()


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer(persistent=True) as server:
        yield server


def is_healthy(gateway: Gateway) -> bool:
    return bool(gateway.http("GET", "/health/readiness").json()["status"] == "healthy")


def stored(gateway: Gateway, keys: dict[str, str], wanted: set[str]) -> dict[str, list[dict[str, Any]]]:
    """The calls of each key that succeeded; nothing as long as some that are ``wanted`` are missing."""
    rows = {name: gateway.ledger(api_key=key) for name, key in keys.items()}
    assert all(len(every) < 1_000 for every in rows.values()), "as many as one answer holds"
    rows = {name: [row for row in every if row["status"] == "success"] for name, every in rows.items()}
    return rows if wanted <= {row["litellm_call_id"] for every in rows.values() for row in every} else {}


def disturb(gateways: Sequence[Gateway], redis: RedisServer, database: PostgresServer) -> None:
    """Kill each once, with Redis and the database gone and come back in between."""
    for turn, gateway in enumerate(gateways):
        time.sleep(1.0)
        gateway.kill()
        for server in (redis, database)[turn - 1 : turn]:
            server.stop()
            time.sleep(1.0)
            server.start()
        gateway.launch()
    for gateway in gateways:
        eventually(lambda: is_healthy(gateway), "it is well again", 10.0)  # noqa: B023


def test_whatever_is_killed_the_ledger_is_right_and_limits_hold(
    gateways: list[Gateway], redis: RedisServer, database: PostgresServer, upstream: FakeOpenAI
) -> None:
    one = gateways[0]
    keys = {name: one.new_key(max_budget=budget) for name, budget in BUDGETS.items()}
    keys |= {
        "rate": one.new_key(rpm_limit=RPM),
        "slots": one.new_key(max_parallel_requests=SLOTS),
        "free": one.new_key(),
    }
    with Load(gateways, keys) as load:
        disturb(gateways, redis, database)
        time.sleep(1.0)
    calls = load.calls
    answered = {call.call_id for call in calls if call.status == 200}
    cut = sum(call.status == 0 for call in calls)
    assert {call.status for call in calls} <= {0, 200, 422, 429, 503}, sorted({call.status for call in calls})

    rows = eventually(lambda: stored(one, keys, answered), "everything that was answered is stored", 15.0)
    ids = [row["litellm_call_id"] for every in rows.values() for row in every]
    assert len(set(ids)) == len(ids), "nothing is counted twice"
    served = len(upstream.inference)
    assert len(ids) <= served <= len(ids) + cut, "what upstreams served is what the ledger has, but for what was cut"

    spent = {name: sum(row["spend"] for row in every) for name, every in rows.items()}
    for name, budget in BUDGETS.items():
        assert spent[name] <= budget + REPLICAS * PRICE + 1e-9, f"{name}: a reservation for each replica at most"
    assert spent["soon"] >= BUDGETS["soon"] - 1e-9
    let_through = sum(call.key == "rate" and call.status == 200 for call in calls)
    assert let_through <= RPM * (2 - 1 / REPLICAS), "while Redis was away, each was free to use its part of the limit"

    def slots_are_free() -> bool:
        return all(gateways[turn % REPLICAS].chat("priced", key=keys["slots"]).status == 200 for turn in range(6))

    eventually(slots_are_free, "the slots of the killed are free again", SLOT_SECONDS)
