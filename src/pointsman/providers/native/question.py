"""A small request to a deployment on the gateway's own account, answered whole and soon or not at all."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.flight import Sender
from pointsman.core.upstream import Deployment, Outbound, Timeouts

__all__ = ["Told", "put_question"]

_CONNECT_SECONDS: Final = 2.0


class Told(msgspec.Struct, frozen=True):
    """An answer."""

    status: int
    body: bytes


async def put_question(sender: Sender, deployment: Deployment, outbound: Outbound, seconds: float) -> Told:
    """The answer to ``outbound``, with the credentials and headers that every request to ``deployment`` has.

    Args:
        sender: Sends it.
        deployment: Whom to ask.
        outbound: What to ask.
        seconds: How long it may take as a whole.

    Raises:
        UpstreamFailed: no connection, no answer in time, or not HTTP.
    """
    timeouts = Timeouts(min(_CONNECT_SECONDS, seconds), seconds, seconds, seconds)
    hurried = msgspec.structs.replace(deployment, id=f"{deployment.id} (question)", timeouts=timeouts)
    flight = sender.send(hurried, outbound, stream=False)
    try:
        body = await flight.inbox.take()
    finally:
        flight.close()
    return Told(flight.status, body or b"")
