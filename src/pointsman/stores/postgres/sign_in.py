"""Sessions and invitations in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from pointsman.stores.postgres.database import PostgresDatabase
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.text import indexed, told
from pointsman.stores.sign_in_ports import SignInEntry, SignInKind

__all__ = ["PostgresSignInStore"]

_GET: Final = "SELECT kind, id, user_id, expires_at, record FROM sign_in WHERE kind = $1 AND id = $2"
_LOCK: Final = _GET + " FOR UPDATE"
_PUT: Final = """
INSERT INTO sign_in (kind, id, user_id, expires_at, record) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (kind, id) DO UPDATE SET
    user_id = excluded.user_id, expires_at = excluded.expires_at, record = excluded.record
"""
_REMOVE: Final = "DELETE FROM sign_in WHERE kind = $1 AND id = $2"
_REMOVE_OF: Final = "DELETE FROM sign_in WHERE kind = $1 AND user_id = $2 AND id IS DISTINCT FROM $3"
_OF: Final = """
SELECT kind, id, user_id, expires_at, record FROM sign_in WHERE kind = $1 AND user_id = $2 ORDER BY id COLLATE "C"
"""
_SWEEP: Final = """
DELETE FROM sign_in WHERE (kind, id) IN (SELECT kind, id FROM sign_in WHERE expires_at <= $1 LIMIT $2)
"""


class PostgresSignInStore:
    """Keeps :class:`pointsman.stores.sign_in_ports.SignInStore`'s promises in PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def get(self, kind: SignInKind, identity: str) -> SignInEntry | None:
        """See the port."""
        return await self._database.look(lambda session: _get(session, _GET, kind, identity), soon=True)

    async def put(self, entry: SignInEntry) -> None:
        """See the port."""
        await self._database.write(lambda session: _put(session, entry))

    async def update(
        self, kind: SignInKind, identity: str, change: Callable[[SignInEntry], SignInEntry | None]
    ) -> SignInEntry | None:
        """See the port."""

        async def job(session: Session) -> SignInEntry | None:
            entry = await _get(session, _LOCK, kind, identity)
            changed = None if entry is None else change(entry)
            if changed is not None:
                await _put(session, changed)
            return changed

        return await self._database.write(job)

    async def remove(self, kind: SignInKind, identity: str) -> bool:
        """See the port."""
        return await self._database.write(lambda session: session.execute(_REMOVE, kind, indexed(identity))) > 0

    async def remove_of(self, kind: SignInKind, user_id: str, keep: str | None = None) -> int:
        """See the port."""
        values = kind, indexed(user_id), None if keep is None else indexed(keep)
        return await self._database.write(lambda session: session.execute(_REMOVE_OF, *values))

    async def of(self, kind: SignInKind, user_id: str) -> tuple[SignInEntry, ...]:
        """See the port."""
        rows = await self._database.look(lambda session: session.rows(_OF, kind, indexed(user_id)))
        return tuple(map(_entry, rows))

    async def sweep(self, now: float, limit: int = 1000) -> int:
        """See the port."""
        return await self._database.write(lambda session: session.execute(_SWEEP, now, limit))


async def _get(session: Session, statement: str, kind: SignInKind, identity: str) -> SignInEntry | None:
    return next((_entry(row) for row in await session.rows(statement, kind, indexed(identity))), None)


async def _put(session: Session, entry: SignInEntry) -> None:
    names = entry.kind, indexed(entry.id), indexed(entry.user_id)
    await session.execute(_PUT, *names, entry.expires_at, bytes(entry.record))


def _entry(row: Sequence[Any]) -> SignInEntry:
    kind, identity, user_id, expires_at, record = row
    return SignInEntry(
        kind=kind,
        id=told(identity),
        user_id=told(user_id),
        expires_at=expires_at,
        record=msgspec.Raw(record),
    )
