"""``/team/permissions_…`` and ``/team/key/bulk_update``: what members may do with the keys, and all keys at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.admin.governance.entries import author, replaced, tell
from pointsman.admin.keys.changing import update_one_key
from pointsman.admin.keys.lookup import token_meant
from pointsman.admin.keys.requests import UpdateKeyRequest
from pointsman.admin.office import Office
from pointsman.admin.people.joining import existing_team
from pointsman.admin.people.noting import note_team
from pointsman.admin.rights import (
    DEFAULT_MEMBER_PERMISSIONS,
    MEMBER_PERMISSIONS,
    Rights,
    demand,
    demand_changes,
    rights_of,
)
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.teams.changes import demand_permissions
from pointsman.admin.teams.replies import BulkPermissionsReply, PermissionsReply, team_rows
from pointsman.admin.teams.requests import (
    BulkPermissionsRequest,
    PermissionsRequest,
    TeamKeysRequest,
    TeamPermissionsQuery,
)
from pointsman.core.errors import Malformed, NotFound, Refused
from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.directory.records import Team
from pointsman.stores.ports import KeyQuery
from pointsman.wire.json_fields import read_body

__all__ = ["BulkKeysReply", "bulk_update_keys", "bulk_update_permissions", "list_permissions", "update_permissions"]

_TEAMS_AT_ONCE: Final = 1_000
_KEYS_MAX: Final = 500
_PER_KEY: Final = frozenset({"key", "key_alias", "team_id", "user_id", "organization_id"})

_decode_update: Final = msgspec.json.Decoder(UpdateKeyRequest, strict=False).decode


class BulkKeysReply(msgspec.Struct, frozen=True):
    """What became of the keys."""

    total_requested: int
    successful_updates: tuple[msgspec.Raw, ...]
    failed_updates: tuple[msgspec.Raw, ...]


async def list_permissions(office: Office, visit: Visit[TeamPermissionsQuery, Nothing]) -> Answer:
    """What the members of a team may do with its keys."""
    rights = await rights_of(office, visit.caller)
    team = await office.directory.get(TEAMS, visit.query.team_id)
    demand(rights.sees_all or (team is not None and rights.sees_team(team)), "look at this team")
    team = await existing_team(office, visit.query.team_id)
    return Answer(PermissionsReply(team.team_id, _allowed(team), MEMBER_PERMISSIONS))


async def update_permissions(office: Office, visit: Visit[Nothing, PermissionsRequest]) -> Answer:
    """Say what members may do with the team's keys, in place of what they might."""
    before = await _administered(office, await rights_of(office, visit.caller), visit.body.team_id)
    permissions = tuple(dict.fromkeys(visit.body.team_member_permissions))
    demand_permissions(permissions)
    before, team = await _allow(office, before.team_id, permissions, author(visit), added=False)
    note_team(visit, "updated", before, team)
    return Answer((await team_rows(office, (team,)))[0])


async def bulk_update_permissions(office: Office, visit: Visit[Nothing, BulkPermissionsRequest]) -> Answer:
    """Add permissions in several teams, or in all."""
    wanted = visit.body
    rights = await rights_of(office, visit.caller)
    demand_changes(rights)
    demand(rights.is_admin, "change the permissions of several teams")
    demand_permissions(wanted.permissions)
    if wanted.apply_to_all_teams == bool(wanted.team_ids):
        raise Malformed("Provide either team_ids or apply_to_all_teams=true.", param="team_ids")
    named = [await existing_team(office, team_id) for team_id in wanted.team_ids or ()]
    permissions = frozenset(wanted.permissions)
    lacking = [team for team in named or await _all_teams(office) if not permissions <= {*_allowed(team)}]
    for team in lacking:
        before, after = await _allow(office, team.team_id, wanted.permissions, author(visit), added=True)
        note_team(visit, "updated", before, after)
    said = "Successfully updated team member permissions"
    return Answer(BulkPermissionsReply(said, len(lacking), wanted.permissions))


async def bulk_update_keys(office: Office, visit: Visit[Nothing, TeamKeysRequest]) -> Answer:
    """Change several keys of a team alike: where one cannot be changed, the others still are."""
    wanted = visit.body
    rights = await rights_of(office, visit.caller)
    demand_changes(rights)
    team = None if rights.is_admin else await office.directory.get(TEAMS, wanted.team_id)
    may = rights.is_admin or (team is not None and rights.permitted(team, "/team/key/bulk_update"))
    demand(may, "change the keys of this team")
    await existing_team(office, wanted.team_id)
    fields = wanted.update_fields
    _demand_broadcastable(fields)
    done, failed = [], []
    for name in await _tokens(office, wanted):
        try:
            record = await office.keys.get(token_meant(name))
            if record is None or record.team_id != wanted.team_id:
                raise NotFound("Key not found in this team.", param="key_ids")
            update = read_body(msgspec.json.encode(fields), _decode_update)
            row, _ = await update_one_key(office, visit, record, update, fields, "/team/key/bulk_update")
            done.append({"key": name, "key_info": row})
        except Refused as refused:
            failed.append({"key": name, "key_info": None, "failed_reason": refused.told()})
    return Answer({
        "total_requested": len(done) + len(failed), "successful_updates": done, "failed_updates": failed,
    })  # fmt: skip


def _demand_broadcastable(fields: Mapping[str, msgspec.Raw]) -> None:
    if not fields:
        raise Malformed("update_fields must specify at least one field to update.", param="update_fields")
    single = sorted(_PER_KEY & fields.keys())
    if single:
        raise Malformed(
            f"{single[0]} is for one key and cannot be set for several.", param=f"update_fields.{single[0]}"
        )


async def _tokens(office: Office, wanted: TeamKeysRequest) -> tuple[str, ...]:
    if bool(wanted.key_ids) == wanted.all_keys_in_team:
        raise Malformed("Provide either key_ids or all_keys_in_team=true.", param="key_ids")
    if wanted.key_ids:
        return tuple(dict.fromkeys(wanted.key_ids))
    page = await office.keys.find(KeyQuery(team_id=wanted.team_id, size=_KEYS_MAX))
    if page.total > _KEYS_MAX:
        raise Malformed(f"Maximum {_KEYS_MAX} keys can be updated at once. Found {page.total} keys.")
    return tuple(record.token for record in page.records)


async def _all_teams(office: Office) -> list[Team]:
    found: list[Team] = []
    query = DirectoryQuery(size=_TEAMS_AT_ONCE, sort_by="id", sort_order="asc")
    while len(found) % _TEAMS_AT_ONCE == 0:
        page = await office.directory.find(TEAMS, query)
        if not page.records:
            break
        found += page.records
        query = msgspec.structs.replace(query, page=query.page + 1)
    return found


def _allowed(team: Team) -> tuple[str, ...]:
    return DEFAULT_MEMBER_PERMISSIONS if team.member_permissions is None else team.member_permissions


async def _administered(office: Office, rights: Rights, team_id: str) -> Team:
    demand_changes(rights)
    if not rights.is_admin:
        team = await office.directory.get(TEAMS, team_id)
        demand(team is not None and rights.administers_team(team), "change the permissions of this team")
    return await existing_team(office, team_id)


async def _allow(
    office: Office, team_id: str, permissions: tuple[str, ...], by: str, *, added: bool
) -> tuple[Team, Team]:
    """The team before and after."""
    now = office.clock.wall()

    def change(team: Team) -> Team:
        allowed = tuple(dict.fromkeys((*_allowed(team), *permissions))) if added else permissions
        return msgspec.structs.replace(team, member_permissions=allowed, updated_at=now, updated_by=by)

    before, after = await replaced(office, TEAMS, team_id, change)
    tell(office, TEAMS, team_id)
    return before, after
