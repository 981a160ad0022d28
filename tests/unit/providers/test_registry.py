"""Providers are rows, and a model string means one of them."""

from __future__ import annotations

import pytest

from pointsman.providers.registry import BEDROCK, OLLAMA, Provider, find_provider, providers, split_model
from pointsman.providers.transport import Origin


@pytest.mark.parametrize("name", sorted(providers()))
def test_every_row_has_a_usable_address_and_names_of_variables(name: str) -> None:
    provider = providers()[name]
    assert name == provider.name or provider in (OLLAMA, BEDROCK)
    if provider.api_base is not None:
        origin = Origin.parse(provider.api_base)
        assert not provider.api_base.endswith("/")
        assert origin.tls is not provider.local, "local servers speak plain HTTP, everybody else TLS"
    assert all(variable.isupper() and variable.isidentifier() for variable in (*provider.keys, *provider.bases))


def test_ollama_is_known_under_both_of_its_names() -> None:
    assert find_provider("ollama") is find_provider("ollama_chat") is OLLAMA
    assert find_provider("no-such-provider") is None


def test_the_environment_wins_over_the_usual_address_in_the_order_of_its_names() -> None:
    provider = Provider("p", api_base="http://usual", keys=("KEY_A", "KEY_B"), bases=("BASE_A", "BASE_B"))
    assert provider.base_in({}) == "http://usual" and provider.key_in({}) is None
    assert provider.base_in({"BASE_A": "", "BASE_B": "http://b"}) == "http://b"
    assert provider.base_in({"BASE_A": "http://a", "BASE_B": "http://b"}) == "http://a"
    assert provider.key_in({"KEY_A": "", "KEY_B": "b"}) == "b"


@pytest.mark.parametrize(
    ("model", "forced", "has_base", "expected"),
    [
        ("openai/gpt-4o", None, False, ("openai", "gpt-4o")),
        ("gpt-4o", None, False, ("openai", "gpt-4o")),
        ("ollama_chat/llama3.2:1b", None, False, ("ollama_chat", "llama3.2:1b")),
        ("hosted_vllm/meta-llama/Llama-3", None, True, ("hosted_vllm", "meta-llama/Llama-3")),
        ("meta-llama/Llama-3", None, True, ("openai", "meta-llama/Llama-3")),
        ("bedrock/claude", None, False, ("bedrock", "claude")),
        ("openai/gpt-4o", None, True, ("openai", "gpt-4o")),
        ("meta-llama/Llama-3", "hosted_vllm", True, ("hosted_vllm", "meta-llama/Llama-3")),
        ("openai/gpt-4o", "openai", False, ("openai", "gpt-4o")),
        ("openai/gpt-4o", "hosted_vllm", False, ("hosted_vllm", "openai/gpt-4o")),
        ("openai/*", None, False, ("openai", "*")),
        ("openai/", None, False, ("openai", "")),
    ],
)
def test_a_model_string_is_a_provider_and_the_upstreams_name(
    model: str, forced: str | None, has_base: bool, expected: tuple[str, str]
) -> None:
    assert split_model(model, forced, has_base=has_base) == expected
