"""Sessions of people in browsers: a random token that only its owner has; here there is only its digest."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.secret import Secret
from pointsman.stores.sign_in_ports import SignInEntry, SignInStore

__all__ = ["OpenedSession", "Session", "SessionSettings", "Sessions", "csrf_token", "proves"]

_KIND: Final = "session"
_TOKEN_START: Final = "ps-"  # noqa: S105 - tells a session's token from a key at sight
_TOKEN_CHARACTERS_MAX: Final = 128
_TOUCH_SECONDS: Final = 60.0
"""How exactly it is kept when a session was used last."""
SESSIONS_PER_USER_MAX: Final = 50


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long a session lives at most, and how long unused."""

    life_seconds: float = 24 * 3600.0
    idle_seconds: float = 8 * 3600.0


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is signed in: by ``password``, or the provider that ``method`` names. ``digest`` is its id.

    ``proof`` ties it to a credential: once that is another, the session is over.
    """

    user_id: str
    digest: str
    method: str
    created_at: float
    seen_at: float
    expires_at: float
    peer: str = ""
    proof: str | None = None


class OpenedSession(msgspec.Struct, frozen=True):
    """A new session, with the token that is told once."""

    token: Secret
    session: Session


class _Kept(msgspec.Struct):
    method: str
    created_at: float
    seen_at: float
    peer: str = ""
    proof: str | None = None


_read: Final = msgspec.json.Decoder(_Kept).decode


class Sessions:
    """Opens, finds and ends sessions; ``settings`` may be replaced.

    Nothing is remembered beside the store, so that a session that one process ends is ended in all.
    """

    def __init__(self, store: SignInStore, settings: SessionSettings, clock: Clock = SYSTEM_CLOCK) -> None:
        self.settings = settings
        self._store = store
        self._clock = clock

    async def open(self, user_id: str, method: str, peer: str, credential: Secret | None = None) -> OpenedSession:
        """Sign somebody in. Who has very many sessions loses the one that was longest unused.

        The session is tied to ``credential``, see :func:`proves`.

        Raises:
            StorageUnavailable: it cannot be kept.
        """
        now = self._clock.wall()
        others = sorted(map(_session, await self._store.of(_KIND, user_id)), key=lambda session: session.seen_at)
        for old in others[: max(0, len(others) - SESSIONS_PER_USER_MAX + 1)]:
            await self._store.remove(_KIND, old.digest)
        token = _TOKEN_START + secrets.token_urlsafe(32)
        kept = _Kept(method, now, now, peer, None if credential is None else _proof(token, credential))
        entry = SignInEntry(
            kind=_KIND,
            id=_digest(token),
            user_id=user_id,
            expires_at=now + self.settings.life_seconds,
            record=msgspec.Raw(msgspec.json.encode(kept)),
        )
        await self._store.put(entry)
        return OpenedSession(Secret(token), _session(entry))

    async def find(self, token: str) -> Session | None:
        """Whose session it is, if it goes on; it has been used now.

        Raises:
            StorageUnavailable: nobody can say.
        """
        if not token.startswith(_TOKEN_START) or len(token) > _TOKEN_CHARACTERS_MAX:
            return None
        entry = await self._store.get(_KIND, _digest(token))
        if entry is None:
            return None
        session, now = _session(entry), self._clock.wall()
        if session.expires_at <= now or session.seen_at + self.settings.idle_seconds <= now:
            await self._store.remove(_KIND, entry.id)
            return None
        if now - session.seen_at >= _TOUCH_SECONDS:
            await self._store.update(_KIND, entry.id, lambda kept: _seen(kept, now))
        return session

    async def of(self, user_id: str) -> tuple[Session, ...]:
        """All sessions of a user that go on."""
        now = self._clock.wall()
        found = (_session(entry) for entry in await self._store.of(_KIND, user_id))
        return tuple(session for session in found if session.expires_at > now)

    async def end(self, session: Session) -> None:
        """Sign somebody out."""
        await self._store.remove(_KIND, session.digest)

    async def end_all(self, user_id: str, but: Session | None = None) -> int:
        """Sign somebody out everywhere, or everywhere else; how many sessions that were."""
        return await self._store.remove_of(_KIND, user_id, None if but is None else but.digest)


def proves(session: Session, token: Secret, credential: Secret) -> bool:
    """Whether the session was begun with this credential."""
    return session.proof is not None and hmac.compare_digest(session.proof, _proof(token.reveal(), credential))


def csrf_token(session_token: str) -> str:
    """What pages of ours show with requests that change something, and pages of others cannot know."""
    return hmac.new(session_token.encode(), b"csrf", sha256).hexdigest()


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _proof(token: str, credential: Secret) -> str:
    """Tells whether a credential is still the same; without the session's token nothing can be tried out on it."""
    return hmac.new(token.encode(), credential.reveal().encode("utf-8", "surrogateescape"), sha256).hexdigest()


def _seen(entry: SignInEntry, now: float) -> SignInEntry:
    kept = _read(entry.record)
    kept.seen_at = max(kept.seen_at, now)
    return msgspec.structs.replace(entry, record=msgspec.Raw(msgspec.json.encode(kept)))


def _session(entry: SignInEntry) -> Session:
    kept = _read(entry.record)
    return Session(
        user_id=entry.user_id,
        digest=entry.id,
        method=kept.method,
        created_at=kept.created_at,
        seen_at=kept.seen_at,
        expires_at=entry.expires_at or 0.0,
        peer=kept.peer,
        proof=kept.proof,
    )
