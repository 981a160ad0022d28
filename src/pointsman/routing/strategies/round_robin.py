"""One after the other, each as often as its weight says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pointsman.routing.pool import Member, Pick
from pointsman.routing.wish import Wish

__all__ = ["RoundRobin"]

_MEMBERS_MAX: Final = 65_536


class RoundRobin:
    """See :class:`pointsman.routing.pool.Strategy`.

    Each member has a moment at which it is due; the one that is due first is next, and is due again after a time in
    inverse proportion to its weight. Whoever was away does not catch up on what it missed.
    """

    name = "round-robin"

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._moment = 0.0

    def pick(self, candidates: Sequence[Member], _wish: Wish, _now: float) -> Pick:
        """The one whose turn it is; the first of several."""
        due, moment = self._due, self._moment
        weighty = [member for member in candidates if member.deployment.weight > 0] or candidates
        return min(weighty, key=lambda member: max(due.get(member.live.id, 0.0), moment)), "turn"

    def took(self, member: Member, _wish: Wish, _now: float) -> None:
        """Its next turn comes later."""
        if len(self._due) >= _MEMBERS_MAX:
            self._due.clear()
        due = max(self._due.get(member.live.id, 0.0), self._moment)
        self._moment = due
        self._due[member.live.id] = due + 1.0 / (member.deployment.weight or 1.0)
