"""Where Redis or Valkey is, and how long it is waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from pointsman.core.secret import Secret

__all__ = ["NAMESPACE", "Cluster", "Credentials", "Node", "RedisSettings", "Sentinels"]

NAMESPACE: Final = "pointsman"

Credentials = Callable[[], Awaitable[tuple[str | None, Secret]]]
"""Gives the user, if there is one, and a password that is good now; raises a GatewayError where there is none."""


class Node(msgspec.Struct, frozen=True):
    """One server's address."""

    host: str
    port: int


class Cluster(msgspec.Struct, frozen=True):
    """Some servers of a cluster, which name the others; all that we keep lies on one of them."""

    nodes: tuple[Node, ...]
    tls: bool = False


class Sentinels(msgspec.Struct, frozen=True, kw_only=True):
    """Who knows which server is the primary of ``service`` now. ``password`` is theirs, not the primary's."""

    nodes: tuple[Node, ...]
    service: str
    password: Secret | None = None
    tls: bool = False


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How Redis is reached.

    ``at`` may be a URL: ``redis://``, ``rediss://`` (with TLS), the same with ``valkey``, or ``unix://``. It may hold
    user, password and database; where they are given apart they win. ``credentials``, asked for each connection, take
    the place of user and password. ``namespace`` comes before the name of everything
    that is kept there: gateways that share limits have the same one. Times are in seconds: of one command, the
    connection included, and of the wait before an unreachable server is tried again.
    """

    at: Secret | Cluster | Sentinels
    username: str | None = None
    password: Secret | None = None
    credentials: Credentials | None = None
    database: int | None = None
    namespace: str = NAMESPACE
    command_seconds: float = 0.25
    retry_seconds: float = 0.5
