"""Projects, and budgets of groups of models: what keys were made for, and what they were given together."""

from __future__ import annotations

import json
from typing import Any

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI

PRICE: dict[str, Any] = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.001}


def ask(
    gateway: Gateway, method: str, path: str, body: Any = None, *, status: int = 200, key: str | None = None
) -> Any:
    answer = gateway.http(method, path, body, key=key)
    assert answer.status == status, answer.body
    return answer.json()


def start(launch: Launch, upstream: FakeOpenAI) -> Gateway:
    gateway = launch(
        {"model_list": [openai_entry("paid", upstream, **PRICE), openai_entry("other", upstream, **PRICE)]}
    )
    ask(gateway, "POST", "/team/new", {"team_id": "core", "models": ["paid", "other"], "max_budget": 100})
    return gateway


def test_a_project_is_charged_and_shuts_at_its_budget(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = start(launch, upstream)
    made = ask(gateway, "POST", "/project/new", {
        "project_id": "search", "project_alias": "Flight search", "team_id": "core", "models": ["paid"],
        "max_budget": 0.05, "budget_duration": "1d", "tags": ["flights"], "metadata": {"cost": "centre 7"},
    })  # fmt: skip
    assert made["metadata"] == {"cost": "centre 7", "tags": ["flights"]}
    assert made["litellm_budget_table"]["max_budget"] == 0.05 and made["budget_id"]
    one, two = (gateway.new_key(team_id="core", project_id="search") for _ in range(2))
    assert gateway.chat("other", key=one).json()["error"]["type"] == "project_model_access_denied"
    assert (
        gateway.chat("paid", key=one).status == gateway.chat("paid", key=gateway.new_key(team_id="core")).status == 200
    )
    rows = [row for row in gateway.settled_ledger(3) if row["status"] == "success"]
    of_project = [row for row in rows if row["metadata"]["user_api_key_project_id"] == "search"]
    assert len(of_project) == 1 and of_project[0]["request_tags"] == ["flights"]
    spent = of_project[0]["spend"]
    eventually(lambda: ask(gateway, "GET", "/project/info?project_id=search")["spend"] == spent, "the spending")
    day = of_project[0]["startTime"][:10]
    days = ask(gateway, "GET", f"/project/daily/activity?start_date={day}&end_date={day}")["results"]
    assert days[0]["metrics"]["spend"] == spent and list(days[0]["breakdown"]["entities"]) == ["search"]
    while gateway.chat("paid", key=two).status == 200:
        pass
    refused = gateway.chat("paid", key=one)
    assert refused.status == 422 and "Project=Flight search" in refused.body.decode()
    ask(gateway, "POST", "/project/update", {"project_id": "search", "max_budget": 50})
    assert gateway.chat("paid", key=one).status == 200
    ask(gateway, "POST", "/project/update", {"project_id": "search", "blocked": True})
    assert "Project=search is blocked" in gateway.chat("paid", key=one).body.decode()
    gateway.restart()
    assert gateway.chat("paid", key=two).status == 403
    assert ask(gateway, "GET", "/project/info?project_id=search")["spend"] > spent


def test_a_project_has_no_more_than_its_team_and_keys_no_more_than_their_project(
    launch: Launch, upstream: FakeOpenAI
) -> None:
    gateway = start(launch, upstream)
    ask(gateway, "POST", "/team/new", {"team_id": "far"})
    ask(gateway, "POST", "/project/new", {"team_id": "none"}, status=404)
    ask(gateway, "POST", "/project/new", {"team_id": "core", "max_budget": 101}, status=400)
    ask(gateway, "POST", "/project/new", {"team_id": "core", "models": ["third"]}, status=400)
    ask(gateway, "POST", "/project/new", {"team_id": "core", "guardrails": ["pii"]}, status=400)
    ask(gateway, "POST", "/project/new", {"team_id": "core", "max_budget": 5, "soft_budget": 5}, status=400)
    ask(gateway, "POST", "/project/new", {"project_id": "p", "team_id": "core", "models": ["paid"], "max_budget": 5})
    ask(gateway, "POST", "/project/new", {"project_id": "p", "team_id": "core"}, status=400)
    for wrong in (
        {"team_id": "far"},
        {},
        {"team_id": "core", "models": ["other"]},
        {"team_id": "core", "max_budget": 6},
    ):
        ask(gateway, "POST", "/key/generate", {"project_id": "p", **wrong}, status=400)
    ask(gateway, "POST", "/key/generate", {"project_id": "q", "team_id": "core"}, status=404)
    key = gateway.new_key(team_id="core", project_id="p")
    ask(gateway, "POST", "/project/new", {"project_id": "q", "team_id": "core"})
    for path in ("/key/update", "/key/regenerate"):
        ask(gateway, "POST", path, {"key": key, "project_id": "q"}, status=400)
        ask(gateway, "POST", path, {"key": key, "team_id": "far"}, status=400)
    assert "associated" in json.dumps(ask(gateway, "DELETE", "/project/delete", {"project_ids": ["p"]}, status=400))
    ask(gateway, "POST", "/project/update", {"project_id": "p", "team_id": "far"}, status=400)
    assert ask(gateway, "POST", "/key/update", {"key": key, "project_id": None})["project_id"] is None
    assert gateway.chat("other", key=key).status == 200
    assert ask(gateway, "DELETE", "/project/delete", {"project_ids": ["p"]})[0]["project_id"] == "p"
    assert [one["project_id"] for one in ask(gateway, "GET", "/project/list")] == ["q"]
    ask(gateway, "POST", "/team/delete", {"team_ids": ["core"]})
    assert ask(gateway, "GET", "/project/list") == []
    log = ask(gateway, "GET", "/audit?table_name=LiteLLM_ProjectTable")["audit_logs"]
    assert {entry["action"] for entry in log} >= {"created", "updated", "deleted"}


def test_a_group_of_models_has_a_budget_of_its_own(launch: Launch, upstream: FakeOpenAI) -> None:
    info = {"access_groups": ["dear"]}
    gateway = launch({
        "model_list": [openai_entry("paid", upstream, info, **PRICE), openai_entry("other", upstream, **PRICE)],
    })  # fmt: skip
    by_name, by_all = gateway.new_key(models=["dear"]), gateway.new_key()
    ask(gateway, "POST", "/team/new", {"team_id": "core", "models": ["dear", "other"]})
    of_team = gateway.new_key(team_id="core")
    assert gateway.chat("paid", key=by_name).status == 200, "before there was any budget"
    ask(gateway, "PUT", "/access_group/none/budget", {"max_budget": 1}, status=404)
    ask(gateway, "PUT", "/access_group/dear/budget", {"rpm_limit": 1}, status=400)
    ask(gateway, "PUT", "/access_group/dear/budget", {}, status=400)
    made = ask(gateway, "PUT", "/access_group/dear/budget", {"max_budget": 0.05, "budget_duration": "1d"})
    assert made["budget"]["max_budget"] == 0.05 and made["budget"]["budget_reset_at"] and made["spend"] == 0.0

    for key in (by_name, of_team):
        assert gateway.chat("paid", key=key).status == 200
    cost = sum(row["spend"] for row in gateway.settled_ledger(3)) * 2 / 3
    eventually(lambda: abs(ask(gateway, "GET", "/access_group/dear/budget")["spend"] - cost) < 1e-9, "the spending")
    assert gateway.chat("paid", key=by_all).status == 200, "who was given all models was not given the group"
    assert gateway.chat("other", key=of_team).status == 200, "what is not in the group charges it nothing"
    assert abs(ask(gateway, "GET", "/access_group/dear/info")["spend"] - cost) < 1e-9
    while gateway.chat("paid", key=by_name).status == 200:
        pass
    refused = gateway.chat("paid", key=of_team)
    assert refused.status == 422 and "Model access group=dear" in refused.body.decode()
    assert gateway.chat("other", key=of_team).status == gateway.chat("paid", key=by_all).status == 200
    gateway.restart()
    assert gateway.chat("paid", key=by_name).status == 422
    assert ask(gateway, "DELETE", "/access_group/dear/budget")["budget_deleted"]
    assert gateway.chat("paid", key=by_name).status == 200
    assert ask(gateway, "GET", "/access_group/list")["access_groups"][0]["budget"] is None
