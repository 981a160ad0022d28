"""The audit log in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import msgspec

from pointsman.stores.audit import AuditEntry, AuditPage, AuditQuery, NumberedEntry

__all__ = ["MemoryAuditStore"]

_ENTRIES_MAX: Final = 10_000


class _Marks(msgspec.Struct, frozen=True):
    """What of a value can be searched for."""

    team_id: object = None
    token: object = None


class MemoryAuditStore:
    """Keeps :class:`pointsman.stores.audit.AuditStore`'s promises for the life of the process.

    Only the latest ``entries_max`` are kept, so that memory is bounded.
    """

    def __init__(self, entries_max: int = _ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._entries: OrderedDict[str, NumberedEntry] = OrderedDict()
        self._number = 0

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        for entry in entries:
            if entry.id not in self._entries:
                self._number += 1
                self._entries[entry.id] = NumberedEntry(self._number, entry)
        while len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)

    async def complete(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        first, *others = entries
        begun = self._entries.get(first.id)
        if begun is None or begun.entry.outcome != "unknown":
            return
        self._entries[first.id] = NumberedEntry(begun.number, first)
        await self.append(others)

    async def get(self, identity: str) -> AuditEntry | None:
        """See the port."""
        found = self._entries.get(identity)
        return None if found is None else found.entry

    async def find(self, query: AuditQuery) -> AuditPage:
        """See the port."""
        found = [one for one in self._entries.values() if _matches(one.entry, query)]
        found.sort(
            key=lambda one: (_sort_key(one.entry, query), one.entry.at, one.number), reverse=query.sort_order == "desc"
        )
        start = (query.page - 1) * query.page_size
        return AuditPage(tuple(one.entry for one in found[start : start + query.page_size]), len(found))

    async def read(self, query: AuditQuery, after: int, limit: int = 1000) -> tuple[NumberedEntry, ...]:
        """See the port."""
        found = (one for one in self._entries.values() if one.number > after and _matches(one.entry, query))
        return tuple(one for one, _ in zip(found, range(limit), strict=False))

    async def sweep(self, before: float, limit: int = 1000) -> bool:
        """See the port."""
        old = [one.entry.id for one in self._entries.values() if one.entry.at < before][:limit]
        for identity in old:
            del self._entries[identity]
        return len(old) == limit


def _sort_key(entry: AuditEntry, query: AuditQuery) -> float | str:
    if query.sort_by == "updated_at":
        return entry.at
    value: str = getattr(entry, query.sort_by)
    return value


def _matches(entry: AuditEntry, query: AuditQuery) -> bool:
    equal = (
        (query.changed_by, entry.changed_by),
        (query.changed_by_api_key, entry.changed_by_api_key),
        (query.action, entry.action),
        (query.table_name, entry.table_name),
        (query.object_id, entry.object_id),
        (query.outcome, entry.outcome),
    )
    if any(wanted is not None and wanted != is_ for wanted, is_ in equal):
        return False
    about = (entry.id, entry.changed_by, entry.object_id, entry.changed_by_api_key)
    if query.search is not None and query.search not in about:
        return False
    if (query.start is not None and entry.at < query.start) or (query.end is not None and entry.at > query.end):
        return False
    marks = [_marks(value) for value in (entry.before_value, entry.updated_values) if value is not None]
    teams, tokens = [mark.team_id for mark in marks], [mark.token for mark in marks]
    return _occurs(query.object_team_id, teams) and _occurs(query.object_key_hash, tokens)


def _marks(value: msgspec.Raw) -> _Marks:
    try:
        return msgspec.json.decode(value, type=_Marks)
    except msgspec.MsgspecError:
        return _Marks()


def _occurs(wanted: str | None, found: Sequence[object]) -> bool:
    return wanted is None or any(isinstance(one, str) and wanted in one for one in found)
