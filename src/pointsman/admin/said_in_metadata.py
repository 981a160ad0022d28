"""What metadata says to LiteLLM, which keeps some fields there: it is heeded, or refused, as if it stood beside it.

Source: LiteLLM 1.109.1, ``LiteLLM_ManagementEndpoint_MetadataFields``: clients of its older versions write such fields
into ``metadata`` themselves. Somebody who believed that a key was limited by it would be wrong if it were only a note.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET

from pointsman.wire.json_fields import read_body

__all__ = ["with_said", "with_said_fields"]

Fields = TypeVar("Fields", bound=msgspec.Struct)

_HEEDED: Final = (
    "denied_passthrough_routes", "end_user_budget_id", "guardrails", "model_itpm_limit", "model_otpm_limit",
    "model_rpm_limit", "model_tpm_limit", "policies", "rpm_limit_type", "tag_rpm_limit", "team_member_key_duration",
    "temp_budget_expiry", "temp_budget_increase", "tpm_limit_type",
)  # fmt: skip
"""``tags``, ``enforced_params`` and ``allowed_ips`` are read where they stand; ``allowed_passthrough_routes`` only
grants."""

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def with_said(body: Mapping[str, msgspec.Raw], before: msgspec.Raw | None = None) -> Mapping[str, msgspec.Raw]:
    """The body with what its metadata says in the place of fields that are not there themselves.

    ``before`` is what a key keeps as JSON so far: what is said again is said of nothing.
    """
    said = _said(body)
    known = {} if before is None else _decode_object(before)
    new = {name: raw for name, raw in said.items() if not _equal(raw, known.get(name))}
    return {**body, **new} if new else body


def with_said_fields(
    fields: Fields, body: Mapping[str, msgspec.Raw], refused: frozenset[str]
) -> tuple[Fields, Mapping[str, msgspec.Raw]]:
    """The same for a request that has been read: its fields, and its body; of others only what is ``refused``.

    Raises:
        Malformed: the metadata has a field that is not of the form that it has beside it.
    """
    said = _said(body)
    own = {name: raw for name, raw in said.items() if getattr(fields, name, None) is UNSET}
    more = {name: raw for name, raw in said.items() if name in refused}
    if own:
        needed = {name: body[name] for name in _required(type(fields)) if name in body}
        decode = msgspec.json.Decoder(type(fields), strict=False).decode
        read = read_body(msgspec.json.encode({**needed, **own}), decode)
        fields = msgspec.structs.replace(fields, **{name: getattr(read, name) for name in own})
    return fields, {**body, **more}


def _said(body: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    if "metadata" not in body:
        return {}
    try:
        metadata = _decode_object(body["metadata"])
    except msgspec.MsgspecError:
        return {}  # null, or what is refused later
    found = {name: metadata[name] for name in _HEEDED if name in metadata and name not in body}
    return {name: raw for name, raw in found.items() if bytes(raw) != b"null"}


def _required(kind: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(kind) if field.required]


def _equal(one: msgspec.Raw, other: msgspec.Raw | None) -> bool:
    return other is not None and msgspec.json.decode(one) == msgspec.json.decode(other)
