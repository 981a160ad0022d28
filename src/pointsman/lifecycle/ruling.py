"""What the operator's rules, and a request's own headers, say about one request."""

from __future__ import annotations

import msgspec

from pointsman.core.errors import Forbidden
from pointsman.core.exchange import RequestHead
from pointsman.core.rules import RoutingRules
from pointsman.core.upstream import Ask
from pointsman.lifecycle.house import House
from pointsman.policies.principal import Principal
from pointsman.routing.rules.book import Rulebook
from pointsman.routing.rules.facts import NO_CONTENT, Facts, content_of
from pointsman.routing.rules.ruling import NO_DEMANDS, Demands, Ruling
from pointsman.routing.strategies import STRATEGIES

__all__ = ["demand_unrefused", "demands_of", "facts_of", "rule"]


def rule(ask: Ask, principal: Principal, house: House, head: RequestHead | None) -> Ruling:
    """What is ruled for the request."""
    rulebook = house.router.settings.rulebook
    own = ask.routing if ask.routing is not None and ask.routing.demands_something else None
    ruling = Ruling() if rulebook is None else rulebook.judge(facts_of(ask, principal, house, head, rulebook))
    return ruling if own is None else msgspec.structs.replace(ruling, demands=_joined(ruling.demands, own))


def demand_unrefused(ruling: Ruling) -> None:
    """Raise if a rule refuses the request.

    Raises:
        Forbidden: with the operator's own words.
    """
    if ruling.refuse is not None:
        raise Forbidden(ruling.refuse, code="refused_by_rule", kind="auth_error")


def demands_of(ruling: Ruling) -> Demands | None:
    """What deployments must be like; None, as with most: as they are."""
    return None if ruling.demands == NO_DEMANDS else ruling.demands


def facts_of(ask: Ask, principal: Principal, house: House, head: RequestHead | None, rulebook: Rulebook) -> Facts:
    """What rules can see of the request; what none of them looks at is not looked for."""
    record = principal.record
    headers: dict[str, str] = {}
    if rulebook.headers and head is not None:
        for name, value in head.headers:
            text = name.decode("latin-1")
            if text in rulebook.headers:
                headers.setdefault(text, value.decode("latin-1"))
    return Facts(
        model=ask.model,
        key=record.token,
        key_alias=record.key_alias,
        team=record.team_id,
        user=record.user_id,
        end_user=ask.end_user,
        tags=frozenset((*record.tags, *(() if ask.routing is None else ask.routing.tags))),
        prompt_tokens=ask.prompt_estimate,
        output_limit=ask.output_limit,
        stream=ask.stream,
        budget_used=_budget_used(principal),
        wall=house.clock.wall(),
        headers=headers,
        content=content_of(ask.fields) if rulebook.reads_content else NO_CONTENT,
    )


def _budget_used(principal: Principal) -> float:
    budget = principal.budget
    if budget is None:
        return 0.0
    return principal.held / budget if budget else 1.0


def _joined(demands: Demands, own: RoutingRules) -> Demands:
    """The operator's preference comes first, and the lower bound of the two counts."""
    max_cost, cost_by = demands.max_cost, demands.cost_by
    if own.max_cost is not None and (max_cost is None or own.max_cost < max_cost):
        max_cost, cost_by = own.max_cost, ""
    prefer = demands.prefer or own.prefer
    return msgspec.structs.replace(
        demands,
        prefer=prefer,
        max_cost=max_cost,
        cost_by=cost_by,
        region=own.region,
        strategy=demands.strategy or (own.strategy if own.strategy in STRATEGIES else ""),
        filters_by_tags=own.filters_by_tags,
    )
