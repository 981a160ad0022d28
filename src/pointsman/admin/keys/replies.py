"""What ``/key/…`` answers: a key's row in LiteLLM's field names, amounts in USD, times in ISO 8601. Never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from pointsman.admin.amounts import usd
from pointsman.admin.governance.limit_fields import BudgetTable
from pointsman.admin.timestamps import iso, iso_or_none
from pointsman.core.identity import KeyRecord
from pointsman.core.price import dollars
from pointsman.policies.rotation import rotation_fields
from pointsman.stores.ports import Removal

__all__ = [
    "DeletedKeysReply",
    "GeneratedKeyReply",
    "KeyFacts",
    "KeyInfoReply",
    "KeyListReply",
    "KeyRow",
    "KeysInfoReply",
    "ResetSpendReply",
    "ShownKeyRow",
    "StoredKeyRow",
    "UpdatedKeyReply",
    "full_row",
    "generated_key",
    "shown_row",
]

_UNRESTRICTED: Final[Mapping[str, object]] = MappingProxyType({
    "access_group_ids": (), "agent_id": None, "allowed_cache_controls": (), "allowed_routes": (), "auto_rotate": False,
    "budget_fallbacks": {}, "budget_id": None, "budget_limits": None, "config": {}, "key_rotation_at": None,
    "key_type": "default", "last_rotation_at": None, "model_max_budget": {}, "model_spend": {},
    "object_permission": None, "object_permission_id": None, "organization_id": None, "permissions": {},
    "policies": (), "project_id": None, "rotation_count": 0, "rotation_interval": None, "router_settings": {},
    "soft_budget_cooldown": False, "itpm_limit": None, "otpm_limit": None, "tpd_limit": None,
})  # fmt: skip
"""What LiteLLM's row has besides ours, and its clients read; a key that would be restricted by one is refused."""

_UNSAID: Final[Mapping[str, object]] = MappingProxyType(dict.fromkeys((
    "allowed_passthrough_routes", "allowed_vector_store_indexes", "default_estimated_output_tokens",
    "default_estimated_output_tokens_per_model", "denied_passthrough_routes", "disable_global_guardrails",
    "enable_prompt_caching", "end_user_budget_id", "enforced_params", "guardrails", "mcp_rpm_limit", "model_rpm_limit",
    "model_tpm_limit", "prompts", "rpm_limit_type", "tag_rpm_limit", "throttle_on_budget_exceeded", "tpm_limit_type",
)))  # fmt: skip
"""What LiteLLM repeats of the request for a new key, null where it said nothing."""

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class KeyFacts(msgspec.Struct, frozen=True):
    """What of a key's row is not in its record: what it has spent since ever, in picodollars, and its named budget."""

    total: int = 0
    budget: BudgetTable | None = None


class KeyRow(msgspec.Struct, kw_only=True):
    """A key as ``/key/info`` shows it (LiteLLM_VerificationToken without its token)."""

    key_name: str
    key_alias: str | None
    spend: float
    total_spend: float
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
    budget_id: str | None
    organization_id: str | None
    allowed_routes: tuple[str, ...]
    allowed_cache_controls: tuple[str, ...]
    config: dict[str, msgspec.Raw]
    permissions: dict[str, msgspec.Raw]
    policies: tuple[str, ...]
    model_max_budget: dict[str, msgspec.Raw]
    model_spend: dict[str, float]
    access_group_ids: tuple[str, ...]
    agent_id: str | None
    auto_rotate: bool
    budget_fallbacks: dict[str, tuple[str, ...]]
    budget_limits: tuple[msgspec.Raw, ...] | None
    key_rotation_at: str | None
    key_type: str | None
    last_rotation_at: str | None
    object_permission: msgspec.Raw | None
    object_permission_id: str | None
    project_id: str | None
    rotation_count: int
    rotation_interval: str | None
    router_settings: dict[str, msgspec.Raw] | None
    soft_budget_cooldown: bool
    tpd_limit: int | None
    itpm_limit: int | None
    otpm_limit: int | None
    litellm_budget_table: BudgetTable | None
    created_at: str
    updated_at: str
    settings_updated_at: str | None
    created_by: str | None
    updated_by: str | None
    last_active: str | None


class ShownKeyRow(KeyRow, kw_only=True):
    """A key and what became of it (``revoked``: blocked); of a deleted one also when and by whom."""

    status: Literal["active", "expired", "revoked", "deleted"]
    deleted_at: str | msgspec.UnsetType | None = msgspec.UNSET
    deleted_by: str | msgspec.UnsetType | None = msgspec.UNSET


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
    """A changed key; ``key`` is what the request named it by."""

    key: str


class KeyInfoReply(msgspec.Struct):
    """One key: what the request named it by (left out: its hash), and the row."""

    key: str
    info: ShownKeyRow


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
    """The keys that are deleted now, as the request named them."""

    deleted_keys: tuple[str, ...]


class ResetSpendReply(msgspec.Struct):
    """What a key has spent from now on, and had before."""

    key_hash: str
    spend: float
    previous_spend: float
    max_budget: float | None
    budget_reset_at: str | None


def shown_row(record: KeyRecord, removal: Removal | None, now: float, facts: KeyFacts) -> dict[str, object]:
    """:class:`ShownKeyRow` with the fields that are kept unheeded; a field of ours wins over one of theirs."""
    status = "active"
    if removal is not None:
        status = "deleted"
    elif record.blocked:
        status = "revoked"
    elif record.expires is not None and record.expires <= now:
        status = "expired"
    return {**_key_row(record), **_facts(record, facts), **_removal(removal), "status": status}


def full_row(record: KeyRecord, removal: Removal | None = None, facts: KeyFacts | None = None) -> dict[str, object]:
    """:class:`StoredKeyRow`, likewise; without ``facts`` only what is in the record, as the audit log keeps it."""
    told = {} if facts is None else _facts(record, facts)
    return {**_key_row(record), **told, **_removal(removal), "token": record.token}


def generated_key(record: KeyRecord, key: str, duration: str | None, facts: KeyFacts) -> dict[str, object]:
    """:class:`GeneratedKeyReply`, likewise."""
    row = full_row(record, None, facts)
    return {**_UNSAID, **row, "key": key, "token_id": record.token, "duration": duration}


def _facts(record: KeyRecord, facts: KeyFacts) -> dict[str, object]:
    # What a key was given as spent when it was made is in no counter.
    return {"total_spend": dollars(max(facts.total, record.spend)), "litellm_budget_table": facts.budget}


def _key_row(record: KeyRecord) -> dict[str, object]:
    said = _decode_object(record.extra)
    said.setdefault("updated_by", msgspec.Raw(msgspec.json.encode(record.created_by)))
    return {**_UNRESTRICTED, **said, **_rotation(record), **_row(record)}


def _rotation(record: KeyRecord) -> dict[str, object]:
    fields = rotation_fields(record)
    return {
        "key_rotation_at": iso_or_none(fields.key_rotation_at),
        "last_rotation_at": iso_or_none(fields.last_rotation_at),
    }


def _removal(removal: Removal | None) -> dict[str, object]:
    return {} if removal is None else {"deleted_at": iso(removal.at), "deleted_by": removal.by}


def _row(record: KeyRecord) -> dict[str, object]:
    return {
        "key_name": record.key_name,
        "key_alias": record.key_alias,
        "spend": dollars(record.spend),
        "max_budget": usd(record.max_budget),
        "soft_budget": usd(record.soft_budget),
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
        "settings_updated_at": iso(record.updated_at) if record.updated_at != record.created_at else None,
        "created_by": record.created_by,
        "last_active": iso_or_none(record.last_active),
    }
