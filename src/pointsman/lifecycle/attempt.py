"""One attempt at one deployment."""

from __future__ import annotations

from pointsman.core.errors import TimedOut
from pointsman.core.exchange import Client, ClientGone
from pointsman.core.upstream import Ask, Lane
from pointsman.core.usage import Usage
from pointsman.lifecycle.choose import Course
from pointsman.lifecycle.hedge import race
from pointsman.lifecycle.on_terms import on_terms
from pointsman.lifecycle.patience import watch
from pointsman.lifecycle.relay import relay_stream, relay_whole
from pointsman.lifecycle.settle import Settlement
from pointsman.routing.failures import CLIENT_TIMEOUT
from pointsman.routing.meter import Meter

__all__ = ["attempt"]


async def attempt(course: Course, settlement: Settlement, client: Client) -> None:
    """Send the request to the chosen deployment and relay its answer.

    Raises:
        GatewayError: it failed, and the client has nothing of an answer.
    """
    house, ask, member = settlement.house, course.ask, course.member
    deployment, live, host = member.deployment, member.live, member.host
    if settlement.deployment is not deployment:
        settlement.deployment = deployment
    if course.recovery is not None:
        settlement.start_over(course.recovery)
    lane = house.lanes.lane(ask.operation, deployment)
    if lane.prepares:
        await _prepare(lane, course, settlement)
    outbound = lane.write(ask)
    if deployment.terms is not None:
        deployment, outbound = on_terms(deployment, deployment.terms, ask, outbound)
    settlement.answer = answer = lane.answer(ask)
    settlement.sent_at = sent_at = house.clock.monotonic()
    settlement.attempts += 1
    if live.rests_until:
        settlement.probing = member
        member.probe(sent_at)
    live.in_flight += 1
    alarm = None if ask.routing is None else watch(ask, settlement, course.began_at)
    try:
        settlement.flight = flight = house.sender.send(deployment, outbound, stream=ask.stream)
        if host is not None:
            settlement.arrive(member, host, flight)
        client.attach(flight)
        if course.way is not None and course.way.rule.hedging is not None:
            live, flight, answer, sent_at = await race(course, settlement, client)
        await (relay_stream if ask.stream else relay_whole)(flight, answer, client, settlement)
    except (ClientGone, TimedOut) as gone:
        _leave_load(gone, settlement)
        raise
    finally:
        if alarm is not None:
            alarm.cancel()
        live.in_flight -= 1
        if course.member.host is not None or live.rests_until:
            _let_go(course, settlement)
    if settlement.error is None:
        live.succeeded(settlement.ended_at, sent_at, settlement.heard_at, answer.usage.completion)
        if live.meter is not None:
            _count(live.meter, ask, answer.usage, sent_at, settlement.ended_at)
        if live.rests_until:
            course.member.answered(sent_at)
    else:
        house.router.failed(course.member, settlement.error, sent_at, settlement.ended_at)


def _let_go(course: Course, settlement: Settlement) -> None:
    """Give back the slot of a host, and the right to try one that rests."""
    member = course.member
    if member.host is not None:
        settlement.depart(member.host, member.deployment.model)
    if member.live.rests_until:
        member.give_up_probe()


def _count(meter: Meter, ask: Ask, usage: Usage, sent_at: float, ended_at: float) -> None:
    """Let what the call used count in place of what was expected of it."""
    meter.ended(ask.prompt_estimate, usage.prompt + usage.completion, sent_at, ended_at)
    if meter.tallies is not None:
        meter.tallies.ended(ask.prompt_estimate, ask.output_limit, usage, int(sent_at), int(ended_at))


async def _prepare(lane: Lane, course: Course, settlement: Settlement) -> None:
    """Let the lane find out what it has to know, and reserve what it found out.

    Raises:
        GatewayError: the request cannot be served, or not be afforded.
    """
    ask = course.ask
    ask.owner = course.principal.owner
    await lane.prepare(ask)
    if settlement.grant is not None:
        settlement.grant.grow(ask, course.member.deployment)


def _leave_load(gone: ClientGone | TimedOut, settlement: Settlement) -> None:
    """Let a load go on, where that is wanted, whose client left or lets nobody take longer."""
    is_client = isinstance(gone, ClientGone) or gone.code == CLIENT_TIMEOUT
    if is_client and settlement.cold is not None and settlement.flight is not None:
        settlement.leave_load(settlement.cold, settlement.flight)
