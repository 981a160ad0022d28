"""Virtual keys in SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Final

import apsw
import msgspec

from pointsman.core.identity import KeyRecord
from pointsman.stores.ports import Conflict, KeyChange, KeyOwner, KeyPage, KeyQuery, KeyRenewal, Removal
from pointsman.stores.records import (
    alias_taken,
    changed_record,
    demand_keepable,
    no_such_key,
    succeeding_record,
    token_taken,
)
from pointsman.stores.sqlite.database import SqliteDatabase
from pointsman.stores.sqlite.key_list_statements import (
    ALIASES_WITH,
    COUNT_KEYS,
    COUNT_KEYS_OF,
    LATEST_KEYS,
    LIST_KEYS,
    SPENDING_KEYS,
    TOKENS_WITH_USER,
    Way,
)
from pointsman.stores.sqlite.statements import ARCHIVE_KEY, INSERT_KEY, UPDATE_KEY
from pointsman.stores.sqlite.stillness import Mark
from pointsman.stores.sqlite.transaction import rows

__all__ = ["SqliteKeyStore"]

_CHANGES_MAX: Final = 10_000
_FOUND_MAX: Final = 5_000
"""Keys that are fetched one by one; where more match it is quicker to read the table."""
_ORDERED: Final[dict[tuple[Way, str, str], str]] = {
    ("all", "created_at", "desc"): LATEST_KEYS,
    ("all", "spend", "desc"): SPENDING_KEYS,
}
_JSON_COLUMNS: Final = ("models", "aliases", "metadata", "tags", "extra")


class SqliteKeyStore:
    """Keeps :class:`pointsman.stores.ports.KeyStore`'s promises in a SQLite file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._no_news: tuple[int, Mark | None] | None = None
        self._none_due: tuple[float, Mark | None] = -inf, None

    async def get(self, token: str) -> KeyRecord | None:
        """See the port."""
        return await self._database.read(lambda connection: _live(connection, token))

    async def insert(self, record: KeyRecord) -> None:
        """See the port."""
        demand_keepable(record)
        await self._database.write(lambda connection: _insert(connection, record), durable=True)

    async def update(self, token: str, changes: KeyChange) -> KeyRecord:
        """See the port."""
        return await self._database.write(lambda connection: _update(connection, token, changes), durable=True)

    async def rotate(self, old_token: str, renewed: KeyRenewal) -> KeyRecord:
        """See the port."""
        return await self._database.write(lambda connection: _rotate(connection, old_token, renewed), durable=True)

    async def delete(self, tokens: Sequence[str], at: float, by: str | None = None) -> tuple[str, ...]:
        """See the port."""
        wanted = tuple(dict.fromkeys(tokens))
        removal = Removal(at, by)
        return await self._database.write(
            lambda connection: tuple(token for token in wanted if _remove(connection, token, removal)), durable=True
        )

    async def find(self, query: KeyQuery) -> KeyPage:
        """See the port."""
        return await self._database.read(lambda connection: _find(connection, query), aside=True)

    async def count_of(self, whose: KeyOwner, identities: Sequence[str]) -> Mapping[str, int]:
        """See the port."""
        wanted = msgspec.json.encode(identities).decode()
        return await self._database.read(
            lambda connection: {
                str(identity): int(count) for identity, count in connection.execute(COUNT_KEYS_OF[whose], (wanted,))
            },
            aside=True,
        )

    async def changed_since(self, version: int) -> tuple[int, tuple[str, ...]]:
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

    async def reset_budget(
        self, token: str, now: float, next_reset_at: float | None, at_most: int | None = None
    ) -> KeyRecord | None:
        """See the port."""
        return await self._database.write(
            lambda connection: _reset_budget(connection, token, now, next_reset_at, at_most), durable=True
        )

    async def budgets_due(self, now: float, limit: int = 1000) -> tuple[KeyRecord, ...]:
        """See the port."""
        mark = self._database.mark()
        until, since = self._none_due
        if mark is not None and mark == since and now < until:
            return ()
        found, next_at = await self._database.read(lambda connection: _budgets_due(connection, now, limit))
        self._none_due = (-inf if found else next_at), mark
        return found


def _live(connection: apsw.Connection, token: str) -> KeyRecord | None:
    cursor = connection.execute("SELECT * FROM keys WHERE token = ?", (token,))
    return next((_record(row) for row in rows(cursor)), None)


def _insert(connection: apsw.Connection, record: KeyRecord) -> None:
    try:
        connection.execute(INSERT_KEY, _columns(record))
    except apsw.ConstraintError as error:
        raise _conflict(error, record) from error
    _note_change(connection, record.token)


def _update(connection: apsw.Connection, token: str, changes: KeyChange) -> KeyRecord:
    stored = _live(connection, token)
    if stored is None:
        raise no_such_key()
    record = changed_record(stored, changes)
    demand_keepable(record)
    try:
        connection.execute(UPDATE_KEY, _columns(record))
    except apsw.ConstraintError as error:
        raise _conflict(error, record) from error
    _note_change(connection, token)
    return record


def _rotate(connection: apsw.Connection, old_token: str, renewed: KeyRenewal) -> KeyRecord:
    old = _live(connection, old_token)
    if old is None:
        raise no_such_key()
    record = succeeding_record(old, renewed)
    demand_keepable(record)
    if record.token == old_token:
        raise token_taken()
    _remove(connection, old_token, Removal(record.updated_at, record.created_by, record.token))
    _insert(connection, record)
    return record


def _remove(connection: apsw.Connection, token: str, removal: Removal) -> bool:
    values = {"token": token, "at": removal.at, "by": removal.by, "replaced_by": removal.replaced_by}
    connection.execute(ARCHIVE_KEY, values)
    connection.execute("DELETE FROM keys WHERE token = ?", (token,))
    if not connection.changes():
        return False
    _note_change(connection, token)
    return True


def _find(connection: apsw.Connection, query: KeyQuery) -> KeyPage:
    deleted = query.status == "deleted"
    start = (max(query.page, 1) - 1) * query.size
    values = {
        "deleted": deleted,
        "user_id": query.user_id,
        "team_id": query.team_id,
        "key_alias": query.key_alias,
        "substring": query.substring,
        "key_hash": query.key_hash,
        "also_teams": msgspec.json.encode(query.also_teams).decode(),
        "search": query.search,
        "blocked": query.blocked,
        "expires": query.expires,
        "now": query.now,
        "organization_id": query.organization_id,
        "organization_teams": msgspec.json.encode(query.organization_teams).decode(),
        "project_id": query.project_id,
        "agent_id": query.agent_id,
        "access_group_id": query.access_group_id,
        "sort_by": query.sort_by,
        "falling": query.sort_order == "desc",
        "size": query.size,
        "start": start,
        "found": None,
    }
    way = _way(query)
    if way == "scan" and not query.is_searching:
        way, values["found"] = _searched(connection, query)
    total = connection.execute(COUNT_KEYS[way], values).get if query.counted else 0
    if query.counted and total <= start:
        return KeyPage((), total)
    found = list(rows(connection.execute(_ORDERED.get((way, query.sort_by, query.sort_order), LIST_KEYS[way]), values)))
    removals = tuple(Removal(row["deleted_at"], row["deleted_by"], row["replaced_by"]) for row in found if deleted)
    return KeyPage(tuple(_record(row) for row in found), total, removals)


def _searched(connection: apsw.Connection, query: KeyQuery) -> tuple[Way, str | None]:
    """How to look for a text within names, and what an index has found of it already, as a JSON array."""
    by_alias = query.key_alias is not None
    statement, text = (ALIASES_WITH, query.key_alias) if by_alias else (TOKENS_WITH_USER, query.user_id)
    found: str = connection.execute(statement, (text, _FOUND_MAX + 1)).get
    if len(msgspec.json.decode(found, type=list[str])) > _FOUND_MAX:
        return "scan", None
    return ("aliases" if by_alias else "tokens"), found


def _way(query: KeyQuery) -> Way:
    """The filter that lets the fewest through."""
    if query.status == "deleted":
        return "deleted"
    if query.key_hash is not None:
        return "token"
    if query.key_alias is not None and not query.substring:
        return "alias"
    if query.user_id is not None and not query.substring and not query.also_teams:
        return "user"
    if query.team_id is not None:
        return "team"
    if query.is_searching:
        return "scan"
    return "all" if query.user_id is None and query.key_alias is None else "scan"


def _changed_since(connection: apsw.Connection, version: int) -> tuple[int, tuple[str, ...]]:
    changes: list[Any] = connection.execute(
        "SELECT version, token FROM key_changes WHERE version > ? ORDER BY version LIMIT ?", (version, _CHANGES_MAX)
    ).fetchall()
    return (changes[-1][0] if changes else version), tuple(token for _, token in changes)


def _version(connection: apsw.Connection) -> int:
    version: int = connection.execute("SELECT coalesce(max(version), 0) FROM key_changes").get
    return version


def _note_change(connection: apsw.Connection, token: str) -> None:
    # AUTOINCREMENT: the row's number rises even though the key's former row is replaced.
    connection.execute("INSERT OR REPLACE INTO key_changes (token) VALUES (?)", (token,))


def _reset_budget(
    connection: apsw.Connection, token: str, now: float, next_reset_at: float | None, at_most: int | None
) -> KeyRecord | None:
    connection.execute(
        "UPDATE keys SET spend = coalesce(max(spend - ?, 0), 0), budget_reset_at = ? "
        "WHERE token = ? AND budget_reset_at <= ?",
        (at_most, next_reset_at, token, now),
    )
    if not connection.changes():
        return None
    _note_change(connection, token)
    return _live(connection, token)


def _budgets_due(connection: apsw.Connection, now: float, limit: int) -> tuple[tuple[KeyRecord, ...], float]:
    """Those that are due, and when the first one is at all (infinity: never)."""
    cursor = connection.execute(
        "SELECT * FROM keys WHERE budget_reset_at <= ? ORDER BY budget_reset_at, token LIMIT ?", (now, limit)
    )
    found = tuple(_record(row) for row in rows(cursor))
    next_at = connection.execute("SELECT min(budget_reset_at) FROM keys WHERE budget_reset_at IS NOT NULL").get
    return found, inf if next_at is None else float(next_at)


def _conflict(error: apsw.ConstraintError, record: KeyRecord) -> Conflict:
    """What it means to an operator that ``record`` violates a constraint of the table of keys."""
    violated = getattr(error, "extendedresult", 0)
    if violated == apsw.SQLITE_CONSTRAINT_PRIMARYKEY:
        return token_taken()
    if violated == apsw.SQLITE_CONSTRAINT_UNIQUE:
        return alias_taken(record.key_alias)
    raise error


def _columns(record: KeyRecord) -> dict[str, Any]:
    columns = msgspec.structs.asdict(record)
    for name in _JSON_COLUMNS:
        columns[name] = msgspec.json.encode(columns[name]).decode()
    return columns


def _record(row: dict[str, Any]) -> KeyRecord:
    for name in ("models", "aliases", "tags"):
        row[name] = msgspec.json.decode(row[name])
    for name in ("metadata", "extra"):
        row[name] = msgspec.Raw(row[name].encode())
    row["blocked"] = bool(row["blocked"])
    return msgspec.convert(row, KeyRecord)
