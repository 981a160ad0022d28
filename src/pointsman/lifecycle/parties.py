"""The customer and the tags that a request names, found out about before it is let in."""

from __future__ import annotations

from pointsman.core.eager import become_task
from pointsman.core.upstream import Ask
from pointsman.lifecycle.house import House
from pointsman.policies.principal import Principal

__all__ = ["meet_parties"]


async def meet_parties(ask: Ask, principal: Principal, house: House) -> None:
    """Have in memory what binds those whom the request names.

    Raises:
        Forbidden: the customer is blocked, or must be known and is not.
    """
    accounts = house.admission.accounts
    if not accounts.knows(principal, ask):
        await become_task()
        await accounts.learn(principal, ask)
    accounts.demand_open(ask)
