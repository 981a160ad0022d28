"""``/team/info``, ``/team/list``, ``/v2/team/list``, ``/team/filter/ui`` and ``/team/available``."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pointsman.admin.governance.periods import spent_by
from pointsman.admin.keys.lookup import flushed
from pointsman.admin.keys.rows import key_rows
from pointsman.admin.office import Office
from pointsman.admin.people.joining import existing_team
from pointsman.admin.rights import Rights, demand, demand_sight_of_user, rights_of, team_members
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.teams.replies import TeamChoice, members_of, membership_rows, memberships_of, team_rows
from pointsman.admin.teams.requests import TeamFilterQuery, TeamInfoQuery, TeamListQuery, TeamListV2Query
from pointsman.core.errors import Malformed, Unsupported
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.directory.records import Role, Team
from pointsman.stores.ports import KeyQuery

__all__ = ["available_teams", "filter_teams", "list_teams", "list_teams_v2", "team_info"]

_TEAMS_MAX: Final = 10_000
_COMPUTED: Final = frozenset({"max_budget", "rpm_limit", "spend", "tpm_limit"})
_KEYS_MAX: Final = 1_000
_LISTED_KEYS_MAX: Final = 1_000
"""Keys in one list of teams, so that it fits into memory however many there are: the last teams come without."""
_SHORTENED: Final = ("x-pointsman-list-shortened", "true")


async def team_info(office: Office, visit: Visit[TeamInfoQuery, Nothing]) -> Answer:
    """One team with its keys and memberships; without an id the team of the key that asks."""
    query = visit.query
    rights = await rights_of(office, visit.caller)
    team_id = query.team_id or rights.team_id
    if team_id is None:
        raise Malformed("team_id is required.", param="team_id")
    found = await office.directory.get(TEAMS, team_id)
    demand(rights.sees_all or (found is not None and rights.sees_team(found)), "look at this team")
    team = await existing_team(office, team_id)
    await flushed(office)
    row = (await team_rows(office, (team,)))[0]
    members = await team_members(office, team_id)
    keys = await _keys(office, rights, team, _KEYS_MAX if query.key_limit is None else query.key_limit)
    memberships = await membership_rows(office, team, members)
    return Answer({"team_id": team_id, "team_info": row, "keys": keys, "team_memberships": memberships})


async def list_teams(office: Office, visit: Visit[TeamListQuery, Nothing]) -> Answer:
    """All teams that the caller may see, or those of one user, with keys and memberships."""
    rights = await rights_of(office, visit.caller)
    teams = await _visible(office, rights, visit.query.user_id, visit.query.organization_id)
    await flushed(office)
    members, is_whole = await members_of(office, teams)
    rows = await team_rows(office, teams, members)
    memberships = await memberships_of(office, teams, members)
    left = _LISTED_KEYS_MAX
    for team, row, of_team in zip(teams, rows, memberships, strict=True):
        keys = await _keys(office, rights, team, min(left, _KEYS_MAX))
        row["keys"] = keys
        left -= len(keys)
        row["team_memberships"] = of_team
    return Answer(rows, headers=() if left and is_whole else (_SHORTENED,))


async def list_teams_v2(office: Office, visit: Visit[TeamListV2Query, Nothing]) -> Answer:
    """A page of teams with the numbers of their members and keys."""
    query = visit.query
    if query.status == "deleted":
        raise Unsupported("Deleted teams are not kept.", hint="GET /audit tells of them.", param="status")
    rights = await rights_of(office, visit.caller)
    page, total = await _page(office, rights, query)
    await flushed(office)
    rows = await team_rows(office, page)
    keys = await office.keys.count_of("team", [team.team_id for team in page])
    for team, row in zip(page, rows, strict=True):
        row["members_count"] = len(row["members_with_roles"])  # type: ignore[arg-type]
        row["keys_count"] = keys.get(team.team_id, 0)
    paging = {"total": total, "page": query.page, "page_size": query.page_size}
    return Answer({"teams": rows, **paging, "total_pages": -(-total // query.page_size)})


async def filter_teams(office: Office, visit: Visit[TeamFilterQuery, Nothing]) -> Answer:
    """Teams to choose from."""
    query = visit.query
    teams = await _visible(office, await rights_of(office, visit.caller), None, None)
    found = [
        team
        for team in teams
        if (not query.team_id or query.team_id in team.team_id)
        and (not query.team_alias or query.team_alias.lower() in (team.alias or "").lower())
    ]
    start = (query.page - 1) * query.page_size
    return Answer([TeamChoice(team.team_id, team.alias) for team in found[start : start + query.page_size]])


async def available_teams(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """The teams that everybody may join, but those that the caller has joined."""
    rights = await rights_of(office, visit.caller)
    wanted = [team_id for team_id in office.user_defaults.available_teams if team_id not in rights.teams]
    found = await office.directory.look_up([(TEAMS, team_id) for team_id in wanted])
    return Answer(await team_rows(office, [team for team in found if isinstance(team, Team)]))


async def _keys(office: Office, rights: Rights, team: Team, size: int) -> list[dict[str, Any]]:
    """The team's keys; of those that are not the caller's only where the team lets them."""
    if size == 0:
        return []
    all_of_them = rights.sees_all or _oversees(rights, team) or rights.permitted(team, "/key/info")
    if not all_of_them and rights.user_id is None:
        return []
    owner = None if all_of_them else rights.user_id
    page = await office.keys.find(KeyQuery(team_id=team.team_id, user_id=owner, size=size, counted=False))
    return await key_rows(office, page.records)


def _oversees(rights: Rights, team: Team) -> bool:
    return (
        rights.teams.get(team.team_id) == "admin"
        or rights.organizations.get(team.organization_id or "") is Role.ORGANIZATION_ADMIN
    )


async def _visible(office: Office, rights: Rights, user_id: str | None, organization_id: str | None) -> list[Team]:
    if user_id is not None and user_id != rights.user_id:
        await demand_sight_of_user(office, rights, user_id)
    if user_id is None and rights.sees_all:
        query = DirectoryQuery(parent=organization_id, size=_TEAMS_MAX)
        return list((await office.directory.find(TEAMS, query)).records)
    team_ids = await _teams_of(office, rights, user_id)
    found = await office.directory.look_up([(TEAMS, team_id) for team_id in team_ids])
    teams = [team for team in found if isinstance(team, Team)]
    return [
        team
        for team in teams
        if organization_id in {None, team.organization_id} and (rights.sees_all or rights.sees_team(team))
    ]


async def _teams_of(office: Office, rights: Rights, user_id: str | None) -> list[str]:
    if user_id is not None and user_id != rights.user_id:
        memberships = await office.directory.find(TEAM_MEMBERS, DirectoryQuery(owner=user_id, size=_TEAMS_MAX))
        return [member.team_id for member in memberships.records]
    mine = dict.fromkeys(rights.teams)
    if user_id is None:
        if rights.team_id is not None:
            mine[rights.team_id] = None
        for one in rights.administered_organizations:
            of_one = await office.directory.find(TEAMS, DirectoryQuery(parent=one, size=_TEAMS_MAX))
            mine |= dict.fromkeys(team.team_id for team in of_one.records)
    return list(mine)


async def _page(office: Office, rights: Rights, query: TeamListV2Query) -> tuple[list[Team], int]:
    """One page of the teams, by the directory itself where everything may be seen and nothing is compared by text."""
    by = {"team_id": "id", "team_alias": "alias", "updated_at": "updated_at"}.get(query.sort_by or "", "created_at")
    ids = None
    if query.user_id is not None or not rights.sees_all:
        ids = tuple(team.team_id for team in await _visible(office, rights, query.user_id, query.organization_id))
    if query.team_id is not None and query.search_team_id_match == "exact":
        ids = (query.team_id,) if ids is None or query.team_id in ids else ()
    prefix = query.team_id if query.search_team_id_match == "prefix" else None
    wanted = DirectoryQuery(
        ids=ids,
        parent=query.organization_id,
        search=query.search or query.team_alias or prefix,
        page=query.page,
        size=query.page_size,
        sort_by=by,  # type: ignore[arg-type]
        sort_order=query.sort_order if query.sort_by else "desc",
    )
    if query.sort_by in _COMPUTED:
        every = (await office.directory.find(TEAMS, msgspec.structs.replace(wanted, page=1, size=_TEAMS_MAX))).records
        return await _by_amount(office, list(every), query), len(every)
    found = await office.directory.find(TEAMS, wanted)
    return list(found.records), found.total


async def _by_amount(office: Office, teams: list[Team], query: TeamListV2Query) -> list[Team]:
    """A page of the teams in the order of an amount; those without one come first where it rises."""
    if query.sort_by == "spend":
        spent = await spent_by(office, "team", [team.team_id for team in teams])
        amounts: dict[str, int | None] = {team_id: its.amount for team_id, its in spent.items()}
    else:
        amounts = {team.team_id: getattr(team.limits, query.sort_by or "") for team in teams}
    teams.sort(key=lambda team: team.team_id)
    teams.sort(key=lambda team: _place(amounts[team.team_id]), reverse=query.sort_order == "desc")
    start = (query.page - 1) * query.page_size
    return teams[start : start + query.page_size]


def _place(amount: int | None) -> tuple[bool, int]:
    return amount is not None, amount or 0
