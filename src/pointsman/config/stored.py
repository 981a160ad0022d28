"""Models and credentials that were added at run time, laid over a configuration as it was loaded.

The file is the truth: what is stored adds models, and names that the file's models may take credentials from, but
changes none of the file's. It is read by the rules of the file, save that it refers to nothing outside, and that where
it says at which address a model is, no key of the file or the environment is sent there: who may store a model cannot
learn by that what only the operator knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pointsman.config.findings import Finding, Findings, Place
from pointsman.config.load import Loaded
from pointsman.config.masking import is_secret_param
from pointsman.config.model_entries import ModelListReader, SharedParams, read_values
from pointsman.config.nodes import Entry, ListNode, MapNode, Node, Scalar, plain, text_of
from pointsman.config.references import References, is_reference
from pointsman.config.sections import ModelEntry
from pointsman.config.typed import TypedReader

__all__ = [
    "ADDRESSES",
    "Refused",
    "StoredConfig",
    "StoredEntry",
    "StoredValues",
    "credential_problems",
    "model_problems",
    "with_stored",
]

ADDRESSES: Final = frozenset({"api_base", "aws_bedrock_runtime_endpoint", "aws_sts_endpoint"})
"""Parameters that say where something is sent."""

_STORED_MODEL: Final = "stored model"
_DEPTH_MAX: Final = 64
_NODES_MAX: Final = 10_000


class StoredEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A model as it is stored, with its secrets in plain text: an entry of ``model_list``, as JSON's own values."""

    id: str
    name: str
    params: Mapping[str, object]
    info: Mapping[str, object] = {}
    team_id: str | None = None
    blocked: bool = False

    def __repr__(self) -> str:
        return f"StoredEntry({self.id})"

    __str__ = __repr__


class StoredValues(msgspec.Struct, frozen=True):
    """A credential as it is stored, with its secrets in plain text."""

    name: str
    values: Mapping[str, object]

    def __repr__(self) -> str:
        return f"StoredValues({self.name})"

    __str__ = __repr__


class Refused(msgspec.Struct, frozen=True):
    """Something stored that cannot be used, and why."""

    kind: str
    id: str
    name: str
    reason: str


class StoredConfig(msgspec.Struct, frozen=True):
    """Everything that is stored. ``unreadable`` is what could not be decrypted."""

    models: tuple[StoredEntry, ...] = ()
    credentials: tuple[StoredValues, ...] = ()
    unreadable: tuple[Refused, ...] = ()


def with_stored(loaded: Loaded, stored: StoredConfig) -> tuple[Loaded, tuple[Refused, ...]]:
    """``loaded`` (as :func:`~pointsman.config.load.load` gave it) with what is stored, and what of that is left out."""
    refused: list[Refused] = list(stored.unreadable)
    shared = _with_credentials(loaded, stored.credentials, refused)
    entries = _completed(loaded, shared)
    taken = {entry.model_info.id for entry in entries}
    models: list[ModelEntry] = []
    for model in stored.models:
        problems, entry = model_problems(loaded, shared, model)
        if model.id in taken:
            refused.append(Refused("model", model.id, model.name, "the file has a model with this id."))
        elif entry is None or problems:
            reasons = "; ".join(f"{problem.path}: {problem.message}" for problem in problems)
            refused.append(Refused("model", model.id, model.name, reasons or "it cannot be read."))
        else:
            models.append(entry)
    settings = msgspec.structs.replace(loaded.settings, model_list=entries, stored_models=tuple(models))
    return msgspec.structs.replace(loaded, settings=settings, shared=shared), tuple(refused)


def model_problems(
    loaded: Loaded, shared: SharedParams, model: StoredEntry
) -> tuple[tuple[Finding, ...], ModelEntry | None]:
    """What is wrong with a model that is, or is to be, stored, by its fields; and the entry that it comes to."""
    findings = Findings()
    place = Place(_STORED_MODEL)
    info = {**model.info, "id": model.id, "blocked": model.blocked}
    if model.team_id is not None:
        info["team_id"] = model.team_id
    said = {"model_name": model.name, "litellm_params": model.params, "model_info": info}
    node = _node(said, place, findings)
    if not isinstance(node, MapNode) or findings.errors:
        return findings.errors, None
    entry = _read(loaded, shared, node, "", findings)
    credential = model.params.get("litellm_credential_name")
    if credential in loaded.shared.credentials and not ADDRESSES.isdisjoint(model.params):
        path = f".litellm_params.{min(ADDRESSES.intersection(model.params))}"
        message = f"the credential {credential!r} is one of the file's, and is sent only where the file says."
        findings.error(place, path, message, "Leave the address out, or store a credential for it.")
    elif isinstance(credential, str) and (moved := _led_astray(shared.credentials.get(credential), model.params)):
        message = f"the credential {credential!r} has another {moved}, and is sent only there."
        findings.error(
            place, f".litellm_params.{moved}", message, "Leave the address out, or store a credential for it."
        )
    if entry is not None and entry.missing_credential is not None:
        message = f"there is no credential {entry.missing_credential!r}."
        findings.error(place, ".litellm_params.litellm_credential_name", message, "Store it with POST /credentials.")
    problems = tuple(
        msgspec.structs.replace(problem, path=problem.path.removeprefix(".")) for problem in findings.errors
    )
    return problems, None if entry is None else msgspec.structs.replace(entry, stored=True)


def credential_problems(loaded: Loaded, credential: StoredValues) -> tuple[tuple[Finding, ...], MapNode | None]:
    """What is wrong with a credential that is, or is to be, stored; and its values."""
    findings = Findings()
    node = _node({"credential_values": dict(credential.values)}, Place("stored credential"), findings)
    values = node.get("credential_values") if isinstance(node, MapNode) else None
    if not isinstance(values, MapNode) or findings.errors:
        return findings.errors, None
    read = read_values(TypedReader(_references(loaded, findings), findings), findings, values, "credential_values")
    return findings.errors, read


def _with_credentials(loaded: Loaded, credentials: Sequence[StoredValues], refused: list[Refused]) -> SharedParams:
    """What entries share, the stored credentials included; a name of the file's stays the file's."""
    known = dict(loaded.shared.credentials)
    for credential in credentials:
        problems, values = credential_problems(loaded, credential)
        if credential.name in loaded.shared.credentials:
            reason = "credential_list has one of this name."
            refused.append(Refused("credential", credential.name, credential.name, reason))
        elif values is None or problems:
            reasons = "; ".join(f"{problem.path}: {problem.message}" for problem in problems)
            refused.append(Refused("credential", credential.name, credential.name, reasons))
        else:
            known[credential.name] = values
    return SharedParams(loaded.shared.defaults, known)


def _completed(loaded: Loaded, shared: SharedParams) -> tuple[ModelEntry, ...]:
    """The file's entries, those read again whose credential is one that is stored."""
    entries = list(loaded.settings.model_list)
    for one in loaded.open_entries:
        if entries[one.position].litellm_params.litellm_credential_name not in shared.credentials:
            continue
        entry = _read(loaded, shared, one.node, one.path, Findings())
        if entry is not None:
            entries[one.position] = entry
    return tuple(entries)


def _read(loaded: Loaded, shared: SharedParams, node: MapNode, path: str, findings: Findings) -> ModelEntry | None:
    """One entry that takes something from what is stored; ``loaded`` is without that."""
    params = node.get("litellm_params")
    said = params if isinstance(params, MapNode) else MapNode({}, node.place)
    name = said.get("litellm_credential_name")
    credential = text_of(name) if name is not None else None
    is_filed = credential is None or credential in loaded.shared.credentials
    lent = None if credential is None or is_filed else shared.credentials.get(credential)
    # What the entry itself says wins over its credential.
    addressed = node.place.file == _STORED_MODEL if _says_address(said) else lent is not None and _says_address(lent)
    if addressed:
        shared = SharedParams(_without_secrets(shared.defaults), shared.credentials)
    reader = ModelListReader(TypedReader(_references(loaded, findings), findings), findings, shared)
    entry = reader.read_one(node, path)
    return None if entry is None else msgspec.structs.replace(entry, address_stored=addressed)


def _says_address(params: MapNode) -> bool:
    return any(params.get(name) is not None for name in ADDRESSES)


def _led_astray(credential: MapNode | None, params: Mapping[str, object]) -> str:
    """The address at which a model would have its credential sent elsewhere than that says; empty: none."""
    if credential is None or not _says_address(credential):
        return ""
    own = {name: node for name in ADDRESSES if (node := credential.get(name)) is not None}
    said = (name for name in sorted(ADDRESSES) if params.get(name) is not None)
    return next((name for name in said if name not in own or plain(own[name]) != params[name]), "")


def _without_secrets(defaults: MapNode) -> MapNode:
    kept = {name: one for name, one in defaults.entries.items() if not is_secret_param(name, plain(one.node))}
    return MapNode(kept, defaults.place)


def _references(loaded: Loaded, findings: Findings) -> References:
    """For what the file itself says; what is stored has none, which was seen to before."""
    return References(loaded.variables, findings, None, loaded.hosted)


def _node(value: object, place: Place, findings: Findings) -> Node:
    return _Builder(place, findings).node(value, "", 0)


class _Builder:
    """Makes nodes of JSON's values."""

    def __init__(self, place: Place, findings: Findings) -> None:
        self._place = place
        self._findings = findings
        self._count = 0
        self._full = False

    def node(self, value: object, path: str, depth: int) -> Node:
        self._count += 1
        if depth > _DEPTH_MAX or self._count > _NODES_MAX:
            if not self._full:
                self._findings.error(self._place, path, "there is too much in it.")
            self._full = True
            return Scalar(None, "", self._place)
        if isinstance(value, Mapping):
            entries = {
                str(key): Entry(self._place, self.node(one, f"{path}.{key}" if path else str(key), depth + 1))
                for key, one in value.items()
            }
            return MapNode(entries, self._place)
        if isinstance(value, list | tuple):
            items = tuple(self.node(one, f"{path}[{index}]", depth + 1) for index, one in enumerate(value))
            return ListNode(items, self._place)
        return self._scalar(value, path)

    def _scalar(self, value: object, path: str) -> Scalar:
        if isinstance(value, str):
            if is_reference(value):
                message = "refers to the environment or to a file, which only the configuration file may."
                hint = "Store the value itself, or name a credential: litellm_credential_name."
                self._findings.error(self._place, path, message, hint)
            return Scalar(value, value, self._place)
        if isinstance(value, bool):
            return Scalar(value, "true" if value else "false", self._place)
        if isinstance(value, int | float):
            return Scalar(value, str(value), self._place)
        return Scalar(None, "", self._place)
