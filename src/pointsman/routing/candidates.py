"""Which deployments of a pool come into question for a request."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pointsman.routing.pool import Member, Pool
from pointsman.routing.wish import Wish

__all__ = ["candidates"]


def candidates(
    pool: Pool,
    _wish: Wish,
    now: float,
    tried: Collection[str] = (),
    dropped: list[tuple[Member, str]] | None = None,
) -> Sequence[Member]:
    """Those that neither rest nor were ``tried`` (ids) before; if all were, those that do not rest; maybe none.

    The others are added to ``dropped``, each with its reason.
    """
    awake = [member for member in pool.members if member.live.rests_until <= now]
    if dropped is not None:
        dropped += [(member, "resting") for member in pool.members if member.live.rests_until > now]
    if not tried:
        return awake
    fresh = [member for member in awake if member.deployment.id not in tried]
    if dropped is not None and fresh:
        dropped += [(member, "tried") for member in awake if member.deployment.id in tried]
    return fresh or awake
