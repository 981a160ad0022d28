"""The directory in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import msgspec

from pointsman.stores.directory.kinds import Kind, Place
from pointsman.stores.directory.ports import Account, Changed, DirectoryPage, DirectoryQuery, Meter, Write
from pointsman.stores.directory.refusals import alias_taken, encoded, entry_exists, no_such_entry
from pointsman.stores.memory.database import MemoryDatabase

__all__ = ["MemoryDirectoryStore"]

T = TypeVar("T", bound=msgspec.Struct)


class MemoryDirectoryStore:
    """Keeps :class:`pointsman.stores.directory.ports.DirectoryStore`'s promises for the life of the process."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def get(self, kind: Kind[T], identity: str) -> T | None:
        """See the port."""
        return self._entries(kind).get(identity)

    async def look_up(self, wanted: Sequence[tuple[Kind[Any], str]]) -> tuple[Any | None, ...]:
        """See the port."""
        return tuple(self._entries(kind).get(identity) for kind, identity in wanted)

    async def insert(self, kind: Kind[T], record: T) -> None:
        """See the port."""
        identity = kind.identity(record)
        if identity in self._entries(kind):
            raise entry_exists(kind, identity)
        self._demand_keepable(kind, record)
        self._put(kind, record)

    async def update(self, kind: Kind[T], identity: str, change: Callable[[T], T]) -> T:
        """See the port."""
        before = self._entries(kind).get(identity)
        if before is None:
            raise no_such_entry(kind, identity)
        record = change(before)
        self._demand_keepable(kind, record)
        self._put(kind, record)
        return record

    async def write(self, writes: Sequence[Write]) -> None:
        """See the port."""
        before = {kind: dict(entries) for kind, entries in self._database.entries.items()}
        done = False
        try:
            for one in writes:
                if one.record is None:
                    self._remove(one.kind, one.identity)
                else:
                    self._demand_keepable(one.kind, one.record)
                    self._put(one.kind, one.record)
            done = True
        finally:
            if not done:
                self._database.entries = before

    async def delete(self, kind: Kind[Any], identities: Sequence[str]) -> tuple[str, ...]:
        """See the port."""
        return tuple(one for one in dict.fromkeys(identities) if self._remove(kind, one))

    async def find(self, kind: Kind[T], query: DirectoryQuery) -> DirectoryPage[T]:
        """See the port."""
        placed = [
            (kind.place(record), record)
            for record in self._entries(kind).values()
            if query.stored is None or query.stored in kind.encode(record)
        ]
        found = sorted(
            ((place, record) for place, record in placed if _matches(query, place)), key=lambda pair: pair[0].identity
        )
        found.sort(key=lambda pair: self._rank(pair[0], query.sort_by), reverse=query.sort_order == "desc")
        start = (max(query.page, 1) - 1) * query.size
        return DirectoryPage(tuple(record for _, record in found[start : start + query.size]), len(found))

    async def changed_since(self, version: int) -> tuple[int, tuple[Changed, ...]]:
        """See the port."""
        found = []
        for changed, at in reversed(self._database.entry_changes.items()):
            if at <= version:
                break
            found.append(changed)
        return max(version, self._database.entry_version), tuple(reversed(found))

    async def version(self) -> int:
        """See the port."""
        return self._database.entry_version

    def _entries(self, kind: Kind[T]) -> dict[str, T]:
        return cast("dict[str, T]", self._database.entries.setdefault(kind.name, {}))

    def _put(self, kind: Kind[T], record: T) -> None:
        identity = kind.identity(record)
        self._entries(kind)[identity] = record
        self._database.note_entry(Changed(kind.name, identity))

    def _remove(self, kind: Kind[Any], identity: str) -> bool:
        if self._entries(kind).pop(identity, None) is None:
            return False
        self._database.note_entry(Changed(kind.name, identity))
        return True

    def _rank(self, place: Place, by: str) -> tuple[bool, str | float]:
        value: str | float | None
        if by == "spend":
            period = self._database.spend_periods.get(Meter(place.kind, place.identity))
            total = self._database.spend_totals.get(Account(place.kind, place.identity), 0)
            value = total - (0 if period is None else period.baseline)
        else:
            value = place.identity if by == "id" else getattr(place, by)
        return (False, "") if value is None else (True, value)

    def _demand_keepable(self, kind: Kind[T], record: T) -> None:
        encoded(kind, record)
        place = kind.place(record)
        if not kind.unique_alias or place.alias is None:
            return
        for other in map(kind.place, self._entries(kind).values()):
            if other.alias == place.alias and other.identity != place.identity:
                raise alias_taken(kind, place.alias)


def _matches(query: DirectoryQuery, place: Place) -> bool:
    return (
        (query.ids is None or place.identity in query.ids)
        and query.parent in {None, place.parent}
        and query.owner in {None, place.owner}
        and query.alias in {None, place.alias}
        and (query.search is None or _occurs(query.search, place.identity) or _occurs(query.search, place.alias or ""))
    )


def _occurs(wanted: str, text: str) -> bool:
    return _lower(wanted) in _lower(text)


def _lower(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)
