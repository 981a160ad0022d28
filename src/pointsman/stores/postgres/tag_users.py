"""How many users tags had, in PostgreSQL."""

from __future__ import annotations

from pointsman.stores.activity import day_number
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.tag_user_statements import (
    END_FILLING,
    FILLED_TO,
    FILLING,
    MEET_USERS,
    NOTE_FILLED,
    TAG_USERS,
    TO_BE_FILLED,
)
from pointsman.stores.postgres.text import indexed, kept, told
from pointsman.stores.tag_users import TagUsers, TagUsersFound, TagUsersQuery

__all__ = ["fill_tag_users", "read_tag_users"]


async def read_tag_users(session: Session, query: TagUsersQuery) -> TagUsersFound:
    """How many users the tags had."""
    first_day = day_number(query.first_day)
    tags = None if query.tags is None else [indexed(tag) for tag in query.tags]
    part = None if query.containing is None else kept(query.containing)
    rows = await session.rows(TAG_USERS, first_day, day_number(query.last_day), tags, part, query.limit)
    filled_to = await session.whole(FILLED_TO)
    found = tuple(TagUsers(told(tag), users) for tag, users in rows)
    return TagUsersFound(found, filled_to is None or filled_to < first_day)


async def fill_tag_users(session: Session, limit: int) -> int:
    """Count users of before in, the latest first, by up to so many sums; how many there were.

    To be called while no other replica adds up.
    """
    place = await session.rows(FILLING)
    if not place:
        return 0
    found = await session.rows(TO_BE_FILLED, *place[0], limit)
    if not found:
        await session.execute(END_FILLING)
        return 0
    met = [(tag, user_id, day) for tag, user_id, day, _ in found if user_id]
    if met:
        await session.execute(MEET_USERS, *[list(column) for column in zip(*met, strict=True)])
    tag, _, day, line = found[-1]
    await session.execute(NOTE_FILLED, day, tag, line)
    return len(found)
