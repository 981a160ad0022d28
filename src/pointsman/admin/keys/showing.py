"""Showing keys: ``/key/info``, ``/v2/key/info``, ``/key/list``. Who sees which: ``admin/rights.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

from pointsman.admin.keys.lookup import existing_key, flushed, token_meant, tokens_of_aliases
from pointsman.admin.keys.replies import KeyListReply, shown_row
from pointsman.admin.keys.requests import KeyInfoQuery, KeyListQuery, KeysRequest
from pointsman.admin.keys.rows import key_facts, key_rows
from pointsman.admin.office import Office
from pointsman.admin.people.accounts import users_by_id
from pointsman.admin.rights import demand, demand_sight_of_key, overseen_teams, rights_of, sees_team_keys
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.users.replies import user_rows
from pointsman.core.errors import Malformed
from pointsman.core.identity import KeyRecord
from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.ports import KeyPage, KeyQuery, Removal

__all__ = ["demand_sight", "key_info", "keys_info", "list_keys"]

_TEAMS_MAX: Final = 10_000
_BLOCKED: Final[Mapping[str, bool]] = MappingProxyType({"active": False, "expired": False, "revoked": True})
_EXPIRES: Final[Mapping[str, Literal["active", "expired"]]] = MappingProxyType({
    "active": "active", "expired": "expired",
})  # fmt: skip


async def key_info(office: Office, visit: Visit[KeyInfoQuery, Nothing]) -> Answer:
    """One key, a deleted one too; without ``key`` the caller's own."""
    wanted = visit.query.key
    token = token_meant(wanted) if wanted else visit.caller.record.token
    await demand_sight(office, visit, token)
    if not wanted and visit.caller.admin:
        raise Malformed("The master key is not a stored key.", hint="Name a key: /key/info?key=sk-…", param="key")
    await flushed(office)
    record, removal = await _live_or_deleted(office, token)
    facts = (await key_facts(office, (record,)))[record.token]
    return Answer({"key": wanted or token, "info": shown_row(record, removal, office.clock.wall(), facts)})


async def keys_info(office: Office, visit: Visit[Nothing, KeysRequest]) -> Answer:
    """Several keys at once; those that do not exist are left out."""
    aliases = await tokens_of_aliases(office, visit.body.key_aliases or ())
    tokens = dict.fromkeys([*map(token_meant, visit.body.keys or ()), *aliases.values()])
    if not visit.body.keys and not visit.body.key_aliases:
        raise Malformed("keys or key_aliases is required.", param="keys")
    await flushed(office)
    for token in tokens:
        await demand_sight(office, visit, token)
    found = [record for token in tokens if (record := await office.keys.get(token)) is not None]
    return Answer({"key": [record.token for record in found], "info": await key_rows(office, found)})


async def list_keys(office: Office, visit: Visit[KeyListQuery, Nothing]) -> Answer:
    """A page of keys: their hashes, or whole rows."""
    query = visit.query
    store_query = await _within_sight(office, visit, _store_query(query, office.clock.wall()))
    if query.organization_id is not None:
        found = await office.directory.find(TEAMS, DirectoryQuery(parent=query.organization_id, size=_TEAMS_MAX))
        teams = tuple(team.team_id for team in found.records)
        store_query = msgspec.structs.replace(store_query, organization_teams=teams)
    await flushed(office)
    contradicts = query.expires is not None and store_query.expires != query.expires
    page = KeyPage((), 0) if contradicts else await office.keys.find(store_query)
    return Answer(await _page_reply(office, query, page))


async def demand_sight(office: Office, visit: Visit[Any, Any], token: str) -> None:
    """Raise unless who asks may look at the key with this hash, a deleted one too.

    Raises:
        Forbidden: alike for keys that exist and keys that do not.
    """
    rights = await rights_of(office, visit.caller)
    if rights.sees_all:
        return
    record = await office.keys.get(token)
    if record is None:
        history = await office.keys.find(KeyQuery(key_hash=token, size=1, status="deleted", counted=False))
        record = history.records[0] if history.records else None
    await demand_sight_of_key(office, rights, token, record)


async def _within_sight(office: Office, visit: Visit[KeyListQuery, Nothing], query: KeyQuery) -> KeyQuery:
    """The query, narrowed to what who asks may see: their own keys, or those of a team that they name."""
    rights = await rights_of(office, visit.caller)
    if rights.sees_all:
        return query
    if query.key_hash is not None:
        await demand_sight(office, visit, query.key_hash)
        return query
    if rights.user_id is None:
        return msgspec.structs.replace(query, key_hash=rights.token)
    if visit.query.include_team_keys and rights.team_id is None and query.team_id is None:
        teams = await overseen_teams(office, rights, ("/key/list",))
        query = msgspec.structs.replace(query, also_teams=tuple(sorted(teams)))
    if query.team_id is not None and await sees_team_keys(office, rights, query.team_id):
        return query
    demand(query.user_id in {None, rights.user_id}, "list the keys of somebody else")
    if rights.team_id is not None:
        demand(query.team_id in {None, rights.team_id}, "list keys of other teams with a key of a team")
        query = msgspec.structs.replace(query, team_id=rights.team_id)
    # With substrings, another's id might contain one's own.
    return msgspec.structs.replace(query, user_id=rights.user_id, substring=False)


async def _live_or_deleted(office: Office, token: str) -> tuple[KeyRecord, Removal | None]:
    if await office.keys.get(token) is None:
        history = await office.keys.find(KeyQuery(key_hash=token, size=1, status="deleted", counted=False))
        if history.records:
            return history.records[0], history.removals[0]
    return await existing_key(office, token), None


def _store_query(query: KeyListQuery, now: float) -> KeyQuery:
    named = token_meant(query.key_hash) if query.key_hash else None
    return KeyQuery(
        page=query.page,
        size=query.size,
        user_id=query.user_id,
        team_id=query.team_id,
        key_alias=query.key_alias,
        substring=query.substring_matching,
        key_hash=named,
        sort_by=query.sort_by,
        sort_order=query.sort_order,
        status="deleted" if query.status == "deleted" else "live",
        search=query.search,
        blocked=_BLOCKED.get(query.status),
        expires=_EXPIRES.get(query.status) or query.expires,
        now=now,
        organization_id=query.organization_id,
        project_id=query.project_id,
        agent_id=query.agent_id,
        access_group_id=query.access_group_id,
    )


async def _tell_users(office: Office, records: Sequence[KeyRecord], rows: Sequence[dict[str, object]]) -> None:
    users = await users_by_id(office, [record.user_id for record in records if record.user_id])
    shown = dict(zip(users, await user_rows(office, tuple(users.values())), strict=True))
    for record, row in zip(records, rows, strict=True):
        row["user"] = shown.get(record.user_id or "")


async def _page_reply(office: Office, query: KeyListQuery, page: KeyPage) -> object:
    wants_users = query.expand is not None and "user" in query.expand.split(",")
    if query.return_full_object or wants_users:
        rows = await key_rows(office, page.records, page.removals)
        if wants_users:
            await _tell_users(office, page.records, rows)
        pages = -(-page.total // query.size)
        return {"keys": rows, "total_count": page.total, "current_page": query.page, "total_pages": pages}
    hashes = tuple(record.token for record in page.records)
    return KeyListReply(hashes, page.total, query.page, -(-page.total // query.size))
