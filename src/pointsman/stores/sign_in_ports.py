"""What is kept so that people can sign in: sessions and invitations; the promises of the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

__all__ = ["SignInEntry", "SignInKind", "SignInStore"]

SignInKind = Literal["session", "invitation"]


class SignInEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is kept. ``record`` is JSON in the shape of its kind; it holds digests, never what they are of.

    Sessions are found by the digest of their token, invitations by their id. What has expired
    (``expires_at``, seconds since the epoch) is as good as gone, whether it was removed yet or not; None: never.
    """

    kind: SignInKind
    id: str
    user_id: str
    expires_at: float | None = None
    record: msgspec.Raw = msgspec.Raw(b"{}")


class SignInStore(Protocol):
    """Keeps entries by kind and id; see :mod:`pointsman.stores.ports` for what every store promises."""

    async def get(self, kind: SignInKind, identity: str) -> SignInEntry | None:
        """The entry, expired or not."""
        ...

    async def put(self, entry: SignInEntry) -> None:
        """Keep it, in the place of one with this kind and id."""
        ...

    async def update(
        self, kind: SignInKind, identity: str, change: Callable[[SignInEntry], SignInEntry | None]
    ) -> SignInEntry | None:
        """Read, change and write in one transaction, and give what is kept now; None: there is no such entry.

        ``change`` is pure and keeps kind and id; it gives None where nothing is to be changed, and then so does this.
        """
        ...

    async def remove(self, kind: SignInKind, identity: str) -> bool:
        """Remove it; whether it was there."""
        ...

    async def remove_of(self, kind: SignInKind, user_id: str, keep: str | None = None) -> int:
        """Remove all of a user's, but the one with the id ``keep``; how many there were."""
        ...

    async def of(self, kind: SignInKind, user_id: str) -> tuple[SignInEntry, ...]:
        """All of a user's, ordered by id."""
        ...

    async def sweep(self, now: float, limit: int = 1000) -> int:
        """Remove up to ``limit`` entries that have expired; how many."""
        ...
