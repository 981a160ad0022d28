"""``bench/replicas``: a fleet under load that is killed piece by piece, then the price of shared limits."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from replication.upstream import Caller, Upstream
from tests.support.configs import openai_entry
from tests.support.gateway import Gateway
from tests.support.servers import PostgresServer, RedisServer
from tests.support.waiting import eventually

PRICE: Final = 0.001
RPM: Final = 600
LIMITS: Final = {
    "rpm_limit": 10_000_000,
    "tpm_limit": 2_000_000_000,
    "max_parallel_requests": 5_000,
    "max_budget": 9_000,
}


def config(upstream: Upstream, mode: str) -> dict[str, Any]:
    """One priced model, tried once."""
    base = f"http://127.0.0.1:{upstream.port}/v1"
    entry = openai_entry("priced", base, input_cost_per_token=0.0, output_cost_per_token=0.0002)
    return {
        "model_list": [entry],
        "router_settings": {"num_retries": 0},
        "pointsman": {"shared_limits": mode},
        "litellm_settings": {"json_logs": True},
    }


def is_healthy(gateway: Gateway) -> bool:
    """Whether it is ready, and nothing is amiss."""
    return bool(gateway.http("GET", "/health/readiness").json()["status"] == "healthy")


def launched(settings: dict[str, Any], env: dict[str, str], count: int) -> list[Gateway]:
    """Gateways that are well."""
    gateways = [Gateway(settings, env={**env, "POINTSMAN_LOG_LEVEL": "ERROR"}) for _ in range(count)]
    for gateway in gateways:
        gateway.launch()
    for gateway in gateways:
        eventually(lambda: is_healthy(gateway), "it is well", 20.0)  # noqa: B023
    return gateways


class Chaos:
    """Callers of all gateways, and what they were answered."""

    def __init__(self, gateways: Sequence[Gateway], keys: dict[str, str]) -> None:
        self.gateways, self.keys = gateways, keys
        self.calls: list[tuple[str, int, str, float]] = []
        self.over = False

    async def call(self, seed: int, pace: float) -> None:
        """One caller."""
        chance, caller = random.Random(seed), Caller()
        while not self.over:
            name = chance.choice(list(self.keys))
            status, call_id, _ = await caller.chat(chance.choice(self.gateways).port, self.keys[name])
            self.calls.append((name, status, call_id, time.monotonic()))
            await asyncio.sleep(pace)
        caller.close()

    async def disturb(self, seconds: float, redis: RedisServer, database: PostgresServer) -> int:
        """Kill one every few seconds, and take each server away once; gives how many were killed."""
        started, killed, turn = time.monotonic(), 0, 0
        away = {int(seconds * 0.3): redis, int(seconds * 0.6): database}
        while time.monotonic() - started < seconds:
            await asyncio.sleep(3.0)
            gateway = self.gateways[turn % len(self.gateways)]
            turn += 1
            gateway.kill()
            killed += 1
            for at in [at for at in away if at <= time.monotonic() - started]:
                server = away.pop(at)
                await asyncio.to_thread(server.stop)
                await asyncio.sleep(1.0)
                await asyncio.to_thread(server.start)
            await asyncio.to_thread(gateway.launch)
        return killed


async def chaos(mode: str, replicas: int, seconds: float) -> dict[str, Any]:
    """What came of it."""
    upstream = Upstream()
    await upstream.start()
    with PostgresServer() as database, RedisServer(persistent=True) as redis:
        name = database.new_database()
        env = {"DATABASE_URL": database.url(name), "REDIS_URL": redis.new_url()}
        gateways = await asyncio.to_thread(launched, config(upstream, mode), env, replicas)
        budgets = {f"budget-{number}": number * 100 * PRICE for number in (1, 3, 6)}
        keys = {who: gateways[0].new_key(max_budget=budget) for who, budget in budgets.items()}
        keys |= {"rate": gateways[0].new_key(rpm_limit=RPM), "free": gateways[0].new_key()}
        keys |= {"slots": gateways[0].new_key(max_parallel_requests=4)}
        fleet = Chaos(gateways, keys)
        callers = [asyncio.create_task(fleet.call(seed, 0.05)) for seed in range(16)]
        killed = await fleet.disturb(seconds, redis, database)
        for gateway in gateways:
            await asyncio.to_thread(eventually, lambda: is_healthy(gateway), "it is well again", 20.0)  # noqa: B023
        fleet.over = True
        await asyncio.gather(*callers)
        await asyncio.sleep(3.0)
        rows = database.fetch("SELECT count(*), sum(cost)::text FROM calls WHERE cost > 0", database=name)
        spent = {
            who: gateways[0].http("GET", f"/key/info?key={key}").json()["info"]["spend"] for who, key in keys.items()
        }
        for gateway in gateways:
            gateway.close()
        await upstream.stop()
    good = [call for call in fleet.calls if call[1] == 200]
    cut = sum(call[1] == 0 for call in fleet.calls)
    rate = sorted(call[3] for call in good if call[0] == "rate")
    return {
        "mode": mode,
        "replicas": replicas,
        "killed": killed,
        "calls": len(fleet.calls),
        "answered": len(good),
        "cut": cut,
        "in the ledger": rows[0][0],
        "served by the upstream": upstream.served,
        "ledger right": len(good) <= rows[0][0] <= upstream.served <= rows[0][0] + cut,
        "over budget, in reservations": {
            who: round(spent[who] / PRICE - budget / PRICE, 3) for who, budget in budgets.items()
        },
        "most in a minute of 600": max((sum(at <= then < at + 60 for then in rate) for at in rate), default=0),
    }


async def price(mode: str | None, seconds: float) -> dict[str, Any]:
    """Requests a second of one gateway with a key that has every kind of limit, and what they take one by one."""
    upstream = Upstream()
    await upstream.start()
    with PostgresServer() as database, RedisServer() as redis:
        env = {"DATABASE_URL": database.url(database.new_database())}
        if mode is not None:
            env["REDIS_URL"] = redis.new_url()
        (gateway,) = await asyncio.to_thread(launched, config(upstream, mode or "leased"), env, 1)
        key = gateway.new_key(**LIMITS)
        alone = [(await caller.chat(gateway.port, key))[2] for caller in [Caller()] for _ in range(600)][100:]
        count = 0
        until = time.monotonic() + seconds

        async def busy() -> None:
            nonlocal count
            caller = Caller()
            while time.monotonic() < until:
                status, _, _ = await caller.chat(gateway.port, key)
                count += status == 200
            caller.close()

        await asyncio.gather(*(busy() for _ in range(32)))
        gateway.close()
        await upstream.stop()
    cuts = statistics.quantiles(alone, n=100)
    return {
        "mode": mode or "no Redis",
        "requests a second": round(count / seconds),
        "median ms": round(cuts[49] * 1_000, 2),
        "p99 ms": round(cuts[98] * 1_000, 2),
    }


def main() -> None:
    """Run what was asked for and print it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--replicas", type=int, default=4)
    options.add_argument("--seconds", type=float, default=60.0, help="how long the fleet is disturbed, for each mode")
    options.add_argument("--load-seconds", type=float, default=5.0)
    options.add_argument("--only", choices=("chaos", "price"))
    options.add_argument("--check", action="store_true", help="exit with 1 if a promise was broken")
    given = options.parse_args()
    broken = False
    with ThreadPoolExecutor(8) as threads:
        loop = asyncio.new_event_loop()
        loop.set_default_executor(threads)
        if given.only != "price":
            for mode in ("leased", "exact"):
                found = loop.run_until_complete(chaos(mode, given.replicas, given.seconds))
                print(json.dumps(found, indent=2), flush=True)
                over = max(found["over budget, in reservations"].values())
                broken = broken or not found["ledger right"] or over > given.replicas
        if given.only != "chaos":
            for kind in (None, "leased", "exact"):
                print(json.dumps(loop.run_until_complete(price(kind, given.load_seconds))), flush=True)
        loop.close()
    raise SystemExit(broken and given.check)


if __name__ == "__main__":
    main()
