"""Showing keys: ``/key/info``, ``/v2/key/info``, ``/key/list``. A virtual key sees itself and no other."""

from __future__ import annotations

from pointsman.admin.authority import demand_own_key, own_token
from pointsman.admin.keys.lookup import existing_key, flushed, token_meant, tokens_of_aliases
from pointsman.admin.keys.replies import KeyListReply, full_row, shown_row
from pointsman.admin.keys.requests import KeyInfoQuery, KeyListQuery, KeysRequest
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Malformed, Unsupported
from pointsman.core.identity import KeyRecord
from pointsman.stores.ports import KeyPage, KeyQuery, Removal

__all__ = ["key_info", "keys_info", "list_keys"]

_UNSUPPORTED_FILTERS = ("organization_id", "project_id", "access_group_id", "agent_id", "search", "expires")


async def key_info(office: Office, visit: Visit[KeyInfoQuery, Nothing]) -> Answer:
    """One key, a deleted one too; without ``key`` the caller's own."""
    wanted = visit.query.key
    token = token_meant(wanted) if wanted else visit.caller.record.token
    demand_own_key(visit.caller, token)
    if not wanted and visit.caller.admin:
        raise Malformed("The master key is not a stored key.", hint="Name a key: /key/info?key=sk-…", param="key")
    await flushed(office)
    record, removal = await _live_or_deleted(office, token)
    return Answer({"key": wanted or token, "info": shown_row(record, removal, office.clock.wall())})


async def keys_info(office: Office, visit: Visit[Nothing, KeysRequest]) -> Answer:
    """Several keys at once; those that do not exist are left out."""
    aliases = await tokens_of_aliases(office, visit.body.key_aliases or ())
    tokens = dict.fromkeys([*map(token_meant, visit.body.keys or ()), *aliases.values()])
    if not visit.body.keys and not visit.body.key_aliases:
        raise Malformed("keys or key_aliases is required.", param="keys")
    await flushed(office)
    found = [record for token in tokens if (record := await office.keys.get(token)) is not None]
    return Answer({"key": [record.token for record in found], "info": [full_row(record) for record in found]})


async def list_keys(office: Office, visit: Visit[KeyListQuery, Nothing]) -> Answer:
    """A page of keys: their hashes, or whole rows."""
    query = visit.query
    for name in _UNSUPPORTED_FILTERS:
        if getattr(query, name) is not None:
            # Ignored, it would show more keys than were asked for.
            raise Unsupported(f"Keys cannot be listed by {name} yet.", param=name)
    own = own_token(visit.caller)
    if query.key_hash is not None:
        demand_own_key(visit.caller, token_meant(query.key_hash))
    await flushed(office)
    page = await office.keys.find(_store_query(query, own))
    return Answer(_page_reply(query, page))


async def _live_or_deleted(office: Office, token: str) -> tuple[KeyRecord, Removal | None]:
    if await office.keys.get(token) is None:
        history = await office.keys.find(KeyQuery(key_hash=token, size=1, status="deleted"))
        if history.records:
            return history.records[0], history.removals[0]
    return await existing_key(office, token), None


def _store_query(query: KeyListQuery, own: str | None) -> KeyQuery:
    named = token_meant(query.key_hash) if query.key_hash else None
    return KeyQuery(
        page=query.page,
        size=query.size,
        user_id=query.user_id,
        team_id=query.team_id,
        key_alias=query.key_alias,
        substring=query.substring_matching,
        key_hash=own or named,
        sort_by=query.sort_by,
        sort_order=query.sort_order,
        status=query.status,
    )


def _page_reply(query: KeyListQuery, page: KeyPage) -> object:
    if query.return_full_object:
        removals = page.removals or (None,) * len(page.records)
        rows = [full_row(record, removal) for record, removal in zip(page.records, removals, strict=True)]
        pages = -(-page.total // query.size)
        return {"keys": rows, "total_count": page.total, "current_page": query.page, "total_pages": pages}
    hashes = tuple(record.token for record in page.records)
    return KeyListReply(hashes, page.total, query.page, -(-page.total // query.size))
