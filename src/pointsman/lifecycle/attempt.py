"""One attempt at one deployment, and what follows when it fails before the client has any of the answer."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from pointsman.core.errors import GatewayError, Refused
from pointsman.core.exchange import Client
from pointsman.lifecycle.choose import Course, find_pool, pick, wish_for
from pointsman.lifecycle.reading import read_ask
from pointsman.lifecycle.relay import break_off, relay_stream, relay_whole
from pointsman.lifecycle.settle import Settlement
from pointsman.lifecycle.trail import Trail
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
    now = house.clock.monotonic()
    house.router.failed(course.member, course.pool, error, now)
    _note(error, course, settlement, now)
    recovery = course.recovery
    if recovery is None:
        course.recovery = recovery = house.router.recovery(course.ask.routing, course.pool.name)
    if settlement.grant is not None and await _redirect(error, course, recovery, settlement):
        _log.info("call %s failed (%s), next: %s", settlement.call_id, error.code, course.member.deployment.id)
        settlement.trail = course.trail
        settlement.start_over(retries=recovery.retries, fallbacks=recovery.hops)
        return True
    if settlement.begun and settlement.answer is not None:
        await break_off(error, settlement.answer, client, settlement)
        return False
    raise error


def _note(error: GatewayError, course: Course, settlement: Settlement, now: float) -> None:
    """Note the failure of an attempt for whoever asks why the request went where it went."""
    trail = course.trail
    if trail is None:
        if isinstance(error, Refused):
            return
        course.trail = trail = Trail()
        trail.chose(course.pool, course.member, course.reason)
    seconds = 0.0 if settlement.flight is None else now - settlement.sent_at
    trail.missed(course.member.deployment, error, seconds)


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
            if course.trail is not None:
                course.trail.turned_to(model)
            if _take(course, recovery, settlement):
                return True
    return False


def _take(course: Course, recovery: Recovery, settlement: Settlement) -> bool:
    """Choose within the pool and reserve for it; False: neither is possible."""
    house = settlement.house
    ask = read_ask(settlement.inbound)
    take_rules(ask)
    try:
        member, reason = pick(
            course.pool, wish_for(ask, course.principal, course.demands), house, course.trail or Trail(), recovery.tried
        )
        if settlement.grant is not None:
            settlement.grant.move(ask, member.deployment)
    except Refused:
        return False
    course.ask = settlement.ask = ask
    course.member, course.reason = member, reason
    return True
