"""What the audit log is told of changes of users, teams and organisations: their rows before and after."""

from __future__ import annotations

from typing import Any

import msgspec

from pointsman.admin.change import ChangeAction
from pointsman.admin.governance.noting import note
from pointsman.admin.people.fields import usd
from pointsman.admin.route import Visit
from pointsman.stores.directory.records import Limits, Organization, OrganizationMember, Team, TeamMember, User

__all__ = ["note_member", "note_organization", "note_team", "note_user"]

_MONEY = ("max_budget", "soft_budget", "temp_budget_increase")


def note_user(visit: Visit[Any, Any], action: ChangeAction, before: User | None, after: User | None = None) -> None:
    """One user was changed; None: they were not there, or are no more."""
    named = before or after
    identity = "" if named is None else named.user_id
    note(visit, action, "LiteLLM_UserTable", identity, before=_shown(before), after=_shown(after))


def note_team(visit: Visit[Any, Any], action: ChangeAction, before: Team | None, after: Team | None = None) -> None:
    """One team was changed, likewise."""
    named = before or after
    identity = "" if named is None else named.team_id
    note(visit, action, "LiteLLM_TeamTable", identity, before=_shown(before), after=_shown(after))


def note_organization(
    visit: Visit[Any, Any], action: ChangeAction, before: Organization | None, after: Organization | None = None
) -> None:
    """One organisation was changed, likewise."""
    named = before or after
    identity = "" if named is None else named.organization_id
    note(visit, action, "LiteLLM_OrganizationTable", identity, before=_shown(before), after=_shown(after))


def note_member(
    visit: Visit[Any, Any],
    action: ChangeAction,
    before: TeamMember | OrganizationMember | None,
    after: TeamMember | OrganizationMember | None = None,
) -> None:
    """One membership was changed, which is a change of the team or the organisation."""
    named = before or after
    if isinstance(named, TeamMember):
        note(visit, action, "LiteLLM_TeamTable", named.team_id, before=_shown(before), after=_shown(after))
    elif named is not None:
        identity = named.organization_id
        note(visit, action, "LiteLLM_OrganizationTable", identity, before=_shown(before), after=_shown(after))


def _shown(record: User | Team | Organization | TeamMember | OrganizationMember | None) -> dict[str, object] | None:
    """The entry without its password, its amounts in USD."""
    if record is None:
        return None
    # Fields by their values, since raw JSON among them is written as it stands.
    found = {name: value for name, value in msgspec.structs.asdict(record).items() if name != "password"}
    limits: Limits = record.limits
    return {**found, "limits": {**msgspec.to_builtins(limits), **_amounts(limits)}}


def _amounts(limits: Limits) -> dict[str, object]:
    amounts: dict[str, object] = {name: usd(value) for name in _MONEY if (value := getattr(limits, name)) is not None}
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
