"""Stored responses in memory."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pointsman.core.identity import Owner
from pointsman.stores.memory.database import MemoryDatabase
from pointsman.stores.records import event_page
from pointsman.stores.response_ports import (
    OBJECT_BYTES_MAX,
    STORED_BYTES_MAX,
    STREAM_SECONDS,
    TURNS_MAX,
    UNFINISHED,
    EventPage,
    KeptItem,
    ResponseRecord,
    Turn,
    TurnsTooLong,
)

__all__ = ["MemoryResponseStore"]


class MemoryResponseStore:
    """Keeps :class:`pointsman.stores.response_ports.ResponseStore`'s promises for the life of the process."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def put(self, record: ResponseRecord, added: Sequence[KeptItem] = (), *, kept: bool = True) -> None:
        """See the port."""
        known = self._database.responses.get(record.id)
        if kept and (known is None or known.owner == record.owner):
            self._database.responses[record.id] = record
        self._add(record, added)

    async def begin(self, record: ResponseRecord) -> None:
        """See the port."""
        self._database.responses[record.id] = record

    async def add_events(self, response_id: str, first: int, events: Sequence[bytes]) -> bool:
        """See the port."""
        if self._unfinished(response_id) is None:
            return False
        self._add_events(response_id, first, events)
        return True

    async def finish(
        self, record: ResponseRecord, first: int, events: Sequence[bytes], added: Sequence[KeptItem] = ()
    ) -> bool:
        """See the port."""
        begun = self._unfinished(record.id)
        if begun is None:
            return False
        finished = msgspec.structs.replace(begun, status=record.status, body=record.body)
        self._database.responses[record.id] = finished
        self._add_events(record.id, first, events)
        self._add(record, added)
        return True

    async def get(self, response_id: str, owner: Owner, now: float) -> ResponseRecord | None:
        """See the port."""
        return self._find(response_id, owner, now)

    async def turns(self, response_id: str, owner: Owner, now: float) -> tuple[Turn, ...]:
        """See the port."""
        turns: list[Turn] = []
        size = 0
        record = self._find(response_id, owner, now)
        while record is not None:
            size += len(bytes(record.body)) + len(bytes(record.input_items))
            if len(turns) >= TURNS_MAX or size > OBJECT_BYTES_MAX:
                raise TurnsTooLong
            turns.append(
                Turn(
                    record.id,
                    record.status,
                    record.previous_response_id,
                    record.conversation_id,
                    record.input_items,
                    record.body,
                )
            )
            record = self._find(record.previous_response_id or "", Owner("", sees_all=True), now)
        return tuple(turns)

    async def delete(self, response_id: str, owner: Owner, now: float) -> bool:
        """See the port."""
        if self._find(response_id, owner, now) is None:
            return False
        self._remove(response_id)
        return True

    async def cancel(self, response_id: str, owner: Owner, now: float) -> ResponseRecord | None:
        """See the port."""
        record = self._find(response_id, owner, now)
        if record is not None and record.worker is not None and record.status in UNFINISHED:
            record = self._database.responses[response_id] = msgspec.structs.replace(record, status="cancelled")
        return record

    async def events(
        self, response_id: str, owner: Owner, now: float, *, after: int, limit: int = 1000
    ) -> EventPage | None:
        """See the port."""
        record = self._find(response_id, owner, now)
        if record is None:
            return None
        return event_page(record.status, self._database.events.get(response_id, []), after, limit, is_last=True)

    async def fail_unfinished(self, worker: int, workers: int) -> int:
        """See the port."""
        lost = [
            record
            for record in self._database.responses.values()
            if record.status in UNFINISHED and record.worker is not None
            if record.worker == worker or record.worker >= workers
        ]
        for record in lost:
            self._database.responses[record.id] = msgspec.structs.replace(record, status="failed")
        return len(lost)

    async def sweep(self, now: float, limit: int = 50, *, bytes_max: int = STORED_BYTES_MAX) -> int:
        """See the port."""
        database = self._database
        expiries = [record.expires_at for record in database.responses.values()]
        expiries += [record.expires_at for record in database.conversations.values()]
        expiries = sorted(expiries)[:limit]
        until = max(now, *expiries) if expiries and self._size() > bytes_max else now
        responses = [name for name, record in database.responses.items() if record.expires_at <= until][:limit]
        conversations = [name for name, record in database.conversations.items() if record.expires_at <= until][:limit]
        old = [name for name in database.events if database.responses[name].created_at <= now - STREAM_SECONDS]
        for name in old[:limit]:
            del database.events[name]
        for name in responses:
            self._remove(name)
        for name in conversations:
            del database.conversations[name], database.items[name]
        return len(responses) + len(conversations) + len(old[:limit])

    def _size(self) -> int:
        database = self._database
        size = sum(len(bytes(one.body)) + len(bytes(one.input_items)) for one in database.responses.values())
        size += sum(len(events) for batches in database.events.values() for _, events in batches)
        return size + sum(len(bytes(item.raw)) for items in database.items.values() for item in items)

    def _find(self, response_id: str, owner: Owner, now: float) -> ResponseRecord | None:
        record = self._database.responses.get(response_id)
        if record is None or record.expires_at <= now or not self._database.sees(owner, record.owner):
            return None
        return record

    def _unfinished(self, response_id: str) -> ResponseRecord | None:
        record = self._database.responses.get(response_id)
        return record if record is not None and record.status in UNFINISHED else None

    def _remove(self, response_id: str) -> None:
        del self._database.responses[response_id]
        self._database.events.pop(response_id, None)

    def _add_events(self, response_id: str, first: int, events: Sequence[bytes]) -> None:
        if events:
            batches = self._database.events.setdefault(response_id, [])
            batches[:] = [batch for batch in batches if batch[0] != first]
            batches.append((first, b"".join(events)))

    def _add(self, record: ResponseRecord, added: Sequence[KeptItem]) -> None:
        if record.conversation_id is not None:
            self._database.append_items(record.conversation_id, added, record.expires_at)
