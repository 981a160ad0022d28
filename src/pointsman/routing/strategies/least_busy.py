"""LiteLLM's ``least-busy``: the one with the fewest requests under way, for its weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pointsman.routing.chance import drawn
from pointsman.routing.pool import Member, Pick
from pointsman.routing.residency import ahead_of
from pointsman.routing.wish import Wish

__all__ = ["LeastBusy"]


class LeastBusy:
    """See :class:`pointsman.routing.pool.Strategy`. Of a local server all its requests count, of every model."""

    name = "least-busy"

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw

    def pick(self, candidates: Sequence[Member], _wish: Wish, _now: float) -> Pick:
        """One of the least busy, by chance."""
        loads = [_load(member) for member in candidates]
        least = min(loads)
        idlest = [member for member, load in zip(candidates, loads, strict=True) if load == least]
        return (idlest[0] if len(idlest) == 1 else drawn(idlest, self._draw)), "least_busy"

    def took(self, member: Member, wish: Wish, now: float) -> None:
        """Nothing is remembered: what is under way is counted anyway."""


def _load(member: Member) -> float:
    requests = member.live.in_flight
    if member.host is not None:
        requests = max(requests, ahead_of(member.host))
    weight = member.deployment.weight
    # The next request counts with those under way, so that weights tell among the idle as well.
    return (requests + 1) / weight if weight > 0 else float("inf")
