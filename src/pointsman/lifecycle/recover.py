"""What follows when an attempt fails before the client has any of the answer, or when there is nobody to attempt.

What was sent and not answered is sent again, though nobody knows whether the upstream did the work: to generate an
answer changes nothing there, and of the answers the client gets exactly one, as the ledger gets one record. Whatever
changes something (a provider's own API passed through, a conversation over a WebSocket) is never sent twice.
"""

from __future__ import annotations

import logging
from copy import copy
from typing import Final

import msgspec

from pointsman.core.errors import Forbidden, GatewayError, Refused, Unauthenticated
from pointsman.core.exchange import Client
from pointsman.core.upstream import Ask
from pointsman.lifecycle.choose import Course, asked_name, find_pool, pick, wish_for
from pointsman.lifecycle.house import House
from pointsman.lifecycle.own_routing import take_own
from pointsman.lifecycle.patience import gives_up_at
from pointsman.lifecycle.reading import read_again
from pointsman.lifecycle.relay import break_off
from pointsman.lifecycle.ruling import demands_of, rule
from pointsman.lifecycle.settle import Settlement
from pointsman.lifecycle.trail import Trail
from pointsman.policies.access import demand_access
from pointsman.policies.former_reasoning import forget_reasoning
from pointsman.policies.parameters import take_rules
from pointsman.policies.principal import Principal
from pointsman.routing.failures import CONTEXT_LENGTH
from pointsman.routing.pool import Pool
from pointsman.routing.recovery import Again, Hop, Recovery
from pointsman.routing.refusal import NONE_AVAILABLE
from pointsman.routing.rules.ruling import Demands

__all__ = ["STOOD_IN_FOR", "is_sent", "recover", "recovery_of", "rehearse", "stand_in", "within_reach"]

_log: Final = logging.getLogger("pointsman.serve")

_REHEARSED: Final = {
    "mock_testing_content_policy_fallbacks": "content_policy_violation",
    "mock_testing_context_fallbacks": CONTEXT_LENGTH,
    "mock_testing_fallbacks": "mock_testing_fallbacks",
}
_WITHHELD: Final = "Not tried again: too many attempts have failed lately (retry_budget_percent)."
STOOD_IN_FOR: Final = frozenset({"model_not_found", "tag_routing_denied", NONE_AVAILABLE, *_REHEARSED.values()})
"""Codes of refusals after which another model may stand in."""


async def recover(error: GatewayError, course: Course, settlement: Settlement, client: Client) -> bool:
    """Set the course for another attempt; False: the client has been told of the failure.

    Raises:
        GatewayError: ``error``, where nothing else can be tried and nothing of an answer has begun.
    """
    if isinstance(error, Unauthenticated | Forbidden):
        # Whose key was taken away while the request waited is answered by nobody.
        return await _tell(error, settlement, client)
    house = settlement.house
    now = house.clock.monotonic()
    settlement.cleanse(error)
    house.router.failed(course.member, error, settlement.sent_at, now)
    _note(error, course, settlement, now)
    if course.way is not None:
        course.pool, course.way = settlement.leave(course.way), None
    recovery = course.recovery
    if recovery is None:
        course.recovery = recovery = recovery_of(course.ask, house, course.pool.name)
    settlement.let_go(client)
    if settlement.grant is not None and await _redirect(error, course, recovery, settlement, client):
        _log.info("call %s failed (%s), next: %s", settlement.call_id, error.code, course.member.deployment.id)
        settlement.trail, course.began_at = course.trail, house.clock.monotonic()
        return True
    return await _tell(_last_word(settlement.give_up(error), recovery, settlement), settlement, client)


async def _tell(error: GatewayError, settlement: Settlement, client: Client) -> bool:
    """End a stream that has begun with the error; False: that is done.

    Raises:
        GatewayError: ``error``, where nothing of an answer has begun.
    """
    if settlement.begun and settlement.answer is not None:
        await break_off(error, settlement.answer, client, settlement)
        return False
    raise error


def rehearse(ask: Ask) -> None:
    """Act as if the model had failed, where a request asks for that, to see who would stand in.

    Raises:
        Refused: it does; see https://docs.litellm.ai/docs/proxy/reliability, "Test Fallbacks".
    """
    rehearsal = None if ask.routing is None else ask.routing.rehearsal
    if rehearsal is not None:
        message = f"The model {ask.model!r} did not fail: the request asks for it to, with {rehearsal}."
        code = _REHEARSED[rehearsal]
        raise Refused(message, status=500 if code == rehearsal else None, code=code, hint="Nothing stood in for it.")


def stand_in(refused: Refused, ask: Ask, principal: Principal, settlement: Settlement) -> Course:
    """Another model's course, for a request for one that nobody serves, or nobody who is well or has room for it.

    What alone serves a model is tried although it failed lately, if nothing can stand in.

    Raises:
        Refused: ``refused``, where nothing can stand in; or the key may not use the model it asked for.
    """
    if refused.code not in STOOD_IN_FOR:
        raise refused
    house, head = settlement.house, settlement.inbound.head
    ruling = rule(ask, principal, house, head)
    name = asked_name(ask.model, principal, ruling.model)
    pool = house.router.pool(name)
    trail, demands = Trail(rules=ruling.matched), demands_of(ruling)
    recovery = recovery_of(ask, house, name if pool is None else pool.name)
    step = recovery.elsewhere(refused, name if pool is None else pool.name)
    if step is not None:
        if pool is None and not principal.unrestricted:
            demand_access(principal, ask.model, name, frozenset())
        recovery.errors.append((name, settlement.for_client(refused)))
        way = _Way(ask, principal, recovery, trail, demands)
        course = _turn_to(step.hops, way, settlement)
        if course is not None:
            return course
    if pool is None or pool.only is None or refused.code != NONE_AVAILABLE:
        raise refused
    trail.chose(pool, pool.only, "resting")
    return Course(principal, ask, pool, pool.only, "resting", trail=trail, demands=demands)


def recovery_of(ask: Ask, house: House, name: str) -> Recovery:
    """What may be tried for the request, which asked for a model that goes by that ``name``, too."""
    return house.router.recovery(ask.routing, ask.model, name)


async def _redirect(
    error: GatewayError, course: Course, recovery: Recovery, settlement: Settlement, client: Client
) -> bool:
    """Find the next deployment, and wait as long as is asked for; False: there is none."""
    step = recovery.next(error, course.pool, course.member.deployment)
    # What a client may know of an error depends on the deployment that it is of.
    recovery.errors[-1] = (course.pool.name, settlement.for_client(error))
    if isinstance(step, Again) and step.pause and not _may_rest(step.pause, course, settlement):
        step = recovery.elsewhere(error, course.pool.name)
    if isinstance(step, Again):
        if step.pause:
            await _rest(step.pause, settlement, client)
        if _take(course, recovery, settlement):
            return True
        step = recovery.elsewhere(error, course.pool.name)
    way = _Way(course.ask, course.principal, recovery, course.trail or Trail(), course.demands)
    found = None if step is None else _turn_to(step.hops, way, settlement)
    if found is None:
        return False
    course.ask, course.pool, course.member, course.reason = found.ask, found.pool, found.member, found.reason
    course.target, course.is_sent = found.target, found.is_sent
    return True


class _Way(msgspec.Struct, frozen=True):
    """What a request takes along to whichever model it turns to."""

    ask: Ask
    principal: Principal
    recovery: Recovery
    trail: Trail
    demands: Demands | None


def _turn_to(hops: tuple[Hop, ...], way: _Way, settlement: Settlement) -> Course | None:
    """The course to the first model that can be had."""
    for hop, pool in within_reach(hops, way.principal, settlement.house):
        way.recovery.drop(hop)
        course = Course(way.principal, way.ask, pool, pool.members[0], "", way.recovery, hop.target)
        course.trail, course.demands = way.trail, way.demands
        course.is_sent = is_sent(hop, settlement.house)
        if _take(course, way.recovery, settlement):
            way.recovery.hops += 1
            way.trail.turned_to(hop.target.model)
            return course
    return None


def within_reach(hops: tuple[Hop, ...], principal: Principal, house: House) -> list[tuple[Hop, Pool]]:
    """The models that the caller may go to, and who serves them; those that rest come last."""
    now = house.clock.monotonic()
    pools = [(hop, pool) for hop in hops if (pool := _pool_of(hop, principal, house)) is not None]
    return sorted(pools, key=lambda one: not house.router.is_awake(one[1], now))


def _pool_of(hop: Hop, principal: Principal, house: House) -> Pool | None:
    """Who serves it, if the caller may go there: where a client sends itself, it needs the access."""
    try:
        model = hop.target.model
        return house.router.pool(model) if is_sent(hop, house) else find_pool(model, principal, house)
    except Refused:
        return None


def is_sent(hop: Hop, house: House) -> bool:
    """Whether it is the operator who sends requests there, so that they need no access of their own."""
    return not (hop.asked_for or house.router.settings.demands_fallback_access)


def _take(course: Course, recovery: Recovery, settlement: Settlement) -> bool:
    """Choose within the pool and reserve for it; False: neither is possible, or it would be one retry too many."""
    house = settlement.house
    now = house.clock.monotonic()
    trail, interruption = Trail(), settlement.interruption
    if interruption is not None and course.target is not None and course.target.fields:
        return False  # it would be another request that is continued
    try:
        ask = read_again(settlement.inbound, course.target)
        take_rules(ask)
        if course.principal.routing is not None:
            take_own(ask, course.principal.routing)
        if course.target is not None:
            ask.answers_as = course.target.model
        if recovery.forgets:
            forget_reasoning(ask)
        head = settlement.inbound.head
        wish = wish_for(ask, course.principal, course.demands, course.target, is_sent=course.is_sent, head=head)
        member, reason = pick(course.pool, wish, house, trail, recovery.tried)
        if interruption is not None:
            ask.continues = interruption.cut
            if member.deployment.id in recovery.tried:
                return False
        if settlement.attempts and not house.router.may_try(member, now, house.admission.admitted):
            recovery.was_withheld = True
            return False
        if settlement.grant is not None:
            settlement.grant.move(ask, member.deployment)
    except Refused:
        return False
    if course.trail is not None:
        course.trail.goes_on(trail)
    course.ask = settlement.ask = ask
    course.member, course.reason = member, reason
    return True


def _note(error: GatewayError, course: Course, settlement: Settlement, now: float) -> None:
    """Note the failure of an attempt for whoever asks why the request went where it went."""
    if course.trail is None:
        course.trail = Trail()
        course.trail.chose(course.pool, course.member, course.reason)
    seconds = 0.0 if settlement.flight is None else now - settlement.sent_at
    course.trail.missed(course.member.deployment, error, seconds)


def _may_rest(seconds: float, course: Course, settlement: Settlement) -> bool:
    """Whether to wait for the deployment that failed: not for longer than the client waits.

    Nor where a stream was cut off, since whoever cut it off is not asked for the rest.
    """
    if settlement.interruption is not None:
        return False
    return settlement.house.clock.monotonic() + seconds < gives_up_at(course.ask, settlement.inbound)


async def _rest(seconds: float, settlement: Settlement, client: Client) -> None:
    """Wait; a client that streams hears meanwhile that it is not forgotten. Ends when the client leaves."""
    house = settlement.house
    while seconds > 0:
        part = min(seconds, house.manners.keepalive_seconds)
        await house.sleep(part)
        seconds -= part
        if seconds > 0:
            settlement.keep_waiting(client)


def _last_word(error: GatewayError, recovery: Recovery, settlement: Settlement) -> GatewayError:
    """The last failure, which is the one that is told, with a hint at what else was tried, and what was not."""
    hints = [error.hint] if error.hint else []
    if settlement.attempts + recovery.hops > 1:
        tried: dict[str, list[str]] = {}
        for name, failure in recovery.errors:
            tried.setdefault(name, []).append(str(failure.status))
        listed = ", then ".join(f"{name} ({', '.join(statuses)})" for name, statuses in tried.items())
        hints.append(f"Tried {settlement.attempts} time{'' if settlement.attempts == 1 else 's'}: {listed}.")
    if recovery.was_withheld:
        hints.append(_WITHHELD)
    if len(hints) == bool(error.hint):
        return error
    told = copy(error)  # several calls may have failed of this one
    told.hint = " ".join(hints)
    return told
