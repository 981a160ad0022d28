"""``mock_response``: answers that the operator wrote, in every dialect, with nobody asked and everything recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pointsman.dialects.grammars import check
from tests.support.gateway import Gateway

SAID = "This is what the operator wrote."
HELLO: Any = [{"role": "user", "content": "Hi there"}]
CONFIG = {
    "model_list": [
        {"model_name": "mocked", "litellm_params": {"model": "anthropic/claude-haiku-x", "mock_response": SAID}},
        {"model_name": "unprefixed", "litellm_params": {"model": "nobody-knows-it", "mock_response": "also"}},
        {"model_name": "limited", "litellm_params": {"model": "azure/x", "mock_response": "litellm.RateLimitError"}},
        {"model_name": "vector", "litellm_params": {"model": "openai/embed", "mock_response": [0.5, 1.0]}},
        {
            "model_name": "priced",
            "litellm_params": {"model": "gpt-4o", "mock_response": "x", "output_cost_per_token": 1.0},
        },
        {
            "model_name": "limited-but-helped",
            "litellm_params": {"model": "openai/x", "mock_response": "litellm.RateLimitError"},
        },
    ],
    "router_settings": {"num_retries": 0, "fallbacks": [{"limited-but-helped": ["mocked"]}]},
}  # fmt: skip

ASKED = [
    ("openai_chat", "/v1/chat/completions", {"messages": HELLO, "logit_bias": {"1": 2}, "made_up": 1}),
    ("openai_responses", "/v1/responses", {"input": "Hi"}),
    ("anthropic_messages", "/v1/messages", {"messages": HELLO, "max_tokens": 9, "thinking": {"type": "adaptive"}}),
    ("ollama_chat", "/api/chat", {"messages": HELLO}),
    ("gemini", "/v1beta/models/mocked", {"contents": [{"parts": [{"text": "Hi"}]}]}),
]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway.start(CONFIG) as running:
        yield running


@pytest.mark.parametrize(("dialect", "path", "fields"), ASKED, ids=[one[0] for one in ASKED])
def test_every_dialect_is_answered_whole_and_streamed(
    gateway: Gateway, dialect: str, path: str, fields: dict[str, Any]
) -> None:
    verbs = (":generateContent", ":streamGenerateContent?alt=sse") if dialect == "gemini" else ("", "")
    body = fields if dialect == "gemini" else {"model": "mocked", **fields}
    streams = ({}, {}) if dialect == "gemini" else ({"stream": False}, {"stream": True})
    whole = gateway.http("POST", path + verbs[0], {**body, **streams[0]})
    assert whole.status == 200 and SAID in whole.body.decode()
    stream = gateway.http("POST", path + verbs[1], {**body, **streams[1]})
    assert stream.status == 200 and check(dialect, stream.body) == []


def test_usage_is_estimated_and_costs_nothing_unless_the_entry_has_prices(gateway: Gateway) -> None:
    client = gateway.openai()
    usage = client.chat.completions.create(model="mocked", messages=HELLO, n=2).usage
    assert usage is not None and usage.prompt_tokens > 0 and usage.completion_tokens > 0
    client.chat.completions.create(model="priced", messages=HELLO)
    rows = gateway.http("GET", "/spend/logs?summarize=false").json()
    spend = {row["model_group"]: row["spend"] for row in rows if row["model_group"] in {"mocked", "priced"}}
    assert spend["mocked"] == 0 and spend["priced"] == pytest.approx(1.0, abs=0.01)


def test_embeddings_and_completions(gateway: Gateway) -> None:
    client = gateway.openai()
    found = client.embeddings.create(model="vector", input=["a", "b"], encoding_format="float")
    assert [one.embedding for one in found.data] == [[0.5, 1.0]] * 2
    assert client.completions.create(model="unprefixed", prompt="Go").choices[0].text == "also"
    assert gateway.http("POST", "/v1/moderations", {"model": "mocked", "input": "x"}).status == 400


def test_failures_are_failures_and_others_may_stand_in(gateway: Gateway) -> None:
    failed = gateway.http("POST", "/v1/chat/completions", {"model": "limited", "messages": HELLO, "stream": True})
    assert (failed.status, "mock rate limit" in failed.body.decode()) == (429, True)
    helped = gateway.http("POST", "/v1/chat/completions", {"model": "limited-but-helped", "messages": HELLO})
    assert helped.json()["choices"][0]["message"]["content"] == SAID


def test_it_is_healthy_and_lends_no_key(gateway: Gateway) -> None:
    health = gateway.http("GET", "/health").json()
    assert (health["healthy_count"], health["unhealthy_count"]) == (len(CONFIG["model_list"]), 0)
    assert gateway.http("GET", "/anthropic/v1/models").status == 404
