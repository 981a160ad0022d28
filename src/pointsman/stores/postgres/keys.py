"""Virtual keys in PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import asyncpg
import msgspec

from pointsman.core.errors import Malformed
from pointsman.core.identity import KeyRecord
from pointsman.stores.ports import KeyChange, KeyOwner, KeyPage, KeyQuery, KeyRenewal, Removal
from pointsman.stores.postgres.database import PostgresDatabase
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.statements import (
    ALL_KEYS_IN_ORDER,
    ARCHIVE_KEY,
    BUDGETS_DUE,
    CHANGED_KEYS,
    COUNT_ALL_KEYS,
    COUNT_KEYS,
    COUNT_KEYS_OF,
    DELETE_KEY,
    INSERT_KEY,
    KEY,
    KEYS_VERSION,
    LATEST_KEYS,
    LATEST_OF_FEW_KEYS,
    LIST_KEYS,
    NOTE_KEYS,
    RESET_BUDGET,
    UPDATE_KEY,
)
from pointsman.stores.postgres.text import kept, kept_columns, told, told_columns
from pointsman.stores.records import (
    alias_taken,
    changed_record,
    demand_keepable,
    no_such_key,
    succeeding_record,
    token_taken,
)

__all__ = ["PostgresKeyStore"]

T = TypeVar("T")

_CHANGES_MAX: Final = 10_000
_FEW: Final = 1_000
"""Keys that are read and put in order; more are looked for in the order in which they are wanted."""
_JSON_COLUMNS: Final = ("models", "aliases", "metadata", "tags", "extra")


class PostgresKeyStore:
    """Keeps :class:`pointsman.stores.ports.KeyStore`'s promises in PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def get(self, token: str) -> KeyRecord | None:
        """See the port."""
        return await self._database.look(lambda session: _live(session, token), soon=True)

    async def insert(self, record: KeyRecord) -> None:
        """See the port."""
        demand_keepable(record)
        await self._write(lambda session: _insert(session, record))

    async def update(self, token: str, changes: KeyChange) -> KeyRecord:
        """See the port."""
        return await self._write(lambda session: _update(session, token, changes))

    async def rotate(self, old_token: str, renewed: KeyRenewal) -> KeyRecord:
        """See the port."""
        return await self._write(lambda session: _rotate(session, old_token, renewed))

    async def delete(self, tokens: Sequence[str], at: float, by: str | None = None) -> tuple[str, ...]:
        """See the port."""
        wanted = tuple(dict.fromkeys(tokens))

        async def job(session: Session) -> tuple[str, ...]:
            return tuple([token for token in wanted if await _remove(session, token, Removal(at, by))])

        return await self._write(job)

    async def find(self, query: KeyQuery) -> KeyPage:
        """See the port."""
        return await self._database.read(lambda session: _find(session, query))

    async def count_of(self, whose: KeyOwner, identities: Sequence[str]) -> Mapping[str, int]:
        """See the port."""
        wanted = [kept(identity) for identity in identities]
        rows = await self._database.look(lambda session: session.rows(COUNT_KEYS_OF[whose], wanted), aside=True)
        return {told(identity): count for identity, count in rows}

    async def changed_since(self, version: int) -> tuple[int, tuple[str, ...]]:
        """See the port."""
        changes = await self._database.look(
            lambda session: session.rows(CHANGED_KEYS, version, _CHANGES_MAX), soon=True
        )
        return (int(changes[-1][0]) if changes else version), tuple(str(token) for _, token in changes)

    async def version(self) -> int:
        """See the port."""
        return await self._database.look(lambda session: session.whole(KEYS_VERSION)) or 0

    async def reset_budget(
        self, token: str, now: float, next_reset_at: float | None, at_most: int | None = None
    ) -> KeyRecord | None:
        """See the port."""

        async def job(session: Session) -> KeyRecord | None:
            if not await session.execute(RESET_BUDGET, kept(token), next_reset_at, now, at_most):
                return None
            await session.execute(NOTE_KEYS, [kept(token)])
            return await _live(session, token)

        return await self._write(job)

    async def budgets_due(self, now: float, limit: int = 1000) -> tuple[KeyRecord, ...]:
        """See the port."""
        rows = await self._database.look(lambda session: session.named(BUDGETS_DUE, now, limit), soon=True)
        return tuple(map(_record, rows))

    async def _write(self, job: Callable[[Session], Awaitable[T]]) -> T:
        try:
            return await self._database.alone(job)
        except (asyncpg.DataError, asyncpg.ProgramLimitExceededError) as error:
            raise Malformed(f"The key cannot be kept ({error}).", hint="Choose shorter or other values.") from error


async def _live(session: Session, token: str) -> KeyRecord | None:
    return next((_record(row) for row in await session.named(KEY, kept(token))), None)


async def _insert(session: Session, record: KeyRecord) -> None:
    await _put(session, INSERT_KEY, record)


async def _update(session: Session, token: str, changes: KeyChange) -> KeyRecord:
    stored = await _live(session, token)
    if stored is None:
        raise no_such_key()
    record = changed_record(stored, changes)
    demand_keepable(record)
    await _put(session, UPDATE_KEY, record)
    return record


async def _put(session: Session, statement: str, record: KeyRecord) -> None:
    try:
        await session.execute(statement, *_columns(record).values())
    except asyncpg.UniqueViolationError as error:
        raise (token_taken() if error.constraint_name == "keys_pkey" else alias_taken(record.key_alias)) from error
    await session.execute(NOTE_KEYS, [kept(record.token)])


async def _rotate(session: Session, old_token: str, renewed: KeyRenewal) -> KeyRecord:
    old = await _live(session, old_token)
    if old is None:
        raise no_such_key()
    record = succeeding_record(old, renewed)
    demand_keepable(record)
    if record.token == old_token:
        raise token_taken()
    await _remove(session, old_token, Removal(record.updated_at, record.created_by, record.token))
    await _insert(session, record)
    return record


async def _remove(session: Session, token: str, removal: Removal) -> bool:
    by, successor = (None if text is None else kept(text) for text in (removal.by, removal.replaced_by))
    await session.execute(ARCHIVE_KEY, kept(token), removal.at, by, successor)
    if not await session.execute(DELETE_KEY, kept(token)):
        return False
    await session.execute(NOTE_KEYS, [kept(token)])
    return True


async def _find(session: Session, query: KeyQuery) -> KeyPage:
    deleted = query.status == "deleted"
    filters = (
        deleted,
        *(None if text is None else kept(text) for text in (query.user_id, query.team_id, query.key_alias)),
        query.substring,
        None if query.key_hash is None else kept(query.key_hash),
        *_found_by(query),
    )
    start = (max(query.page, 1) - 1) * query.size
    unfiltered = (query.user_id, query.team_id, query.key_alias, query.key_hash) == (None,) * 4 and not (
        deleted or query.is_searching
    )
    in_order = ALL_KEYS_IN_ORDER.get((query.sort_by, query.sort_order))
    if unfiltered and in_order is not None:
        rows = await session.named(in_order, query.size, start)
        total = await session.whole(COUNT_ALL_KEYS) if query.counted else None
        return KeyPage(tuple(map(_record, rows)), total or 0)
    total = await session.whole(COUNT_KEYS, *filters) if query.counted else None
    if total is not None and total <= start:
        return KeyPage((), total)
    if (query.sort_by, query.sort_order, deleted) == ("created_at", "desc", False):
        # Along the index of ages only where there are so many that the page is full soon.
        latest = LATEST_KEYS if total is None or total > _FEW else LATEST_OF_FEW_KEYS
        rows = await session.named(latest, *filters, query.size, start)
    else:
        order = (query.sort_by, query.sort_order == "desc", query.size, start)
        rows = await session.named(LIST_KEYS, *filters, *order)
    removals = tuple(Removal(row["deleted_at"], row["deleted_by"], row["replaced_by"]) for row in rows if deleted)
    return KeyPage(tuple(map(_record, rows)), total or 0, removals)


def _found_by(query: KeyQuery) -> tuple[object, ...]:
    """What has no index, in the order of the statements."""
    return (
        [kept(team_id) for team_id in query.also_teams],
        None if query.search is None else kept(query.search),
        query.blocked,
        query.expires,
        query.now,
        None if query.organization_id is None else kept(query.organization_id),
        [kept(team_id) for team_id in query.organization_teams],
        *(None if one is None else kept(one) for one in (query.project_id, query.agent_id, query.access_group_id)),
    )


def _columns(record: KeyRecord) -> dict[str, object]:
    columns = msgspec.structs.asdict(record)
    for name in _JSON_COLUMNS:
        columns[name] = msgspec.json.encode(columns[name]).decode()
    return kept_columns(columns)


def _record(row: dict[str, Any]) -> KeyRecord:
    row = told_columns(row)
    for name in ("models", "aliases", "tags"):
        row[name] = msgspec.json.decode(row[name])
    for name in ("metadata", "extra"):
        row[name] = msgspec.Raw(row[name].encode())
    return msgspec.convert(row, KeyRecord)
