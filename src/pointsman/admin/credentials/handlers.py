"""``/credentials``, in LiteLLM's paths and shapes (``proxy/credential_endpoints/endpoints.py`` of 1.109.1).

What the file's ``credential_list`` has is listed, too, with ``source: config``; it is not changed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pointsman.admin.change import Change, ChangeAction
from pointsman.admin.governance.entries import demand_printable
from pointsman.admin.keys.lookup import changed_by
from pointsman.admin.office import Office, StoredDesk
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.stored import demand_secrets_anew, demand_stores, refuse_problems, without_masks
from pointsman.config.masking import masked
from pointsman.config.stored import StoredValues
from pointsman.core.errors import Malformed, Misconfigured, NotFound
from pointsman.core.upstream import Deployment
from pointsman.stores.directory.kinds import CREDENTIALS
from pointsman.stores.directory.ports import DirectoryQuery, EntryExists
from pointsman.stores.directory.records import StoredCredential
from pointsman.stores.directory.sealing import open_credential, seal_credential

__all__ = [
    "CreateCredentialRequest",
    "CredentialItem",
    "CredentialReply",
    "CredentialView",
    "CredentialsReply",
    "UpdateCredentialRequest",
    "create_credential",
    "credential_by_model",
    "credential_by_name",
    "delete_credential",
    "list_credentials",
    "update_credential",
]

_PAGE: Final = 1000
_decode: Final = msgspec.json.Decoder(dict[str, object]).decode

_CredentialName = Annotated[str, Meta(min_length=1, max_length=256)]
_DisplayName = Annotated[str, Meta(max_length=256)]


class CreateCredentialRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A credential. Without ``credential_values`` they are those of the deployment ``model_id``."""

    credential_name: _CredentialName
    credential_info: dict[str, object] = {}
    credential_values: dict[str, object] | None = None
    model_id: str | None = None
    display_name: _DisplayName | None = None


class UpdateCredentialRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to change: values and info are added to what there is; the name stays."""

    credential_name: str | None = None
    credential_info: dict[str, object] = {}
    credential_values: dict[str, object] | None = None
    credential_values_to_delete: tuple[str, ...] = ()
    model_id: str | None = None
    display_name: _DisplayName | UnsetType | None = UNSET


class CredentialView(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as it is shown: its values are masked. ``source`` config: it stands in the file."""

    credential_name: str
    display_name: str | None
    credential_values: dict[str, object]
    credential_info: dict[str, object]
    source: Literal["db", "config"]


class CredentialItem(msgspec.Struct, frozen=True, kw_only=True):
    """The values by which a deployment is reached, masked."""

    credential_name: str
    credential_values: dict[str, object]
    credential_info: dict[str, object] = {}


class CredentialsReply(msgspec.Struct, frozen=True, kw_only=True):
    """All credentials."""

    success: bool
    credentials: tuple[CredentialView, ...]


class CredentialReply(msgspec.Struct, frozen=True, kw_only=True):
    """What was done."""

    success: bool
    message: str


async def create_credential(office: Office, visit: Visit[Nothing, CreateCredentialRequest]) -> Answer:
    """Store a credential."""
    desk = await demand_stores(office)
    wanted = visit.body
    demand_printable(credential_name=wanted.credential_name, display_name=wanted.display_name or None)
    values = _values_of(office, wanted.model_id) if wanted.model_id else wanted.credential_values
    if not values:
        raise Malformed(
            "credential_values is required.", hint="Or name a model whose values are taken.", param="credential_values"
        )
    values = _present(values)
    refuse_problems(desk.problems_of_credential(StoredValues(wanted.credential_name, values)))
    now, who = office.clock.wall(), changed_by(visit)
    record = StoredCredential(
        name=wanted.credential_name,
        values=seal_credential(desk.sealer, wanted.credential_name, values),
        info=_encoded(wanted.credential_info),
        extra=_encoded({"display_name": wanted.display_name} if wanted.display_name else {}),
        created_at=now,
        updated_at=now,
        created_by=who,
        updated_by=who,
    )
    try:
        await office.directory.insert(CREDENTIALS, record)
    except EntryExists:
        raise EntryExists(
            f"The credential {wanted.credential_name!r} exists already.",
            hint="Change it with PATCH /credentials/{credential_name}, or delete it first.",
            status=409,
            param="credential_name",
        ) from None
    _note(visit, "created", record.name, None, _view(desk, record))
    await desk.take_over()
    return Answer(CredentialReply(success=True, message="Credential created successfully"))


async def list_credentials(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """All credentials, those of the file first."""
    views = _file_views(office.stored)
    if office.stored is not None:
        for record in await _all(office):
            views.setdefault(record.name, _view(office.stored, record))
    return Answer(CredentialsReply(success=True, credentials=tuple(views.values())))


async def credential_by_name(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """One credential."""
    name = visit.path["credential_name"]
    view = _file_views(office.stored).get(name)
    if view is None and office.stored is not None:
        record = await office.directory.get(CREDENTIALS, name)
        view = None if record is None else _view(office.stored, record)
    if view is None:
        raise _no_such(name)
    return Answer(view)


async def credential_by_model(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """The values by which a deployment is reached."""
    identity = visit.path["model_id"]
    deployment = _deployment(office, identity)
    shown = masked(_values(deployment), secret=True)
    item = CredentialItem(
        credential_name=f"{deployment.group}-credential-{identity}",
        credential_values=shown if isinstance(shown, dict) else {},
    )
    return Answer(item)


async def update_credential(office: Office, visit: Visit[Nothing, UpdateCredentialRequest]) -> Answer:
    """Change a stored credential; the models that use it are called with it from then on."""
    desk = await demand_stores(office)
    name, wanted = visit.path["credential_name"], visit.body
    if wanted.credential_name and wanted.credential_name != name:
        raise Malformed(
            "The name of a credential cannot be changed.", hint="Set display_name instead.", param="credential_name"
        )
    old = await _existing(office, desk, name)
    values = open_credential(desk.sealer, old)
    given = _values_of(office, wanted.model_id) if wanted.model_id else wanted.credential_values or {}
    twice = sorted(set(given) & set(wanted.credential_values_to_delete))
    if twice:
        raise Malformed(f"{twice[0]} is to be set and to be deleted.", param="credential_values_to_delete")
    merged = {**values, **_present(without_masks(given, values))}
    merged = {field: value for field, value in merged.items() if field not in wanted.credential_values_to_delete}
    demand_secrets_anew(values, merged, given, "credential_values")
    refuse_problems(desk.problems_of_credential(StoredValues(name, merged)))
    sealed = seal_credential(desk.sealer, name, merged)
    now, who = office.clock.wall(), changed_by(visit)

    def change(record: StoredCredential) -> StoredCredential:
        if record.values != old.values:
            raise Malformed(
                "The credential was changed by somebody else at the same time.", hint="Try again.", status=409,
                code="credential_changed",
            )  # fmt: skip
        extra = _decode(record.extra)
        if wanted.display_name is not UNSET:
            extra["display_name"] = wanted.display_name
        return msgspec.structs.replace(
            record,
            values=sealed,
            info=_encoded({**_decode(record.info), **wanted.credential_info}),
            extra=_encoded(_present(extra)),
            updated_at=now,
            updated_by=who,
        )

    record = await office.directory.update(CREDENTIALS, name, change)
    _note(visit, "updated", name, _view(desk, old), _view(desk, record))
    await desk.take_over()
    return Answer(CredentialReply(success=True, message="Credential updated successfully"))


async def delete_credential(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Delete a stored credential that no model uses."""
    desk = await demand_stores(office)
    name = visit.path["credential_name"]
    old = await _existing(office, desk, name)
    users = desk.users_of_credential(name)
    if users:
        raise Malformed(
            f"The credential {name!r} is used by {', '.join(sorted(set(users))[:5])}.",
            hint="Give these models another one, or delete them first.",
            param="credential_name",
            code="credential_in_use",
        )
    await office.directory.delete(CREDENTIALS, [name])
    _note(visit, "deleted", name, _view(desk, old), None)
    await desk.take_over()
    return Answer(CredentialReply(success=True, message="Credential deleted successfully"))


async def _existing(office: Office, desk: StoredDesk, name: str) -> StoredCredential:
    if name in desk.file_credentials():
        raise Malformed(
            f"The credential {name!r} stands in the configuration file, so it is not changed here.",
            hint="Change it in the file, which is read again as soon as it changes.",
            status=405,
            code="credential_in_config",
            param="credential_name",
        )
    record = await office.directory.get(CREDENTIALS, name)
    if record is None:
        raise _no_such(name)
    return record


def _no_such(name: str) -> NotFound:
    return NotFound(
        f"There is no credential {name[:100]!r}.",
        hint="GET /credentials has all.",
        code="credential_not_found",
        param="credential_name",
    )


async def _all(office: Office) -> list[StoredCredential]:
    found: list[StoredCredential] = []
    page = 1
    while True:
        query = DirectoryQuery(page=page, size=_PAGE, sort_by="id", sort_order="asc")
        records = (await office.directory.find(CREDENTIALS, query)).records
        found += records
        if len(records) < _PAGE:
            return found
        page += 1


def _file_views(desk: StoredDesk | None) -> dict[str, CredentialView]:
    credentials: Mapping[str, Mapping[str, object]] = {} if desk is None else desk.file_credentials()
    return {
        name: CredentialView(
            credential_name=name,
            display_name=None,
            credential_values=_shown(values),
            credential_info={},
            source="config",
        )
        for name, values in credentials.items()
    }


def _view(desk: StoredDesk, record: StoredCredential) -> CredentialView:
    try:
        values = open_credential(desk.sealer, record)
    except Misconfigured:
        values = _decode(record.values)  # its key is lost; it can be deleted all the same
    display_name = _decode(record.extra).get("display_name")
    return CredentialView(
        credential_name=record.name,
        display_name=display_name if isinstance(display_name, str) else None,
        credential_values=_shown(values),
        credential_info=_decode(record.info),
        source="db",
    )


def _shown(values: Mapping[str, object]) -> dict[str, object]:
    shown = masked(values, secret=True)
    return shown if isinstance(shown, dict) else {}


def _values_of(office: Office, model_id: str) -> dict[str, object]:
    values = _values(_deployment(office, model_id))
    if "api_key" in values and "api_base" not in values:
        raise Malformed(
            "This deployment has no api_base, without which its key could be sent anywhere.",
            hint="Say credential_values instead.",
            param="model_id",
        )
    return values


def _deployment(office: Office, model_id: str) -> Deployment:
    for deployment in office.table().deployments:
        if deployment.id == model_id:
            return deployment
    raise NotFound("There is no deployment with this id.", hint="GET /model/info has all.", code="model_not_found")


def _values(deployment: Deployment) -> dict[str, object]:
    values: dict[str, object] = {"api_base": deployment.api_base} if deployment.api_base else {}
    if deployment.api_key is not None:
        values["api_key"] = deployment.api_key.reveal()
    return values


def _present(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _encoded(value: Mapping[str, object]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def _note(
    visit: Visit[Any, Any],
    action: ChangeAction,
    name: str,
    before: CredentialView | None,
    after: CredentialView | None,
) -> None:
    visit.changes.append(
        Change(action=action, table_name="LiteLLM_CredentialsTable", object_id=name, before=before, after=after)
    )
