"""From the model's name to a deployment: demand that it be ours to choose, resolve, demand access, pick."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from math import inf
from typing import Final

import msgspec

from pointsman.core.errors import Malformed, Refused
from pointsman.core.exchange import RequestHead
from pointsman.core.rules import NO_ROUTING_RULES, Target
from pointsman.core.upstream import Ask, Deployment
from pointsman.lifecycle.house import House
from pointsman.lifecycle.own_routing import take_own
from pointsman.lifecycle.ruling import demand_unrefused, demands_of, rule
from pointsman.lifecycle.trail import Trail
from pointsman.lifecycle.ways import Way
from pointsman.policies.access import demand_access, may_use
from pointsman.policies.parameters import take_rules
from pointsman.policies.principal import Principal
from pointsman.policies.stand_ins import StandIn
from pointsman.routing.candidates import Dropped
from pointsman.routing.pool import Member, Pick, Pool
from pointsman.routing.queue import Ticket
from pointsman.routing.recovery import Recovery
from pointsman.routing.rules.ruling import Demands, Ruling
from pointsman.routing.wish import Wish

__all__ = ["Course", "asked_name", "choose", "find_pool", "lead", "pick", "wish_for"]

_TOLD_MEMBERS_MAX: Final = 64
"""Of a larger pool nobody lists, for each request, who was left out."""
_PUSHES_OUT: Final = "evicts_busy"
"""The reason of a choice that takes from the memory what others use."""


class Course(msgspec.Struct):
    """The way a request takes: who asks what, which deployments serve it, the one that is to, and why, in a word.

    ``recovery`` is made when an attempt fails, ``target`` is set when another model stands in, ``is_sent`` if it is the
    operator who named that, ``trail`` where there is something to tell. ``demands`` hold for whoever else is tried,
    too. ``way`` is that of a rule about the model's traffic, where there is one, for the first attempt. ``began_at`` is
    when a further attempt began, in monotonic seconds; 0: it is the first. ``ticket`` is its place at a local server.
    """

    principal: Principal
    ask: Ask
    pool: Pool
    member: Member
    reason: str
    recovery: Recovery | None = None
    target: Target | None = None
    is_sent: bool = False
    trail: Trail | None = None
    demands: Demands | None = None
    way: Way | None = None
    began_at: float = 0.0
    ticket: Ticket | None = None


def choose(ask: Ask, principal: Principal, house: House, head: RequestHead | None = None) -> Course:
    """The deployment that serves the request; ``head`` is where it may say more of its way.

    Raises:
        Malformed: nobody serves that model (400, as LiteLLM), with the nearest name as a hint; or the request says
            itself where to go, or demands what nobody offers.
        Forbidden: the key may not use it, its tags fit nothing that serves it, or a rule of the operator is against it.
        LimitReached: everything that serves it has failed lately, or is at its limits. What alone serves it is tried
            all the same where nothing can stand in; see :mod:`pointsman.lifecycle.recover`.
    """
    take_rules(ask)
    if principal.routing is not None:
        take_own(ask, principal.routing)
    if house.router.settings.rulebook is not None or (ask.routing is not None and ask.routing.demands_something):
        return _choose_by_rules(ask, principal, house, head)
    pool = find_pool(ask.model, principal, house)
    way = None if house.traffic is None else house.traffic.way(ask, principal, pool, house.clock.monotonic())
    pool = pool if way is None else way.pool
    if pool.only is not None:
        return _only(ask, principal, house, pool, pool.only, way)
    trail = Trail()
    member, reason = pick(pool, wish_for(ask, principal, head=head), house, trail)
    return Course(principal, ask, pool, member, reason, trail=trail, way=way)


def _only(ask: Ask, principal: Principal, house: House, pool: Pool, member: Member, way: Way | None) -> Course:
    """The course to who alone serves the model: nothing is to be decided."""
    if member.live.rests_until:
        house.router.demand_awake(pool, house.clock.monotonic())
    course = Course(principal, ask, pool, member, "only")
    if way is not None:
        course.way = way
    return course


def _choose_by_rules(ask: Ask, principal: Principal, house: House, head: RequestHead | None) -> Course:
    """As :func:`choose`, where somebody has said more of who is to serve the request."""
    ruling = rule(ask, principal, house, head)
    demand_unrefused(ruling)
    pool, matched = lead(ask, principal, house, ruling)
    demands = demands_of(ruling)
    if matched is not ruling.matched:
        _load_meanwhile(ask, principal, house, ruling, demands)
    way = None if house.traffic is None else house.traffic.way(ask, principal, pool, house.clock.monotonic())
    pool = pool if way is None else way.pool
    if pool.only is not None and not matched and demands is None:
        return _only(ask, principal, house, pool, pool.only, way)
    house.router.demand_awake(pool, house.clock.monotonic())
    trail = Trail(rules=matched)
    member, reason = pick(pool, wish_for(ask, principal, demands, head=head), house, trail)
    return Course(principal, ask, pool, member, reason, trail=trail, demands=demands, way=way)


def _load_meanwhile(ask: Ask, principal: Principal, house: House, ruling: Ruling, demands: Demands | None) -> None:
    """Have the model that would have to be waited for loaded where it would be, if nobody has it in memory.

    Else it never would be: every request would find it missing and go to the overflow.
    """
    pool, now = find_pool(ask.model, principal, house, led_to=ruling.model), house.clock.monotonic()
    waits = [house.router.wait(member, now) for member in pool.members]
    if any(wait.total < inf and not wait.load for wait in waits):
        return
    try:
        member, reason = house.router.consider(pool, wish_for(ask, principal, demands), now)
    except Refused:
        return
    if reason != _PUSHES_OUT and member.host is not None and member.host.online:
        house.loads.begin(member)


def lead(ask: Ask, principal: Principal, house: House, ruling: Ruling) -> tuple[Pool, tuple[str, ...]]:
    """The deployments that are to serve the request, and what was ruled; an overflow is told of where it acts.

    Raises:
        Malformed, Forbidden: as :func:`choose`.
    """
    pool = find_pool(ask.model, principal, house, led_to=ruling.model)
    over = ruling.overflow
    if over is None or over.to is None or house.router.shortest_wait(pool, house.clock.monotonic()) <= over.seconds:
        return pool, ruling.matched
    return find_pool(ask.model, principal, house, led_to=over.to), (*ruling.matched, f"{over.rule}:overflow")


def pick(pool: Pool, wish: Wish, house: House, trail: Trail, tried: Collection[str] = ()) -> Pick:
    """One of several deployments, and why; what was decided is noted in ``trail``.

    Raises:
        LimitReached: none of them is to be had.
        Malformed, Forbidden: as :func:`choose`.
    """
    dropped: list[Dropped] | None = [] if len(pool.members) <= _TOLD_MEMBERS_MAX else None
    member, reason = house.router.choose(pool, wish, house.clock.monotonic(), tried, dropped)
    trail.chose(pool, member, reason, dropped or ())
    return member, reason


def find_pool(model: str, principal: Principal, house: House, led_to: str | None = None) -> Pool:
    """The deployments that serve ``model`` to that key, those of the model that a rule ``led_to`` if one did.

    Who may use the model that it asked for may use that one in its place.

    Raises:
        Malformed, Forbidden: as :func:`choose`.
    """
    name = asked_name(model, principal, led_to)
    pool = house.router.pool(name)
    if pool is None:
        if isinstance(name, StandIn):
            return find_pool(model, principal, house, name.of)
        raise Malformed(
            f"The model {led_to or model!r} is not served here.",
            hint=house.manners.suggest(led_to or model),
            code="model_not_found",
            param="model",
        )
    if not principal.unrestricted:
        if isinstance(name, StandIn) and not may_use(principal, name, pool.name, pool.access_groups):
            # It is not the other's name, so that who may use that one need not be let through to it.
            return find_pool(model, principal, house, name.of)
        demand_access(principal, model, pool.name, pool.access_groups)
    return pool


def asked_name(model: str, principal: Principal, led_to: str | None = None) -> str:
    """The name that the one a client asks for stands for: what a rule ``led_to``, else what the key calls so."""
    return led_to or (principal.aliases.get(model, model) if principal.aliases else model)


def wish_for(
    ask: Ask,
    principal: Principal,
    demands: Demands | None = None,
    target: Target | None = None,
    *,
    is_sent: bool = False,
    head: RequestHead | None = None,
) -> Wish:
    """What of the request decides where it goes; ``target`` is the model that stands in for the one it asked for.

    Where ``is_sent`` the operator sends it there, whatever models the key may name. ``head`` tells what the client is.
    """
    asked = ask.model if target is None else target.model
    record = principal.record
    return Wish(
        ask.operation,
        ask.prompt_estimate,
        ask.output_limit,
        ask.stream,
        record.token,
        record.team_id,
        ask.end_user,
        ask.routing or NO_ROUTING_RULES,
        ask.fields,
        record.tags,
        None if is_sent or principal.unrestricted else partial(_admits, principal, asked),
        ask.choices,
        demands,
        () if head is None else head.headers,
    )


def _admits(principal: Principal, asked: str, deployment: Deployment) -> bool:
    return may_use(principal, asked, deployment.group, deployment.access_groups)
