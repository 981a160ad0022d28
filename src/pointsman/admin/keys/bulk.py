"""``/key/bulk_update``: many keys in one request, each changed or not by itself. Source: LiteLLM 1.109.1."""

from __future__ import annotations

from copy import copy
from typing import Annotated, Final, cast

import msgspec
from msgspec import Meta

from pointsman.admin.keys.changing import update_key
from pointsman.admin.keys.replies import StoredKeyRow
from pointsman.admin.keys.requests import UpdateKeyRequest
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Malformed, Refused
from pointsman.wire.json_fields import read_body, read_fields

__all__ = ["BulkUpdateReply", "BulkUpdateRequest", "FailedUpdate", "SuccessfulUpdate", "bulk_update_keys"]

_FIELDS: Final = frozenset({"key", "budget_id", "max_budget", "team_id", "tags", "object_permission"})

_decode: Final = msgspec.json.Decoder(UpdateKeyRequest, strict=False).decode


class BulkUpdateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Changes by ``key``: any of ``budget_id``, ``max_budget``, ``team_id``, ``tags``, ``object_permission``."""

    keys: Annotated[tuple[msgspec.Raw, ...], Meta(min_length=1, max_length=500)]


class SuccessfulUpdate(msgspec.Struct, frozen=True):
    """A key that was changed, and its row."""

    key: str
    key_info: StoredKeyRow


class FailedUpdate(msgspec.Struct, frozen=True):
    """A key that stayed as it was, and why."""

    key: str
    key_info: None
    failed_reason: str


class BulkUpdateReply(msgspec.Struct, frozen=True):
    """What became of each."""

    total_requested: int
    successful_updates: tuple[SuccessfulUpdate, ...]
    failed_updates: tuple[FailedUpdate, ...]


async def bulk_update_keys(office: Office, visit: Visit[Nothing, BulkUpdateRequest]) -> Answer:
    """Change keys one after the other; that one cannot be changed does not keep the others from it."""
    done: list[SuccessfulUpdate] = []
    failed: list[FailedUpdate] = []
    for place, raw in enumerate(visit.body.keys):
        wanted, fields = _item(place, raw)
        again = cast("Visit[Nothing, UpdateKeyRequest]", copy(visit))
        again.body, again.fields = wanted, fields
        try:
            answer = await update_key(office, again)
        except Refused as refused:
            failed.append(FailedUpdate(str(wanted.key), None, refused.told()))
        else:
            done.append(SuccessfulUpdate(str(wanted.key), cast("StoredKeyRow", answer.content)))
    return Answer(BulkUpdateReply(len(visit.body.keys), tuple(done), tuple(failed)))


def _item(place: int, raw: msgspec.Raw) -> tuple[UpdateKeyRequest, dict[str, msgspec.Raw]]:
    """One of the changes.

    Raises:
        Malformed: it is none; ``param`` is its path.
    """
    path = f"keys[{place}]"
    try:
        fields = read_fields(bytes(raw))
        wanted = read_body(bytes(raw), _decode)
    except Malformed as refused:
        where = f"{path}.{refused.param}" if refused.param else path
        raise Malformed(f"{path}: {refused.message}", hint=refused.hint, param=where) from None
    unknown = sorted(fields.keys() - _FIELDS)
    if unknown:
        raise Malformed(
            f"{path}.{unknown[0]} cannot be changed for many keys at once.",
            hint="Change one key at a time with POST /key/update.",
            param=f"{path}.{unknown[0]}",
        )
    if not isinstance(wanted.key, str):
        raise Malformed(f"{path}.key is required.", param=f"{path}.key")
    return wanted, fields
