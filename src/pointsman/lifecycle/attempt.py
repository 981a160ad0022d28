"""One attempt at one deployment, and what follows when it fails before the client has any of the answer."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from pointsman.core.errors import GatewayError, Refused
from pointsman.core.exchange import Client
from pointsman.lifecycle.choose import Course, find_pool, wish_for
from pointsman.lifecycle.hedge import race
from pointsman.lifecycle.reading import read_ask
from pointsman.lifecycle.relay import break_off, relay_stream, relay_whole
from pointsman.lifecycle.settle import Settlement
from pointsman.policies.parameters import take_rules
from pointsman.routing.recovery import Again, Elsewhere, Recovery

__all__ = ["attempt", "recover"]

_log: Final = logging.getLogger("pointsman.serve")


async def attempt(course: Course, settlement: Settlement, client: Client) -> None:
    """Send the request to the chosen deployment and relay its answer.

    Raises:
        GatewayError: it failed, and the client has nothing of an answer.
    """
    house, ask, deployment, live = settlement.house, course.ask, course.member.deployment, course.member.live
    settlement.deployment = deployment
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
    live.in_flight += 1
    try:
        settlement.flight = flight = house.sender.send(deployment, outbound, stream=ask.stream)
        client.attach(flight)
        if course.way is not None and course.way.rule.hedging is not None:
            live, flight, answer, sent_at = await race(course, settlement, client)
        await (relay_stream if ask.stream else relay_whole)(flight, answer, client, settlement)
    finally:
        live.in_flight -= 1
    if settlement.error is None:
        live.succeeded(settlement.ended_at, sent_at, settlement.heard_at, answer.usage.completion)
        if live.meter is not None:
            used = answer.usage.prompt + answer.usage.completion
            live.meter.ended(ask.prompt_estimate, used, sent_at, settlement.ended_at)
    else:
        house.router.failed(course.member, course.pool, settlement.error, settlement.ended_at)


async def recover(error: GatewayError, course: Course, settlement: Settlement, client: Client) -> bool:
    """Set the course for another attempt; False: the client has been told of the failure.

    Raises:
        GatewayError: ``error``, where nothing else can be tried and nothing of an answer has begun.
    """
    house = settlement.house
    house.router.failed(course.member, course.pool, error, house.clock.monotonic())
    if course.way is not None:
        course.pool = settlement.leave(course.way)
    recovery = course.recovery
    if recovery is None:
        course.recovery = recovery = house.router.recovery(course.ask.routing, course.pool.name)
    if settlement.grant is not None and await _redirect(error, course, recovery, settlement):
        _log.info("call %s failed (%s), next: %s", settlement.call_id, error.code, course.member.deployment.id)
        settlement.start_over(retries=recovery.retries, fallbacks=recovery.hops)
        return True
    if settlement.begun and settlement.answer is not None:
        await break_off(error, settlement.answer, client, settlement)
        return False
    raise error


async def _redirect(error: GatewayError, course: Course, recovery: Recovery, settlement: Settlement) -> bool:
    """Find the next deployment, and wait as long as is asked for; False: there is none."""
    step = recovery.next(error, course.pool, course.member.deployment.id)
    if isinstance(step, Again):
        if step.pause:
            await asyncio.sleep(step.pause)
        return _take(course, recovery, settlement)
    if isinstance(step, Elsewhere):
        for model in step.models:
            try:
                course.pool = find_pool(model, course.principal, settlement.house)
            except Refused:
                continue
            recovery.hopped(model)
            if _take(course, recovery, settlement):
                return True
    return False


def _take(course: Course, recovery: Recovery, settlement: Settlement) -> bool:
    """Choose within the pool and reserve for it; False: neither is possible."""
    house = settlement.house
    ask = read_ask(settlement.inbound)
    take_rules(ask)
    try:
        member, reason = house.router.choose(
            course.pool, wish_for(ask, course.principal), house.clock.monotonic(), recovery.tried
        )
        if settlement.grant is not None:
            settlement.grant.move(ask, member.deployment)
    except Refused:
        return False
    course.ask = settlement.ask = ask
    course.member, course.reason = member, reason
    return True
