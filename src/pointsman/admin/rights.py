"""What somebody may see and change of the objects that the management API keeps: the one place that decides it.

A route's scope says who may knock; this says what they find. Administrators may do everything, their viewers see
everything, everybody else sees and changes what they own or administer: themselves, their keys, their teams. How much
may be given away is for :mod:`pointsman.admin.grants` to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from pointsman.admin.office import Office
from pointsman.core.errors import Forbidden
from pointsman.core.identity import KeyRecord
from pointsman.policies.principal import Principal
from pointsman.stores.directory.kinds import ORGANIZATION_MEMBERS, TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.directory.records import (
    MemberRole,
    OrganizationMember,
    Project,
    Role,
    Team,
    TeamMember,
    User,
    member_id,
)

__all__ = [
    "DEFAULT_MEMBER_PERMISSIONS",
    "MEMBER_PERMISSIONS",
    "Rights",
    "caller_role",
    "demand",
    "demand_change_of_key",
    "demand_change_of_project",
    "demand_changes",
    "demand_sight_of_key",
    "demand_sight_of_user",
    "org_members",
    "overseen_teams",
    "oversees_team",
    "rights_of",
    "sees_key",
    "sees_project",
    "sees_team_keys",
    "team_members",
    "visible_users",
]

_MEMBERSHIPS_MAX: Final = 10_000

_OPERATORS: Final = frozenset({Role.ADMIN, Role.VIEWER})
_CHANGERS: Final = frozenset({Role.ADMIN, Role.ORGANIZATION_ADMIN, Role.USER})

_ROLES_IN_TEAMS: Final = {
    Role.ADMIN: Role.USER,
    Role.VIEWER: Role.USER_VIEWER,
    Role.ORGANIZATION_ADMIN: Role.USER,
    Role.USER: Role.USER,
    Role.USER_VIEWER: Role.USER_VIEWER,
    Role.TEAM: Role.TEAM,
    Role.CUSTOMER: Role.CUSTOMER,
}
"""What is left of a role where a key belongs to a team."""

MEMBER_PERMISSIONS: Final = (
    "/key/generate", "/key/service-account/generate", "/key/update", "/key/delete", "/key/regenerate",
    "/key/{key_id}/regenerate", "/key/block", "/key/unblock", "/key/bulk_update", "/team/key/bulk_update",
    "/key/{key_id}/reset_spend", "/key/access_group_assignment", "/key/info", "/key/health", "/key/list",
    "/key/aliases", "/team/daily/activity", "/team/daily/activity/aggregated", "/spend/logs", "/spend/logs/v2",
)  # fmt: skip
"""What a team can let its members do (LiteLLM's ``KeyManagementRoutes``)."""

DEFAULT_MEMBER_PERMISSIONS: Final = ("/key/info", "/key/health")
"""What members may do where their team says nothing."""

_ALSO: Final = {"/key/regenerate": "/key/{key_id}/regenerate"}
"""Two names of one permission."""


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: the role for the whole gateway, and what they are in teams and organisations, by id.

    ``token`` is the key that asks. ``user_id`` is None where there is no such user: a key that only bears a name has
    no more rights than one without. ``team_id`` is the team that the key belongs to, to which its rights are confined.
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
        return self.role in _OPERATORS

    @property
    def changes(self) -> bool:
        """Whether anything may be changed; viewers, and keys that are nobody's, change nothing."""
        return self.role in _CHANGERS

    @property
    def administered_teams(self) -> tuple[str, ...]:
        """The teams in which they are an admin."""
        return tuple(team for team, role in self.teams.items() if role == "admin")

    @property
    def administered_organizations(self) -> tuple[str, ...]:
        """The organisations of which they are an admin."""
        return tuple(one for one, role in self.organizations.items() if role is Role.ORGANIZATION_ADMIN)

    def administers_organization(self, organization_id: str | None) -> bool:
        """Whether the teams and members of the organisation may be changed."""
        return self.is_admin or (
            self.changes
            and organization_id is not None
            and self.organizations.get(organization_id) is Role.ORGANIZATION_ADMIN
        )

    def administers_team(self, team: Team) -> bool:
        """Whether the team's members and keys may be changed."""
        return (self.changes and self.teams.get(team.team_id) == "admin") or self.administers_organization(
            team.organization_id
        )

    def sees_organization(self, organization_id: str) -> bool:
        """Whether the organisation may be looked at."""
        return self.sees_all or organization_id in self.organizations

    def sees_team(self, team: Team) -> bool:
        """Whether the team may be looked at."""
        return (
            self.sees_all
            or team.team_id in self.teams
            or team.team_id == self.team_id
            or self.organizations.get(team.organization_id or "") is Role.ORGANIZATION_ADMIN
        )

    def sees_user(self, user_id: str) -> bool:
        """Whether the user may be looked at, whatever teams they share."""
        return self.sees_all or (self.user_id is not None and user_id == self.user_id)

    def owns(self, user_id: str | None, team_id: str | None) -> bool:
        """Whether a key of this user and this team is theirs; for a key of a team only those of that team are."""
        return self.user_id is not None and user_id == self.user_id and self.team_id in {None, team_id}

    def permitted(self, team: Team, path: str) -> bool:
        """Whether the team lets them do this with its keys: as its admin, or as a member with the permission."""
        if self.administers_team(team):
            return True
        if team.team_id not in self.teams:
            return False
        permissions = DEFAULT_MEMBER_PERMISSIONS if team.member_permissions is None else team.member_permissions
        return path in permissions or _ALSO.get(path) in permissions


async def caller_role(office: Office, caller: Principal) -> Role:
    """The role of a caller for the whole gateway, as the directory has it now.

    Raises:
        Forbidden: the user is blocked.
        StorageUnavailable: nobody can say.
    """
    if caller.admin:
        return Role.ADMIN
    user = await _user_of(office, caller)
    if user is None:
        return Role.TEAM
    return user.role if caller.record.team_id is None else _ROLES_IN_TEAMS[user.role]


async def rights_of(office: Office, caller: Principal) -> Rights:
    """The rights of a caller, as the directory has them now.

    Raises:
        Forbidden: the user is blocked.
        StorageUnavailable: nobody can say.
    """
    record = caller.record
    if caller.admin:
        return Rights(role=Role.ADMIN, token=record.token, user_id=record.user_id)
    user = await _user_of(office, caller)
    if user is None:
        return Rights(role=Role.TEAM, token=record.token, team_id=record.team_id)
    if record.team_id is not None:
        return await _rights_in_team(office, user, record.token, record.team_id)
    query = DirectoryQuery(owner=user.user_id, size=_MEMBERSHIPS_MAX)
    teams = await office.directory.find(TEAM_MEMBERS, query)
    organizations = await office.directory.find(ORGANIZATION_MEMBERS, query)
    return Rights(
        role=user.role,
        token=record.token,
        user_id=user.user_id,
        teams={member.team_id: member.role for member in teams.records},
        organizations={member.organization_id: member.role for member in organizations.records},
    )


async def _rights_in_team(office: Office, user: User, token: str, team_id: str) -> Rights:
    """The rights of a key of a team: its user's within that team, and nothing of what they are elsewhere.

    The team's admins make keys for its members, and must not thereby become what those are.
    """
    member = await office.directory.get(TEAM_MEMBERS, member_id(team_id, user.user_id))
    return Rights(
        role=_ROLES_IN_TEAMS[user.role],
        token=token,
        user_id=user.user_id,
        team_id=team_id,
        teams={} if member is None else {team_id: member.role},
    )


async def _user_of(office: Office, caller: Principal) -> User | None:
    user_id = caller.record.user_id
    user = None if user_id is None else await office.directory.get(USERS, user_id)
    if user is not None and user.blocked:
        raise Forbidden(
            "This user is blocked.", hint="Ask the operator to unblock them.", code="user_blocked", kind="auth_error"
        )
    return user


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


def demand_changes(rights: Rights) -> None:
    """Raise for those who change nothing at all.

    Raises:
        Forbidden: viewers, and keys without a user.
    """
    if not rights.changes:
        who = "has no user that is known here" if rights.user_id is None else f"has the role {rights.role.value}"
        raise Forbidden(
            f"This key {who}, and may not change anything.",
            hint="Use a key of a user who may, or the master key.",
            kind="auth_error",
        )


# -- keys ---------------------------------------------------------------------------------------------


async def demand_sight_of_key(office: Office, rights: Rights, token: str, record: KeyRecord | None) -> None:
    """Raise unless the key with this hash may be looked at; ``record`` is None where there is none.

    Raises:
        Forbidden: alike for keys that exist and keys that do not, so that nobody can find out which do.
    """
    if rights.sees_all or token == rights.token:
        return
    sees = record is not None and await sees_key(office, rights, record)
    demand(sees, "look at this key")


async def demand_change_of_key(office: Office, rights: Rights, record: KeyRecord | None, path: str) -> bool:
    """Raise unless the key may be changed in the way of this path; whether they administer it beyond owning it.

    Raises:
        Forbidden: as for :func:`demand_sight_of_key`.
    """
    if rights.is_admin:
        return True
    demand_changes(rights)
    team = await _team_of(office, record)
    if team is not None and rights.administers_team(team):
        return True
    if record is not None and _is_of_organization(record) and rights.administers_organization(_organization_of(record)):
        return True
    mine = record is not None and rights.owns(record.user_id, record.team_id)
    if record is not None and record.team_id is not None:
        # The keys of other members are none of a member's business; those of nobody are the team's.
        mine = (mine or record.user_id is None) and team is not None and rights.permitted(team, path)
    demand(mine, "change this key")
    return False


async def sees_team_keys(office: Office, rights: Rights, team_id: str, path: str = "/key/list") -> bool:
    """Whether all keys of a team may be listed in the way of this path."""
    if rights.sees_all:
        return True
    team = await office.directory.get(TEAMS, team_id)
    return team is not None and (_oversees(rights, team) or rights.permitted(team, path))


async def sees_key(office: Office, rights: Rights, record: KeyRecord) -> bool:
    """Whether the key may be looked at."""
    if rights.sees_all or record.token == rights.token or rights.owns(record.user_id, record.team_id):
        return True
    if rights.organizations.get(_organization_of(record) or "") is Role.ORGANIZATION_ADMIN:
        return True
    team = await _team_of(office, record)
    return team is not None and (_oversees(rights, team) or rights.permitted(team, "/key/info"))


async def overseen_teams(office: Office, rights: Rights, paths: Iterable[str] = ()) -> frozenset[str]:
    """Their teams in which they see what everybody does: as an admin, or since the team permits one of these paths."""
    found = await office.directory.look_up([(TEAMS, team_id) for team_id in rights.teams])
    return frozenset(
        team.team_id
        for team in found
        if team is not None and (_oversees(rights, team) or any(rights.permitted(team, path) for path in paths))
    )


async def oversees_team(office: Office, rights: Rights, team_id: str | None) -> bool:
    """Whether they see what everybody does in that team, as its admin or as one of its organisation."""
    team = None if team_id is None else await office.directory.get(TEAMS, team_id)
    return team is not None and _oversees(rights, team)


def _oversees(rights: Rights, team: Team) -> bool:
    return (
        rights.teams.get(team.team_id) == "admin"
        or rights.organizations.get(team.organization_id or "") is Role.ORGANIZATION_ADMIN
    )


async def _team_of(office: Office, record: KeyRecord | None) -> Team | None:
    if record is None or record.team_id is None:
        return None
    return await office.directory.get(TEAMS, record.team_id)


class _Charged(msgspec.Struct):
    organization_id: str | None = None


_decode_charged: Final = msgspec.json.Decoder(_Charged).decode


def _is_of_organization(record: KeyRecord) -> bool:
    """Whether the key is nobody's and no team's: one of a user is that user, wherever it is charged."""
    return record.user_id is None and record.team_id is None


def _organization_of(record: KeyRecord) -> str | None:
    return _decode_charged(record.extra).organization_id


# -- projects -----------------------------------------------------------------------------------------


async def demand_change_of_project(office: Office, rights: Rights, team_id: str | None, what: str) -> None:
    """Raise unless projects of this team may be made and changed; None: there is no such project, or it is no team's.

    Raises:
        Forbidden: alike for teams and projects that exist and those that do not.
    """
    if rights.is_admin:
        return
    demand_changes(rights)
    team = None if team_id is None else await office.directory.get(TEAMS, team_id)
    demand(team is not None and rights.administers_team(team), what)


async def sees_project(office: Office, rights: Rights, project: Project) -> bool:
    """Whether the project may be looked at: by whoever sees its team."""
    if rights.sees_all:
        return True
    team = None if project.team_id is None else await office.directory.get(TEAMS, project.team_id)
    return team is not None and rights.sees_team(team)


# -- users --------------------------------------------------------------------------------------------


async def demand_sight_of_user(office: Office, rights: Rights, user_id: str) -> None:
    """Raise unless the user may be looked at: themselves, or a member of a team or organisation they administer.

    Raises:
        Forbidden: alike for users that exist and users that do not.
    """
    if rights.sees_user(user_id):
        return
    wanted = [(TEAM_MEMBERS, member_id(team, user_id)) for team in rights.administered_teams]
    wanted += [(ORGANIZATION_MEMBERS, member_id(one, user_id)) for one in rights.administered_organizations]  # type: ignore[misc]
    found = await office.directory.look_up(wanted)
    demand(any(found), "look at this user")


async def visible_users(office: Office, rights: Rights) -> frozenset[str] | None:
    """The users that may be listed: all (None), or the members of what they administer.

    Raises:
        Forbidden: they administer nothing.
    """
    if rights.sees_all:
        return None
    teams, organizations = rights.administered_teams, rights.administered_organizations
    demand(bool(teams or organizations), "list users")
    found = set() if rights.user_id is None else {rights.user_id}
    for team in teams:
        found |= {member.user_id for member in await team_members(office, team)}
    for one in organizations:
        found |= {member.user_id for member in await org_members(office, one)}
    return frozenset(found)


async def team_members(office: Office, team_id: str) -> tuple[TeamMember, ...]:
    """The members of a team, the longest first."""
    query = DirectoryQuery(parent=team_id, size=_MEMBERSHIPS_MAX, sort_order="asc")
    return (await office.directory.find(TEAM_MEMBERS, query)).records


async def org_members(office: Office, organization_id: str) -> tuple[OrganizationMember, ...]:
    """The members of an organisation, the longest first."""
    query = DirectoryQuery(parent=organization_id, size=_MEMBERSHIPS_MAX, sort_order="asc")
    return (await office.directory.find(ORGANIZATION_MEMBERS, query)).records
