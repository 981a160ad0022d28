"""What follows when an attempt fails before the client has any of the answer, or when there is nobody to attempt.

What was sent and not answered is sent again, though nobody knows whether the upstream did the work: to generate an
answer changes nothing there, and of the answers the client gets exactly one, as the ledger gets one record. Whatever
changes something (a provider's own API passed through, a conversation over a WebSocket) is never sent twice.
"""

from __future__ import annotations

import logging
from copy import copy
from typing import Final

from pointsman.core.errors import GatewayError, Refused
from pointsman.core.exchange import Client, Inbound
from pointsman.core.limits import KEEPALIVE_SECONDS
from pointsman.core.rules import NO_ROUTING_RULES, RoutingRules
from pointsman.core.upstream import Ask
from pointsman.lifecycle.choose import Course, find_pool, wish_for
from pointsman.lifecycle.reading import read_again
from pointsman.lifecycle.relay import break_off
from pointsman.lifecycle.settle import Settlement
from pointsman.policies.access import demand_access
from pointsman.policies.parameters import take_rules
from pointsman.policies.principal import Principal
from pointsman.routing.failures import CONTEXT_LENGTH
from pointsman.routing.pool import Pool
from pointsman.routing.recovery import Again, Hop, Recovery

__all__ = ["recover", "rehearse", "stand_in"]

_log: Final = logging.getLogger("pointsman.serve")

_RETRIES_HEADER: Final = b"x-litellm-num-retries"
_RETRIES_MAX: Final = 16
_REHEARSED: Final = {
    "mock_testing_content_policy_fallbacks": "content_policy_violation",
    "mock_testing_context_fallbacks": CONTEXT_LENGTH,
    "mock_testing_fallbacks": "mock_testing_fallbacks",
}
_RESTING: Final = "no_deployments_available"
_STOOD_IN_FOR: Final = frozenset({"model_not_found", _RESTING, *_REHEARSED.values()})


async def recover(error: GatewayError, course: Course, settlement: Settlement, client: Client) -> bool:
    """Set the course for another attempt; False: the client has been told of the failure.

    Raises:
        GatewayError: ``error``, where nothing else can be tried and nothing of an answer has begun.
    """
    house = settlement.house
    settlement.cleanse(error)
    house.router.failed(course.member, error, settlement.sent_at, house.clock.monotonic())
    recovery = course.recovery
    if recovery is None:
        asked = (course.ask.model, course.pool.name)
        course.recovery = recovery = house.router.recovery(_rules(course.ask, settlement.inbound), *asked)
    settlement.let_go(client)
    if settlement.grant is not None and await _redirect(error, course, recovery, settlement, client):
        _log.info("call %s failed (%s), next: %s", settlement.call_id, error.code, course.member.deployment.id)
        return True
    told = _last_word(error, recovery, settlement)
    if settlement.begun and settlement.answer is not None:
        await break_off(told, settlement.answer, client, settlement)
        return False
    raise told


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
    if refused.code not in _STOOD_IN_FOR:
        raise refused
    house = settlement.house
    name = principal.record.aliases.get(ask.model, ask.model)
    pool = house.router.pool(name)
    if pool is None and not principal.unrestricted:
        demand_access(principal, ask.model, name, frozenset())
    recovery = house.router.recovery(_rules(ask, settlement.inbound), ask.model, name if pool is None else pool.name)
    step = recovery.elsewhere(refused, name if pool is None else pool.name)
    if step is not None:
        recovery.errors.append((name, settlement.for_client(refused)))
        course = _turn_to(step.hops, recovery, ask, principal, settlement)
        if course is not None:
            return course
    if pool is None or pool.only is None or refused.code != _RESTING:
        raise refused
    return Course(principal, ask, pool, pool.only, "only")


async def _redirect(
    error: GatewayError, course: Course, recovery: Recovery, settlement: Settlement, client: Client
) -> bool:
    """Find the next deployment, and wait as long as is asked for; False: there is none."""
    step = recovery.next(error, course.pool, course.member.deployment)
    # What a client may know of an error depends on the deployment that it is of.
    recovery.errors[-1] = (course.pool.name, settlement.for_client(error))
    if isinstance(step, Again):
        if step.pause:
            await _rest(step.pause, course, settlement, client)
        if _take(course, recovery, settlement):
            return True
        step = recovery.elsewhere(error, course.pool.name)
    found = None if step is None else _turn_to(step.hops, recovery, course.ask, course.principal, settlement)
    if found is None:
        return False
    course.ask, course.pool, course.member, course.reason = found.ask, found.pool, found.member, found.reason
    course.target = found.target
    return True


def _turn_to(
    hops: tuple[Hop, ...], recovery: Recovery, ask: Ask, principal: Principal, settlement: Settlement
) -> Course | None:
    """The course to the first model that can be had; those that rest come last."""
    router = settlement.house.router
    now = settlement.house.clock.monotonic()
    pools = [(hop, pool) for hop in hops if (pool := _pool_of(hop, principal, settlement)) is not None]
    for hop, pool in sorted(pools, key=lambda one: not router.is_awake(one[1], now)):
        recovery.drop(hop)
        course = Course(principal, ask, pool, pool.members[0], "", recovery, hop.target)
        if _take(course, recovery, settlement):
            recovery.hops += 1
            return course
    return None


def _pool_of(hop: Hop, principal: Principal, settlement: Settlement) -> Pool | None:
    """Who serves it, if the caller may go there: where a client sends itself, it needs the access."""
    router, model = settlement.house.router, hop.target.model
    try:
        if hop.asked_for or router.settings.demands_fallback_access:
            return find_pool(model, principal, settlement.house)
        return router.pool(model)
    except Refused:
        return None


def _take(course: Course, recovery: Recovery, settlement: Settlement) -> bool:
    """Choose within the pool and reserve for it; False: neither is possible, or it would be one retry too many."""
    house = settlement.house
    now = house.clock.monotonic()
    try:
        ask = read_again(settlement.inbound, course.target)
        take_rules(ask)
        member, reason = house.router.choose(course.pool, wish_for(ask, course.principal), now, recovery.tried)
        if settlement.attempts and not house.router.may_try(member, now, house.admission.admitted):
            return False
        if settlement.grant is not None:
            settlement.grant.move(ask, member.deployment)
    except Refused:
        return False
    course.ask = settlement.ask = ask
    course.member, course.reason = member, reason
    return True


async def _rest(seconds: float, course: Course, settlement: Settlement, client: Client) -> None:
    """Wait; a client that streams hears meanwhile that it is not forgotten. Ends when the client leaves."""
    house = settlement.house
    keepalive = settlement.inbound.head.route.dialect.keepalive if course.ask.stream else b""
    while seconds > 0:
        part = min(seconds, KEEPALIVE_SECONDS)
        await house.sleep(part)
        seconds -= part
        if seconds > 0 and keepalive:
            settlement.begin(client)
            client.send(keepalive)


def _rules(ask: Ask, inbound: Inbound) -> RoutingRules:
    """What the request says of its way: in its body, else in its headers."""
    rules = ask.routing or NO_ROUTING_RULES
    said = inbound.head.header(_RETRIES_HEADER) if rules.num_retries is None else None
    if said is None or not said.isdigit() or len(said) > 2:
        return rules
    return rules.with_retries(min(int(said), _RETRIES_MAX))


def _last_word(error: GatewayError, recovery: Recovery, settlement: Settlement) -> GatewayError:
    """The last failure, which is the one that is told, with a hint at what else was tried."""
    if settlement.attempts + recovery.hops <= 1:
        return error
    tried: dict[str, list[str]] = {}
    for name, failure in recovery.errors:
        tried.setdefault(name, []).append(str(failure.status))
    told = copy(error)  # several calls may have failed of this one
    listed = ", then ".join(f"{name} ({', '.join(statuses)})" for name, statuses in tried.items())
    told.hint = f"{error.hint} " if error.hint else ""
    told.hint += f"Tried {settlement.attempts} times: {listed}."
    return told
