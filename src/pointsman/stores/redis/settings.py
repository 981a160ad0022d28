"""Where Redis or Valkey is, and how long it is waited for."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.secret import Secret

__all__ = ["NAMESPACE", "RedisSettings"]

NAMESPACE: Final = "pointsman"


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How Redis is reached.

    ``url`` is ``redis://``, ``rediss://`` (with TLS) or ``unix://``, and may hold user, password and database; where
    they are given apart they win. ``namespace`` comes before the name of everything that is kept there: gateways that
    share limits have the same one. Times are in seconds: of one command, the connection included, and of the wait
    before an unreachable server is tried again.
    """

    url: Secret
    username: str | None = None
    password: Secret | None = None
    database: int | None = None
    namespace: str = NAMESPACE
    command_seconds: float = 0.25
    retry_seconds: float = 0.5
