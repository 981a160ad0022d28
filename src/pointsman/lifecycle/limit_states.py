"""The limits that a request is held to, and what is left of them, for whoever asks why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pointsman.core.errors import Refused
from pointsman.core.price import dollars
from pointsman.core.upstream import Ask, Deployment
from pointsman.lifecycle.explanation import LimitState
from pointsman.lifecycle.house import House
from pointsman.policies.accounts import Account
from pointsman.policies.principal import Principal

__all__ = ["limit_states"]


def limit_states(
    principal: Principal, ask: Ask, deployment: Deployment | None, house: House, second: int
) -> tuple[LimitState, ...]:
    """Those of all that the request would be made for, the key's first; without a ``deployment`` the key's alone.

    Customers and tags that the request names are told of if they are in memory.
    """
    settings = house.admission.settings
    told: list[Account] = [principal]
    if deployment is not None:
        try:
            bound = house.admission.bound(principal, ask, deployment)
        except Refused:  # the customer may not use the model, which is told elsewhere
            bound = principal.bounds.get(deployment.id)
        told += [] if bound is None else [one for one in (*bound.purses, *bound.rated) if one is not principal]
    states = [state for account in dict.fromkeys(told) for state in _states(account, second)]
    if principal.parallel is None and settings.parallel_per_key is not None:
        states.append(_state("key", "parallel_requests", settings.parallel_per_key, principal.in_flight))
    if settings.parallel_overall is not None:
        states.append(
            _state("gateway", "parallel_requests_overall", settings.parallel_overall, house.admission.in_flight)
        )
    return tuple(states)


def _states(account: Account, second: int) -> Iterator[LimitState]:
    whose = _whose(account)
    if account.budget is not None:
        yield _money(whose, "budget_usd", account.budget, account.held)
    for window in account.windows:
        held = window.spent + account.reserved * account.share
        yield _money(whose, f"budget_usd_per_{window.duration}", window.budget, held)
    rates = (
        ("requests_per_minute", account.rpm, account.requests.used(second)),
        ("tokens_per_minute", account.tpm, account.tokens.used(second)),
        ("tokens_per_day", account.tpd, 0 if account.day is None else account.day.used(second)),
        ("parallel_requests", account.parallel, account.in_flight),
    )
    yield from _rates(whose, rates)
    for kind in account.kinds:
        yield from _rates(whose, [(f"{kind.kind}_tokens_per_minute", kind.tpm, kind.tokens.used(second))])


def _rates(whose: str, rates: Iterable[tuple[str, int | None, int]]) -> Iterator[LimitState]:
    return (_state(whose, name, limit, used) for name, limit, used in rates if limit is not None)


def _state(whose: str, name: str, limit: int, used: int) -> LimitState:
    return LimitState(name, limit, used, max(0, limit - used), whose)


def _money(whose: str, name: str, budget: int, held: int) -> LimitState:
    return LimitState(name, dollars(budget), dollars(held), dollars(max(0, budget - held)), whose)


def _whose(account: Account) -> str:
    whose = account.scope if account.scope in {"key", "global"} else f"{account.scope} {account.name}"
    return f"{whose}, model {account.model}" if account.model else whose
