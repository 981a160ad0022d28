"""Providers are rows, and a model string means one of them."""

from __future__ import annotations

from collections import Counter

import pytest

from pointsman.dialects.droppable import HINTS
from pointsman.dialects.openai_chat.types import ChatRequest
from pointsman.providers.registry import (
    AZURE,
    BEDROCK,
    COHERE,
    OLLAMA,
    VERTEX,
    Habits,
    Provider,
    find_provider,
    providers,
    split_model,
)
from pointsman.providers.transport import Origin

_FIELDS = frozenset(ChatRequest.__struct_fields__)


@pytest.mark.parametrize("name", sorted(providers()))
def test_every_row_has_a_usable_address_and_names_of_variables(name: str) -> None:
    provider = providers()[name]
    assert name == provider.name or provider in (AZURE, BEDROCK, COHERE, OLLAMA, VERTEX)
    variables = (*provider.keys, *provider.bases, *provider.needs)
    assert all(variable.isupper() and variable.isidentifier() for variable in variables)
    assert len(set(provider.keys)) == len(provider.keys) and len(set(provider.bases)) == len(provider.bases)
    base = provider.base_in(dict.fromkeys(provider.needs, "some-account"))
    if provider.api_base is None:
        assert base is None
        return
    assert base is not None and "{" not in base and not base.endswith("/")
    assert Origin.parse(base).tls is not provider.local, "local servers speak plain HTTP, everybody else TLS"


@pytest.mark.parametrize("name", sorted(providers()))
def test_every_row_says_what_it_is_and_where_that_is_described(name: str) -> None:
    provider = providers()[name]
    assert provider.title and provider.title.isprintable() and provider.title == provider.title.strip()
    assert provider.serves and len(set(provider.serves)) == len(provider.serves)
    assert Origin.parse(provider.docs).tls
    assert all(tail.startswith("/") for tail in (*provider.base_strips, provider.base_tail or "/"))


@pytest.mark.parametrize("name", sorted(providers()))
def test_the_habits_of_every_row_name_fields_of_a_request_and_do_not_contradict_one_another(name: str) -> None:
    habits = providers()[name].chat
    refused = {*habits.refuses, *(field for fields in habits.refuses_by_model.values() for field in fields)}
    assert {*habits.renames, *habits.drops, *refused} <= _FIELDS | HINTS
    assert all(other.isidentifier() for other in habits.renames.values())
    assert refused.isdisjoint(habits.drops) and refused.isdisjoint(habits.renames.values())
    assert not set(habits.renames) & set(habits.renames.values())


@pytest.mark.parametrize("name", sorted(providers()))
def test_habits_of_embeddings_are_names_and_nothing_else(name: str) -> None:
    habits = providers()[name].embedding
    assert habits == Habits(renames=habits.renames, drops=habits.drops, refuses=habits.refuses)
    assert {*habits.renames, *habits.drops, *habits.refuses} <= {"dimensions", "encoding_format", "user"}


def test_no_two_rows_are_the_same_service_under_the_same_title() -> None:
    titles = Counter(provider.title for provider in {id(row): row for row in providers().values()}.values())
    assert [title for title, count in titles.items() if count > 1] == []


def test_an_address_is_made_from_the_variables_that_it_needs() -> None:
    provider = Provider("p", api_base="https://host/{ACCOUNT_ID}/v1", bases=("BASE",))
    assert provider.needs == ("ACCOUNT_ID",)
    assert provider.base_in({"ACCOUNT_ID": "a-1"}) == "https://host/a-1/v1"
    assert provider.base_in({}) is None
    assert provider.base_in({"ACCOUNT_ID": "x/../y"}) is None, "an account is no path"
    assert provider.base_in({"BASE": "https://own"}) == "https://own"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://own", "https://own/v1"),
        ("https://own/v1/", "https://own/v1"),
        ("https://own/v1/chat/completions", "https://own/v1"),
    ],
)
def test_an_operators_address_is_completed_as_litellm_completes_it(given: str, expected: str) -> None:
    provider = Provider("p", base_tail="/v1", base_strips=("/chat/completions",), bases=("BASE",))
    assert provider.completed(given) == provider.base_in({"BASE": given}) == expected


@pytest.mark.parametrize(
    "given",
    [
        "https://api.cohere.com",
        "https://api.cohere.com/v2/chat",
        "https://api.cohere.com/v1",
        "https://api.cohere.com/",
    ],
)
def _x_as_litellms_users_write_it(given: str) -> None:
    assert COHERE.completed(given) == "https://api.cohere.com"


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


def test_a_partner_goes_behind_the_model_at_hugging_faces_router_only() -> None:
    provider = providers()["huggingface"]
    base = provider.base_in({})
    assert base is not None
    assert provider.upstream_model("together/deepseek-ai/DeepSeek-R1", base) == "deepseek-ai/DeepSeek-R1:together"
    assert provider.upstream_model("deepseek-ai/DeepSeek-R1", base) == "deepseek-ai/DeepSeek-R1"
    assert provider.upstream_model("a/b/c", "http://own-tgi/v1") == "a/b/c"
    assert providers()["openrouter"].upstream_model("a/b/c", "https://openrouter.ai/api/v1") == "a/b/c"
