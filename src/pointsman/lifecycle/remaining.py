"""What upstreams say that they have left of their limits, learned from a few answers a second.

Every answer says it, and to look at each would cost each request something. So the sender has somebody in front of it
only until a handful of requests has passed, and again a second later: a busy gateway is held up by no more than that,
and an idle one is not woken.

Sources: https://platform.openai.com/docs/guides/rate-limits (``x-ratelimit-remaining-…``),
https://docs.anthropic.com/en/api/rate-limits (``anthropic-ratelimit-…-remaining``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pointsman.core.flight import Flight, Sender
from pointsman.core.upstream import Deployment, Outbound
from pointsman.lifecycle.house import House

__all__ = ["Remaining", "RemainingWatch"]

_AT_ONCE: Final = 16
_PAUSE_SECONDS: Final = 1.0
_LOOKS_MAX: Final = 30
"""How often is looked for the beginning of an answer; a flight that failed says no more than one that waits."""
_KEPT_MAX: Final = 10_000
_DIGITS_MAX: Final = 15
_REQUESTS: Final = frozenset({b"x-ratelimit-remaining-requests", b"anthropic-ratelimit-requests-remaining"})
_TOKENS: Final = frozenset({b"x-ratelimit-remaining-tokens", b"anthropic-ratelimit-tokens-remaining"})


class Remaining(msgspec.Struct, frozen=True):
    """Requests and tokens that a deployment has left, by its own account; None: it says nothing of them."""

    requests: int | None = None
    tokens: int | None = None


_UNKNOWN: Final = Remaining()


class RemainingWatch:
    """Stands in front of the sender of ``house``; ``later`` calls something after so many seconds, without a wait."""

    def __init__(self, house: House, later: Callable[[float, Callable[[], None]], object] | None = None) -> None:
        self._house = house
        self._sender = house.sender
        self._later = later
        self._noted: list[tuple[str, Flight, int]] = []
        self._found: dict[str, Remaining] = {}

    def follow(self, sender: Sender) -> None:
        """This one sends from now on."""
        self._sender = sender
        self._house.sender = self if len(self._noted) < _AT_ONCE else sender

    def of(self, deployment_id: str) -> Remaining:
        """What the deployment said last."""
        return self._found.get(deployment_id, _UNKNOWN)

    def send(self, deployment: Deployment, outbound: Outbound, *, stream: bool) -> Flight:
        """See :class:`pointsman.core.flight.Sender`."""
        flight = self._sender.send(deployment, outbound, stream=stream)
        self._noted.append((deployment.id, flight, 0))
        if len(self._noted) == 1:
            (self._later or asyncio.get_running_loop().call_later)(_PAUSE_SECONDS, self._look)
        if len(self._noted) >= _AT_ONCE:
            self._house.sender = self._sender
        return flight

    def _look(self) -> None:
        """Read what has come, and wait for the others; nobody is remembered whose answer has begun."""
        waiting: list[tuple[str, Flight, int]] = []
        for deployment_id, flight, looks in self._noted:
            if flight.status:
                self._learn(deployment_id, flight.headers)
            elif looks < _LOOKS_MAX:
                waiting.append((deployment_id, flight, looks + 1))
        self._noted = waiting
        if waiting:
            (self._later or asyncio.get_running_loop().call_later)(_PAUSE_SECONDS, self._look)
        self.follow(self._sender)

    def _learn(self, deployment_id: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        found: dict[str, int] = {}
        for name, value in headers:
            what = "requests" if name in _REQUESTS else "tokens" if name in _TOKENS else ""
            if what and value.isdigit() and len(value) <= _DIGITS_MAX:
                found[what] = int(value)
        if not found:
            return
        if len(self._found) >= _KEPT_MAX:
            self._found.clear()
        self._found[deployment_id] = Remaining(**found)
