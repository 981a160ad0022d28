"""Whose limits a call has to keep where there are only keys: the key's own, those for single models among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pointsman.core.upstream import Ask, Deployment
from pointsman.policies.accounts import SYSTEM_CALENDAR, Account, Calendar
from pointsman.policies.bound import Bound, binding
from pointsman.policies.parties import Home
from pointsman.policies.principal import Principal

__all__ = ["KeyAccounts", "of_model"]

_BOUNDS_MAX: Final = 1_000


class KeyAccounts:
    """Finds the accounts of a call; what it found stays with the key until that is bound anew."""

    def __init__(self, calendar: Calendar = SYSTEM_CALENDAR) -> None:
        self.calendar = calendar
        self.is_failing: Callable[[str], bool] = lambda _group: True
        """Whether a model fails just now, so that limits of the type ``dynamic`` bind."""

    def bind_call(self, principal: Principal, deployment: Deployment) -> Bound | None:
        """All accounts that the key's calls to the deployment are bound by; None: by the key alone.

        Only what the key itself may do within a minute, at once, and with one budget, needs no more than that.
        """
        accounts = tuple(self._of_call(principal, deployment))
        bound = None
        if accounts or principal.is_special:
            bound = binding((principal, *accounts), no_budgets_of=principal.ties.no_budgets_of)
        if len(principal.bounds) >= _BOUNDS_MAX:
            principal.bounds.clear()
        principal.bounds[deployment.id] = bound
        return bound

    def alone(self, principal: Principal) -> Bound:
        """The key by itself, in the form of what binds others."""
        return binding((principal,))

    def home_of(self, ask: Ask) -> Home | None:
        """Where the request's customer is to be served; None: anywhere."""
        return None

    def of_request(self, principal: Principal, ask: Ask, deployment: Deployment) -> Bound | None:
        """The accounts that only the request names: its customer and its tags.

        Raises:
            Forbidden: the customer may not use the model, or is not to be served where the deployment is.
        """
        return None

    def knows(self, principal: Principal, ask: Ask) -> bool:
        """Whether all that the request names is in memory."""
        return True

    async def learn(self, principal: Principal, ask: Ask) -> None:
        """Find out about the customer and the tags of a request."""

    def demand_open(self, ask: Ask) -> None:
        """Raise if the request's customer is let in nowhere.

        Raises:
            Forbidden: the customer is blocked, or must be known and is not.
        """

    def _of_call(self, principal: Principal, deployment: Deployment) -> Iterable[Account]:
        accounts = principal.ties.accounts
        yield from accounts
        yield from of_model((principal, *accounts), deployment)
        groups = principal.ties.groups
        if groups:
            yield from (groups[name] for name in sorted(deployment.access_groups) if name in groups)
        for tag in principal.tags if principal.tag_rates else ():
            if tag in principal.tag_rates:
                yield from principal.tag_rates[tag]


def of_model(accounts: Iterable[Account], deployment: Deployment) -> Iterable[Account]:
    """Their accounts for just this model, where they have any."""
    group = deployment.group
    return (account.models[group] for account in accounts if group in account.models)
