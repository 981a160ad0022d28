"""From the model's name to a deployment: demand that it be ours to choose, resolve, demand access, pick."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from pointsman.core.errors import Malformed
from pointsman.core.rules import NO_ROUTING_RULES
from pointsman.core.upstream import Ask
from pointsman.lifecycle.house import House
from pointsman.lifecycle.trail import Trail
from pointsman.policies.access import demand_access
from pointsman.policies.parameters import take_rules
from pointsman.policies.principal import Principal
from pointsman.routing.pool import Member, Pick, Pool
from pointsman.routing.recovery import Recovery
from pointsman.routing.wish import Wish

__all__ = ["Course", "choose", "find_pool", "pick", "wish_for"]

_TOLD_MEMBERS_MAX: Final = 64
"""Of a larger pool nobody lists, for each request, who was left out."""


class Course(msgspec.Struct):
    """The way a request takes: who asks what, which deployments serve it, the one that is to, and why, in a word.

    ``recovery`` is made when an attempt fails, ``trail`` where there is something to tell.
    """

    principal: Principal
    ask: Ask
    pool: Pool
    member: Member
    reason: str
    recovery: Recovery | None = None
    trail: Trail | None = None


def choose(ask: Ask, principal: Principal, house: House) -> Course:
    """The deployment that serves the request.

    Raises:
        Malformed: nobody serves that model (400, as LiteLLM), with the nearest name as a hint; or the request says
            itself where to go.
        Forbidden: the key may not use it.
        LimitReached: everything that serves it has failed lately.
    """
    take_rules(ask)
    pool = find_pool(ask.model, principal, house)
    if pool.only is not None:
        return Course(principal, ask, pool, pool.only, "only")
    trail = Trail()
    member, reason = pick(pool, wish_for(ask, principal), house, trail)
    return Course(principal, ask, pool, member, reason, trail=trail)


def pick(pool: Pool, wish: Wish, house: House, trail: Trail, tried: Collection[str] = ()) -> Pick:
    """One of several deployments, and why; what was decided is noted in ``trail``.

    Raises:
        LimitReached: none of them is to be had.
    """
    dropped: list[tuple[Member, str]] | None = [] if len(pool.members) <= _TOLD_MEMBERS_MAX else None
    member, reason = house.router.choose(pool, wish, house.clock.monotonic(), tried, dropped)
    trail.chose(pool, member, reason, dropped or ())
    return member, reason


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
        demand_access(principal, model, pool.name, pool.members[0].deployment.access_groups)
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
    )
