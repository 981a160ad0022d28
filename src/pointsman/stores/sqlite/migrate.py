"""Brings a database to the schema of this version: forward only, once, whoever comes first.

A migration is a file ``NNNN_name.sql``; numbers are without gaps. What was applied is kept with the checksum of its
text: a database that was made with other text is not guessed at but refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import apsw

from pointsman.core.clock import Clock
from pointsman.core.errors import Misconfigured
from pointsman.stores.sqlite.transaction import WRITE, transaction

__all__ = ["Migration", "migrate", "pending", "shipped"]


class Migration(NamedTuple):
    """One step of the schema."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return sha256(self.sql.encode()).hexdigest()


def shipped() -> tuple[Migration, ...]:
    """The steps that come with this version, in their order."""
    folder = resources.files("pointsman.stores.sqlite").joinpath("migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(Migration(int(file.name[:4]), file.name, file.read_text("utf-8")) for file in files)


def migrate(connection: apsw.Connection, path: Path, migrations: Sequence[Migration], clock: Clock) -> None:
    """Apply what is missing, under the database's write lock, all of it or nothing.

    Raises:
        Misconfigured: the file is another program's, a newer version's, or was made with other migrations.
    """
    if not pending(connection, path, migrations):
        return
    with transaction(connection, WRITE):
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations ("
            "number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at REAL NOT NULL"
            ") STRICT"
        )
        # Another process may have been quicker while this one waited for the lock.
        for migration in pending(connection, path, migrations):
            connection.execute(migration.sql)
            connection.execute(
                "INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES (?, ?, ?, ?)",
                (migration.number, migration.name, migration.checksum, clock.wall()),
            )


def pending(connection: apsw.Connection, path: Path, migrations: Sequence[Migration]) -> Sequence[Migration]:
    """The steps that are missing.

    Raises:
        Misconfigured: see :func:`migrate`.
    """
    applied = _applied(connection, path)
    if len(applied) > len(migrations):
        raise Misconfigured(
            f"The database {path} was made by a newer version: its schema is {len(applied)}, "
            f"this version knows {len(migrations)}.",
            hint="Upgrade Pointsman, restore the backup from before, or choose another data directory.",
        )
    for migration, (name, checksum) in zip(migrations, applied, strict=False):
        if (migration.name, migration.checksum) != (name, checksum):
            raise Misconfigured(
                f"The database {path} was made with another {name} than this version's {migration.name}.",
                hint="Use the version that made it, or choose another data directory.",
            )
    return migrations[len(applied) :]


def _applied(connection: apsw.Connection, path: Path) -> list[tuple[str, str]]:
    tables = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "schema_migrations" in tables:
        rows = connection.execute("SELECT name, checksum FROM schema_migrations ORDER BY number")
        return [(str(name), str(checksum)) for name, checksum in rows]
    if tables:
        raise Misconfigured(
            f"The database {path} belongs to another program: it holds the table {min(tables)}.",
            hint="Choose another data directory.",
        )
    return []
