"""Models in the place of those whose budget is gone, customers by the budget that a key brings, tags of teams."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.core.errors import BudgetExceeded, LimitReached
from pointsman.core.outcome import CallRecord
from pointsman.core.rules import RoutingRules
from pointsman.core.upstream import Ask
from pointsman.policies.principal import Principal
from pointsman.policies.stand_ins import BudgetedNames, StandIn
from pointsman.stores.charges import KEY_CUSTOMER, accounts_of
from pointsman.stores.directory.kinds import BUDGETS, CUSTOMERS, TEAMS
from pointsman.stores.directory.ports import Account, Changed
from pointsman.stores.directory.records import Budget, Customer, Limits, Team, member_id
from tests.unit.policies.desk import CENT, key_record
from tests.unit.policies.desk import ask as plain_ask
from tests.unit.policies.test_account_book import Desk


def raw(fields: dict[str, object]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(fields))


def ask(end_user: str | None = None, tag: str | None = None) -> Ask:
    request = plain_ask()
    request.end_user = end_user
    if tag is not None:
        request.routing = RoutingRules(tags=(tag,))
    return request


async def test_a_model_whose_budget_is_gone_leads_to_the_first_that_has_one() -> None:
    extra = raw({"model_max_budget": {"m": 1, "a": 1}, "budget_fallbacks": {"m": ["a", "b"]}})
    desk = Desk(key_record("sk-a", extra=extra, aliases={"mine": "m"}))
    key = await desk.key("sk-a")
    assert isinstance(key.aliases, BudgetedNames)
    assert (key.aliases.get("m", "m"), key.aliases.get("mine", "mine")) == ("m", "m")
    key.models["m"].settle(100 * CENT)
    assert isinstance(key.aliases.get("m", "m"), StandIn)
    assert (key.aliases.get("m", "m"), key.aliases.get("mine", "mine"), key.aliases.get("c", "c")) == ("a", "a", "c")
    key.models["a"].settle(100 * CENT)
    assert key.aliases.get("m", "m") == "b"
    assert key.aliases.get("a") is None


async def test_a_key_without_chains_has_plain_aliases() -> None:
    key = await Desk(key_record("sk-a", aliases={"x": "m"})).key("sk-a")
    assert type(key.aliases) is dict


async def test_where_all_are_gone_the_model_itself_is_asked() -> None:
    extra = raw({"model_max_budget": {"m": 1, "a": 1}, "budget_fallbacks": {"m": ["a"]}})
    key = await Desk(key_record("sk-a", extra=extra)).key("sk-a")
    for name in ("m", "a"):
        key.models[name].settle(100 * CENT)
    assert key.aliases.get("m", "m") == "m"


# -- customers ----------------------------------------------------------------------------------------


def bringing(name: str) -> Desk:
    return Desk(key_record(name, extra=raw({"end_user_budget_id": "small"})), key_record("sk-plain"))


async def test_customers_without_limits_have_the_budget_that_the_key_brings() -> None:
    desk = bringing("sk-a")
    await desk.directory.insert(BUDGETS, Budget(budget_id="small", limits=Limits(max_budget=CENT)))
    await desk.directory.insert(CUSTOMERS, Customer(customer_id="rich", limits=Limits(max_budget=900 * CENT)))
    await desk.call("sk-a", ask(end_user="zoe"), cost=CENT)
    with pytest.raises(BudgetExceeded, match=r"End user=zoe Current cost: 0\.01, Max budget: 0\.01"):
        await desk.call("sk-a", ask(end_user="zoe"))
    await desk.call("sk-a", ask(end_user="amy"))
    await desk.call("sk-plain", ask(end_user="zoe"))
    await desk.call("sk-a", ask(end_user="rich"), cost=CENT)
    await desk.call("sk-a", ask(end_user="rich"))


async def test_what_they_spend_is_counted_by_that_budget() -> None:
    desk = bringing("sk-a")
    await desk.directory.insert(BUDGETS, Budget(budget_id="small", limits=Limits(max_budget=CENT)))
    identity = member_id("small", "zoe")
    desk.database.spend_totals[Account(KEY_CUSTOMER, identity)] = CENT
    with pytest.raises(BudgetExceeded):
        await desk.call("sk-a", ask(end_user="zoe"))
    record = CallRecord("1", "acompletion", "/", 0.0, cost=1, charges=(f"{KEY_CUSTOMER}/{identity}",))
    assert Account(KEY_CUSTOMER, identity) in accounts_of(record)


def test_records_of_a_key_that_brings_a_budget_are_looked_at_for_whom_they_charge() -> None:
    # Else what its customers spent would be forgotten with the account: at a restart, and on every other replica.
    assert not Principal(key_record("sk-a", extra=raw({"end_user_budget_id": "small"}))).is_plain
    assert Principal(key_record("sk-a")).is_plain


async def test_a_budget_that_changes_binds_at_once_and_one_that_is_gone_binds_nobody() -> None:
    desk = bringing("sk-a")
    await desk.call("sk-a", ask(end_user="zoe"), cost=CENT)
    await desk.directory.insert(BUDGETS, Budget(budget_id="small", limits=Limits(rpm_limit=1)))
    desk.book.changed([Changed(BUDGETS.name, "small")])
    await desk.call("sk-a", ask(end_user="zoe"))
    with pytest.raises(LimitReached, match="for end_user: zoe"):
        await desk.call("sk-a", ask(end_user="zoe"))


# -- tags of a team -----------------------------------------------------------------------------------


async def test_a_teams_rate_of_a_tag_binds_all_its_keys_together() -> None:
    desk = Desk(key_record("sk-a", team_id="t"), key_record("sk-b", team_id="t", tags=("batch",)))
    await desk.directory.insert(TEAMS, Team(team_id="t", alias="crew", limits=Limits(tag_rpm_limit={"batch": 2})))
    tagged = ask(tag="batch")
    await desk.call("sk-a", tagged)
    await desk.call("sk-b")
    for name, request in (("sk-a", tagged), ("sk-b", ask())):
        with pytest.raises(LimitReached, match="crew:batch"):
            await desk.call(name, request)
    await desk.call("sk-a")
