"""LiteLLM's ``latency-based-routing``: the one that answers soonest, by the worst that was lately seen (peak EWMA).

Two are drawn and the faster is taken ("power of two choices"), so that a crowd does not run to the one that looks best.
A deployment of which nothing is known counts as fast, so that it is tried; what was seen fades, so that one that was
slow is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp
from typing import Final

from pointsman.routing.chance import drawn, two_drawn
from pointsman.routing.pool import Member, Pick
from pointsman.routing.wish import Wish

__all__ = ["LowestLatency"]

_MEMORY_SECONDS: Final = 120.0
_LEAST_SECONDS: Final = 1e-4
_FAILED_SECONDS: Final = 10.0


class LowestLatency:
    """See :class:`pointsman.routing.pool.Strategy`.

    ``buffer`` is LiteLLM's ``lowest_latency_buffer``: with it, one of all that are slower than the fastest by no more
    than this share of its latency. ``draw`` gives a number in [0, 1).
    """

    name = "latency-based-routing"

    def __init__(self, draw: Callable[[], float], buffer: float | None = None) -> None:
        self._draw = draw
        self._buffer = buffer

    def pick(self, candidates: Sequence[Member], wish: Wish, now: float) -> Pick:
        """The faster of two, or one of the fast ones."""
        if self._buffer is None:
            two = two_drawn(candidates, self._draw)
            return min(two, key=lambda member: _expected(member, wish, now)), "fastest"
        seconds = [_seen(member, wish, now) for member in candidates]
        bound = min(seconds) * (1.0 + self._buffer)
        fast = [member for member, taken in zip(candidates, seconds, strict=True) if taken <= bound]
        return drawn(fast, self._draw), "fastest"

    def took(self, member: Member, wish: Wish, now: float) -> None:
        """Nothing is remembered: each deployment's latency is measured anyway."""


def _seen(member: Member, wish: Wish, now: float) -> float:
    """Seconds to the first byte of a stream, to the end of any other answer."""
    live = member.live
    seconds = live.first_byte if wish.stream else live.latency
    if live.failures_in_row:
        # Who fails at once must not seem to be the fastest.
        seconds = max(seconds, _FAILED_SECONDS) * (1 + live.failures_in_row)
    return max(seconds * exp((live.ended_at - now) / _MEMORY_SECONDS), _LEAST_SECONDS)


def _expected(member: Member, wish: Wish, now: float) -> float:
    return _seen(member, wish, now) * (member.live.in_flight + 1)
