"""A local server's turn: a request waits here for one of its slots, and lets go of it whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from math import ceil, inf
from typing import Final

import msgspec

from pointsman.core.eager import Inbox
from pointsman.core.errors import GatewayError, LimitReached, Unreachable
from pointsman.core.exchange import Client
from pointsman.lifecycle.attempt import attempt
from pointsman.lifecycle.calling import call
from pointsman.lifecycle.choose import Course
from pointsman.lifecycle.patience import patience
from pointsman.lifecycle.reading import read_again
from pointsman.lifecycle.settle import Settlement
from pointsman.policies.parameters import take_rules
from pointsman.policies.principal import Principal
from pointsman.routing.hosts import Host
from pointsman.routing.pool import Member
from pointsman.routing.queue import PRIORITY_MAX, HostQueue, Ticket

__all__ = ["attempt_in_turn", "demand_room", "send_away"]

_log: Final = logging.getLogger("pointsman.serve")

_OWN_QUEUES: Final = frozenset({"vllm", "sglang"})
"""Servers with an order of their own, which understand ``priority`` in the same way."""
_RETRY_SECONDS_MAX: Final = 600.0
_WEIGHT_MIN: Final = 0.01
_WEIGHT_MAX: Final = 100.0
_TRUE: Final = frozenset({"true", "1", "yes"})
_NOTHING: Final = msgspec.Raw(b"{}")


class _KeyManners(msgspec.Struct, frozen=True):
    """What a key's metadata say of its requests' turn. ``default_priority`` is also the best that they can have."""

    default_priority: int | None = None
    batch: bool | str | None = None
    queue_weight: float | None = None


class _Marked(msgspec.Struct, frozen=True):
    """What a request's ``metadata`` say; in OpenAI's API their values are texts."""

    batch: bool | str | None = None


_USUAL: Final = _KeyManners()
_key_manners: Final = msgspec.json.Decoder(_KeyManners).decode
_marked: Final = msgspec.json.Decoder(_Marked | None).decode
_number: Final = msgspec.json.Decoder(float).decode
_text: Final = msgspec.json.Decoder(str).decode


async def attempt_in_turn(course: Course, settlement: Settlement, client: Client) -> None:
    """Wait until it is the request's turn at the host of the chosen deployment, then as :func:`attempt`.

    Raises:
        LimitReached: too many wait there already, or the client's time will not suffice.
        GatewayError: the attempt failed, or the host went away meanwhile, and the client has nothing of an answer.
    """
    house, host = settlement.house, course.member.host
    if host is None:
        await attempt(course, settlement, client)
        return
    queue = house.router.fleet.queue_of(host)
    settlement.deployment = course.member.deployment
    ticket = _ticket(course, settlement, host)
    if queue.slots is not None:
        demand_room(ticket, queue, course.member)
    try:
        if not queue.enter(ticket, ticket.entered_at):
            await _wait(ticket, course, settlement, client)
        host.used_at = house.clock.monotonic()
        if host.wake is None:
            await attempt(course, settlement, client)
        else:
            await _attempt_awake(course, settlement, client, host)
        if settlement.error is None:
            host.served(ticket.model, settlement.ended_at)
    except Unreachable:
        if ticket.started_at:
            host.went_away()
            send_away(host)
        raise
    finally:
        call(queue, queue.leave(ticket, house.clock.monotonic()))


async def _attempt_awake(course: Course, settlement: Settlement, client: Client, host: Host) -> None:
    """Wake the host if it sleeps, then as :func:`attempt`; also if only the attempt shows that it does.

    In that case only where no other host that is there has the model.

    Raises:
        GatewayError: it does not wake, or the attempt failed.
    """
    if not host.online:
        await _rouse(course, settlement, client, host)
    try:
        await attempt(course, settlement, client)
    except Unreachable:
        host.went_away()
        if any(member.host is None or member.host.online for member in course.pool.members):
            raise
        await _rouse(course, settlement, client, host)
        settlement.let_go(client)
        course.ask = settlement.ask = ask = read_again(settlement.inbound, course.target)
        take_rules(ask)
        if host.kind not in _OWN_QUEUES:
            ask.fields.pop("priority", None)
        await attempt(course, settlement, client)


async def _rouse(course: Course, settlement: Settlement, client: Client, host: Host) -> None:
    def tell() -> None:
        _keep_alive(course, settlement, client)

    pause = settlement.house.manners.keepalive_seconds
    await settlement.house.waker.rouse(host, course.member.deployment, pause, tell)


def send_away(host: Host) -> None:
    """Tell those who wait for a host that went away, so that each finds another way."""
    queue = host.queue
    for ticket in [] if queue is None else list(queue.waiters()):
        if ticket.bell is not None:
            ticket.bell.put(Unreachable(f"The server at {host.url} went away while the request waited for its turn."))


async def _wait(ticket: Ticket, course: Course, settlement: Settlement, client: Client) -> None:
    """Wait to be called; a streaming client is told now and then that this goes on."""
    clock = settlement.house.clock
    ticket.bell = bell = Inbox[bool]()
    ends_at = min(ticket.expires_at, ticket.entered_at + settlement.house.router.fleet.queue_rules.wait_seconds_max)
    pause = settlement.house.manners.keepalive_seconds if settlement.keepalive else inf
    try:
        while True:
            now = clock.monotonic()
            left = ends_at - now
            if left <= 0:
                raise _late(ticket, now - ticket.entered_at)
            alarm = asyncio.get_running_loop().call_later(min(pause, left), bell.put, False)
            try:
                if await bell:
                    return
            finally:
                alarm.cancel()
            if clock.monotonic() < ends_at:
                _keep_alive(course, settlement, client)
    finally:
        settlement.queued += clock.monotonic() - ticket.entered_at


def _keep_alive(course: Course, settlement: Settlement, client: Client) -> None:
    if settlement.answer is None and settlement.keepalive:
        # Whatever goes wrong from now on is told in the stream, in the words of the client's dialect.
        lane = settlement.house.lanes.lane(course.ask.operation, course.member.deployment)
        settlement.answer = lane.answer(course.ask)
    settlement.keep_waiting(client)


def demand_room(ticket: Ticket, queue: HostQueue, member: Member) -> None:
    """Turn away who could not wait, or would wait in vain.

    Raises:
        LimitReached: at once, with the time after which it makes sense to try again.
    """
    depth = queue.depth
    seconds = queue.wait_estimate(depth, member.live.latency)
    if queue.is_full:
        later = min(max(1.0, seconds), _RETRY_SECONDS_MAX)
        raise LimitReached(
            f"The server of {ticket.group!r} has all its {queue.slots} slots taken, and {depth} requests wait for it,"
            f" which is all that may; this one would have been number {depth + 1}.",
            hint=f"Try again in {ceil(later)} s.",
            code="queue_full",
            retry_after=later,
        )
    if not depth and len(queue.started()) < (queue.slots or 0):
        return
    ahead = queue.ahead(ticket.steps, ticket.entered_at)
    seconds = queue.wait_estimate(ahead, member.live.latency)
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


def _ticket(course: Course, settlement: Settlement, host: Host) -> Ticket:
    """The request's ticket; what the body says of its turn is taken out, unless the server understands it."""
    ask, principal = course.ask, course.principal
    record = principal.record
    now = settlement.house.clock.monotonic()
    ticket = Ticket(course.member.deployment.model, course.pool.name, record.token, now, record.key_alias)
    manners = _USUAL if record.metadata == _NOTHING else _manners_of(principal)
    fields = ask.fields
    usual = settlement.house.router.fleet.queue_rules.default_priority
    given = fields.get("priority") if host.kind in _OWN_QUEUES else fields.pop("priority", None)
    priority = usual if given is None else _whole(given, usual)
    if manners.default_priority is not None:
        priority = max(priority, manners.default_priority) if given is not None else manners.default_priority
    ticket.priority = min(max(priority, 0), PRIORITY_MAX)
    ticket.batch = _is_true(manners.batch) or _is_batch(fields)
    if manners.queue_weight:
        ticket.weight = min(max(manners.queue_weight, _WEIGHT_MIN), _WEIGHT_MAX)
    ticket.expires_at = settlement.inbound.received + patience(ask, settlement.inbound.head)
    return ticket


def _manners_of(principal: Principal) -> _KeyManners:
    try:
        return _key_manners(principal.record.metadata)
    except msgspec.MsgspecError:
        return _USUAL


def _is_batch(fields: Mapping[str, msgspec.Raw]) -> bool:
    """Whether the request itself says that it can wait: OpenAI's ``service_tier: flex``, or ``metadata.batch``."""
    tier, metadata = fields.get("service_tier"), fields.get("metadata")
    try:
        if tier is not None and _text(tier) == "flex":
            return True
        marked = None if metadata is None else _marked(metadata)
    except msgspec.MsgspecError:
        return False
    return marked is not None and _is_true(marked.batch)


def _is_true(value: bool | str | None) -> bool:  # noqa: FBT001 - what JSON says
    return value.lower() in _TRUE if isinstance(value, str) else bool(value)


def _whole(said: msgspec.Raw, usual: int) -> int:
    try:
        return int(_number(said))
    except (msgspec.MsgspecError, OverflowError, ValueError):
        return usual
