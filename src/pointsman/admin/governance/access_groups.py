"""``/v1/access_group``: models under one name, which keys and teams are given together.

Source: LiteLLM 1.109.1, ``access_group_endpoints.py``. That a key or team has a group stands with the key or team
(``access_group_ids``), and in the group only for being shown. Groups of MCP servers, agents and skills are refused,
since there are none here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pointsman.admin.governance.entries import author, demand_printable, every, existing, replaced, tell
from pointsman.admin.governance.noting import note
from pointsman.admin.keys.requests import KeyText, Label, ModelName
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.timestamps import iso
from pointsman.core.clock import call_id
from pointsman.core.errors import Malformed, Unsupported
from pointsman.core.identity import KeyRecord, token_of
from pointsman.stores.directory.kinds import ACCESS_GROUPS, TEAMS
from pointsman.stores.directory.ports import AliasTaken
from pointsman.stores.directory.records import AccessGroup, Team
from pointsman.stores.ports import KeyChanges

__all__ = [
    "AccessGroupRow",
    "NamedThing",
    "NewAccessGroupRequest",
    "UpdateAccessGroupRequest",
    "delete_access_group",
    "list_access_groups",
    "new_access_group",
    "show_access_group",
    "update_access_group",
]

_ABSENT: Final = ("access_mcp_server_ids", "mcp_tool_permissions", "access_agent_ids", "access_skill_names")
_EMPTY: Final[tuple[object, ...]] = (UNSET, None, (), {})


class _GroupFields(msgspec.Struct, frozen=True, kw_only=True):
    """What can be said about a group; teams by id, keys by themselves or by their hash."""

    description: Annotated[str, Meta(max_length=4096)] | UnsetType | None = UNSET
    access_model_names: tuple[ModelName, ...] | UnsetType | None = UNSET
    assigned_team_ids: Annotated[tuple[Label, ...], Meta(max_length=1000)] | UnsetType | None = UNSET
    assigned_key_ids: Annotated[tuple[KeyText, ...], Meta(max_length=1000)] | UnsetType | None = UNSET
    access_mcp_server_ids: tuple[str, ...] | UnsetType | None = UNSET
    mcp_tool_permissions: dict[str, msgspec.Raw] | UnsetType | None = UNSET
    access_agent_ids: tuple[str, ...] | UnsetType | None = UNSET
    access_skill_names: tuple[str, ...] | UnsetType | None = UNSET


class NewAccessGroupRequest(_GroupFields, frozen=True, kw_only=True):
    """A group."""

    access_group_name: Label


class UpdateAccessGroupRequest(_GroupFields, frozen=True, kw_only=True):
    """Changes to a group."""

    access_group_name: Label | UnsetType = UNSET


class NamedThing(msgspec.Struct, frozen=True):
    """A team or key with its alias."""

    id: str
    name: str | None


class AccessGroupRow(msgspec.Struct, frozen=True, kw_only=True):
    """A group (LiteLLM's ``AccessGroupResponse``)."""

    access_group_id: str
    access_group_name: str
    description: str | None
    access_model_names: tuple[str, ...]
    assigned_team_ids: tuple[str, ...]
    assigned_key_ids: tuple[str, ...]
    assigned_teams: tuple[NamedThing, ...]
    assigned_keys: tuple[NamedThing, ...]
    created_at: str
    created_by: str | None
    updated_at: str
    updated_by: str | None
    access_mcp_server_ids: tuple[str, ...] = ()
    mcp_tool_permissions: None = None
    access_agent_ids: tuple[str, ...] = ()
    access_skill_names: tuple[str, ...] = ()
    access_mcp_servers: tuple[NamedThing, ...] = ()
    access_agents: tuple[NamedThing, ...] = ()


async def new_access_group(office: Office, visit: Visit[Nothing, NewAccessGroupRequest]) -> Answer:
    """Make a group, and give it to the teams and keys that are named."""
    wanted, now, by = visit.body, office.clock.wall(), author(visit)
    demand_printable(access_group_name=wanted.access_group_name)
    await _demand_possible(office, wanted)
    blank = AccessGroup(access_group_id=call_id(), name=wanted.access_group_name, created_at=now, created_by=by)
    group = _changed(blank, wanted, now, by)
    try:
        await office.directory.insert(ACCESS_GROUPS, group)
    except AliasTaken:
        raise _name_taken(wanted.access_group_name) from None
    await _give(office, group.access_group_id, (), group)
    tell(office, ACCESS_GROUPS, group.access_group_id)
    row = (await _rows(office, (group,)))[0]
    note(visit, "created", "LiteLLM_AccessGroupTable", row.access_group_id, before=None, after=row)
    return Answer(row, status=201)


async def list_access_groups(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """All groups, the newest first."""
    groups = sorted(await every(office, ACCESS_GROUPS), key=lambda group: -group.created_at)
    return Answer(await _rows(office, groups))


async def show_access_group(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """One group."""
    return Answer((await _rows(office, (await _named(office, visit.path["access_group_id"]),)))[0])


async def update_access_group(office: Office, visit: Visit[Nothing, UpdateAccessGroupRequest]) -> Answer:
    """Change what the request names, and leave the rest; teams and keys that are named no more lose the group."""
    wanted, now, by = visit.body, office.clock.wall(), author(visit)
    before = await _named(office, visit.path["access_group_id"])
    if isinstance(wanted.access_group_name, str):
        demand_printable(access_group_name=wanted.access_group_name)
    await _demand_possible(office, wanted)
    try:
        before, group = await replaced(
            office, ACCESS_GROUPS, before.access_group_id, lambda found: _changed(found, wanted, now, by)
        )
    except AliasTaken:
        raise _name_taken(str(wanted.access_group_name)) from None
    await _give(office, group.access_group_id, (before,), group)
    tell(office, ACCESS_GROUPS, group.access_group_id)
    rows = await _rows(office, (before, group))
    note(visit, "updated", "LiteLLM_AccessGroupTable", group.access_group_id, before=rows[0], after=rows[1])
    return Answer(rows[1])


async def delete_access_group(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Delete a group; teams and keys lose it."""
    group = await _named(office, visit.path["access_group_id"])
    await _give(office, group.access_group_id, (group,), None)
    await office.directory.delete(ACCESS_GROUPS, (group.access_group_id,))
    tell(office, ACCESS_GROUPS, group.access_group_id)
    row = (await _rows(office, (group,)))[0]
    note(visit, "deleted", "LiteLLM_AccessGroupTable", group.access_group_id, before=row, after=None)
    return Answer(b"", status=204)


def _changed(
    group: AccessGroup, wanted: NewAccessGroupRequest | UpdateAccessGroupRequest, now: float, by: str
) -> AccessGroup:
    found: dict[str, object] = {}
    if isinstance(wanted.access_group_name, str):
        found["name"] = wanted.access_group_name
    if wanted.description is not UNSET:
        found["description"] = wanted.description or None
    if wanted.access_model_names is not UNSET:
        found["models"] = wanted.access_model_names or ()
    if wanted.assigned_team_ids is not UNSET:
        found["team_ids"] = tuple(dict.fromkeys(wanted.assigned_team_ids or ()))
    if wanted.assigned_key_ids is not UNSET:
        found["key_tokens"] = tuple(dict.fromkeys(map(_token, wanted.assigned_key_ids or ())))
    return msgspec.structs.replace(group, updated_at=now, updated_by=by, **found)


async def _demand_possible(office: Office, wanted: _GroupFields) -> None:
    for name in _ABSENT:
        if getattr(wanted, name) not in _EMPTY:
            raise Unsupported(
                "There are no MCP servers, agents or skills here that a group could hold.",
                hint="Leave it out.",
                param=name,
            )
    if isinstance(wanted.assigned_team_ids, tuple):
        found = await office.directory.look_up([(TEAMS, identity) for identity in wanted.assigned_team_ids])
        pairs = zip(wanted.assigned_team_ids, found, strict=True)
        missing = sorted(identity for identity, team in pairs if team is None)
        if missing:
            raise Malformed(f"Unknown team ids: {', '.join(missing)}", param="assigned_team_ids")
    for key in wanted.assigned_key_ids or () if wanted.assigned_key_ids is not UNSET else ():
        if await office.keys.get(_token(key)) is None:
            raise Malformed(
                "assigned_key_ids names a key that does not exist.",
                hint="GET /key/list has all.",
                param="assigned_key_ids",
            )


async def _give(office: Office, identity: str, before: Sequence[AccessGroup], after: AccessGroup | None) -> None:
    """Have the teams and keys of ``after`` have the group, and those only of ``before`` have it no more."""
    teams = {team for group in before for team in group.team_ids}
    keys = {token for group in before for token in group.key_tokens}
    new_teams = frozenset(after.team_ids) if after else frozenset[str]()
    new_keys = frozenset(after.key_tokens) if after else frozenset[str]()
    for team_id in sorted(teams ^ new_teams):
        if await office.directory.get(TEAMS, team_id) is not None:
            await office.directory.update(TEAMS, team_id, _team_change(identity, has=team_id in new_teams))
            tell(office, TEAMS, team_id)
    for token in sorted(keys ^ new_keys):
        if await office.keys.get(token) is not None:
            change = _key_change(identity, office.clock.wall(), has=token in new_keys)
            office.on_key_change(token, await office.keys.update(token, change))


def _team_change(identity: str, *, has: bool) -> Callable[[Team], Team]:
    return lambda team: msgspec.structs.replace(
        team, access_group_ids=_members(team.access_group_ids, identity, has=has)
    )


def _key_change(identity: str, now: float, *, has: bool) -> Callable[[KeyRecord], KeyChanges]:
    return lambda record: KeyChanges(updated_at=now, extra=_with_group(record, identity, has=has))


def _members(known: Iterable[str], identity: str, *, has: bool) -> tuple[str, ...]:
    others = tuple(one for one in known if one != identity)
    return (*others, identity) if has else others


class _KeyGroups(msgspec.Struct):
    access_group_ids: tuple[str, ...] | None = None


def _with_group(record: KeyRecord, identity: str, *, has: bool) -> msgspec.Raw:
    known = msgspec.json.decode(record.extra, type=_KeyGroups).access_group_ids or ()
    fields = msgspec.json.decode(record.extra, type=dict[str, msgspec.Raw])
    return msgspec.Raw(msgspec.json.encode({**fields, "access_group_ids": _members(known, identity, has=has)}))


def _token(key: str) -> str:
    return token_of(key) if key.startswith("sk-") else key


async def _named(office: Office, identity: str) -> AccessGroup:
    said = f"Access group '{identity}' not found"
    return await existing(office, ACCESS_GROUPS, identity, "access_group_id", said)


def _name_taken(name: str) -> Malformed:
    return Malformed(
        f"Access group '{name}' already exists", status=409, code="alias_exists", param="access_group_name"
    )


async def _rows(office: Office, groups: Sequence[AccessGroup]) -> tuple[AccessGroupRow, ...]:
    team_ids = list(dict.fromkeys(team for group in groups for team in group.team_ids))
    found = await office.directory.look_up([(TEAMS, identity) for identity in team_ids])
    teams = {team.team_id: team.alias for team in found if isinstance(team, Team)}
    keys: dict[str, str | None] = {}
    for token in dict.fromkeys(token for group in groups for token in group.key_tokens):
        record = await office.keys.get(token)
        keys[token] = None if record is None else record.key_alias
    return tuple(_row(group, teams, keys) for group in groups)


def _row(group: AccessGroup, teams: dict[str, str | None], keys: dict[str, str | None]) -> AccessGroupRow:
    present = tuple(team for team in group.team_ids if team in teams)
    return AccessGroupRow(
        access_group_id=group.access_group_id,
        access_group_name=group.name,
        description=group.description,
        access_model_names=group.models,
        assigned_team_ids=present,
        assigned_key_ids=group.key_tokens,
        assigned_teams=tuple(NamedThing(team, teams[team]) for team in present),
        assigned_keys=tuple(NamedThing(token, keys[token]) for token in group.key_tokens),
        created_at=iso(group.created_at),
        created_by=group.created_by,
        updated_at=iso(group.updated_at),
        updated_by=group.updated_by,
    )
