"""``/project/new``, ``update``, ``delete``, ``info`` and ``list``.

Source: LiteLLM 1.109.1, ``project_endpoints.py`` of its enterprise package. There admins of a team need a setting of
the operator to make projects; here they may, since a project can only narrow what the team has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UnsetType

from pointsman.admin.governance.entries import author, demand_printable, every, tell
from pointsman.admin.governance.limit_fields import MODEL_RATES, BudgetFields, changed_limits, says_limits
from pointsman.admin.governance.noting import note
from pointsman.admin.governance.periods import budgets_named, joined_limits
from pointsman.admin.grants import bound_of_account, demand_within, grant_of_limits
from pointsman.admin.keys.lookup import flushed
from pointsman.admin.keys.restrictions import not_enforced_header
from pointsman.admin.office import Office
from pointsman.admin.people.accounts import begin
from pointsman.admin.people.fields import json_object
from pointsman.admin.people.joining import existing_team
from pointsman.admin.people.passive import passive
from pointsman.admin.projects.keys import existing_project, keys_of_project
from pointsman.admin.projects.replies import project_rows
from pointsman.admin.projects.requests import (
    PROJECT_PASSIVE,
    NewProjectRequest,
    ProjectFields,
    ProjectIdsRequest,
    ProjectQuery,
    UpdateProjectRequest,
)
from pointsman.admin.rights import Rights, demand, demand_change_of_project, demand_changes, rights_of, sees_project
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.clock import call_id
from pointsman.core.errors import Malformed, NotFound
from pointsman.stores.charges import PROJECT
from pointsman.stores.directory.kinds import BUDGETS, PROJECTS, TEAMS
from pointsman.stores.directory.ports import DirectoryQuery, EntryExists
from pointsman.stores.directory.records import NO_LIMITS, Budget, Limits, Project, Team

__all__ = ["delete_projects", "list_projects", "new_project", "project_info", "update_project"]

_TABLE: Final = "LiteLLM_ProjectTable"
_PROJECTS_MAX: Final = 10_000


async def new_project(office: Office, visit: Visit[Nothing, NewProjectRequest]) -> Answer:
    """A new project of a team, with a budget of its own unless one is named."""
    wanted, by, now = visit.body, author(visit), office.clock.wall()
    rights = await rights_of(office, visit.caller)
    demand_changes(rights)
    await demand_change_of_project(office, rights, wanted.team_id, "make a project of this team")
    demand_printable(project_id=wanted.project_id)
    team = await existing_team(office, wanted.team_id)
    _demand_own_fields(rights, visit.fields)
    blank = Project(project_id=wanted.project_id or call_id(), team_id=team.team_id, created_at=now, created_by=by)
    one, unheeded = _changed(blank, wanted, visit.fields, now, by)
    budget = await _budget(office, one, wanted, now, by)
    await _demand_within_team(office, team, one, budget.limits)
    if await office.directory.get(PROJECTS, one.project_id) is not None:
        raise _exists(one)
    one = msgspec.structs.replace(one, budget_id=await _kept_budget(office, budget, wanted, now, by))
    try:
        await office.directory.insert(PROJECTS, one)
    except EntryExists:
        raise _exists(one) from None
    await begin(office, PROJECT, one.project_id, joined_limits(one.limits, budget))
    tell(office, PROJECTS, one.project_id)
    row = (await project_rows(office, (one,)))[0]
    note(visit, "created", _TABLE, one.project_id, before=None, after=row)
    return Answer(row, headers=not_enforced_header(unheeded))


async def update_project(office: Office, visit: Visit[Nothing, UpdateProjectRequest]) -> Answer:
    """Change what the request names, and leave the rest; who moves a project has to administer both teams."""
    wanted, by, now = visit.body, author(visit), office.clock.wall()
    rights = await rights_of(office, visit.caller)
    demand_changes(rights)
    before = await _to_change(office, rights, wanted.project_id)
    moved_to = wanted.team_id if isinstance(wanted.team_id, str) and wanted.team_id else before.team_id
    if moved_to != before.team_id:
        await demand_change_of_project(office, rights, moved_to, "move a project to this team")
    team = None if moved_to is None else await existing_team(office, moved_to)
    _demand_own_fields(rights, visit.fields)
    changed, unheeded = _changed(before, wanted, visit.fields, now, by)
    old_row = (await project_rows(office, (before,)))[0]
    budget = await _budget(office, before, wanted, now, by, alone=not rights.is_admin)
    if team is not None:
        await _demand_within_team(office, team, changed, budget.limits)
    if moved_to != before.team_id:
        await _demand_movable(office, before, moved_to)
    budget_id = await _kept_budget(office, budget, wanted, now, by)

    def change(current: Project) -> Project:
        found, _ = _changed(current, wanted, visit.fields, now, by)
        return msgspec.structs.replace(found, budget_id=budget_id, team_id=moved_to)

    after = await office.directory.update(PROJECTS, before.project_id, change)
    if says_limits(_said(wanted)) or after.budget_id != before.budget_id:
        await begin(office, PROJECT, after.project_id, joined_limits(after.limits, budget))
    tell(office, PROJECTS, after.project_id)
    row = (await project_rows(office, (after,)))[0]
    note(visit, "updated", _TABLE, after.project_id, before=old_row, after=row)
    return Answer(row, headers=not_enforced_header(unheeded))


async def delete_projects(office: Office, visit: Visit[Nothing, ProjectIdsRequest]) -> Answer:
    """Delete projects that no key has any more, all that are named or none. The ledger keeps what they cost."""
    rights = await rights_of(office, visit.caller)
    demand_changes(rights)
    demand(rights.is_admin, "delete projects")
    wanted = tuple(dict.fromkeys(visit.body.project_ids))
    found = [await existing_project(office, project_id, "project_ids") for project_id in wanted]
    for one in found:
        keys = await keys_of_project(office, one)
        if keys:
            raise Malformed(
                f"Cannot delete project {one.project_id}. {len(keys)} key(s) are associated with it. "
                "Please delete or reassign the keys first.",
                param="project_ids",
                code="project_has_keys",
            )
    rows = await project_rows(office, found)
    await office.directory.delete(PROJECTS, wanted)
    for row in rows:
        await office.spend.forget(PROJECT, row.project_id)
        tell(office, PROJECTS, row.project_id)
        note(visit, "deleted", _TABLE, row.project_id, before=row, after=None)
    return Answer(rows)


async def project_info(office: Office, visit: Visit[ProjectQuery, Nothing]) -> Answer:
    """One project."""
    rights = await rights_of(office, visit.caller)
    found = await office.directory.get(PROJECTS, visit.query.project_id)
    demand(rights.sees_all or (found is not None and await sees_project(office, rights, found)), "look at this project")
    one = await existing_project(office, visit.query.project_id)
    await flushed(office)
    return Answer((await project_rows(office, (one,)))[0])


async def list_projects(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """All projects that the caller may see."""
    rights = await rights_of(office, visit.caller)
    found = await every(office, PROJECTS) if rights.sees_all else await _of_own_teams(office, rights)
    await flushed(office)
    return Answer(await project_rows(office, found))


async def _of_own_teams(office: Office, rights: Rights) -> list[Project]:
    teams = dict.fromkeys(rights.teams)
    if rights.team_id is not None:
        teams[rights.team_id] = None
    for organization_id in rights.administered_organizations:
        query = DirectoryQuery(parent=organization_id, size=_PROJECTS_MAX)
        teams |= dict.fromkeys(team.team_id for team in (await office.directory.find(TEAMS, query)).records)
    found: list[Project] = []
    for team_id in teams:
        query = DirectoryQuery(parent=team_id, size=_PROJECTS_MAX, sort_by="id", sort_order="asc")
        found += (await office.directory.find(PROJECTS, query)).records
    return found


async def _to_change(office: Office, rights: Rights, project_id: str) -> Project:
    """The project, if who asks may change it; others do not learn whether it is there."""
    found = await office.directory.get(PROJECTS, project_id)
    team_id = None if found is None else found.team_id
    await demand_change_of_project(office, rights, team_id, "change this project")
    return await existing_project(office, project_id)


def _demand_own_fields(rights: Rights, body: Mapping[str, msgspec.Raw]) -> None:
    """A budget with a name is shared with others, so it is for administrators to give."""
    said = bytes(body.get("budget_id", b"null"))
    demand(rights.is_admin or said in {b"null", b'""'}, "set budget_id of a project")


async def _demand_movable(office: Office, one: Project, team_id: str | None) -> None:
    keys = await keys_of_project(office, one)
    if keys:
        raise Malformed(
            f"Project {one.project_id} has {len(keys)} key(s) that do not belong to team {team_id}. "
            "Detach or delete them before moving the project.",
            param="team_id",
        )


async def _demand_within_team(office: Office, team: Team, one: Project, of_budget: Limits) -> None:
    """Raise unless the project has no more than its team.

    Raises:
        Malformed: it has more; or its soft budget is not below its budget.
    """
    limits = joined_limits(one.limits, Budget(budget_id="", limits=of_budget))
    if limits.soft_budget is not None and limits.max_budget is not None and limits.soft_budget >= limits.max_budget:
        raise Malformed("soft_budget must be strictly lower than max_budget.", param="soft_budget")
    bound = await bound_of_account(office, "the team", team)
    demand_within(office, grant_of_limits(limits, one.models), (bound,), new=True)


def _changed(
    one: Project, fields: ProjectFields, body: Mapping[str, msgspec.Raw], now: float, by: str
) -> tuple[Project, tuple[str, ...]]:
    extra, unheeded = passive(body, frozenset(fields.__struct_fields__), PROJECT_PASSIVE, one.extra)
    found: dict[str, object] = {"extra": extra}
    rates = {
        name: getattr(fields, name) or {} for name in MODEL_RATES if not isinstance(getattr(fields, name), UnsetType)
    }
    found["limits"] = msgspec.structs.replace(one.limits, **rates)
    for name, ours, empty in (
        ("project_alias", "alias", None),
        ("description", "description", None),
        ("models", "models", ()),
        ("tags", "tags", ()),
        ("blocked", "blocked", False),
    ):
        value = getattr(fields, name)
        if not isinstance(value, UnsetType):
            found[ours] = value or empty
    _demand_printable(fields)
    if not isinstance(fields.metadata, UnsetType):
        found["metadata"] = json_object(fields.metadata)
    return msgspec.structs.replace(one, updated_at=now, updated_by=by, **found), unheeded


def _demand_printable(fields: ProjectFields) -> None:
    if isinstance(fields.project_alias, str) and fields.project_alias:
        demand_printable(project_alias=fields.project_alias)
    for name in ("models", "tags"):
        texts = getattr(fields, name)
        if isinstance(texts, tuple) and not all(text.isprintable() for text in texts):
            raise Malformed(f"{name} must not have control characters.", param=name)


def _said(fields: ProjectFields) -> BudgetFields:
    return BudgetFields(**{name: getattr(fields, name) for name in BudgetFields.__struct_fields__})


async def _budget(
    office: Office, one: Project, fields: ProjectFields, now: float, by: str, *, alone: bool = False
) -> Budget:
    """The budget as it is to be, with what the request says of it; as in LiteLLM every project has one.

    ``alone``: one that others may have too is left as it is, and the project gets one of its own in its place.

    Raises:
        NotFound: the request names one that does not exist.
        Malformed: a limit is none.
    """
    named = fields.budget_id if isinstance(fields.budget_id, str) and fields.budget_id else one.budget_id
    known = (await budgets_named(office, (named,))).get(named or "")
    if known is None and isinstance(fields.budget_id, str) and fields.budget_id:
        raise NotFound(f"Budget not found, passed budget_id={named}", param="budget_id", code="budget_not_found")
    base = known or Budget(budget_id=call_id(), created_at=now, created_by=by)
    limits = changed_limits(_said(fields), base.limits if known is not None else NO_LIMITS)
    if known is not None and limits == known.limits:
        return known
    if alone and known is not None and known.created_at != one.created_at:
        base = Budget(budget_id=call_id(), created_at=now, created_by=by)
    return msgspec.structs.replace(base, limits=limits, updated_at=now, updated_by=by)


async def _kept_budget(office: Office, budget: Budget, fields: ProjectFields, now: float, by: str) -> str:
    """Write the budget down where that says anything new; gives its id."""
    known = await office.directory.get(BUDGETS, budget.budget_id)
    if known is None:
        await office.directory.insert(BUDGETS, budget)
    elif known.limits != budget.limits:
        await office.directory.update(
            BUDGETS,
            budget.budget_id,
            lambda old: msgspec.structs.replace(
                old, limits=changed_limits(_said(fields), old.limits), updated_at=now, updated_by=by
            ),
        )
    else:
        return budget.budget_id
    tell(office, BUDGETS, budget.budget_id)
    return budget.budget_id


def _exists(one: Project) -> Malformed:
    return Malformed(
        f"Project id = {one.project_id} already exists. Please use a different project id.",
        param="project_id",
        code="entry_exists",
    )
