"""What somebody may see and change of the objects that the management API keeps: the one place that decides it.

A route's scope says who may knock; this says what they find. Administrators may do everything, their viewers see
everything, everybody else sees and changes what they own or administer: themselves, their keys, their teams.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.admin.office import Office
from pointsman.core.errors import Forbidden
from pointsman.policies.principal import Principal
from pointsman.stores.directory.kinds import ORGANIZATION_MEMBERS, TEAM_MEMBERS, USERS
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.directory.records import MemberRole, Role, Team

__all__ = ["Rights", "demand", "rights_of"]

_MEMBERSHIPS_MAX: Final = 10_000


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: the role for the whole gateway, and what they are in teams and organisations, by id.

    ``token`` is the key that asks.
    """

    role: Role
    token: str
    user_id: str | None = None
    team_id: str | None = None
    teams: Mapping[str, MemberRole] = {}
    organizations: Mapping[str, Role] = {}

    @property
    def is_admin(self) -> bool:
        """Whether everything may be changed."""
        return self.role is Role.ADMIN

    @property
    def sees_all(self) -> bool:
        """Whether everything may be seen."""
        return self.role in {Role.ADMIN, Role.VIEWER}

    def administers_organization(self, organization_id: str | None) -> bool:
        """Whether the teams and members of the organisation may be changed."""
        return self.is_admin or (
            organization_id is not None and self.organizations.get(organization_id) is Role.ORGANIZATION_ADMIN
        )

    def administers_team(self, team: Team) -> bool:
        """Whether the team's members, keys and limits may be changed."""
        return self.teams.get(team.team_id) == "admin" or self.administers_organization(team.organization_id)

    def sees_team(self, team: Team) -> bool:
        """Whether the team may be looked at."""
        return self.sees_all or team.team_id in {*self.teams, self.team_id} or self.administers_team(team)

    def sees_user(self, user_id: str) -> bool:
        """Whether the user may be looked at."""
        return self.sees_all or user_id == self.user_id


async def rights_of(office: Office, caller: Principal) -> Rights:
    """The rights of a caller, as the directory has them now.

    Raises:
        StorageUnavailable: nobody can say.
    """
    record = caller.record
    if caller.admin:
        return Rights(role=Role.ADMIN, token=record.token, user_id=record.user_id)
    if record.user_id is None:
        return Rights(role=Role.TEAM, token=record.token, team_id=record.team_id)
    user = await office.directory.get(USERS, record.user_id)
    query = DirectoryQuery(owner=record.user_id, size=_MEMBERSHIPS_MAX)
    teams = await office.directory.find(TEAM_MEMBERS, query)
    organizations = await office.directory.find(ORGANIZATION_MEMBERS, query)
    return Rights(
        role=Role.USER if user is None else user.role,
        token=record.token,
        user_id=record.user_id,
        team_id=record.team_id,
        teams={member.team_id: member.role for member in teams.records},
        organizations={member.organization_id: member.role for member in organizations.records},
    )


def demand(may: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence: demand(rights.sees_team(team), "...")
    """Raise unless it may be done; ``what`` completes "You may not".

    Raises:
        Forbidden: alike for what exists and what does not, if it is asked before that is found out.
    """
    if not may:
        raise Forbidden(
            f"You may not {what}.",
            hint="Ask an administrator of the team, of the organisation or of the gateway.",
            kind="auth_error",
        )
