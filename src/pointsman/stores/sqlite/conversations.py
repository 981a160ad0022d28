"""Conversations and their items in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import apsw
import msgspec

from pointsman.core.identity import Owner
from pointsman.stores.response_ports import (
    CONVERSATION_BYTES_MAX,
    ConversationFull,
    ConversationRecord,
    ItemPage,
    ItemQuery,
    KeptItem,
)
from pointsman.stores.sqlite.database import SqliteDatabase
from pointsman.stores.sqlite.response_statements import (
    ADD_ITEMS,
    DELETE_CONVERSATION,
    DELETE_ITEM,
    FIND_CONVERSATION,
    GROW_CONVERSATION,
    INSERT_CONVERSATION,
    ITEM_BY_ID,
    ITEMS_FALLING,
    ITEMS_RISING,
    SUCCESSOR,
    UPDATE_METADATA,
)
from pointsman.stores.sqlite.transaction import rows

__all__ = ["SqliteConversationStore", "append_items", "sees"]

T = TypeVar("T")

_EVERYTHING: Final = ItemQuery(order="asc", limit=-1)
"""In SQLite a negative LIMIT is none."""


class SqliteConversationStore:
    """Keeps :class:`pointsman.stores.response_ports.ConversationStore`'s promises in a SQLite file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def create(self, record: ConversationRecord, items: Sequence[KeptItem] = ()) -> None:
        """See the port."""
        _demand_room(0, items)

        def job(connection: apsw.Connection) -> None:
            columns = msgspec.structs.asdict(record)
            connection.execute(INSERT_CONVERSATION, {**columns, "metadata": bytes(record.metadata)})
            append_items(connection, record.id, items, record.expires_at)

        await self._database.write(job)

    async def get(self, conversation_id: str, owner: Owner, now: float) -> ConversationRecord | None:
        """See the port."""
        asking = _Asking(conversation_id, owner, now)
        return await self._database.read(lambda connection: _with(connection, asking, _record))

    async def update(
        self, conversation_id: str, owner: Owner, now: float, metadata: msgspec.Raw
    ) -> ConversationRecord | None:
        """See the port."""
        asking = _Asking(conversation_id, owner, now)

        def job(connection: apsw.Connection) -> ConversationRecord | None:
            if _with(connection, asking, lambda row: row) is None:
                return None
            connection.execute(UPDATE_METADATA, (bytes(metadata), conversation_id))
            return _with(connection, asking, _record)

        return await self._database.write(job)

    async def delete(self, conversation_id: str, owner: Owner, now: float) -> bool:
        """See the port."""
        asking = _Asking(conversation_id, owner, now)

        def job(connection: apsw.Connection) -> bool:
            if _with(connection, asking, lambda row: row) is None:
                return False
            connection.execute(DELETE_CONVERSATION, (conversation_id,))
            return True

        return await self._database.write(job)

    async def add(
        self, conversation_id: str, owner: Owner, now: float, items: Sequence[KeptItem], expires_at: float
    ) -> bool:
        """See the port."""
        asking = _Asking(conversation_id, owner, now)

        def job(connection: apsw.Connection) -> bool:
            def add(row: dict[str, Any]) -> bool:
                _demand_room(row["item_bytes"], items)
                append_items(connection, conversation_id, items, expires_at)
                return True

            return _with(connection, asking, add) or False

        return await self._database.write(job)

    async def history(self, conversation_id: str, owner: Owner, now: float) -> tuple[msgspec.Raw, ...] | None:
        """See the port."""
        asking = _Asking(conversation_id, owner, now)

        def job(connection: apsw.Connection) -> tuple[msgspec.Raw, ...] | None:
            def read(row: dict[str, Any]) -> tuple[msgspec.Raw, ...]:
                _demand_room(row["item_bytes"], ())
                return tuple(item.raw for item in _items(connection, conversation_id, _EVERYTHING))

            return _with(connection, asking, read)

        return await self._database.read(job)

    async def page(self, conversation_id: str, owner: Owner, now: float, query: ItemQuery) -> ItemPage | None:
        """See the port."""
        asking = _Asking(conversation_id, owner, now)

        def job(connection: apsw.Connection) -> ItemPage | None:
            def read(_: dict[str, Any]) -> ItemPage | None:
                if query.after is not None and _by_id(connection, conversation_id, query.after) is None:
                    return None
                more = msgspec.structs.replace(query, limit=query.limit + 1)
                found = _items(connection, conversation_id, more)
                return ItemPage(tuple(found[: query.limit]), len(found) > query.limit)

            return _with(connection, asking, read)

        return await self._database.read(job)

    async def item(self, conversation_id: str, owner: Owner, now: float, item_id: str) -> KeptItem | None:
        """See the port."""
        asking = _Asking(conversation_id, owner, now)

        def job(connection: apsw.Connection) -> KeptItem | None:
            found = _with(connection, asking, lambda _: _by_id(connection, conversation_id, item_id))
            return None if found is None else found[0]

        return await self._database.read(job)

    async def delete_item(self, conversation_id: str, owner: Owner, now: float, item_id: str) -> bool:
        """See the port."""
        asking = _Asking(conversation_id, owner, now)

        def job(connection: apsw.Connection) -> bool:
            found = _with(connection, asking, lambda _: _by_id(connection, conversation_id, item_id))
            if found is None:
                return False
            item, position = found
            connection.execute(DELETE_ITEM, (conversation_id, position))
            values = {"id": conversation_id, "bytes": -len(bytes(item.raw)), "expires_at": 0.0}
            connection.execute(GROW_CONVERSATION, values)
            return True

        return await self._database.write(job)


def append_items(
    connection: apsw.Connection, conversation_id: str, items: Sequence[KeptItem], expires_at: float
) -> None:
    """Add items to a conversation, if it exists."""
    size = sum(len(bytes(item.raw)) for item in items)
    connection.execute(GROW_CONVERSATION, {"id": conversation_id, "bytes": size, "expires_at": expires_at})
    if connection.changes():
        for item in items:
            connection.execute(ADD_ITEMS, (conversation_id, item.id, bytes(item.raw)))


def _demand_room(size: int, items: Sequence[KeptItem]) -> None:
    if size + sum(len(bytes(item.raw)) for item in items) > CONVERSATION_BYTES_MAX:
        raise ConversationFull


def sees(connection: apsw.Connection, owner: Owner, holder: str) -> bool:
    """Whether ``owner`` may see what belongs to the key ``holder``: it is that key, or was put in its place."""
    seen: set[str] = set()
    while not owner.sees(holder):
        seen.add(holder)
        successor = connection.execute(SUCCESSOR, (holder,)).get
        if successor is None or successor in seen:
            return False
        holder = str(successor)
    return True


class _Asking(NamedTuple):
    """Who asks for which conversation, and when."""

    id: str
    owner: Owner
    now: float


def _with(connection: apsw.Connection, asking: _Asking, work: Callable[[dict[str, Any]], T]) -> T | None:
    """What ``work`` makes of the row of the conversation; None: it is not there."""
    for row in list(rows(connection.execute(FIND_CONVERSATION, (asking.id, asking.now)))):
        if sees(connection, asking.owner, row["owner"]):
            return work(row)
    return None


def _items(connection: apsw.Connection, conversation_id: str, query: ItemQuery) -> list[KeptItem]:
    statement = ITEMS_RISING if query.order == "asc" else ITEMS_FALLING
    values = {"id": conversation_id, "after": query.after, "limit": query.limit}
    return [KeptItem(str(name), msgspec.Raw(item)) for name, item in connection.execute(statement, values)]


def _by_id(connection: apsw.Connection, conversation_id: str, item_id: str) -> tuple[KeptItem, int] | None:
    for name, item, position in connection.execute(ITEM_BY_ID, (conversation_id, item_id)):
        return KeptItem(str(name), msgspec.Raw(item)), int(position)
    return None


def _record(row: dict[str, Any]) -> ConversationRecord:
    del row["item_bytes"]
    row["metadata"] = msgspec.Raw(row["metadata"])
    return ConversationRecord(**row)
