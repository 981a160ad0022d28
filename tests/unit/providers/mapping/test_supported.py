"""Which of OpenAI's parameters have an effect at a deployment."""

from __future__ import annotations

from typing import Any

from pointsman.core.upstream import Deployment
from pointsman.providers.mapping import supported_openai_params


def supported(provider: str, **fields: Any) -> set[str]:
    deployment = Deployment("d", "m", provider, "some-model", f"{provider}/some-model", "http://x", None, **fields)
    found = supported_openai_params(deployment)
    assert found is not None and len(found) == len(set(found))
    return set(found)


def test_what_the_upstreams_dialect_has_a_word_for() -> None:
    everywhere = {
        "stream",
        "stop",
        "temperature",
        "top_p",
        "max_tokens",
        "max_completion_tokens",
        "tools",
        "tool_choice",
    }
    for provider in ("openai", "groq", "anthropic", "ollama", "ollama_chat"):
        assert everywhere <= supported(provider)
    assert "seed" in supported("ollama") and "seed" not in supported("anthropic")
    assert "logit_bias" in supported("openai") and "logit_bias" not in supported("ollama")
    assert "metadata" not in supported("ollama")


def test_what_the_model_can_do_counts() -> None:
    assert "response_format" not in supported("anthropic")
    assert "response_format" in supported("anthropic", capabilities=frozenset({"response_schema"}))


def test_the_operators_rules_do_not() -> None:
    assert "seed" not in supported("anthropic", drop_params=True)
    assert "temperature" in supported("anthropic", additional_drop_params=("temperature",))
    assert "seed" not in supported("anthropic", allowed_openai_params=("seed",))


def test_embeddings_have_their_own() -> None:
    assert supported("openai", mode="embedding") == {"dimensions", "encoding_format", "user"}
