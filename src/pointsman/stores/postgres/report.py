"""What an operator may want to know about a database; asked without changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from pointsman.stores.postgres.address import PostgresAddress
from pointsman.stores.postgres.migrate import Migration, applied_steps, pending
from pointsman.stores.postgres.session import Session

__all__ = ["Report", "processes", "report"]

_VERSION: Final = "SELECT current_setting('server_version')"
# Of large tables the server's own estimate, since counting 100 million rows takes a minute.
_NUMBERS: Final = """
SELECT
    pg_database_size(current_database()) AS bytes,
    (SELECT count(*) FROM keys) AS keys,
    (SELECT count(*) FROM deleted_keys) AS deleted_keys,
    (SELECT coalesce(sum(calls), 0)::BIGINT FROM daily_activity WHERE scope = 1) AS calls,
    (SELECT reltuples::BIGINT FROM pg_class WHERE oid = 'calls'::regclass AND reltuples >= 0) AS calls_kept_about,
    (SELECT count(*) FROM responses) AS stored_responses,
    (SELECT count(*) FROM processes WHERE seen_at > now() - interval '30 seconds') AS gateway_processes,
    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS connections
"""

_IS_THERE: Final = "SELECT to_regclass('processes')::TEXT"
_PROCESSES: Final = "SELECT name FROM processes WHERE seen_at > now() - interval '30 seconds' ORDER BY number"


class Report(msgspec.Struct, frozen=True):
    """The server's version, how many steps of the schema are applied and known, and numbers by name.

    Numbers are there where no step is to come. ``calls`` are all that were ever counted, ``calls_kept_about`` those
    whose record is still there. More steps are applied than known where a newer version uses the database, too.
    """

    version: str
    applied: int
    known: int
    numbers: tuple[tuple[str, int], ...] = ()


async def report(session: Session, address: PostgresAddress, migrations: Sequence[Migration]) -> Report:
    """What can be told.

    Raises:
        Misconfigured: see :func:`pointsman.stores.postgres.migrate.migrate`.
    """
    await session.execute("BEGIN READ ONLY")
    missing = await pending(session, address, migrations)
    version = await session.text(_VERSION) or ""
    known = len(migrations)
    if missing:  # the tables may be none of these
        return Report(version, known - len(missing), known)
    (numbers,) = await session.named(_NUMBERS)
    applied = await applied_steps(session, address)
    found = tuple((name, int(number)) for name, number in numbers.items() if number is not None)
    return Report(version, applied, known, found)


async def processes(session: Session) -> tuple[str, ...]:
    """The gateway processes that said a moment ago that they use the database, as WORKER@HOST."""
    await session.execute("BEGIN READ ONLY")
    if await session.text(_IS_THERE) is None:
        return ()
    return tuple(str(name) for (name,) in await session.rows(_PROCESSES))
