"""``/tag/dau`` and kin: how many users each tag (and so each user agent) has, and ``/team/spend/by_user``."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from pointsman.admin.keys.lookup import flushed
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.spend.days import Days, all_days, asked_days, last_days, today
from pointsman.admin.spend.sight import REPORT_SHORTENED, aliases_of, demand_all, sight_of, teams_seen
from pointsman.core.errors import Malformed
from pointsman.core.price import dollars
from pointsman.stores.activity import ActivityQuery, ActivityRow, Counts
from pointsman.stores.directory.kinds import TEAMS, USERS
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.tag_users import TagQuery, TagUser

__all__ = [
    "ActiveUsersReply",
    "ByUserQuery",
    "DistinctTag",
    "DistinctTagsReply",
    "PerUser",
    "PerUserQuery",
    "PerUserReply",
    "TagActiveUsers",
    "TagSummary",
    "TagSummaryQuery",
    "TagSummaryReply",
    "TagUsersQuery",
    "TeamUserSpend",
    "TeamUserSpendReply",
    "daily_users",
    "distinct_tags",
    "monthly_users",
    "per_user",
    "tag_summary",
    "team_spend_by_user",
    "weekly_users",
]

_PERIODS: Final = 7
_TAGS_MAX: Final = 250
_ROWS_MAX: Final = 10_000
_AGENT: Final = "user-agent:"


class TagUsersQuery(msgspec.Struct, frozen=True, kw_only=True):
    """``tag_filters``: tags, separated by commas; ``tag_filter``: what need only occur in a tag."""

    tag_filter: str | None = None
    tag_filters: str | None = None


class TagSummaryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The same, within days (UTC), both included."""

    start_date: str | None = None
    end_date: str | None = None
    tag_filter: str | None = None
    tag_filters: str | None = None


class PerUserQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The same, page by page."""

    tag_filter: str | None = None
    tag_filters: str | None = None
    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 50


class ByUserQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Teams, separated by commas, and days (UTC), both included."""

    team_ids: str | None = None
    start_date: str | None = None
    end_date: str | None = None


class TagActiveUsers(msgspec.Struct, frozen=True):
    """How many users a tag had within a day, a week or a month."""

    tag: str
    active_users: int
    date: str
    period_start: str | None = None
    period_end: str | None = None


class ActiveUsersReply(msgspec.Struct, frozen=True):
    """Tags by period, the latest first."""

    results: list[TagActiveUsers]


class TagSummary(msgspec.Struct, frozen=True):
    """What a tag came to. Money is in USD."""

    tag: str
    unique_users: int
    total_requests: int
    successful_requests: int
    failed_requests: int
    total_tokens: int
    total_spend: float


class TagSummaryReply(msgspec.Struct, frozen=True):
    """Tags, the most used first."""

    results: list[TagSummary]


class DistinctTag(msgspec.Struct, frozen=True):
    """A tag."""

    tag: str


class DistinctTagsReply(msgspec.Struct, frozen=True):
    """At most 250 tags: user agents, and those without a colon."""

    results: list[DistinctTag]


class PerUser(msgspec.Struct, frozen=True, kw_only=True):
    """What a user did under the tags. Money is in USD."""

    user_id: str
    user_email: str | None = None
    user_agent: str | None = None
    successful_requests: int
    failed_requests: int
    total_requests: int
    total_tokens: int
    spend: float


class PerUserReply(msgspec.Struct, frozen=True):
    """Users of the last 30 days, the busiest first."""

    results: list[PerUser]
    total_count: int
    page: int
    page_size: int
    total_pages: int


class TeamUserSpend(msgspec.Struct, frozen=True, kw_only=True):
    """What a user did within a team. Money is in USD."""

    team_id: str
    team_alias: str | None
    user_id: str
    user_email: str | None
    user_alias: str | None
    spend: float
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    api_requests: int
    successful_requests: int
    failed_requests: int


class TeamUserSpendReply(msgspec.Struct, frozen=True):
    """Users of teams, the dearest first."""

    start_date: str
    end_date: str
    results: list[TeamUserSpend]


async def distinct_tags(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """The tags that were used most: user agents, and those without a colon."""
    demand_all(await sight_of(office, visit.caller), "look at everybody's tags")
    await flushed(office)
    ever = all_days()
    query = ActivityQuery(first_day=ever.first, last_day=ever.last, scope="tag", by=("identity",), limit=_ROWS_MAX)
    rows = sorted(await office.ledger.activity(query), key=lambda row: -row.counts.calls)
    names = [row.identity for row in rows if ":" not in row.identity or row.identity.lower().startswith(_AGENT)]
    return Answer(DistinctTagsReply([DistinctTag(name) for name in names[:_TAGS_MAX]]))


async def daily_users(office: Office, visit: Visit[TagUsersQuery, Nothing]) -> Answer:
    """Users by tag for each of the last seven days."""
    return await _users(office, visit, 1, None)


async def weekly_users(office: Office, visit: Visit[TagUsersQuery, Nothing]) -> Answer:
    """Users by tag for each of the last seven weeks."""
    return await _users(office, visit, 7, "Week")


async def monthly_users(office: Office, visit: Visit[TagUsersQuery, Nothing]) -> Answer:
    """Users by tag for each of the last seven times 30 days."""
    return await _users(office, visit, 30, "Month")


async def tag_summary(office: Office, visit: Visit[TagSummaryQuery, Nothing]) -> Answer:
    """What each tag came to."""
    demand_all(await sight_of(office, visit.caller), "look at everybody's tags")
    days = asked_days(visit.query.start_date, visit.query.end_date)
    await flushed(office)
    part = _part(visit.query.tag_filters, visit.query.tag_filter)
    query = ActivityQuery(
        first_day=days.first,
        last_day=days.last,
        scope="tag",
        by=("identity",),
        identities=_tags(visit.query.tag_filters),
        order="spend",
        limit=_ROWS_MAX,
    )
    rows = [row for row in await office.ledger.activity(query) if (part or "").lower() in row.identity.lower()]
    counted = await office.ledger.tag_users(_users_query(days, visit.query.tag_filters, part))
    users = dict(counted.tags)
    found = [_summary(row.identity, users.get(row.identity, 0), row.counts) for row in rows]
    found.sort(key=lambda one: (-one.total_requests, one.tag))
    return Answer(TagSummaryReply(found), headers=() if counted.is_whole else (REPORT_SHORTENED,))


async def per_user(office: Office, visit: Visit[PerUserQuery, Nothing]) -> Answer:
    """What users did under the tags within 30 days."""
    demand_all(await sight_of(office, visit.caller), "look at everybody's tags")
    asked = visit.query
    days = last_days(office.clock.wall(), 30)
    await flushed(office)
    page = msgspec.structs.replace(
        _users_query(days, asked.tag_filters, _part(asked.tag_filters, asked.tag_filter)),
        limit=asked.page_size,
        offset=(asked.page - 1) * asked.page_size,
    )
    found = await office.ledger.users_of_tags(page)
    emails = await _emails(office, [one.user_id for one in found.users])
    rows = [_per_user(one, emails.get(one.user_id, (None, None))[0]) for one in found.users]
    pages = -(-found.total // asked.page_size)
    return Answer(
        PerUserReply(rows, found.total, asked.page, asked.page_size, pages),
        headers=() if found.is_whole else (REPORT_SHORTENED,),
    )


async def team_spend_by_user(office: Office, visit: Visit[ByUserQuery, Nothing]) -> Answer:
    """What users did within teams: all of them for those who administer the teams, only oneself for others."""
    asked = visit.query
    if not asked.team_ids:
        raise Malformed("Please provide team_ids", param="team_ids")
    days = asked_days(asked.start_date, asked.end_date)
    sight = await sight_of(office, visit.caller)
    teams = await teams_seen(office, sight, asked.team_ids)
    query = ActivityQuery(
        first_day=days.first, last_day=days.last, scope="line", team_ids=tuple(team.team_id for team in teams),
        by=("team_id", "user_id"), order="spend", limit=_ROWS_MAX,
    )  # fmt: skip
    if not sight.all and not all(sight.rights.administers_team(team) for team in teams):
        query = sight.within(query)
    await flushed(office)
    rows = await office.ledger.activity(query)
    names = await aliases_of(office, TEAMS, (team.team_id for team in teams))
    people = await _emails(office, [row.line.user_id for row in rows])
    found = [_team_user(row, names.get(row.line.team_id), *people.get(row.line.user_id, (None, None))) for row in rows]
    return Answer(TeamUserSpendReply(days.first.isoformat(), days.last.isoformat(), found))


async def _users(office: Office, visit: Visit[TagUsersQuery, Nothing], length: int, name: str | None) -> Answer:
    demand_all(await sight_of(office, visit.caller), "look at everybody's tags")
    await flushed(office)
    asked = visit.query
    last = today(office.clock.wall())
    part = _part(asked.tag_filters, asked.tag_filter)
    found: list[TagActiveUsers] = []
    whole = True
    for number in range(_PERIODS):
        period = _period(last, length, number)
        counted = await office.ledger.tag_users(_users_query(period, asked.tag_filters, part))
        told = None if name is None else f"{name} {_PERIODS - number}"
        found += [_active(one.tag, one.users, period, told) for one in counted.tags]
        whole = whole and counted.is_whole
    return Answer(ActiveUsersReply(found), headers=() if whole else (REPORT_SHORTENED,))


def _users_query(days: Days, tags: str | None, part: str | None) -> TagQuery:
    return TagQuery(first_day=days.first, last_day=days.last, tags=_tags(tags), containing=part)


def _period(last: date, length: int, number: int) -> Days:
    end = last - timedelta(days=length * number)
    return Days(end - timedelta(days=length - 1), end)


def _active(tag: str, users: int, period: Days, name: str | None) -> TagActiveUsers:
    if name is None:
        return TagActiveUsers(tag, users, period.first.isoformat())
    first, last = period.first, period.last
    return TagActiveUsers(tag, users, f"{name} ({first:%b} {first.day})", first.isoformat(), last.isoformat())


def _tags(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(one for one in text.split(",") if one)


def _part(tags: str | None, part: str | None) -> str | None:
    """What need only occur in a tag; of no effect beside whole tags, as in LiteLLM."""
    return part if tags is None else None


async def _emails(office: Office, users: list[str]) -> dict[str, tuple[str | None, str | None]]:
    wanted = tuple(dict.fromkeys(filter(None, users)))
    if not wanted:
        return {}
    page = await office.directory.find(USERS, DirectoryQuery(ids=wanted, size=len(wanted)))
    return {user.user_id: (user.email, user.alias) for user in page.records}


def _summary(tag: str, users: int, counts: Counts) -> TagSummary:
    return TagSummary(
        tag, users, counts.calls, counts.successes, counts.failures, counts.total_tokens, dollars(counts.spend)
    )


def _per_user(one: TagUser, email: str | None) -> PerUser:
    return PerUser(
        user_id=one.user_id,
        user_email=email,
        user_agent=one.agent,
        successful_requests=one.calls - one.failures,
        failed_requests=one.failures,
        total_requests=one.calls,
        total_tokens=one.tokens,
        spend=dollars(one.spend),
    )


def _team_user(row: ActivityRow, team: str | None, email: str | None, alias: str | None) -> TeamUserSpend:
    counts = row.counts
    return TeamUserSpend(
        team_id=row.line.team_id,
        team_alias=team,
        user_id=row.line.user_id,
        user_email=email,
        user_alias=alias,
        spend=dollars(counts.spend),
        prompt_tokens=counts.prompt_tokens,
        completion_tokens=counts.completion_tokens,
        total_tokens=counts.total_tokens,
        api_requests=counts.calls,
        successful_requests=counts.successes,
        failed_requests=counts.failures,
    )
