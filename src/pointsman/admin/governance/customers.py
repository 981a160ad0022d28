"""``/customer/…`` and ``/end_user/…``: whom the operator's own service answers, named by requests in ``user``.

Source: LiteLLM 1.109.1, ``customer_endpoints.py``. A limit that is given here binds this one customer and goes before
that of the budget it has; LiteLLM changes the budget, and with it everybody who has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pointsman.admin.governance.entries import author, demand_printable, existing, replaced, tell
from pointsman.admin.governance.limit_fields import (
    BudgetFields,
    BudgetTable,
    budget_table,
    changed_limits,
    first_reset,
    says_limits,
)
from pointsman.admin.governance.noting import note
from pointsman.admin.governance.periods import begin_periods, budgets_named, joined_limits, spent_by
from pointsman.admin.keys.lookup import flushed
from pointsman.admin.keys.requests import Dollars, Label, ModelName
from pointsman.admin.keys.restrictions import not_enforced_header
from pointsman.admin.office import Office
from pointsman.admin.permission_fields import is_ignorable
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Malformed, NotFound, Unsupported
from pointsman.core.price import dollars, picodollars
from pointsman.stores.directory.kinds import CUSTOMERS
from pointsman.stores.directory.ports import DirectoryQuery, EntryExists, Meter, Spent
from pointsman.stores.directory.records import NO_LIMITS, Budget, Customer

__all__ = [
    "BlockedCustomersReply",
    "CustomerIdsRequest",
    "CustomerInfoQuery",
    "CustomerListQuery",
    "CustomerRow",
    "DeletedCustomersReply",
    "NewCustomerRequest",
    "UpdateCustomerRequest",
    "block_customers",
    "customer_info",
    "delete_customers",
    "list_customers",
    "new_customer",
    "unblock_customers",
    "update_customer",
]

_Ids = Annotated[tuple[Label, ...], Meta(min_length=1, max_length=1000)]


class _CustomerFields(BudgetFields, frozen=True, kw_only=True):
    """What can be said about a customer."""

    alias: Label | UnsetType | None = UNSET
    blocked: bool | UnsetType = UNSET
    budget_id: Label | UnsetType | None = UNSET
    default_model: ModelName | UnsetType | None = UNSET
    models: tuple[ModelName, ...] | UnsetType | None = UNSET
    allowed_model_region: Literal["eu", "us"] | UnsetType | None = UNSET
    object_permission: dict[str, msgspec.Raw] | UnsetType | None = UNSET
    metadata: dict[str, msgspec.Raw] | UnsetType | None = UNSET


class NewCustomerRequest(_CustomerFields, frozen=True, kw_only=True):
    """A customer; ``spend`` is what they have spent before."""

    user_id: Label
    spend: Dollars | None = None


class UpdateCustomerRequest(_CustomerFields, frozen=True, kw_only=True):
    """Changes to a customer. No ``models`` (null): they stay; none of them (``[]``): all are allowed again."""

    user_id: Label


class CustomerIdsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Several customers."""

    user_ids: _Ids


class CustomerInfoQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which customer."""

    end_user_id: Label


class CustomerListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A page of customers in the order of their ids; ``search`` may occur in id or alias."""

    page: Annotated[int, Meta(ge=1, le=2**31)] = 1
    page_size: Annotated[int, Meta(ge=1, le=100)] = 50
    search: str | None = None


class CustomerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A customer (LiteLLM's ``CustomerResponse``). ``litellm_budget_table`` is what binds them, taken together."""

    user_id: str
    blocked: bool
    alias: str | None
    spend: float
    allowed_model_region: str | None
    default_model: str | None
    models: tuple[str, ...]
    budget_id: str | None
    litellm_budget_table: BudgetTable | None
    object_permission_id: None = None
    object_permission: msgspec.Raw | None = None


class DeletedCustomersReply(msgspec.Struct, frozen=True):
    """How many are gone."""

    deleted_customers: int
    message: str


class BlockedCustomersReply(msgspec.Struct, frozen=True):
    """Those that the request named, as they are now."""

    blocked_users: tuple[CustomerRow, ...]


async def new_customer(office: Office, visit: Visit[Nothing, NewCustomerRequest]) -> Answer:
    """Make a customer."""
    wanted, now, by = visit.body, office.clock.wall(), author(visit)
    demand_printable(user_id=wanted.user_id)
    await _demand_heeded(office, wanted)
    blank = Customer(customer_id=wanted.user_id, created_at=now, created_by=by)
    customer = _changed(blank, wanted, now, by)
    try:
        await office.directory.insert(CUSTOMERS, customer)
    except EntryExists:
        raise Malformed(
            f"Customer already exists, passed user_id={wanted.user_id}. Please pass a new user_id.",
            hint="Change the one that is there with POST /customer/update.",
            param="user_id",
        ) from None
    if wanted.spend:
        await office.spend.set_amount(Meter("customer", customer.customer_id), picodollars(wanted.spend))
    await _begin(office, customer, wanted)
    tell(office, CUSTOMERS, customer.customer_id)
    row = (await _rows(office, (customer,)))[0]
    note(visit, "created", "LiteLLM_EndUserTable", row.user_id, before=None, after=row)
    return Answer(row, headers=_unheeded(wanted))


async def customer_info(office: Office, visit: Visit[CustomerInfoQuery, Nothing]) -> Answer:
    """One customer."""
    identity = visit.query.end_user_id
    customer = await existing(office, CUSTOMERS, identity, "end_user_id", _unknown(identity))
    await flushed(office)
    return Answer((await _rows(office, (customer,)))[0])


async def update_customer(office: Office, visit: Visit[Nothing, UpdateCustomerRequest]) -> Answer:
    """Change what the request names, and leave the rest."""
    wanted, now, by = visit.body, office.clock.wall(), author(visit)
    await existing(office, CUSTOMERS, wanted.user_id, "user_id", _unknown(wanted.user_id))
    await _demand_heeded(office, wanted)
    old, customer = await replaced(office, CUSTOMERS, wanted.user_id, lambda one: _changed(one, wanted, now, by))
    before = (await _rows(office, (old,)))[0]
    if says_limits(wanted) or wanted.budget_id is not UNSET:
        await _begin(office, customer, wanted)
    tell(office, CUSTOMERS, customer.customer_id)
    row = (await _rows(office, (customer,)))[0]
    note(visit, "updated", "LiteLLM_EndUserTable", row.user_id, before=before, after=row)
    return Answer(row, headers=_unheeded(wanted))


async def delete_customers(office: Office, visit: Visit[Nothing, CustomerIdsRequest]) -> Answer:
    """Delete customers, all that are named or none. What their calls cost stays in the ledger."""
    wanted = tuple(dict.fromkeys(visit.body.user_ids))
    found = await office.directory.look_up([(CUSTOMERS, identity) for identity in wanted])
    missing = [identity for identity, customer in zip(wanted, found, strict=True) if customer is None]
    if missing:
        said = f"End User Id(s)={', '.join(missing)} do not exist in db"
        raise NotFound(said, param="user_ids", code="customer_not_found")
    rows = await _rows(office, tuple(customer for customer in found if isinstance(customer, Customer)))
    await office.directory.delete(CUSTOMERS, wanted)
    for row in rows:
        await office.spend.forget("customer", row.user_id)
        tell(office, CUSTOMERS, row.user_id)
        note(visit, "deleted", "LiteLLM_EndUserTable", row.user_id, before=row, after=None)
    named = f"Successfully deleted customers with ids: {list(visit.body.user_ids)}"
    return Answer(DeletedCustomersReply(len(wanted), named))


async def list_customers(office: Office, visit: Visit[CustomerListQuery, Nothing]) -> Answer:
    """A page of customers."""
    query = visit.query
    await flushed(office)
    page = await office.directory.find(
        CUSTOMERS,
        DirectoryQuery(
            search=query.search or None, page=query.page, size=query.page_size, sort_by="id", sort_order="asc"
        ),
    )
    return Answer(await _rows(office, page.records))


async def block_customers(office: Office, visit: Visit[Nothing, CustomerIdsRequest]) -> Answer:
    """Refuse the requests of these customers; those that are not known yet are made, so that they are refused too."""
    return Answer(BlockedCustomersReply(await _set_blocked(office, visit, blocked=True)))


async def unblock_customers(office: Office, visit: Visit[Nothing, CustomerIdsRequest]) -> Answer:
    """Take the requests of these customers again."""
    return Answer(BlockedCustomersReply(await _set_blocked(office, visit, blocked=False)))


async def _set_blocked(
    office: Office, visit: Visit[Nothing, CustomerIdsRequest], *, blocked: bool
) -> tuple[CustomerRow, ...]:
    now, by = office.clock.wall(), author(visit)
    customers = []
    for identity in dict.fromkeys(visit.body.user_ids):
        demand_printable(user_ids=identity)
        made = Customer(customer_id=identity, blocked=True, created_at=now, updated_at=now, created_by=by)
        if blocked and await _inserted(office, made):
            customers.append(made)
        else:
            await existing(office, CUSTOMERS, identity, "user_ids", _unknown(identity))
            customers.append(await office.directory.update(CUSTOMERS, identity, _blocker(blocked, now, by)))
        tell(office, CUSTOMERS, identity)
    rows = await _rows(office, tuple(customers))
    for row in rows:
        note(visit, "blocked" if blocked else "unblocked", "LiteLLM_EndUserTable", row.user_id, before=None, after=row)
    return rows


async def _inserted(office: Office, customer: Customer) -> bool:
    """Add the customer; False: there is one already, who stays as they are."""
    try:
        await office.directory.insert(CUSTOMERS, customer)
    except EntryExists:
        return False
    return True


def _blocker(blocked: bool, now: float, by: str) -> Callable[[Customer], Customer]:  # noqa: FBT001 - what the customer's field becomes
    return lambda before: msgspec.structs.replace(before, blocked=blocked, updated_at=now, updated_by=by)


def _changed(customer: Customer, wanted: _CustomerFields, now: float, by: str) -> Customer:
    found: dict[str, object] = {}
    for name in ("alias", "blocked", "budget_id", "default_model", "allowed_model_region"):
        value = getattr(wanted, name)
        if value is not UNSET:
            found[name] = value if isinstance(value, bool) else value or None
    if isinstance(wanted.models, tuple):
        found["models"] = wanted.models
    if wanted.metadata is not UNSET:
        found["metadata"] = msgspec.Raw(msgspec.json.encode(wanted.metadata or {}))
    if wanted.object_permission is not UNSET:
        kept = {"object_permission": wanted.object_permission} if wanted.object_permission else {}
        found["extra"] = msgspec.Raw(msgspec.json.encode(kept))
    limits = changed_limits(wanted, customer.limits)
    return msgspec.structs.replace(customer, limits=limits, updated_at=now, updated_by=by, **found)


def _permissions(wanted: _CustomerFields) -> object:
    return msgspec.json.decode(msgspec.json.encode(wanted.object_permission))


def _says_permissions(wanted: _CustomerFields) -> bool:
    return isinstance(wanted.object_permission, dict) and bool(wanted.object_permission)


def _unheeded(wanted: _CustomerFields) -> tuple[tuple[str, str], ...]:
    return not_enforced_header(("object_permission",) if _says_permissions(wanted) else ())


async def _begin(office: Office, customer: Customer, wanted: BudgetFields) -> None:
    limits = joined_limits(customer.limits, await _budget(office, customer.budget_id))
    reset_at = first_reset(wanted, limits, office.clock.wall(), office.reset_clock)
    await begin_periods(office, "customer", customer.customer_id, limits, reset_at)


async def _budget(office: Office, identity: str | None) -> Budget | None:
    return (await budgets_named(office, (identity,))).get(identity or "")


async def _demand_heeded(office: Office, wanted: _CustomerFields) -> None:
    """Raise where the request says what would not be heeded, or what is not there."""
    if _says_permissions(wanted) and not is_ignorable("object_permission", _permissions(wanted)):
        raise Unsupported(
            "object_permission is not enforced for customers, and a restriction that is ignored would be a hole.",
            hint="Leave it out; models says which models a customer may use.",
            param="object_permission",
        )
    if isinstance(wanted.budget_id, str) and await _budget(office, wanted.budget_id) is None:
        raise Malformed(
            f"There is no budget {wanted.budget_id!r}.", hint="Make it with POST /budget/new.", param="budget_id"
        )
    if isinstance(wanted.default_model, str) and office.table().resolve(wanted.default_model) is None:
        raise Malformed(
            f"Default Model not on proxy. Default_model={wanted.default_model}.",
            hint="GET /v1/models lists what there is.",
            status=422,
            param="default_model",
        )


async def _rows(office: Office, customers: tuple[Customer, ...]) -> tuple[CustomerRow, ...]:
    spent = await spent_by(office, "customer", [customer.customer_id for customer in customers])
    budgets = await budgets_named(office, [customer.budget_id for customer in customers])
    return tuple(
        _row(customer, budgets.get(customer.budget_id or ""), spent[customer.customer_id]) for customer in customers
    )


def _row(customer: Customer, budget: Budget | None, spent: Spent) -> CustomerRow:
    limits = joined_limits(customer.limits, budget)
    made_at = customer.created_at if budget is None else budget.created_at
    shown = (
        None
        if limits == NO_LIMITS and budget is None
        else budget_table(limits, customer.budget_id, spent.reset_at, made_at)
    )
    return CustomerRow(
        user_id=customer.customer_id,
        blocked=customer.blocked,
        alias=customer.alias,
        spend=dollars(spent.amount),
        allowed_model_region=customer.allowed_model_region,
        default_model=customer.default_model,
        models=customer.models,
        budget_id=customer.budget_id,
        litellm_budget_table=shown,
        object_permission=msgspec.json.decode(customer.extra, type=dict[str, msgspec.Raw]).get("object_permission"),
    )


def _unknown(identity: str) -> str:
    return f"End User Id={identity} does not exist in db"
