"""Sums by day in memory; see :mod:`pointsman.stores.activity`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from pointsman.stores.activity import (
    EPOCH,
    ActivityQuery,
    ActivityRow,
    Cell,
    Counts,
    FailureGroup,
    FailureQuery,
    FailureRow,
    Line,
    day_number,
)
from pointsman.stores.tag_users import TagQuery, TagUser, TagUserPage, TagUsers, TagUsersFound

__all__ = ["activity_of", "failures_of", "tag_users_of", "users_of_tags"]


def activity_of(sums: Mapping[Cell, Counts], query: ActivityQuery) -> tuple[ActivityRow, ...]:
    """The sums that match."""
    found: dict[tuple[int, str, Line], Counts] = {}
    for cell, counts in sums.items():
        if _matches(query, cell):
            line = Line(*(getattr(cell.line, name) if name in query.by else "" for name in Line._fields))
            names = (
                cell.day if "day" in query.by else 0,
                cell.identity if "identity" in query.by else "",
                line,
            )
            found.setdefault(names, Counts()).add(counts)
    ordered = sorted(found)
    if query.order == "spend":
        ordered.sort(key=lambda names: -found[names].spend)
    return tuple(
        ActivityRow(EPOCH + timedelta(days=day), identity, line, found[(day, identity, line)])
        for day, identity, line in ordered[query.offset : query.offset + query.limit]
    )


def tag_users_of(sums: Iterable[Cell], query: TagQuery) -> TagUsersFound:
    """How many users each tag had."""
    users: dict[str, set[str]] = {}
    for cell in sums:
        if cell.line.user_id and _is_of_tags(query, cell):
            users.setdefault(cell.identity, set()).add(cell.line.user_id)
    counted = [TagUsers(tag, len(its)) for tag, its in users.items()]
    counted.sort(key=lambda one: (-one.users, one.tag))
    return TagUsersFound(tuple(counted[: query.limit]))


def users_of_tags(sums: Mapping[Cell, Counts], query: TagQuery) -> TagUserPage:
    """What each user did under the tags."""
    counts: dict[str, Counts] = {}
    agents: dict[str, set[str]] = {}
    for cell, its in sums.items():
        user_id = cell.line.user_id
        if user_id and _is_of_tags(query, cell):
            counts.setdefault(user_id, Counts()).add(its)
            if cell.identity.lower().startswith("user-agent:"):
                agents.setdefault(user_id, set()).add(cell.identity)
    ordered = sorted(counts, key=lambda user_id: (-counts[user_id].successes, user_id))
    shown = [
        TagUser(
            user_id=user_id,
            agent=min(agents.get(user_id, ()), default=None),
            calls=counts[user_id].calls,
            failures=counts[user_id].failures,
            tokens=counts[user_id].total_tokens,
            spend=counts[user_id].spend,
        )
        for user_id in ordered[query.offset : query.offset + query.limit]
    ]
    return TagUserPage(tuple(shown), len(ordered))


def failures_of(failures: Mapping[FailureGroup, int], query: FailureQuery) -> tuple[FailureRow, ...]:
    """How many calls failed in one way."""
    first, last = day_number(query.first_day), day_number(query.last_day)
    return tuple(
        FailureRow(EPOCH + timedelta(days=group.day), group.host, calls)
        for group, calls in sorted(failures.items())
        if first <= group.day <= last
        and (group.model_group, group.http_status) == (query.model_group, query.http_status)
    )


def _is_of_tags(query: TagQuery, cell: Cell) -> bool:
    return (
        cell.scope == "tag"
        and day_number(query.first_day) <= cell.day <= day_number(query.last_day)
        and (query.tags is None or cell.identity in query.tags)
        and (query.containing is None or query.containing.lower() in cell.identity.lower())
    )


def _matches(query: ActivityQuery, cell: Cell) -> bool:
    line = cell.line
    return (
        cell.scope == query.scope
        and day_number(query.first_day) <= cell.day <= day_number(query.last_day)
        and (query.identities is None or cell.identity in query.identities)
        and cell.identity not in query.but_not
        and (query.key_tokens is None or line.key_token in query.key_tokens)
        and query.user_id in {None, line.user_id}
        and query.model in {None, line.model, line.model_group}
        and _of_teams(query, line)
    )


def _of_teams(query: ActivityQuery, line: Line) -> bool:
    if query.team_ids is None and query.organization_id is None:
        return True
    return line.team_id in (query.team_ids or ()) or (
        query.organization_id is not None and line.organization_id == query.organization_id
    )
