"""A second deployment is asked when the first is silent for long, and whoever begins first answers.

The other one is cut off at once, and has a record of its own: its id is that of the client's call behind ``hedge-``,
its tag ``hedge``, what it used is an estimate (nothing but the prompt, since nothing came), and its cost is the
operator's, for whether an upstream charges for what was cut off nobody tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from pointsman.core.eager import Inbox
from pointsman.core.errors import GatewayError, LimitReached, Refused, TimedOut
from pointsman.core.exchange import Client, Inbound
from pointsman.core.flight import Flight
from pointsman.core.upstream import Answer, AnsweredHere, Ask
from pointsman.lifecycle.calling import enter, leave
from pointsman.lifecycle.choose import Course, wish_for
from pointsman.lifecycle.house import House
from pointsman.lifecycle.on_terms import on_terms
from pointsman.lifecycle.own_calls import gateway_principal
from pointsman.lifecycle.own_routing import take_own
from pointsman.lifecycle.reading import read_ask
from pointsman.lifecycle.relay import retry_after
from pointsman.lifecycle.settle import Settlement
from pointsman.lifecycle.tally import Marks
from pointsman.lifecycle.ways import Rule
from pointsman.policies.parameters import take_rules
from pointsman.routing.failures import CLIENT_TIMEOUT
from pointsman.routing.hedging import Hedging
from pointsman.routing.hosts import Host
from pointsman.routing.live import Live
from pointsman.routing.pool import Member
from pointsman.routing.queue import Ticket

__all__ = ["Winner", "race"]

_FIRST_ERROR_STATUS: Final = 400
_LINE: Final = b"x-pointsman-hedge: %b\r\n"


class Winner(NamedTuple):
    """Who answers: its record, what comes from it, its reader, and when it was asked."""

    live: Live
    flight: Flight
    answer: Answer
    sent_at: float


class _Racer(msgspec.Struct, eq=False):
    """One of the two requests. ``leave`` gives back the slot that the second one has at a local server."""

    member: Member
    ask: Ask
    answer: Answer
    flight: Flight
    sent_at: float
    failed: bool = False
    leave: Callable[[], None] | None = None


async def race(course: Course, settlement: Settlement, client: Client) -> Winner:
    """Wait until the deployment that was asked begins, asking another one if that takes long.

    The winner's first piece, or the failure of the only one left, waits in its inbox. Course and settlement are those
    of the winner.
    """
    first = _sent(course, settlement)
    rule = None if course.way is None else course.way.rule
    if rule is None or rule.hedging is None or not _may_race(rule, course, settlement):
        return _winner(first)
    contest = _Race(first, rule, rule.hedging, course, settlement)
    return _winner(await contest.run(client))


class _Race:
    """``bell`` rings whenever something came, and when patience is over (with True)."""

    def __init__(self, first: _Racer, rule: Rule, hedging: Hedging, course: Course, settlement: Settlement) -> None:
        self._first = first
        self._rule = rule
        self._hedging = hedging
        self._course = course
        self._settlement = settlement
        self._racers = [first]
        self._bell: Inbox[bool] = Inbox()

    async def run(self, client: Client) -> _Racer:
        """The winner; the other one is cut off."""
        timer = None
        winner = self._first
        patience = self._hedging.patience(stream=self._first.ask.stream)
        try:
            if patience is not None:
                timer = asyncio.get_running_loop().call_later(patience, self._bell.put, True)
            while (found := self._decide(client)) is None:
                is_late = await self._bell
                if is_late and len(self._racers) == 1:
                    await self._ask_another()
            winner = found
            self._began(winner)
        finally:
            if timer is not None:
                timer.cancel()
            for racer in self._racers:
                racer.flight.inbox.reader = None
                if racer is not winner:
                    self._cut(racer)
        if len(self._racers) > 1:
            self._take_over(winner, client)
        return winner

    def _decide(self, client: Client) -> _Racer | None:
        """Whose answer it is to be; None: nobody's yet."""
        for racer in self._racers:
            items = racer.flight.inbox.items
            while items and items[0] is None:
                items.pop(0)
                self._settlement.keep_waiting(client)
            if not items:
                continue
            is_bad = isinstance(items[0], BaseException) or racer.flight.status >= _FIRST_ERROR_STATUS
            if not is_bad:
                return racer
            racer.failed = True
            if isinstance(items[0], TimedOut) and items[0].code == CLIENT_TIMEOUT:
                return self._first  # the request's own limit is for both
        if all(racer.failed for racer in self._racers):
            return self._first
        for racer in self._racers:
            self._watch(racer)
        return None

    def _watch(self, racer: _Racer) -> None:
        if not racer.failed:
            racer.flight.inbox.reader = _Ring(self._bell)

    async def _ask_another(self) -> None:
        """Send the request to a second deployment, if there is one and a second request is due."""
        house, course = self._settlement.house, self._course
        if not self._hedging.may():
            return
        ask = read_ask(self._settlement.inbound)
        take_rules(ask)
        if course.principal.routing is not None:
            take_own(ask, course.principal.routing)
        first = self._first.member.deployment
        try:
            wish = wish_for(ask, course.principal, course.demands, head=self._settlement.inbound.head)
            member, _ = house.router.choose(course.pool, wish, house.clock.monotonic(), {first.id})
            if member.deployment.id == first.id or not self._is_free(member):
                return
            give_back, racer = _take_slot(member, course, house), None
        except Refused:
            return
        try:
            racer = await self._send(ask, member)
        except (GatewayError, AnsweredHere):
            return  # whatever keeps the second one from being asked, the first one goes on
        finally:
            if racer is None and give_back is not None:
                give_back()
        racer.leave = give_back
        self._hedging.take()
        member.live.in_flight += 1
        self._settlement.attempts += 1
        self._rule.counts.second += 1
        self._racers.append(racer)

    def _is_free(self, member: Member) -> bool:
        """Whether it may be asked; a machine of one's own only when it has nothing else to do."""
        host = member.host
        at_home = member.deployment.local
        return not at_home or (_races_at_home(self._rule) and (host is None or not (host.busy or host.queued)))

    async def _send(self, ask: Ask, member: Member) -> _Racer:
        house, grant, deployment = self._settlement.house, self._settlement.grant, member.deployment
        lane = house.lanes.lane(ask.operation, deployment)
        if lane.prepares:
            ask.owner = self._course.principal.owner
            await lane.prepare(ask)
        outbound = lane.write(ask)
        if grant is not None:
            grant.move(ask, deployment)
        if deployment.terms is not None:
            deployment, outbound = on_terms(deployment, deployment.terms, ask, outbound)
        flight = house.sender.send(deployment, outbound, stream=ask.stream)
        sent_at = house.clock.monotonic()
        if member.live.rests_until:
            member.probe(sent_at)
        return _Racer(member, ask, lane.answer(ask), flight, sent_at)

    def _began(self, winner: _Racer) -> None:
        if not winner.failed:
            seconds = self._settlement.house.clock.monotonic() - self._first.sent_at
            self._hedging.began(seconds, stream=winner.ask.stream)

    def _cut(self, racer: _Racer) -> None:
        """Break off the request that lost, and record it."""
        settlement, house = self._settlement, self._settlement.house
        racer.member.live.in_flight -= 1
        inbound = settlement.inbound
        sent = inbound.received if racer is self._first else racer.sent_at
        record = Settlement(
            house,
            Inbound(inbound.head, inbound.body, sent, inbound.at + sent - inbound.received),
            f"hedge-{settlement.call_id}",
            gateway_principal(),
            racer.ask,
            racer.member.deployment,
            answer=racer.answer,
            flight=racer.flight,
            sent_at=racer.sent_at,
            attempts=1,
            marks=Marks(("hedge",), tallies=(self._rule.counts.cut,)),
        )
        error = _failure_of(racer, house.clock.wall())
        if error is not None:
            record.refused(error)
            house.router.failed(racer.member, error, racer.sent_at, record.ended_at)
        else:
            record.cancelled()
        racer.flight.close()
        if racer.leave is not None:
            racer.leave()
        if racer.member.live.rests_until:
            racer.member.give_up_probe()

    def _take_over(self, winner: _Racer, client: Client) -> None:
        """Go on with the winner."""
        settlement, course = self._settlement, self._course
        is_second = winner is not self._first
        settlement.mark("hedged", _LINE % (b"second" if is_second else b"first"))
        if is_second:
            self._rule.counts.won += 1
            if self._first.member.host is not None:
                self._leave_first(self._first.member.host)
            course.member, course.ask = winner.member, winner.ask
            settlement.ask, settlement.deployment = winner.ask, winner.member.deployment
            settlement.answer, settlement.flight, settlement.sent_at = winner.answer, winner.flight, winner.sent_at
            settlement.probing = winner.member if winner.member.live.rests_until else None
            settlement.leave_slot = winner.leave
            if winner.member.host is not None:
                settlement.arrive(winner.member, winner.member.host, winner.flight)
            client.attach(winner.flight)

    def _leave_first(self, host: Host) -> None:
        """Give up the place that the first request has at a local server, which has no more to do for it."""
        settlement, ticket, fleet = self._settlement, self._course.ticket, self._settlement.house.router.fleet
        settlement.depart(host, self._first.member.deployment.model)
        if ticket is not None:
            leave(fleet, host, ticket, settlement.house.clock.monotonic())


class _Ring:
    """Lets an inbox ring a bell."""

    __slots__ = ("_bell",)

    def __init__(self, bell: Inbox[bool]) -> None:
        self._bell = bell

    def step(self) -> None:
        self._bell.put(False)


def _take_slot(member: Member, course: Course, house: House) -> Callable[[], None] | None:
    """Take a slot of a local server that has nothing else to do; gives what gives it back. None: it has none.

    Raises:
        LimitReached: another process may have them all, and would have to be asked.
    """
    host = member.host
    if host is None:
        return None
    fleet, now = house.router.fleet, house.clock.monotonic()
    record = course.principal.record
    ticket = Ticket(member.deployment.model, course.pool.name, record.token, now, record.key_alias)
    if not enter(fleet, host, ticket):
        leave(fleet, host, ticket, now)
        message = "The server has no slot to spare."
        raise LimitReached(message)
    return lambda: leave(fleet, host, ticket, house.clock.monotonic())


def _sent(course: Course, settlement: Settlement) -> _Racer:
    """The request that was just sent."""
    answer, flight = settlement.answer, settlement.flight
    if answer is None or flight is None:
        message = "a race before anything was sent"
        raise RuntimeError(message)
    return _Racer(course.member, course.ask, answer, flight, settlement.sent_at)


def _winner(racer: _Racer) -> Winner:
    return Winner(racer.member.live, racer.flight, racer.answer, racer.sent_at)


def _may_race(rule: Rule, course: Course, settlement: Settlement) -> bool:
    """Whether a second deployment may be asked at all: there is one, and this is the first attempt."""
    at_home = course.member.deployment.local
    return settlement.attempts == 1 and len(course.pool.members) > 1 and (not at_home or _races_at_home(rule))


def _races_at_home(rule: Rule) -> bool:
    return rule.settings.hedge is not None and rule.settings.hedge.local


def _failure_of(racer: _Racer, wall: float) -> GatewayError | None:
    """Why a racer fell out of the race; None: it was only slower."""
    if not racer.failed:
        return None
    item = racer.flight.inbox.items[0]
    if isinstance(item, GatewayError):
        return item
    body = item if isinstance(item, bytes) else b""
    return racer.answer.rejected(racer.flight.status, body, retry_after(racer.flight, wall))
