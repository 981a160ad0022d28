"""``/user/info``, ``/v2/user/info``, ``/user/list``, ``/user/filter/ui`` and ``/user/available_roles``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

from pointsman.admin.governance.periods import spent_by
from pointsman.admin.keys.lookup import flushed
from pointsman.admin.keys.rows import key_rows
from pointsman.admin.office import Office
from pointsman.admin.rights import (
    Rights,
    demand,
    demand_sight_of_user,
    org_members,
    rights_of,
    sees_key,
    team_members,
    visible_users,
)
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.teams.replies import membership_rows, team_rows
from pointsman.admin.users.replies import RoleFact, UserChoice, team_key_row, user_rows
from pointsman.admin.users.requests import UserFilterQuery, UserListQuery, UserQuery
from pointsman.core.errors import Malformed, NotFound
from pointsman.core.identity import KeyRecord
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.directory.records import Role, Team, TeamMember, User
from pointsman.stores.ports import KeyQuery

__all__ = ["available_roles", "filter_users", "list_users", "user_info", "user_info_v2"]

_USERS_MAX: Final = 50_000
"""Users that are read where the directory itself does not know what is asked for."""
_SHORTENED: Final = ("x-pointsman-list-shortened", "true")
_MEMBERSHIPS_MAX: Final = 10_000
_KEYS_MAX: Final = 1_000
_NOBODY: Final[Mapping[str, TeamMember]] = MappingProxyType({})
_DIRECTORY_ORDERS: Final[dict[str, Literal["id", "alias", "created_at", "updated_at", "spend"]]] = {
    "user_id": "id",
    "user_email": "alias",
    "created_at": "created_at",
    "updated_at": "updated_at",
    "spend": "spend",
}
_V2: Final = (
    "user_id", "user_email", "user_alias", "user_role", "spend", "max_budget", "tpm_limit", "rpm_limit", "models",
    "budget_duration", "budget_reset_at", "metadata", "created_at", "updated_at", "sso_user_id", "teams",
    "model_max_budget",
)  # fmt: skip

_ROLES: Final = {
    "proxy_admin": RoleFact("may see and change everything", "Admin (All Permissions)"),
    "proxy_admin_viewer": RoleFact("may see everything and change nothing", "Admin (View Only)"),
    "internal_user": RoleFact(
        "may make, see and delete their own keys, and see their own spend", "Internal User (Create/Delete/View)"
    ),
    "internal_user_viewer": RoleFact("may see their own keys and their own spend", "Internal User (View Only)"),
}


async def available_roles(_office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """The roles that a user can be given."""
    return Answer(_ROLES)


async def user_info(office: Office, visit: Visit[UserQuery, Nothing]) -> Answer:
    """A user with their keys and teams, as far as the caller sees those.

    Without an id it is the caller, or for an administrator everything there is.
    """
    rights = await rights_of(office, visit.caller)
    user_id = visit.query.user_id or rights.user_id
    await flushed(office)
    if visit.query.user_id is None and rights.is_admin:
        return Answer(await _everything(office, rights.user_id))
    if user_id is None:
        raise _no_user()
    await demand_sight_of_user(office, rights, user_id)
    user = await _existing(office, user_id)
    query = DirectoryQuery(owner=user_id, size=_MEMBERSHIPS_MAX)
    memberships = (await office.directory.find(TEAM_MEMBERS, query)).records
    found = await office.directory.look_up([(TEAMS, member.team_id) for member in memberships])
    teams = [team for team in found if isinstance(team, Team) and rights.sees_team(team)]
    keys = await _keys_seen(office, rights, user_id)
    row = await _row_seen(office, rights, user)
    own = {member.team_id: member for member in memberships}
    return Answer({"user_id": user_id, "user_info": row, **await _keys_and_teams(office, keys, teams, own)})


async def user_info_v2(office: Office, visit: Visit[UserQuery, Nothing]) -> Answer:
    """A user, and nothing else; 404 for those that the caller may not see, as in LiteLLM."""
    rights = await rights_of(office, visit.caller)
    user_id = visit.query.user_id or rights.user_id
    if user_id is None:
        raise _no_user()
    await demand_sight_of_user(office, rights, user_id)
    await flushed(office)
    row = await _row_seen(office, rights, await _existing(office, user_id))
    return Answer({**{name: row[name] for name in _V2}, "object_permission": None})


async def list_users(office: Office, visit: Visit[UserListQuery, Nothing]) -> Answer:
    """A page of users with the number of their keys."""
    query = visit.query
    allowed = await visible_users(office, await rights_of(office, visit.caller))
    await flushed(office)
    page, total, is_whole = await _page(office, query, await _wanted_ids(office, query, allowed))
    rows = await user_rows(office, page)
    keys = await office.keys.count_of("user", [user.user_id for user in page])
    for user, row in zip(page, rows, strict=True):
        row["key_count"] = keys.get(user.user_id, 0)
    paging = {"total": total, "page": query.page, "page_size": query.page_size}
    headers = () if is_whole else (_SHORTENED,)
    return Answer({"users": rows, **paging, "total_pages": -(-total // query.page_size)}, headers=headers)


async def filter_users(office: Office, visit: Visit[UserFilterQuery, Nothing]) -> Answer:
    """Users to choose from: for an administrator all, for others those of what they administer."""
    query = visit.query
    allowed = await visible_users(office, await rights_of(office, visit.caller))
    if query.team_id is not None:
        members = await _members_of(office, query.team_id)
        allowed = members if allowed is None else allowed & members
    ids = None if allowed is None else tuple(allowed)
    text = query.search or query.user_email or query.user_id
    page = await office.directory.find(
        USERS, DirectoryQuery(ids=ids, search=text, page=query.page, size=query.page_size)
    )
    return Answer([UserChoice(user_id=one.user_id, user_email=one.email, user_alias=one.alias) for one in page.records])


async def _row_seen(office: Office, rights: Rights, user: User) -> dict[str, object]:
    row = (await user_rows(office, (user,)))[0]
    team_id = rights.team_id
    if team_id is None or rights.teams.get(team_id) == "admin":
        return row
    return await team_key_row(office, row, team_id)


async def _keys_seen(office: Office, rights: Rights, user_id: str) -> list[KeyRecord]:
    """The user's keys; somebody who administers a team or organisation of theirs sees those of it alone."""
    found = (await office.keys.find(KeyQuery(user_id=user_id, size=_KEYS_MAX, counted=False))).records
    return [record for record in found if await sees_key(office, rights, record)]


async def _everything(office: Office, user_id: str | None) -> dict[str, Any]:
    user = None if user_id is None else await office.directory.get(USERS, user_id)
    row = None if user is None else (await user_rows(office, (user,)))[0]
    teams = (await office.directory.find(TEAMS, DirectoryQuery(size=_MEMBERSHIPS_MAX))).records
    keys = (await office.keys.find(KeyQuery(size=_KEYS_MAX, counted=False))).records
    return {"user_id": user_id, "user_info": row, **await _keys_and_teams(office, keys, teams)}


async def _keys_and_teams(
    office: Office, keys: Sequence[KeyRecord], teams: Sequence[Team], memberships: Mapping[str, TeamMember] = _NOBODY
) -> dict[str, Any]:
    """The keys, and the teams with those of the keys that are theirs, and with the user's membership."""
    aliases = {team.team_id: team.alias for team in teams}
    in_order = sorted(teams, key=lambda team: team.alias or "")
    shown_keys = await key_rows(office, keys)
    rows = await team_rows(office, in_order)
    for team, row in zip(in_order, rows, strict=True):
        mine = memberships.get(team.team_id)
        row["keys"] = [shown for key, shown in zip(keys, shown_keys, strict=True) if key.team_id == team.team_id]
        row["team_memberships"] = [] if mine is None else await membership_rows(office, team, (mine,))
    return {
        "keys": [{**shown, "team_alias": _alias(key, aliases)} for key, shown in zip(keys, shown_keys, strict=True)],
        "teams": rows,
    }


def _alias(key: KeyRecord, aliases: dict[str, str | None]) -> str | None:
    # LiteLLM says "None" of keys without a team, and its dashboard shows it so.
    return "None" if key.team_id is None else aliases.get(key.team_id)


async def _existing(office: Office, user_id: str) -> User:
    user = await office.directory.get(USERS, user_id)
    if user is None:
        raise NotFound(f"User {user_id} not found", param="user_id", code="user_not_found")
    return user


def _no_user() -> Malformed:
    return Malformed(
        "user_id is required. Either pass it as a query parameter or authenticate with a user-bound key.",
        param="user_id",
    )


async def _page(office: Office, query: UserListQuery, ids: frozenset[str] | None) -> tuple[Sequence[User], int, bool]:
    """One page of the users, by the directory itself where it knows what is asked for.

    With how many there are, and whether none were left out.
    """
    wanted = DirectoryQuery(
        ids=None if ids is None else tuple(ids),
        search=query.search or query.user_email,
        stored=_stored_role(query.role),
        size=_USERS_MAX,
        sort_order=query.sort_order if query.sort_by else "desc",
    )
    by = _DIRECTORY_ORDERS.get(query.sort_by or "created_at")
    if by is not None and not (query.role or query.sso_user_ids or query.user_email):
        found = await office.directory.find(
            USERS, msgspec.structs.replace(wanted, page=query.page, size=query.page_size, sort_by=by)
        )
        return found.records, found.total, True
    every = await office.directory.find(USERS, wanted)
    users = await _sorted(office, [user for user in every.records if _fits(query, user)], query)
    start = (query.page - 1) * query.page_size
    return users[start : start + query.page_size], len(users), every.total <= len(every.records)


async def _wanted_ids(office: Office, query: UserListQuery, allowed: frozenset[str] | None) -> frozenset[str] | None:
    """The users that are named, or are in the team and in one of the organisations; None: all."""
    ids = frozenset(_split(query.user_ids)) if query.user_ids else None
    if allowed is not None:
        demand(ids is None or ids <= allowed, "list these users")
        ids = allowed if ids is None else ids
    if query.sso_user_ids:
        signed_in = await _signed_in_as(office, _split(query.sso_user_ids))
        ids = signed_in if ids is None else ids & signed_in
    if query.team:
        members = await _members_of(office, query.team)
        ids = members if ids is None else ids & members
    if query.organization_ids:
        of_any: set[str] = set()
        for one in _split(query.organization_ids):
            of_any |= {member.user_id for member in await org_members(office, one)}
        ids = frozenset(of_any) if ids is None else ids & of_any
    return ids


async def _signed_in_as(office: Office, sso_user_ids: Sequence[str]) -> frozenset[str]:
    """The users that identity providers know by these ids."""
    found: set[str] = set()
    for one in sso_user_ids:
        page = await office.directory.find(USERS, DirectoryQuery(owner=one, size=_MEMBERSHIPS_MAX))
        found |= {user.user_id for user in page.records}
    return frozenset(found)


async def _members_of(office: Office, team_id: str) -> frozenset[str]:
    return frozenset(member.user_id for member in await team_members(office, team_id))


def _stored_role(role: str | None) -> str | None:
    """How a role is stored, so that the few who have it are found among very many; the usual one is not."""
    return None if role in {None, Role.USER.value} else f'"role":"{role}"'


def _fits(query: UserListQuery, user: User) -> bool:
    return (
        query.role in {None, user.role.value}
        and (not query.sso_user_ids or user.sso_user_id in _split(query.sso_user_ids))
        and (not query.user_email or query.user_email.lower() in (user.email or ""))
    )


async def _sorted(office: Office, users: list[User], query: UserListQuery) -> list[User]:
    by = query.sort_by or "created_at"
    falling = query.sort_order == "desc" if query.sort_by else True
    spent = await spent_by(office, "user", [user.user_id for user in users]) if by == "spend" else {}
    ranks = {
        "user_id": lambda user: user.user_id,
        "user_email": lambda user: user.email or "",
        "user_alias": lambda user: user.alias or "",
        "user_role": lambda user: user.role.value,
        "created_at": lambda user: user.created_at,
        "updated_at": lambda user: user.updated_at,
        "spend": lambda user: spent[user.user_id].amount,
        "max_budget": lambda user: -1 if user.limits.max_budget is None else user.limits.max_budget,
        "sso_user_id": lambda user: user.sso_user_id or "",
    }
    users = sorted(users, key=lambda user: user.user_id)
    users.sort(key=ranks[by], reverse=falling)
    return users


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
