"""``/key/aliases`` and ``/key/health``. Source: LiteLLM 1.109.1."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from pointsman.admin.office import Office
from pointsman.admin.rights import Rights, rights_of, sees_team_keys
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.identity import KeyRecord
from pointsman.stores.ports import KeyQuery

__all__ = ["AliasesQuery", "AliasesReply", "KeyHealthReply", "key_aliases", "key_health"]

_OWN_KEYS_MAX: Final = 1_000


class AliasesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A page of aliases; ``search`` may occur in them."""

    page: Annotated[int, Meta(ge=1, le=2**31)] = 1
    size: Annotated[int, Meta(ge=1, le=100)] = 50
    search: str | None = None
    team_id: str | None = None


class AliasesReply(msgspec.Struct, frozen=True):
    """A page of aliases."""

    aliases: tuple[str, ...]
    total_count: int
    current_page: int
    total_pages: int
    size: int


class KeyHealthReply(msgspec.Struct, frozen=True):
    """That the key works; keys have no callbacks of their own here."""

    key: str = "healthy"
    logging_callbacks: None = None


async def key_aliases(office: Office, visit: Visit[AliasesQuery, Nothing]) -> Answer:
    """The aliases of keys in their order: of all keys, or the caller's own and of the teams whose keys they list."""
    query, rights = visit.query, await rights_of(office, visit.caller)
    if rights.sees_all:
        page = await office.keys.find(
            # That nothing occurs in them is true of all aliases, and not of keys without one.
            KeyQuery(key_alias=query.search or "", substring=True, team_id=query.team_id, page=query.page,
                     size=query.size, sort_by="key_alias", sort_order="asc")
        )  # fmt: skip
        return Answer(_reply(query, [record.key_alias or "" for record in page.records], page.total))
    own = await _own_aliases(office, rights, query)
    start = (query.page - 1) * query.size
    return Answer(_reply(query, own[start : start + query.size], len(own)))


async def key_health(_office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """Whoever is let in has a key that works."""
    return Answer(KeyHealthReply())


async def _own_aliases(office: Office, rights: Rights, query: AliasesQuery) -> list[str]:
    found: dict[str, KeyRecord] = {}
    queries = [
        KeyQuery(team_id=team, size=_OWN_KEYS_MAX)
        for team in rights.teams
        if await sees_team_keys(office, rights, team, "/key/aliases")
    ]
    if rights.user_id is None:
        queries.append(KeyQuery(key_hash=rights.token))
    else:
        queries.append(KeyQuery(user_id=rights.user_id, team_id=rights.team_id, size=_OWN_KEYS_MAX))
    for one in queries:
        found |= {record.token: record for record in (await office.keys.find(one)).records}
    wanted = (query.search or "").lower()
    return sorted(
        record.key_alias
        for record in found.values()
        if record.key_alias and wanted in record.key_alias.lower() and query.team_id in {None, record.team_id}
    )


def _reply(query: AliasesQuery, aliases: list[str], total: int) -> AliasesReply:
    return AliasesReply(tuple(aliases), total, query.page, -(-total // query.size), query.size)
