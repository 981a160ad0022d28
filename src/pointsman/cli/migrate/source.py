"""LiteLLM's database in PostgreSQL, read within one transaction that sees a single moment and changes nothing."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from pointsman.cli.migrate.rows import Row
from pointsman.core.errors import Misconfigured, StorageUnavailable
from pointsman.core.secret import Secret

if TYPE_CHECKING:
    import asyncpg

__all__ = ["LiteLLMDatabase", "open_litellm"]

_SECONDS: Final = 30.0
_ROWS_SECONDS: Final = 600.0
"""For the first rows of a table, which the server may have to sort; sums by day may be many millions."""
_PREFETCH: Final = 500

_TABLES: Final = {
    "LiteLLM_AccessGroupTable": 'SELECT * FROM "LiteLLM_AccessGroupTable" ORDER BY 1',
    "LiteLLM_BudgetTable": 'SELECT * FROM "LiteLLM_BudgetTable" ORDER BY 1',
    "LiteLLM_BudgetWindowSpend": 'SELECT * FROM "LiteLLM_BudgetWindowSpend" ORDER BY 1, 2, 3',
    "LiteLLM_CredentialsTable": 'SELECT * FROM "LiteLLM_CredentialsTable" ORDER BY 1',
    "LiteLLM_DailyEndUserSpend": 'SELECT * FROM "LiteLLM_DailyEndUserSpend" ORDER BY date, 1',
    "LiteLLM_DailyOrganizationSpend": 'SELECT * FROM "LiteLLM_DailyOrganizationSpend" ORDER BY date, 1',
    "LiteLLM_DailyTagSpend": 'SELECT * FROM "LiteLLM_DailyTagSpend" ORDER BY date, 1',
    "LiteLLM_DailyTeamSpend": 'SELECT * FROM "LiteLLM_DailyTeamSpend" ORDER BY date, 1',
    "LiteLLM_DailyUserSpend": 'SELECT * FROM "LiteLLM_DailyUserSpend" ORDER BY date, 1',
    "LiteLLM_DeletedVerificationToken": 'SELECT * FROM "LiteLLM_DeletedVerificationToken" ORDER BY 1',
    "LiteLLM_DeprecatedVerificationToken": 'SELECT * FROM "LiteLLM_DeprecatedVerificationToken" ORDER BY 1',
    "LiteLLM_EndUserTable": 'SELECT * FROM "LiteLLM_EndUserTable" ORDER BY 1',
    "LiteLLM_ModelAccessGroupBudgetTable": 'SELECT * FROM "LiteLLM_ModelAccessGroupBudgetTable" ORDER BY 1',
    "LiteLLM_ModelTable": 'SELECT * FROM "LiteLLM_ModelTable" ORDER BY 1',
    "LiteLLM_ObjectPermissionTable": 'SELECT * FROM "LiteLLM_ObjectPermissionTable" ORDER BY 1',
    "LiteLLM_OrganizationMembership": 'SELECT * FROM "LiteLLM_OrganizationMembership" ORDER BY 1, 2',
    "LiteLLM_OrganizationTable": 'SELECT * FROM "LiteLLM_OrganizationTable" ORDER BY 1',
    "LiteLLM_ProjectTable": 'SELECT * FROM "LiteLLM_ProjectTable" ORDER BY 1',
    "LiteLLM_ProxyModelTable": 'SELECT * FROM "LiteLLM_ProxyModelTable" ORDER BY 1',
    "LiteLLM_TagTable": 'SELECT * FROM "LiteLLM_TagTable" ORDER BY 1',
    "LiteLLM_TeamMembership": 'SELECT * FROM "LiteLLM_TeamMembership" ORDER BY 1, 2',
    "LiteLLM_TeamTable": 'SELECT * FROM "LiteLLM_TeamTable" ORDER BY 1',
    "LiteLLM_UserTable": 'SELECT * FROM "LiteLLM_UserTable" ORDER BY 1',
    "LiteLLM_VerificationToken": 'SELECT * FROM "LiteLLM_VerificationToken" ORDER BY 1',
}


class LiteLLMDatabase:
    """The tables, as they are in the transaction."""

    def __init__(self, connection: asyncpg.Connection, present: frozenset[str]) -> None:
        self._connection = connection
        self._present = present

    def has(self, table: str) -> bool:
        """Whether there is such a table; older versions have fewer."""
        return table in self._present

    async def rows(self, table: str) -> AsyncIterator[Row]:
        """The rows of a table, a few hundred in memory at a time; none where there is no such table.

        Raises:
            StorageUnavailable: the connection broke off.
        """
        if table not in self._present:
            return
        try:
            async for record in self._connection.cursor(_TABLES[table], prefetch=_PREFETCH, timeout=_ROWS_SECONDS):
                yield Row(dict(record))
        except _failures() as error:
            raise _unavailable(error) from error


@asynccontextmanager
async def open_litellm(url: Secret) -> AsyncIterator[LiteLLMDatabase]:
    """LiteLLM's database, for as long as the block lasts.

    Raises:
        Misconfigured: the extra is missing, the address is none, or it is no database of LiteLLM.
        StorageUnavailable: it cannot be reached.
    """
    if importlib.util.find_spec("asyncpg") is None:
        raise Misconfigured("Reading PostgreSQL needs the package asyncpg.", hint="pip install 'pointsman[postgres]'")
    import asyncpg  # noqa: PLC0415 - an extra

    try:
        connection = await asyncpg.connect(_plain(url.reveal()), timeout=_SECONDS, command_timeout=_SECONDS)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _unavailable(error) from None
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
            present = frozenset(record[0] for record in found)
            if "LiteLLM_VerificationToken" not in present:
                raise Misconfigured(
                    "This is no database of LiteLLM: there is no table LiteLLM_VerificationToken.",
                    hint="Give LiteLLM's own DATABASE_URL, with ?options=-csearch_path=NAME for another schema.",
                )
            yield LiteLLMDatabase(connection, present & frozenset(_TABLES))
    finally:
        await connection.close(timeout=_SECONDS)


def _plain(url: str) -> str:
    """Prisma's own parameters mean nothing to PostgreSQL, which refuses what it does not know."""
    address, _, query = url.partition("?")
    kept = [
        one for one in query.split("&")
        if one.partition("=")[0] in {"sslmode", "sslrootcert", "sslcert", "sslkey", "options", "host", "port", "user"}
    ]  # fmt: skip
    schema = next((one.partition("=")[2] for one in query.split("&") if one.startswith("schema=")), "")
    if schema:
        kept.append(f"options=-csearch_path%3D{schema}")
    return f"{address}?{'&'.join(kept)}" if kept else address


def _failures() -> tuple[type[Exception], ...]:
    import asyncpg  # noqa: PLC0415 - an extra

    return (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


def _unavailable(error: BaseException) -> StorageUnavailable:
    # The text of some errors repeats the address, in which the password is.
    return StorageUnavailable(
        f"LiteLLM's database cannot be read ({type(error).__name__}).",
        hint="Look at --database-url: postgresql://user:password@host:5432/name.",
    )
