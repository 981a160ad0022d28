"""The parts of ``router_settings`` that have parts of their own."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pointsman.config.value_types import Amount, GroupStrategyName, Name, PositiveCount

__all__ = ["ModelAlias", "StrategyArgs", "StrategyGroup"]


class ModelAlias(msgspec.Struct, frozen=True, kw_only=True):
    """Another name for a model; a ``hidden`` one is served and not listed."""

    model: Name
    hidden: bool = False


class StrategyArgs(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a strategy, in LiteLLM's names."""

    lowest_latency_buffer: Amount | None = None


class StrategyGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy for some models: ``router_settings.routing_groups[]``. Clients can ask for it by its name, too.

    With the strategy ``priority`` it is a model of its own, made of ``models``, of which those with the lowest of
    ``model_priorities`` are tried first.
    """

    group_name: Name | None = None
    models: tuple[Name, ...]
    routing_strategy: GroupStrategyName
    routing_strategy_args: StrategyArgs = StrategyArgs()
    model_priorities: Mapping[str, PositiveCount] = {}
