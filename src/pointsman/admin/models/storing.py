"""``/model/new``, ``/model/update``, ``/model/{model_id}/update``, ``/model/delete``, ``/model/block``, ``unblock``.

LiteLLM's paths and shapes (``proxy/management_endpoints/model_management_endpoints.py`` of 1.109.1). Stored models are
read by the rules of the configuration file, whose own models they cannot change: the file is the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from pointsman.admin.change import Change, ChangeAction
from pointsman.admin.governance.entries import demand_printable
from pointsman.admin.keys.lookup import changed_by
from pointsman.admin.office import Office, StoredDesk
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.stored import (
    demand_bound_credential,
    demand_secrets_anew,
    demand_stores,
    refuse_problems,
    without_masks,
)
from pointsman.admin.timestamps import iso
from pointsman.config.known_keys import is_token_price
from pointsman.config.masking import masked
from pointsman.config.stored import StoredEntry
from pointsman.core.clock import call_id
from pointsman.core.errors import Malformed, Misconfigured, NotFound
from pointsman.stores.directory.kinds import MODELS
from pointsman.stores.directory.records import StoredModel
from pointsman.stores.directory.sealing import open_params, seal_params

__all__ = [
    "BlockModelRequest",
    "DeleteModelRequest",
    "DeletedModelReply",
    "NewModelRequest",
    "PatchModelRequest",
    "StoredModelRow",
    "UpdateModelRequest",
    "block_model",
    "delete_model",
    "new_model",
    "patch_model",
    "unblock_model",
    "update_model",
]

_CLEARED_BY_NULL: Final = frozenset({"cache_control_injection_points", "litellm_credential_name", "tiered_pricing"})
"""Parameters that a null removes, as in LiteLLM; of all others it means: as it is. So it is with prices."""

_OURS: Final = frozenset({"blocked", "db_model", "id", "team_id"})
"""Of ``model_info`` what has a place of its own, or is found out."""

_decode: Final = msgspec.json.Decoder(dict[str, object]).decode

_ModelId = Annotated[str, Meta(min_length=1, max_length=256)]
_ModelName = Annotated[str, Meta(min_length=1, max_length=512)]


class NewModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of ``model_list``; its id is ``model_info.id``, or is made."""

    model_name: _ModelName
    litellm_params: dict[str, object]
    model_info: dict[str, object] = {}
    blocked: bool | None = None


class UpdateModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of the model whose id is ``model_info.id``; what is left out or null stays as it is."""

    model_name: _ModelName | None = None
    litellm_params: dict[str, object] | None = None
    model_info: dict[str, object] | None = None
    blocked: bool | None = None


class PatchModelRequest(UpdateModelRequest, frozen=True, kw_only=True):
    """As for ``/model/update``; the id stands in the path. What is removed is as if it had never been given."""

    litellm_params_to_remove: Annotated[tuple[_ModelName, ...], Meta(max_length=256)] = ()


class DeleteModelRequest(msgspec.Struct, frozen=True):
    """The id of a stored model."""

    id: _ModelId


class BlockModelRequest(msgspec.Struct, frozen=True):
    """The id of a stored model."""

    model_id: _ModelId


class DeletedModelReply(msgspec.Struct, frozen=True):
    """What was deleted."""

    message: str


class StoredModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A stored model (LiteLLM_ProxyModelTable); secrets in ``litellm_params`` are masked."""

    model_id: str
    model_name: str
    litellm_params: dict[str, object]
    model_info: dict[str, object]
    blocked: bool
    created_at: str
    created_by: str
    updated_at: str
    updated_by: str


async def new_model(office: Office, visit: Visit[Nothing, NewModelRequest]) -> Answer:
    """Add a model, which is served from then on."""
    desk = await demand_stores(office)
    wanted = visit.body
    identity = wanted.model_info.get("id") or call_id()
    if not isinstance(identity, str) or len(identity) > 256:
        raise Malformed("model_info.id must be a text of at most 256 characters.", param="model_info.id")
    demand_printable(**{"model_name": wanted.model_name, "model_info.id": identity})
    team = wanted.model_info.get("team_id")
    entry = StoredEntry(
        id=identity,
        name=wanted.model_name,
        params=_present(wanted.litellm_params),
        info=_info(wanted.model_info),
        team_id=team if isinstance(team, str) else None,
        blocked=bool(wanted.blocked or wanted.model_info.get("blocked")),
    )
    refuse_problems(desk.problems_of_model(entry))
    demand_bound_credential(desk, {}, entry.params)
    now, who = office.clock.wall(), changed_by(visit)
    record = StoredModel(
        model_id=identity,
        name=entry.name,
        params=seal_params(desk.sealer, identity, entry.params),
        info=msgspec.Raw(msgspec.json.encode(entry.info)),
        team_id=entry.team_id,
        blocked=entry.blocked,
        created_at=now,
        updated_at=now,
        created_by=who,
        updated_by=who,
    )
    await office.directory.insert(MODELS, record)
    row = _row(desk, record)
    _note(visit, "created", identity, None, row)
    await desk.take_over()
    return Answer(row)


async def update_model(office: Office, visit: Visit[Nothing, UpdateModelRequest]) -> Answer:
    """Change a stored model."""
    identity = (visit.body.model_info or {}).get("id")
    if not isinstance(identity, str) or not identity:
        raise Malformed("model_info.id is required.", hint="GET /model/info has the ids.", param="model_info.id")
    return await _update(office, visit, identity, visit.body)


async def patch_model(office: Office, visit: Visit[Nothing, PatchModelRequest]) -> Answer:
    """Change a stored model."""
    return await _update(office, visit, visit.path["model_id"], visit.body)


async def delete_model(office: Office, visit: Visit[Nothing, DeleteModelRequest]) -> Answer:
    """Delete a stored model; it is no longer served from then on."""
    desk = await demand_stores(office)
    old = await _existing(office, visit.body.id)
    await office.directory.delete(MODELS, [old.model_id])
    _note(visit, "deleted", old.model_id, _row(desk, old), None)
    await desk.take_over()
    return Answer(DeletedModelReply(f"Model: {old.model_id} deleted successfully"))


async def block_model(office: Office, visit: Visit[Nothing, BlockModelRequest]) -> Answer:
    """Send nothing more to a stored model until it is unblocked."""
    return await _set_blocked(office, visit, blocked=True)


async def unblock_model(office: Office, visit: Visit[Nothing, BlockModelRequest]) -> Answer:
    """Let a stored model be used again."""
    return await _set_blocked(office, visit, blocked=False)


async def _update(office: Office, visit: Visit[Any, Any], identity: str, wanted: UpdateModelRequest) -> Answer:
    demand_printable(model_name=wanted.model_name)
    desk = await demand_stores(office)
    old = await _existing(office, identity)
    params = open_params(desk.sealer, old)
    entry = _changed(old, params, wanted)
    demand_secrets_anew(params, entry.params, wanted.litellm_params or {}, "litellm_params")
    refuse_problems(desk.problems_of_model(entry))
    demand_bound_credential(desk, params, entry.params)
    now, who = office.clock.wall(), changed_by(visit)
    sealed = seal_params(desk.sealer, identity, entry.params)

    def change(record: StoredModel) -> StoredModel:
        if record != old:
            raise Malformed(
                "The model was changed by somebody else at the same time.", hint="Try again.", status=409,
                code="model_changed",
            )  # fmt: skip
        return msgspec.structs.replace(
            record,
            name=entry.name,
            params=sealed,
            info=msgspec.Raw(msgspec.json.encode(entry.info)),
            team_id=entry.team_id,
            blocked=entry.blocked,
            updated_at=now,
            updated_by=who,
        )

    record = await office.directory.update(MODELS, identity, change)
    row = _row(desk, record)
    _note(visit, "updated", identity, _row(desk, old), row)
    await desk.take_over()
    return Answer(row)


def _changed(old: StoredModel, params: Mapping[str, object], wanted: UpdateModelRequest) -> StoredEntry:
    """The model as it is to be."""
    said = without_masks(wanted.litellm_params or {}, params)
    cleared = {name for name, value in said.items() if value is None and _is_cleared_by_null(name)}
    if isinstance(wanted, PatchModelRequest):
        cleared.update(wanted.litellm_params_to_remove)
    kept = {name: value for name, value in params.items() if name not in cleared}
    info = {**_decode(old.info), **_info(wanted.model_info or {})}
    team = (wanted.model_info or {}).get("team_id")
    blocked = wanted.blocked if wanted.blocked is not None else (wanted.model_info or {}).get("blocked")
    return StoredEntry(
        id=old.model_id,
        name=wanted.model_name or old.name,
        params={**kept, **_present(said)},
        info=info,
        team_id=team if isinstance(team, str) else old.team_id,
        blocked=blocked if isinstance(blocked, bool) else old.blocked,
    )


async def _set_blocked(office: Office, visit: Visit[Nothing, BlockModelRequest], *, blocked: bool) -> Answer:
    desk = await demand_stores(office)
    old = await _existing(office, visit.body.model_id)
    now, who = office.clock.wall(), changed_by(visit)
    record = await office.directory.update(
        MODELS,
        old.model_id,
        lambda one: msgspec.structs.replace(one, blocked=blocked, updated_at=now, updated_by=who),
    )
    row = _row(desk, record)
    _note(visit, "blocked" if blocked else "unblocked", old.model_id, _row(desk, old), row)
    await desk.take_over()
    return Answer(row)


async def _existing(office: Office, identity: str) -> StoredModel:
    """The stored model with this id.

    Raises:
        Malformed: it is one of the file's, or was found.
        NotFound: there is none.
    """
    record = await office.directory.get(MODELS, identity)
    if record is not None:
        return record
    if any(deployment.id == identity for deployment in office.table().deployments):
        raise Malformed(
            "This model was not added at run time, so it is not changed here: the configuration file is the truth.",
            hint="Change it in the file, which is read again as soon as it changes.",
            param="model_info.id",
            code="model_in_config",
        )
    raise NotFound(
        "There is no stored model with this id.", hint="GET /model/info has the ids.", code="model_not_found"
    )


def _row(desk: StoredDesk, record: StoredModel) -> StoredModelRow:
    """The model as it may be shown."""
    try:
        params = open_params(desk.sealer, record)
    except Misconfigured:
        params = _decode(record.params)  # its key is lost; it can be deleted all the same
    shown = masked(params)
    return StoredModelRow(
        model_id=record.model_id,
        model_name=record.name,
        litellm_params=shown if isinstance(shown, dict) else {},
        model_info={**_decode(record.info), "id": record.model_id, "db_model": True, "team_id": record.team_id},
        blocked=record.blocked,
        created_at=iso(record.created_at),
        created_by=record.created_by or "",
        updated_at=iso(record.updated_at),
        updated_by=record.updated_by or "",
    )


def _note(
    visit: Visit[Any, Any],
    action: ChangeAction,
    identity: str,
    before: StoredModelRow | None,
    after: StoredModelRow | None,
) -> None:
    visit.changes.append(
        Change(action=action, table_name="LiteLLM_ProxyModelTable", object_id=identity, before=before, after=after)
    )


def _present(params: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in params.items() if value is not None}


def _info(info: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in info.items() if name not in _OURS and value is not None}


def _is_cleared_by_null(name: str) -> bool:
    return name in _CLEARED_BY_NULL or is_token_price(name)
