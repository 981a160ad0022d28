"""Drawing deployments in proportion to their weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pointsman.routing.pool import Member

__all__ = ["drawn", "drawn_by", "two_drawn"]


def drawn(members: Sequence[Member], draw: Callable[[], float]) -> Member:
    """One of several; ``draw`` gives a number in [0, 1)."""
    mark = draw() * sum(member.deployment.weight for member in members)
    for member in members:
        mark -= member.deployment.weight
        if mark < 0:
            return member
    return members[-1]


def drawn_by(members: Sequence[Member], weights: Sequence[float], draw: Callable[[], float]) -> Member:
    """One of several, by other weights than its own, of which one at least is above 0."""
    mark = draw() * sum(weights)
    chosen = members[0]
    for member, weight in zip(members, weights, strict=True):
        mark -= weight
        chosen = member if weight else chosen
        if mark < 0:
            break
    return chosen


def two_drawn(members: Sequence[Member], draw: Callable[[], float]) -> Sequence[Member]:
    """Two different ones of several, or the single one."""
    if len(members) <= 2:
        return members
    first = drawn(members, draw)
    return first, drawn([member for member in members if member is not first], draw)
