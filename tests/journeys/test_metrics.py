"""What Prometheus scrapes while keys, teams and providers have limits: each sample once, and right."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.configs import ONE_ATTEMPT, openai_entry
from tests.support.gateway import Launch
from tests.upstreams import FakeOpenAI


def test_limits_and_what_is_used_of_them_are_told_once(launch: Launch, upstream: FakeOpenAI) -> None:
    priced: dict[str, Any] = {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0002}
    gateway = launch(
        {
            "router_settings": {
                **ONE_ATTEMPT["router_settings"],
                "provider_budget_config": {"openai": {"max_budget": 1.0}},
                "fallbacks": [{"broken": ["priced"]}],
            },
            "model_list": [
                openai_entry("priced", upstream, rpm=100, **priced),
                openai_entry("broken", "http://127.0.0.1:9/v1"),
            ],
        }
    )
    team = gateway.http("POST", "/team/new", {"team_alias": "Reds", "tpm_limit": 5000}).json()["team_id"]
    key = gateway.new_key(team_id=team, rpm_limit=50, model_rpm_limit={"priced": 10}, max_budget=0.5, key_alias="mine")
    for model in ("priced", "broken"):
        answer = gateway.chat(model, key=key, max_tokens=5)
        assert answer.status == 200, answer.body
    gateway.settled_ledger(2)
    text = gateway.http("GET", "/metrics").body.decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    told = Counter((sample.name, *sorted(sample.labels.items())) for sample in samples)
    assert [sample for sample, times in told.items() if times > 1] == []
    mine, reds = {"api_key_alias": "mine"}, {"team_alias": "Reds"}
    assert gateway.metric("litellm_api_key_rate_limit_allowed_metric", **mine, rate_limit_type="requests") == 50
    assert gateway.metric("litellm_api_key_rate_limit_used_metric", **mine, rate_limit_type="requests") == 2
    assert gateway.metric("litellm_remaining_api_key_requests_for_model", **mine, model="priced") < 10
    assert gateway.metric("litellm_team_rate_limit_used_metric", **reds, rate_limit_type="tokens") > 0
    spent = 1.0 - gateway.metric("litellm_provider_remaining_budget_metric", api_provider="openai")
    assert spent > 0
    assert gateway.metric("litellm_remaining_api_key_budget_metric", **mine) == pytest.approx(0.5 - spent)
    moved = {"requested_model": "broken", "fallback_model": "priced"}
    assert gateway.metric("litellm_deployment_successful_fallbacks_total", **moved) == 1


def test_metrics_tell_clients_and_addresses_of_users_apart_where_the_operator_wants_it(
    launch: Launch, upstream: FakeOpenAI
) -> None:
    labels = ["user_agent", "user_email"]
    gateway = launch({"model_list": [openai_entry("m", upstream)], "pointsman": {"metrics_labels": labels}})
    gateway.http("POST", "/user/new", {"user_id": "ann", "user_email": "ann@example.com", "auto_create_key": False})
    key = gateway.new_key(user_id="ann")
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    for agent in ("agent/1", "agent/2", "agent/1"):
        assert gateway.http("POST", "/v1/chat/completions", body, key=key, headers={"user-agent": agent}).status == 200
    name = "litellm_requests_metric_total"
    assert gateway.metric(name, user_email="ann@example.com", user_agent="agent/1") == 2
    assert gateway.metric(name, user_email="ann@example.com", user_agent="agent/2") == 1
