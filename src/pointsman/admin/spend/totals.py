"""``/global/spend/…``, ``/spend/users`` and ``/spend/tags``: who and what cost how much, in LiteLLM's words.

LiteLLM's reports without dates are about the last 30 days; so are these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from pointsman.admin.amounts import usd
from pointsman.admin.keys.lookup import flushed, token_meant
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.spend.days import Days, all_days, asked_days, last_days
from pointsman.admin.spend.sight import Sight, aliases_of, demand_all, seen_keys, sight_of
from pointsman.admin.timestamps import read_moment
from pointsman.core.price import dollars
from pointsman.stores.activity import EPOCH, ActivityQuery, ActivityRow, Scope
from pointsman.stores.directory.kinds import TEAMS, USERS
from pointsman.stores.directory.ports import DirectoryQuery, Meter
from pointsman.stores.directory.records import User

__all__ = [
    "AllEndUsersReply",
    "AllTagNamesReply",
    "DayTotal",
    "EndUserTotal",
    "EndUsersRequest",
    "GlobalLogsQuery",
    "ModelTotal",
    "NamedTagTotal",
    "ProviderTotal",
    "ReportDaysQuery",
    "TagTotal",
    "TagTotalsReply",
    "TeamTotal",
    "TeamTotalsReply",
    "TopQuery",
    "UserSpendQuery",
    "UserSpendRow",
    "all_end_users",
    "all_tag_names",
    "global_end_users",
    "global_logs",
    "global_models",
    "global_providers",
    "global_tags",
    "global_teams",
    "refresh_spend",
    "spend_tags",
    "spend_users",
]

_DAYS: Final = 30
_NAMES_MAX: Final = 10_000
_TEAMS_MAX: Final = 100
_END_USERS_MAX: Final = 100
_UNASSIGNED: Final = "Unassigned"
_OTHERS: Final = "(other teams)"


class GlobalLogsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A key or its hash; without it everything that is seen."""

    api_key: str | None = None


class TopQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How many to give, the greatest first."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 10


class ReportDaysQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which days (UTC), both included; ``tags`` are separated by commas."""

    start_date: str | None = None
    end_date: str | None = None
    tags: str | None = None


class UserSpendQuery(msgspec.Struct, frozen=True, kw_only=True):
    """One user; without it those who spent most among the first 1000."""

    user_id: str | None = None


class EndUsersRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which days, and whose calls: a key or its hash."""

    api_key: str | None = None
    startTime: str | None = None  # noqa: N815 - LiteLLM's name
    endTime: str | None = None  # noqa: N815 - LiteLLM's name


class DayTotal(msgspec.Struct, frozen=True):
    """What a day cost, in USD."""

    date: str
    spend: float


class ModelTotal(msgspec.Struct, frozen=True):
    """What a model cost, in USD, and its tokens."""

    model: str
    total_spend: float
    total_tokens: int


class ProviderTotal(msgspec.Struct, frozen=True):
    """What a provider cost, in USD."""

    provider: str
    spend: float


class TeamTotal(msgspec.Struct, frozen=True):
    """What a team cost, in USD; as in LiteLLM, ``team_id`` is its name."""

    team_id: str
    total_spend: float


class TeamTotalsReply(msgspec.Struct, frozen=True):
    """By day, each with its teams as fields; the names of all teams; and the teams that cost most."""

    daily_spend: list[dict[str, float | str]]
    teams: list[str]
    total_spend_per_team: list[TeamTotal]


class TagTotal(msgspec.Struct, frozen=True):
    """How often a tag was used, and what for, in USD."""

    individual_request_tag: str
    log_count: int
    total_spend: float


class NamedTagTotal(msgspec.Struct, frozen=True):
    """The same, as LiteLLM's other route has it."""

    name: str
    spend: float
    log_count: int


class TagTotalsReply(msgspec.Struct, frozen=True):
    """Tags, the dearest first."""

    spend_per_tag: list[NamedTagTotal]


class AllTagNamesReply(msgspec.Struct, frozen=True):
    """Every tag that was ever used, as far as 10,000."""

    tag_names: list[str]


class AllEndUsersReply(msgspec.Struct, frozen=True):
    """Every customer that calls were made for, as far as 10,000."""

    end_users: list[str]


class EndUserTotal(msgspec.Struct, frozen=True):
    """What a customer cost, in USD."""

    end_user: str
    total_count: int
    total_spend: float


class UserSpendRow(msgspec.Struct, frozen=True, kw_only=True):
    """A user and what they spent, in USD."""

    user_id: str
    user_email: str | None
    user_alias: str | None
    user_role: str
    spend: float
    max_budget: float | None
    models: tuple[str, ...]


async def global_logs(office: Office, visit: Visit[GlobalLogsQuery, Nothing]) -> Answer:
    """What each of the last 30 days cost."""
    sight = await sight_of(office, visit.caller)
    sight, tokens = await seen_keys(office, sight, visit.query.api_key)
    recent = _recent(office)
    scope: Scope = "all" if tokens is None else "line"
    rows = await _read(
        office, sight, ActivityQuery(first_day=recent.first, last_day=recent.last, scope=scope, key_tokens=tokens)
    )
    return Answer([DayTotal(row.day.isoformat(), dollars(row.counts.spend)) for row in rows])


async def global_models(office: Office, visit: Visit[TopQuery, Nothing]) -> Answer:
    """The models that cost most within 30 days."""
    sight = await sight_of(office, visit.caller)
    recent = _recent(office)
    query = ActivityQuery(
        first_day=recent.first,
        last_day=recent.last,
        by=("model_group", "model"),
        order="spend",
        limit=visit.query.limit,
    )
    return Answer(
        [
            ModelTotal(row.line.model or row.line.model_group, dollars(row.counts.spend), row.counts.total_tokens)
            for row in await _read(office, sight, query)
        ]
    )


async def global_providers(office: Office, visit: Visit[ReportDaysQuery, Nothing]) -> Answer:
    """What each provider cost."""
    sight = await sight_of(office, visit.caller)
    days = asked_days(visit.query.start_date, visit.query.end_date)
    rows = await _read(
        office, sight, ActivityQuery(first_day=days.first, last_day=days.last, by=("provider",), order="spend")
    )
    return Answer([ProviderTotal(row.line.provider, dollars(row.counts.spend)) for row in rows if row.line.provider])


async def global_teams(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """What teams cost by day within 30 days: the 100 that cost most by name, the rest together."""
    sight = await sight_of(office, visit.caller)
    demand_all(sight, "look at the spending of every team")
    await flushed(office)
    days = _recent(office)
    ranked = await office.ledger.ranked("team", days.first, days.last, _TEAMS_MAX)
    names = {one.identity: one.identity for one in ranked} | await aliases_of(
        office, TEAMS, [one.identity for one in ranked]
    )
    names[""] = _UNASSIGNED
    of_teams = await office.ledger.activity(
        ActivityQuery(
            first_day=days.first,
            last_day=days.last,
            scope="team",
            by=("day", "identity"),
            identities=tuple(one.identity for one in ranked),
        )
    )
    spent: dict[str, dict[str, int]] = {
        row.day.isoformat(): {_OTHERS: row.counts.spend}
        for row in await office.ledger.activity(ActivityQuery(first_day=days.first, last_day=days.last))
    }
    for row in of_teams:
        of_day = spent[row.day.isoformat()]
        of_day[names[row.identity]] = of_day.get(names[row.identity], 0) + row.counts.spend
        of_day[_OTHERS] -= row.counts.spend
    totals = [TeamTotal(names[one.identity], dollars(one.spend)) for one in ranked]
    return Answer(
        TeamTotalsReply(
            [{"date": day, **_dollars(of_day)} for day, of_day in spent.items()],
            list(dict.fromkeys(total.team_id for total in totals)),
            totals[:10],
        )
    )


async def spend_tags(office: Office, visit: Visit[ReportDaysQuery, Nothing]) -> Answer:
    """What each tag cost."""
    return Answer(
        [TagTotal(name, calls, spend) for name, calls, spend in await _tags(office, visit, otherwise=all_days())]
    )


async def global_tags(office: Office, visit: Visit[ReportDaysQuery, Nothing]) -> Answer:
    """What each tag cost, or those that are named."""
    found = await _tags(office, visit, otherwise=None)
    return Answer(TagTotalsReply([NamedTagTotal(name, spend, calls) for name, calls, spend in found]))


async def all_tag_names(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Every tag that was ever used."""
    return Answer(AllTagNamesReply(await _names(office, visit, "tag")))


async def all_end_users(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Every customer that calls were made for."""
    return Answer(AllEndUsersReply(await _names(office, visit, "customer")))


async def global_end_users(office: Office, visit: Visit[Nothing, EndUsersRequest]) -> Answer:
    """The 100 customers that cost most."""
    sight = await sight_of(office, visit.caller)
    demand_all(sight, "look at the spending of every customer")
    asked = visit.body
    recent = _recent(office)
    first = recent.first if asked.startTime is None else read_moment(asked.startTime, "startTime")[0].date()
    last = recent.last if asked.endTime is None else read_moment(asked.endTime, "endTime")[0].date()
    tokens = None if asked.api_key is None else (token_meant(asked.api_key),)
    query = ActivityQuery(
        first_day=first, last_day=last, scope="customer", by=("identity",), key_tokens=tokens, order="spend",
        limit=_END_USERS_MAX,
    )  # fmt: skip
    return Answer(
        [
            EndUserTotal(row.identity, row.counts.calls, dollars(row.counts.spend))
            for row in await _read(office, sight, query)
        ]
    )


async def refresh_spend(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """Bring what is spooled to the ledger; sums are always up to date, so there is nothing else to refresh."""
    await flushed(office)
    return Answer({"message": "Spend is up to date", "status": "success"})


async def spend_users(office: Office, visit: Visit[UserSpendQuery, Nothing]) -> Answer:
    """What users spent in their present budget period, in all; a key of a team sees nothing of other teams."""
    sight = await sight_of(office, visit.caller)
    wanted = visit.query.user_id if sight.all else sight.user_id
    if not sight.all and (wanted is None or sight.team_id is not None):
        return Answer([])
    await flushed(office)
    page = await office.directory.find(USERS, DirectoryQuery(ids=None if wanted is None else (wanted,), size=1000))
    spent = await office.spend.spent([Meter("user", user.user_id) for user in page.records])
    rows = [
        _user_row(user, found.amount if (found := spent.get(Meter("user", user.user_id))) else 0)
        for user in page.records
    ]
    rows.sort(key=lambda row: (-row.spend, row.user_id))
    return Answer(rows)


def _user_row(user: User, spent: int) -> UserSpendRow:
    budget = user.limits.max_budget
    return UserSpendRow(
        user_id=user.user_id,
        user_email=user.email,
        user_alias=user.alias,
        user_role=user.role.value,
        spend=dollars(spent),
        max_budget=usd(budget),
        models=user.models,
    )


async def _tags(
    office: Office, visit: Visit[ReportDaysQuery, Nothing], *, otherwise: Days | None
) -> list[tuple[str, int, float]]:
    sight = await sight_of(office, visit.caller)
    days = asked_days(visit.query.start_date, visit.query.end_date, otherwise=otherwise)
    named = visit.query.tags
    tags = None if named is None or named == "all-tags" else tuple(one for one in named.split(",") if one)
    query = ActivityQuery(
        first_day=days.first,
        last_day=days.last,
        scope="tag",
        by=("identity",),
        identities=tags,
        order="spend",
        limit=_NAMES_MAX,
    )
    rows = await _read(office, sight, query)
    return [(row.identity, row.counts.calls, dollars(row.counts.spend)) for row in rows]


async def _names(office: Office, visit: Visit[Nothing, Nothing], scope: str) -> list[str]:
    sight = await sight_of(office, visit.caller)
    query = ActivityQuery(
        first_day=EPOCH,
        last_day=_recent(office).last,
        scope="tag" if scope == "tag" else "customer",
        by=("identity",),
        limit=_NAMES_MAX,
    )
    return [row.identity for row in await _read(office, sight, query)]


async def _read(office: Office, sight: Sight, query: ActivityQuery) -> tuple[ActivityRow, ...]:
    await flushed(office)
    return await office.ledger.activity(sight.within(query))


def _recent(office: Office) -> Days:
    return last_days(office.clock.wall(), _DAYS)


def _dollars(amounts: Mapping[str, int]) -> dict[str, float | str]:
    return {name: dollars(amount) for name, amount in amounts.items() if amount or name != _OTHERS}
