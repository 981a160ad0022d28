"""A local server's turn: a request waits here for one of its slots, and lets go of it whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from math import ceil, inf
from typing import Final

from pointsman.core.eager import Inbox
from pointsman.core.errors import GatewayError, LimitReached, StorageUnavailable, Unreachable
from pointsman.core.exchange import Client
from pointsman.lifecycle.attempt import attempt
from pointsman.lifecycle.calling import enter, leave
from pointsman.lifecycle.choose import Course
from pointsman.lifecycle.own_routing import take_own
from pointsman.lifecycle.reading import read_again
from pointsman.lifecycle.settle import Settlement
from pointsman.lifecycle.tickets import OWN_QUEUES, ticket_of
from pointsman.policies.parameters import take_rules
from pointsman.routing.hosts import Host
from pointsman.routing.queue import HostQueue, Ticket

__all__ = ["attempt_in_turn", "demand_room", "send_away", "wait_for_turn"]

_log: Final = logging.getLogger("pointsman.serve")

_VLLM: Final = "vllm"
_RETRY_SECONDS_MAX: Final = 600.0


async def attempt_in_turn(course: Course, settlement: Settlement, client: Client) -> None:
    """Wait until it is the request's turn at the host of the chosen deployment, then as :func:`attempt`.

    Raises:
        LimitReached: too many wait there already, or the client's time will not suffice.
        Unauthenticated, Forbidden: the key became worthless while the request waited.
        GatewayError: the attempt failed, or the host went away meanwhile, and the client has nothing of an answer.
    """
    house, host = settlement.house, course.member.host
    if host is None:
        await attempt(course, settlement, client)
        return
    fleet = house.router.fleet
    queue = fleet.queue_of(host)
    settlement.deployment = course.member.deployment
    model, group = course.member.deployment.model, course.pool.name
    course.ticket = ticket = ticket_of(course.ask, settlement, host, model, group, course.began_at)
    if queue.slots is not None:
        demand_room(ticket, queue, course.member.live.latency)
    try:
        if not enter(fleet, host, ticket):
            await wait_for_turn(ticket, settlement, lambda: _keep_alive(course, settlement, client))
            await _demand_still_good(settlement)
        host.used_at = house.clock.monotonic()
        if host.wake is None and not host.sleeps:
            await attempt(course, settlement, client)
        else:
            await _attempt_awake(course, settlement, client, host)
        if settlement.error is None and course.member.host is not None:
            course.member.host.served(course.member.deployment.model, settlement.ended_at)
    except Unreachable:
        if ticket.started_at:
            host.went_away()
            send_away(host)
        raise
    finally:
        leave(fleet, host, ticket, house.clock.monotonic())


async def _attempt_awake(course: Course, settlement: Settlement, client: Client, host: Host) -> None:
    """Wake the host if it sleeps, then as :func:`attempt`; also if only the attempt shows that it does.

    In that case only where no other host that is there has the model.

    Raises:
        GatewayError: it does not wake, or the attempt failed.
    """
    if not host.online and host.wake is not None:
        await _rouse(course, settlement, client, host)
    if host.sleeps:
        await _rouse_model(course, settlement, client, host)
    try:
        await attempt(course, settlement, client)
    except Unreachable:
        host.went_away()
        if host.wake is None or any(member.host is None or member.host.online for member in course.pool.members):
            raise
        await _rouse(course, settlement, client, host)
        settlement.let_go(client)
        course.ask = settlement.ask = ask = read_again(settlement.inbound, course.target)
        take_rules(ask)
        if course.principal.routing is not None:
            take_own(ask, course.principal.routing)
        if host.kind not in OWN_QUEUES:
            ask.fields.pop("priority", None)
        await attempt(course, settlement, client)


async def _rouse(course: Course, settlement: Settlement, client: Client, host: Host) -> None:
    def tell() -> None:
        _keep_alive(course, settlement, client)

    pause = settlement.house.manners.keepalive_seconds
    await settlement.house.waker.rouse(host, course.member.deployment, pause, tell)


async def _rouse_model(course: Course, settlement: Settlement, client: Client, host: Host) -> None:
    """Have the model woken, if it sleeps: a vLLM tells which are in its memory."""
    deployment, house = course.member.deployment, settlement.house
    if host.kind != _VLLM or host.is_loaded(deployment.model):
        return
    host.begin_load(deployment.model)
    try:
        await house.loads.rouse(
            deployment, house.manners.keepalive_seconds, lambda: _keep_alive(course, settlement, client)
        )
    finally:
        host.end_load(deployment.model)
    host.is_surprised = True


def send_away(host: Host) -> None:
    """Tell those who wait for a host that went away, so that each finds another way."""
    queue = host.queue
    for ticket in [] if queue is None else list(queue.waiters()):
        if ticket.bell is not None:
            ticket.bell.put(Unreachable(f"The server at {host.url} went away while the request waited for its turn."))


async def wait_for_turn(ticket: Ticket, settlement: Settlement, tell: Callable[[], None] | None) -> None:
    """Wait to be called; ``tell`` tells a streaming client now and then that this goes on, None: not to be told.

    Raises:
        LimitReached: it took longer than the client waits, or anybody may.
        Unreachable: the host went away meanwhile.
    """
    clock = settlement.house.clock
    ticket.bell = bell = Inbox[bool]()
    ends_at = min(ticket.expires_at, ticket.entered_at + settlement.house.router.fleet.queue_rules.wait_seconds_max)
    pause = settlement.house.manners.keepalive_seconds if settlement.keepalive and tell is not None else inf
    try:
        while True:
            now = clock.monotonic()
            left = ends_at - now
            if left <= 0:
                raise _late(ticket, now - ticket.entered_at)
            alarm = asyncio.get_running_loop().call_later(min(pause, left), bell.put, False)
            try:
                if await (bell if tell is not None else bell.take()):
                    return
            finally:
                alarm.cancel()
            if tell is not None and clock.monotonic() < ends_at:
                tell()
    finally:
        settlement.queued += clock.monotonic() - ticket.entered_at


async def _demand_still_good(settlement: Settlement) -> None:
    """Raise if the key that asked was blocked or deleted, or has expired, while its request waited.

    Raises:
        Unauthenticated, Forbidden: it may not ask any more.
    """
    keyring, head = settlement.house.keyring, settlement.inbound.head
    try:
        await keyring.find(head.token, head.key)
    except StorageUnavailable:
        _log.debug("call %s goes on: nobody can say what became of its key", settlement.call_id)


def _keep_alive(course: Course, settlement: Settlement, client: Client) -> None:
    if settlement.answer is None and settlement.keepalive:
        # Whatever goes wrong from now on is told in the stream, in the words of the client's dialect.
        lane = settlement.house.lanes.lane(course.ask.operation, course.member.deployment)
        settlement.answer = lane.answer(course.ask)
    settlement.keep_waiting(client)


def demand_room(ticket: Ticket, queue: HostQueue, answer_seconds: float) -> None:
    """Turn away who could not wait, or would wait in vain; ``answer_seconds`` is a call's where none ended there.

    Raises:
        LimitReached: at once, with the time after which it makes sense to try again.
    """
    depth = queue.depth + queue.waiting_elsewhere
    seconds = queue.wait_estimate(queue.depth, answer_seconds)
    if queue.is_full:
        later = min(max(1.0, seconds), _RETRY_SECONDS_MAX)
        raise LimitReached(
            f"The server of {ticket.group!r} has all its {queue.slots} slots taken, and {depth} requests wait for it,"
            f" which is all that may; this one would have been number {depth + 1}.",
            hint=f"Try again in {ceil(later)} s.",
            code="queue_full",
            retry_after=later,
        )
    if queue.is_free:
        return
    ahead = queue.ahead(ticket.steps, ticket.entered_at)
    seconds = queue.wait_estimate(ahead, answer_seconds)
    if seconds > ticket.expires_at - ticket.entered_at:
        later = min(max(1.0, seconds), _RETRY_SECONDS_MAX)
        raise LimitReached(
            f"The server of {ticket.group!r} has {ahead} requests to serve before this one, which would take about"
            f" {seconds:.0f} s: longer than the client waits.",
            hint=f"Try again in {ceil(later)} s, or with a longer timeout.",
            code="queue_timeout",
            retry_after=later,
        )


def _late(ticket: Ticket, waited: float) -> GatewayError:
    return LimitReached(
        f"The request waited {waited:.0f} s for its turn at the server of {ticket.group!r}, as long as it may.",
        hint="Try again, or with a longer timeout.",
        status=408,
        code="queue_timeout",
        retry_after=1.0,
    )
