"""Virtual keys in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from pointsman.core.identity import KeyRecord
from pointsman.stores.memory.database import MemoryDatabase
from pointsman.stores.ports import KeyChange, KeyOwner, KeyPage, KeyQuery, KeyRenewal, Removal
from pointsman.stores.records import (
    alias_taken,
    changed_record,
    demand_keepable,
    no_such_key,
    succeeding_record,
    token_taken,
)

__all__ = ["MemoryKeyStore"]


class _Extra(msgspec.Struct, frozen=True):
    """What keys are looked for by of that which they keep as JSON."""

    organization_id: str | None = None
    project_id: str | None = None
    agent_id: str | None = None
    access_group_ids: tuple[str, ...] | None = None


_decode_extra: Final = msgspec.json.Decoder(_Extra).decode


class MemoryKeyStore:
    """Keeps :class:`pointsman.stores.ports.KeyStore`'s promises for the life of the process."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def get(self, token: str) -> KeyRecord | None:
        """See the port."""
        return self._database.keys.get(token)

    async def insert(self, record: KeyRecord) -> None:
        """See the port."""
        demand_keepable(record)
        self._demand_free(record, instead_of=None)
        self._database.put(record)

    async def update(self, token: str, changes: KeyChange) -> KeyRecord:
        """See the port."""
        record = changed_record(self._live(token), changes)
        demand_keepable(record)
        self._demand_free(record, instead_of=token)
        self._database.put(record)
        return record

    async def rotate(self, old_token: str, renewed: KeyRenewal) -> KeyRecord:
        """See the port."""
        record = succeeding_record(self._live(old_token), renewed)
        demand_keepable(record)
        if record.token == old_token:
            raise token_taken()
        self._demand_free(record, instead_of=old_token)
        self._database.remove(old_token, Removal(record.updated_at, record.created_by, record.token))
        self._database.put(record)
        return record

    async def delete(self, tokens: Sequence[str], at: float, by: str | None = None) -> tuple[str, ...]:
        """See the port."""
        live = tuple(token for token in dict.fromkeys(tokens) if token in self._database.keys)
        for token in live:
            self._database.remove(token, Removal(at, by))
        return live

    async def find(self, query: KeyQuery) -> KeyPage:
        """See the port."""
        if query.status == "live":
            records, total = _page(query, list(self._database.keys.values()))
            return KeyPage(records, total)
        records, total = _page(query, [record for record, _ in self._database.removed.values()])
        return KeyPage(records, total, tuple(self._database.removed[record.token][1] for record in records))

    async def changed_since(self, version: int) -> tuple[int, tuple[str, ...]]:
        """See the port."""
        found = []
        for token, changed_at in reversed(self._database.changes.items()):
            if changed_at <= version:
                break
            found.append(token)
        return max(version, self._database.version), tuple(reversed(found))

    async def count_of(self, whose: KeyOwner, identities: Sequence[str]) -> Mapping[str, int]:
        """See the port."""
        wanted = frozenset(identities)
        owners = [record.user_id if whose == "user" else record.team_id for record in self._database.keys.values()]
        return Counter(owner for owner in owners if owner in wanted)

    async def version(self) -> int:
        """See the port."""
        return self._database.version

    async def reset_budget(
        self, token: str, now: float, next_reset_at: float | None, at_most: int | None = None
    ) -> KeyRecord | None:
        """See the port."""
        record = self._database.keys.get(token)
        if record is None or record.budget_reset_at is None or record.budget_reset_at > now:
            return None
        left = 0 if at_most is None else max(0, record.spend - at_most)
        record = msgspec.structs.replace(record, spend=left, budget_reset_at=next_reset_at)
        self._database.put(record)
        return record

    async def budgets_due(self, now: float, limit: int = 1000) -> tuple[KeyRecord, ...]:
        """See the port."""
        due = [
            (record.budget_reset_at, record.token, record)
            for record in self._database.keys.values()
            if record.budget_reset_at is not None and record.budget_reset_at <= now
        ]
        due.sort(key=lambda found: found[:2])
        return tuple(record for _, _, record in due[:limit])

    def _live(self, token: str) -> KeyRecord:
        record = self._database.keys.get(token)
        if record is None:
            raise no_such_key()
        return record

    def _demand_free(self, record: KeyRecord, instead_of: str | None) -> None:
        if record.token != instead_of and record.token in self._database.keys:
            raise token_taken()
        if record.key_alias is None:
            return
        for other in self._database.keys.values():
            if other.key_alias == record.key_alias and other.token != instead_of:
                raise alias_taken(record.key_alias)


def _page(query: KeyQuery, records: list[KeyRecord]) -> tuple[tuple[KeyRecord, ...], int]:
    found = sorted(filter(_filter(query), records), key=lambda record: record.token)
    found.sort(key=lambda record: _place(record, query.sort_by), reverse=query.sort_order == "desc")
    start = (max(query.page, 1) - 1) * query.size
    return tuple(found[start : start + query.size]), len(found) if query.counted else 0


def _place(record: KeyRecord, field: str) -> tuple[bool, float | str]:
    """Where a record stands in rising order; absent values come first."""
    value: float | str | None = getattr(record, field)
    return (False, 0) if value is None else (True, value)


def _filter(query: KeyQuery) -> Callable[[KeyRecord], bool]:
    fits = _occurs if query.substring else _equals

    def matches(record: KeyRecord) -> bool:
        return (
            (fits(query.user_id, record.user_id) or record.team_id in query.also_teams)
            and _equals(query.team_id, record.team_id)
            and fits(query.key_alias, record.key_alias)
            and _equals(query.key_hash, record.token)
            and (not query.is_searching or _is_found(query, record))
        )

    return matches


def _is_found(query: KeyQuery, record: KeyRecord) -> bool:
    """What has no index elsewhere."""
    extra = _decode_extra(record.extra)
    over = record.expires is not None and record.expires < query.now
    return (
        (query.search in {None, record.token} or _occurs(query.search, record.key_alias))
        and query.blocked in {None, record.blocked}
        and query.expires in {None, "expired" if over else "active"}
        and (query.organization_id in {None, extra.organization_id} or record.team_id in query.organization_teams)
        and query.project_id in {None, extra.project_id}
        and query.agent_id in {None, extra.agent_id}
        and (query.access_group_id is None or query.access_group_id in (extra.access_group_ids or ()))
    )


def _equals(wanted: str | None, value: str | None) -> bool:
    return wanted is None or wanted == value


def _occurs(wanted: str | None, value: str | None) -> bool:
    # Bytes fold the case of ASCII letters only, as SQLite does.
    return wanted is None or (value is not None and wanted.encode().lower() in value.encode().lower())
