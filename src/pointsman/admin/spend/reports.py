"""``…/spend/report``: what teams, customers, keys and users cost, with their models, in LiteLLM's words.

Reports stay small whatever the ledger holds: the dearest hundred (or as many as ``limit`` says) are named and the
others added up. Each team's keys are told apart as long as there are not too many; ``api_key`` is empty otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from pointsman.admin.keys.lookup import flushed, token_meant
from pointsman.admin.office import Office
from pointsman.admin.rights import demand
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.spend.days import Days, asked_days, midnight
from pointsman.admin.spend.sight import (
    REPORT_SHORTENED,
    aliases_of,
    dearest_keys,
    demand_all,
    has_many_lines,
    seen_keys,
    sight_of,
)
from pointsman.core.errors import Malformed
from pointsman.core.price import dollars
from pointsman.stores.activity import ActivityQuery, ActivityRow, Counts, Dimension
from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.ports import DirectoryQuery

__all__ = [
    "CustomerSpend",
    "CustomersDay",
    "KeyReport",
    "ModelDetail",
    "ModelSpend",
    "OwnReportQuery",
    "ReportQuery",
    "TeamCustomerSpend",
    "TeamCustomersDay",
    "TeamSpend",
    "TeamsDay",
    "global_report",
    "key_report",
    "organization_report",
    "team_report",
    "user_report",
]

_ROWS_MAX: Final = 50_000
_TEAMS_MAX: Final = 10_000
_NOBODY: Final = "Unassigned Team"
_OTHERS: Final = "(others)"


class ReportQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which days (UTC), both included, and whose spending by what. ``limit``: how many are named."""

    start_date: str | None = None
    end_date: str | None = None
    group_by: Literal["team", "customer", "api_key"] = "team"
    api_key: str | None = None
    internal_user_id: str | None = None
    team_id: str | None = None
    customer_id: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class OwnReportQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which days (UTC), both included, and whose, where that is not the caller."""

    start_date: str | None = None
    end_date: str | None = None
    api_key: str | None = None
    internal_user_id: str | None = None
    team_id: str | None = None
    organization_id: str | None = None


class ModelSpend(msgspec.Struct, frozen=True):
    """One model of one key, in USD."""

    model: str
    api_key: str
    spend: float
    total_tokens: int


class TeamSpend(msgspec.Struct, frozen=True):
    """One team on one day."""

    team_name: str
    total_spend: float
    metadata: list[ModelSpend]


class TeamsDay(msgspec.Struct, frozen=True):
    """One day with its teams."""

    group_by_day: str
    teams: list[TeamSpend]


class CustomerSpend(msgspec.Struct, frozen=True):
    """One customer on one day."""

    customer: str
    total_spend: float
    metadata: list[ModelSpend]


class CustomersDay(msgspec.Struct, frozen=True):
    """One day with its customers."""

    group_by_day: str
    customers: list[CustomerSpend]


class TeamCustomerSpend(msgspec.Struct, frozen=True):
    """One customer of one team on one day."""

    team_name: str
    customer: str
    total_spend: float
    metadata: list[ModelSpend]


class TeamCustomersDay(msgspec.Struct, frozen=True):
    """One day with a team's customer."""

    group_by_day: str
    teams_customers: list[TeamCustomerSpend]


class ModelDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a key spent on one model, in USD; ``team_id`` where the report is about an organisation."""

    model: str
    total_cost: float
    total_input_tokens: int
    total_output_tokens: int
    team_id: str | None = None


class KeyReport(msgspec.Struct, frozen=True):
    """What a key spent, in USD, and on which models; ``api_key`` is its hash."""

    api_key: str
    total_cost: float
    total_input_tokens: int
    total_output_tokens: int
    model_details: list[ModelDetail]


async def global_report(office: Office, visit: Visit[ReportQuery, Nothing]) -> Answer:
    """Spending by day and team or customer, or by key."""
    asked = visit.query
    sight = await sight_of(office, visit.caller)
    demand_all(sight, "look at everybody's spending")
    days = asked_days(asked.start_date, asked.end_date)
    await flushed(office)
    if asked.api_key is not None:
        return Answer(await _of_keys(office, days, key_tokens=(token_meant(asked.api_key),)))
    if asked.internal_user_id is not None:
        return Answer(await _of_keys(office, days, user_id=asked.internal_user_id))
    if asked.team_id is not None and asked.customer_id is not None:
        return Answer(await _of_team_and_customer(office, days, asked.team_id, asked.customer_id))
    if asked.group_by == "api_key":
        dearest = await dearest_keys(office, asked.limit) if await has_many_lines(office) else None
        reports = await _of_keys(office, days, key_tokens=dearest)
        shortened = dearest is not None or len(reports) > asked.limit
        return Answer(reports[: asked.limit], headers=(REPORT_SHORTENED,) if shortened else ())
    if asked.group_by == "customer":
        return await _by_customer(office, days, asked)
    return await _by_team(office, days, asked)


async def key_report(office: Office, visit: Visit[OwnReportQuery, Nothing]) -> Answer:
    """What a key spent: the caller's, or one that the caller may look at."""
    sight = await sight_of(office, visit.caller)
    sight, tokens = await seen_keys(office, sight, visit.query.api_key)
    tokens = tokens or (visit.caller.record.token,)
    teams = sight.through or None
    return Answer(await _of_keys(office, await _days(office, visit), key_tokens=tokens, team_ids=teams))


async def user_report(office: Office, visit: Visit[OwnReportQuery, Nothing]) -> Answer:
    """What a user's keys spent."""
    sight = await sight_of(office, visit.caller)
    wanted = visit.query.internal_user_id or sight.user_id
    if wanted is None:
        raise Malformed(
            "No user belongs to this key.", hint="Name one with internal_user_id.", param="internal_user_id"
        )
    demand(sight.all or wanted == sight.user_id, "look at the spending of another user")
    teams = sight.teams_within(None)
    return Answer(await _of_keys(office, await _days(office, visit), user_id=wanted, team_ids=teams))


async def team_report(office: Office, visit: Visit[OwnReportQuery, Nothing]) -> Answer:
    """What a team's keys spent, for whoever administers it and for its keys of nobody; a member's key: their own."""
    sight = await sight_of(office, visit.caller)
    wanted = visit.query.team_id or visit.caller.record.team_id
    if wanted is None:
        raise _nobody("team", "team_id")
    user_id = None
    if not sight.all:
        team = await office.directory.get(TEAMS, wanted)
        administers = team is not None and sight.rights.administers_team(team)
        demand(administers or wanted == sight.rights.team_id, "look at the spending of another team")
        user_id = None if administers else sight.user_id
    return Answer(await _of_keys(office, await _days(office, visit), user_id=user_id, team_ids=(wanted,)))


async def organization_report(office: Office, visit: Visit[OwnReportQuery, Nothing]) -> Answer:
    """What an organisation's keys spent, and those of its teams."""
    sight = await sight_of(office, visit.caller)
    wanted = visit.query.organization_id or visit.caller.organization_id
    if wanted is None:
        raise _nobody("organization", "organization_id")
    demand(sight.all or sight.rights.administers_organization(wanted), "look at the spending of this organization")
    teams = await office.directory.find(TEAMS, DirectoryQuery(parent=wanted, size=_TEAMS_MAX))
    ids = tuple(team.team_id for team in teams.records)
    return Answer(
        await _of_keys(office, await _days(office, visit), organization_id=wanted, team_ids=ids, by_team=True)
    )


def _nobody(what: str, field: str) -> Malformed:
    return Malformed(f"No {what} belongs to this key.", hint=f"Name one with {field}.", param=field)


async def _days(office: Office, visit: Visit[OwnReportQuery, Nothing]) -> Days:
    """The days asked for, once everything that happened is in the ledger."""
    days = asked_days(visit.query.start_date, visit.query.end_date)
    await flushed(office)
    return days


async def _of_keys(
    office: Office,
    days: Days,
    *,
    key_tokens: tuple[str, ...] | None = None,
    user_id: str | None = None,
    team_ids: tuple[str, ...] | None = None,
    organization_id: str | None = None,
    by_team: bool = False,
) -> list[KeyReport]:
    by: tuple[Dimension, ...] = ("key_token", "team_id", "model") if by_team else ("key_token", "model")
    rows = await office.ledger.activity(
        ActivityQuery(
            first_day=days.first, last_day=days.last, scope="line", by=by, key_tokens=key_tokens, user_id=user_id,
            team_ids=team_ids, organization_id=organization_id, order="spend", limit=_ROWS_MAX,
        )
    )  # fmt: skip
    of_keys: dict[str, list[ActivityRow]] = {}
    for row in rows:
        of_keys.setdefault(row.line.key_token, []).append(row)
    reports = [(_sum(of_key), _key_report(token, of_key, by_team=by_team)) for token, of_key in of_keys.items()]
    reports.sort(key=lambda report: -report[0].spend)
    return [report for _, report in reports]


def _key_report(token: str, rows: Sequence[ActivityRow], *, by_team: bool) -> KeyReport:
    total = _sum(rows)
    return KeyReport(
        token,
        dollars(total.spend),
        total.prompt_tokens,
        total.completion_tokens,
        [
            ModelDetail(
                row.line.model,
                dollars(row.counts.spend),
                row.counts.prompt_tokens,
                row.counts.completion_tokens,
                row.line.team_id if by_team else None,
            )
            for row in rows
        ],
    )


async def _by_team(office: Office, days: Days, asked: ReportQuery) -> Answer:
    if asked.team_id is not None:
        teams: tuple[str, ...] = (asked.team_id,)
        with_keys = True
    else:
        ranked = await office.ledger.ranked("team", days.first, days.last, asked.limit)
        teams = tuple(one.identity for one in ranked)
        with_keys = not await has_many_lines(office)
    details = await _team_details(office, days, teams, with_keys=with_keys)
    names = {team: team for team in teams} | await aliases_of(office, TEAMS, teams)
    names[""] = _NOBODY
    rest = {} if asked.team_id is not None else await _rest(office, days, details)
    by_day = _by_day(details)
    found = [
        TeamsDay(
            midnight(day),
            [
                *(TeamSpend(names[whose], *_spend(of_team)) for whose, of_team in by_day.get(day, {}).items()),
                *([TeamSpend(_OTHERS, dollars(rest[day]), [])] if rest.get(day) else []),
            ],
        )
        for day in sorted({*by_day, *(day for day, amount in rest.items() if amount)})
    ]
    shortened = not with_keys or any(rest.values())
    return Answer(found, headers=(REPORT_SHORTENED,) if shortened else ())


async def _team_details(
    office: Office, days: Days, teams: tuple[str, ...], *, with_keys: bool
) -> list[tuple[date, str, ActivityRow]]:
    """By day and team, with the model and, if there are not too many, the key."""
    if not with_keys:
        rows = await office.ledger.activity(
            ActivityQuery(
                first_day=days.first, last_day=days.last, scope="team", identities=teams,
                by=("day", "identity", "model"), limit=_ROWS_MAX,
            )
        )  # fmt: skip
        return [(row.day, row.identity, row) for row in rows]
    query = ActivityQuery(
        first_day=days.first, last_day=days.last, scope="line", by=("day", "team_id", "model", "key_token"),
        team_ids=None if "" in teams else teams, limit=_ROWS_MAX,
    )  # fmt: skip
    rows = await office.ledger.activity(query)
    return [(row.day, row.line.team_id, row) for row in rows if row.line.team_id in teams]


async def _by_customer(office: Office, days: Days, asked: ReportQuery) -> Answer:
    if asked.customer_id is not None:
        customers: tuple[str, ...] = (asked.customer_id,)
    else:
        ranked = await office.ledger.ranked("customer", days.first, days.last, asked.limit)
        customers = tuple(one.identity for one in ranked)
    with_keys = asked.customer_id is not None or not await has_many_lines(office)
    by: tuple[Dimension, ...] = ("day", "identity", "model")
    rows = await office.ledger.activity(
        ActivityQuery(
            first_day=days.first, last_day=days.last, scope="customer", identities=customers,
            by=(*by, "key_token") if with_keys else by, limit=_ROWS_MAX,
        )
    )  # fmt: skip
    by_day = _by_day([(row.day, row.identity, row) for row in rows])
    return Answer(
        [
            CustomersDay(
                midnight(day),
                [CustomerSpend(customer, *_spend(of_customer)) for customer, of_customer in of_day.items()],
            )
            for day, of_day in sorted(by_day.items())
        ],
        headers=() if with_keys and len(customers) < asked.limit else (REPORT_SHORTENED,),
    )


async def _of_team_and_customer(office: Office, days: Days, team_id: str, customer: str) -> list[TeamCustomersDay]:
    rows = await office.ledger.activity(
        ActivityQuery(
            first_day=days.first, last_day=days.last, scope="customer", identities=(customer,), team_ids=(team_id,),
            by=("day", "identity", "model", "key_token"), limit=_ROWS_MAX,
        )
    )  # fmt: skip
    name = (await aliases_of(office, TEAMS, (team_id,))).get(team_id, team_id)
    by_day = _by_day([(row.day, row.identity, row) for row in rows])
    return [
        TeamCustomersDay(midnight(day), [TeamCustomerSpend(name, customer, *_spend(of_day[customer]))])
        for day, of_day in sorted(by_day.items())
    ]


async def _rest(office: Office, days: Days, details: Iterable[tuple[date, str, ActivityRow]]) -> dict[date, int]:
    """What was spent by day beside the details, in picodollars."""
    whole = await office.ledger.activity(ActivityQuery(first_day=days.first, last_day=days.last))
    rest = {row.day: row.counts.spend for row in whole}
    for day, _, row in details:
        rest[day] -= row.counts.spend
    return rest


def _by_day(details: Iterable[tuple[date, str, ActivityRow]]) -> dict[date, dict[str, list[ActivityRow]]]:
    by_day: dict[date, dict[str, list[ActivityRow]]] = {}
    for day, whose, row in details:
        by_day.setdefault(day, {}).setdefault(whose, []).append(row)
    return by_day


def _spend(rows: Sequence[ActivityRow]) -> tuple[float, list[ModelSpend]]:
    models = [
        ModelSpend(line.model, line.key_token, dollars(counts.spend), counts.total_tokens)
        for line, counts in ((row.line, row.counts) for row in rows)
    ]
    return dollars(sum(row.counts.spend for row in rows)), models


def _sum(rows: Iterable[ActivityRow]) -> Counts:
    total = Counts()
    for row in rows:
        total.add(row.counts)
    return total
