"""Where Redis is, in the three places in which a LiteLLM configuration may say so."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from pointsman.core.secret import Secret

__all__ = [
    "CacheParams",
    "CoordinationRedis",
    "Database",
    "Host",
    "Port",
    "RedisNode",
    "RedisUrl",
    "SentinelNode",
    "nodes_in",
    "sentinels_in",
]

_T = TypeVar("_T")

Host = Annotated[str, Meta(min_length=1, description="a host's name or address")]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Database = Annotated[int, Meta(ge=0, le=2**31)]
SentinelNode = tuple[Host, Port]
"""As LiteLLM has it."""
RedisUrl = Secret
"""Such as ``redis://:password@host:6379/0``; a secret, since it may hold the password."""


class RedisNode(msgspec.Struct, frozen=True, kw_only=True):
    """One server of a cluster; the others are learned from it."""

    host: Host
    port: Port = 6379


def nodes_in(text: str) -> tuple[RedisNode, ...]:
    """The nodes of a cluster, from JSON such as ``[{"host": "10.0.0.1", "port": "7001"}]``.

    Raises:
        ValueError: it is none.
    """
    return _decoded(text, tuple[RedisNode, ...], '[{"host": "10.0.0.1", "port": 7001}]')


def sentinels_in(text: str) -> tuple[SentinelNode, ...]:
    """Sentinels, from JSON such as ``[["10.0.0.1", 26379]]``.

    Raises:
        ValueError: it is none.
    """
    return _decoded(text, tuple[SentinelNode, ...], '[["10.0.0.1", 26379]]')


def _decoded(text: str, kind: type[_T], example: str) -> _T:
    try:
        # LiteLLM's documentation writes ports as text.
        return msgspec.json.decode(text, type=kind, strict=False)
    except (msgspec.MsgspecError, UnicodeError):
        message = f"it is not JSON such as {example}"
        raise ValueError(message) from None


class CoordinationRedis(msgspec.Struct, frozen=True, kw_only=True):
    """``general_settings.coordination_redis``: the Redis for what replicas share, apart from any cache."""

    url: RedisUrl | None = None
    host: Host | None = None
    port: Port | None = None
    username: Host | None = None
    password: Secret | None = None
    ssl: bool = False
    startup_nodes: tuple[RedisNode, ...] = ()
    sentinel_nodes: tuple[SentinelNode, ...] = ()
    sentinel_password: Secret | None = None
    service_name: Host | None = None
    aws_iam_auth: bool = False
    aws_iam_user_name: Host | None = None
    aws_iam_cache_name: Host | None = None
    aws_iam_region: Host | None = None
    aws_iam_serverless: bool = False


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
    redis_startup_nodes: tuple[RedisNode, ...] = ()
    sentinel_nodes: tuple[SentinelNode, ...] = ()
    sentinel_password: Secret | None = None
    service_name: Host | None = None
    aws_iam_auth: bool = False
    aws_iam_user_name: Host | None = None
    aws_iam_cache_name: Host | None = None
    aws_iam_region: Host | None = None
    aws_iam_serverless: bool = False
    gcp_service_account: Host | None = None
