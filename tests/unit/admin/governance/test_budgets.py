from __future__ import annotations

import msgspec
import pytest

from pointsman.admin.governance.budgets import BudgetRow
from pointsman.policies.durations import next_reset
from pointsman.stores.directory.kinds import BUDGETS
from pointsman.stores.directory.records import Limits, ModelLimits
from tests.unit.admin.office_desk import NOW, Desk

EVERYTHING = {
    "budget_id": "free-tier",
    "max_budget": 10,
    "soft_budget": 8.5,
    "max_parallel_requests": 3,
    "tpm_limit": 1000,
    "rpm_limit": 60,
    "tpd_limit": 100_000,
    "budget_duration": "30d",
    "model_max_budget": {"llama3": {"budget_limit": 2, "time_period": "1d", "rpm_limit": 5}},
}


async def test_a_budget_has_everything_that_was_said(desk: Desk) -> None:
    answer = await desk.ask("POST", "/budget/new", EVERYTHING, headers={"litellm-changed-by": "ann"})
    assert answer.status == 200, answer.body
    row = answer.json()
    msgspec.json.decode(answer.body, type=BudgetRow)
    assert row["model_max_budget"] == {"llama3": {"max_budget": 2.0, "budget_duration": "1d", "rpm_limit": 5}}
    assert {name: row[name] for name in EVERYTHING if name != "model_max_budget"} == {
        name: value for name, value in EVERYTHING.items() if name != "model_max_budget"
    }
    assert row["created_by"] == row["updated_by"] == "ann"
    assert row["budget_reset_at"].startswith("2026-10-01T00:00")
    stored = await desk.directory.get(BUDGETS, "free-tier")
    assert stored is not None
    assert stored.limits == Limits(
        max_budget=10 * 10**12,
        soft_budget=85 * 10**11,
        max_parallel_requests=3,
        tpm_limit=1000,
        rpm_limit=60,
        tpd_limit=100_000,
        budget_duration="30d",
        model_limits={"llama3": ModelLimits(max_budget=2 * 10**12, duration="1d", rpm_limit=5)},
    )


async def test_a_budget_without_an_id_gets_one(desk: Desk) -> None:
    one, other = [(await desk.ask("POST", "/budget/new", {"max_budget": 1})).json() for _ in range(2)]
    assert one["budget_id"] != other["budget_id"]
    assert one["budget_reset_at"] is None and one["model_max_budget"] is None


async def test_an_id_is_given_once(desk: Desk) -> None:
    await desk.ask("POST", "/budget/new", {"budget_id": "a"})
    answer = await desk.ask("POST", "/budget/new", {"budget_id": "a"})
    assert answer.status == 400
    assert answer.error.message.startswith("Budget with id 'a' already exists.")
    assert answer.error.param == "budget_id"


async def test_an_update_changes_what_it_names_and_null_takes_away(desk: Desk) -> None:
    await desk.ask("POST", "/budget/new", EVERYTHING)
    body = {"budget_id": "free-tier", "max_budget": 20, "tpm_limit": None, "budget_duration": None}
    row = (await desk.ask("POST", "/budget/update", body)).json()
    assert (row["max_budget"], row["tpm_limit"], row["rpm_limit"]) == (20.0, None, 60)
    assert row["budget_duration"] is None and row["budget_reset_at"] is None


async def test_a_reset_that_the_request_names_is_shown_until_it_is_over(desk: Desk) -> None:
    body = {"budget_id": "a", "budget_duration": "30d", "budget_reset_at": "2026-09-25T12:00:00Z"}
    assert (await desk.ask("POST", "/budget/new", body)).json()["budget_reset_at"] == "2026-09-25T12:00:00.000Z"
    desk.clock.now = NOW + 40 * 86_400
    shown = (await desk.ask("POST", "/budget/info", {"budgets": ["a"]})).json()[0]["budget_reset_at"]
    assert shown == "2026-11-01T00:00:00.000Z"
    assert next_reset("30d", desk.clock.now) > desk.clock.now


async def test_a_budget_is_raised_for_a_time(desk: Desk) -> None:
    until = "2030-01-31T12:00:00Z"
    raised = {"budget_id": "b", "max_budget": 5, "temp_budget_increase": 2, "temp_budget_expiry": until}
    row = (await desk.ask("POST", "/budget/new", raised)).json()
    assert (row["temp_budget_increase"], row["temp_budget_expiry"][:10]) == (2.0, "2030-01-31")
    half = await desk.ask("POST", "/budget/update", {"budget_id": "b", "temp_budget_expiry": None})
    assert (half.status, half.error.param) == (400, "temp_budget_increase")
    none = {"budget_id": "b", "temp_budget_increase": None, "temp_budget_expiry": None}
    assert (await desk.ask("POST", "/budget/update", none)).json()["temp_budget_increase"] is None


async def test_budgets_are_listed_shown_and_deleted(desk: Desk) -> None:
    for name in "cab":
        await desk.ask("POST", "/budget/new", {"budget_id": name, "max_budget": 1})
    assert [row["budget_id"] for row in (await desk.ask("GET", "/budget/list")).json()] == ["a", "b", "c"]
    shown = (await desk.ask("POST", "/budget/info", {"budgets": ["b", "nobody"]})).json()
    assert [row["budget_id"] for row in shown] == ["b"]
    assert (await desk.ask("POST", "/budget/delete", {"id": "b"})).json()["budget_id"] == "b"
    assert [row["budget_id"] for row in (await desk.ask("GET", "/budget/list")).json()] == ["a", "c"]
    assert (await desk.ask("POST", "/budget/delete", {"id": "b"})).status == 404


async def test_settings_tell_each_field_with_its_value(desk: Desk) -> None:
    await desk.ask("POST", "/budget/new", EVERYTHING)
    found = (await desk.ask("GET", "/budget/settings", budget_id="free-tier")).json()
    values = {one["field_name"]: one["field_value"] for one in found}
    assert values["max_budget"] == 10.0 and values["rpm_limit"] == 60
    nothing = (await desk.ask("GET", "/budget/settings", budget_id="nobody")).json()
    assert {one["field_value"] for one in nothing} == {None}
    assert len(nothing) == len(found) == 8


async def test_who_remembers_budgets_is_told(desk: Desk) -> None:
    told: list[tuple[str, str]] = []
    desk = Desk(on_entry_change=lambda changed: told.append(tuple(changed)))
    await desk.ask("POST", "/budget/new", {"budget_id": "a"})
    await desk.ask("POST", "/budget/update", {"budget_id": "a", "rpm_limit": 1})
    await desk.ask("POST", "/budget/delete", {"id": "a"})
    assert told == [("budget", "a")] * 3


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"max_budget": -1}, "max_budget"),
        ({"max_budget": "much"}, "max_budget"),
        ({"budget_duration": "soon"}, "budget_duration"),
        ({"budget_reset_at": "soon"}, "budget_reset_at"),
        ({"rpm_limit": 1.5}, "rpm_limit"),
        ({"budget_id": "a\nb"}, "budget_id"),
        ({"model_max_budget": {"llama3": {"max_budget": -1}}}, "model_max_budget[...].max_budget"),
        ({"model_max_budget": {"llama3": {"budget_duration": "soon"}}}, "model_max_budget.llama3"),
        ({"model_max_budget": {"llama3": {"budget_duration": "1d", "time_period": "7d"}}}, "model_max_budget.llama3"),
    ],
)
async def test_what_no_budget_can_have_is_refused_with_its_field(
    desk: Desk, body: dict[str, object], param: str
) -> None:
    answer = await desk.ask("POST", "/budget/new", body)
    assert (answer.status, answer.error.param) == (400, param)
    assert (await desk.ask("GET", "/budget/list")).json() == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/budget/new"), ("POST", "/budget/update"), ("GET", "/budget/list"), ("POST", "/budget/delete")],
)
async def test_a_virtual_key_has_no_business_with_budgets(desk: Desk, method: str, path: str) -> None:
    key = await desk.new_key()
    assert (await desk.ask(method, path, {} if method == "POST" else None, key=key)).status == 403
