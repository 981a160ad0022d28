"""How long one decision takes over ten thousand hosts and a thousand models.

Twice: as fleets are, with each host having the files of some models; and at the worst, with every host able to serve
the model that is asked for. Of the worst case a few models are looked at, since ten million deployments at once would
take six gigabytes, which says nothing about the time of a decision.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pointsman.core.upstream import Operation
from pointsman.routing.hosts import LoadedModel
from pointsman.routing.router import Router
from pointsman.routing.settings import RoutingSettings, StrategyChoice
from pointsman.routing.table import RoutingTable
from pointsman.routing.wish import Wish
from simulator.world import deployment_at

__all__ = ["BOUND_MICROSECONDS", "Pace", "measure"]

BOUND_MICROSECONDS: Final = 50.0
_GIGABYTE: Final = 1_000_000_000
_LOADED: Final = 2
_WARM_UP: Final = 2_000
_ROUNDS: Final = 5

Clock = Callable[[], int]
"""Nanoseconds, or any other measure of work done."""


class Pace(msgspec.Struct, frozen=True):
    """Microseconds of CPU per decision. ``members`` is how many deployments a model has on the average.

    ``mean`` is that of the best of five rounds: other work on the machine adds to the others, and never takes away.
    """

    title: str
    hosts: int
    models: int
    members: float
    decisions: int
    mean: float
    p50: float
    p99: float
    warm_share: float


def measure(
    title: str, hosts: int, models: int, models_per_host: int, decisions: int, clock: Clock = time.thread_time_ns
) -> Pace:
    """Time decisions over a fleet in which each host has two models in memory and some have work."""
    chance = random.Random(7)
    names = [f"model-{number}" for number in range(models)]
    urls = [f"http://10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:11434" for number in range(hosts)]
    has = {url: chance.sample(names, models_per_host) for url in urls}
    table = RoutingTable([deployment_at(name, url) for url in urls for name in has[url]])
    router = Router(table, RoutingSettings(strategy=StrategyChoice("warm-first")), chance.random)
    for url in urls:
        host = router.fleet.at(url)
        host.slots, host.vram_total_bytes = 2, 24 * _GIGABYTE
        loaded = chance.sample(has[url], min(_LOADED, models_per_host))
        host.loaded = {name: LoadedModel(name, 8 * _GIGABYTE, 8 * _GIGABYTE) for name in loaded}
        if chance.random() < 0.5:
            host.in_flight[loaded[0]] = chance.randint(1, 2)
    asked = [chance.choice(names) for _ in range(decisions + min(_WARM_UP, decisions))]
    for name in set(asked):
        router.pool(name)
    # As the server does once it is ready: what lasts is not looked through again and again.
    gc.collect()
    gc.freeze()
    try:
        taken, warm = _timed(router, asked, clock)
    finally:
        gc.unfreeze()
    size = len(taken) // _ROUNDS
    means = [sum(taken[begin : begin + size]) / size for begin in range(0, size * _ROUNDS, size)]
    taken.sort()
    return Pace(
        title,
        hosts,
        models,
        hosts * models_per_host / models,
        decisions,
        min(means) / 1000.0,
        taken[len(taken) // 2] / 1000.0,
        taken[len(taken) * 99 // 100] / 1000.0,
        warm / decisions,
    )


def _timed(router: Router, asked: Sequence[str], clock: Clock) -> tuple[list[int], int]:
    """Nanoseconds of CPU of each decision after some that warm up, and how many found the model in memory."""
    taken: list[int] = []
    warm = 0
    for number, name in enumerate(asked):
        wish = Wish(Operation.CHAT, 500, None, True, f"key-{number % 50}")
        now = number / 1_000
        begin = clock()
        pool = router.pool(name)
        if pool is None:
            raise LookupError(name)
        _, reason = router.choose(pool, wish, now)
        end = clock()
        if number >= min(_WARM_UP, len(asked) // 2):
            taken.append(end - begin)
            warm += reason in {"loaded", "loading", "only"}
    return taken, warm
