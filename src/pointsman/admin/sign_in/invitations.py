"""Invitations: for a user who is there already, to choose a password, once and within a week."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Final

import msgspec

from pointsman.core.clock import Clock
from pointsman.core.errors import NotFound
from pointsman.stores.sign_in_ports import SignInEntry, SignInStore

__all__ = ["Invitation", "Invitations"]

_KIND: Final = "invitation"
LIFE_SECONDS: Final = 7 * 86_400.0
_ID_CHARACTERS_MAX: Final = 128


class _Kept(msgspec.Struct):
    created_at: float
    created_by: str
    updated_at: float
    updated_by: str
    accepted_at: float | None = None


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """One invitation. Whoever knows its ``id`` can use it, so that only its digest is kept."""

    id: str
    user_id: str
    expires_at: float
    created_at: float
    created_by: str
    updated_at: float
    updated_by: str
    accepted_at: float | None


_read: Final = msgspec.json.Decoder(_Kept).decode


class Invitations:
    """Makes, finds and uses invitations."""

    def __init__(self, store: SignInStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def make(self, user_id: str, by: str) -> Invitation:
        """A new one."""
        now, identity = self._clock.wall(), secrets.token_urlsafe(32)
        entry = SignInEntry(
            kind=_KIND,
            id=_digest(identity),
            user_id=user_id,
            expires_at=now + LIFE_SECONDS,
            record=_written(_Kept(now, by, now, by)),
        )
        await self._store.put(entry)
        return _invitation(entry, identity)

    async def find(self, identity: str) -> Invitation:
        """The invitation with this id.

        Raises:
            NotFound: there is none, or its time is over.
        """
        entry = await self._store.get(_KIND, _digest(identity))
        if entry is None or (entry.expires_at or 0.0) <= self._clock.wall():
            raise _missing()
        return _invitation(entry, identity)

    async def mark(self, identity: str, by: str, *, accepted: bool) -> Invitation:
        """Have it be used up, or good again.

        Raises:
            NotFound: see :meth:`find`.
        """
        now = self._clock.wall()

        def change(entry: SignInEntry) -> SignInEntry:
            kept = _read(entry.record)
            kept.accepted_at, kept.updated_at, kept.updated_by = (now if accepted else None), now, by
            return msgspec.structs.replace(entry, record=_written(kept))

        await self.find(identity)
        entry = await self._store.update(_KIND, _digest(identity), change)
        if entry is None:
            raise _missing()
        return _invitation(entry, identity)

    async def use(self, identity: str, user_id: str) -> bool:
        """Use it up for this user; of two who try at once, one does."""
        now = self._clock.wall()

        def change(entry: SignInEntry) -> SignInEntry | None:
            kept = _read(entry.record)
            if kept.accepted_at is not None or entry.user_id != user_id or (entry.expires_at or 0.0) <= now:
                return None
            kept.accepted_at = kept.updated_at = now
            kept.updated_by = user_id
            return msgspec.structs.replace(entry, record=_written(kept))

        return await self._store.update(_KIND, _digest(identity), change) is not None

    async def remove(self, identity: str) -> Invitation:
        """Remove it, and give what it was.

        Raises:
            NotFound: see :meth:`find`.
        """
        found = await self.find(identity)
        await self._store.remove(_KIND, _digest(identity))
        return found


def _digest(identity: str) -> str:
    return sha256(identity[:_ID_CHARACTERS_MAX].encode("utf-8", "surrogatepass")).hexdigest()


def _written(kept: _Kept) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(kept))


def _invitation(entry: SignInEntry, identity: str) -> Invitation:
    kept = _read(entry.record)
    return Invitation(
        id=identity,
        user_id=entry.user_id,
        expires_at=entry.expires_at or 0.0,
        created_at=kept.created_at,
        created_by=kept.created_by,
        updated_at=kept.updated_at,
        updated_by=kept.updated_by,
        accepted_at=kept.accepted_at,
    )


def _missing() -> NotFound:
    return NotFound("There is no such invitation.", hint="Ask for a new one: they are good for a week, and once.")
