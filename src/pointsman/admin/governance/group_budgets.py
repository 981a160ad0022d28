"""``/access_group/{access_group}/budget``: what those together may spend who were given a group of models by its name.

Source: LiteLLM 1.109.1, ``model_access_group_management_endpoints.py``. A call is charged to a group where the key, its
team, the member, the project or the organisation names the group among its models; to ask for a model that merely is in
it charges nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from pointsman.admin.amounts import usd
from pointsman.admin.governance.entries import author, every, tell
from pointsman.admin.governance.grouping import demand_group
from pointsman.admin.governance.limit_fields import BudgetFields, changed_limits
from pointsman.admin.governance.noting import note
from pointsman.admin.governance.periods import budgets_named, joined_limits, spent_by
from pointsman.admin.keys.lookup import flushed
from pointsman.admin.keys.requests import Dollars, Duration, Label
from pointsman.admin.office import Office
from pointsman.admin.people.accounts import begin
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.timestamps import iso_or_none
from pointsman.core.clock import call_id
from pointsman.core.errors import Malformed, Unsupported
from pointsman.core.price import dollars
from pointsman.stores.charges import MODEL_GROUP
from pointsman.stores.directory.kinds import BUDGETS, MODEL_GROUP_BUDGETS
from pointsman.stores.directory.records import NO_LIMITS, Budget, ModelGroupBudget

__all__ = [
    "ClearedGroupBudgetReply",
    "GroupBudget",
    "GroupBudgetReply",
    "GroupBudgetRequest",
    "clear_group_budget",
    "forget_group_budget",
    "group_budgets",
    "set_group_budget",
    "show_group_budget",
]

_TABLE: Final = "LiteLLM_AccessGroupTable"


class GroupBudgetRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The budget that the group is to have: the one called ``budget_id``, or one of its own."""

    budget_id: Label | None = None
    max_budget: Dollars | UnsetType | None = UNSET
    soft_budget: Dollars | UnsetType | None = UNSET
    budget_duration: Duration | UnsetType | None = UNSET


class GroupBudget(msgspec.Struct, frozen=True):
    """A budget as groups show it (LiteLLM's ``AccessGroupBudget``)."""

    budget_id: str
    max_budget: float | None
    soft_budget: float | None
    budget_duration: str | None
    budget_reset_at: str | None


class GroupBudgetReply(msgspec.Struct, frozen=True):
    """What the group has spent and may spend; null: it has no budget."""

    access_group: str
    spend: float
    budget: GroupBudget | None


class ClearedGroupBudgetReply(msgspec.Struct, frozen=True):
    """Whether the group had a budget."""

    access_group: str
    budget_deleted: bool
    message: str


async def show_group_budget(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """The budget of a group, and what was spent of it."""
    name = visit.path["access_group"]
    await demand_group(office, name)
    await flushed(office)
    return Answer((await group_budgets(office, (name,)))[name])


async def set_group_budget(office: Office, visit: Visit[Nothing, GroupBudgetRequest]) -> Answer:
    """Give a group a budget, or change the one that it has."""
    name, wanted, by, now = visit.path["access_group"], visit.body, author(visit), office.clock.wall()
    _demand_known(visit.fields)
    await demand_group(office, name)
    before = await office.directory.get(MODEL_GROUP_BUDGETS, name)
    shown = (await group_budgets(office, (name,)))[name]
    budget = await _budget(office, None if before is None else before.budget_id, wanted, now, by)

    def change(one: ModelGroupBudget) -> ModelGroupBudget:
        return msgspec.structs.replace(one, budget_id=budget.budget_id, updated_at=now, updated_by=by)

    if before is None:
        entry = change(ModelGroupBudget(name=name, created_at=now, created_by=by))
        await office.directory.insert(MODEL_GROUP_BUDGETS, entry)
    else:
        entry = await office.directory.update(MODEL_GROUP_BUDGETS, name, change)
    await begin(office, MODEL_GROUP, name, joined_limits(entry.limits, budget))
    tell(office, MODEL_GROUP_BUDGETS, name)
    row = (await group_budgets(office, (name,)))[name]
    note(visit, "created" if before is None else "updated", _TABLE, name, before=shown, after=row)
    return Answer(row)


async def clear_group_budget(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Take the budget away from a group, and forget what was spent of it."""
    name = visit.path["access_group"]
    await demand_group(office, name)
    shown = (await group_budgets(office, (name,)))[name]
    gone = await forget_group_budget(office, name)
    if gone:
        note(visit, "deleted", _TABLE, name, before=shown, after=None)
    told = f"Budget for access group '{name}' deleted successfully"
    return Answer(
        ClearedGroupBudgetReply(name, gone, told if gone else f"Access group '{name}' has no budget to delete")
    )


async def forget_group_budget(office: Office, name: str) -> bool:
    """Take the budget away from a group, and forget what was spent of it; whether there was one."""
    gone = bool(await office.directory.delete(MODEL_GROUP_BUDGETS, (name,)))
    if gone:
        await office.spend.forget(MODEL_GROUP, name)
        tell(office, MODEL_GROUP_BUDGETS, name)
    return gone


async def group_budgets(office: Office, names: Iterable[str]) -> Mapping[str, GroupBudgetReply]:
    """What these groups have spent and may spend, by name."""
    wanted = tuple(dict.fromkeys(names))
    known = {one.name: one for one in await every(office, MODEL_GROUP_BUDGETS)}
    budgets = await budgets_named(office, [one.budget_id for one in known.values()])
    spent = await spent_by(office, MODEL_GROUP, wanted)
    found: dict[str, GroupBudgetReply] = {}
    for name in wanted:
        entry = known.get(name)
        if entry is None:
            found[name] = GroupBudgetReply(name, 0.0, None)
            continue
        limits = joined_limits(entry.limits, budgets.get(entry.budget_id or ""))
        budget = GroupBudget(
            entry.budget_id or "", usd(limits.max_budget), usd(limits.soft_budget), limits.budget_duration,
            iso_or_none(spent[name].reset_at),
        )  # fmt: skip
        found[name] = GroupBudgetReply(name, dollars(spent[name].amount), budget)
    return found


def _demand_known(body: Mapping[str, msgspec.Raw]) -> None:
    for name in body:
        if name not in GroupBudgetRequest.__struct_fields__:
            raise Unsupported(
                f"{name} is nothing that a group of models can have.",
                hint="Limits of rates are for keys, teams, projects and models.",
                param=name,
            )
    if not any(bytes(raw) != b"null" for raw in body.values()):
        raise Malformed("One of max_budget, soft_budget, budget_duration or budget_id is required", param="max_budget")


async def _budget(office: Office, known: str | None, wanted: GroupBudgetRequest, now: float, by: str) -> Budget:
    """The budget that the group is to have, written down.

    Raises:
        Malformed: the request names one that is not there; or a duration is none.
    """
    named = wanted.budget_id or known
    found = (await budgets_named(office, (named,))).get(named or "")
    if wanted.budget_id and found is None:
        raise Malformed(
            f"There is no budget {wanted.budget_id!r}.", hint="Make it with POST /budget/new.", param="budget_id"
        )
    said = BudgetFields(
        max_budget=wanted.max_budget, soft_budget=wanted.soft_budget, budget_duration=wanted.budget_duration
    )
    if found is None:
        budget = Budget(
            budget_id=call_id(), limits=changed_limits(said, NO_LIMITS), created_at=now, updated_at=now, created_by=by
        )
        await office.directory.insert(BUDGETS, budget)
    elif changed_limits(said, found.limits) == found.limits:
        return found
    else:
        budget = await office.directory.update(
            BUDGETS,
            found.budget_id,
            lambda old: msgspec.structs.replace(
                old, limits=changed_limits(said, old.limits), updated_at=now, updated_by=by
            ),
        )
    tell(office, BUDGETS, budget.budget_id)
    return budget
