"""Customers: what their calls cost is counted for them, whichever key asks."""

from __future__ import annotations

import json
from typing import Any

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI

PRICE: dict[str, Any] = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.001}


def customer(gateway: Gateway, identity: str) -> Any:
    return json.loads(gateway.http("GET", f"/customer/info?end_user_id={identity}").body)


def test_spending_of_a_customer_is_told_and_begins_where_it_is_said_to(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("paid", upstream, **PRICE)]})
    body = {"user_id": "acme", "alias": "Acme", "max_budget": 50, "budget_duration": "1d", "spend": 2}
    assert gateway.http("POST", "/customer/new", body).status == 200
    for key in (gateway.new_key(), gateway.new_key()):
        assert gateway.chat("paid", key=key, user="acme").status == 200
    rows = gateway.settled_ledger(2)
    spent = 2 + sum(row["spend"] for row in rows)
    assert rows[0]["end_user"] == "acme"
    eventually(lambda: abs(customer(gateway, "acme")["spend"] - spent) < 1e-9, "the spending")
    table = customer(gateway, "acme")["litellm_budget_table"]
    assert table["max_budget"] == 50.0 and table["budget_reset_at"] is not None
    gateway.restart()
    assert abs(customer(gateway, "acme")["spend"] - spent) < 1e-9


def test_customers_are_blocked_listed_and_deleted(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("paid", upstream, **PRICE)]})
    assert gateway.http("POST", "/customer/block", {"user_ids": ["b", "a"]}).status == 200
    listed = json.loads(gateway.http("GET", "/customer/list").body)
    assert [(row["user_id"], row["blocked"]) for row in listed] == [("a", True), ("b", True)]
    assert gateway.http("POST", "/end_user/delete", {"user_ids": ["a", "b"]}).status == 200
    assert json.loads(gateway.http("GET", "/end_user/list").body) == []


def test_headers_name_the_customer_and_keys_demand_fields(launch: Launch, upstream: FakeOpenAI) -> None:
    named = [{"header_name": "X-Shop-User", "litellm_user_role": "customer"}]
    config = {
        "model_list": [openai_entry("paid", upstream, **PRICE)],
        "general_settings": {"user_header_mappings": named},
    }
    gateway = launch(config)
    assert gateway.http("POST", "/customer/block", {"user_ids": ["late-payer"]}).status == 200
    strict = gateway.new_key(enforced_params=["metadata.task"])
    refused = gateway.chat("paid", key=strict)
    assert refused.status == 400 and "please pass param=metadata in request body" in refused.body.decode()
    assert gateway.chat("paid", key=strict, metadata={"task": "t", "user_id": "from-body"}).status == 200
    for headers in ({"x-shop-user": "from-shop"}, {"x-shop-user": "x", "x-litellm-customer-id": "from-header"}):
        assert gateway.chat("paid", user="hidden", headers=headers).status == 200
    blocked = gateway.chat("paid", user="good-payer", headers={"x-litellm-end-user-id": "late-payer"})
    assert blocked.status == 403
    rows = gateway.settled_ledger(5)
    assert {row["end_user"] for row in rows if row["status"] == "success"} == {"from-body", "from-shop", "from-header"}
