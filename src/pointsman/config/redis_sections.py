"""Where Redis is, in the three places in which a LiteLLM configuration may say so."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from pointsman.core.secret import Secret

__all__ = ["CacheParams", "CoordinationRedis", "Database", "Host", "Port", "RedisUrl"]

Host = Annotated[str, Meta(min_length=1, description="a host's name or address")]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Database = Annotated[int, Meta(ge=0, le=2**31)]
RedisUrl = Secret
"""Such as ``redis://:password@host:6379/0``; a secret, since it may hold the password."""


class CoordinationRedis(msgspec.Struct, frozen=True, kw_only=True):
    """``general_settings.coordination_redis``: the Redis for what replicas share, apart from any cache."""

    url: RedisUrl | None = None
    host: Host | None = None
    port: Port | None = None
    username: Host | None = None
    password: Secret | None = None
    ssl: bool = False


class CacheParams(msgspec.Struct, frozen=True, kw_only=True):
    """``litellm_settings.cache_params``, as far as it says where Redis is; ``type`` None is not Redis."""

    type: Host | None = None
    url: RedisUrl | None = None
    host: Host | None = None
    port: Port | None = None
    username: Host | None = None
    password: Secret | None = None
    db: Database | None = None
    ssl: bool = False
