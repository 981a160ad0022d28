"""What PostgreSQL's errors mean to an operator; the one place where they are translated.

Source of the error classes: https://www.postgresql.org/docs/current/errcodes-appendix.html, as asyncpg names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from socket import gaierror
from typing import Final

import asyncpg

from pointsman.core.errors import Misconfigured, StorageUnavailable
from pointsman.stores.postgres.address import PostgresAddress

__all__ = ["LOST", "PASSING", "REFUSALS", "breaks_connection", "refusal", "translated", "unavailable"]

LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TargetServerAttributeNotMatched,
    asyncpg.InvalidCachedStatementError,
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.InvalidTransactionStateError,
)
"""After these a connection is not used again: it is gone, or leads to a server that does not write, or is confused."""

PASSING: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""The same transaction may succeed when it is tried again at once."""

REFUSALS: Final = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
"""At the start trying again would not help."""

_MEANINGS: Final[tuple[tuple[tuple[type[BaseException], ...], str, str], ...]] = (
    (
        (gaierror,),
        "cannot be found: its host has no address",
        "Check the host's name in the URL, and the name service.",
    ),
    (
        (asyncpg.CannotConnectNowError,),
        "is starting or stopping",
        "Wait a moment; it is tried again by itself.",
    ),
    (
        (asyncpg.TooManyConnectionsError,),
        "has no connection left",
        "Raise its max_connections, lower database_connection_pool_limit, or put PgBouncer between.",
    ),
    (
        (asyncpg.InvalidAuthorizationSpecificationError,),  # a wrong password too
        "does not let us in",
        "Check the user and the password in the URL, and the server's pg_hba.conf.",
    ),
    (
        (asyncpg.InvalidCatalogNameError,),
        "does not exist",
        "Make it with createdb, or correct its name in the URL.",
    ),
    (
        (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError),
        "did not answer in time",
        "Ask for less at once, or look in pg_stat_activity for what holds a lock.",
    ),
    (
        (asyncpg.ReadOnlySQLTransactionError, asyncpg.TargetServerAttributeNotMatched),
        "cannot be written to: it is read-only",
        "Point the URL at the primary server, if this is a standby; some services do it where the disk is full.",
    ),
    (
        (asyncpg.DiskFullError, asyncpg.InsufficientResourcesError, asyncpg.OutOfMemoryError),
        "has no room left",
        "Make room on the server; nothing recorded is lost meanwhile.",
    ),
    (
        (asyncpg.InsufficientPrivilegeError,),
        "refuses what we ask for",
        "The user has to own the tables, or may need: GRANT CREATE ON SCHEMA.",
    ),
    (
        (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError),
        "lacks tables that were there",
        "Somebody dropped or moved them, or the search_path changed; see: pointsman db status",
    ),
    (
        (asyncpg.DataCorruptedError,),
        "is damaged",
        "Stop, and restore a backup.",
    ),
    (
        (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError),
        "cannot be reached",
        "Check that the server runs and that this machine may connect to it.",
    ),
)
_ELSE: Final = ("failed", "See the cause in the log.")


def unavailable(address: PostgresAddress, what: str, hint: str, said: str = "") -> StorageUnavailable:
    """The error that says ``what`` is wrong; where the database is, and what it ``said``, is not for clients."""
    error = StorageUnavailable(f"The database {what}.", hint=hint)
    error.detail = f"{address.place}: {said}" if said else address.place
    return error


@contextmanager
def translated(address: PostgresAddress) -> Iterator[None]:
    """Raise ``StorageUnavailable`` in place of PostgreSQL's errors and those of the network.

    What is wrong with the values that were given is not translated: the stores know what it means.
    """
    try:
        yield
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError):
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        what, hint = next((words for kinds, *words in _MEANINGS if isinstance(error, kinds)), _ELSE)
        raise unavailable(address, what, hint, _said(error)) from error


def refusal(address: PostgresAddress, error: BaseException) -> Misconfigured:
    """What is said at the start of an error of :data:`REFUSALS`."""
    what, hint = next(words for kinds, *words in _MEANINGS if isinstance(error, kinds))
    return Misconfigured(f"The database {address.place} {what} ({_said(error)}).", hint=hint)


def breaks_connection(error: BaseException) -> bool:
    """Whether the connection is of no more use."""
    return isinstance(error, LOST)


def _said(error: BaseException) -> str:
    """The server's own words, on one line; neither it nor the network tells a password."""
    return " ".join(str(error).split()) or type(error).__name__
