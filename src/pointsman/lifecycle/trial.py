"""One call made on purpose, to see whether a deployment answers: nothing is relayed, and nobody else is asked."""

from __future__ import annotations

import asyncio

import msgspec

from pointsman.core.clock import Clock
from pointsman.core.errors import GatewayError, TimedOut
from pointsman.core.flight import Flight, Sender
from pointsman.core.upstream import Answer, AnsweredHere, Ask, Deployment, Lane
from pointsman.core.usage import NO_USAGE, Usage

__all__ = ["Trial", "try_call"]


class Trial(msgspec.Struct):
    """What came of it. Moments are monotonic seconds, 0 where it has not happened.

    ``sent_at`` is when the request was sent, ``heard_at`` when the first of the answer was there (of a stream: its
    first event). ``error`` None: the answer came to its end.
    """

    began_at: float
    sent_at: float = 0.0
    heard_at: float = 0.0
    ended_at: float = 0.0
    error: GatewayError | None = None
    usage: Usage = NO_USAGE

    @property
    def first_seconds(self) -> float | None:
        """From the request to the first of the answer."""
        return self.heard_at - self.sent_at if self.heard_at else None


async def try_call(
    ask: Ask, deployment: Deployment, lane: Lane, sender: Sender, clock: Clock, *, seconds_max: float
) -> Trial:
    """Send ``ask`` and read the whole answer, within ``seconds_max``. A failure is told, not raised."""
    trial = Trial(clock.monotonic())
    answer: Answer | None = None
    flight: Flight | None = None
    try:
        async with asyncio.timeout(seconds_max):
            if lane.prepares:
                await lane.prepare(ask)
            outbound = lane.write(ask)
            answer = lane.answer(ask)
            trial.sent_at = clock.monotonic()
            flight = sender.send(deployment, outbound, stream=ask.stream)
            await (_read_stream if ask.stream else _read_whole)(flight, answer, trial, clock)
        trial.error = answer.error and _without_key(answer.error, deployment)
    except AnsweredHere:
        trial.heard_at = clock.monotonic()
    except TimeoutError:
        trial.error = TimedOut(f"There was no whole answer within {seconds_max:g} s.")
    except GatewayError as error:
        trial.error = _without_key(error, deployment)
    finally:
        if flight is not None:
            flight.close()
    if answer is not None:
        if trial.error is not None:
            answer.cut()
        trial.usage = answer.usage
    trial.ended_at = clock.monotonic()
    return trial


def _without_key(error: GatewayError, deployment: Deployment) -> GatewayError:
    """The error without the upstream's key, should the upstream have echoed it."""
    key = "" if deployment.api_key is None else deployment.api_key.reveal()
    if key:
        error.message = error.message.replace(key, "…")
    return error


async def _read_whole(flight: Flight, answer: Answer, trial: Trial, clock: Clock) -> None:
    body = await flight.inbox.take() or b""
    trial.heard_at = clock.monotonic()
    if flight.status >= 400:
        raise answer.rejected(flight.status, body, None)
    answer.whole(body)


async def _read_stream(flight: Flight, answer: Answer, trial: Trial, clock: Clock) -> None:
    while True:
        data = await flight.inbox.take()
        if data is None:
            continue
        if flight.status >= 400:
            raise answer.rejected(flight.status, data, None)
        if answer.feed(data) and not trial.heard_at:
            trial.heard_at = clock.monotonic()
        if flight.complete and not flight.inbox.items:
            break
    answer.end()
    trial.heard_at = trial.heard_at or clock.monotonic()
