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
from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.records import Team
from tests.unit.admin.office_desk import Desk, call_record

MONTH = "month=2026-09"
BOOK = PriceBook(
    {"openai": Fraction(1, 10), "openai/gpt-*": Fraction(1, 4), "openai/gpt-5": Fraction(1, 2)},
    {"global": Terms(margin=Fraction(1, 5)), "ollama": Terms(margin=Fraction(0), fixed=7)},
    {("team", "t1"): Terms(discount=Fraction(1, 3)), ("customer", "c"): Terms(margin=Fraction(1), fixed=1)},
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
    "query", ["team_id=t1&user_id=u", "", "month=2026-13", "start_date=2026-09-02&end_date=2026-09-01"]
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


async def test_a_statement_that_would_be_too_long_is_refused_and_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.admin.billing.statement._LINES_MAX", 2)
    desk = Desk()
    calls = [call_record(str(number), model_group=f"m{number}", model=f"m{number}") for number in range(3)]
    await desk.ledger.append(calls[:2])
    assert len((await desk.ask("GET", f"/billing/statement?{MONTH}")).json()["lines"]) == 2
    await desk.ledger.append(calls[2:])
    refused = await desk.ask("GET", f"/billing/statement?{MONTH}")
    assert (refused.status, refused.error.code) == (400, "statement_too_long")
