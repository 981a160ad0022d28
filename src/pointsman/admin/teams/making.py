"""``/team/new``, ``update``, ``delete``, ``block``, ``unblock`` and ``model/add|delete``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pointsman.admin.governance.entries import author, demand_printable, replaced, tell
from pointsman.admin.keys.restrictions import not_enforced_header
from pointsman.admin.office import Office
from pointsman.admin.people.accounts import begin, user_or_new
from pointsman.admin.people.joining import disband_team, existing_team, join_team
from pointsman.admin.people.noting import note_team
from pointsman.admin.rights import Rights, demand, demand_changes, rights_of, team_members
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.teams.changes import changed_team, demand_priority, demand_within_organization, demand_within_team
from pointsman.admin.teams.replies import DeletedTeamsReply, team_rows
from pointsman.admin.teams.requests import (
    Member,
    NewTeamRequest,
    PatchTeamRequest,
    TeamFields,
    TeamIdsRequest,
    TeamModelsRequest,
    TeamRequest,
    UpdateTeamRequest,
)
from pointsman.core.clock import call_id
from pointsman.core.errors import Malformed, NotFound
from pointsman.core.price import picodollars
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS
from pointsman.stores.directory.ports import EntryExists
from pointsman.stores.directory.records import Limits, Team, member_id

__all__ = [
    "add_team_models",
    "block_team",
    "delete_team_models",
    "delete_teams",
    "new_team",
    "patch_team",
    "unblock_team",
    "update_team",
]


async def new_team(office: Office, visit: Visit[Nothing, NewTeamRequest]) -> Answer:
    """A new team with its members; who makes one for an organisation becomes its admin."""
    wanted, by, now = visit.body, author(visit), office.clock.wall()
    rights = await rights_of(office, visit.caller)
    demand_changes(rights)
    organization_id = wanted.organization_id if isinstance(wanted.organization_id, str) else None
    demand(rights.administers_organization(organization_id or None), "make a team, but in an organisation of yours")
    demand_printable(team_id=wanted.team_id)
    team, unheeded = changed_team(_blank(office, wanted, now, by), wanted, _said(visit.fields), now, by)
    demand_priority(rights, None, team)
    await demand_within_organization(office, team)
    try:
        await office.directory.insert(TEAMS, team)
    except EntryExists:
        raise Malformed(
            f"Team id = {team.team_id} already exists. Please use a different team id.", param="team_id",
            code="entry_exists",
        ) from None  # fmt: skip
    await begin(office, "team", team.team_id, team.limits)
    tell(office, TEAMS, team.team_id)
    note_team(visit, "created", None, team)
    for member in _members(wanted, rights):
        user = await user_or_new(office, member.user_id, member.user_email, by)
        if await office.directory.get(TEAM_MEMBERS, member_id(team.team_id, user.user_id)) is None:
            await join_team(office, team, user, member.role, by)
    return Answer((await team_rows(office, (team,)))[0], headers=not_enforced_header(unheeded))


async def update_team(office: Office, visit: Visit[Nothing, UpdateTeamRequest]) -> Answer:
    """Change what the request names, and leave the rest."""
    team, unheeded = await _update(office, visit, visit.body.team_id, visit.body)
    row = (await team_rows(office, (team,)))[0]
    return Answer({"team_id": team.team_id, "data": row}, headers=not_enforced_header(unheeded))


async def patch_team(office: Office, visit: Visit[Nothing, PatchTeamRequest]) -> Answer:
    """Change what the request names, and leave the rest; the answer is the team alone."""
    team_id = visit.path["team_id"]
    if visit.body.team_id not in {None, team_id}:
        raise Malformed("team_id is another one than in the path.", hint="Leave it out.", param="team_id")
    team, unheeded = await _update(office, visit, team_id, visit.body)
    return Answer((await team_rows(office, (team,)))[0], headers=not_enforced_header(unheeded))


async def delete_teams(office: Office, visit: Visit[Nothing, TeamIdsRequest]) -> Answer:
    """Delete teams with their keys and memberships, all that are named or none. The ledger keeps what they cost."""
    rights, by = await rights_of(office, visit.caller), author(visit)
    demand_changes(rights)
    wanted = tuple(dict.fromkeys(visit.body.team_ids))
    if not wanted:
        raise Malformed("No team id passed in", param="team_ids")
    found = await office.directory.look_up([(TEAMS, team_id) for team_id in wanted])
    for team_id, team in zip(wanted, found, strict=True):
        may = rights.is_admin or (team is not None and rights.administers_organization(team.organization_id))
        demand(may, "delete this team")
        if team is None:
            raise NotFound(f"Team not found, passed team_id={team_id}", param="team_ids", code="team_not_found")
    for team_id, team in zip(wanted, found, strict=True):
        await disband_team(office, team_id, by)
        note_team(visit, "deleted", team)
    return Answer(DeletedTeamsReply(wanted))


async def block_team(office: Office, visit: Visit[Nothing, TeamRequest]) -> Answer:
    """Let nobody call with the team's keys until it is unblocked."""
    return await _set_blocked(office, visit, blocked=True)


async def unblock_team(office: Office, visit: Visit[Nothing, TeamRequest]) -> Answer:
    """Let the team's keys be used again."""
    return await _set_blocked(office, visit, blocked=False)


async def add_team_models(office: Office, visit: Visit[Nothing, TeamModelsRequest]) -> Answer:
    """Let the team use more models."""
    models = visit.body.models
    return await _set_models(office, visit, lambda before: tuple(dict.fromkeys((*before, *models))))


async def delete_team_models(office: Office, visit: Visit[Nothing, TeamModelsRequest]) -> Answer:
    """Let the team use fewer models."""
    models = visit.body.models

    def fewer(before: tuple[str, ...]) -> tuple[str, ...]:
        left = tuple(one for one in before if one not in models)
        if before and not left:
            raise Malformed(
                "A team without models may use all of them.",
                hint='Leave one, or let it use none: {"models": ["no-default-models"]} in /team/update.',
                param="models",
            )
        return left

    return await _set_models(office, visit, fewer)


def _blank(office: Office, wanted: NewTeamRequest, now: float, by: str) -> Team:
    """The team of which nothing is said but the id: with the operator's defaults."""
    defaults = office.team_defaults
    limits = Limits(
        max_budget=None if defaults.max_budget is None else picodollars(defaults.max_budget),
        budget_duration=defaults.budget_duration,
        rpm_limit=defaults.rpm_limit,
        tpm_limit=defaults.tpm_limit,
    )
    return Team(
        team_id=wanted.team_id or call_id(),
        models=defaults.models,
        limits=limits,
        member_permissions=defaults.team_member_permissions,
        created_at=now,
        created_by=by,
    )


def _said(body: Mapping[str, msgspec.Raw]) -> Mapping[str, msgspec.Raw]:
    return {name: raw for name, raw in body.items() if bytes(raw) != b"null"}


def _members(wanted: NewTeamRequest, rights: Rights) -> list[Member]:
    members = list(wanted.members_with_roles)
    members += [Member(user_id=user_id, role="admin") for user_id in wanted.admins]
    members += [Member(user_id=user_id) for user_id in wanted.members]
    if rights.user_id is not None and rights.user_id not in {member.user_id for member in members}:
        members.append(Member(user_id=rights.user_id, role="admin"))
    return members


async def _update(
    office: Office, visit: Visit[Nothing, UpdateTeamRequest] | Visit[Nothing, PatchTeamRequest], team_id: str,
    fields: TeamFields,
) -> tuple[Team, tuple[str, ...]]:  # fmt: skip
    rights, by, now = await rights_of(office, visit.caller), author(visit), office.clock.wall()
    before = await _team_to_change(office, rights, team_id)
    after, unheeded = changed_team(before, fields, visit.fields, now, by)
    demand_within_team(office, rights, before, after)
    await demand_within_organization(office, after)

    def change(current: Team) -> Team:
        changed, _ = changed_team(current, fields, visit.fields, now, by)
        demand_within_team(office, rights, current, changed)
        return changed

    before, team = await replaced(office, TEAMS, team_id, change)
    if team.limits != before.limits:
        await begin(office, "team", team_id, team.limits)
    if team.member_limits != before.member_limits:
        for member in await team_members(office, team_id):
            limits = member.limits if member.limits != Limits() else team.member_limits
            await begin(office, "member", member_id(team_id, member.user_id), limits)
    tell(office, TEAMS, team_id)
    note_team(visit, "updated", before, team)
    return team, unheeded


async def _team_to_change(office: Office, rights: Rights, team_id: str) -> Team:
    demand_changes(rights)
    if not rights.is_admin:
        team = await office.directory.get(TEAMS, team_id)
        demand(team is not None and rights.administers_team(team), "change this team")
    return await existing_team(office, team_id)


async def _set_blocked(office: Office, visit: Visit[Nothing, TeamRequest], *, blocked: bool) -> Answer:
    rights, by, now = await rights_of(office, visit.caller), author(visit), office.clock.wall()
    team = await _team_to_change(office, rights, visit.body.team_id)
    demand(rights.administers_organization(team.organization_id), "block or unblock your own team")
    return await _write(
        office, visit, team, lambda one: msgspec.structs.replace(one, blocked=blocked, updated_at=now, updated_by=by)
    )


async def _set_models(
    office: Office, visit: Visit[Nothing, TeamModelsRequest], models: Callable[[tuple[str, ...]], tuple[str, ...]]
) -> Answer:
    rights, by, now = await rights_of(office, visit.caller), author(visit), office.clock.wall()
    team = await _team_to_change(office, rights, visit.body.team_id)

    def change(one: Team) -> Team:
        after = msgspec.structs.replace(one, models=models(one.models), updated_at=now, updated_by=by)
        demand_within_team(office, rights, one, after)
        return after

    await demand_within_organization(office, change(team))
    return await _write(office, visit, team, change)


async def _write(office: Office, visit: Visit[Any, Any], before: Team, change: Callable[[Team], Team]) -> Answer:
    before, team = await replaced(office, TEAMS, before.team_id, change)
    tell(office, TEAMS, team.team_id)
    turned = before.blocked != team.blocked
    note_team(visit, ("blocked" if team.blocked else "unblocked") if turned else "updated", before, team)
    return Answer((await team_rows(office, (team,)))[0])
