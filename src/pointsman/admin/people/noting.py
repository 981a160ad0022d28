"""What the audit log is told of changes of users, teams and organisations: their rows before and after."""

from __future__ import annotations

from typing import Any

from pointsman.admin.change import ChangeAction
from pointsman.admin.people.entry_changes import change_of
from pointsman.admin.route import Visit
from pointsman.stores.directory.records import Organization, OrganizationMember, Team, TeamMember, User

__all__ = ["note_member", "note_organization", "note_team", "note_user"]


def note_user(visit: Visit[Any, Any], action: ChangeAction, before: User | None, after: User | None = None) -> None:
    """One user was changed; None: they were not there, or are no more."""
    visit.changes.append(change_of(action, before, after))


def note_team(visit: Visit[Any, Any], action: ChangeAction, before: Team | None, after: Team | None = None) -> None:
    """One team was changed, likewise."""
    visit.changes.append(change_of(action, before, after))


def note_organization(
    visit: Visit[Any, Any], action: ChangeAction, before: Organization | None, after: Organization | None = None
) -> None:
    """One organisation was changed, likewise."""
    visit.changes.append(change_of(action, before, after))


def note_member(
    visit: Visit[Any, Any],
    action: ChangeAction,
    before: TeamMember | OrganizationMember | None,
    after: TeamMember | OrganizationMember | None = None,
) -> None:
    """One membership was changed, likewise."""
    visit.changes.append(change_of(action, before, after))
