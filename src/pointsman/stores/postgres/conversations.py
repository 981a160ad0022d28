"""Conversations and their items in PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from pointsman.core.identity import Owner
from pointsman.stores.postgres.database import PostgresDatabase
from pointsman.stores.postgres.response_statements import (
    ADD_ITEMS,
    DELETE_CONVERSATION,
    DELETE_ITEM,
    FIND_CONVERSATION,
    GROW_CONVERSATION,
    HOLD_CONVERSATION,
    INSERT_CONVERSATION,
    ITEM_BY_ID,
    ITEMS_FALLING,
    ITEMS_RISING,
    SUCCESSOR,
    UPDATE_METADATA,
)
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.text import kept, told, told_columns
from pointsman.stores.response_ports import (
    CONVERSATION_BYTES_MAX,
    ConversationFull,
    ConversationRecord,
    ItemPage,
    ItemQuery,
    KeptItem,
)

__all__ = ["PostgresConversationStore", "append_items", "sees"]

T = TypeVar("T")

_EVERYTHING: Final = ItemQuery(order="asc", limit=2**62)


class PostgresConversationStore:
    """Keeps :class:`pointsman.stores.response_ports.ConversationStore`'s promises in PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def create(self, record: ConversationRecord, items: Sequence[KeptItem] = ()) -> None:
        """See the port."""
        _demand_room(0, items)
        times = (record.created_at, record.expires_at)

        async def job(session: Session) -> None:
            await session.execute(
                INSERT_CONVERSATION, kept(record.id), kept(record.owner), *times, bytes(record.metadata)
            )
            await append_items(session, record.id, items, record.expires_at)

        await self._database.write(job, aside=True)

    async def get(self, conversation_id: str, owner: Owner, now: float) -> ConversationRecord | None:
        """See the port."""

        async def read(_: Session, row: dict[str, Any]) -> ConversationRecord | None:
            return _record(row)

        return await self._read(_Asking(conversation_id, owner, now), read)

    async def update(
        self, conversation_id: str, owner: Owner, now: float, metadata: msgspec.Raw
    ) -> ConversationRecord | None:
        """See the port."""

        async def change(session: Session, row: dict[str, Any]) -> ConversationRecord | None:
            await session.execute(UPDATE_METADATA, kept(conversation_id), bytes(metadata))
            return _record({**row, "metadata": bytes(metadata)})

        return await self._change(_Asking(conversation_id, owner, now), change)

    async def delete(self, conversation_id: str, owner: Owner, now: float) -> bool:
        """See the port."""

        async def change(session: Session, _: dict[str, Any]) -> bool:
            return await session.execute(DELETE_CONVERSATION, kept(conversation_id)) > 0

        return await self._change(_Asking(conversation_id, owner, now), change) or False

    async def add(
        self, conversation_id: str, owner: Owner, now: float, items: Sequence[KeptItem], expires_at: float
    ) -> bool:
        """See the port."""

        async def change(session: Session, row: dict[str, Any]) -> bool:
            _demand_room(row["item_bytes"], items)
            await append_items(session, conversation_id, items, expires_at)
            return True

        return await self._change(_Asking(conversation_id, owner, now), change) or False

    async def history(self, conversation_id: str, owner: Owner, now: float) -> tuple[msgspec.Raw, ...] | None:
        """See the port."""

        async def read(session: Session, row: dict[str, Any]) -> tuple[msgspec.Raw, ...] | None:
            _demand_room(row["item_bytes"], ())
            return tuple([item.raw for item in await _items(session, conversation_id, _EVERYTHING)])

        return await self._read(_Asking(conversation_id, owner, now), read)

    async def page(self, conversation_id: str, owner: Owner, now: float, query: ItemQuery) -> ItemPage | None:
        """See the port."""

        async def read(session: Session, _: dict[str, Any]) -> ItemPage | None:
            if query.after is not None and await _by_id(session, conversation_id, query.after) is None:
                return None
            more = msgspec.structs.replace(query, limit=query.limit + 1)
            found = await _items(session, conversation_id, more)
            return ItemPage(tuple(found[: query.limit]), len(found) > query.limit)

        return await self._read(_Asking(conversation_id, owner, now), read)

    async def item(self, conversation_id: str, owner: Owner, now: float, item_id: str) -> KeptItem | None:
        """See the port."""

        async def read(session: Session, _: dict[str, Any]) -> KeptItem | None:
            found = await _by_id(session, conversation_id, item_id)
            return None if found is None else found[0]

        return await self._read(_Asking(conversation_id, owner, now), read)

    async def delete_item(self, conversation_id: str, owner: Owner, now: float, item_id: str) -> bool:
        """See the port."""

        async def change(session: Session, _: dict[str, Any]) -> bool:
            found = await _by_id(session, conversation_id, item_id)
            if found is None:
                return False
            item, position = found
            await session.execute(DELETE_ITEM, kept(conversation_id), position)
            await session.execute(GROW_CONVERSATION, kept(conversation_id), -len(bytes(item.raw)), 0.0)
            return True

        return await self._change(_Asking(conversation_id, owner, now), change) or False

    async def _read(self, asking: _Asking, work: _Work[T]) -> T | None:
        return await self._database.read(lambda session: _with(session, asking, work))

    async def _change(self, asking: _Asking, work: _Work[T]) -> T | None:
        async def job(session: Session) -> T | None:
            await session.text(HOLD_CONVERSATION, kept(asking.id))
            return await _with(session, asking, work)

        return await self._database.write(job, aside=True)


async def append_items(session: Session, conversation_id: str, items: Sequence[KeptItem], expires_at: float) -> None:
    """Add items to a conversation, if it exists."""
    size = sum(len(bytes(item.raw)) for item in items)
    if await session.execute(GROW_CONVERSATION, kept(conversation_id), size, expires_at) and items:
        names, raws = [kept(item.id) for item in items], [bytes(item.raw) for item in items]
        await session.execute(ADD_ITEMS, kept(conversation_id), names, raws)


def _demand_room(size: int, items: Sequence[KeptItem]) -> None:
    if size + sum(len(bytes(item.raw)) for item in items) > CONVERSATION_BYTES_MAX:
        raise ConversationFull


async def sees(session: Session, owner: Owner, holder: str) -> bool:
    """Whether ``owner`` may see what belongs to the key ``holder``: it is that key, or was put in its place."""
    seen: set[str] = set()
    while not owner.sees(holder):
        seen.add(holder)
        successor = await session.text(SUCCESSOR, kept(holder))
        if successor is None or successor in seen:
            return False
        holder = told(successor)
    return True


class _Asking(NamedTuple):
    """Who asks for which conversation, and when."""

    id: str
    owner: Owner
    now: float


_Work = Callable[[Session, dict[str, Any]], Awaitable[T | None]]


async def _with(session: Session, asking: _Asking, work: _Work[T]) -> T | None:
    """What ``work`` makes of the row of the conversation; None: it is not there."""
    for row in await session.named(FIND_CONVERSATION, kept(asking.id), asking.now):
        if await sees(session, asking.owner, told(row["owner"])):
            return await work(session, row)
    return None


async def _items(session: Session, conversation_id: str, query: ItemQuery) -> list[KeptItem]:
    statement = ITEMS_RISING if query.order == "asc" else ITEMS_FALLING
    after = None if query.after is None else kept(query.after)
    rows = await session.rows(statement, kept(conversation_id), after, query.limit)
    return [KeptItem(told(name), msgspec.Raw(item)) for name, item in rows]


async def _by_id(session: Session, conversation_id: str, item_id: str) -> tuple[KeptItem, int] | None:
    for name, item, position in await session.rows(ITEM_BY_ID, kept(conversation_id), kept(item_id)):
        return KeptItem(told(name), msgspec.Raw(item)), int(position)
    return None


def _record(row: dict[str, Any]) -> ConversationRecord:
    columns = told_columns(row)
    del columns["item_bytes"]
    return ConversationRecord(**{**columns, "metadata": msgspec.Raw(columns["metadata"])})
