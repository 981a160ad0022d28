"""``GET /billing/statement``: what a team, an organisation, a customer, a user or a key is to pay for a period."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pointsman.accounting.billing import BillLine, BillTotal, billed, total_of
from pointsman.admin.billing.pages import statement_page
from pointsman.admin.billing.shapes import Statement, statement_line, statement_total
from pointsman.admin.keys.lookup import flushed
from pointsman.admin.office import Office
from pointsman.admin.rights import demand
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.spend.days import Days, asked_days
from pointsman.admin.spend.sight import Sight, aliases_of, seen_keys, sight_of
from pointsman.admin.timestamps import iso
from pointsman.core.errors import Malformed, NotFound
from pointsman.stores.activity import ActivityQuery
from pointsman.stores.directory.kinds import CUSTOMERS, ORGANIZATIONS, TEAMS, USERS, Kind
from pointsman.wire.csv_lines import csv_line

__all__ = ["StatementQuery", "make_statement"]

_LINES_MAX: Final = 50_000
_MONTHS: Final = 12


class StatementQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Whose calls (one of them; without any, everybody's), and of when: a month, or two days (UTC), both included."""

    team_id: str | None = None
    organization_id: str | None = None
    customer_id: str | None = None
    user_id: str | None = None
    api_key: str | None = None
    month: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}$")] | None = None
    start_date: str | None = None
    end_date: str | None = None
    format: Literal["json", "csv", "html"] = "json"


async def make_statement(office: Office, visit: Visit[StatementQuery, Nothing]) -> Answer:
    """The statement, in the form that is wanted.

    Raises:
        Malformed: no period, several accounts, or more lines than a statement has: it is never cut.
        Forbidden: an account that the caller does not administer.
        NotFound: there is no such account, and it has made no calls in that period.
    """
    asked = visit.query
    days = _period(asked)
    sight = await sight_of(office, visit.caller)
    scope, identity, query = await _account(office, sight, asked, days)
    await flushed(office)
    rows = await office.ledger.activity(
        msgspec.structs.replace(query, by=("model_group", "model", "provider"), limit=_LINES_MAX + 1)
    )
    if len(rows) > _LINES_MAX:
        raise Malformed(
            f"The statement would have more than {_LINES_MAX} lines, one for each model that was asked for.",
            hint="Ask for a shorter period, or for one account.",
            param="start_date" if asked.month is None else "month",
            code="statement_too_long",
        )
    lines = billed(rows, office.prices, scope, identity)
    if not lines and scope in _KINDS and await office.directory.get(_KINDS[scope], identity) is None:
        raise NotFound(
            f"There is no {scope} {identity!r}, and no call of this period was theirs.",
            hint="An account is named by its id.",
            param=f"{scope}_id",
        )
    statement = await _told(office, scope, identity, days, lines)
    if asked.format == "html":
        return Answer(statement_page(statement), media_type="text/html; charset=utf-8", headers=_PAGE_HEADERS)
    if asked.format == "csv":
        return Answer(_csv(statement), media_type="text/csv; charset=utf-8", headers=(_attachment(statement),))
    return Answer(statement)


_KINDS: Final[Mapping[str, Kind[Any]]] = {
    "team": TEAMS,
    "organization": ORGANIZATIONS,
    "customer": CUSTOMERS,
    "user": USERS,
}
_PAGE_HEADERS: Final = (("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),)


def _period(asked: StatementQuery) -> Days:
    if asked.month is None:
        return asked_days(asked.start_date, asked.end_date)
    year, month = int(asked.month[:4]), int(asked.month[5:])
    if not (1 <= month <= _MONTHS and year >= 1):
        raise Malformed("month must be a month.", hint="For example 2026-01.", param="month")
    return Days(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]))


async def _account(office: Office, sight: Sight, asked: StatementQuery, days: Days) -> tuple[str, str, ActivityQuery]:
    """Whose statement it is, and what to ask the ledger."""
    named = [
        (scope, identity)
        for scope, identity in (
            ("team", asked.team_id), ("organization", asked.organization_id), ("customer", asked.customer_id),
            ("user", asked.user_id), ("key", asked.api_key),
        )
        if identity is not None
    ]  # fmt: skip
    if len(named) > 1:
        raise Malformed("A statement is about one account.", hint="Name one of them.", param=f"{named[1][0]}_id")
    query = ActivityQuery(first_day=days.first, last_day=days.last)
    if not named:
        demand(sight.all, "see what everybody is to pay")
        return "all", "", query
    scope, identity = named[0]
    match scope:
        case "team":
            team = await office.directory.get(TEAMS, identity)
            may = sight.all or (team is not None and sight.rights.administers_team(team))
            demand(may, "see what this team is to pay")
            return scope, identity, msgspec.structs.replace(query, scope="team", identities=(identity,))
        case "organization":
            demand(sight.all or sight.rights.administers_organization(identity), "see what this organization is to pay")
            return scope, identity, msgspec.structs.replace(query, scope="organization", identities=(identity,))
        case "customer":
            demand(sight.all, "see what this customer is to pay")
            return scope, identity, msgspec.structs.replace(query, scope="customer", identities=(identity,))
        case "user":
            # A bill is about everything; a key of a team sees no more than that team.
            may = sight.all or (identity == sight.user_id and sight.team_id is None)
            demand(may, "see what this user is to pay")
            return scope, identity, msgspec.structs.replace(query, scope="line", user_id=identity)
        case _:
            sight, tokens = await seen_keys(office, sight, identity)
            if tokens is None or len(tokens) != 1:
                raise Malformed("A statement is about one key.", hint="Name one.", param="api_key")
            return (
                scope,
                tokens[0],
                msgspec.structs.replace(query, scope="line", key_tokens=tokens, team_ids=sight.through or None),
            )


async def _told(office: Office, scope: str, identity: str, days: Days, lines: tuple[BillLine, ...]) -> Statement:
    names = await aliases_of(office, _KINDS[scope], (identity,)) if scope in _KINDS else {}
    total: BillTotal = total_of(lines)
    return Statement(
        account_type=scope,
        account_id=identity,
        account_name=names.get(identity),
        start_date=days.first.isoformat(),
        end_date=days.last.isoformat(),
        made_at=iso(office.clock.wall()),
        lines=[statement_line(line) for line in lines],
        total=statement_total(total),
    )


def _csv(statement: Statement) -> bytes:
    names = ("model_group", "model", "provider", "calls", "failures", "prompt_tokens", "completion_tokens")
    money = ("list_price", "discount", "margin", "billed")
    written = [csv_line((*names, *money))]
    written += [csv_line(getattr(line, name) for name in (*names, *money)) for line in statement.lines]
    total = statement.total
    written.append(csv_line(("total", "", "", total.calls, "", "", "", *(getattr(total, name) for name in money))))
    return b"".join(written)


def _attachment(statement: Statement) -> tuple[str, str]:
    return "content-disposition", f'attachment; filename="statement-{statement.start_date}-{statement.end_date}.csv"'
