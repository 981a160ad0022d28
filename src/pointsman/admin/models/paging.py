"""``/v2/model/info``: the deployments a page at a time, searched, filtered and sorted.

Source: LiteLLM 1.109.1, ``model_info_v2``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pointsman.admin.models.info import ModelInfoRow, info_rows
from pointsman.admin.models.of_team import let_by
from pointsman.admin.models.visible import visible_deployments
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Deployment

__all__ = ["ModelPageQuery", "ModelPageReply", "model_page"]


class ModelPageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which deployments, in LiteLLM's names. ``search`` may occur anywhere in the name of the model.

    ``debug``, ``include_team_models``, ``exclude_auto_routers`` and ``use_stored_params`` change nothing here.
    """

    model: str | None = None
    modelId: str | None = None  # noqa: N815 - as LiteLLM writes it
    search: str | None = None
    access_group: str | None = None
    wildcard_only: bool = False
    blocked: bool | None = None
    page: Annotated[int, Meta(ge=1, le=2**31)] = 1
    size: Annotated[int, Meta(ge=1, le=1000)] = 50
    sortBy: Literal["model_name", "costs"] | None = None  # noqa: N815 - as LiteLLM writes it
    sortOrder: Literal["asc", "desc"] = "asc"  # noqa: N815 - as LiteLLM writes it
    user_models_only: bool = False
    teamId: str | None = None  # noqa: N815 - as LiteLLM writes it
    debug: bool = False
    include_team_models: bool = False
    exclude_auto_routers: bool = False
    use_stored_params: bool = False


class ModelPageReply(msgspec.Struct, frozen=True):
    """A page of the deployments that the caller may use."""

    data: tuple[ModelInfoRow, ...]
    total_count: int
    current_page: int
    total_pages: int
    size: int


async def model_page(office: Office, visit: Visit[ModelPageQuery, Nothing]) -> Answer:
    """What is known of each deployment, a page at a time. Those that are blocked are routed to by nobody, nor listed.

    Raises:
        Unsupported: who made a model is not looked for here.
    """
    asked = visit.query
    if asked.user_models_only:
        raise Unsupported(
            "Models cannot be narrowed by user_models_only.", hint="Ask with a key of that user.",
            param="user_models_only",
        )  # fmt: skip
    lets = await let_by(office, visit.caller, asked.teamId, "teamId")
    admin = visit.caller.admin
    found = _wanted((*visible_deployments(office.table(), visit.caller), *(office.wildcards() if admin else ())), asked)
    found = [one for one in found if lets(one.group, one)]
    if asked.sortBy == "model_name":
        found.sort(key=lambda one: one.group.lower(), reverse=asked.sortOrder == "desc")
    elif asked.sortBy == "costs":
        found.sort(key=_cost, reverse=asked.sortOrder == "desc")
    start = (asked.page - 1) * asked.size
    rows = await info_rows(office, found[start : start + asked.size], admin=admin)
    pages = -(-len(found) // asked.size)
    return Answer({
        "data": rows, "total_count": len(found), "current_page": asked.page, "total_pages": pages, "size": asked.size,
    })  # fmt: skip


def _wanted(deployments: Iterable[Deployment], asked: ModelPageQuery) -> list[Deployment]:
    search = (asked.search or "").lower()
    return [
        one
        for one in deployments
        if asked.model in {None, one.group}
        and asked.modelId in {None, one.id}
        and search in one.group.lower()
        and (asked.access_group is None or asked.access_group in one.access_groups)
        and (not asked.wildcard_only or "*" in one.group)
        and asked.blocked is not True
    ]


def _cost(deployment: Deployment) -> int:
    """What a token in and a token out cost together; what has no price costs nothing."""
    return 0 if deployment.price is None else deployment.price.bound(1, 1)
