"""How long a client waits, as far as it tells, and what becomes of an upstream that takes longer."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Final

import msgspec

from pointsman.core.errors import TimedOut
from pointsman.core.exchange import Inbound
from pointsman.core.upstream import Ask
from pointsman.lifecycle.settle import Settlement
from pointsman.routing.failures import CLIENT_TIMEOUT

__all__ = ["gives_up_at", "limit_of", "watch"]

_PATIENCE: Final = (b"x-stainless-read-timeout", b"x-stainless-timeout")
_number: Final = msgspec.json.Decoder(float).decode


def limit_of(ask: Ask) -> float | None:
    """Seconds that the request lets an attempt take, waiting for its turn included; of a stream, until it begins.

    It tells in LiteLLM's ``timeout`` and ``stream_timeout``, or in the headers of that name. None: it does not.
    """
    rules = ask.routing
    if rules is None:
        return None
    return (rules.stream_timeout or rules.timeout) if ask.stream else rules.timeout


def gives_up_at(ask: Ask, inbound: Inbound, began_at: float = 0.0) -> float:
    """When the client of an attempt that ``began_at`` some moment does not wait any longer; no end, if it does not say.

    0: it began when the request came in. In monotonic seconds. What OpenAI's and Anthropic's libraries tell in headers
    is for the request as a whole, and nothing but the longest silence where it is for a stream.
    """
    limit, received = limit_of(ask), inbound.received
    if limit is not None:
        return (began_at or received) + limit
    for name in () if ask.stream else _PATIENCE:
        value = inbound.head.header(name)
        if value is not None:
            return received + _seconds(value)
    return inf


def watch(ask: Ask, settlement: Settlement, began_at: float) -> asyncio.TimerHandle | None:
    """Let what is under way fail when it has taken as long as the request lets it. None: it sets no limit.

    An answer that has begun is not broken off: of a stream somebody is reading it.
    """
    limit = limit_of(ask)
    if limit is None:
        return None
    left = (began_at or settlement.inbound.received) + limit - settlement.house.clock.monotonic()
    return asyncio.get_running_loop().call_later(max(left, 0.0), _cut, settlement, limit)


def _cut(settlement: Settlement, limit: float) -> None:
    flight = settlement.flight
    if flight is not None and not flight.complete and not settlement.spoken:
        error = TimedOut(
            f"The upstream had not answered after {limit:g} s, which is how long the request lets it take.",
            hint="The limit is the timeout of the request, or of its key.",
            code=CLIENT_TIMEOUT,
        )
        flight.inbox.put(error)


def _seconds(said: bytes) -> float:
    try:
        seconds = _number(said)
    except msgspec.MsgspecError:
        return inf
    return seconds if seconds > 0 else inf
