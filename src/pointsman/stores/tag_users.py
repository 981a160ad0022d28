"""How many different users a tag had within a span of days; the migrations ``tag_users`` say how that is counted."""

from __future__ import annotations

from datetime import date
from typing import Final, NamedTuple

import msgspec

__all__ = ["SUMS_MAX", "TagQuery", "TagUser", "TagUserPage", "TagUsers", "TagUsersFound"]

SUMS_MAX: Final = 100_000
"""Sums of a day, tag and line that are looked at, the latest first, to tell what users did."""


class TagQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which tags, and which days, both included. ``containing`` need only occur, upper or lower ASCII case."""

    first_day: date
    last_day: date
    tags: tuple[str, ...] | None = None
    containing: str | None = None
    limit: int = 10_000
    offset: int = 0


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


class TagUser(NamedTuple):
    """What a user did under the tags; ``agent`` is a tag that begins with "User-Agent:". Money is in picodollars."""

    user_id: str
    agent: str | None
    calls: int
    failures: int
    tokens: int
    spend: int


class TagUserPage(NamedTuple):
    """Users with most calls that succeeded first, and how many there are in all.

    ``is_whole`` is false if only the latest sums were looked at, or not all were counted yet.
    """

    users: tuple[TagUser, ...]
    total: int
    is_whole: bool = True
