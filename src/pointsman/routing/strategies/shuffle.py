"""LiteLLM's ``simple-shuffle``: random, in proportion to weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pointsman.routing.chance import drawn, drawn_by
from pointsman.routing.pool import Member, Pick
from pointsman.routing.wish import Wish

__all__ = ["Shuffle"]


class Shuffle:
    """See :class:`pointsman.routing.pool.Strategy`. ``draw`` gives a number in [0, 1)."""

    name = "simple-shuffle"

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw

    def pick(self, candidates: Sequence[Member], wish: Wish, _now: float) -> Pick:
        """One of them; where a key or a team has weights of its own, those without one get nothing."""
        if wish.rules.weights:
            shares = wish.rules.weights.get(candidates[0].deployment.group, {})
            own = [shares.get(member.deployment.id, 0.0) for member in candidates]
            if any(own):
                return drawn_by(candidates, own, self._draw), "own_weights"
        return drawn(candidates, self._draw), "shuffle"

    def took(self, member: Member, wish: Wish, now: float) -> None:
        """Nothing is remembered."""
