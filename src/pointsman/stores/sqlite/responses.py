"""Stored responses in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import apsw
import msgspec

from pointsman.core.identity import Owner
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
from pointsman.stores.sqlite.conversations import append_items, sees
from pointsman.stores.sqlite.database import SqliteDatabase
from pointsman.stores.sqlite.response_statements import (
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
    IS_UNFINISHED,
    NAME_ITEM,
    NEXT_EXPIRY,
    PUT_RESPONSE,
    RESPONSES_WITH_ITEM,
    SEE_RESPONSE,
    STORED_BYTES,
    SWEEP_EVENTS,
)
from pointsman.stores.sqlite.transaction import rows

__all__ = ["SqliteResponseStore"]

_BATCHES_AT_ONCE: Final = 64
_SAME_NAME_MAX: Final = 100


class SqliteResponseStore:
    """Keeps :class:`pointsman.stores.response_ports.ResponseStore`'s promises in a SQLite file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def put(
        self, record: ResponseRecord, added: Sequence[KeptItem] = (), *, kept: bool = True, named: Sequence[str] = ()
    ) -> None:
        """See the port."""

        def job(connection: apsw.Connection) -> None:
            if kept:
                connection.execute(PUT_RESPONSE, _columns(record))
                _name(connection, record, named)
            _add(connection, record, added)

        await self._database.write(job)

    async def begin(self, record: ResponseRecord) -> None:
        """See the port."""
        await self._database.write(lambda connection: connection.execute(PUT_RESPONSE, _columns(record)))

    async def add_events(self, response_id: str, first: int, events: Sequence[bytes]) -> bool:
        """See the port."""

        def job(connection: apsw.Connection) -> bool:
            unfinished = connection.execute(IS_UNFINISHED, (response_id,)).get is not None
            if unfinished:
                _add_events(connection, response_id, first, events)
            return unfinished

        return await (self._database.write(job) if events else self._database.read(job))

    async def finish(
        self,
        record: ResponseRecord,
        first: int,
        events: Sequence[bytes],
        added: Sequence[KeptItem] = (),
        named: Sequence[str] = (),
    ) -> bool:
        """See the port."""

        def job(connection: apsw.Connection) -> bool:
            connection.execute(FINISH_RESPONSE, _columns(record))
            if not connection.changes():
                return False
            _add_events(connection, record.id, first, events)
            _name(connection, record, named)
            _add(connection, record, added)
            return True

        return await self._database.write(job)

    async def get(self, response_id: str, owner: Owner, now: float) -> ResponseRecord | None:
        """See the port."""
        return await self._database.read(lambda connection: _find(connection, response_id, owner, now))

    async def with_item(self, item_id: str, owner: Owner, now: float) -> ResponseRecord | None:
        """See the port."""

        def job(connection: apsw.Connection) -> ResponseRecord | None:
            names: list[Any] = connection.execute(RESPONSES_WITH_ITEM, (item_id, _SAME_NAME_MAX)).fetchall()
            found = (_find(connection, name, owner, now) for (name,) in names)
            return next((record for record in found if record is not None), None)

        return await self._database.read(job)

    async def turns(self, response_id: str, owner: Owner, now: float) -> tuple[Turn, ...]:
        """See the port."""
        return await self._database.read(lambda connection: _turns(connection, response_id, owner, now))

    async def delete(self, response_id: str, owner: Owner, now: float) -> bool:
        """See the port."""

        def job(connection: apsw.Connection) -> bool:
            if _status(connection, response_id, owner, now) is None:
                return False
            connection.execute(DELETE_RESPONSE, (response_id,))
            return True

        return await self._database.write(job)

    async def cancel(self, response_id: str, owner: Owner, now: float) -> ResponseRecord | None:
        """See the port."""

        def job(connection: apsw.Connection) -> ResponseRecord | None:
            if _status(connection, response_id, owner, now) is not None:
                connection.execute(CANCEL_RESPONSE, (response_id,))
            return _find(connection, response_id, owner, now)

        return await self._database.write(job)

    async def events(
        self, response_id: str, owner: Owner, now: float, *, after: int, limit: int = 1000
    ) -> EventPage | None:
        """See the port."""

        def job(connection: apsw.Connection) -> EventPage | None:
            status = _status(connection, response_id, owner, now)
            if status is None:
                return None
            batches = [
                (int(first), bytes(events))
                for first, events in connection.execute(EVENTS_AFTER, (response_id, after, _BATCHES_AT_ONCE))
            ]
            return event_page(status, batches, after, limit, is_last=len(batches) < _BATCHES_AT_ONCE)

        return await self._database.read(job)

    async def fail_unfinished(self, worker: int, workers: int) -> int:
        """See the port."""

        def job(connection: apsw.Connection) -> int:
            connection.execute(FAIL_UNFINISHED, (worker, workers))
            return connection.changes()

        return await self._database.write(job)

    async def sweep(self, now: float, limit: int = 50, *, bytes_max: int = STORED_BYTES_MAX) -> int:
        """See the port."""

        def job(connection: apsw.Connection) -> int:
            until = now
            if connection.execute(STORED_BYTES).get > bytes_max:
                until = max(now, connection.execute(NEXT_EXPIRY, {"limit": limit}).get or now)
            connection.execute(SWEEP_EVENTS, {"before": now - STREAM_SECONDS, "limit": limit})
            removed = connection.changes()
            for statement in EXPIRED:
                connection.execute(statement, (until, limit))
                removed += connection.changes()
            return removed

        return await self._database.write(job)


def _status(connection: apsw.Connection, response_id: str, owner: Owner, now: float) -> ResponseStatus | None:
    """The status of a response that is there for ``owner``."""
    found: list[Any] = connection.execute(SEE_RESPONSE, (response_id, now)).fetchall()
    return next((status for holder, status in found if sees(connection, owner, holder)), None)


def _find(connection: apsw.Connection, response_id: str, owner: Owner, now: float) -> ResponseRecord | None:
    if _status(connection, response_id, owner, now) is None:
        return None
    return next((_record(row) for row in rows(connection.execute(FIND_RESPONSE, (response_id,)))), None)


def _turns(connection: apsw.Connection, response_id: str, owner: Owner, now: float) -> tuple[Turn, ...]:
    if _status(connection, response_id, owner, now) is None:
        return ()
    names: list[str] = []
    size = 0
    following: str | None = response_id
    links: list[Any] = connection.execute(CHAIN, (response_id, now, TURNS_MAX + 1)).fetchall()
    for name, previous, length in links:
        if name != following:
            break  # the one between has expired
        following = previous
        size += length
        names.append(name)
        if len(names) > TURNS_MAX or size > OBJECT_BYTES_MAX:
            raise TurnsTooLong
    return tuple(_turn(row) for name in names for row in rows(connection.execute(FIND_TURN, (name,))))


def _turn(row: dict[str, Any]) -> Turn:
    for name in ("input_items", "body"):
        row[name] = msgspec.Raw(row[name])
    return Turn(**row)


def _add_events(connection: apsw.Connection, response_id: str, first: int, events: Sequence[bytes]) -> None:
    if events:
        connection.execute(ADD_EVENTS, (response_id, first, b"".join(events)))


def _add(connection: apsw.Connection, record: ResponseRecord, added: Sequence[KeptItem]) -> None:
    if record.conversation_id is not None:
        append_items(connection, record.conversation_id, added, record.expires_at)


def _name(connection: apsw.Connection, record: ResponseRecord, named: Sequence[str]) -> None:
    columns = [{"item_id": name, "id": record.id, "owner": record.owner} for name in named]
    connection.executemany(NAME_ITEM, columns)


def _columns(record: ResponseRecord) -> dict[str, Any]:
    columns = msgspec.structs.asdict(record)
    for name in ("input_items", "body"):
        columns[name] = bytes(columns[name])
    return columns


def _record(row: dict[str, Any]) -> ResponseRecord:
    for name in ("input_items", "body"):
        row[name] = msgspec.Raw(row[name])
    return ResponseRecord(**row)
