"""LiteLLM's ``simple-shuffle``: random, in proportion to weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pointsman.routing.pool import Member, Pick
from pointsman.routing.wish import Wish

__all__ = ["Shuffle"]


class Shuffle:
    """See :class:`pointsman.routing.pool.Strategy`. ``draw`` gives a number in [0, 1)."""

    name = "simple-shuffle"

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw

    def pick(self, candidates: Sequence[Member], _wish: Wish, _now: float) -> Pick:
        """One of them."""
        total = sum(member.deployment.weight for member in candidates)
        mark = self._draw() * total
        for member in candidates:
            mark -= member.deployment.weight
            if mark < 0:
                return member, "shuffle"
        return candidates[-1], "shuffle"
