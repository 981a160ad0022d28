"""Where Redis is, by the configuration or the environment; the more particular a place is, the more it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from pointsman.config.load import Loaded
from pointsman.config.redis_sections import CacheParams, CoordinationRedis, RedisNode, SentinelNode
from pointsman.core.secret import Secret
from pointsman.stores.redis.settings import Cluster, Credentials, Node, RedisSettings, Sentinels

__all__ = ["Identities", "redis_settings"]

_PORT = 6379
_SERVICE = "mymaster"
"""As Redis's documentation calls it."""


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """What one place says."""

    url: Secret | None = None
    host: str | None = None
    port: int | None = None
    username: str | None = None
    password: Secret | None = None
    db: int | None = None
    ssl: bool = False
    nodes: tuple[RedisNode, ...] = ()
    sentinels: tuple[SentinelNode, ...] = ()
    sentinel_password: Secret | None = None
    service: str | None = None
    credentials: Credentials | None = None

    @property
    def at(self) -> Secret | Cluster | Sentinels | None:
        """The cluster, who knows the primary, or the URL; None: it does not say where Redis is."""
        if self.nodes:
            return Cluster(tuple(Node(node.host, node.port) for node in self.nodes), self.ssl)
        if self.sentinels:
            return Sentinels(
                nodes=tuple(Node(host, port) for host, port in self.sentinels),
                service=self.service or _SERVICE,
                password=self.sentinel_password,
                tls=self.ssl,
            )
        if self.url is not None:
            return self.url
        if self.host is None:
            return None
        host = f"[{self.host}]" if ":" in self.host else self.host
        return Secret(f"redis{'s' if self.ssl else ''}://{host}:{self.port or _PORT}")


class Identities(Protocol):
    """Who gets passwords that do not last from a cloud."""

    def aws(self, said: CoordinationRedis | CacheParams) -> Credentials:
        """Those of ElastiCache.

        Raises:
            Misconfigured: something is missing.
        """
        ...

    def google(self, service_account: str) -> Credentials:
        """Those of Memorystore."""
        ...


def redis_settings(loaded: Loaded, identities: Identities | None = None) -> RedisSettings | None:
    """How Redis is reached; None: there is none, and each process is on its own.

    Raises:
        Misconfigured: it is to be signed in to in a cloud, and something that this needs is missing.
    """
    for place in _places(loaded, identities):
        at = place.at
        if at is not None:
            local = loaded.settings.local
            return RedisSettings(
                at=at,
                username=place.username,
                password=place.password,
                credentials=place.credentials,
                database=place.db,
                namespace=local.redis_namespace,
                command_seconds=local.redis_timeout_seconds,
            )
    return None


def _credentials(said: CoordinationRedis | CacheParams, identities: Identities | None) -> Credentials | None:
    if identities is None:
        return None
    if isinstance(said, CacheParams) and said.gcp_service_account is not None:
        return identities.google(said.gcp_service_account)
    return identities.aws(said) if said.aws_iam_auth else None


def _places(loaded: Loaded, identities: Identities | None) -> Iterator[_Place]:
    settings, environment = loaded.settings, loaded.environment
    own = settings.general_settings.coordination_redis
    yield _Place(
        url=own.url,
        host=own.host,
        port=own.port,
        username=own.username,
        password=own.password,
        ssl=own.ssl,
        nodes=own.startup_nodes,
        sentinels=own.sentinel_nodes,
        sentinel_password=own.sentinel_password,
        service=own.service_name,
        credentials=_credentials(own, identities),
    )
    router = settings.router_settings
    yield _Place(
        url=router.redis_url,
        host=router.redis_host,
        port=router.redis_port,
        password=router.redis_password,
        db=router.redis_db,
    )
    cache = settings.litellm_settings.cache_params
    if cache.type == "redis":
        yield _Place(
            url=cache.url,
            host=cache.host,
            port=cache.port,
            username=cache.username,
            password=cache.password,
            db=cache.db,
            ssl=cache.ssl,
            nodes=cache.redis_startup_nodes,
            sentinels=cache.sentinel_nodes,
            sentinel_password=cache.sentinel_password,
            service=cache.service_name,
            credentials=_credentials(cache, identities),
        )
    account = environment.redis_gcp_service_account
    yield _Place(
        url=environment.redis_url,
        host=environment.redis_host,
        port=environment.redis_port,
        username=environment.redis_username,
        password=environment.redis_password,
        ssl=environment.redis_ssl,
        nodes=environment.redis_cluster_nodes,
        sentinels=environment.redis_sentinel_nodes,
        sentinel_password=environment.redis_sentinel_password,
        service=environment.redis_service_name,
        credentials=None if account is None or identities is None else identities.google(account),
    )
