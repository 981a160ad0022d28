"""Which models are in which group: the names in ``model_info.access_groups``, of the file and of stored models."""

from __future__ import annotations

import msgspec

from pointsman.admin.governance.entries import every
from pointsman.admin.office import Office
from pointsman.core.errors import NotFound
from pointsman.stores.directory.kinds import MODELS
from pointsman.stores.directory.records import StoredModel

__all__ = ["demand_group", "groups_of", "model_groups"]


class _Info(msgspec.Struct):
    access_groups: tuple[str, ...] | None = None


async def model_groups(office: Office) -> dict[str, dict[str, str]]:
    """By group the deployments in it, by id, with their models."""
    found: dict[str, dict[str, str]] = {}
    stored = await every(office, MODELS)
    known = {model.model_id for model in stored}
    for deployment in office.table().deployments:
        # What is stored is newer than the table that was made of it.
        for group in deployment.access_groups if deployment.id not in known else ():
            found.setdefault(group, {})[deployment.id] = deployment.group
    for model in stored:
        for group in groups_of(model):
            found.setdefault(group, {})[model.model_id] = model.name
    return found


async def demand_group(office: Office, name: str) -> dict[str, dict[str, str]]:
    """The groups, by name the deployments in each by id, with their models.

    Raises:
        NotFound: there is none of that name.
    """
    found = await model_groups(office)
    if name not in found:
        raise NotFound(f"Access group '{name}' not found", hint="GET /access_group/list has all.", param="access_group")
    return found


def groups_of(model: StoredModel) -> tuple[str, ...]:
    """The groups that a stored model is in."""
    return msgspec.json.decode(model.info, type=_Info).access_groups or ()
