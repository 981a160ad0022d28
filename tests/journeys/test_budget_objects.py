"""Budgets, tags and access groups over HTTP, on SQLite, over a restart."""

from __future__ import annotations

import json
from typing import Any

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.upstreams import FakeOpenAI


def ask(gateway: Gateway, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = gateway.http(method, path, body)
    assert answer.status == status, answer.body
    return json.loads(answer.body) if answer.body else None


def test_they_outlive_the_process(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream, {"access_groups": ["everyday"]})]})
    budget = ask(gateway, "POST", "/budget/new", {"budget_id": "free", "max_budget": 5, "budget_duration": "1mo"})
    tag = ask(gateway, "POST", "/tag/new", {"name": "beta", "budget_id": "free", "rpm_limit": 7})["tag"]
    group = ask(gateway, "POST", "/v1/access_group", {"access_group_name": "all", "access_model_names": ["fast"]}, 201)
    gateway.restart()
    assert ask(gateway, "GET", "/budget/list") == [budget]
    found = ask(gateway, "POST", "/tag/info", {"names": ["beta"]})["beta"]
    assert found == tag
    assert (found["litellm_budget_table"]["max_budget"], found["litellm_budget_table"]["rpm_limit"]) == (5.0, 7)
    path = f"/v1/access_group/{group['access_group_id']}"
    assert ask(gateway, "GET", path) == group
    assert ask(gateway, "GET", "/access_group/list")["access_groups"][0]["model_names"] == ["fast"]
    ask(gateway, "DELETE", path, status=204)
    ask(gateway, "POST", "/budget/delete", {"id": "free"})
    left = ask(gateway, "POST", "/tag/info", {"names": ["beta"]})["beta"]["litellm_budget_table"]
    assert (left["max_budget"], left["rpm_limit"]) == (None, 7)


def test_an_old_key_works_on_over_a_restart_and_spends_for_the_new_one(launch: Launch, upstream: FakeOpenAI) -> None:
    price: dict[str, Any] = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.001}
    gateway = launch({"model_list": [openai_entry("paid", upstream, **price)]})
    old = gateway.new_key(key_alias="ann")
    answer = ask(gateway, "POST", "/key/ann-is-not-a-key/regenerate", {"grace_period": "1h"}, 404)
    assert "Key not found" in answer["error"]["message"]
    new = ask(gateway, "POST", f"/key/{old}/regenerate", {"grace_period": "1h"})["key"]
    assert gateway.chat("paid", key=old).status == 200
    gateway.restart()
    assert gateway.chat("paid", key=old).status == 200
    assert len(gateway.settled_ledger(2, new)) == 2
    shown = ask(gateway, "GET", f"/key/info?key={new}")["info"]
    assert shown["spend"] > 0 and shown["rotation_count"] == 1
    ask(gateway, "POST", "/key/delete", {"keys": [new]})
    assert gateway.chat("paid", key=old).status == 401
