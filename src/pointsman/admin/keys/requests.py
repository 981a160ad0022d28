"""What ``/key/…`` is sent. Field names and meanings: LiteLLM's ``GenerateKeyRequest`` and its kin.

A field that is not there is ``UNSET``: nothing is said about it. ``null`` says "none". Amounts are in USD.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pointsman.stores.ports import KeySort
from pointsman.wire.limits import MODEL_NAME_BYTES_MAX

__all__ = [
    "Count",
    "Dollars",
    "Duration",
    "GenerateKeyRequest",
    "KeyFields",
    "KeyInfoQuery",
    "KeyListQuery",
    "KeyText",
    "KeysRequest",
    "Label",
    "ModelName",
    "OneKeyRequest",
    "RegenerateKeyQuery",
    "RegenerateKeyRequest",
    "ResetSpendRequest",
    "UpdateKeyRequest",
]

Count = Annotated[int, Meta(ge=0, le=2**53)]
Dollars = Annotated[float, Meta(ge=0, le=9_000_000, description="US dollars")]
Duration = Annotated[str, Meta(max_length=16, description="30s, 15m, 12h, 7d, 2w or 1mo; or daily, weekly, monthly")]
KeyText = Annotated[str, Meta(min_length=1, max_length=1024, description="a key, or the hash it is stored under")]
Label = Annotated[str, Meta(max_length=256)]
ModelName = Annotated[str, Meta(min_length=1, max_length=MODEL_NAME_BYTES_MAX)]


class KeyFields(msgspec.Struct, frozen=True, kw_only=True):
    """What can be said about a key and is enforced."""

    key_alias: Label | UnsetType | None = UNSET
    duration: Duration | UnsetType | None = UNSET
    models: tuple[ModelName, ...] | UnsetType | None = UNSET
    aliases: dict[ModelName, ModelName] | UnsetType | None = UNSET
    metadata: dict[str, msgspec.Raw] | UnsetType | None = UNSET
    spend: Dollars | UnsetType | None = UNSET
    max_budget: Dollars | UnsetType | None = UNSET
    soft_budget: Dollars | UnsetType | None = UNSET
    budget_duration: Duration | UnsetType | None = UNSET
    rpm_limit: Count | UnsetType | None = UNSET
    tpm_limit: Count | UnsetType | None = UNSET
    max_parallel_requests: Count | UnsetType | None = UNSET
    blocked: bool | UnsetType | None = UNSET
    user_id: Label | UnsetType | None = UNSET
    team_id: Label | UnsetType | None = UNSET
    tags: tuple[Label, ...] | UnsetType | None = UNSET


class GenerateKeyRequest(KeyFields, frozen=True, kw_only=True):
    """A new key; ``key`` chooses it, and must start with ``sk-`` and have 16 characters or more."""

    key: KeyText | UnsetType | None = UNSET


class UpdateKeyRequest(KeyFields, frozen=True, kw_only=True):
    """Changes to the key named by ``key``; without it, to the one that has ``key_alias``."""

    key: KeyText | UnsetType | None = UNSET


class RegenerateKeyRequest(KeyFields, frozen=True, kw_only=True):
    """A new key in the place of ``key``, which may stand in the path instead; and changes that come with it."""

    key: KeyText | UnsetType | None = UNSET
    new_key: KeyText | UnsetType | None = UNSET
    new_master_key: str | UnsetType | None = UNSET
    grace_period: str | UnsetType | None = UNSET


class RegenerateKeyQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which key, where neither the path nor the body says so."""

    key: KeyText | None = None


class KeysRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Several keys: by key or hash, by alias, or both."""

    keys: Annotated[tuple[KeyText, ...], Meta(max_length=1000)] | None = None
    key_aliases: Annotated[tuple[Label, ...], Meta(max_length=1000)] | None = None


class OneKeyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One key."""

    key: KeyText


class ResetSpendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the key shall have spent from now on, in USD; at most what it has spent."""

    reset_to: Dollars


class KeyInfoQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which key; left out: the caller's own."""

    key: KeyText | None = None


class KeyListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which keys to list; filters hold together.

    ``expand`` "user" tells of each key's user, in whole rows. With ``include_team_keys`` also the keys of teams in
    which the caller sees all of them. Keys that somebody made for others (``include_created_by_keys``) are not listed.
    """

    page: Annotated[int, Meta(ge=1, le=2**31)] = 1
    size: Annotated[int, Meta(ge=1, le=100)] = 10
    user_id: str | None = None
    team_id: str | None = None
    key_alias: str | None = None
    key_hash: str | None = None
    substring_matching: bool = False
    return_full_object: bool = False
    sort_by: KeySort = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    status: Literal["live", "active", "expired", "revoked", "deleted"] = "live"
    organization_id: str | None = None
    project_id: str | None = None
    access_group_id: str | None = None
    agent_id: str | None = None
    search: str | None = None
    expires: Literal["active", "expired"] | None = None
    expand: str | None = None
    include_team_keys: bool = False
    include_created_by_keys: bool = False
