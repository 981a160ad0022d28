"""The directory in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import apsw
import msgspec

from pointsman.stores.directory.kinds import Kind
from pointsman.stores.directory.ports import Changed, DirectoryPage, DirectoryQuery, Write
from pointsman.stores.directory.refusals import alias_taken, encoded, entry_exists, no_such_entry
from pointsman.stores.spend_news import BATCHES_MAX, CHANGES_MAX, Batch, read_news
from pointsman.stores.sqlite.database import SqliteDatabase
from pointsman.stores.sqlite.directory_statements import (
    CHANGED_ENTRIES,
    COUNT_ENTRIES,
    INSERT_ENTRY,
    LATEST_ENTRIES,
    LIST_ENTRIES,
    NOTE_ENTRY,
    PUT_ENTRY,
    SPEND_NEWS,
    SPENDING_ENTRIES,
    UPDATE_ENTRY,
    EntryWay,
)
from pointsman.stores.sqlite.stillness import Mark

__all__ = ["SqliteDirectoryStore"]

T = TypeVar("T", bound=msgspec.Struct)


class SqliteDirectoryStore:
    """Keeps :class:`pointsman.stores.directory.ports.DirectoryStore`'s promises in a SQLite file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._no_news: tuple[int, Mark | None] | None = None

    async def get(self, kind: Kind[T], identity: str) -> T | None:
        """See the port."""
        return await self._database.read(lambda connection: _entry(connection, kind, identity))

    async def look_up(self, wanted: Sequence[tuple[Kind[Any], str]]) -> tuple[Any | None, ...]:
        """See the port."""
        return await self._database.read(
            lambda connection: tuple(_entry(connection, kind, identity) for kind, identity in wanted)
        )

    async def insert(self, kind: Kind[T], record: T) -> None:
        """See the port."""
        columns = _columns(kind, record)
        await self._database.write(lambda connection: _insert(connection, kind, columns), durable=True)

    async def update(self, kind: Kind[T], identity: str, change: Callable[[T], T]) -> T:
        """See the port."""
        return await self._database.write(lambda connection: _update(connection, kind, identity, change), durable=True)

    async def write(self, writes: Sequence[Write]) -> None:
        """See the port."""
        jobs = [(one, None if one.record is None else _columns(one.kind, one.record)) for one in writes]
        await self._database.write(lambda connection: _write(connection, jobs), durable=True)

    async def delete(self, kind: Kind[Any], identities: Sequence[str]) -> tuple[str, ...]:
        """See the port."""
        wanted = tuple(dict.fromkeys(identities))
        return await self._database.write(
            lambda connection: tuple(one for one in wanted if _remove(connection, kind, one)), durable=True
        )

    async def find(self, kind: Kind[T], query: DirectoryQuery) -> DirectoryPage[T]:
        """See the port."""
        return await self._database.read(lambda connection: _find(connection, kind, query), aside=True)

    async def changed_since(self, version: int) -> tuple[int, tuple[Changed, ...]]:
        """See the port."""
        mark = self._database.mark()
        if mark is not None and self._no_news == (version, mark):
            return version, ()
        found = await self._database.read(lambda connection: _changed_since(connection, version))
        self._no_news = (version, mark) if found[0] == version else None
        return found

    async def version(self) -> int:
        """See the port."""
        return await self._database.read(_version)


def _entry(connection: apsw.Connection, kind: Kind[T], identity: str) -> T | None:
    text = connection.execute("SELECT record FROM directory WHERE kind = ? AND id = ?", (kind.name, identity)).get
    return None if text is None else kind.decode(str(text))


def _insert(connection: apsw.Connection, kind: Kind[Any], columns: dict[str, Any]) -> None:
    taken = connection.execute("SELECT 1 FROM directory WHERE kind = ? AND id = ?", (kind.name, columns["id"])).get
    if taken is not None:
        raise entry_exists(kind, columns["id"])
    _execute(connection, INSERT_ENTRY, kind, columns)
    connection.execute(NOTE_ENTRY, (kind.name, columns["id"]))


def _update(connection: apsw.Connection, kind: Kind[T], identity: str, change: Callable[[T], T]) -> T:
    before = _entry(connection, kind, identity)
    if before is None:
        raise no_such_entry(kind, identity)
    record = change(before)
    _execute(connection, UPDATE_ENTRY, kind, _columns(kind, record))
    connection.execute(NOTE_ENTRY, (kind.name, identity))
    return record


def _write(connection: apsw.Connection, jobs: Sequence[tuple[Write, dict[str, Any] | None]]) -> None:
    for one, columns in jobs:
        if columns is None:
            _remove(connection, one.kind, one.identity)
        else:
            _execute(connection, PUT_ENTRY, one.kind, columns)
            connection.execute(NOTE_ENTRY, (one.kind.name, columns["id"]))


def _remove(connection: apsw.Connection, kind: Kind[Any], identity: str) -> bool:
    connection.execute("DELETE FROM directory WHERE kind = ? AND id = ?", (kind.name, identity))
    if not connection.changes():
        return False
    connection.execute(NOTE_ENTRY, (kind.name, identity))
    return True


def _execute(connection: apsw.Connection, statement: str, kind: Kind[Any], columns: dict[str, Any]) -> None:
    try:
        connection.execute(statement, columns)
    except apsw.ConstraintError as error:
        raise alias_taken(kind, columns["alias"]) from error


def _find(connection: apsw.Connection, kind: Kind[T], query: DirectoryQuery) -> DirectoryPage[T]:
    values = {
        "kind": kind.name,
        "ids": None if query.ids is None else msgspec.json.encode(query.ids).decode(),
        "parent": query.parent,
        "owner": query.owner,
        "alias": query.alias,
        "search": query.search,
        "stored": query.stored,
        "sort_by": query.sort_by,
        "falling": query.sort_order == "desc",
        "size": query.size,
        "start": (max(query.page, 1) - 1) * query.size,
    }
    way = _way(query)
    total: int = connection.execute(COUNT_ENTRIES[way], values).get
    latest = (way, query.sort_by, query.sort_order) == ("all", "created_at", "desc")
    ordered = SPENDING_ENTRIES if query.sort_by == "spend" else LIST_ENTRIES
    statement = LATEST_ENTRIES if latest else ordered[way]
    found = tuple(kind.decode(str(text)) for (text,) in connection.execute(statement, values))
    return DirectoryPage(found, total)


def _way(query: DirectoryQuery) -> EntryWay:
    """The filter that lets the fewest through."""
    ways: tuple[tuple[EntryWay, object], ...] = (
        ("ids", query.ids), ("alias", query.alias), ("owner", query.owner), ("parent", query.parent),
        ("scan", query.search), ("scan", query.stored),
    )  # fmt: skip
    return next((way for way, given in ways if given is not None), "all")


def _changed_since(connection: apsw.Connection, version: int) -> tuple[int, tuple[Changed, ...]]:
    entries = [
        (int(at), str(kind), str(identity))
        for at, kind, identity in connection.execute(CHANGED_ENTRIES, (version, CHANGES_MAX))
    ]
    batches = [Batch(*row) for row in connection.execute(SPEND_NEWS, (version, BATCHES_MAX))]
    return read_news(version, entries, batches)


def _version(connection: apsw.Connection) -> int:
    version: int = connection.execute("SELECT coalesce(max(version), 0) FROM directory_changes").get
    return version


def _columns(kind: Kind[T], record: T) -> dict[str, Any]:
    place = kind.place(record)
    return {
        "kind": place.kind,
        "id": place.identity,
        "alias": place.alias,
        "unique_alias": place.alias if kind.unique_alias else None,
        "parent": place.parent,
        "owner": place.owner,
        "created_at": place.created_at,
        "updated_at": place.updated_at,
        "record": encoded(kind, record),
    }
