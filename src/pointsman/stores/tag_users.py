"""How many different users a tag had within a span of days; see the migrations ``tag_users`` for how that is counted."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import msgspec

__all__ = ["TagUsers", "TagUsersFound", "TagUsersQuery"]


class TagUsersQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which tags, and which days, both included. ``containing`` need only occur, upper or lower ASCII case."""

    first_day: date
    last_day: date
    tags: tuple[str, ...] | None = None
    containing: str | None = None
    limit: int = 10_000


class TagUsers(NamedTuple):
    """A tag, and how many users it had."""

    tag: str
    users: int


class TagUsersFound(NamedTuple):
    """The tags that had users, those with the most first.

    ``is_whole`` is false as long as calls from before there was this count are yet to be counted in.
    """

    tags: tuple[TagUsers, ...]
    is_whole: bool = True
