"""LiteLLM's ``cost-based-routing``: the one where this request will cost least."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from pointsman.routing.chance import drawn
from pointsman.routing.pool import Member, Pick
from pointsman.routing.wish import Wish

__all__ = ["LowestCost"]

_OUTPUT_TOKENS_ASSUMED: Final = 256
_UNKNOWN: Final = float("inf")


class LowestCost:
    """See :class:`pointsman.routing.pool.Strategy`. Whose price is not known comes last."""

    name = "cost-based-routing"

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw

    def pick(self, candidates: Sequence[Member], wish: Wish, _now: float) -> Pick:
        """One of the cheapest, by chance."""
        costs = [_cost(member, wish) for member in candidates]
        least = min(costs)
        cheapest = [member for member, cost in zip(candidates, costs, strict=True) if cost == least]
        return (cheapest[0] if len(cheapest) == 1 else drawn(cheapest, self._draw)), "cheapest"

    def took(self, member: Member, wish: Wish, now: float) -> None:
        """Nothing is remembered."""


def _cost(member: Member, wish: Wish) -> float:
    """Picodollars, as far as can be told before."""
    deployment = member.deployment
    if not deployment.charges and deployment.price is not None:
        return 0.0
    if deployment.price is None:
        return _UNKNOWN
    output = _OUTPUT_TOKENS_ASSUMED if wish.output_limit is None else wish.output_limit
    return deployment.price.bound(wish.prompt_tokens, output)
