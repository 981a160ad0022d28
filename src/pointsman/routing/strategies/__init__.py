"""The ways to pick one of several deployments, by their names in the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pointsman.routing.pool import Strategy
from pointsman.routing.strategies.shuffle import Shuffle

__all__ = ["STRATEGIES", "Maker"]

Maker = Callable[[Callable[[], float]], Strategy]
"""Makes a strategy for one pool, given a source of numbers in [0, 1)."""

STRATEGIES: Final[Mapping[str, Maker]] = {Shuffle.name: Shuffle}
