"""LiteLLM's ``simple-shuffle``: random, in proportion to weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pointsman.routing.chance import drawn
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
        return drawn(candidates, self._draw), "shuffle"

    def took(self, member: Member, wish: Wish, now: float) -> None:
        """Nothing is remembered."""
