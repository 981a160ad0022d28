"""Which keys in memory were bound by which entries, so that a change of one finds its keys without looking at all."""

from __future__ import annotations

from collections.abc import Iterable

from pointsman.stores.directory.ports import Changed

__all__ = ["TiedKeys"]

_NOTHING: tuple[Changed, ...] = ()


class TiedKeys:
    """Names of keys by what they were bound by. As large as what it is told of, and no larger."""

    def __init__(self) -> None:
        self._sources: dict[str, tuple[Changed, ...]] = {}
        # Most entries bind one key (its user, its membership), so a set for each would be most of the memory.
        self._keys: dict[Changed, str | set[str]] = {}

    def __len__(self) -> int:
        return len(self._sources)

    def put(self, key: str, sources: tuple[Changed, ...]) -> None:
        """A key is bound by these from now on, and by no others."""
        if self._sources.get(key, _NOTHING) == sources:
            return
        self.drop(key)
        self._sources[key] = sources
        for source in sources:
            others = self._keys.get(source)
            if others is None:
                self._keys[source] = key
            elif isinstance(others, set):
                others.add(key)
            elif others != key:
                self._keys[source] = {others, key}

    def drop(self, key: str) -> None:
        """A key is bound by nothing that is known of here."""
        for source in self._sources.pop(key, _NOTHING):
            others = self._keys.get(source)
            if isinstance(others, set):
                others.discard(key)
                if not others:
                    del self._keys[source]
            elif others == key:
                del self._keys[source]

    def clear(self) -> None:
        """Forget all."""
        self._sources.clear()
        self._keys.clear()

    def bound_by(self, sources: Iterable[Changed]) -> set[str]:
        """The keys that any of these bind."""
        found: set[str] = set()
        for source in sources:
            keys = self._keys.get(source)
            if isinstance(keys, set):
                found |= keys
            elif keys is not None:
                found.add(keys)
        return found
