"""The directory in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import asyncpg
import msgspec

from pointsman.core.errors import Malformed
from pointsman.stores.directory.kinds import Kind
from pointsman.stores.directory.ports import Changed, DirectoryPage, DirectoryQuery, Write
from pointsman.stores.directory.refusals import alias_taken, encoded, entry_exists, no_such_entry
from pointsman.stores.postgres.database import PostgresDatabase
from pointsman.stores.postgres.directory_statements import (
    CHANGED_ENTRIES,
    COUNT_ENTRIES,
    DELETE_ENTRY,
    DIRECTORY_VERSION,
    ENTRY,
    INSERT_ENTRY,
    LIST_ENTRIES,
    NOTE_ENTRIES,
    PUT_ENTRY,
    SPENDING_ENTRIES,
    UPDATE_ENTRY,
)
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.text import kept, told
from pointsman.stores.spend_news import BATCHES_MAX, CHANGES_MAX, Batch, read_news

__all__ = ["PostgresDirectoryStore"]

R = TypeVar("R")
T = TypeVar("T", bound=msgspec.Struct)

_AT_ONCE: Final = 500
"""Entries that are read on the event loop: a millisecond."""


class PostgresDirectoryStore:
    """Keeps :class:`pointsman.stores.directory.ports.DirectoryStore`'s promises in PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def get(self, kind: Kind[T], identity: str) -> T | None:
        """See the port."""
        return await self._database.look(lambda session: _entry(session, kind, identity), soon=True)

    async def look_up(self, wanted: Sequence[tuple[Kind[Any], str]]) -> tuple[Any | None, ...]:
        """See the port."""

        async def job(session: Session) -> tuple[Any | None, ...]:
            return tuple([await _entry(session, kind, identity) for kind, identity in wanted])

        return await self._database.read(job, aside=False, soon=True)

    async def insert(self, kind: Kind[T], record: T) -> None:
        """See the port."""
        place = kind.place(record)

        async def job(session: Session) -> None:
            if await session.text(ENTRY, kind.name, kept(place.identity)) is not None:
                raise entry_exists(kind, place.identity)
            await _put(session, INSERT_ENTRY, kind, record)

        await self._write(job)

    async def update(self, kind: Kind[T], identity: str, change: Callable[[T], T]) -> T:
        """See the port."""

        async def job(session: Session) -> T:
            before = await _entry(session, kind, identity)
            if before is None:
                raise no_such_entry(kind, identity)
            record = change(before)
            await _put(session, UPDATE_ENTRY, kind, record)
            return record

        return await self._write(job)

    async def write(self, writes: Sequence[Write]) -> None:
        """See the port."""

        async def job(session: Session) -> None:
            for one in writes:
                if one.record is None:
                    await _remove(session, one.kind, one.identity)
                else:
                    await _put(session, PUT_ENTRY, one.kind, one.record)

        await self._write(job)

    async def delete(self, kind: Kind[Any], identities: Sequence[str]) -> tuple[str, ...]:
        """See the port."""
        wanted = tuple(dict.fromkeys(identities))

        async def job(session: Session) -> tuple[str, ...]:
            return tuple([one for one in wanted if await _remove(session, kind, one)])

        return await self._write(job)

    async def find(self, kind: Kind[T], query: DirectoryQuery) -> DirectoryPage[T]:
        """See the port."""
        filters = (
            kind.name,
            None if query.ids is None else [kept(one) for one in query.ids],
            *(
                None if one is None else kept(one)
                for one in (query.parent, query.owner, query.alias, query.search, query.stored)
            ),
        )
        order = (query.sort_order == "desc", query.size, (max(query.page, 1) - 1) * query.size)

        async def job(session: Session) -> DirectoryPage[T]:
            total = await session.whole(COUNT_ENTRIES, *filters) or 0
            if query.sort_by == "spend":
                rows = await session.rows(SPENDING_ENTRIES, *filters, *order)
            else:
                rows = await session.rows(LIST_ENTRIES, *filters, query.sort_by, *order)
            # Very many would hold up everybody else.
            decode = partial(_decoded, kind, rows)
            return DirectoryPage(decode() if len(rows) <= _AT_ONCE else await asyncio.to_thread(decode), total)

        return await self._database.read(job)

    async def changed_since(self, version: int) -> tuple[int, tuple[Changed, ...]]:
        """See the port."""
        rows = await self._database.look(
            lambda session: session.rows(CHANGED_ENTRIES, version, CHANGES_MAX, BATCHES_MAX), soon=True
        )
        entries = sorted((row[0], str(row[1]), told(str(row[2]))) for row in rows if row[4] is None)
        batches = sorted(Batch(row[0], row[3], row[4]) for row in rows if row[4] is not None)
        return read_news(version, entries, batches)

    async def version(self) -> int:
        """See the port."""
        return await self._database.look(lambda session: session.whole(DIRECTORY_VERSION)) or 0

    async def _write(self, job: Callable[[Session], Awaitable[R]]) -> R:
        try:
            return await self._database.alone(job)
        except (asyncpg.DataError, asyncpg.ProgramLimitExceededError) as error:
            raise Malformed(f"The entry cannot be kept ({error}).", hint="Choose shorter or other values.") from error


def _decoded(kind: Kind[T], rows: Sequence[Sequence[Any]]) -> tuple[T, ...]:
    return tuple(kind.decode(told(str(text))) for (text,) in rows)


async def _entry(session: Session, kind: Kind[T], identity: str) -> T | None:
    text = await session.text(ENTRY, kind.name, kept(identity))
    return None if text is None else kind.decode(told(text))


async def _put(session: Session, statement: str, kind: Kind[Any], record: msgspec.Struct) -> None:
    place = kind.place(record)
    texts = (place.identity, place.alias, place.alias if kind.unique_alias else None, place.parent, place.owner)
    names = [None if text is None else kept(text) for text in texts]
    try:
        await session.execute(
            statement, place.kind, *names, place.created_at, place.updated_at, kept(encoded(kind, record))
        )
    except asyncpg.UniqueViolationError as error:
        raise alias_taken(kind, place.alias) from error
    await session.execute(NOTE_ENTRIES, [kind.name], [names[0]])


async def _remove(session: Session, kind: Kind[Any], identity: str) -> bool:
    if not await session.execute(DELETE_ENTRY, kind.name, kept(identity)):
        return False
    await session.execute(NOTE_ENTRIES, [kind.name], [kept(identity)])
    return True
