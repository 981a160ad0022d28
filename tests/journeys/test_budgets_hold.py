"""A budget holds under concurrency and over a ``kill -9``, and never stops what costs nothing."""

from __future__ import annotations

import pytest

from tests.support.configs import ONE_ATTEMPT, openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.rush import held_back, rush
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, Reply, faults

CALLS = 50
BUDGET = 0.01
PRICE = 0.001
"""Five tokens at 0.0002 USD each."""


def config(upstream: FakeOpenAI) -> dict[str, object]:
    priced = openai_entry("priced", upstream, input_cost_per_token=0.0, output_cost_per_token=0.0002)
    free = openai_entry("free", upstream, input_cost_per_token=0.0, output_cost_per_token=0.0)
    return {**ONE_ATTEMPT, "model_list": [priced, free]}


@pytest.fixture
def gateway(launch: Launch, upstream: FakeOpenAI) -> Gateway:
    return launch(config(upstream))


def test_fifty_calls_at_once_spend_no_more_than_the_budget(gateway: Gateway, upstream: FakeOpenAI) -> None:
    key = gateway.new_key(max_budget=BUDGET)
    answers = rush(lambda: gateway.chat("priced", key=key, max_tokens=5), CALLS, 10, held_back(upstream))
    good = [answer for answer in answers if answer.status == 200]
    assert len(good) == 10
    refused = [answer for answer in answers if answer.status != 200]
    assert {answer.status for answer in refused} == {422}
    assert {answer.error["code"] for answer in refused} == {"budget_exceeded"}
    assert len(upstream.inference) == 10
    rows = [row for row in gateway.settled_ledger(10, key) if row["status"] == "success"]
    assert sum(row["spend"] for row in rows) == pytest.approx(BUDGET)
    spend = eventually(
        lambda: gateway.http("GET", f"/key/info?key={key}").json()["info"]["spend"], "the key's spend is stored"
    )
    assert spend == pytest.approx(BUDGET)


def test_a_gateway_that_was_killed_at_work_remembers_what_was_spent(gateway: Gateway, upstream: FakeOpenAI) -> None:
    key = gateway.new_key(max_budget=BUDGET)
    for _ in range(6):
        assert gateway.chat("priced", key=key, max_tokens=5).status == 200
    upstream.script(*[faults.stall_before_head()] * 3)
    body = {"model": "priced", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
    under_way = [gateway.stream("/v1/chat/completions", body, key=key) for _ in range(3)]
    upstream.wait_for(9)
    gateway.kill()
    for stream in under_way:
        stream.leave()
    upstream.forget()
    gateway.launch()
    answers = rush(lambda: gateway.chat("priced", key=key, max_tokens=5), CALLS, 4, held_back(upstream))
    assert sum(answer.status == 200 for answer in answers) == 4
    rows = [row for row in gateway.settled_ledger(10, key) if row["status"] == "success"]
    assert sum(row["spend"] for row in rows) == pytest.approx(BUDGET)


def test_a_free_model_answers_when_the_money_is_gone(gateway: Gateway) -> None:
    key = gateway.new_key(max_budget=PRICE)
    assert gateway.chat("priced", key=key, max_tokens=5).status == 200
    assert gateway.chat("priced", key=key, max_tokens=5).status == 422
    assert gateway.chat("free", key=key, max_tokens=5).status == 200


def test_a_failed_call_gives_its_reservation_back(gateway: Gateway, upstream: FakeOpenAI) -> None:
    key = gateway.new_key(max_budget=PRICE)
    upstream.script(Reply.error(500), Reply.error(500))
    for _ in range(2):
        assert gateway.chat("priced", key=key, max_tokens=5).status >= 500
    assert gateway.chat("priced", key=key, max_tokens=5).status == 200


def test_raising_the_budget_lets_the_key_in_again(gateway: Gateway) -> None:
    key = gateway.new_key(max_budget=PRICE)
    assert gateway.chat("priced", key=key, max_tokens=5).status == 200
    assert gateway.chat("priced", key=key, max_tokens=5).status == 422
    assert gateway.http("POST", "/key/update", {"key": key, "max_budget": BUDGET}).status == 200
    assert gateway.chat("priced", key=key, max_tokens=5).status == 200


def test_a_budget_comes_back_after_its_duration(gateway: Gateway) -> None:
    key = gateway.new_key(max_budget=PRICE, budget_duration="2s")
    assert gateway.chat("priced", key=key, max_tokens=5).status == 200
    assert gateway.chat("priced", key=key, max_tokens=5).status == 422
    eventually(
        lambda: gateway.chat("priced", key=key, max_tokens=5).status == 200, "the budget starts anew", timeout=10.0
    )


def test_the_price_is_told_in_the_headers(gateway: Gateway) -> None:
    key = gateway.new_key(max_budget=BUDGET)
    headers = gateway.chat("priced", key=key, max_tokens=5).headers
    assert float(headers["x-litellm-response-cost"]) == pytest.approx(PRICE)
    assert float(headers["x-litellm-key-spend"]) == pytest.approx(PRICE)
    assert float(headers["x-litellm-key-max-budget"]) == pytest.approx(BUDGET)
