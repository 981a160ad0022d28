"""Joining and leaving teams and organisations."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pointsman.admin.governance.entries import tell
from pointsman.admin.office import Office
from pointsman.admin.people.accounts import begin
from pointsman.admin.rights import team_members
from pointsman.core.errors import Malformed, NotFound
from pointsman.stores.charges import PROJECT
from pointsman.stores.directory.kinds import ORGANIZATION_MEMBERS, PROJECTS, TEAM_MEMBERS, TEAMS
from pointsman.stores.directory.ports import DirectoryQuery, EntryExists
from pointsman.stores.directory.records import (
    NO_LIMITS,
    Limits,
    MemberRole,
    OrganizationMember,
    Role,
    Team,
    TeamMember,
    User,
    member_id,
)
from pointsman.stores.ports import KeyQuery

__all__ = [
    "delete_keys_of",
    "disband_team",
    "existing_team",
    "join_organization",
    "join_team",
    "leave_organization",
    "leave_team",
]

_KEYS_AT_ONCE = 500
_PROJECTS_MAX = 10_000


async def existing_team(office: Office, team_id: str) -> Team:
    """The team with this id.

    Raises:
        NotFound: there is none.
    """
    team = await office.directory.get(TEAMS, team_id)
    if team is None:
        raise NotFound(
            f"Team not found, passed team_id={team_id}", hint="GET /team/list has all.", param="team_id",
            code="team_not_found",
        )  # fmt: skip
    return team


async def join_team(
    office: Office,
    team: Team,
    user: User,
    role: MemberRole,
    by: str,
    *,
    limits: Limits = NO_LIMITS,
    models: tuple[str, ...] = (),
) -> TeamMember:
    """Make the user a member of the team.

    Raises:
        Malformed: they are one already (400, as LiteLLM).
    """
    now = office.clock.wall()
    member = TeamMember(
        team_id=team.team_id,
        user_id=user.user_id,
        role=role,
        models=models or team.default_member_models,
        limits=limits,
        created_at=now,
        updated_at=now,
        created_by=by,
        updated_by=by,
    )
    identity = member_id(team.team_id, user.user_id)
    try:
        await office.directory.insert(TEAM_MEMBERS, member)
    except EntryExists:
        raise Malformed(
            f"User already in team. Member: user_id={user.user_id}, user_email={user.email}.",
            hint="POST /team/member_update changes a member.",
            param="member",
            code="team_member_already_in_team",
        ) from None
    await begin(office, "member", identity, limits if limits != NO_LIMITS else team.member_limits)
    tell(office, TEAM_MEMBERS, identity)
    return member


async def leave_team(office: Office, team_id: str, user_id: str, by: str) -> bool:
    """End a membership, and delete the keys that the member has in the team; whether there was one."""
    identity = member_id(team_id, user_id)
    if not await office.directory.delete(TEAM_MEMBERS, (identity,)):
        return False
    await office.spend.forget("member", identity)
    tell(office, TEAM_MEMBERS, identity)
    await delete_keys_of(office, KeyQuery(team_id=team_id, user_id=user_id), by)
    return True


async def disband_team(office: Office, team_id: str, by: str) -> None:
    """Delete a team with its keys, projects and memberships."""
    await delete_keys_of(office, KeyQuery(team_id=team_id), by)
    await _end_projects(office, team_id)
    identities = [member_id(team_id, member.user_id) for member in await team_members(office, team_id)]
    await office.directory.delete(TEAM_MEMBERS, identities)
    for identity in identities:
        await office.spend.forget("member", identity)
        tell(office, TEAM_MEMBERS, identity)
    await office.directory.delete(TEAMS, (team_id,))
    await office.spend.forget("team", team_id)
    tell(office, TEAMS, team_id)


async def _end_projects(office: Office, team_id: str) -> None:
    query = DirectoryQuery(parent=team_id, size=_PROJECTS_MAX)
    projects = [one.project_id for one in (await office.directory.find(PROJECTS, query)).records]
    await office.directory.delete(PROJECTS, projects)
    for project_id in projects:
        await office.spend.forget(PROJECT, project_id)
        tell(office, PROJECTS, project_id)


async def join_organization(
    office: Office, organization_id: str, user: User, role: Role, by: str, limits: Limits = NO_LIMITS
) -> OrganizationMember:
    """Make the user a member of the organisation.

    Raises:
        Malformed: they are one already.
    """
    now = office.clock.wall()
    member = OrganizationMember(
        organization_id=organization_id,
        user_id=user.user_id,
        role=role,
        limits=limits,
        created_at=now,
        updated_at=now,
        created_by=by,
        updated_by=by,
    )
    try:
        await office.directory.insert(ORGANIZATION_MEMBERS, member)
    except EntryExists:
        raise Malformed(
            f"User already in organization. Member: user_id={user.user_id}, user_email={user.email}.",
            hint="PATCH /organization/member_update changes a member.",
            param="member",
            code="organization_member_exists",
        ) from None
    identity = member_id(organization_id, user.user_id)
    await begin(office, "organization_member", identity, limits)
    tell(office, ORGANIZATION_MEMBERS, identity)
    return member


async def leave_organization(office: Office, organization_id: str, user_id: str) -> bool:
    """End a membership; whether there was one."""
    identity = member_id(organization_id, user_id)
    gone = await office.directory.delete(ORGANIZATION_MEMBERS, (identity,))
    if gone:
        await office.spend.forget("organization_member", identity)
        tell(office, ORGANIZATION_MEMBERS, identity)
    return bool(gone)


async def delete_keys_of(office: Office, query: KeyQuery, by: str) -> Sequence[str]:
    """Delete all keys that match; their hashes."""
    gone: list[str] = []
    query = msgspec.structs.replace(query, page=1, size=_KEYS_AT_ONCE, counted=False)
    while tokens := [record.token for record in (await office.keys.find(query)).records]:
        deleted = await office.keys.delete(tokens, office.clock.wall(), by)
        for token in deleted:
            office.on_key_change(token, None)
        gone += deleted
        if not deleted:
            break
    return gone
