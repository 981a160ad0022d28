"""What the audit log is told of one user, team, organisation or membership: the entry before and after."""

from __future__ import annotations

import msgspec

from pointsman.admin.amounts import usd
from pointsman.admin.change import Change, ChangeAction, TableName
from pointsman.stores.directory.records import Limits, Organization, OrganizationMember, Team, TeamMember, User

__all__ = ["change_of"]

_MONEY = ("max_budget", "soft_budget", "temp_budget_increase")
_Person = User | Team | Organization | TeamMember | OrganizationMember


def change_of(
    action: ChangeAction, before: _Person | None, after: _Person | None = None, *, by: str | None = None
) -> Change:
    """The change of one entry; None: it was not there, or is no more. A membership is its team's or organisation's."""
    table, identity = _place(after if before is None else before)
    return Change(
        action=action, table_name=table, object_id=identity, before=_shown(before), after=_shown(after), by=by
    )


def _place(named: _Person | None) -> tuple[TableName, str]:
    match named:
        case Team() | TeamMember():
            return "LiteLLM_TeamTable", named.team_id
        case Organization() | OrganizationMember():
            return "LiteLLM_OrganizationTable", named.organization_id
        case User():
            return "LiteLLM_UserTable", named.user_id
        case None:
            return "LiteLLM_UserTable", ""


def _shown(record: _Person | None) -> dict[str, object] | None:
    """The entry without its password, its amounts in USD."""
    if record is None:
        return None
    # Fields by their values, since raw JSON among them is written as it stands.
    found = {name: value for name, value in msgspec.structs.asdict(record).items() if name != "password"}
    limits: Limits = record.limits
    return {**found, "limits": {**msgspec.to_builtins(limits), **_amounts(limits)}}


def _amounts(limits: Limits) -> dict[str, object]:
    amounts: dict[str, object] = {
        name: usd(getattr(limits, name)) for name in _MONEY if getattr(limits, name) is not None
    }
    if limits.budget_limits:
        amounts["budget_limits"] = [
            {"duration": one.duration, "max_budget": usd(one.max_budget)} for one in limits.budget_limits
        ]
    if limits.model_limits:
        amounts["model_limits"] = {
            model: {**msgspec.to_builtins(one), "max_budget": usd(one.max_budget)}
            for model, one in limits.model_limits.items()
        }
    return amounts
