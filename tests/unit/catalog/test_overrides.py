"""The operator's word: read in LiteLLM's keys, exact, refused when it cannot be meant, and stronger than the file."""

from __future__ import annotations

import pytest

from pointsman.catalog.models import ModelFacts
from pointsman.catalog.overrides import NO_OVERRIDES, merge, read_overrides
from pointsman.catalog.services import services_of
from pointsman.core.errors import Misconfigured
from pointsman.core.price import Price, Tier

KNOWN = ModelFacts(
    key="m",
    source="list 1.0",
    context_tokens=1000,
    output_tokens_max=100,
    mode="chat",
    capabilities=frozenset({"tools", "vision"}),
    price=Price(10, 20, cache_read=1, cache_write=12, reasoning=30, audio_input=40, tiers=(Tier(500, Price(11, 21)),)),
)


def test_unknown_keys_and_nulls_say_nothing() -> None:
    assert read_overrides({"id": "x", "team": [1], "mode": None, "input_cost_per_token": None}) == NO_OVERRIDES
    assert merge(KNOWN, NO_OVERRIDES) is not None
    assert merge(KNOWN, NO_OVERRIDES) == KNOWN


def test_limits_mode_and_capabilities_replace_what_was_known() -> None:
    said = read_overrides(
        {
            "max_input_tokens": "4096",
            "max_tokens": 512.0,
            "mode": "completion",
            "supports_vision": False,
            "supports_reasoning": True,
        }
    )
    facts = merge(KNOWN, said)
    assert (facts.context_tokens, facts.output_tokens_max, facts.mode) == (4096, 512, "completion")
    assert facts.capabilities == {"tools", "reasoning"}
    assert facts.price == KNOWN.price
    assert facts.source == "list 1.0 + operator"


def test_max_output_tokens_is_stronger_than_the_older_max_tokens() -> None:
    assert read_overrides({"max_tokens": 1, "max_output_tokens": 2}).output_tokens_max == 2


@pytest.mark.parametrize("written", [1.5e-07, "1.5e-07", "0.00000015"])
def test_a_price_is_exact_however_it_is_written(written: object) -> None:
    facts = merge(None, read_overrides({"input_cost_per_token": written}), name="mine")
    assert facts == ModelFacts(key="mine", source="operator", price=Price(150_000_000, 0))


def test_each_kind_of_token_has_its_key() -> None:
    facts = merge(
        None,
        read_overrides(
            {
                "input_cost_per_token": 1e-15,
                "output_cost_per_token": 2e-15,
                "cache_read_input_token_cost": 3e-15,
                "cache_creation_input_token_cost": 4e-15,
                "output_cost_per_reasoning_token": 5e-15,
                "input_cost_per_audio_token": 6e-15,
                "output_cost_per_audio_token": 7e-15,
                "input_cost_per_request": 8e-15,
            }
        ),
    )
    assert facts.price == Price(1, 2, 3, 4, 5, 6, 7, 8)


def test_a_new_input_price_drops_the_known_prices_that_went_with_the_old_one() -> None:
    price = merge(KNOWN, read_overrides({"input_cost_per_token": 5e-15})).price
    assert price == Price(5, 20, reasoning=30)


def test_a_new_output_price_drops_the_known_prices_that_went_with_the_old_one() -> None:
    price = merge(KNOWN, read_overrides({"output_cost_per_token": 5e-15})).price
    assert price == Price(10, 5, cache_read=1, cache_write=12, audio_input=40)


def test_a_price_of_cached_tokens_alone_leaves_the_rest_as_it_was() -> None:
    price = merge(KNOWN, read_overrides({"cache_read_input_token_cost": 0})).price
    assert price is not None and KNOWN.price is not None
    assert (price.cache_read, price.input, price.tiers) == (0, 10, KNOWN.price.tiers)


def test_tiers_change_what_they_name_and_keep_the_rest_of_the_tier_below() -> None:
    price = merge(
        None,
        read_overrides(
            {
                "input_cost_per_token": 1e-15,
                "output_cost_per_token": 2e-15,
                "cache_read_input_token_cost": 3e-15,
                "input_cost_per_token_above_200k_tokens": 20e-15,
                "input_cost_per_token_above_128k_tokens": 10e-15,
                "output_cost_per_token_above_128k_tokens": 11e-15,
                "input_cost_per_token_above_200k_tokens_priority": 99e-15,
            }
        ),
    ).price
    assert price is not None
    assert price.at(128_000) is price
    assert price.at(128_001) == Price(10, 11, cache_read=3)
    assert price.at(200_001) == Price(20, 11, cache_read=3)
    assert price.at(128_001, "priority") == price.at(128_001)
    assert price.at(200_001, "priority") == Price(99, 11, cache_read=3)


def test_a_service_tier_costs_the_usual_where_it_says_nothing_but_thinking_follows_writing() -> None:
    said = {
        "input_cost_per_token": 10e-15, "output_cost_per_token": 20e-15, "cache_read_input_token_cost": 3e-15,
        "output_cost_per_reasoning_token": 30e-15, "input_cost_per_token_above_128k_tokens": 15e-15,
        "output_cost_per_token_priority": 40e-15, "cache_read_input_token_cost_flex": 1e-15,
        "input_cost_per_token_above_128k_tokens_flex": 7e-15, "input_cost_per_token_batches": 1e-15,
    }  # fmt: skip
    price = merge(None, read_overrides(said)).price
    assert price is not None and services_of(price) == {"flex", "priority"}
    assert price.at(9, "priority") == Price(10, 40, cache_read=3)
    assert price.at(128_001, "priority") == Price(15, 40, cache_read=3)
    assert price.at(9, "flex") == Price(10, 20, cache_read=1, reasoning=30)
    assert price.at(128_001, "flex") == Price(7, 20, cache_read=1, reasoning=30)


def test_an_operators_price_of_a_service_tier_stands_beside_the_known_ones() -> None:
    known = merge(KNOWN, read_overrides({"input_cost_per_token_flex": 5e-15}))
    price = merge(known, read_overrides({"input_cost_per_token_priority": 50e-15})).price
    assert price is not None and KNOWN.price is not None
    assert (price.at(9, "flex").input, price.at(9, "priority").input, price.at(9).input) == (5, 50, 10)
    assert price.at(501) == KNOWN.price.at(501)
    assert price.at(501, "priority").input == 11
    assert merge(known, read_overrides({"input_cost_per_token": 1e-15})).price == Price(1, 20, reasoning=30)


def test_a_threshold_may_be_written_without_the_k() -> None:
    price = merge(None, read_overrides({"input_cost_per_token_above_512_tokens": 1e-15})).price
    assert price is not None and price.at(513).input == 1 and price.at(512).input == 0


def test_a_tiered_price_list_stands_alone_in_each_of_its_ranges() -> None:
    rows = [
        {"range": [32_000, 128_000], "input_cost_per_token": "3e-15", "output_cost_per_token": "4e-15"},
        {
            "range": [0, 32_000.0],
            "input_cost_per_token": "1e-15",
            "output_cost_per_token": "2e-15",
            "cache_read_input_token_cost": "0",
        },
    ]
    price = merge(None, read_overrides({"tiered_pricing": rows})).price
    assert price is not None
    assert (price.at(32_000).input, price.at(32_000).cache_read) == (1, 0)
    assert (price.at(32_001).input, price.at(32_001).cache_read, price.at(32_001).reasoning) == (3, 3, 4)
    assert price.at(10**9).input == 3


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("input_cost_per_token", "free"),
        ("input_cost_per_token", True),
        ("input_cost_per_token", []),
        ("output_cost_per_token", -1e-6),
        ("output_cost_per_token_above_200k_tokens", "x"),
        ("max_input_tokens", "many"),
        ("max_input_tokens", 1.5),
        ("max_input_tokens", -1),
        ("max_input_tokens", float("nan")),
        ("max_output_tokens", True),
        ("max_tokens", 10**12),
        ("mode", 3),
        ("supports_vision", "yes"),
        ("tiered_pricing", {}),
        ("tiered_pricing", []),
        ("tiered_pricing", [{"input_cost_per_token": 1}]),
        ("tiered_pricing", ["x"]),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_the_name_of_its_key(key: str, wrong: object) -> None:
    with pytest.raises(Misconfigured, match=f"^{key}:"):
        read_overrides({key: wrong})
