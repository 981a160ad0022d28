"""Which deployments of a pool meet what is demanded of them for one request."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from math import inf

import msgspec

from pointsman.accounting.expected import cost_bound
from pointsman.core.errors import Forbidden, GatewayError, Malformed
from pointsman.core.price import dollars
from pointsman.core.upstream import Deployment
from pointsman.routing.expectation import wait_at
from pointsman.routing.pool import Member, Pool, Tier
from pointsman.routing.residency import LoadBook
from pointsman.routing.rules.ruling import NO_DEMANDS, Demands, Restriction
from pointsman.routing.wish import Wish

__all__ = ["OWN_WISH", "permitted", "preferred"]

OWN_WISH = "x-pointsman-max-cost"
"""What bounds the cost where no rule does: the request's own header."""

_Dropped = list[tuple[Member, str]]


def permitted(pool: Pool, demands: Demands, wish: Wish, dropped: _Dropped | None = None) -> Pool:
    """The pool of those that may serve the request at all; the others are added to ``dropped``.

    Raises:
        Forbidden: the operator's rules leave none.
        Malformed: the request itself leaves none.
    """
    left: list[Member] = []
    out: _Dropped = []
    for member in pool.members:
        reason = _forbidden(member.deployment, demands, wish)
        if reason:
            out.append((member, reason))
        else:
            left.append(member)
    if dropped is not None:
        dropped += out
    if not out:
        return pool
    if not left:
        raise _nobody(pool, demands, wish)
    tiers = [msgspec.structs.replace(tier, members=_of(tier, left), sampler=None) for tier in pool.tiers]
    kept = tuple(tier for tier in tiers if tier.members)
    return msgspec.structs.replace(pool, members=tuple(left), only=None, tiers=kept, by_tags={})


def preferred(
    found: Sequence[Member], wish: Wish, now: float, loads: LoadBook, dropped: _Dropped | None = None
) -> Sequence[Member]:
    """Those of ``found`` that are liked best, at least one of them; the others are added to ``dropped``."""
    demands, left = wish.demands or NO_DEMANDS, found
    if demands.max_latency is not None:
        # Who is fast enough is as good as the others that are; if nobody is, the fastest.
        sizes = [max(_seconds(each, now, loads), demands.max_latency) for each in left]
        left = _keep(left, _least(left, sizes), "slow", dropped)
    if demands.prefer == "local":
        most = inf if demands.local_wait_max is None else demands.local_wait_max
        soon = [each for each in left if wait_at(each, now, loads).total <= most]
        near = [each for each in soon if each.deployment.local]
        left = _keep(left, near or soon, "not local" if near else "busy", dropped)
    elif demands.prefer == "cheap":
        left = _keep(left, _least(left, [_cost(each.deployment, wish) for each in left]), "dearer", dropped)
    elif demands.prefer == "fast":
        left = _keep(left, _least(left, [_seconds(each, now, loads) for each in left]), "slower", dropped)
    return left


def _of(tier: Tier, left: Collection[Member]) -> tuple[Member, ...]:
    ids = {member.deployment.id for member in left}
    return tuple(member for member in tier.members if member.deployment.id in ids)


def _keep(found: Sequence[Member], left: Sequence[Member], reason: str, dropped: _Dropped | None) -> Sequence[Member]:
    """``left``, unless nobody is."""
    if not left or len(left) == len(found):
        return found
    if dropped is not None:
        kept = {member.deployment.id for member in left}
        dropped += [(member, reason) for member in found if member.deployment.id not in kept]
    return left


def _least(found: Sequence[Member], sizes: Iterable[float]) -> Sequence[Member]:
    measured = list(zip(sizes, found, strict=True))
    least = min(size for size, _ in measured)
    return [member for size, member in measured if size == least]


def _seconds(member: Member, now: float, loads: LoadBook) -> float:
    """Until the end of the answer, as answers were lately; what was never tried counts as quick, and so is tried."""
    return wait_at(member, now, loads).total + member.live.latency


def _cost(deployment: Deployment, wish: Wish) -> float:
    cost = cost_bound(deployment, wish.prompt_tokens, wish.output_limit, wish.choices, dearest=False)
    return inf if cost is None else cost


def _forbidden(deployment: Deployment, demands: Demands, wish: Wish) -> str:
    """Why it must not serve the request; empty: it may."""
    for only in demands.only:
        if not _within(deployment, only):
            return f"rule {only.rule}"
    if demands.region is not None and deployment.region != demands.region:
        return f"region {deployment.region or 'unknown'}"
    if demands.max_cost is None:
        return ""
    cost = cost_bound(deployment, wish.prompt_tokens, wish.output_limit, wish.choices, dearest=False)
    if cost is None:
        return "price unknown"
    return f"costs {_usd(cost)}" if cost > demands.max_cost else ""


def _within(deployment: Deployment, only: Restriction) -> bool:
    return (
        (not only.tags or not only.tags.isdisjoint(deployment.tags))
        and (not only.providers or deployment.provider in only.providers)
        and (not only.deployments or deployment.id in only.deployments)
        and (only.local is None or deployment.local is only.local)
    )


def _nobody(pool: Pool, demands: Demands, wish: Wish) -> GatewayError:
    within = [each.deployment for each in pool.members if all(_within(each.deployment, one) for one in demands.only)]
    if within and demands.region is not None:
        within = [deployment for deployment in within if deployment.region == demands.region]
        if not within:
            return Malformed(
                f"No deployment of {pool.name!r} is in the region {demands.region!r}.",
                hint="Ask a model that is served there; the operator says where deployments are with region_name.",
                code="no_deployment_in_region",
                param="allowed_model_region",
            )
    if not within or demands.max_cost is None:
        rules = ", ".join(only.rule for only in demands.only)
        return Forbidden(
            f"No deployment of {pool.name!r} may serve this request by the rules of this gateway ({rules}).",
            hint="POST /routing/explain tells what each deployment lacks.",
            code="no_deployment_permitted",
        )
    least = min(_cost(deployment, wish) for deployment in within)
    told = "nobody knows what it would cost" if least == inf else f"it would cost about {_usd(int(least))} at least"
    message = f"No deployment of {pool.name!r} serves this request for {_usd(demands.max_cost)}: {told}."
    hint = "Ask a cheaper model, shorten the prompt, or set max_tokens lower."
    if demands.cost_by:
        return Forbidden(message, hint=hint, code="max_cost_exceeded")
    return Malformed(message, hint=hint, code="max_cost_exceeded", param=OWN_WISH)


def _usd(picodollars: int) -> str:
    return f"{dollars(picodollars):.6g} USD"
