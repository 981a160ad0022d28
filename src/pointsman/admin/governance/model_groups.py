"""``/access_group/…``: the names in ``model_info.access_groups`` by which keys may be given several models at once.

Source: LiteLLM 1.109.1, ``model_access_group_management_endpoints.py``. As there, only models that were added at run
time can be changed; those of the configuration file are, in the file. Their budgets are in ``group_budgets.py``, and
so are the routes that show both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pointsman.admin.governance.entries import author, demand_printable, every, replaced, tell
from pointsman.admin.governance.group_budgets import (
    GroupBudget,
    GroupBudgetReply,
    forget_group_budget,
    group_budgets,
)
from pointsman.admin.governance.grouping import demand_group, groups_of, model_groups
from pointsman.admin.governance.noting import note
from pointsman.admin.keys.lookup import flushed
from pointsman.admin.keys.requests import Label, ModelName
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Malformed
from pointsman.stores.directory.kinds import MODELS
from pointsman.stores.directory.records import StoredModel

__all__ = [
    "DeletedModelGroupReply",
    "ModelGroupInfo",
    "ModelGroupListReply",
    "ModelGroupReply",
    "NewModelGroupRequest",
    "UpdateModelGroupRequest",
    "delete_model_group",
    "list_model_groups",
    "new_model_group",
    "show_model_group",
    "update_model_group",
]


class UpdateModelGroupRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the group shall have: all deployments of these names, or just the deployments with these ids."""

    model_names: Annotated[tuple[ModelName, ...], Meta(max_length=1000)] | None = None
    model_ids: Annotated[tuple[str, ...], Meta(max_length=1000)] | None = None


class NewModelGroupRequest(UpdateModelGroupRequest, frozen=True, kw_only=True):
    """A group."""

    access_group: Label


class ModelGroupReply(msgspec.Struct, frozen=True):
    """A group that was made or changed, and how many deployments it has now."""

    access_group: str
    model_names: tuple[str, ...] | None
    model_ids: tuple[str, ...] | None
    models_updated: int


class DeletedModelGroupReply(msgspec.Struct, frozen=True):
    """A group that is gone, and how many deployments had it."""

    access_group: str
    models_updated: int
    message: str


class ModelGroupInfo(msgspec.Struct, frozen=True):
    """A group: the models in it, how many deployments those are, and what all together spent and may spend."""

    access_group: str
    model_names: tuple[str, ...]
    deployment_count: int
    spend: float
    budget: GroupBudget | None


class ModelGroupListReply(msgspec.Struct, frozen=True):
    """All groups."""

    access_groups: tuple[ModelGroupInfo, ...]


async def list_model_groups(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """All groups, those of the configuration file too."""
    found = await model_groups(office)
    await flushed(office)
    budgets = await group_budgets(office, found)
    shown = (_shown(budgets[name], members) for name, members in sorted(found.items()))
    return Answer(ModelGroupListReply(tuple(shown)))


async def show_model_group(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """One group."""
    name = visit.path["access_group"]
    members = (await demand_group(office, name))[name]
    await flushed(office)
    return Answer(_shown((await group_budgets(office, (name,)))[name], members))


async def new_model_group(office: Office, visit: Visit[Nothing, NewModelGroupRequest]) -> Answer:
    """Put models under a new name."""
    wanted = visit.body
    demand_printable(access_group=wanted.access_group)
    if wanted.access_group in await model_groups(office):
        raise Malformed(
            f"Access group '{wanted.access_group}' already exists.",
            hint=f"Change it with PUT /access_group/{wanted.access_group}/update.",
            status=409,
            param="access_group",
        )
    chosen = await _chosen(office, wanted)
    await _change(office, visit, chosen, wanted.access_group, has=True)
    return Answer(ModelGroupReply(wanted.access_group, wanted.model_names, wanted.model_ids, len(chosen)))


async def update_model_group(office: Office, visit: Visit[Nothing, UpdateModelGroupRequest]) -> Answer:
    """Have the group have these models, and no others of those that were added at run time."""
    name, wanted = visit.path["access_group"], visit.body
    await demand_group(office, name)
    chosen = {model.model_id for model in await _chosen(office, wanted)}
    stored = await every(office, MODELS)
    leaving = [model for model in stored if name in groups_of(model) and model.model_id not in chosen]
    joining = [model for model in stored if name not in groups_of(model) and model.model_id in chosen]
    await _change(office, visit, leaving, name, has=False)
    await _change(office, visit, joining, name, has=True)
    return Answer(ModelGroupReply(name, wanted.model_names, wanted.model_ids, len(chosen)))


async def delete_model_group(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Take the name away from every model that was added at run time."""
    name = visit.path["access_group"]
    await demand_group(office, name)
    having = [model for model in await every(office, MODELS) if name in groups_of(model)]
    if not having:
        raise _in_the_file(name)
    await _change(office, visit, having, name, has=False)
    if name not in await model_groups(office):
        await forget_group_budget(office, name)
    return Answer(DeletedModelGroupReply(name, len(having), f"Access group '{name}' deleted successfully"))


async def _chosen(office: Office, wanted: UpdateModelGroupRequest) -> Sequence[StoredModel]:
    """The stored models that are meant.

    Raises:
        Malformed: none is named, or one is not there, or stands in the configuration file.
    """
    if not wanted.model_names and not wanted.model_ids:
        raise Malformed("model_names or model_ids is required.", param="model_names")
    stored = await every(office, MODELS)
    # Ids go before names, as in LiteLLM.
    if wanted.model_ids:
        found = [model for model in stored if model.model_id in set(wanted.model_ids)]
        _demand_all(office, wanted.model_ids, {model.model_id for model in found}, "model_ids")
        return found
    names = wanted.model_names or ()
    found = [model for model in stored if model.name in set(names)]
    _demand_all(office, names, {model.name for model in found}, "model_names")
    return found


def _demand_all(office: Office, wanted: Iterable[str], found: set[str], param: str) -> None:
    missing = [name for name in wanted if name not in found]
    if not missing:
        return
    configured = {name for deployment in office.table().deployments for name in (deployment.id, deployment.group)}
    if missing[0] in configured:
        raise Malformed(
            f"{missing[0]} stands in the configuration file, where this API changes nothing.",
            hint="Write the group there: model_info.access_groups.",
            param=param,
        )
    raise Malformed(f"Model(s) not found: {', '.join(missing)}", hint="GET /v1/models lists them.", param=param)


async def _change(
    office: Office, visit: Visit[Nothing, Any], models: Sequence[StoredModel], group: str, *, has: bool
) -> None:
    """Have the models be in the group, or no more, and serve them so."""
    for model in models:
        changer = _changer(group, has, office.clock.wall(), author(visit))
        models_before_and_after = await replaced(office, MODELS, model.model_id, changer)
        tell(office, MODELS, model.model_id)
        before, after = ({"access_groups": groups_of(one)} for one in models_before_and_after)
        note(visit, "updated", "LiteLLM_ProxyModelTable", model.model_id, before=before, after=after)
    if models and office.stored is not None:
        await office.stored.take_over()


def _changer(group: str, has: bool, now: float, by: str) -> Callable[[StoredModel], StoredModel]:  # noqa: FBT001
    def change(model: StoredModel) -> StoredModel:
        fields = msgspec.json.decode(model.info, type=dict[str, msgspec.Raw])
        others = tuple(one for one in groups_of(model) if one != group)
        info = msgspec.json.encode({**fields, "access_groups": (*others, group) if has else others})
        return msgspec.structs.replace(model, info=msgspec.Raw(info), updated_at=now, updated_by=by)

    return change


def _shown(its: GroupBudgetReply, members: dict[str, str]) -> ModelGroupInfo:
    return ModelGroupInfo(its.access_group, tuple(sorted(set(members.values()))), len(members), its.spend, its.budget)


def _in_the_file(name: str) -> Malformed:
    return Malformed(
        f"Access group '{name}' stands in the configuration file only, where this API changes nothing.",
        hint="Take it out of model_info.access_groups there.",
        param="access_group",
    )
