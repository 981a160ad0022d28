"""How many users tags had, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pointsman.stores.activity import day_number
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.tag_user_statements import (
    END_FILLING,
    FILLED_TO,
    FILLING,
    LET_USERS_GO,
    MEET_USERS,
    NOTE_FILLED,
    TAG_USERS,
    TO_BE_FILLED,
    UNCOUNT_USERS,
    USERS_OF_TAGS,
)
from pointsman.stores.postgres.text import indexed, kept, told
from pointsman.stores.tag_users import SUMS_MAX, TagQuery, TagUser, TagUserPage, TagUsers, TagUsersFound

__all__ = ["fill_tag_users", "let_users_go", "read_tag_users", "read_users_of_tags"]


async def read_tag_users(session: Session, query: TagQuery) -> TagUsersFound:
    """How many users the tags had."""
    rows = await session.rows(TAG_USERS, *_values(query), query.limit)
    found = tuple(TagUsers(told(tag), users) for tag, users in rows)
    return TagUsersFound(found, await _is_filled(session, query))


async def read_users_of_tags(session: Session, query: TagQuery) -> TagUserPage:
    """What users did under the tags."""
    found = await session.rows(USERS_OF_TAGS, *_values(query), query.limit, query.offset, SUMS_MAX)
    if not found:
        first = msgspec.structs.replace(query, offset=0, limit=1)
        return (await read_users_of_tags(session, first))._replace(users=()) if query.offset else TagUserPage((), 0)
    total, looked_at = found[0][-2:]
    is_whole = looked_at <= SUMS_MAX and await _is_filled(session, query)
    users = [
        TagUser(told(user_id), None if agent is None else told(agent), *sums) for user_id, agent, *sums, _, _ in found
    ]
    return TagUserPage(tuple(users), total, is_whole)


def _values(query: TagQuery) -> tuple[Any, ...]:
    return (
        day_number(query.first_day),
        day_number(query.last_day),
        None if query.tags is None else [indexed(tag) for tag in query.tags],
        None if query.containing is None else kept(query.containing),
    )


async def _is_filled(session: Session, query: TagQuery) -> bool:
    filled_to = await session.whole(FILLED_TO)
    return filled_to is None or filled_to < day_number(query.first_day)


async def let_users_go(session: Session, day: int, gone: Sequence[tuple[str, int]]) -> None:
    """Have the users count no more under tags of a day whose sums, by tag as it is written and line, are ``gone``."""
    found = await session.rows(LET_USERS_GO, day, [tag for tag, _ in gone], [line for _, line in gone])
    if found:
        await session.execute(UNCOUNT_USERS, day, [tag for tag, _ in found], [user_id for _, user_id in found])


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
