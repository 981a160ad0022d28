"""Whose spending somebody may look at, and the names that reports show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from pointsman.admin.keys.lookup import token_meant
from pointsman.admin.office import Office
from pointsman.admin.rights import Rights, demand, overseen_teams, oversees_team, rights_of
from pointsman.core.errors import Malformed
from pointsman.core.identity import KeyRecord
from pointsman.policies.principal import Principal
from pointsman.stores.activity import ActivityQuery
from pointsman.stores.directory.kinds import TEAMS, Kind
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.directory.records import Team
from pointsman.stores.ports import KeyQuery

__all__ = [
    "LOGS_PERMISSIONS",
    "NAMED_MAX",
    "REPORT_SHORTENED",
    "Sight",
    "aliases_of",
    "dearest_keys",
    "demand_all",
    "has_many_lines",
    "key_records",
    "seen_keys",
    "sight_of",
    "teams_seen",
]

LOGS_PERMISSIONS: Final = ("/spend/logs", "/spend/logs/v2")
"""By either of these a team lets its members see single calls of everybody in it."""
_LINES_MAX: Final = 5_000
"""Lines up to which a report of everybody tells users and keys apart."""

REPORT_SHORTENED: Final = ("x-pointsman-report-shortened", "true")
"""The header that says that a report leaves something out, as it would have to look at too much."""

NAMED_MAX: Final = 1000
"""Keys whose names are looked up for one report; others are shown by their hash alone."""


class Sight(msgspec.Struct, frozen=True):
    """Who looks, and what they see: everything, or what one user or one key did, all of it or within one team.

    ``teams`` are those in which they see everybody's calls. ``through``: keys of others were asked for, which are seen
    within these teams alone.
    """

    rights: Rights
    teams: frozenset[str] = frozenset()
    through: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """The key that asks."""
        return self.rights.token

    @property
    def user_id(self) -> str | None:
        """The user whose calls are seen; None: everybody's, or only those of the key."""
        return None if self.all else self.rights.user_id

    @property
    def team_id(self) -> str | None:
        """The team within which the user's calls are seen; None: everywhere."""
        return None if self.user_id is None else self.rights.team_id

    @property
    def all(self) -> bool:
        """Whether everybody's spending is seen."""
        return self.rights.sees_all

    @property
    def is_unconfined(self) -> bool:
        """Whether what is seen is not only that of some teams."""
        return self.team_id is None and not self.through

    def within(self, query: ActivityQuery) -> ActivityQuery:
        """The query, about what is seen."""
        if self.all:
            return query
        scope = query.scope if query.scope in {"customer", "tag"} else "line"
        if self.through:
            return msgspec.structs.replace(query, scope=scope, team_ids=self.teams_within(query.team_ids))
        key_tokens = query.key_tokens
        if self.user_id is None:
            key_tokens = (self.token,) if key_tokens is None else tuple({self.token} & {*key_tokens})
        user_id = query.user_id if self.user_id is None else self.user_id
        return msgspec.structs.replace(
            query, scope=scope, key_tokens=key_tokens, user_id=user_id, team_ids=self.teams_within(query.team_ids)
        )

    def teams_within(self, teams: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Those of these teams (None: all) that the key may see something of."""
        if self.through:
            return self.through if teams is None else tuple(one for one in teams if one in self.through)
        if self.team_id is None:
            return teams
        return (self.team_id,) if teams is None or self.team_id in teams else ()


async def sight_of(office: Office, caller: Principal, *paths: str) -> Sight:
    """What a caller sees; ``paths`` are permissions by which a team lets its members see everybody's calls.

    A key of a user sees what all keys of the user did, but a key of a team only what they did in that team, which its
    admins make for its members; a key of nobody sees what it did itself.

    Raises:
        Forbidden: the user is blocked.
        StorageUnavailable: nobody can say.
    """
    rights = await rights_of(office, caller)
    return Sight(rights) if rights.sees_all else Sight(rights, await overseen_teams(office, rights, paths))


def demand_all(sight: Sight, what: str) -> None:
    """Raise unless everybody's spending is seen.

    Raises:
        Forbidden: it is not.
    """
    demand(sight.all, what)


async def seen_keys(office: Office, sight: Sight, given: str | None) -> tuple[Sight, tuple[str, ...] | None]:
    """The hashes of the keys that are asked for, separated by commas (None: all that are seen), and what of them.

    Raises:
        Forbidden: one of them is not seen; alike for those that do not exist.
        Malformed: some are the caller's own and others are not.
    """
    if given is None:
        return sight, None
    tokens = tuple(token_meant(text) for text in given.split(",") if text)
    if sight.all:
        return sight, tokens
    records = await key_records(office, tokens)
    through: dict[str, None] = {}
    own = 0
    for token in tokens:
        record = records.get(token)
        if token == sight.token or (record is not None and sight.rights.owns(record.user_id, record.team_id)):
            own += 1
            continue
        team_id = None if record is None else record.team_id
        seen = team_id in sight.teams or await oversees_team(office, sight.rights, team_id)
        demand(seen, "look at the spending of other keys")
        through[team_id or ""] = None
    if own and through:
        raise Malformed("Your own keys and those of others are asked for separately.", param="api_key")
    return msgspec.structs.replace(sight, through=tuple(through)), tokens


async def teams_seen(office: Office, sight: Sight, given: str | None) -> tuple[Team, ...]:
    """The teams that are asked for (ids separated by commas), or all that the caller belongs to.

    Raises:
        Forbidden: one of them may not be looked at, or does not exist.
    """
    if given is not None:
        wanted = tuple(dict.fromkeys(one for one in given.split(",") if one))
        teams = await office.directory.look_up([(TEAMS, one) for one in wanted])
        if not sight.all:
            demand(all(team is not None and sight.rights.sees_team(team) for team in teams), "look at these teams")
        return tuple(Team(team_id=one) if team is None else team for one, team in zip(wanted, teams, strict=True))
    own = dict.fromkeys((*sight.rights.teams, *filter(None, (sight.rights.team_id,))))
    teams = await office.directory.look_up([(TEAMS, one) for one in own])
    return tuple(team for team in teams if team is not None)


async def has_many_lines(office: Office) -> bool:
    """Whether a report of everybody would have too many keys, users and models to tell all apart."""
    return await office.ledger.lines(_LINES_MAX + 1) > _LINES_MAX


async def dearest_keys(office: Office, limit: int) -> tuple[str, ...]:
    """The keys that have spent most since their budgets began, whatever they spent when: those are found at once."""
    page = await office.keys.find(KeyQuery(size=limit, sort_by="spend", counted=False))
    return tuple(record.token for record in page.records)


async def key_records(office: Office, tokens: Iterable[str]) -> dict[str, KeyRecord]:
    """The live keys among these hashes, as far as there are not too many."""
    found = {}
    for token in list(dict.fromkeys(tokens))[:NAMED_MAX]:
        record = await office.keys.get(token)
        if record is not None:
            found[token] = record
    return found


async def aliases_of(office: Office, kind: Kind[Any], identities: Iterable[str]) -> dict[str, str]:
    """What the entries of a kind are called, where they have another name than their id."""
    wanted = list(dict.fromkeys(filter(None, identities)))
    if not wanted:
        return {}
    page = await office.directory.find(kind, DirectoryQuery(ids=tuple(wanted), size=len(wanted)))
    places = [kind.place(record) for record in page.records]
    return {place.identity: place.alias for place in places if place.alias}
