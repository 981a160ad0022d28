"""What ``/key/…`` answers: a key's row in LiteLLM's field names, amounts in USD, times in ISO 8601. Never a secret."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.admin.timestamps import iso, iso_or_none
from pointsman.core.identity import KeyRecord
from pointsman.core.price import dollars
from pointsman.stores.ports import Removal

__all__ = [
    "DeletedKeysReply",
    "GeneratedKeyReply",
    "KeyInfoReply",
    "KeyListReply",
    "KeyRow",
    "KeysInfoReply",
    "ResetSpendReply",
    "StoredKeyRow",
    "UpdatedKeyReply",
    "full_row",
    "generated_key",
    "key_row",
]

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class KeyRow(msgspec.Struct, kw_only=True):
    """A key as ``/key/info`` shows it (LiteLLM_VerificationToken without its token)."""

    key_name: str
    key_alias: str | None
    spend: float
    max_budget: float | None
    soft_budget: float | None
    budget_duration: str | None
    budget_reset_at: str | None
    models: tuple[str, ...]
    aliases: dict[str, str]
    metadata: msgspec.Raw
    user_id: str | None
    team_id: str | None
    rpm_limit: int | None
    tpm_limit: int | None
    max_parallel_requests: int | None
    expires: str | None
    blocked: bool
    tags: tuple[str, ...]
    created_at: str
    updated_at: str
    created_by: str | None
    last_active: str | None


class StoredKeyRow(KeyRow, kw_only=True):
    """A key with the hash it is stored under; of deleted keys also when and by whom."""

    token: str
    deleted_at: str | msgspec.UnsetType | None = msgspec.UNSET
    deleted_by: str | msgspec.UnsetType | None = msgspec.UNSET


class GeneratedKeyReply(StoredKeyRow, kw_only=True):
    """A new key. ``key`` is told this once and stored nowhere; ``token`` and ``token_id`` are its hash."""

    key: str
    token_id: str
    duration: str | None


class UpdatedKeyReply(StoredKeyRow, kw_only=True):
    """A changed key; ``key`` is its hash."""

    key: str


class KeyInfoReply(msgspec.Struct):
    """One key: the hash, and the row."""

    key: str
    info: KeyRow


class KeysInfoReply(msgspec.Struct):
    """Several keys: those of the hashes asked for that exist, and their rows."""

    key: tuple[str, ...]
    info: tuple[StoredKeyRow, ...]


class KeyListReply(msgspec.Struct):
    """A page of keys: hashes, or whole rows where ``return_full_object`` asked for them."""

    keys: tuple[str | StoredKeyRow, ...]
    total_count: int
    current_page: int
    total_pages: int


class DeletedKeysReply(msgspec.Struct):
    """The keys that are deleted now, as the request named them; those named by alias, by their hash."""

    deleted_keys: tuple[str, ...]


class ResetSpendReply(msgspec.Struct):
    """What a key has spent from now on, and had before."""

    key_hash: str
    spend: float
    previous_spend: float
    max_budget: float | None
    budget_reset_at: str | None


def key_row(record: KeyRecord) -> dict[str, object]:
    """:class:`KeyRow` with the fields that are kept unheeded; a field of ours wins over one of theirs."""
    return {**_decode_object(record.extra), **_row(record)}


def full_row(record: KeyRecord, removal: Removal | None = None) -> dict[str, object]:
    """:class:`StoredKeyRow`, likewise."""
    row = {**key_row(record), "token": record.token}
    if removal is not None:
        row |= {"deleted_at": iso(removal.at), "deleted_by": removal.by}
    return row


def generated_key(record: KeyRecord, key: str, duration: str | None) -> dict[str, object]:
    """:class:`GeneratedKeyReply`, likewise."""
    return {**full_row(record), "key": key, "token_id": record.token, "duration": duration}


def _row(record: KeyRecord) -> dict[str, object]:
    return {
        "key_name": record.key_name,
        "key_alias": record.key_alias,
        "spend": dollars(record.spend),
        "max_budget": _dollars(record.max_budget),
        "soft_budget": _dollars(record.soft_budget),
        "budget_duration": record.budget_duration,
        "budget_reset_at": iso_or_none(record.budget_reset_at),
        "models": record.models,
        "aliases": record.aliases,
        "metadata": record.metadata,
        "user_id": record.user_id,
        "team_id": record.team_id,
        "rpm_limit": record.rpm_limit,
        "tpm_limit": record.tpm_limit,
        "max_parallel_requests": record.max_parallel_requests,
        "expires": iso_or_none(record.expires),
        "blocked": record.blocked,
        "tags": record.tags,
        "created_at": iso(record.created_at),
        "updated_at": iso(record.updated_at),
        "created_by": record.created_by,
        "last_active": iso_or_none(record.last_active),
    }


def _dollars(amount: int | None) -> float | None:
    return None if amount is None else dollars(amount)
