"""Stored responses in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pointsman.core.identity import Owner
from pointsman.stores.postgres.conversations import append_items, sees
from pointsman.stores.postgres.database import PostgresDatabase
from pointsman.stores.postgres.response_statements import (
    ADD_EVENTS,
    CANCEL_RESPONSE,
    CHAIN,
    DELETE_RESPONSE,
    EVENTS_AFTER,
    EXPIRED,
    FAIL_UNFINISHED,
    FIND_RESPONSE,
    FIND_TURN,
    FINISH_RESPONSE,
    HOLD_CONVERSATION,
    NAME_ITEMS,
    NEXT_EXPIRY,
    PUT_RESPONSE,
    RESPONSES_WITH_ITEM,
    SEE_RESPONSE,
    STORED_BYTES,
    SWEEP_EVENTS,
    UNFINISHED_STATUS,
)
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.text import kept, kept_columns, told, told_columns
from pointsman.stores.records import event_page
from pointsman.stores.response_ports import (
    OBJECT_BYTES_MAX,
    STORED_BYTES_MAX,
    STREAM_SECONDS,
    TURNS_MAX,
    EventPage,
    KeptItem,
    ResponseRecord,
    ResponseStatus,
    Turn,
    TurnsTooLong,
)

__all__ = ["PostgresResponseStore"]

_BATCHES_AT_ONCE: Final = 64
_SAME_NAME_MAX: Final = 100


class PostgresResponseStore:
    """Keeps :class:`pointsman.stores.response_ports.ResponseStore`'s promises in PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def put(
        self, record: ResponseRecord, added: Sequence[KeptItem] = (), *, kept: bool = True, named: Sequence[str] = ()
    ) -> None:
        """See the port."""

        async def job(session: Session) -> None:
            await _hold(session, record)
            if kept:
                await session.execute(PUT_RESPONSE, *_columns(record).values())
                await _name(session, record, named)
            await _add(session, record, added)

        await self._database.write(job, aside=True)

    async def begin(self, record: ResponseRecord) -> None:
        """See the port."""
        await self._database.write(
            lambda session: session.execute(PUT_RESPONSE, *_columns(record).values()), aside=True
        )

    async def add_events(self, response_id: str, first: int, events: Sequence[bytes]) -> bool:
        """See the port."""

        async def job(session: Session) -> bool:
            unfinished = await session.text(UNFINISHED_STATUS, kept(response_id)) is not None
            if unfinished:
                await _add_events(session, response_id, first, events)
            return unfinished

        return await self._database.write(job, aside=True)

    async def finish(
        self,
        record: ResponseRecord,
        first: int,
        events: Sequence[bytes],
        added: Sequence[KeptItem] = (),
        named: Sequence[str] = (),
    ) -> bool:
        """See the port."""
        end = [_columns(record)[name] for name in ("id", "status", "body", "upstream", "upstream_id")]

        async def job(session: Session) -> bool:
            await _hold(session, record)
            if not await session.execute(FINISH_RESPONSE, *end):
                return False
            await _add_events(session, record.id, first, events)
            await _name(session, record, named)
            await _add(session, record, added)
            return True

        return await self._database.write(job, aside=True)

    async def get(self, response_id: str, owner: Owner, now: float) -> ResponseRecord | None:
        """See the port."""
        return await self._database.read(lambda session: _find(session, response_id, owner, now))

    async def with_item(self, item_id: str, owner: Owner, now: float) -> ResponseRecord | None:
        """See the port."""

        async def job(session: Session) -> ResponseRecord | None:
            for (name,) in await session.rows(RESPONSES_WITH_ITEM, kept(item_id), _SAME_NAME_MAX):
                record = await _find(session, told(name), owner, now)
                if record is not None:
                    return record
            return None

        return await self._database.read(job)

    async def turns(self, response_id: str, owner: Owner, now: float) -> tuple[Turn, ...]:
        """See the port."""
        return await self._database.read(lambda session: _turns(session, response_id, owner, now))

    async def delete(self, response_id: str, owner: Owner, now: float) -> bool:
        """See the port."""

        async def job(session: Session) -> bool:
            if await _status(session, response_id, owner, now) is None:
                return False
            return await session.execute(DELETE_RESPONSE, kept(response_id)) > 0

        return await self._database.write(job, aside=True)

    async def cancel(self, response_id: str, owner: Owner, now: float) -> ResponseRecord | None:
        """See the port."""

        async def job(session: Session) -> ResponseRecord | None:
            if await _status(session, response_id, owner, now) is not None:
                await session.execute(CANCEL_RESPONSE, kept(response_id))
            return await _find(session, response_id, owner, now)

        return await self._database.write(job, aside=True)

    async def events(
        self, response_id: str, owner: Owner, now: float, *, after: int, limit: int = 1000
    ) -> EventPage | None:
        """See the port."""

        async def job(session: Session) -> EventPage | None:
            status = await _status(session, response_id, owner, now)
            if status is None:
                return None
            rows = await session.rows(EVENTS_AFTER, kept(response_id), after, _BATCHES_AT_ONCE)
            batches = [(int(first), bytes(events)) for first, events in rows]
            return event_page(status, batches, after, limit, is_last=len(batches) < _BATCHES_AT_ONCE)

        return await self._database.read(job)

    async def fail_unfinished(self, worker: int, workers: int) -> int:
        """See the port."""
        return await self._database.write(lambda session: session.execute(FAIL_UNFINISHED, worker, workers), aside=True)

    async def sweep(self, now: float, limit: int = 50, *, bytes_max: int = STORED_BYTES_MAX) -> int:
        """See the port."""

        async def job(session: Session) -> int:
            until = now
            if (await session.whole(STORED_BYTES) or 0) > bytes_max:
                ((expiry,),) = await session.rows(NEXT_EXPIRY, limit)
                until = max(now, expiry or now)
            removed = await session.execute(SWEEP_EVENTS, now - STREAM_SECONDS, limit)
            for statement in EXPIRED:
                removed += await session.execute(statement, until, limit)
            return removed

        return await self._database.write(job, aside=True)


async def _status(session: Session, response_id: str, owner: Owner, now: float) -> ResponseStatus | None:
    """The status of a response that is there for ``owner``."""
    for holder, status in await session.rows(SEE_RESPONSE, kept(response_id), now):
        if await sees(session, owner, told(holder)):
            found: ResponseStatus = status
            return found
    return None


async def _find(session: Session, response_id: str, owner: Owner, now: float) -> ResponseRecord | None:
    if await _status(session, response_id, owner, now) is None:
        return None
    rows = await session.named(FIND_RESPONSE, kept(response_id))
    return next((ResponseRecord(**_told(row)) for row in rows), None)


async def _turns(session: Session, response_id: str, owner: Owner, now: float) -> tuple[Turn, ...]:
    if await _status(session, response_id, owner, now) is None:
        return ()
    names: list[str] = []
    size = 0
    following: str | None = kept(response_id)
    for name, previous, length in await session.rows(CHAIN, following, now, TURNS_MAX + 1):
        if name != following:
            break  # the one between has expired
        following = previous
        size += length
        names.append(name)
        if len(names) > TURNS_MAX or size > OBJECT_BYTES_MAX:
            raise TurnsTooLong
    return tuple([Turn(**_told(row)) for name in names for row in await session.named(FIND_TURN, name)])


def _told(row: dict[str, Any]) -> dict[str, Any]:
    columns = told_columns(row)
    for name in ("input_items", "body"):
        columns[name] = msgspec.Raw(columns[name])
    return columns


async def _hold(session: Session, record: ResponseRecord) -> None:
    """Conversations are held before responses, so that no two wait for one another."""
    if record.conversation_id is not None:
        await session.text(HOLD_CONVERSATION, kept(record.conversation_id))


async def _add_events(session: Session, response_id: str, first: int, events: Sequence[bytes]) -> None:
    if events:
        await session.execute(ADD_EVENTS, kept(response_id), first, b"".join(events))


async def _add(session: Session, record: ResponseRecord, added: Sequence[KeptItem]) -> None:
    if record.conversation_id is not None:
        await append_items(session, record.conversation_id, added, record.expires_at)


async def _name(session: Session, record: ResponseRecord, named: Sequence[str]) -> None:
    if named:
        await session.execute(NAME_ITEMS, kept(record.id), kept(record.owner), [kept(name) for name in named])


def _columns(record: ResponseRecord) -> dict[str, object]:
    columns = msgspec.structs.asdict(record)
    for name in ("input_items", "body"):
        columns[name] = bytes(columns[name])
    order = (
        "id", "owner", "model", "status", "created_at", "expires_at", "previous_response_id", "conversation_id",
        "worker", "input_items", "body", "upstream", "upstream_id",
    )  # fmt: skip
    return kept_columns({name: columns[name] for name in order})
