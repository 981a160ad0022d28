"""The routes of projects; a part of :mod:`pointsman.admin.table`."""

from __future__ import annotations

from typing import Any, Final

from pointsman.admin.projects import handlers, replies, requests
from pointsman.admin.route import Nothing, Route
from pointsman.core.identity import Scope

__all__ = ["PROJECT_ROUTES"]

PROJECT_ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "POST", ("/project/new",), Scope.MANAGEMENT, handlers.new_project,
        summary="Make a project of a team", tier="litellm",
        query=Nothing, body=requests.NewProjectRequest, reply=replies.ProjectRow,
    ),
    Route(
        "POST", ("/project/update",), Scope.MANAGEMENT, handlers.update_project,
        summary="Change a project", tier="litellm",
        query=Nothing, body=requests.UpdateProjectRequest, reply=replies.ProjectRow,
    ),
    Route(
        "DELETE", ("/project/delete",), Scope.MANAGEMENT, handlers.delete_projects,
        summary="Delete projects that have no keys", tier="litellm",
        query=Nothing, body=requests.ProjectIdsRequest, reply=list[replies.ProjectRow],
    ),
    Route(
        "GET", ("/project/info",), Scope.MANAGEMENT, handlers.project_info,
        summary="A project", tier="litellm",
        query=requests.ProjectQuery, body=Nothing, reply=replies.ProjectRow,
    ),
    Route(
        "GET", ("/project/list",), Scope.MANAGEMENT, handlers.list_projects,
        summary="List projects", tier="litellm",
        query=Nothing, body=Nothing, reply=list[replies.ProjectRow],
    ),
)  # fmt: skip
