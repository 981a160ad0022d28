"""From the model's name to a deployment: demand that it be ours to choose, resolve, demand access, pick."""

from __future__ import annotations

from pointsman.core.clock import draw
from pointsman.core.errors import Malformed
from pointsman.core.upstream import Ask, Deployment
from pointsman.lifecycle.house import House
from pointsman.policies.access import demand_access
from pointsman.policies.parameters import take_rules
from pointsman.policies.principal import Principal
from pointsman.routing.pick import weighted_shuffle

__all__ = ["choose"]


def choose(ask: Ask, principal: Principal, house: House) -> Deployment:
    """The deployment that serves the request.

    Raises:
        Malformed: nobody serves that model (400, as LiteLLM), with the nearest name as a hint; or the request says
            itself where to go.
        Forbidden: the key may not use it.
    """
    take_rules(ask)
    name = principal.record.aliases.get(ask.model, ask.model) if principal.record.aliases else ask.model
    group = house.table.resolve(name)
    if group is None:
        raise Malformed(
            f"The model {ask.model!r} is not served here.",
            hint=house.manners.suggest(ask.model),
            code="model_not_found",
            param="model",
        )
    members = group.deployments
    if not principal.unrestricted:
        demand_access(principal, ask.model, group.name, members[0].access_groups)
    return members[0] if len(members) == 1 else weighted_shuffle(members, draw)
