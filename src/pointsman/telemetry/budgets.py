"""What is left of budgets, under LiteLLM's metric names (``litellm_remaining_team_budget_metric`` and its kin).

Told of those who have a budget and called not long ago, as far as a process remembers them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Final

import msgspec
from prometheus_client.core import GaugeMetricFamily, Metric

from pointsman.core.price import dollars

__all__ = ["BUDGETS_SHOWN_MAX", "BudgetNow", "budget_families", "merged"]

BUDGETS_SHOWN_MAX: Final = 1_000
"""Budgets of one scope that are told; of more, those of which least is left."""

_SCOPES: Final = MappingProxyType({
    "team": ("team", ("team", "team_alias")),
    "key": ("api_key", ("hashed_api_key", "api_key_alias")),
    "user": ("user", ("user",)),
    "organization": ("org", ("org_id", "org_alias")),
    "customer": ("customer", ("end_user",)),
    "provider": ("provider", ("api_provider",)),
})  # fmt: skip
"""LiteLLM's word for each of ours, and its labels: the identity, and for some the name."""

_LEFT: Final = MappingProxyType({"provider": "litellm_provider_remaining_budget_metric"})
"""Where LiteLLM's name is not made as the others."""


class BudgetNow(msgspec.Struct, frozen=True):
    """A budget and what is left of it, in picodollars; ``hours`` until it is reset, None: it is not."""

    scope: str
    identity: str
    name: str
    budget: int
    left: int
    hours: float | None = None


def budget_families(budgets: Sequence[BudgetNow]) -> Iterable[Metric]:
    """The gauges of every scope of which there are budgets."""
    for scope, (word, labels) in _SCOPES.items():
        own = sorted((one for one in budgets if one.scope == scope), key=lambda one: (one.left, one.identity))
        if not own:
            continue
        name = _LEFT.get(word, f"litellm_remaining_{word}_budget_metric")
        left = GaugeMetricFamily(name, "USD left of the budget.", labels=labels)
        most = GaugeMetricFamily(f"litellm_{word}_max_budget_metric", "The budget, in USD.", labels=labels)
        words = "Hours until the budget is whole again."
        hours = GaugeMetricFamily(f"litellm_{word}_budget_remaining_hours_metric", words, labels=labels)
        for one in own[:BUDGETS_SHOWN_MAX]:
            values = (one.identity, one.name)[: len(labels)]
            left.add_metric(values, dollars(one.left))
            most.add_metric(values, dollars(one.budget))
            if one.hours is not None:
                hours.add_metric(values, one.hours)
        yield from (left, most, hours)


def merged(budgets: Iterable[BudgetNow]) -> list[BudgetNow]:
    """Each budget once, as the worker tells it that knows of the most spending."""
    known: dict[tuple[str, str], BudgetNow] = {}
    for one in budgets:
        before = known.get((one.scope, one.identity))
        if before is None or one.left < before.left:
            known[one.scope, one.identity] = one
    return list(known.values())
