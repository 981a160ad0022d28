"""Providers for which there is nothing of our own are reached through LiteLLM's library, where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.support.gateway import Gateway
from tests.support.waiting import eventually

LIBRARY = Path(__file__).parents[1] / "support" / "fake_litellm"
ENTRY = {"model_name": "tail", "litellm_params": {"model": "replicate/org/model", "api_key": "sk-of-the-tail"}}

THERE = {
    "model_name": "tail-there",
    "litellm_params": {**ENTRY["litellm_params"], "api_base": "http://127.0.0.1:9/v1"},  # type: ignore[dict-item]
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway.start({"model_list": [ENTRY, THERE]}, env={"PYTHONPATH": str(LIBRARY)}) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> openai.OpenAI:
    return gateway.openai()


def test_a_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="tail", messages=[{"role": "user", "content": "Hi"}])
    assert answer.choices[0].message.content == "replicate/org/model with the operator's key"
    assert answer.usage is not None and answer.usage.total_tokens == 7


def test_a_stream_and_a_client_of_another_dialect(gateway: Gateway, client: openai.OpenAI) -> None:
    hello: Any = [{"role": "user", "content": "Hi"}]
    pieces = list(client.chat.completions.create(model="tail", messages=hello, stream=True))
    assert "".join(p.choices[0].delta.content or "" for p in pieces if p.choices).startswith("replicate/org/model")
    asked = {"model": "tail", "max_tokens": 9, "messages": hello}
    message = gateway.http("POST", "/v1/messages", asked).json()
    assert message["content"][0]["text"].startswith("replicate/org/model")
    assert message["usage"]["input_tokens"] == 4


@pytest.mark.parametrize("model", ["tail", "tail-there"])
def test_a_client_of_responses(gateway: Gateway, model: str) -> None:
    answer = gateway.http("POST", "/v1/responses", {"model": model, "input": "Hi"})
    assert answer.status == 200
    assert answer.json()["output"][0]["content"][0]["text"].startswith("replicate/org/model")


def test_what_only_the_operator_sets_is_not_the_requests(gateway: Gateway) -> None:
    hello: Any = [{"role": "user", "content": "Hi"}]
    for more in ({"metadata": {"a": "b"}, "ssl_verify": False, "extra_body": {"model": "x"}}, {"timeout": 1}):
        answer = gateway.http("POST", "/v1/chat/completions", {"model": "tail", "messages": hello, **more})
        assert answer.status == 200


def test_embeddings(client: openai.OpenAI) -> None:
    found = client.embeddings.create(model="tail", input=["a", "b"], encoding_format="float")
    assert [one.embedding for one in found.data] == [[0.5, 1.0], [0.5, 1.0]]


def test_its_errors_keep_their_kind(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError, match="slow down"):
        client.with_options(max_retries=0).chat.completions.create(
            model="tail", messages=[{"role": "user", "content": "too much"}]
        )


def test_every_call_is_in_the_ledger(gateway: Gateway) -> None:
    assert gateway.chat("tail").status == 200
    look = "/spend/logs?summarize=false"
    rows = eventually(lambda: gateway.http("GET", look).json(), "calls are in the ledger")
    assert {row["custom_llm_provider"] for row in rows} <= {"replicate", ""}


def test_without_the_library_it_is_said_what_to_do() -> None:
    with Gateway.start({"model_list": [ENTRY]}) as plain:
        asked = {"model": "tail", "messages": [{"role": "user", "content": "Hi"}]}
        answer = plain.http("POST", "/v1/chat/completions", asked)
        assert answer.status == 400 and "pip install 'pointsman[litellm]'" in answer.json()["error"]["message"]
