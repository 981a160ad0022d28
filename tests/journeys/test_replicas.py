"""Several gateways on one database and one Redis are one gateway: one set of limits, budgets and rests."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from tests.support.configs import ONE_ATTEMPT, openai_entry
from tests.support.gateway import Gateway
from tests.support.servers import PostgresServer, RedisServer
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, Gate, Reply
from tests.upstreams.openai_shapes import chat_reply, usage

PRICE = 0.001
"""Five tokens at 0.0002 USD each."""
BACK_SECONDS = 5.0


class Fleet(NamedTuple):
    gateways: Sequence[Gateway]
    upstream: FakeOpenAI
    redis: RedisServer

    def new_key(self, **fields: Any) -> str:
        """A key that all of them know."""
        key = self.gateways[0].new_key(**fields)
        for gateway in self.gateways:
            eventually(lambda: gateway.http("GET", "/v1/models", key=key).status == 200, "the key is known")  # noqa: B023
        return key

    def turns(self, key: str, count: int, **fields: Any) -> list[int]:
        """Calls one after the other, each to the next gateway."""
        size = len(self.gateways)
        return [self.gateways[turn % size].chat("priced", key=key, **fields).status for turn in range(count)]


def config(upstream: FakeOpenAI, mode: str) -> dict[str, object]:
    priced = openai_entry("priced", upstream, input_cost_per_token=0.0, output_cost_per_token=0.0002)
    free = openai_entry("free", upstream, input_cost_per_token=0.0, output_cost_per_token=0.0)
    return {**ONE_ATTEMPT, "model_list": [priced, free], "pointsman": {"shared_limits": mode}}


def health(gateway: Gateway) -> str:
    status: str = gateway.http("GET", "/health/readiness").json()["status"]
    return status


def start(postgres: PostgresServer, redis: RedisServer, settings: Mapping[str, object], count: int) -> list[Gateway]:
    env = {"DATABASE_URL": postgres.url(postgres.new_database()), "REDIS_URL": redis.new_url()}
    gateways = [Gateway(settings, env=env) for _ in range(count)]
    try:
        for gateway in gateways:
            gateway.launch()
        for gateway in gateways:
            eventually(lambda: health(gateway) == "healthy", "limits are shared")  # noqa: B023
    except BaseException:
        for gateway in gateways:
            gateway.close()
        raise
    return gateways


@pytest.fixture(scope="module", params=["leased", "exact"])
def fleet(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Fleet]:
    with FakeOpenAI() as upstream, RedisServer() as redis:
        upstream.always(Reply.json(chat_reply("ok", usage(3, 5))))
        gateways = start(postgres, redis, config(upstream, request.param), 2)
        yield Fleet(gateways, upstream, redis)
        for gateway in gateways:
            gateway.close()


def tell(redis: RedisServer, *words: str) -> None:
    """A command of an operator."""
    said = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    with socket.create_connection(("127.0.0.1", redis.port), timeout=5.0) as connection:
        connection.sendall(f"*{len(words)}\r\n{said}".encode())
        assert connection.recv(64) == b"+OK\r\n"


def at_once(count: int, call: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def test_a_rate_holds_for_all_together(fleet: Fleet) -> None:
    key = fleet.new_key(rpm_limit=10)
    statuses = fleet.turns(key, 16)
    assert statuses == [200] * 10 + [429] * 6


def test_a_rate_of_tokens_holds_for_all_together(fleet: Fleet) -> None:
    key = fleet.new_key(tpm_limit=100)
    statuses = fleet.turns(key, 40, max_tokens=5)
    assert 1 <= statuses.count(200) <= 100 // 8
    assert statuses[-1] == 429


def test_a_rate_of_what_comes_out_holds_for_all_together(fleet: Fleet) -> None:
    key = fleet.new_key(model_otpm_limit={"priced": 50})
    assert fleet.turns(key, 16, max_tokens=5) == [200] * 10 + [429] * 6


def test_calls_at_once_are_counted_together_and_their_slots_come_back(fleet: Fleet) -> None:
    key = fleet.new_key(max_parallel_requests=2)
    one, two = fleet.gateways
    gate = Gate()
    fleet.upstream.always(Reply.json(chat_reply("ok", usage(3, 5))).behind(gate))
    before = len(fleet.upstream.inference)
    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(lambda: one.chat("priced", key=key).status) for _ in range(2)]
        eventually(lambda: len(fleet.upstream.inference) == before + 2, "both are under way")
        refused = two.chat("priced", key=key)
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        gate.open()
        assert [one.result() for one in held] == [200, 200]
    fleet.upstream.always(Reply.json(chat_reply("ok", usage(3, 5))))
    assert fleet.turns(key, 20) == [200] * 20


def test_a_budget_holds_for_all_together(fleet: Fleet) -> None:
    key = fleet.new_key(max_budget=10 * PRICE)
    statuses = at_once(40, lambda turn: fleet.gateways[turn % 2].chat("priced", key=key, max_tokens=5).status)
    assert set(statuses) == {200, 422}
    # What leases keep in advance may lie with the one while the other refuses; asked again, it is given back by then.
    passed = statuses.count(200) + fleet.turns(key, 10, max_tokens=5).count(200)
    assert passed == 10
    rows = fleet.gateways[0].settled_ledger(passed, key, status="success")
    assert sum(row["spend"] for row in rows) == pytest.approx(10 * PRICE)
    assert fleet.gateways[1].chat("free", key=key).status == 200


def test_a_teams_budget_holds_for_all_its_keys_on_all_replicas(fleet: Fleet) -> None:
    one, two = fleet.gateways
    team = one.http("POST", "/team/new", {"max_budget": 4 * PRICE})
    if team.status == 404:
        pytest.skip("teams are not managed yet")
    keys = [fleet.new_key(team_id=team.json()["team_id"]) for _ in range(2)]
    statuses = [(one, two)[turn % 2].chat("priced", key=keys[turn // 2 % 2], max_tokens=5).status for turn in range(12)]
    assert statuses.count(200) == 4


def test_a_blocked_key_is_known_everywhere_at_once(fleet: Fleet) -> None:
    key = fleet.new_key()
    one, two = fleet.gateways
    assert two.chat("free", key=key).status == 200
    one.http("POST", "/key/block", {"key": key})
    started = time.monotonic()
    eventually(lambda: two.chat("free", key=key).status == 403, "the other one refuses it", timeout=2.0)
    assert time.monotonic() - started < 2.0


def test_without_redis_answers_go_on_and_it_is_told(fleet: Fleet) -> None:
    key = fleet.new_key(rpm_limit=10)
    assert fleet.turns(key, 2) == [200, 200]
    fleet.redis.stop()
    try:
        for gateway in fleet.gateways:
            eventually(lambda: health(gateway) == "degraded", "Redis is missed")  # noqa: B023
            told = gateway.http("GET", "/health/readiness").json()["degraded"]
            assert any("Redis cannot be used" in one and "Each of 2 processes" in one for one in told), told
            assert gateway.metric("pointsman_redis_connected") == 0
        started = time.monotonic()
        statuses = fleet.turns(key, 20)
        assert time.monotonic() - started < 20 * 0.25, "nobody waits for a Redis that is away"
        assert statuses.count(200) <= 10
        assert statuses[-1] == 429
    finally:
        fleet.redis.start()
    started = time.monotonic()
    for gateway in fleet.gateways:
        eventually(lambda: health(gateway) == "healthy", "limits are shared again", BACK_SECONDS)  # noqa: B023
    assert time.monotonic() - started < BACK_SECONDS
    assert fleet.turns(key, 10).count(200) == 0, "what was used before is not forgotten"
    assert fleet.gateways[0].metric("pointsman_limit_outages_total") >= 1


def test_a_redis_whose_memory_is_full_is_told_as_such(fleet: Fleet) -> None:
    tell(fleet.redis, "CONFIG", "SET", "maxmemory", "1")
    try:
        for gateway in fleet.gateways:
            eventually(lambda: health(gateway) == "degraded", "Redis takes nothing")  # noqa: B023
            (told,) = gateway.http("GET", "/health/readiness").json()["degraded"]
            assert "Redis cannot be used: it refuses a command" in told, told
            assert "maxmemory" in told, told
            assert "Each of 2 processes" in told, told
    finally:
        tell(fleet.redis, "CONFIG", "SET", "maxmemory", "0")
    for gateway in fleet.gateways:
        eventually(lambda: health(gateway) == "healthy", "limits are shared again", BACK_SECONDS)  # noqa: B023


def test_a_rest_that_one_found_necessary_is_known_to_the_other(
    postgres: PostgresServer, redis_server: RedisServer
) -> None:
    with FakeOpenAI() as ill, FakeOpenAI() as well:
        ill.always(Reply.json({"error": {"message": "slow down"}}, status=429, headers={"retry-after": "30"}))
        well.always(Reply.json(chat_reply("ok", usage(3, 5))))
        entries = [openai_entry("m", ill, {"id": "ill"}), openai_entry("m", well, {"id": "well"})]
        settings = {"model_list": entries, "router_settings": {"num_retries": 2}}
        gateways = start(postgres, redis_server, settings, 2)
        try:
            eventually(lambda: gateways[0].chat("m").status == 200 and ill.inference, "one has met the ill one")
            seen = len(ill.inference)
            time.sleep(0.2)  # as long as the news may take
            assert {gateways[1].chat("m").status for _ in range(20)} == {200}
            assert len(ill.inference) == seen
        finally:
            for gateway in gateways:
                gateway.close()
