"""The library's client for one server, for whoever sentinels say is the primary, or for a cluster.

In each case a command is tried once: whoever asks has a time limit, and the link tries again in the background. Only a
cluster's client may ask a second time, where it is told that the slot is elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.core.errors import GatewayError, Misconfigured
from pointsman.stores.redis.settings import Cluster, Credentials, RedisSettings, Sentinels

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.cluster import RedisCluster

__all__ = ["client_of", "close"]

_CONNECTIONS_MAX: Final = 16
_REDIRECTIONS_MAX: Final = 2
_SCHEMES: Final = {"valkey://": "redis://", "valkeys://": "rediss://"}


def client_of(settings: RedisSettings) -> Redis | RedisCluster:
    """The client; it connects when it is first asked.

    Raises:
        Misconfigured: the library is not installed, or the address is none.
    """
    try:
        import redis.asyncio  # noqa: F401, PLC0415 - an optional extra, and slow to import
    except ImportError:
        message = "Redis is configured, but the library for it is not installed."
        raise Misconfigured(message, hint='Run: pip install "pointsman[redis]"') from None
    at = settings.at
    if isinstance(at, Cluster):
        return _cluster(settings, at)
    if isinstance(at, Sentinels):
        return _primary(settings, at)
    return _server(settings, at.reveal())


async def close(client: Redis | RedisCluster) -> None:
    """Cut its connections, those to the sentinels included."""
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    await client.aclose()
    for sentinel in () if manager is None else manager.sentinels:
        await sentinel.aclose()


def _server(settings: RedisSettings, url: str) -> Redis:
    from redis.asyncio import Redis  # noqa: PLC0415

    for ours, theirs in _SCHEMES.items():
        if url.startswith(ours):
            url = theirs + url.removeprefix(ours)
    try:
        return Redis.from_url(url, **_manners(settings), **_identity(settings), **_once())
    except ValueError:
        message = "The address of Redis cannot be understood."
        raise Misconfigured(message, hint="Write it like redis://:password@localhost:6379/0.") from None


def _primary(settings: RedisSettings, at: Sentinels) -> Redis:
    from redis.asyncio.sentinel import Sentinel  # noqa: PLC0415

    asking: dict[str, Any] = {**_patience(settings), **_once()}
    if at.password is not None:
        asking["password"] = at.password.reveal()
    if at.tls:
        asking["ssl"] = True
    addresses = [(node.host, node.port) for node in at.nodes]
    sentinels: Any = Sentinel(addresses, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
    serving = {**_manners(settings), **_identity(settings), **_once(), "ssl": at.tls}
    primary: Redis = sentinels.master_for(at.service, **serving)
    return primary


def _cluster(settings: RedisSettings, at: Cluster) -> RedisCluster:
    from redis.asyncio.cluster import ClusterNode, RedisCluster  # noqa: PLC0415
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    return RedisCluster(
        startup_nodes=[ClusterNode(node.host, node.port) for node in at.nodes],
        require_full_coverage=False,  # one slot is all we need
        retry=Retry(NoBackoff(), _REDIRECTIONS_MAX),
        ssl=at.tls,
        **_manners(settings),
        **_identity(settings),
    )


def _manners(settings: RedisSettings) -> dict[str, Any]:
    return {
        **_patience(settings),
        "socket_keepalive": True,
        "max_connections": _CONNECTIONS_MAX,
        "protocol": 2,
        "lib_name": None,
        "lib_version": None,
    }


def _patience(settings: RedisSettings) -> dict[str, Any]:
    return {"socket_timeout": settings.command_seconds, "socket_connect_timeout": settings.command_seconds}


class _Provider:
    """See ``redis.credentials.CredentialProvider``, which nothing is to be imported for."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def get_credentials_async(self) -> tuple[str, ...]:
        """The words of ``AUTH``; see the library.

        Raises:
            AuthenticationError: the library's own, so that it is told like any other failure to connect.
        """
        from redis.exceptions import AuthenticationError  # noqa: PLC0415

        try:
            user, password = await self._credentials()
        except GatewayError as error:
            raise AuthenticationError(error.told()) from None
        return (password.reveal(),) if user is None else (user, password.reveal())


def _identity(settings: RedisSettings) -> dict[str, Any]:
    if settings.credentials is not None:
        database = {} if settings.database is None else {"db": settings.database}
        return {**database, "credential_provider": _Provider(settings.credentials)}
    said = {
        "username": settings.username,
        "password": None if settings.password is None else settings.password.reveal(),
        "db": settings.database,
    }
    return {name: value for name, value in said.items() if value is not None}


def _once() -> dict[str, Any]:
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    return {"retry": Retry(NoBackoff(), 0)}
