"""Which deployments of a pool come into question for a request."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pointsman.routing.pool import Member, Pool
from pointsman.routing.wish import Wish

__all__ = ["candidates"]


def candidates(pool: Pool, _wish: Wish, now: float, tried: Collection[str] = ()) -> Sequence[Member]:
    """Those that neither rest nor were ``tried`` (ids) before; if all were, those that do not rest; maybe none."""
    awake = [member for member in pool.members if member.live.rests_until <= now]
    if not tried:
        return awake
    return [member for member in awake if member.deployment.id not in tried] or awake
