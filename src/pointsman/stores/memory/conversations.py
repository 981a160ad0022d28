"""Conversations and their items in memory."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pointsman.core.identity import Owner
from pointsman.stores.memory.database import MemoryDatabase
from pointsman.stores.response_ports import (
    CONVERSATION_BYTES_MAX,
    ConversationFull,
    ConversationRecord,
    ItemPage,
    ItemQuery,
    KeptItem,
)

__all__ = ["MemoryConversationStore"]


class MemoryConversationStore:
    """Keeps :class:`pointsman.stores.response_ports.ConversationStore`'s promises for the life of the process."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def create(self, record: ConversationRecord, items: Sequence[KeptItem] = ()) -> None:
        """See the port."""
        _demand_room(items)
        self._database.conversations[record.id] = record
        self._database.items[record.id] = list(items)

    async def get(self, conversation_id: str, owner: Owner, now: float) -> ConversationRecord | None:
        """See the port."""
        record = self._database.conversations.get(conversation_id)
        if record is None or record.expires_at <= now or not self._database.sees(owner, record.owner):
            return None
        return record

    async def update(
        self, conversation_id: str, owner: Owner, now: float, metadata: msgspec.Raw
    ) -> ConversationRecord | None:
        """See the port."""
        record = await self.get(conversation_id, owner, now)
        if record is not None:
            record = msgspec.structs.replace(record, metadata=metadata)
            self._database.conversations[conversation_id] = record
        return record

    async def delete(self, conversation_id: str, owner: Owner, now: float) -> bool:
        """See the port."""
        if await self.get(conversation_id, owner, now) is None:
            return False
        del self._database.conversations[conversation_id], self._database.items[conversation_id]
        return True

    async def add(
        self, conversation_id: str, owner: Owner, now: float, items: Sequence[KeptItem], expires_at: float
    ) -> bool:
        """See the port."""
        if await self.get(conversation_id, owner, now) is None:
            return False
        _demand_room([*self._database.items[conversation_id], *items])
        self._database.append_items(conversation_id, items, expires_at)
        return True

    async def history(self, conversation_id: str, owner: Owner, now: float) -> tuple[msgspec.Raw, ...] | None:
        """See the port."""
        if await self.get(conversation_id, owner, now) is None:
            return None
        items = self._database.items[conversation_id]
        _demand_room(items)
        return tuple(item.raw for item in items)

    async def page(self, conversation_id: str, owner: Owner, now: float, query: ItemQuery) -> ItemPage | None:
        """See the port."""
        if await self.get(conversation_id, owner, now) is None:
            return None
        items = self._database.items[conversation_id]
        ordered = items if query.order == "asc" else items[::-1]
        ids = [item.id for item in ordered]
        if query.after is not None and query.after not in ids:
            return None
        start = 0 if query.after is None else ids.index(query.after) + 1
        return ItemPage(tuple(ordered[start : start + query.limit]), start + query.limit < len(ordered))

    async def item(self, conversation_id: str, owner: Owner, now: float, item_id: str) -> KeptItem | None:
        """See the port."""
        if await self.get(conversation_id, owner, now) is None:
            return None
        return next((item for item in self._database.items[conversation_id] if item.id == item_id), None)

    async def delete_item(self, conversation_id: str, owner: Owner, now: float, item_id: str) -> bool:
        """See the port."""
        item = await self.item(conversation_id, owner, now, item_id)
        if item is None:
            return False
        self._database.items[conversation_id].remove(item)
        return True


def _demand_room(items: Sequence[KeptItem]) -> None:
    if sum(len(bytes(item.raw)) for item in items) > CONVERSATION_BYTES_MAX:
        raise ConversationFull
