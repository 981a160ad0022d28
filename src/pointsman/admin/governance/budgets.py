"""``/budget/…``: limits with a name, for several keys, customers, tags and teams; each has its own spending.

Source: LiteLLM 1.109.1, ``budget_management_endpoints.py``. There a budget without an id of its own gets a UUID, and
``budget_reset_at`` is when whoever has the budget is next reset.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta

from pointsman.admin.governance.entries import author, demand_printable, every, existing, replaced, tell
from pointsman.admin.governance.limit_fields import (
    BudgetFields,
    BudgetTable,
    ModelBudget,
    budget_table,
    changed_limits,
    first_reset,
)
from pointsman.admin.governance.noting import note
from pointsman.admin.governance.periods import budgets_named
from pointsman.admin.keys.requests import Label
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.timestamps import iso
from pointsman.core.clock import call_id
from pointsman.core.errors import Malformed
from pointsman.stores.directory.kinds import BUDGETS
from pointsman.stores.directory.ports import EntryExists
from pointsman.stores.directory.records import NO_LIMITS, Budget

__all__ = [
    "BudgetDeleteRequest",
    "BudgetInfoRequest",
    "BudgetRow",
    "BudgetSetting",
    "BudgetSettingsQuery",
    "NewBudgetRequest",
    "UpdateBudgetRequest",
    "budget_settings",
    "delete_budget",
    "list_budgets",
    "new_budget",
    "show_budgets",
    "update_budget",
]

_SETTINGS: Final = (
    ("max_budget", "Float", "Requests fail once this many US dollars are spent."),
    ("soft_budget", "Float", "An alert is sent once this many US dollars are spent; requests go on."),
    ("max_parallel_requests", "Integer", "Requests that may be under way at once."),
    ("tpm_limit", "Integer", "Tokens a minute."),
    ("rpm_limit", "Integer", "Requests a minute."),
    ("tpd_limit", "Integer", "Tokens a day."),
    ("budget_duration", "String", "After how long spending begins at nought again: 30s, 15m, 12h, 7d, 1mo."),
    ("model_max_budget", "Object", "What single models may cost and how often they may be asked."),
)


class NewBudgetRequest(BudgetFields, frozen=True, kw_only=True):
    """A budget; without an id it gets one."""

    budget_id: Label | None = None


class UpdateBudgetRequest(BudgetFields, frozen=True, kw_only=True):
    """Changes to a budget."""

    budget_id: Label


class BudgetInfoRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which budgets to show."""

    budgets: Annotated[tuple[Label, ...], Meta(min_length=1, max_length=1000)]


class BudgetDeleteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which budget to delete."""

    id: Label


class BudgetSettingsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which budget's settings to show."""

    budget_id: Label


class BudgetRow(BudgetTable, frozen=True, kw_only=True):
    """A budget as it is stored."""

    created_by: str | None
    updated_at: str
    updated_by: str | None


class BudgetSetting(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a budget, for forms (LiteLLM's ``ConfigList``)."""

    field_name: str
    field_type: str
    field_description: str
    field_value: float | str | dict[str, ModelBudget] | None
    stored_in_db: bool = True
    field_default_value: None = None
    editable: bool = True


async def new_budget(office: Office, visit: Visit[Nothing, NewBudgetRequest]) -> Answer:
    """Make a budget."""
    wanted, now, by = visit.body, office.clock.wall(), author(visit)
    demand_printable(budget_id=wanted.budget_id)
    budget = Budget(
        budget_id=wanted.budget_id or call_id(),
        limits=changed_limits(wanted, NO_LIMITS),
        created_at=now,
        updated_at=now,
        created_by=by,
        updated_by=by,
        extra=_pinned(office, wanted, msgspec.Raw(b"{}")),
    )
    try:
        await office.directory.insert(BUDGETS, budget)
    except EntryExists:
        raise Malformed(
            f"Budget with id '{budget.budget_id}' already exists.",
            hint="Change it with POST /budget/update.",
            param="budget_id",
        ) from None
    tell(office, BUDGETS, budget.budget_id)
    row = _row(office, budget)
    note(visit, "created", "LiteLLM_BudgetTable", budget.budget_id, before=None, after=row)
    return Answer(row)


async def update_budget(office: Office, visit: Visit[Nothing, UpdateBudgetRequest]) -> Answer:
    """Change what the request names, and leave the rest; it holds at once for everyone who has the budget."""
    wanted, now, by = visit.body, office.clock.wall(), author(visit)
    await existing(office, BUDGETS, wanted.budget_id, "budget_id", f"Budget {wanted.budget_id} does not exist.")

    def change(budget: Budget) -> Budget:
        return msgspec.structs.replace(
            budget,
            limits=changed_limits(wanted, budget.limits),
            extra=_pinned(office, wanted, budget.extra),
            updated_at=now,
            updated_by=by,
        )

    old, budget = await replaced(office, BUDGETS, wanted.budget_id, change)
    tell(office, BUDGETS, budget.budget_id)
    row = _row(office, budget)
    note(visit, "updated", "LiteLLM_BudgetTable", budget.budget_id, before=_row(office, old), after=row)
    return Answer(row)


async def show_budgets(office: Office, visit: Visit[Nothing, BudgetInfoRequest]) -> Answer:
    """Several budgets; those that do not exist are left out."""
    found = await budgets_named(office, visit.body.budgets)
    return Answer([_row(office, budget) for budget in found.values()])


async def list_budgets(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """All budgets."""
    return Answer([_row(office, budget) for budget in await every(office, BUDGETS)])


async def budget_settings(office: Office, visit: Visit[BudgetSettingsQuery, Nothing]) -> Answer:
    """The fields of a budget with their values and what they mean; of one that does not exist, without values."""
    budget = await office.directory.get(BUDGETS, visit.query.budget_id)
    row = _row(office, budget or Budget(budget_id=visit.query.budget_id))
    return Answer(
        [
            BudgetSetting(field_name=name, field_type=kind, field_description=said, field_value=getattr(row, name))
            for name, kind, said in _SETTINGS
        ]
    )


async def delete_budget(office: Office, visit: Visit[Nothing, BudgetDeleteRequest]) -> Answer:
    """Delete a budget; whoever has it is no longer bound by it."""
    identity = visit.body.id
    budget = await existing(office, BUDGETS, identity, "id", f"Budget {identity} does not exist.")
    await office.directory.delete(BUDGETS, (identity,))
    tell(office, BUDGETS, identity)
    row = _row(office, budget)
    note(visit, "deleted", "LiteLLM_BudgetTable", identity, before=row, after=None)
    return Answer(row)


class _Pinned(msgspec.Struct):
    budget_reset_at: float | None = None


def _pinned(office: Office, wanted: BudgetFields, extra: msgspec.Raw) -> msgspec.Raw:
    """The moment that the request itself names for the next reset; forgotten when the duration changes."""
    if isinstance(wanted.budget_reset_at, str):
        moment = first_reset(wanted, NO_LIMITS, office.clock.wall(), office.reset_clock)
        return msgspec.Raw(msgspec.json.encode(_Pinned(moment)))
    unsaid = wanted.budget_duration is UNSET and wanted.budget_reset_at is UNSET
    return extra if unsaid else msgspec.Raw(b"{}")


def _row(office: Office, budget: Budget) -> BudgetRow:
    now = office.clock.wall()
    pinned = msgspec.json.decode(budget.extra, type=_Pinned).budget_reset_at
    reset_at = pinned if pinned is not None and pinned > now else None
    if reset_at is None:
        reset_at = first_reset(BudgetFields(), budget.limits, now, office.reset_clock)
    shown = budget_table(budget.limits, budget.budget_id, reset_at, budget.created_at)
    return BudgetRow(
        **msgspec.structs.asdict(shown),
        created_by=budget.created_by,
        updated_at=iso(budget.updated_at),
        updated_by=budget.updated_by,
    )
