"""From the upstream's answer to the client's: whole, or as it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pointsman.core.errors import GatewayError, UpstreamFailed
from pointsman.core.exchange import Client
from pointsman.core.flight import Flight
from pointsman.core.upstream import Answer
from pointsman.lifecycle.settle import Settlement

__all__ = ["break_off", "relay_stream", "relay_whole", "retry_after"]

_FIRST_ERROR_STATUS: Final = 400


async def relay_whole(flight: Flight, answer: Answer, client: Client, settlement: Settlement) -> None:
    """Relay an unstreamed answer; it is in the ledger before the client has it.

    Raises:
        UpstreamFailed: no answer, or not a good one.
    """
    body = await flight.inbox or b""
    settlement.heard()
    if flight.status >= _FIRST_ERROR_STATUS:
        raise answer.rejected(flight.status, body, retry_after(flight))
    out = answer.whole(body)
    if settlement.keep is not None:
        await settlement.keep()
    client.reply(200, settlement.succeeded(out), out)


async def relay_stream(flight: Flight, answer: Answer, client: Client, settlement: Settlement) -> None:
    """Relay a streamed answer event by event; it is in the ledger before its last bytes are sent.

    Once the client has some of the answer, a failure is an error event.

    Raises:
        UpstreamFailed: a failure before that; nothing was sent but comments, to a client that had to be kept waiting.
    """
    inbox = flight.inbox
    keepalive = settlement.inbound.head.route.dialect.keepalive
    try:
        while True:
            data = await inbox
            if data is None:
                if keepalive:
                    settlement.begin(client)
                    client.send(keepalive)
                continue
            if flight.status >= _FIRST_ERROR_STATUS:
                settlement.heard()
                raise answer.rejected(flight.status, data, retry_after(flight))
            block = answer.feed(data)
            if flight.complete and not inbox.items:
                break
            if block:
                settlement.begin(client)
                settlement.heard()
                settlement.spoken = True
                client.send(block)
                if not inbox.items:
                    flight.sink = _sink(flight, answer, client)
        block += answer.end()
    except UpstreamFailed as error:
        if not settlement.spoken:
            raise
        await break_off(error, answer, client, settlement)
        return
    settlement.heard()
    settlement.begin(client)
    if settlement.keep is not None:
        await settlement.keep()
    settlement.stream_ended()
    client.end(block)


async def break_off(error: GatewayError, answer: Answer, client: Client, settlement: Settlement) -> None:
    """End a stream that has begun with the failure as its last event."""
    settlement.broke_off(error)
    last = answer.failed(settlement.for_client(error))
    if settlement.keep is not None:
        await settlement.keep()
    settlement.end_broken(client, last)


def _sink(flight: Flight, answer: Answer, client: Client) -> Callable[[bytes], None]:
    """What becomes of each further piece of a stream that has begun; whatever goes wrong wakes the story."""
    feed, send, inbox = answer.feed, client.send, flight.inbox

    def relay(data: bytes) -> None:
        try:
            block = feed(data)
        except Exception as error:  # noqa: BLE001 - it belongs to the story, which alone knows how to end
            flight.sink = None
            inbox.put(error)
            return
        if block:
            send(block)

    return relay


def retry_after(flight: Flight) -> float | None:
    """Seconds of the upstream's Retry-After, where it is a number."""
    for name, value in flight.headers:
        if name == b"retry-after":
            try:
                return max(0.0, min(float(value), 86_400.0))
            except ValueError:
                return None
    return None
