"""``include_cost_in_streaming_usage``: the official SDKs read from a stream what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pointsman.dialects.grammars import check
from tests.support.configs import anthropic_entry, ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.support.waiting import eventually
from tests.upstreams import FakeAnthropic, FakeOllama, FakeOpenAI, OllamaModel

MESSAGES: Any = [{"role": "user", "content": "Say one two three."}]
PRICES: dict[str, Any] = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.002}
MODELS = ["express", "ollama", "claude"]
ON = {"include_cost_in_streaming_usage": True}
ASKED: Any = {"include_usage": True}


@pytest.fixture(scope="module")
def entries() -> Iterator[list[dict[str, Any]]]:
    with FakeOpenAI() as openai, FakeOllama([OllamaModel("llama3.1:8b")]) as ollama, FakeAnthropic() as claude:
        yield [
            openai_entry("express", openai, **PRICES),
            ollama_entry("ollama", ollama, "llama3.1:8b", **PRICES),
            anthropic_entry("claude", claude, **PRICES),
            openai_entry("unpriced", openai),
        ]


@pytest.fixture(scope="module")
def gateway(entries: list[dict[str, Any]]) -> Iterator[Gateway]:
    with Gateway.start({"model_list": entries, "litellm_settings": ON}) as running:
        yield running


def usage_of(gateway: Gateway, model: str) -> dict[str, Any]:
    """What the last chunk of a chat tells the SDK."""
    chunks = gateway.openai().chat.completions.create(model=model, messages=MESSAGES, stream=True, stream_options=ASKED)
    usage = list(chunks)[-1].usage
    assert usage is not None
    return usage.model_dump()


@pytest.mark.parametrize("model", MODELS)
def test_the_last_chunk_of_a_chat_tells_its_cost(gateway: Gateway, model: str) -> None:
    usage = usage_of(gateway, model)
    assert usage["prompt_tokens"] > 0 < usage["completion_tokens"]
    assert usage["cost"] == pytest.approx(usage["prompt_tokens"] * 0.001 + usage["completion_tokens"] * 0.002)


@pytest.mark.parametrize("model", MODELS)
def test_the_message_delta_of_a_message_tells_its_cost(gateway: Gateway, model: str) -> None:
    stream = gateway.anthropic().messages.create(model=model, max_tokens=50, messages=MESSAGES, stream=True)
    events = [event.model_dump() for event in stream]
    start = next(event for event in events if event["type"] == "message_start")["message"]["usage"]
    told = next(event for event in events if event["type"] == "message_delta")["usage"]
    prompt = told["input_tokens"] or start["input_tokens"]
    assert told["cost"] == pytest.approx(prompt * 0.001 + told["output_tokens"] * 0.002)
    assert "cost" not in start


@pytest.mark.parametrize("model", MODELS)
def test_the_rest_of_the_stream_is_as_ever(gateway: Gateway, model: str) -> None:
    body = gateway.chat(model, stream=True, stream_options=ASKED).body
    assert check("openai_chat", body) == []
    assert body.count(b'"cost"') == 1


@pytest.mark.parametrize("model", MODELS)
def test_who_does_not_ask_for_usage_is_told_no_cost(gateway: Gateway, model: str) -> None:
    assert b'"cost"' not in gateway.chat(model, stream=True).body
    assert b'"cost"' not in gateway.chat(model).body


def test_what_has_no_price_tells_no_cost(gateway: Gateway) -> None:
    assert "cost" not in usage_of(gateway, "unpriced")


def test_it_is_off_unless_it_is_set_and_can_be_switched_while_it_runs(entries: list[dict[str, Any]]) -> None:
    with Gateway.start({"model_list": entries}) as running:
        assert all("cost" not in usage_of(running, model) for model in MODELS)
        running.write_config({"model_list": entries, "litellm_settings": ON})
        eventually(lambda: "cost" in usage_of(running, "express"), "the cost is told")
