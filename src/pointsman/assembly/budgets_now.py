"""What Prometheus is told of whom calls are made for: what is left of their budgets, and what people call them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import nsmallest
from typing import TYPE_CHECKING, Final

from pointsman.policies.accounts import Account
from pointsman.telemetry.budgets import BUDGETS_SHOWN_MAX, BudgetNow
from pointsman.telemetry.rates import RATES_SHOWN_MAX, RateNow

if TYPE_CHECKING:
    from pointsman.assembly.gateway import Gateway

__all__ = ["budgets_now", "email_of", "name_of", "rates_now"]

_SECONDS_PER_HOUR: Final = 3600.0
_RATE_SCOPES: Final = ("key", "team", "project")
_SCOPES: Final = ("key", "team", "user", "organization", "customer", "provider")


def budgets_now(gateway: Gateway) -> list[BudgetNow]:
    """The budgets of those in memory, of each scope those of which least is left."""
    wall = gateway.clock.wall()
    everybody = _everybody(gateway)
    told: list[BudgetNow] = []
    for scope in _SCOPES:
        own = _budgets((one for one in everybody if one.scope == scope and not one.model), wall)
        told += nsmallest(BUDGETS_SHOWN_MAX, own, key=lambda one: one.left)
    return told


def rates_now(gateway: Gateway) -> list[RateNow]:
    """What those in memory may do in a minute, and did in the last one; of each scope those of which least is left."""
    second = int(gateway.clock.monotonic())
    everybody = _everybody(gateway)
    told: list[RateNow] = []
    for scope in _RATE_SCOPES:
        own = (rate for one in everybody if one.scope == scope for rate in _rates(one, second))
        told += nsmallest(RATES_SHOWN_MAX, own, key=lambda rate: rate.left)
    return told


def email_of(gateway: Gateway) -> Callable[[str], str]:
    """The address of the user of a key that is in memory, by the key's hash; empty: nobody knows."""

    def found(token: str) -> str:
        return gateway.keyring.email_of(token)

    return found


def name_of(gateway: Gateway) -> Callable[[str, str], str]:
    """What people call a team or an organisation that is in memory; empty: nobody knows."""

    def found(scope: str, identity: str) -> str:
        account = gateway.accounts.recalled(scope, identity)
        return "" if account is None or account.name == identity else account.name

    return found


def _everybody(gateway: Gateway) -> list[Account]:
    """Each of those in memory once: a key that has limits for single models is among the accounts, too."""
    found: dict[tuple[str, str, str], Account] = {}
    for one in (*gateway.keyring.principals(), *gateway.accounts.in_memory()):
        found.setdefault((one.scope, one.identity, one.model), one)
    return list(found.values())


def _rates(account: Account, second: int) -> Iterable[RateNow]:
    for one in (account, *account.models.values()):
        named = (account.scope, account.identity, account.name, one.model)
        if one.limits.rpm_limit is not None:
            yield RateNow(*named, "requests", one.limits.rpm_limit, one.requests.used(second))
        if one.limits.tpm_limit is not None:
            yield RateNow(*named, "tokens", one.limits.tpm_limit, one.tokens.used(second))
        for kind in one.kinds:
            yield RateNow(*named, f"{kind.kind}_tokens", kind.limits.tpm_limit or 0, kind.tokens.used(second))


def _budgets(accounts: Iterable[Account], wall: float) -> Iterable[BudgetNow]:
    for one in accounts:
        if one.budget is not None:
            hours = None if one.reset_at is None else max(0.0, (one.reset_at - wall) / _SECONDS_PER_HOUR)
            yield BudgetNow(one.scope, one.identity, one.name, one.budget, one.budget - one.spent, hours)
