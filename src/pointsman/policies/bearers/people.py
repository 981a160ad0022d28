"""Whom the directory knows of those that tokens speak of, and who is added to it because a token does."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.config.jwt_sections import JwtAuth
from pointsman.core.clock import Clock
from pointsman.core.errors import Forbidden
from pointsman.policies.bearers.claims import Claimant
from pointsman.policies.bearers.noting import Entries
from pointsman.stores.directory.kinds import ORGANIZATIONS, TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.ports import DirectoryQuery, EntryExists
from pointsman.stores.directory.records import Organization, Role, Team, TeamMember, User, member_id

__all__ = ["Resolved", "resolve"]

_BY: Final = "jwt"
"""Who made an entry, as its ``created_by`` has it."""
_TEAMS_MAX: Final = 10_000


class Resolved(msgspec.Struct, frozen=True):
    """The entries behind a claimant; ``role`` is theirs here."""

    role: Role
    user: User | None
    team: Team | None
    organization_id: str | None

    @property
    def models(self) -> tuple[str, ...]:
        """The models that the team, or without one the user, may use; empty: all."""
        if self.team is not None:
            return self.team.models
        return () if self.user is None else self.user.models


async def resolve(claimant: Claimant, rules: JwtAuth, directory: Entries, clock: Clock) -> Resolved:
    """Find, and as far as the rules say so make or change, the entries of a claimant.

    Raises:
        Forbidden: somebody is not known, or is blocked.
        StorageUnavailable: nobody can say.
    """
    role = Role(claimant.role)
    user = await _user(claimant, rules, directory, clock)
    team = await _team(claimant, user, rules, directory, clock)
    organization_id = await _organization(claimant, directory)
    if organization_id is None and team is not None:
        organization_id = team.organization_id
    if user is not None and user.blocked:
        raise _refused("This user is blocked.", "user_blocked")
    if team is not None and team.blocked:
        raise _refused("This team is blocked.", "team_blocked")
    if user is not None and rules.sync_user_role_and_teams:
        user = await _with_role(user, role, directory, clock)
        await _follow_teams(user, claimant, directory, clock)
    elif user is not None and team is not None and rules.upsert_sso_user_to_team:
        await _add_member(directory, team.team_id, user.user_id, clock)
    return Resolved(role, user, team, organization_id)


async def _user(claimant: Claimant, rules: JwtAuth, directory: Entries, clock: Clock) -> User | None:
    user_id = claimant.user_id
    if user_id is None:
        if claimant.email is None:
            return None
        found = await directory.find(USERS, DirectoryQuery(alias=claimant.email, size=2))
        if found.total == 1:
            return found.records[0]
        user_id = claimant.email
    user = await directory.get(USERS, user_id)
    if user is not None:
        return user
    if not rules.user_id_upsert:
        # Administrators, and those who come for a team, need no entry of their own.
        if claimant.role == "proxy_admin" or claimant.teams:
            return None
        raise _refused("The user in this token is not known here.", "user_not_found")
    role = Role(claimant.role) if claimant.role not in {"team", "proxy_admin"} else Role.USER
    now = clock.wall()
    email = claimant.email
    if email is not None and (await directory.find(USERS, DirectoryQuery(alias=email, size=1))).total:
        email = None  # two users with one address could neither of them be found by it
    made = User(user_id=user_id, email=email, role=role, created_at=now, updated_at=now, created_by=_BY)
    try:
        await directory.insert(USERS, made)
    except EntryExists:
        return await directory.get(USERS, user_id)
    return made


async def _team(claimant: Claimant, user: User | None, rules: JwtAuth, directory: Entries, clock: Clock) -> Team | None:
    """The first team of the token that there is; with ``team_id_upsert`` the first there could be.

    Where the rules say so, a team that the user is in stands in for what the token does not say, or says in vain.
    """
    if not claimant.teams and claimant.team_alias is not None:
        found = await directory.find(TEAMS, DirectoryQuery(alias=claimant.team_alias, size=2))
        if found.total != 1:
            raise _refused("The team in this token is not known here.", "team_not_found")
        return found.records[0]
    if not claimant.teams:
        mine = await _teams_of(user, directory) if rules.fallback_to_db_teams else ()
        return mine[0] if mine else None
    known = await directory.look_up([(TEAMS, team_id) for team_id in claimant.teams])
    team: Team | None = next((team for team in known if team is not None), None)
    if team is not None:
        return team
    if rules.team_claim_fallback and len(mine := await _teams_of(user, directory)) == 1:
        return mine[0]
    if not rules.team_id_upsert:
        if claimant.role == "proxy_admin":
            return None
        raise _refused("None of the teams in this token is known here.", "team_not_found")
    now = clock.wall()
    made = Team(team_id=claimant.teams[0], created_at=now, updated_at=now, created_by=_BY)
    try:
        await directory.insert(TEAMS, made)
    except EntryExists:
        return await directory.get(TEAMS, made.team_id)
    return made


async def _teams_of(user: User | None, directory: Entries) -> tuple[Team, ...]:
    """The teams that a user is in, by their ids."""
    if user is None:
        return ()
    members = await directory.find(TEAM_MEMBERS, DirectoryQuery(owner=user.user_id, size=_TEAMS_MAX))
    ids = sorted(member.team_id for member in members.records)
    return tuple(team for team in await directory.look_up([(TEAMS, team_id) for team_id in ids]) if team is not None)


async def _organization(claimant: Claimant, directory: Entries) -> str | None:
    found: Organization | None = None
    if claimant.org_id is not None:
        found = await directory.get(ORGANIZATIONS, claimant.org_id)
    elif claimant.org_alias is not None:
        page = await directory.find(ORGANIZATIONS, DirectoryQuery(alias=claimant.org_alias, size=2))
        found = page.records[0] if page.total == 1 else None
    else:
        return None
    if found is None:
        raise _refused("The organisation in this token is not known here.", "organization_not_found")
    if found.blocked:
        raise _refused("This organisation is blocked.", "organization_blocked")
    return found.organization_id


async def _with_role(user: User, role: Role, directory: Entries, clock: Clock) -> User:
    if role in {user.role, Role.TEAM}:
        return user
    now = clock.wall()
    return await directory.update(
        USERS,
        user.user_id,
        lambda kept: msgspec.structs.replace(kept, role=role, updated_at=now, updated_by=_BY),
    )


async def _follow_teams(user: User, claimant: Claimant, directory: Entries, clock: Clock) -> None:
    """Have the user be in the teams of the token, and in no others."""
    members = await directory.find(TEAM_MEMBERS, DirectoryQuery(owner=user.user_id, size=_TEAMS_MAX))
    wanted = set(claimant.teams)
    gone = [member_id(one.team_id, one.user_id) for one in members.records if one.team_id not in wanted]
    if gone:
        await directory.delete(TEAM_MEMBERS, gone)
    there = {one.team_id for one in members.records}
    known = await directory.look_up([(TEAMS, team_id) for team_id in claimant.teams])
    for team in known:
        if team is not None and team.team_id not in there:
            await _add_member(directory, team.team_id, user.user_id, clock)


async def _add_member(directory: Entries, team_id: str, user_id: str, clock: Clock) -> None:
    now = clock.wall()
    member = TeamMember(team_id=team_id, user_id=user_id, created_at=now, updated_at=now, created_by=_BY)
    try:
        await directory.insert(TEAM_MEMBERS, member)
    except EntryExists:
        return


def _refused(message: str, code: str) -> Forbidden:
    return Forbidden(message, hint="Ask an administrator of the gateway.", code=code, kind="auth_error")
