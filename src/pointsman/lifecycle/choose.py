"""From the model's name to a deployment: demand that it be ours to choose, resolve, demand access, pick."""

from __future__ import annotations

from functools import partial

import msgspec

from pointsman.core.errors import Malformed
from pointsman.core.rules import NO_ROUTING_RULES, Target
from pointsman.core.upstream import Ask, Deployment
from pointsman.lifecycle.house import House
from pointsman.policies.access import demand_access, may_use
from pointsman.policies.parameters import take_rules
from pointsman.policies.principal import Principal
from pointsman.routing.pool import Member, Pool
from pointsman.routing.recovery import Recovery
from pointsman.routing.wish import Wish

__all__ = ["Course", "choose", "find_pool", "wish_for"]


class Course(msgspec.Struct):
    """The way a request takes: who asks what, which deployments serve it, the one that is to, and why, in a word.

    ``recovery`` is made when an attempt fails, ``target`` is set when another model stands in.
    """

    principal: Principal
    ask: Ask
    pool: Pool
    member: Member
    reason: str
    recovery: Recovery | None = None
    target: Target | None = None


def choose(ask: Ask, principal: Principal, house: House) -> Course:
    """The deployment that serves the request.

    Raises:
        Malformed: nobody serves that model (400, as LiteLLM), with the nearest name as a hint; or the request says
            itself where to go.
        Forbidden: the key may not use it, or its tags fit nothing that serves it.
        LimitReached: everything that serves it has failed lately, or is at its limits. What alone serves it is tried
            all the same where nothing can stand in; see :mod:`pointsman.lifecycle.recover`.
    """
    take_rules(ask)
    pool = find_pool(ask.model, principal, house)
    member, reason = pool.only, "only"
    if member is None:
        member, reason = house.router.choose(pool, wish_for(ask, principal), house.clock.monotonic())
    elif member.live.rests_until:
        house.router.demand_awake(pool, house.clock.monotonic())
    return Course(principal, ask, pool, member, reason)


def find_pool(model: str, principal: Principal, house: House) -> Pool:
    """The deployments that serve ``model`` to that key.

    Raises:
        Malformed, Forbidden: as :func:`choose`.
    """
    name = principal.record.aliases.get(model, model) if principal.record.aliases else model
    pool = house.router.pool(name)
    if pool is None:
        raise Malformed(
            f"The model {model!r} is not served here.",
            hint=house.manners.suggest(model),
            code="model_not_found",
            param="model",
        )
    if not principal.unrestricted:
        demand_access(principal, model, pool.name, pool.access_groups)
    return pool


def wish_for(ask: Ask, principal: Principal) -> Wish:
    """What of the request decides where it goes."""
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
        None if principal.unrestricted else partial(_admits, principal, ask.model),
    )


def _admits(principal: Principal, asked: str, deployment: Deployment) -> bool:
    return may_use(principal, asked, deployment.group, deployment.access_groups)
