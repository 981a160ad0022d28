"""Sessions and invitations in memory."""

from __future__ import annotations

from collections.abc import Callable

from pointsman.stores.sign_in_ports import SignInEntry, SignInKind

__all__ = ["MemorySignInStore"]


class MemorySignInStore:
    """Keeps :class:`pointsman.stores.sign_in_ports.SignInStore`'s promises for as long as the process lives."""

    def __init__(self) -> None:
        self._entries: dict[tuple[SignInKind, str], SignInEntry] = {}

    async def get(self, kind: SignInKind, identity: str) -> SignInEntry | None:
        """See the port."""
        return self._entries.get((kind, identity))

    async def put(self, entry: SignInEntry) -> None:
        """See the port."""
        self._entries[entry.kind, entry.id] = entry

    async def update(
        self, kind: SignInKind, identity: str, change: Callable[[SignInEntry], SignInEntry | None]
    ) -> SignInEntry | None:
        """See the port."""
        entry = self._entries.get((kind, identity))
        changed = None if entry is None else change(entry)
        if changed is not None:
            self._entries[kind, identity] = changed
        return changed

    async def remove(self, kind: SignInKind, identity: str) -> bool:
        """See the port."""
        return self._entries.pop((kind, identity), None) is not None

    async def remove_of(self, kind: SignInKind, user_id: str, keep: str | None = None) -> int:
        """See the port."""
        found = [entry for entry in await self.of(kind, user_id) if entry.id != keep]
        for entry in found:
            del self._entries[kind, entry.id]
        return len(found)

    async def of(self, kind: SignInKind, user_id: str) -> tuple[SignInEntry, ...]:
        """See the port."""
        found = [entry for entry in self._entries.values() if entry.kind == kind and entry.user_id == user_id]
        return tuple(sorted(found, key=lambda entry: entry.id))

    async def sweep(self, now: float, limit: int = 1000) -> int:
        """See the port."""
        expired = [
            place for place, entry in self._entries.items() if entry.expires_at is not None and entry.expires_at <= now
        ][:limit]
        for place in expired:
            del self._entries[place]
        return len(expired)
