"""How many users tags had, in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from pointsman.stores.activity import day_number
from pointsman.stores.sqlite.tag_user_statements import (
    END_FILLING,
    FILLED_TO,
    LET_USERS_GO,
    MEET_USERS,
    NOTE_FILLED,
    TAG_USERS,
    TO_BE_FILLED,
    UNCOUNT_USER,
    USERS_OF_TAGS,
)
from pointsman.stores.tag_users import SUMS_MAX, TagQuery, TagUser, TagUserPage, TagUsers, TagUsersFound

__all__ = ["fill_tag_users", "let_users_go", "read_tag_users", "read_users_of_tags"]


def read_tag_users(connection: apsw.Connection, query: TagQuery) -> TagUsersFound:
    """How many users the tags had."""
    found = tuple(TagUsers(*row) for row in connection.execute(TAG_USERS, _values(query)))
    return TagUsersFound(found, _is_filled(connection, query))


def read_users_of_tags(connection: apsw.Connection, query: TagQuery) -> TagUserPage:
    """What users did under the tags."""
    found: list[tuple[Any, ...]] = connection.execute(USERS_OF_TAGS, _values(query)).fetchall()
    if not found:
        first = msgspec.structs.replace(query, offset=0, limit=1)
        return read_users_of_tags(connection, first)._replace(users=()) if query.offset else TagUserPage((), 0)
    total, looked_at = found[0][-2:]
    is_whole = looked_at <= SUMS_MAX and _is_filled(connection, query)
    return TagUserPage(tuple(TagUser(*row[:-2]) for row in found), total, is_whole)


def _values(query: TagQuery) -> dict[str, Any]:
    return {
        "first_day": day_number(query.first_day),
        "last_day": day_number(query.last_day),
        "tags": None if query.tags is None else msgspec.json.encode(query.tags).decode(),
        "containing": query.containing,
        "limit": query.limit,
        "offset": query.offset,
        "sums_max": SUMS_MAX,
    }


def _is_filled(connection: apsw.Connection, query: TagQuery) -> bool:
    filled_to = connection.execute(FILLED_TO).get
    return filled_to is None or int(filled_to) < day_number(query.first_day)


def let_users_go(connection: apsw.Connection, day: int, gone: Sequence[tuple[str, int]]) -> None:
    """Have the users count no more under tags of a day whose sums, by tag and line, are ``gone``."""
    values = {"day": day, "gone": msgspec.json.encode(gone).decode()}
    found: list[tuple[Any, ...]] = connection.execute(LET_USERS_GO, values).fetchall()
    connection.executemany(UNCOUNT_USER, [{"day": day, "tag": tag, "user_id": user_id} for tag, user_id in found])


def fill_tag_users(connection: apsw.Connection, limit: int) -> int:
    """Count users of before in, the latest first, by up to so many sums; how many there were."""
    if connection.execute(FILLED_TO).get is None:
        return 0
    found = [
        (str(tag), str(user_id), int(day), int(line))
        for tag, user_id, day, line in connection.execute(TO_BE_FILLED, (limit,))
    ]
    if not found:
        connection.execute(END_FILLING)
        return 0
    connection.executemany(MEET_USERS, [(tag, user_id, day) for tag, user_id, day, _ in found if user_id])
    tag, _, day, line = min(found, key=lambda row: (row[2], row[0].encode(), row[3]))
    connection.execute(NOTE_FILLED, (day, tag, line))
    return len(found)
