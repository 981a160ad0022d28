from __future__ import annotations

import msgspec
import pytest

from pointsman.admin.governance.customers import CustomerRow
from pointsman.core.price import picodollars
from pointsman.stores.directory.ports import Meter
from tests.unit.admin.office_desk import NOW, Desk, call_record


async def new(desk: Desk, **fields: object) -> dict[str, object]:
    answer = await desk.ask("POST", "/customer/new", {"user_id": "acme", **fields})
    assert answer.status == 200, answer.body
    msgspec.json.decode(answer.body, type=CustomerRow)
    row: dict[str, object] = answer.json()
    return row


async def shown(desk: Desk, identity: str = "acme") -> dict[str, object]:
    row: dict[str, object] = (await desk.ask("GET", "/customer/info", end_user_id=identity)).json()
    return row


async def test_a_customer_is_made_and_shown(desk: Desk) -> None:
    row = await new(desk, alias="Acme Ltd", models=["llama3"], default_model="llama3", spend=2.5)
    assert row == await shown(desk)
    assert row == {
        "user_id": "acme",
        "blocked": False,
        "alias": "Acme Ltd",
        "spend": 2.5,
        "allowed_model_region": None,
        "default_model": "llama3",
        "models": ["llama3"],
        "budget_id": None,
        "litellm_budget_table": None,
        "object_permission_id": None,
        "object_permission": None,
    }


async def test_the_old_paths_lead_there_too(desk: Desk) -> None:
    await desk.ask("POST", "/end_user/new", {"user_id": "b"})
    assert (await desk.ask("GET", "/end_user/info", end_user_id="b")).json()["user_id"] == "b"


async def test_limits_bind_the_customer_and_a_budget_fills_in_the_rest(desk: Desk) -> None:
    await desk.ask(
        "POST", "/budget/new", {"budget_id": "free", "max_budget": 5, "rpm_limit": 9, "budget_duration": "1d"}
    )
    row = await new(desk, budget_id="free", rpm_limit=0)
    table = row["litellm_budget_table"]
    assert isinstance(table, dict)
    assert (table["budget_id"], table["max_budget"], table["rpm_limit"]) == ("free", 5.0, 0)
    assert table["budget_reset_at"] == "2026-09-22T00:00:00.000Z"
    await desk.ask("POST", "/customer/update", {"user_id": "acme", "rpm_limit": None})
    again = (await shown(desk))["litellm_budget_table"]
    assert isinstance(again, dict) and again["rpm_limit"] == 9
    budget = (await desk.ask("POST", "/budget/info", {"budgets": ["free"]})).json()[0]
    assert budget["rpm_limit"] == 9


async def test_a_period_begins_with_the_budget_and_spending_is_told(desk: Desk) -> None:
    await new(desk, max_budget=1, budget_duration="1d", spend=0.5)
    desk.spooled.append(call_record("1", end_user="acme", key_token="t"))
    row = await shown(desk)
    assert row["spend"] == 0.75
    due = await desk.spend.due(NOW + 2 * 86_400)
    assert [(one.meter, one.duration) for one in due] == [(Meter("customer", "acme"), "1d")]


async def test_models_of_a_customer_stay_with_null_and_go_with_none(desk: Desk) -> None:
    await new(desk, models=["llama3"])
    await desk.ask("POST", "/customer/update", {"user_id": "acme", "models": None, "alias": "A"})
    assert ((await shown(desk))["models"], (await shown(desk))["alias"]) == (["llama3"], "A")
    await desk.ask("POST", "/customer/update", {"user_id": "acme", "models": []})
    assert (await shown(desk))["models"] == []


async def test_blocking_makes_who_is_not_known_yet(desk: Desk) -> None:
    answer = await desk.ask("POST", "/customer/block", {"user_ids": ["new", "new"]})
    assert [row["blocked"] for row in answer.json()["blocked_users"]] == [True]
    assert (await shown(desk, "new"))["blocked"] is True
    await desk.ask("POST", "/customer/unblock", {"user_ids": ["new"]})
    assert (await shown(desk, "new"))["blocked"] is False
    assert (await desk.ask("POST", "/customer/unblock", {"user_ids": ["nobody"]})).status == 404


async def test_all_are_deleted_or_none(desk: Desk) -> None:
    await new(desk)
    answer = await desk.ask("POST", "/customer/delete", {"user_ids": ["acme", "x"]})
    assert (answer.status, answer.error.message) == (404, "End User Id(s)=x do not exist in db")
    answer = await desk.ask("POST", "/customer/delete", {"user_ids": ["acme"]})
    assert answer.json() == {
        "deleted_customers": 1,
        "message": "Successfully deleted customers with ids: ['acme']",
    }
    assert (await desk.ask("GET", "/customer/info", end_user_id="acme")).status == 404


async def test_who_comes_back_begins_at_nought_but_what_calls_cost_stays(desk: Desk) -> None:
    await new(desk, spend=3)
    await desk.ask("POST", "/customer/delete", {"user_ids": ["acme"]})
    assert (await new(desk))["spend"] == 0


async def test_customers_are_listed_by_page_and_searched(desk: Desk) -> None:
    for name in ("c", "a", "b"):
        await desk.ask("POST", "/customer/new", {"user_id": name, "alias": f"The {name.upper()}"})
    listed = (await desk.ask("GET", "/customer/list", page=2, page_size=2)).json()
    assert [row["user_id"] for row in listed] == ["c"]
    assert [row["user_id"] for row in (await desk.ask("GET", "/customer/list", search="the b")).json()] == ["b"]


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "user_id"),
        ({"user_id": ""}, 400, "user_id"),
        ({"user_id": "a", "budget_id": "none"}, 400, "budget_id"),
        ({"user_id": "a", "default_model": "none"}, 422, "default_model"),
        ({"user_id": "a", "allowed_model_region": "mars"}, 400, "allowed_model_region"),
        ({"user_id": "a", "object_permission": {"models": ["x"]}}, 400, "object_permission"),
        ({"user_id": "a", "max_budget": -1}, 400, "max_budget"),
    ],
)
async def test_what_no_customer_can_have_is_refused(
    desk: Desk, body: dict[str, object], status: int, param: str
) -> None:
    answer = await desk.ask("POST", "/customer/new", body)
    assert (answer.status, answer.error.param) == (status, param), answer.body
    assert (await desk.ask("GET", "/customer/list")).json() == []


async def test_a_customer_is_made_once(desk: Desk) -> None:
    await new(desk)
    answer = await desk.ask("POST", "/customer/new", {"user_id": "acme"})
    assert (answer.status, answer.error.param) == (400, "user_id")


async def test_model_budgets_have_periods_of_their_own(desk: Desk) -> None:
    await new(desk, model_max_budget={"llama3": {"max_budget": 1, "budget_duration": "7d"}})
    due = await desk.spend.due(NOW + 8 * 86_400)
    assert [(one.meter, one.duration) for one in due] == [(Meter("customer", "acme", "llama3"), "7d")]
    assert picodollars(1) == 10**12
