"""LiteLLM's ``usage-based-routing`` and ``-v2``: the one that was used least in the last minute.

Where every candidate has a limit of tokens, or of requests, the share of it that is used counts; else the tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pointsman.routing.pool import Member, Pick
from pointsman.routing.wish import Wish

__all__ = ["LowestUsage"]


class LowestUsage:
    """See :class:`pointsman.routing.pool.Strategy`. What reached a limit is no candidate any more."""

    name = "usage-based-routing-v2"

    def pick(self, candidates: Sequence[Member], _wish: Wish, now: float) -> Pick:
        """The least used; of several the one with the fewest requests, of these the first."""
        second = int(now)
        share = _share(candidates)
        return min(candidates, key=lambda member: (share(member, second), _requests(member, second))), "least_used"

    def took(self, member: Member, wish: Wish, now: float) -> None:
        """Nothing is remembered: requests and tokens are counted anyway."""


def _share(candidates: Sequence[Member]) -> Callable[[Member, int], float]:
    if all(member.deployment.tpm for member in candidates):
        return lambda member, second: _tokens(member, second) / (member.deployment.tpm or 1)
    if all(member.deployment.rpm for member in candidates):
        return lambda member, second: _requests(member, second) / (member.deployment.rpm or 1)
    return _tokens


def _tokens(member: Member, second: int) -> float:
    return 0 if member.live.meter is None else member.live.meter.tokens_used(second)


def _requests(member: Member, second: int) -> float:
    return 0 if member.live.meter is None else member.live.meter.requests_used(second)
