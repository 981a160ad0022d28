"""What the catalogue answers, on known rows of the packaged file and on the operator's word."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.catalog.lookup import REMEMBERED_MAX, Catalog
from pointsman.catalog.models import ModelFacts
from pointsman.catalog.overrides import merge, read_overrides
from pointsman.core.price import FREE, Price, UnitPrice


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog()


def price_of(catalog: Catalog, provider: str, model: str) -> Price:
    facts = catalog.facts(provider, model)
    assert facts is not None and facts.price is not None
    return facts.price


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        # 0.15, 0.60 and 0.075 USD per million tokens
        ("openai", "gpt-4o-mini", Price(150_000_000, 600_000_000, cache_read=75_000_000)),
        # 2.50, 10, 1.25
        ("openai", "gpt-4o", Price(2_500_000_000, 10_000_000_000, cache_read=1_250_000_000)),
        # 3, 15, 0.30, 3.75
        ("anthropic", "claude-sonnet-4-5", Price(3 * 10**9, 15 * 10**9, 300_000_000, 3_750_000_000)),
        # 0.02
        ("openai", "text-embedding-3-small", Price(20_000_000, 0)),
        # as published: 1.41953125e-7, 3.99625e-7 and 3.59375e-8 USD per token
        ("morph", "morph-dsv4flash", Price(141_953_125, 399_625_000, cache_read=35_937_500)),
        # half a cent per request on top of the tokens
        ("perplexity", "pplx-7b-online", Price(0, 280_000_000, per_request=5_000_000_000_000)),
        # audio costs more than text
        (
            "gemini",
            "gemini-2.5-flash",
            Price(300_000_000, 2_500_000_000, 30_000_000, reasoning=2_500_000_000, audio_input=10**9),
        ),
        # only in genai-prices
        ("openrouter", "anthropic/claude-haiku-4.5", Price(10**9, 5 * 10**9, 100_000_000, 1_250_000_000)),
    ],
)
def test_known_prices_are_exact(catalog: Catalog, provider: str, model: str, expected: Price) -> None:
    price = price_of(catalog, provider, model)
    lengths = tuple(tier for tier in price.tiers if not tier.service)
    assert msgspec.structs.replace(price, tiers=lengths) == expected


@pytest.mark.parametrize(
    ("model", "service", "prompt", "expected"),
    [
        ("gpt-4o", "priority", 9, Price(4_250_000_000, 17 * 10**9, 2_125_000_000)),
        ("gpt-5", "flex", 9, Price(625_000_000, 5 * 10**9, 62_500_000)),
        ("gpt-6-astra", "priority", 272_000, Price(20 * 10**9, 100 * 10**9, 2 * 10**9, 25 * 10**9)),
        ("gpt-6-astra", "priority", 272_001, Price(40 * 10**9, 150 * 10**9, 4 * 10**9, 50 * 10**9)),
        ("gpt-6-astra", "flex", 272_001, Price(10 * 10**9, 37_500_000_000, 10**9, 12_500_000_000)),
    ],
)
def test_service_tiers_have_their_prices(
    catalog: Catalog, model: str, service: str, prompt: int, expected: Price
) -> None:
    assert price_of(catalog, "openai", model).at(prompt, service) == expected


def test_a_long_prompt_costs_its_tier(catalog: Catalog) -> None:
    price = price_of(catalog, "gemini", "gemini-2.5-pro")
    assert (price.at(200_000).input, price.at(200_000).output) == (1_250_000_000, 10_000_000_000)
    assert (price.at(200_001).input, price.at(200_001).output) == (2_500_000_000, 15_000_000_000)
    assert price.at(200_001).cache_read == 250_000_000


def test_a_price_list_by_ranges_is_read_as_tiers(catalog: Catalog) -> None:
    price = price_of(catalog, "dashscope", "qwen-flash")
    assert (price.at(256_000).input, price.at(256_001).input) == (50_000_000, 250_000_000)


def test_limits_mode_and_capabilities_are_known(catalog: Catalog) -> None:
    facts = catalog.facts("openai", "gpt-4o-mini")
    assert facts is not None
    assert (facts.context_tokens, facts.output_tokens_max, facts.mode) == (128_000, 16_384, "chat")
    assert facts.capabilities >= {"vision", "tools", "parallel_tools", "response_schema", "prompt_caching"}
    assert "reasoning" not in facts.capabilities
    assert facts.source == "litellm 1.109.1"


def test_what_is_charged_by_units_that_nobody_counts_has_no_price_rather_than_none_to_pay(catalog: Catalog) -> None:
    facts = catalog.facts("gemini", "lyria-3-pro-preview")
    assert facts is not None and facts.price is None


@pytest.mark.parametrize(
    ("provider", "model", "units"),
    [
        ("openai", "whisper-1", UnitPrice(second=100_000_000_000)),
        ("openai", "tts-1", UnitPrice(character=15_000_000_000)),
        ("openai", "gpt-image-1", UnitPrice(image_input=10_000_000_000, image_output=40_000_000_000)),
        ("cohere", "rerank-v3.5", UnitPrice(query=2_000_000_000_000)),
    ],
)
def test_seconds_characters_queries_and_tokens_of_pictures_have_prices(
    catalog: Catalog, provider: str, model: str, units: UnitPrice
) -> None:
    facts = catalog.facts(provider, model)
    assert facts is not None and facts.price is not None and facts.price.units == units


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("no-such-provider", "gpt-4o-mini"),
        ("mistral", "gpt-4o-mini"),
        ("openai", ""),
        ("openai", "a" * 100_000),
        ("openai", "gpt-4o-mini\t["),
        ("openai", "sample_spec"),
        ("openai", "fallback_generalizations"),
    ],
)
def test_an_unknown_model_is_unknown(catalog: Catalog, provider: str, model: str) -> None:
    assert catalog.facts(provider, model) is None


@pytest.mark.parametrize(
    ("provider", "model", "key"),
    [
        ("openai", "openai/gpt-4o-mini", "gpt-4o-mini"),
        ("OpenAI", "GPT-4o-Mini", "gpt-4o-mini"),
        ("azure", "gpt-4o-mini", "azure/gpt-4o-mini"),
        ("azure_ai", "gpt-4o", "gpt-4o"),
        ("openai", "gpt-4o-mini-2031-01-31", "gpt-4o-mini"),
        ("bedrock", "converse/us.meta.llama3-3-70b-instruct-v1:0", "us.meta.llama3-3-70b-instruct-v1:0"),
        ("anthropic", "claude-haiku-4-5-latest", "claude-haiku-4-5"),
        ("ollama", "llama3.1:8b", "ollama/llama3.1"),
        ("ollama", "llama3:70b", "ollama/llama3:70b"),
    ],
)
def test_a_name_finds_the_row_it_means(catalog: Catalog, provider: str, model: str, key: str) -> None:
    facts = catalog.facts(provider, model)
    assert facts is not None and facts.key == key


def test_a_base_model_decides_where_the_name_says_nothing(catalog: Catalog) -> None:
    assert catalog.facts("azure", "my-deployment") is None
    for base_model in ("azure/gpt-4o-mini", "gpt-4o-mini"):
        facts = catalog.facts("azure", "my-deployment", base_model=base_model)
        assert facts is not None and facts.key == base_model


def test_an_unknown_base_model_leaves_the_name_to_decide(catalog: Catalog) -> None:
    facts = catalog.facts("openai", "gpt-4o-mini", base_model="no-such-row")
    assert facts is not None and facts.key == "gpt-4o-mini"


@pytest.mark.parametrize("provider", ["ollama", "ollama_chat", "lm_studio", "hosted_vllm", "llamafile", "llama.cpp"])
def test_local_models_are_free_even_if_nobody_knows_them(catalog: Catalog, provider: str) -> None:
    assert catalog.facts(provider, "me/mine:q4") == ModelFacts(key="me/mine:q4", source="local", price=FREE)


def test_the_operator_may_charge_for_a_local_model(catalog: Catalog) -> None:
    said = read_overrides({"output_cost_per_token": 1e-06})
    facts = merge(catalog.facts("ollama", "ollama/mine"), said, name="mine")
    assert facts.price == Price(0, 10**9)
    assert facts.source == "local + operator"


def test_the_operators_word_wins_and_leaves_the_first_catalogue_alone(catalog: Catalog) -> None:
    said = read_overrides({"max_input_tokens": 1000, "input_cost_per_token": "0", "output_cost_per_token": "0"})
    facts = merge(catalog.facts("openai", "gpt-4o-mini"), said, name="gpt-4o-mini")
    assert (facts.context_tokens, facts.price) == (1000, FREE)
    assert "vision" in facts.capabilities
    assert price_of(catalog, "openai", "gpt-4o-mini").input == 150_000_000


def test_the_operator_may_describe_a_model_nobody_knows(catalog: Catalog) -> None:
    said = read_overrides({"max_input_tokens": 7, "supports_vision": True})
    facts = merge(catalog.facts("openai", "mine"), said, name="mine")
    assert facts == ModelFacts("mine", "operator", context_tokens=7, capabilities=frozenset({"vision"}))


def test_what_is_remembered_is_bounded() -> None:
    catalog = Catalog()
    for number in range(REMEMBERED_MAX + 10):
        catalog.facts("openai", f"no-such-model-{number}")
    assert len(catalog._remembered) <= REMEMBERED_MAX
    assert price_of(catalog, "openai", "gpt-4o-mini").output == 600_000_000


def test_the_catalogue_tells_its_provenance(catalog: Catalog) -> None:
    assert [source.name for source in catalog.header.sources] == ["litellm", "genai-prices"]
