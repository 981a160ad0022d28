"""What may stand in DATABASE_URL, and that no refusal tells the password."""

from __future__ import annotations

import pytest

from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret
from pointsman.stores.postgres import PostgresAddress, postgres_address


def read(url: str) -> PostgresAddress:
    return postgres_address(Secret(url), "DATABASE_URL")


def test_a_url_tells_where_the_database_is() -> None:
    address = read("postgresql://me:p%40ss@db.example:5433/main")
    assert (address.host, address.port, address.database, address.user) == ("db.example", 5433, "main", "me")
    assert address.password is not None
    assert address.password.reveal() == "p@ss"
    assert address.place == "main at db.example:5433"
    assert "p@ss" not in repr(address)


@pytest.mark.parametrize(
    ("url", "name", "value"),
    [
        ("postgres://me@h/d", "port", 5432),
        ("postgresql://me@[::1]:6000/d", "host", "::1"),
        ("postgresql://me@/d?host=/var/run/postgresql", "host", "/var/run/postgresql"),
        ("postgresql://h/d?user=me&password=x", "user", "me"),
        ("postgresql://me@h/d?sslmode=verify-full&sslrootcert=/ca.pem", "ssl_mode", "verify-full"),
        ("postgresql://me@h/d?sslmode=verify-full&sslrootcert=/ca.pem", "certificates", {"sslrootcert": "/ca.pem"}),
        ("postgresql://me@h/d?schema=pointsman", "schema", "pointsman"),
        ("postgresql://me@h/d?pgbouncer=true", "pooled", True),
        ("postgresql://me@h/d?connection_limit=3&pool_timeout=20", "connection_limit", 3),
        ("postgresql://me@h/d?connection_limit=3&pool_timeout=20", "timeout_seconds", 20.0),
        ("postgresql://me@h/d?pool_timeout=0", "timeout_seconds", None),
        ("postgresql://me@h/d?application_name=gate-1", "application", "gate-1"),
        ("postgresql://me@h/d?connect_timeout=5&statement_cache_size=0", "database", "d"),
    ],
)
def test_words_behind_it_are_understood(url: str, name: str, value: object) -> None:
    assert getattr(read(url), name) == value


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://me:hunter2@h/d", "does not begin with postgresql://"),
        ("postgresql://me:hunter2@/d", "names no host"),
        ("postgresql://me:hunter2@h", "names no database"),
        ("postgresql://:hunter2@h/d", "names no user"),
        ("postgresql://me:hunter2@h:port/d", "not a URL that can be read"),
        ("postgresql://me:hunter2@h/d?sslmode=maybe", "unknown sslmode"),
        ("postgresql://me:hunter2@h/d?conection_limit=3", "unknown parameter 'conection_limit'"),
        ("postgresql://me:hunter2@h/d?connection_limit=many", "connection_limit is not a whole number"),
        ("postgresql://me:hunter2@h/d?schema=a;drop", "schema"),
        ("postgresql://me:hunter2@h/d?schema=a&pgbouncer=true", "schema"),
        ("me:hunter2", "does not begin with"),
    ],
)
def test_a_wrong_url_is_refused_without_the_password(url: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as refused:
        read(url)
    assert "hunter2" not in f"{refused.value.message} {refused.value.hint}"
    assert refused.value.message.startswith("DATABASE_URL")
