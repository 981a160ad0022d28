"""Which keys a project has, and whether a key may be one of them."""

from __future__ import annotations

import msgspec

from pointsman.admin.governance.periods import budgets_named, joined_limits
from pointsman.admin.grants import bound_of_limits, demand_within, grant_of_limits
from pointsman.admin.office import Office
from pointsman.core.errors import Malformed, NotFound
from pointsman.core.identity import KeyRecord
from pointsman.policies.key_terms import terms_of
from pointsman.stores.directory.kinds import PROJECTS
from pointsman.stores.directory.records import Limits, Project
from pointsman.stores.ports import KeyQuery

__all__ = ["demand_project_fits", "existing_project", "keys_of_project"]

_PAGE = 1_000


async def existing_project(office: Office, project_id: str, param: str = "project_id") -> Project:
    """The project with this id.

    Raises:
        NotFound: there is none.
    """
    one = await office.directory.get(PROJECTS, project_id)
    if one is None:
        raise NotFound(
            f"Project not found, project_id={project_id}",
            hint="GET /project/list has all.",
            param=param,
            code="project_not_found",
        )
    return one


async def keys_of_project(office: Office, project: Project) -> list[KeyRecord]:
    """The live keys of a project, all of which are of its team."""
    found: list[KeyRecord] = []
    query = KeyQuery(team_id=project.team_id, size=_PAGE, sort_by="token", sort_order="asc")
    while True:
        page = await office.keys.find(query)
        found += [record for record in page.records if terms_of(record).project_id == project.project_id]
        if query.page * _PAGE >= page.total:
            return found
        query = msgspec.structs.replace(query, page=query.page + 1)


async def demand_project_fits(office: Office, record: KeyRecord, before: KeyRecord | None = None) -> None:
    """Raise unless the key may be one of the project that it names, if any.

    Raises:
        NotFound: there is no such project.
        Malformed: it is another team's, the key was of another project before, or it would have more than the project.
    """
    project_id = terms_of(record).project_id
    if project_id is None:
        return
    old = None if before is None else terms_of(before).project_id
    if old is not None and old != project_id:
        raise Malformed(
            "Project reassignment is not supported. Use null to detach the key.",
            hint="Make a key of the other project instead.",
            param="project_id",
        )
    if before is not None and old == project_id and _same_bounds(before, record):
        return
    project = await existing_project(office, project_id)
    if project.team_id != record.team_id:
        raise Malformed(
            f"Project {project_id} belongs to team {project.team_id}. Keys can only be assigned to a project owned by "
            f"their own team (key team: {record.team_id}).",
            param="project_id",
        )
    budget = (await budgets_named(office, (project.budget_id,))).get(project.budget_id or "")
    most = joined_limits(project.limits, budget).max_budget
    bound = bound_of_limits("the project", Limits(max_budget=most), project.models)
    demand_within(office, grant_of_limits(Limits(max_budget=record.max_budget), record.models), (bound,), new=True)


def _same_bounds(before: KeyRecord, after: KeyRecord) -> bool:
    return (before.team_id, before.models, before.max_budget) == (after.team_id, after.models, after.max_budget)
