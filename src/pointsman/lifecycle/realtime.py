"""The story of a spoken conversation: let in once, then each response is a call of its own.

Each response is admitted before it can begin (budget, rates) and settled when the upstream says that it is done, so a
long conversation cannot outrun its key's budget, and what was said is in the ledger although the line may break.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final, Protocol

import msgspec

from pointsman.core.clock import call_id
from pointsman.core.duplex import Dialer, Door, Duplex, Parted
from pointsman.core.errors import GatewayError, Refused, StorageUnavailable
from pointsman.core.exchange import Inbound
from pointsman.core.nursery import Nursery
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.lifecycle.choose import choose
from pointsman.lifecycle.homes import take_home
from pointsman.lifecycle.house import House
from pointsman.lifecycle.parties import meet_parties
from pointsman.lifecycle.settle import Settlement
from pointsman.lifecycle.share import share
from pointsman.lifecycle.visit import Visit
from pointsman.policies.bearers.bearers import BEARER_MARK
from pointsman.policies.request_terms import name_customer
from pointsman.wire.limits import CONVERSATION_IDLE_SECONDS

__all__ = ["Arrival", "Tongue", "converse"]

_log: Final = logging.getLogger("pointsman.serve")

_TURN_SECONDS_MAX: Final = 60.0
"""Who wants to talk does not wait longer for its turn at a local server; that it has gone shows only in the end."""
_NORMAL: Final = 1000
_GOING_AWAY: Final = 1001
_REFUSED: Final = 1008
_BROKEN: Final = 1011
_ABSENT: Final = frozenset({1004, 1005, 1006, 1015})
"""Codes that no close frame may have (RFC 6455, section 7.4.1)."""
_PRIVATE_CODES: Final = range(3000, 5000)
_KNOWN_CODES: Final = range(1000, 1015)


_Outcome = tuple[int, str] | Refused
"""The code and reason with which somebody went, or why there must be no further response."""


class Tongue(Protocol):
    """What is understood of the messages."""

    def begins(self, message: str | bytes) -> bool:
        """Whether the message tells that a response has begun."""
        ...

    def usage_of(self, message: str | bytes) -> Usage | None:
        """What a response used, if the message tells that one is done."""
        ...

    def error_event(self, error: GatewayError, call_id: str) -> str:
        """An error as a message."""
        ...


class Arrival(msgspec.Struct, frozen=True):
    """Who wants to talk, and how; ``query`` and ``headers`` go on to the upstream."""

    inbound: Inbound
    query: str
    headers: tuple[tuple[str, str], ...]


class _Calls:
    """The responses of one conversation, one settlement after the other; the last is still to come."""

    def __init__(self, house: House, inbound: Inbound) -> None:
        self.house = house
        self.current = Settlement(house, inbound, call_id())
        self.visit = Visit(self.current)
        self.settled = 0
        self.speaking = False
        self.heard_at = house.clock.monotonic()

    async def demand_welcome(self) -> None:
        """Raise where the key has been deleted or blocked since, or has expired; while nobody can say it goes on.

        A signed token has to be good when the conversation begins, as it is with the services themselves.

        Raises:
            Refused: it is not good any more.
        """
        head = self.current.inbound.head
        if not head.token.startswith(BEARER_MARK):
            with suppress(StorageUnavailable):
                await self.house.keyring.find(head.token, head.key)

    def next(self) -> None:
        """Admit one more response.

        Raises:
            BudgetExceeded, LimitReached: there must be none.
        """
        last, clock = self.current, self.house.clock
        inbound = Inbound(last.inbound.head, b"", clock.monotonic(), clock.wall())
        self.current = Settlement(
            self.house, inbound, call_id(), principal=last.principal, ask=last.ask, deployment=last.deployment
        )
        self.admit()

    def admit(self) -> None:
        """Take what the response to come needs.

        Raises:
            BudgetExceeded, LimitReached: nothing has been taken.
        """
        one, now = self.current, self.house.clock.monotonic()
        if one.principal is not None and one.ask is not None and one.deployment is not None:
            one.grant = self.house.admission.admit(one.principal, one.ask, one.deployment, int(now))
            if self.house.admission.shared is not None and self.settled:
                # In the midst of a conversation nobody waits for other replicas to say whether it may go on.
                self.house.admission.shared.count(one.grant)
        one.sent_at = now

    def done(self, usage: Usage) -> None:
        """A response is complete."""
        self.current.heard()
        self.speaking = False
        self.current.usage = usage
        self.current.stream_ended()
        self.settled += 1
        self.house.outbox.gathered()

    def begun(self) -> None:
        """The upstream has begun with a response."""
        self.current.heard()
        self.speaking = True

    def over(self, error: GatewayError | None) -> None:
        """The conversation has ended; a response that was cut leaves a record, and so does one without any."""
        one = self.current
        if one.written:
            return
        if error is not None:
            one.broke_off(error)
        elif self.speaking or not self.settled:
            one.cancelled()
        elif one.grant is not None:
            one.grant.settle(0, NO_USAGE, int(self.house.clock.monotonic()))
        self.house.outbox.gathered()


async def converse(
    arrival: Arrival, door: Door, house: House, dialer: Dialer, tongue: Tongue, nursery: Nursery
) -> None:
    """See a conversation from its beginning to its end. Never raises, unless it is cancelled."""
    calls = _Calls(house, arrival.inbound)
    try:
        await _converse(arrival, door, calls, dialer, tongue, nursery)
    finally:
        calls.visit.end()


async def _converse(
    arrival: Arrival, door: Door, calls: _Calls, dialer: Dialer, tongue: Tongue, nursery: Nursery
) -> None:
    error: GatewayError | None = None
    try:
        far = await _connect(arrival, calls, dialer)
    except GatewayError as refused:
        calls.visit.failed(refused)
        calls.over(refused)
        await door.refuse(calls.current.for_client(refused), calls.current.call_id)
        return
    near: Duplex | None = None
    code, reason = _BROKEN, ""
    try:
        near = await door.accept()
        code, reason = await _relay(near, far, calls, tongue, nursery)
    except Refused as refused:
        error = refused
        code, reason = _REFUSED, refused.code
        await _tell(near, tongue.error_event(refused, calls.current.call_id))
    except Parted as parted:
        code, reason = parted.code, parted.reason
    except Exception:  # noqa: BLE001 - the outermost handler, as in serve.py
        _log.exception("call %s broke", calls.current.call_id)
        error = GatewayError("The gateway made a mistake; it has been logged.")
    finally:
        calls.over(error)
        await far.close(_sendable(code), reason)
        if near is not None:
            await near.close(_sendable(code), reason)


async def _connect(arrival: Arrival, calls: _Calls, dialer: Dialer) -> Duplex:
    """Admit the first response and call the upstream.

    Raises:
        GatewayError: one of the two cannot be.
    """
    house, one, head = calls.house, calls.current, arrival.inbound.head
    head.token = house.keyring.identify(head.key, head.headers)
    principal = await house.keyring.find(head.token, head.key)
    one.principal = principal
    one.ask = ask = head.route.dialect.read_ask(b"", head.route.operation, head.path_model)
    if principal.guard is not None:
        principal.guard.meet(head)
    name_customer(arrival.inbound, ask, principal, house.manners.terms)
    course = choose(ask, principal, house)
    one.deployment = course.member.deployment
    one.trail = course.trail
    if ask.end_user is not None:
        await meet_parties(ask, principal, house)
        course = take_home(course, one)
    calls.admit()
    if one.grant is not None:
        await share(one.grant, house)
    if course.member.host is not None:
        await calls.visit.begin(course.ask, course.member.deployment, _TURN_SECONDS_MAX)
    return await dialer.dial(course.member.deployment, arrival.query, arrival.headers)


async def _relay(near: Duplex, far: Duplex, calls: _Calls, tongue: Tongue, nursery: Nursery) -> tuple[int, str]:
    """Carry messages both ways until somebody goes; gives the code and the reason.

    Raises:
        Refused: there must be no further response.
    """
    there: asyncio.Task[_Outcome] = nursery.start(_carry_there(near, far, calls), "realtime, to the upstream")
    back: asyncio.Task[_Outcome] = nursery.start(_carry_back(far, near, calls, tongue), "realtime, to the client")
    pair = (there, back)
    try:
        while True:
            quiet = calls.house.clock.monotonic() - calls.heard_at
            left = CONVERSATION_IDLE_SECONDS - quiet
            if left <= 0:
                return _GOING_AWAY, "idle"
            done, _ = await asyncio.wait(pair, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                outcome = task.result()
                if isinstance(outcome, Refused):
                    raise outcome
                return outcome
    finally:
        for task in pair:
            task.cancel()
        await asyncio.wait(pair)


async def _carry_there(near: Duplex, far: Duplex, calls: _Calls) -> _Outcome:
    try:
        while True:
            message = await near.receive()
            calls.heard_at = calls.house.clock.monotonic()
            await far.send(message)
    except Parted as parted:
        return parted.code, parted.reason


async def _carry_back(far: Duplex, near: Duplex, calls: _Calls, tongue: Tongue) -> _Outcome:
    try:
        while True:
            message = await far.receive()
            calls.heard_at = calls.house.clock.monotonic()
            usage = tongue.usage_of(message)
            if usage is not None:
                calls.done(usage)
            elif tongue.begins(message):
                calls.begun()
            await near.send(message)
            if usage is not None:
                await calls.demand_welcome()
                calls.next()
    except Parted as parted:
        return parted.code, parted.reason
    except Refused as refused:
        return refused


async def _tell(near: Duplex | None, message: str) -> None:
    """The last words, if anybody is there to hear them."""
    try:
        if near is not None:
            await near.send(message)
    except Parted:
        return


def _sendable(code: int) -> int:
    """The code of a close frame that tells as much as ``code`` does."""
    if code in _ABSENT:
        return _NORMAL if code == 1005 else _BROKEN
    return code if code in _KNOWN_CODES or code in _PRIVATE_CODES else _BROKEN
