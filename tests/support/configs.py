"""Pieces of a config.yaml."""

from __future__ import annotations

from typing import Any

from tests.upstreams import FakeAnthropic, FakeBedrock, FakeOllama, FakeOpenAI

__all__ = ["ONE_ATTEMPT", "anthropic_entry", "bedrock_entry", "ollama_entry", "openai_entry"]


ONE_ATTEMPT: dict[str, Any] = {"router_settings": {"num_retries": 0}}
"""For journeys about an upstream's failure and not about what makes it good."""


def anthropic_entry(name: str, upstream: FakeAnthropic, **params: Any) -> dict[str, Any]:
    """A ``model_list`` entry that goes to a server with Anthropic's API."""
    return {
        "model_name": name,
        "litellm_params": {
            "model": "anthropic/claude-real",
            "api_base": upstream.url,
            "api_key": "sk-ant-up-0123456789",
            **params,
        },
    }


def openai_entry(
    name: str, upstream: FakeOpenAI | str, info: dict[str, Any] | None = None, **params: Any
) -> dict[str, Any]:
    """A ``model_list`` entry that goes to an OpenAI-compatible server."""
    base = upstream if isinstance(upstream, str) else upstream.base_url
    entry: dict[str, Any] = {
        "model_name": name,
        "litellm_params": {"model": "openai/fake-model", "api_base": base, "api_key": "sk-up", **params},
    }
    return {**entry, "model_info": info} if info else entry


def ollama_entry(
    name: str, upstream: FakeOllama | str, model: str, info: dict[str, Any] | None = None, **params: Any
) -> dict[str, Any]:
    """A ``model_list`` entry that goes to Ollama's native API."""
    base = upstream if isinstance(upstream, str) else upstream.url
    entry: dict[str, Any] = {
        "model_name": name,
        "litellm_params": {"model": f"ollama_chat/{model}", "api_base": base, **params},
    }
    return {**entry, "model_info": info} if info else entry


def bedrock_entry(name: str, upstream: FakeBedrock, model: str, **params: Any) -> dict[str, Any]:
    """A ``model_list`` entry that goes to Amazon Bedrock."""
    fields = {"aws_bedrock_runtime_endpoint": upstream.url, "aws_region_name": upstream.region, **params}
    return {"model_name": name, "litellm_params": {"model": f"bedrock/{model}", **fields}}
