"""One attempt at one deployment."""

from __future__ import annotations

from pointsman.core.exchange import Client, ClientGone
from pointsman.lifecycle.choose import Course
from pointsman.lifecycle.hedge import race
from pointsman.lifecycle.relay import relay_stream, relay_whole
from pointsman.lifecycle.settle import Settlement

__all__ = ["attempt"]


async def attempt(course: Course, settlement: Settlement, client: Client) -> None:
    """Send the request to the chosen deployment and relay its answer.

    Raises:
        GatewayError: it failed, and the client has nothing of an answer.
    """
    house, ask, member = settlement.house, course.ask, course.member
    deployment, live, host = member.deployment, member.live, member.host
    settlement.deployment = deployment
    if course.recovery is not None:
        settlement.start_over(course.recovery)
    lane = house.lanes.lane(ask.operation, deployment)
    if lane.prepares:
        ask.owner = course.principal.owner
        await lane.prepare(ask)
        if settlement.grant is not None:
            settlement.grant.grow(ask, deployment)
    outbound = lane.write(ask)
    settlement.answer = answer = lane.answer(ask)
    settlement.sent_at = sent_at = house.clock.monotonic()
    settlement.attempts += 1
    if live.rests_until:
        settlement.probing = member
        member.probe(sent_at)
    live.in_flight += 1
    try:
        settlement.flight = flight = house.sender.send(deployment, outbound, stream=ask.stream)
        if host is not None:
            settlement.arrive(member, host, flight)
        client.attach(flight)
        if course.way is not None and course.way.rule.hedging is not None:
            live, flight, answer, sent_at = await race(course, settlement, client)
        await (relay_stream if ask.stream else relay_whole)(flight, answer, client, settlement)
    except ClientGone:
        if settlement.cold is not None and settlement.flight is not None:
            settlement.leave_load(settlement.cold, settlement.flight)
        raise
    finally:
        live.in_flight -= 1
        if course.member.host is not None:
            settlement.depart(course.member.host, course.member.deployment.model)
        if live.rests_until:
            course.member.give_up_probe()
    if settlement.error is None:
        live.succeeded(settlement.ended_at, sent_at, settlement.heard_at, answer.usage.completion)
        if live.meter is not None:
            used = answer.usage.prompt + answer.usage.completion
            live.meter.ended(ask.prompt_estimate, used, sent_at, settlement.ended_at)
        if live.rests_until:
            course.member.answered(sent_at)
    else:
        house.router.failed(course.member, settlement.error, sent_at, settlement.ended_at)
