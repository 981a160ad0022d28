"""How many users tags had, in SQLite."""

from __future__ import annotations

import apsw
import msgspec

from pointsman.stores.activity import day_number
from pointsman.stores.sqlite.tag_user_statements import (
    END_FILLING,
    FILLED_TO,
    MEET_USERS,
    NOTE_FILLED,
    TAG_USERS,
    TO_BE_FILLED,
)
from pointsman.stores.tag_users import TagUsers, TagUsersFound, TagUsersQuery

__all__ = ["fill_tag_users", "read_tag_users"]


def read_tag_users(connection: apsw.Connection, query: TagUsersQuery) -> TagUsersFound:
    """How many users the tags had."""
    first_day = day_number(query.first_day)
    values = {
        "first_day": first_day,
        "last_day": day_number(query.last_day),
        "tags": None if query.tags is None else msgspec.json.encode(query.tags).decode(),
        "containing": query.containing,
        "limit": query.limit,
    }
    found = tuple(TagUsers(*row) for row in connection.execute(TAG_USERS, values))
    filled_to = connection.execute(FILLED_TO).get
    return TagUsersFound(found, filled_to is None or int(filled_to) < first_day)


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
