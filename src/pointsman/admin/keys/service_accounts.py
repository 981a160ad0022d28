"""``/key/service-account/generate``: a key of a team that belongs to no user. Source: LiteLLM 1.109.1."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Final

import msgspec

from pointsman.admin.keys.making import generate_key
from pointsman.admin.keys.requests import GenerateKeyRequest
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.clock import call_id
from pointsman.core.errors import Malformed
from pointsman.stores.directory.kinds import TEAMS
from pointsman.wire.json_fields import read_body

__all__ = ["generate_service_account_key"]

_NAME: Final = "service_account_id"

_NOBODY: Final = msgspec.Raw(b"null")

_decode: Final = msgspec.json.Decoder(GenerateKeyRequest, strict=False).decode


async def generate_service_account_key(office: Office, visit: Visit[Nothing, GenerateKeyRequest]) -> Answer:
    """A key for a service: its team is known, its user is nobody, and its metadata names it."""
    wanted = visit.body
    if not isinstance(wanted.team_id, str):
        raise Malformed("team_id is required for service account keys.", param="team_id")
    if await office.directory.get(TEAMS, wanted.team_id) is None:
        raise Malformed(f"There is no team {wanted.team_id!r}.", hint="Make it with POST /team/new.", param="team_id")
    metadata: Mapping[str, msgspec.Raw] = wanted.metadata if isinstance(wanted.metadata, dict) else {}
    named = wanted.key_alias if isinstance(wanted.key_alias, str) and wanted.key_alias else call_id()
    said = {_NAME: msgspec.Raw(msgspec.json.encode(named)), **metadata}
    fields = {name: raw for name, raw in visit.fields.items() if name != "user_id"}
    again = copy(visit)
    again.fields = {**fields, "user_id": _NOBODY, "metadata": msgspec.Raw(msgspec.json.encode(said))}
    again.body = read_body(msgspec.json.encode(dict(again.fields)), _decode)
    return await generate_key(office, again)
