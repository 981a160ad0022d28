"""Customers and tags: those whom only a request names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pointsman.core.errors import Forbidden
from pointsman.policies.accounts import Account, merged
from pointsman.policies.bound import Bound
from pointsman.policies.gates import Gate, gate_of
from pointsman.policies.general_limits import GeneralLimits
from pointsman.policies.tying import Directory, MakeAccount
from pointsman.stores.charges import KEY_CUSTOMER
from pointsman.stores.directory.kinds import BUDGETS, CUSTOMERS, TAGS, Kind
from pointsman.stores.directory.ports import Changed
from pointsman.stores.directory.records import NO_LIMITS, Budget, Customer, Limits, Tag, member_id, member_of

__all__ = ["Home", "Party", "budgeted", "find_parties", "not_at_home"]


class Home(msgspec.Struct, frozen=True):
    """The region that alone may serve a customer, and the model for what nobody there serves; None: that is refused."""

    region: str
    default_model: str | None = None


class Party(msgspec.Struct):
    """One of them. ``account`` is None without limits, ``shut`` says why it is let in nowhere.

    ``home`` None: it may be served anywhere. ``is_own``: the account has limits of the customer's own, and not those of
    everybody. ``bounds`` keeps, by model group, what its calls are bound by.
    """

    account: Account | None
    gate: Gate | None = None
    shut: str | None = None
    home: Home | None = None
    is_own: bool = False
    sources: tuple[Changed, ...] = ()
    bounds: dict[str, Bound] = msgspec.field(default_factory=dict)


def not_at_home(home: Home) -> Forbidden:
    """The refusal of a customer's request that would be served elsewhere than in its region."""
    return Forbidden(
        f"The requests of this customer are served in the region {home.region!r} only.",
        hint="Ask a model that is served there; the operator says where deployments are with region_name.",
        code="customer_region",
        kind="auth_error",
    )


async def find_parties(
    names: Sequence[tuple[str, str]], directory: Directory, limits: GeneralLimits, make: MakeAccount
) -> dict[tuple[str, str], Party | None]:
    """What the directory has of them, by scope ("customer", "tag") and id; None: nothing binds them.

    Raises:
        StorageUnavailable: it cannot say.
    """
    kinds: dict[str, Kind[Any]] = {"customer": CUSTOMERS, "tag": TAGS, KEY_CUSTOMER: BUDGETS}
    kept = {name: _budget_of(name) for name in names if name[0] == KEY_CUSTOMER}
    entries = await directory.look_up([(kinds[name[0]], kept.get(name, name[1])) for name in names])
    records = dict(zip(names, entries, strict=True))
    usual = limits.customer_budget_id
    budget_ids = {
        record.budget_id
        for (scope, _), record in records.items()
        if scope != KEY_CUSTOMER and record is not None and record.budget_id
    }
    if usual is not None and any(scope == "customer" for scope, _ in names):
        budget_ids.add(usual)
    budgets = await directory.budgets(budget_ids)
    return {name: _party(name, record, budgets, limits, make) for name, record in records.items()}


def budgeted(budget_id: str, customer: str) -> tuple[str, str]:
    """The customer as those keys serve it that bring this budget for whoever has none; scope and id."""
    return KEY_CUSTOMER, member_id(budget_id, customer)


def _budget_of(name: tuple[str, str]) -> str:
    return member_of(name[1])[0]


def _party(
    name: tuple[str, str],
    record: Customer | Tag | Budget | None,
    budgets: dict[str, Budget],
    limits: GeneralLimits,
    make: MakeAccount,
) -> Party | None:
    scope, identity = name
    if scope == "customer":
        return _customer(identity, record if isinstance(record, Customer) else None, budgets, limits, make)
    if scope == "tag":
        return _tag(identity, record if isinstance(record, Tag) else None, budgets, limits, make)
    source = Changed(BUDGETS.name, _budget_of(name))
    if record is None or record.limits == NO_LIMITS:
        return Party(None, sources=(source,))
    return Party(make(scope, identity, member_of(identity)[1], record.limits), sources=(source,))


def _customer(
    identity: str,
    record: Customer | None,
    budgets: dict[str, Budget],
    limits: GeneralLimits,
    make: MakeAccount,
) -> Party | None:
    if record is None and limits.knows_customers:
        return Party(None, shut=f"The customer {identity!r} is not known here.")
    own = NO_LIMITS if record is None else merged(record.limits, _of(budgets, record.budget_id))
    is_own = own != NO_LIMITS
    if not is_own:
        own = _of(budgets, limits.customer_budget_id) if limits.customer_budget_id in budgets else limits.customers
    gate = None if record is None else gate_of("customer", identity, record.models)
    shut = f"The customer {identity!r} is blocked." if record is not None and record.blocked else None
    home = None
    if record is not None and record.allowed_model_region is not None:
        home = Home(record.allowed_model_region, record.default_model)
    if own == NO_LIMITS and gate is None and shut is None and home is None:
        return None
    account = None if own == NO_LIMITS else make("customer", identity, identity, own)
    return Party(account, gate, shut, home, is_own, _sources(budgets))


def _tag(
    identity: str, record: Tag | None, budgets: dict[str, Budget], limits: GeneralLimits, make: MakeAccount
) -> Party | None:
    own = NO_LIMITS if record is None else merged(record.limits, _of(budgets, record.budget_id))
    own = merged(own, limits.tags.get(identity, NO_LIMITS))
    return None if own == NO_LIMITS else Party(make("tag", identity, identity, own), sources=_sources(budgets))


def _of(budgets: dict[str, Budget], budget_id: str | None) -> Limits:
    budget = None if budget_id is None else budgets.get(budget_id)
    return NO_LIMITS if budget is None else budget.limits


def _sources(budgets: dict[str, Budget]) -> tuple[Changed, ...]:
    return tuple(Changed(BUDGETS.name, budget_id) for budget_id in budgets)
