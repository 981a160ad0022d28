"""Statements: list price, discount, margin, billed; and the list price is the ledger's, to the picodollar."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.accounting.billing import PriceBook, Terms, billed, total_of
from pointsman.admin.billing.shapes import Statement
from pointsman.stores.activity import EPOCH, ActivityRow, Counts, Line
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.records import Team, TeamMember, User
from tests.unit.admin.office_desk import MASTER, Desk, call_record

MONTH = "month=2026-09"
BOOK = PriceBook(
    {"openai": Fraction(1, 10), "openai/gpt-*": Fraction(1, 4), "openai/gpt-5": Fraction(1, 2)},
    {"global": Terms(margin=Fraction(1, 5)), "ollama": Terms(margin=Fraction(0), fixed=7)},
    {
        ("team", "t1"): Terms(discount=Fraction(1, 3)),
        ("customer", "c"): Terms(margin=Fraction(1), fixed=1),
        ("team", "m"): Terms(margin=Fraction(1, 2)),
        ("team", "f"): Terms(fixed=2),
        ("team", "n"): Terms(margin=Fraction(0)),
    },
)


def row(provider: str, model: str, spend: int, calls: int = 1, failures: int = 0) -> ActivityRow:
    line = Line("", "", "", "", "group", model, provider, "")
    return ActivityRow(EPOCH, "", line, Counts(calls=calls, failures=failures, spend=spend))


@pytest.mark.parametrize(
    ("account", "provider", "model", "discount", "margin"),
    [
        (("all", ""), "openai", "o", 100, 180), (("all", ""), "openai", "gpt-4", 250, 150),
        (("all", ""), "openai", "gpt-5", 500, 100), (("all", ""), "ollama", "x", 0, 14),
        (("team", "t1"), "openai", "gpt-5", 333, 133), (("team", "t1"), "other", "x", 333, 133),
        (("customer", "c"), "openai", "o", 100, 902), (("team", "t2"), "other", "x", 0, 200),
        (("team", "m"), "ollama", "x", 0, 500), (("team", "f"), "openai", "o", 100, 4),
    ],
)  # fmt: skip
def test_the_nearest_agreement_counts(
    account: tuple[str, str], provider: str, model: str, discount: int, margin: int
) -> None:
    (line,) = billed([row(provider, model, 1000, calls=3, failures=1)], BOOK, *account)
    assert (line.discount, line.margin) == (discount, margin)
    assert line.billed == 1000 - discount + margin


@given(st.lists(st.builds(row, st.sampled_from(["openai", "ollama"]), st.just("m"), st.integers(0, 2**62)), max_size=5))
def test_totals_are_the_ledgers_to_the_picodollar(rows: list[ActivityRow]) -> None:
    lines = billed(rows, BOOK, "team", "t1")
    total = total_of(lines)
    assert total.list_price == sum(one.counts.spend for one in rows)
    assert total.billed == total.list_price - total.discount + total.margin == sum(line.billed for line in lines)


async def fill(desk: Desk) -> None:
    await desk.directory.insert(TEAMS, Team(team_id="t1", alias='<b>"R&D"</b>'))
    await desk.ledger.append([
        call_record("c1", team_id="t1", cost=1_000_000_000_001, provider="openai", model="gpt-4", end_user="cust"),
        call_record("c2", team_id="t1", cost=5, provider="ollama", model="=cmd|' /C calc'!A0", model_group="=x"),
        call_record("c3", team_id="t2", cost=9),
    ])  # fmt: skip


async def test_a_teams_statement(desk: Desk) -> None:
    desk = Desk(prices=BOOK)
    await fill(desk)
    answer = await desk.ask("GET", f"/billing/statement?team_id=t1&{MONTH}")
    told = msgspec.json.decode(answer.body, type=Statement)
    assert (told.account_name, told.start_date, told.end_date) == ('<b>"R&D"</b>', "2026-09-01", "2026-09-30")
    assert Decimal(told.total.list_price) == Decimal("1.000000000006")
    for line in told.lines:
        assert Decimal(line.billed) == Decimal(line.list_price) - Decimal(line.discount) + Decimal(line.margin)
    assert told.total.discount == "0.333333333336"
    assert sum(Decimal(line.billed) for line in told.lines) == Decimal(told.total.billed)


async def test_a_statement_as_a_table_and_as_a_page(desk: Desk) -> None:
    await fill(desk)
    answer = await desk.ask("GET", f"/billing/statement?team_id=t1&{MONTH}&format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    assert rows[-1]["list_price"] == "1.000000000006"
    assert all(not cell.startswith("=") for row in rows for cell in row.values())
    page = await desk.ask("GET", f"/billing/statement?team_id=t1&{MONTH}&format=html")
    assert page.headers["content-type"].startswith("text/html")
    assert b"&lt;b&gt;&quot;R&amp;D" in page.body
    assert b"<b>" not in page.body


@pytest.mark.parametrize(
    ("query", "total"),
    [("", "1.000000000015"), ("customer_id=cust&", "1.000000000001"), ("team_id=t2&", "0.000000000009")],
)
async def test_accounts_of_every_kind(desk: Desk, query: str, total: str) -> None:
    await fill(desk)
    answer = await desk.ask("GET", f"/billing/statement?{query}{MONTH}")
    assert answer.json()["total"]["billed"] == total


@pytest.mark.parametrize(
    "query",
    [
        "team_id=t1&user_id=u",
        "",
        "month=2026-13",
        "month=0000-09",
        "month=2026-00",
        "start_date=2026-09-02&end_date=2026-09-01",
    ],
)
async def test_what_is_no_period_or_no_single_account_is_refused(desk: Desk, query: str) -> None:
    month = f"&{MONTH}" if "user_id" in query else ""
    assert (await desk.ask("GET", f"/billing/statement?{query}{month}")).status == 400


@pytest.mark.parametrize("query", ["team_id=typo", "organization_id=typo", "customer_id=typo", "user_id=typo"])
async def test_an_account_that_is_not_there_is_billed_nothing(desk: Desk, query: str) -> None:
    answer = await desk.ask("GET", f"/billing/statement?{query}&{MONTH}")
    assert (answer.status, answer.error.param) == (404, query.partition("=")[0])
    await desk.directory.insert(TEAMS, Team(team_id="idle"))
    assert (await desk.ask("GET", f"/billing/statement?team_id=idle&{MONTH}")).json()["lines"] == []


async def test_nobody_sees_the_statements_of_others(desk: Desk) -> None:
    await fill(desk)
    key: Any = await desk.new_key()
    for query in ("", "team_id=t1&", "organization_id=o&", "customer_id=cust&", "user_id=u&", "api_key=x&"):
        assert (await desk.ask("GET", f"/billing/statement?{query}{MONTH}", key=key)).status == 403
    assert (await desk.ask("GET", f"/billing/statement?api_key={key}&{MONTH}", key=key)).status == 200


async def test_who_administers_a_team_or_is_a_user_sees_what_is_to_be_paid(desk: Desk) -> None:
    await fill(desk)
    for member in (TeamMember(team_id="t1", user_id="ann", role="admin"), TeamMember(team_id="t1", user_id="bob")):
        await desk.directory.insert(USERS, User(user_id=member.user_id))
        await desk.directory.insert(TEAM_MEMBERS, member)
    ann, bob = await desk.new_key(user_id="ann"), await desk.new_key(user_id="bob")
    of_team = await desk.new_key(user_id="bob", team_id="t1")
    elsewhere = {"team_id": "t2", "cost": 70}
    await desk.ledger.append([
        call_record("c4", user_id="bob", key_token=desk.record(of_team).token, team_id="t1", cost=100),
        call_record("c5", user_id="bob", key_token=desk.record(of_team).token, **elsewhere),
    ])  # fmt: skip

    async def billed_to(key: str, query: str) -> str | int:
        answer = await desk.ask("GET", f"/billing/statement?{query}&{MONTH}", key=key)
        return str(answer.json()["total"]["billed"]) if answer.status == 200 else answer.status

    assert await billed_to(ann, "team_id=t1") == "1.000000000106"
    assert [await billed_to(key, "team_id=t1") for key in (bob, of_team)] == [403, 403]
    assert [await billed_to(ann, f"team_id={team}") for team in ("t2", "gone")] == [403, 403]
    assert await billed_to(bob, "user_id=bob") == "0.000000000170"
    assert await billed_to(of_team, "user_id=bob") == 403, "a key of a team sees no more than that team"
    assert await billed_to(ann, "user_id=bob") == 403
    assert await billed_to(ann, f"api_key={of_team}") == "0.000000000100", "what it did for that team"
    assert await billed_to(MASTER, f"api_key={of_team}") == "0.000000000170"


async def test_a_statement_that_would_be_too_long_is_refused_and_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.admin.billing.statement._LINES_MAX", 2)
    desk = Desk()
    calls = [call_record(str(number), model_group=f"m{number}", model=f"m{number}") for number in range(3)]
    await desk.ledger.append(calls[:2])
    assert len((await desk.ask("GET", f"/billing/statement?{MONTH}")).json()["lines"]) == 2
    await desk.ledger.append(calls[2:])
    refused = await desk.ask("GET", f"/billing/statement?{MONTH}")
    assert (refused.status, refused.error.code, refused.error.param) == (400, "statement_too_long", "month")
    refused = await desk.ask("GET", "/billing/statement?start_date=2026-09-01&end_date=2026-09-30")
    assert refused.error.param == "start_date"
