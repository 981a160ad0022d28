"""The ways to pick one of several deployments, by their names in the configuration: LiteLLM's, and plain ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from pointsman.routing.pool import Strategy
from pointsman.routing.residency import LoadBook
from pointsman.routing.settings import StrategyArguments
from pointsman.routing.strategies.cost import LowestCost
from pointsman.routing.strategies.latency import LowestLatency
from pointsman.routing.strategies.least_busy import LeastBusy
from pointsman.routing.strategies.round_robin import RoundRobin
from pointsman.routing.strategies.shuffle import Shuffle
from pointsman.routing.strategies.usage import LowestUsage
from pointsman.routing.strategies.warm_first import WarmFirst

__all__ = ["COUNTING", "STRATEGIES", "TIMING", "Kit", "Maker"]


class Kit(msgspec.Struct, frozen=True, eq=False):
    """What a strategy is made of: a source of numbers in [0, 1), and what all pools know of the hosts' memory."""

    draw: Callable[[], float]
    loads: LoadBook
    arguments: StrategyArguments = StrategyArguments()


Maker = Callable[[Kit], Strategy]
"""Makes a strategy for one pool."""


def _latency(kit: Kit) -> Strategy:
    return LowestLatency(kit.draw, kit.arguments.latency_buffer)


_MAKERS: Final[Mapping[str, Maker]] = {
    Shuffle.name: lambda kit: Shuffle(kit.draw),
    RoundRobin.name: lambda _kit: RoundRobin(),
    LeastBusy.name: lambda kit: LeastBusy(kit.draw),
    LowestLatency.name: _latency,
    LowestUsage.name: lambda _kit: LowestUsage(),
    LowestCost.name: lambda kit: LowestCost(kit.draw),
    WarmFirst.name: lambda kit: WarmFirst(kit.loads),
}

STRATEGIES: Final[Mapping[str, Maker]] = {
    **_MAKERS,
    "shuffle": _MAKERS[Shuffle.name],
    "latency": _latency,
    "usage": _MAKERS[LowestUsage.name],
    "usage-based-routing": _MAKERS[LowestUsage.name],
    "cost": _MAKERS[LowestCost.name],
}

COUNTING: Final = frozenset({LowestUsage.name})
"""Strategies that need every member's requests and tokens counted."""

TIMING: Final = frozenset({WarmFirst.name})
"""Strategies that need to know how long an ordinary call takes each member."""
