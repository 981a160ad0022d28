from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.admin.governance.tags import TagChangedReply
from pointsman.core.identity import token_of
from pointsman.stores.directory.ports import Meter
from tests.unit.admin.office_desk import NOW, Desk, call_record


async def new(desk: Desk, name: str = "beta", **fields: object) -> dict[str, object]:
    answer = await desk.ask("POST", "/tag/new", {"name": name, **fields})
    assert answer.status == 200, answer.body
    msgspec.json.decode(answer.body, type=TagChangedReply)
    row: dict[str, object] = answer.json()["tag"]
    return row


async def test_a_tag_is_made_shown_changed_and_deleted(desk: Desk) -> None:
    row = await new(desk, description="Testers", models=["id-llama3", "embedder"], max_budget=3, budget_duration="7d")
    assert row["model_info"] == {"id-llama3": "llama3"}
    found = (await desk.ask("POST", "/tag/info", {"names": ["beta"]})).json()
    assert found["beta"]["litellm_budget_table"]["max_budget"] == 3.0
    assert [one.meter for one in await desk.spend.due(NOW + 8 * 86_400)] == [Meter("tag", "beta")]
    said = (await desk.ask("POST", "/tag/update", {"name": "beta", "description": None, "max_budget": None})).json()
    assert said["message"] == "Tag beta updated successfully"
    assert (said["tag"]["description"], said["tag"]["models"]) == (None, ["id-llama3", "embedder"])
    assert (await desk.ask("POST", "/tag/delete", {"name": "beta"})).json() == {
        "message": "Tag beta deleted successfully"
    }
    assert (await desk.ask("POST", "/tag/info", {"names": ["beta"]})).status == 404


async def test_spending_of_a_tag_is_told(desk: Desk) -> None:
    await new(desk)
    desk.spooled.append(call_record("1", tags=("beta",), key_token="t"))
    assert (await desk.ask("POST", "/tag/info", {"names": ["beta"]})).json()["beta"]["spend"] == 0.25


async def test_a_key_is_shown_the_tags_that_it_carries(desk: Desk) -> None:
    await new(desk, "beta")
    await new(desk, "secret")
    key = await desk.new_key(tags=["beta"])
    assert [tag["name"] for tag in (await desk.ask("GET", "/tag/list", key=key)).json()] == ["beta"]
    assert [tag["name"] for tag in (await desk.ask("GET", "/tag/list")).json()] == ["beta", "secret"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"start_date": "2026-01-01"}, "together"),
        ({"start_date": "2026-02-01", "end_date": "2026-01-01"}, "on or before"),
        ({"start_date": "soon", "end_date": "2026-01-01"}, "a date"),
    ],
)
async def test_days_must_be_days(desk: Desk, query: dict[str, Any], said: str) -> None:
    answer = await desk.ask("GET", "/tag/list", **query)
    assert answer.status == 400 and said in answer.error.message


async def test_a_tag_is_made_once_and_its_budget_must_be_there(desk: Desk) -> None:
    await new(desk)
    assert (await desk.ask("POST", "/tag/new", {"name": "beta"})).error.param == "name"
    assert (await desk.ask("POST", "/tag/new", {"name": "x", "budget_id": "none"})).error.param == "budget_id"
    assert (await desk.ask("POST", "/tag/update", {"name": "none"})).status == 404
    assert (await desk.ask("POST", "/tag/delete", {"name": "none"})).status == 404


async def test_words_that_requests_carried_are_listed_to_whom_they_belong(desk: Desk) -> None:
    await new(desk)
    key, other = await desk.new_key(), await desk.new_key()
    desk.spooled.append(call_record("1", tags=("beta", "passing"), key_token=token_of(key)))
    rows = (await desk.ask("GET", "/tag/list")).json()
    assert [(row["name"], row["models"], row["spend"]) for row in rows] == [
        ("beta", rows[0]["models"], 0.25),
        ("passing", None, 0.25),
    ]
    mine = (await desk.ask("GET", "/tag/list", key=key)).json()
    assert [(row["name"], row["spend"]) for row in mine] == [("passing", 0.0)]
    assert (await desk.ask("GET", "/tag/list", key=other)).json() == []
    early = (await desk.ask("GET", "/tag/list", start_date="2020-01-01", end_date="2020-01-02")).json()
    assert [row["name"] for row in early] == ["beta"]
