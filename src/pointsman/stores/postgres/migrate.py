"""Brings a database to the schema of this version: forward only, once, whichever replica comes first.

A migration is a file ``NNNN_name.sql``; numbers are without gaps. What was applied is kept with the checksum of its
text: a database that was made with other text is not guessed at but refused. Steps only add, so that replicas of an
older version go on meanwhile and may even start again; a step that they cannot live with says so by its first line,
``-- oldest: N``, the number of steps that a version has to know at least.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from importlib import resources
from typing import Final, NamedTuple

from pointsman.core.clock import Clock
from pointsman.core.errors import Misconfigured
from pointsman.stores.postgres.address import PostgresAddress
from pointsman.stores.postgres.session import Session, Transaction

__all__ = ["Migration", "applied_steps", "looked_up", "migrate", "pending", "shipped"]

_OLDEST: Final = re.compile(r"-- oldest: (\d+)\n")
_SERVER_MIN: Final = 120_000
_FOREIGN_SHOWN: Final = "LiteLLM"

_ENCODING: Final = "SELECT current_setting('server_version_num')::INTEGER, current_setting('server_encoding')"
_OTHERS: Final = """
SELECT relname FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace AND NOT EXISTS (
    SELECT 1 FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e'
) ORDER BY relname
"""
_MAKE_SCHEMA: Final = """
DO $$ BEGIN
    IF current_schema() IS NULL THEN
        EXECUTE format('CREATE SCHEMA %I', trim('" ' FROM split_part(current_setting('search_path'), ',', 1)));
    END IF;
END $$
"""
# No other replica's migration goes on meanwhile. It may take its time, but whoever is in its way holds up everybody.
_BEGIN: Final = """
BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
SELECT pg_advisory_xact_lock(1349742676); SET LOCAL lock_timeout = '10s'
"""
_MAKE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, oldest INTEGER NOT NULL,
    applied_at DOUBLE PRECISION NOT NULL
)
"""
_APPLIED: Final = "SELECT name, checksum, oldest FROM schema_migrations ORDER BY number"
_NOTE: Final = """
INSERT INTO schema_migrations (number, name, checksum, oldest, applied_at) VALUES ($1, $2, $3, $4, $5)
"""


class Migration(NamedTuple):
    """One step of the schema."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return sha256(self.sql.encode()).hexdigest()

    @property
    def oldest(self) -> int:
        """How many steps a version has to know that can use the schema after this one."""
        found = _OLDEST.match(self.sql)
        return int(found[1]) if found else 1


def shipped() -> tuple[Migration, ...]:
    """The steps that come with this version, in their order."""
    folder = resources.files("pointsman.stores.postgres").joinpath("migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(Migration(int(file.name[:4]), file.name, file.read_text("utf-8")) for file in files)


async def migrate(
    session: Session,
    address: PostgresAddress,
    migrations: Sequence[Migration],
    clock: Clock,
    *,
    rehearse: bool = False,
) -> tuple[Migration, ...]:
    """Apply what is missing, all of it or nothing, and give it; to ``rehearse`` is to undo it all at the end.

    Raises:
        Misconfigured: the database is another program's, a newer version's, or was made with other migrations; or the
            server is too old, or keeps no UTF-8.
    """
    if not await looked_up(session, address, migrations):
        return ()
    await session.execute(_MAKE_SCHEMA)
    async with Transaction(session, _BEGIN, "ROLLBACK" if rehearse else "COMMIT"):
        # Another replica may have been quicker while this one waited for the lock.
        missing = await pending(session, address, migrations)
        await session.execute(_MAKE_TABLE)
        for migration in missing:
            await session.execute(migration.sql)
            await session.execute(
                _NOTE, migration.number, migration.name, migration.checksum, migration.oldest, clock.wall()
            )
    return missing


async def looked_up(
    session: Session, address: PostgresAddress, migrations: Sequence[Migration]
) -> tuple[Migration, ...]:
    """As :func:`pending`, in a transaction of its own: behind PgBouncer only that is one conversation.

    Raises:
        Misconfigured: see :func:`migrate`.
    """
    async with Transaction(session, "BEGIN READ ONLY", "ROLLBACK"):
        return await pending(session, address, migrations)


async def pending(session: Session, address: PostgresAddress, migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """The steps that are missing.

    Raises:
        Misconfigured: see :func:`migrate`.
    """
    await _demand_server(session, address)
    applied = await _applied(session, address)
    for migration, (name, checksum, _) in zip(migrations, applied, strict=False):
        if (migration.name, migration.checksum) != (name, checksum):
            raise Misconfigured(
                f"The database {address.place} was made with another {name} than this version's {migration.name}.",
                hint="Use the version that made it, or choose another database.",
            )
    oldest = max((oldest for _, _, oldest in applied), default=0)
    if oldest > len(migrations):
        raise Misconfigured(
            f"The database {address.place} was made by a newer version: its schema is {len(applied)}, "
            f"this version knows {len(migrations)}.",
            hint="Upgrade Pointsman, restore the backup from before, or choose another database.",
        )
    return tuple(migrations[len(applied) :])


async def applied_steps(session: Session, address: PostgresAddress) -> int:
    """How many steps were applied, those of newer versions too.

    Raises:
        Misconfigured: the database is another program's.
    """
    return len(await _applied(session, address))


async def _demand_server(session: Session, address: PostgresAddress) -> None:
    ((version, encoding),) = await session.rows(_ENCODING)
    if version < _SERVER_MIN:
        raise Misconfigured(
            f"The database {address.place} is on PostgreSQL {version // 10_000}, and 12 or newer is needed.",
            hint="Upgrade the server.",
        )
    if encoding != "UTF8":
        raise Misconfigured(
            f"The database {address.place} keeps text as {encoding}, and UTF8 is needed.",
            hint="Make it with: createdb --encoding=UTF8 --template=template0",
        )


async def _applied(session: Session, address: PostgresAddress) -> list[tuple[str, str, int]]:
    tables = [str(name) for (name,) in await session.rows(_OTHERS)]
    if "schema_migrations" in tables and ("keys" in tables or len(tables) == 1):
        return [(str(name), str(checksum), int(oldest)) for name, checksum, oldest in await session.rows(_APPLIED)]
    if tables:
        whose = "LiteLLM" if tables[0].startswith(_FOREIGN_SHOWN) else "another program"
        raise Misconfigured(
            f"The database {address.place} belongs to {whose}: it holds the table {tables[0]}.",
            hint="Choose another database, or another schema in it: add ?schema=pointsman to the URL.",
        )
    return []
