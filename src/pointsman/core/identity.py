"""Who asks: virtual keys as the stores keep them, and the scopes a route can demand."""

from __future__ import annotations

from enum import Enum
from hashlib import sha256

import msgspec

__all__ = ["KeyRecord", "Owner", "Scope", "token_of"]


class Scope(Enum):
    """What a route demands of its caller; every route declares one, there is no default."""

    PUBLIC = "public"
    """Anybody: liveness, documentation."""
    INFERENCE = "inference"
    """Any valid key."""
    SELF = "self"
    """Any valid key, and only for what belongs to it."""
    MANAGEMENT = "management"
    """Any valid key or session; what exactly it may do there is for its rights to say (``admin/rights.py``)."""
    VIEWER = "viewer"
    """Who may see everything: the master key, administrators and their viewers."""
    ADMIN = "admin"
    """Who may do everything: the master key and administrators."""


class Owner(msgspec.Struct, frozen=True):
    """Whose a stored object is, by the digest of a key; as one who asks, ``sees_all`` lets see those of others too.

    ``user_id`` is who asks, as far as the key is somebody's; it does not matter to what is stored.
    """

    token: str
    sees_all: bool = False
    user_id: str | None = None

    def sees(self, token: str) -> bool:
        """Whether an object of the key with this digest is visible."""
        return self.sees_all or token == self.token


def token_of(key: str) -> str:
    """The digest under which a key is stored: SHA-256 in hexadecimal, as LiteLLM's ``token``."""
    return sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class KeyRecord(msgspec.Struct, frozen=True, omit_defaults=False):
    """A virtual key as stored. Times are seconds since the epoch, money is in picodollars (1e-12 USD).

    ``token`` is the digest of the key, never the key. ``metadata`` and ``aliases`` are JSON objects.
    ``extra`` holds further LiteLLM fields that are kept and shown but not enforced, as a JSON object.
    """

    token: str
    key_name: str
    key_alias: str | None = None
    models: tuple[str, ...] = ()
    aliases: dict[str, str] = {}
    metadata: msgspec.Raw = msgspec.Raw(b"{}")
    user_id: str | None = None
    team_id: str | None = None
    spend: int = 0
    max_budget: int | None = None
    soft_budget: int | None = None
    budget_duration: str | None = None
    budget_reset_at: float | None = None
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    max_parallel_requests: int | None = None
    expires: float | None = None
    blocked: bool = False
    tags: tuple[str, ...] = ()
    created_at: float = 0.0
    updated_at: float = 0.0
    created_by: str | None = None
    last_active: float | None = None
    extra: msgspec.Raw = msgspec.Raw(b"{}")
