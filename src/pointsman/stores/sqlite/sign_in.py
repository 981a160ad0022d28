"""Sessions and invitations in SQLite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import apsw
import msgspec

from pointsman.stores.sign_in_ports import SignInEntry, SignInKind
from pointsman.stores.sqlite.database import SqliteDatabase
from pointsman.stores.sqlite.transaction import rows

__all__ = ["SqliteSignInStore"]

_GET: Final = "SELECT kind, id, user_id, expires_at, record FROM sign_in WHERE kind = ? AND id = ?"
_PUT: Final = (
    "INSERT INTO sign_in (kind, id, user_id, expires_at, record) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (kind, id) DO UPDATE SET user_id = excluded.user_id, expires_at = excluded.expires_at, "
    "record = excluded.record"
)
_REMOVE: Final = "DELETE FROM sign_in WHERE kind = ? AND id = ?"
_REMOVE_OF: Final = "DELETE FROM sign_in WHERE kind = ? AND user_id = ? AND id IS NOT ?"
_OF: Final = "SELECT kind, id, user_id, expires_at, record FROM sign_in WHERE kind = ? AND user_id = ? ORDER BY id"
_SWEEP: Final = "DELETE FROM sign_in WHERE (kind, id) IN (SELECT kind, id FROM sign_in WHERE expires_at <= ? LIMIT ?)"


class SqliteSignInStore:
    """Keeps :class:`pointsman.stores.sign_in_ports.SignInStore`'s promises in a SQLite file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def get(self, kind: SignInKind, identity: str) -> SignInEntry | None:
        """See the port."""
        return await self._database.read(lambda connection: _get(connection, kind, identity))

    async def put(self, entry: SignInEntry) -> None:
        """See the port."""
        await self._database.write(lambda connection: _put(connection, entry), durable=True)

    async def update(
        self, kind: SignInKind, identity: str, change: Callable[[SignInEntry], SignInEntry | None]
    ) -> SignInEntry | None:
        """See the port."""

        def job(connection: apsw.Connection) -> SignInEntry | None:
            entry = _get(connection, kind, identity)
            changed = None if entry is None else change(entry)
            if changed is not None:
                _put(connection, changed)
            return changed

        return await self._database.write(job)

    async def remove(self, kind: SignInKind, identity: str) -> bool:
        """See the port. Who signed out must not be signed in again by a power cut."""

        def job(connection: apsw.Connection) -> bool:
            connection.execute(_REMOVE, (kind, identity))
            return connection.changes() > 0

        return await self._database.write(job, durable=True)

    async def remove_of(self, kind: SignInKind, user_id: str, keep: str | None = None) -> int:
        """See the port."""

        def job(connection: apsw.Connection) -> int:
            connection.execute(_REMOVE_OF, (kind, user_id, keep))
            return connection.changes()

        return await self._database.write(job, durable=True)

    async def of(self, kind: SignInKind, user_id: str) -> tuple[SignInEntry, ...]:
        """See the port."""
        return await self._database.read(
            lambda connection: tuple(_entry(row) for row in rows(connection.execute(_OF, (kind, user_id))))
        )

    async def sweep(self, now: float, limit: int = 1000) -> int:
        """See the port."""

        def job(connection: apsw.Connection) -> int:
            connection.execute(_SWEEP, (now, limit))
            return connection.changes()

        return await self._database.write(job)


def _get(connection: apsw.Connection, kind: SignInKind, identity: str) -> SignInEntry | None:
    return next((_entry(row) for row in rows(connection.execute(_GET, (kind, identity)))), None)


def _put(connection: apsw.Connection, entry: SignInEntry) -> None:
    connection.execute(_PUT, (entry.kind, entry.id, entry.user_id, entry.expires_at, bytes(entry.record)))


def _entry(row: dict[str, Any]) -> SignInEntry:
    return SignInEntry(**{**row, "record": msgspec.Raw(row["record"])})
