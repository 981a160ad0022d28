"""From the upstream's answer to the client's: whole, or as it comes."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Final

from pointsman.core.eager import Inbox
from pointsman.core.errors import GatewayError, UpstreamFailed
from pointsman.core.exchange import Client
from pointsman.core.flight import Flight
from pointsman.core.upstream import Answer
from pointsman.lifecycle.settle import Settlement

__all__ = ["break_off", "relay_stream", "relay_whole", "retry_after"]

_FIRST_ERROR_STATUS: Final = 400
_RETRY_AFTER_MAX: Final = 86_400.0


async def relay_whole(flight: Flight, answer: Answer, client: Client, settlement: Settlement) -> None:
    """Relay an unstreamed answer; it is in the ledger before the client has it.

    Raises:
        UpstreamFailed: no answer, or not a good one.
    """
    body = await flight.inbox or b""
    settlement.heard()
    if flight.status >= _FIRST_ERROR_STATUS:
        raise answer.rejected(flight.status, body, retry_after(flight, settlement.house.clock.wall()))
    out = answer.whole(body)
    if settlement.keep is not None:
        await settlement.keep()
    client.reply(200, settlement.succeeded(out), out)


async def relay_stream(flight: Flight, answer: Answer, client: Client, settlement: Settlement) -> None:
    """Relay a streamed answer event by event; it is in the ledger before its last bytes are sent.

    Once the client has some of the answer, a failure is an error event, unless another deployment may go on.

    Raises:
        UpstreamFailed: a failure before that; nothing was sent but comments, to a client that had to be kept waiting.
            Or one after that, where another deployment may go on.
            What of a stream says nothing yet (that it begins, and whose it is) is held back until something does.
    """
    inbox, block = flight.inbox, b""
    try:
        while True:
            data = await inbox
            if data is None:
                settlement.keep_waiting(client)
                continue
            if flight.status >= _FIRST_ERROR_STATUS:
                settlement.heard()
                raise answer.rejected(flight.status, data, retry_after(flight, settlement.house.clock.wall()))
            block = answer.feed(data)
            if flight.complete and not inbox.items:
                break
            if block:
                if settlement.spoken:
                    client.send(block)
                else:
                    settlement.heard()
                    if answer.is_preface(block):
                        settlement.preface += block
                        continue
                    flight.spoken = True
                    settlement.begin(client)
                    client.send(settlement.speaks(block))
                block = b""
                if not inbox.items:
                    flight.sink = _sink(inbox, answer, client)
        block += answer.end()
    except UpstreamFailed as error:
        if not settlement.spoken:
            raise
        if block:
            client.send(block)
        if settlement.interrupted(error, answer, client):
            raise
        await break_off(error, answer, client, settlement)
        return
    settlement.heard()
    settlement.begin(client)
    if settlement.keep is not None:
        await settlement.keep()
    settlement.stream_ended()
    client.end(block if settlement.spoken else settlement.speaks(block))


async def break_off(error: GatewayError, answer: Answer, client: Client, settlement: Settlement) -> None:
    """End a stream that has begun with the failure as its last event."""
    settlement.broke_off(error)
    last = settlement.preface + answer.failed(settlement.for_client(error))
    if settlement.keep is not None:
        await settlement.keep()
    settlement.end_broken(client, last)


def _sink(inbox: Inbox[bytes | None], answer: Answer, client: Client) -> Callable[[bytes], None]:
    """What becomes of each further piece of a stream that has begun; whatever goes wrong wakes the story.

    It knows nothing of the flight that holds it: in a circle all there is of a request would outlive it until the
    garbage collector comes by.
    """
    feed: Callable[[bytes], bytes] = answer.feed
    send = client.send

    def relay(data: bytes) -> None:
        nonlocal feed
        try:
            block = feed(data)
        except Exception as error:  # noqa: BLE001 - it belongs to the story, which alone knows how to end
            feed = _nothing_of
            inbox.put(error)
            return
        if block:
            send(block)

    return relay


def _nothing_of(_data: bytes) -> bytes:
    """What comes behind a failure is not looked at."""
    return b""


def retry_after(flight: Flight, wall: float) -> float | None:
    """Seconds of the upstream's Retry-After, a number or a date (RFC 9110, section 10.2.3).

    ``retry-after-ms`` is Azure's and OpenAI's, and more exact. ``wall`` is the time now, in seconds since the epoch.
    """
    fields = dict(reversed(flight.headers))
    exact = _number(fields.get(b"retry-after-ms", b""))
    if exact is not None:
        return max(0.0, min(exact / 1000.0, _RETRY_AFTER_MAX))
    value = fields.get(b"retry-after", b"")
    seconds = _number(value)
    if seconds is None and value:
        try:
            seconds = parsedate_to_datetime(value.decode("latin-1")).timestamp() - wall
        except (ValueError, OverflowError):
            return None
    return None if seconds is None else max(0.0, min(seconds, _RETRY_AFTER_MAX))


def _number(value: bytes) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if isfinite(number) else None
