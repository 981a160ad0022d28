"""Where a PostgreSQL database is: the URL of ``DATABASE_URL``, with what LiteLLM's users (Prisma's) write behind it.

Sources: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS and
https://www.prisma.io/docs/orm/overview/databases/postgresql#arguments
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret

__all__ = ["SCHEMES", "PostgresAddress", "postgres_address"]

SCHEMES: Final = ("postgresql", "postgres")
_EXAMPLE: Final = "Write it as postgresql://USER:PASSWORD@HOST:5432/DATABASE; in the password, % is %25 and @ is %40."
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_TRUE: Final = ("true", "1", "yes", "on")
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_PORT: Final = 5432
_ELSEWHERE: Final = frozenset({"connection_limit", "pool_timeout", "pgbouncer"})
_MEANINGLESS: Final = frozenset({
    "connect_timeout", "socket_timeout", "max_connection_lifetime", "max_idle_connection_lifetime", "sslaccept",
    "sslidentity", "sslpassword", "statement_cache_size", "single_use_connections", "options", "gssencmode",
    "channel_binding", "fallback_application_name", "keepalives", "keepalives_idle", "keepalives_interval",
    "keepalives_count", "tcp_user_timeout",
})  # fmt: skip
"""What others tune and we do not, or decide ourselves."""


class PostgresAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A database, and how it is to be spoken to. ``pooled`` tells that PgBouncer or its like stands between.

    ``connection_limit`` and ``timeout_seconds`` are None where the URL does not say. ``certificates`` are the files
    ``sslrootcert``, ``sslcert`` and ``sslkey``, as far as they are named.
    """

    host: str
    port: int
    database: str
    user: str
    password: Secret | None = None
    ssl_mode: str | None = None
    certificates: Mapping[str, str] = {}
    schema: str | None = None
    application: str = "pointsman"
    target: str = "any"
    pooled: bool = False
    connection_limit: int | None = None
    timeout_seconds: float | None = None

    @property
    def place(self) -> str:
        """What an operator may read: without user and password."""
        return f"{self.database} at {self.host}:{self.port}"


def postgres_address(url: Secret, source: str) -> PostgresAddress:
    """The address in a URL; ``source`` (``DATABASE_URL``) says where it was found.

    Raises:
        Misconfigured: it is no such URL. The message never holds the password.
    """
    try:
        parts = urlsplit(url.reveal())
        port = parts.port or _PORT
    except ValueError:
        raise Misconfigured(f"{source} is not a URL that can be read.", hint=_EXAMPLE) from None
    if parts.scheme not in SCHEMES:
        raise Misconfigured(f"{source} does not begin with postgresql://.", hint=_EXAMPLE)
    words = dict(parse_qsl(parts.query))
    host, database = _host(parts, words), words.pop("dbname", "") or unquote(parts.path.lstrip("/"))
    if not host or not database or "/" in database:
        what = "host" if not host else "database"
        raise Misconfigured(f"{source} names no {what}.", hint=_EXAMPLE)
    password = words.pop("password", None) or unquote(parts.password or "")
    user = words.pop("user", None) or unquote(parts.username or "")
    if not user:
        raise Misconfigured(f"{source} names no user.", hint=_EXAMPLE)
    address = PostgresAddress(
        host=host,
        port=_whole(words.pop("port", str(port)), "port", source),
        database=database,
        user=user,
        password=Secret(password) if password else None,
    )
    return _with_words(address, words, source)


def _host(parts: SplitResult, words: dict[str, str]) -> str:
    host = words.pop("host", "") or unquote(parts.hostname or "")
    return host.strip("[]")


def _with_words(address: PostgresAddress, words: dict[str, str], source: str) -> PostgresAddress:
    """The address with what its query says.

    Raises:
        Misconfigured: a word of it has no such value, or is not known.
    """
    mode = words.pop("sslmode", None) or words.pop("ssl", None)
    if mode is not None and mode not in _SSL_MODES:
        raise Misconfigured(f"{source} has an unknown sslmode.", hint=f"Choose one of {', '.join(_SSL_MODES)}.")
    files = {name: words.pop(name) for name in ("sslrootcert", "sslcert", "sslkey") if name in words}
    limit, timeout = words.pop("connection_limit", None), words.pop("pool_timeout", None)
    target = words.pop("target_session_attrs", "any")
    schema, application = words.pop("schema", None), words.pop("application_name", address.application)
    pooled = words.pop("pgbouncer", "false").lower() in _TRUE
    _demand_schema(schema, source, pooled=pooled)
    unknown = sorted(words.keys() - _MEANINGLESS - _ELSEWHERE)
    if unknown:
        hint = "Remove it, or see docs/storage.md for what may stand there."
        raise Misconfigured(f"{source} has the unknown parameter {unknown[0]!r}.", hint=hint)
    return msgspec.structs.replace(
        address,
        ssl_mode=mode,
        certificates=files,
        schema=schema,
        application=application,
        target=target,
        pooled=pooled,
        connection_limit=None if limit is None else max(_whole(limit, "connection_limit", source), 1),
        # Prisma's 0 is no limit, and we always have one.
        timeout_seconds=None if timeout is None else float(_whole(timeout, "pool_timeout", source)) or None,
    )


def _demand_schema(schema: str | None, source: str, *, pooled: bool) -> None:
    if schema is None:
        return
    if not _SCHEMA.fullmatch(schema):
        hint = "Choose small letters, digits and _."
        raise Misconfigured(f"{source}: the schema is not a plain name.", hint=hint)
    if pooled:
        hint = "Set it on the server: ALTER ROLE … SET search_path = …"
        raise Misconfigured(f"{source}: the schema cannot be chosen through PgBouncer.", hint=hint)


def _whole(text: str, name: str, source: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 6:
        return int(text)
    raise Misconfigured(f"{source}: {name} is not a whole number.", hint=_EXAMPLE)
