"""``…/daily/activity``: what users, teams, organisations, projects, customers or tags did by day, in every way.

Source of the shape: ``SpendAnalyticsPaginatedResponse`` of LiteLLM 1.109.1. There a page is so many rows of its table,
and a day may be spread over several; here a page is so many days, whole. The aggregated form is one page of all days.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from pointsman.admin.keys.lookup import flushed
from pointsman.admin.office import Office
from pointsman.admin.rights import demand, oversees_team
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.spend.daily_answers import Page, Subject, daily_reply
from pointsman.admin.spend.days import Days, asked_days
from pointsman.admin.spend.sight import REPORT_SHORTENED, Sight, has_many_lines, seen_keys, sight_of, teams_seen
from pointsman.stores.activity import ActivityQuery
from pointsman.stores.directory.kinds import CUSTOMERS, ORGANIZATIONS, PROJECTS, TEAMS, USERS, Kind

__all__ = [
    "DailyQuery",
    "customer_daily",
    "customer_daily_aggregated",
    "organization_daily",
    "organization_daily_aggregated",
    "project_daily",
    "project_daily_aggregated",
    "tag_daily",
    "tag_daily_aggregated",
    "team_daily",
    "team_daily_aggregated",
    "user_daily",
    "user_daily_aggregated",
]


class DailyQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which days (UTC), both included, and whose; ids are separated by commas. A page is so many days.

    ``timezone``, in minutes, and ``include_current_utc_day`` are LiteLLM's and change nothing: days are those of UTC.
    """

    start_date: str | None = None
    end_date: str | None = None
    model: str | None = None
    api_key: str | None = None
    user_id: str | None = None
    team_ids: str | None = None
    exclude_team_ids: str | None = None
    organization_ids: str | None = None
    exclude_organization_ids: str | None = None
    project_ids: str | None = None
    exclude_project_ids: str | None = None
    end_user_ids: str | None = None
    exclude_end_user_ids: str | None = None
    tags: str | None = None
    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 50
    timezone: int | None = None
    include_current_utc_day: bool = False


_WHOLE: Final = Page(1, 100_000)
_Find = Callable[[Office, Visit[DailyQuery, Nothing], Sight, Days], Awaitable[Subject]]


async def user_daily(office: Office, visit: Visit[DailyQuery, Nothing]) -> Answer:
    """What a user did, by day; the operator sees everybody."""
    return await _answer(office, visit, _of_user, _page(visit))


async def user_daily_aggregated(office: Office, visit: Visit[DailyQuery, Nothing]) -> Answer:
    """The same, all days at once."""
    return await _answer(office, visit, _of_user, _WHOLE)


async def team_daily(office: Office, visit: Visit[DailyQuery, Nothing]) -> Answer:
    """What teams did, by day."""
    return await _answer(office, visit, _of_teams, _page(visit), "/team/daily/activity")


async def team_daily_aggregated(office: Office, visit: Visit[DailyQuery, Nothing]) -> Answer:
    """The same, all days at once."""
    return await _answer(office, visit, _of_teams, _WHOLE, "/team/daily/activity", "/team/daily/activity/aggregated")


async def project_daily(office: Office, visit: Visit[DailyQuery, Nothing]) -> Answer:
    """What was done for projects, by day."""
    return await _answer(office, visit, _of_projects, _page(visit))


async def project_daily_aggregated(office: Office, visit: Visit[DailyQuery, Nothing]) -> Answer:
    """The same, all days at once."""
    return await _answer(office, visit, _of_projects, _WHOLE)


async def organization_daily(office: Office, visit: Visit[DailyQuery, Nothing]) -> Answer:
    """What organisations did, by day."""
    return await _answer(office, visit, _of_organizations, _page(visit))


async def organization_daily_aggregated(office: Office, visit: Visit[DailyQuery, Nothing]) -> Answer:
    """The same, all days at once."""
    return await _answer(office, visit, _of_organizations, _WHOLE)


async def customer_daily(office: Office, visit: Visit[DailyQuery, Nothing]) -> Answer:
    """What was done for customers, by day."""
    return await _answer(office, visit, _of_customers, _page(visit))


async def customer_daily_aggregated(office: Office, visit: Visit[DailyQuery, Nothing]) -> Answer:
    """The same, all days at once."""
    return await _answer(office, visit, _of_customers, _WHOLE)


async def tag_daily(office: Office, visit: Visit[DailyQuery, Nothing]) -> Answer:
    """What was done under tags, by day."""
    return await _answer(office, visit, _of_tags, _page(visit))


async def tag_daily_aggregated(office: Office, visit: Visit[DailyQuery, Nothing]) -> Answer:
    """The same, all days at once."""
    return await _answer(office, visit, _of_tags, _WHOLE)


# -- who it is about ---------------------------------------------------------------------------------------


async def _of_user(office: Office, visit: Visit[DailyQuery, Nothing], sight: Sight, days: Days) -> Subject:
    asked = visit.query
    sight, tokens = await seen_keys(office, sight, asked.api_key)
    demand(sight.all or asked.user_id in {None, sight.user_id}, "look at what another user did")
    named = tokens is not None or asked.user_id is not None or not sight.all
    query = ActivityQuery(
        first_day=days.first, last_day=days.last, scope="line", user_id=asked.user_id, key_tokens=tokens,
        model=asked.model,
    )  # fmt: skip
    if not named and await has_many_lines(office):
        query = msgspec.structs.replace(query, scope="all")
        return Subject(query, None, None, with_keys=False)
    return Subject(sight.within(query), "user_id", USERS, with_keys=True)


async def _of_teams(office: Office, visit: Visit[DailyQuery, Nothing], sight: Sight, days: Days) -> Subject:
    asked = visit.query
    sight, tokens = await seen_keys(office, sight, asked.api_key)
    excluded = frozenset(_ids(asked.exclude_team_ids) or ())
    if sight.all and asked.team_ids is None and tokens is None:
        query = ActivityQuery(
            first_day=days.first, last_day=days.last, scope="team", but_not=("", *sorted(excluded)), model=asked.model
        )
        return Subject(query, "identity", TEAMS, with_keys=False)
    teams = [team for team in await teams_seen(office, sight, asked.team_ids) if team.team_id not in excluded]
    query = ActivityQuery(
        first_day=days.first, last_day=days.last, scope="line", team_ids=tuple(team.team_id for team in teams),
        key_tokens=tokens, model=asked.model,
    )  # fmt: skip
    seen = sight.all or all(team.team_id in sight.teams or sight.rights.administers_team(team) for team in teams)
    if not seen:
        query = sight.within(query)  # a plain member sees what they did themselves
    return Subject(query, "team_id", TEAMS, with_keys=True)


async def _of_organizations(office: Office, visit: Visit[DailyQuery, Nothing], sight: Sight, days: Days) -> Subject:
    asked = visit.query
    wanted = _ids(asked.organization_ids)
    if not sight.all:
        own = tuple(one for one in sight.rights.organizations if sight.rights.administers_organization(one))
        wanted = own if wanted is None else wanted
        demand(bool(wanted) and {*wanted} <= {*own}, "look at what these organizations did")
    query = ActivityQuery(
        first_day=days.first, last_day=days.last, scope="organization", identities=wanted,
        but_not=_ids(asked.exclude_organization_ids) or (), model=asked.model,
    )  # fmt: skip
    if asked.api_key is not None:
        demand(sight.all, "look at the keys of these organizations")
        sight, tokens = await seen_keys(office, sight, asked.api_key)
        query = msgspec.structs.replace(query, scope="line", identities=None, but_not=(), key_tokens=tokens)
        return Subject(query, "organization_id", ORGANIZATIONS, with_keys=True)
    return Subject(query, "identity", ORGANIZATIONS, with_keys=False)


async def _of_customers(office: Office, visit: Visit[DailyQuery, Nothing], sight: Sight, days: Days) -> Subject:
    asked = visit.query
    query = ActivityQuery(
        first_day=days.first, last_day=days.last, scope="customer", identities=_ids(asked.end_user_ids),
        but_not=_ids(asked.exclude_end_user_ids) or (),
    )  # fmt: skip
    return await _with_keys(office, visit, sight, query, CUSTOMERS)


async def _of_tags(office: Office, visit: Visit[DailyQuery, Nothing], sight: Sight, days: Days) -> Subject:
    query = ActivityQuery(first_day=days.first, last_day=days.last, scope="tag", identities=_ids(visit.query.tags))
    return await _with_keys(office, visit, sight, query, None)


async def _of_projects(office: Office, visit: Visit[DailyQuery, Nothing], sight: Sight, days: Days) -> Subject:
    asked = visit.query
    wanted = _ids(asked.project_ids)
    if not sight.all:
        found = await office.directory.look_up([(PROJECTS, one) for one in wanted or ()])
        seen = [one for one in found if one is not None and await oversees_team(office, sight.rights, one.team_id)]
        demand(bool(wanted) and len(seen) == len(wanted or ()), "look at what these projects did")
    query = ActivityQuery(
        first_day=days.first, last_day=days.last, scope="project", identities=wanted,
        but_not=_ids(asked.exclude_project_ids) or (), model=asked.model,
    )  # fmt: skip
    return Subject(query, "identity", PROJECTS, with_keys=False)


async def _with_keys(
    office: Office, visit: Visit[DailyQuery, Nothing], sight: Sight, query: ActivityQuery, kind: Kind[Any] | None
) -> Subject:
    sight, tokens = await seen_keys(office, sight, visit.query.api_key)
    query = msgspec.structs.replace(query, key_tokens=tokens, model=visit.query.model)
    one_customer = kind is CUSTOMERS and query.identities is not None and len(query.identities) == 1
    if sight.all and tokens is None and not one_customer and await has_many_lines(office):
        return Subject(query, "identity", kind, with_keys=False)
    return Subject(sight.within(query), "identity", kind, with_keys=True)


async def _answer(
    office: Office, visit: Visit[DailyQuery, Nothing], find: _Find, page: Page, *permissions: str
) -> Answer:
    days = asked_days(visit.query.start_date, visit.query.end_date)
    sight = await sight_of(office, visit.caller, *permissions)
    subject = await find(office, visit, sight, days)
    await flushed(office)
    reply, is_cut = await daily_reply(office, subject, page)
    return Answer(reply, headers=(REPORT_SHORTENED,) if is_cut else ())


def _ids(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(one for one in text.split(",") if one)


def _page(visit: Visit[DailyQuery, Nothing]) -> Page:
    return Page(visit.query.page, visit.query.page_size)
