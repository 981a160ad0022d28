"""Tokens become money exactly, each token once, at its own rate."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.accounting.price import cost_of
from pointsman.catalog.services import services_of
from pointsman.core.price import FREE, Price, Tier, UnitPrice
from pointsman.core.usage import NO_USAGE, Units, Usage

K = 1000
"""Femtodollars of a picodollar."""


def test_plain_tokens_cost_their_rates() -> None:
    assert cost_of(Usage(1000, 200, source="measured"), Price(3 * K, 15 * K)) == 1000 * 3 + 200 * 15


@pytest.mark.parametrize("price", [None, FREE])
def test_what_nobody_priced_and_what_is_free_costs_nothing(price: Price | None) -> None:
    assert cost_of(Usage(10**9, 10**9, source="measured"), price) == 0


def test_a_request_without_usage_costs_its_fee_alone() -> None:
    assert cost_of(NO_USAGE, Price(1, 1, per_request=7 * K)) == 7


@pytest.mark.parametrize(
    ("usage", "price", "cost"),
    [
        (Usage(100, 0, cached=60), Price(10 * K, 0, cache_read=K), 40 * 10 + 60),
        (Usage(100, 0, cached=60), Price(10 * K, 0), 100 * 10),
        (Usage(100, 0, cached=60), Price(10 * K, 0, cache_read=0), 40 * 10),
        (Usage(100, 0, cache_write=30), Price(10 * K, 0, cache_write=20 * K), 70 * 10 + 30 * 20),
        (
            Usage(100, 0, cached=50, cache_write=30),
            Price(10 * K, 0, cache_read=K, cache_write=20 * K),
            20 * 10 + 50 + 600,
        ),
        (Usage(0, 100, reasoning=80), Price(0, 10 * K, reasoning=20 * K), 20 * 10 + 80 * 20),
        (Usage(0, 100, reasoning=80), Price(0, 10 * K), 100 * 10),
        (
            Usage(100, 50, audio_input=40, audio_output=50),
            Price(K, 2 * K, audio_input=9 * K, audio_output=8 * K),
            60 + 360 + 400,
        ),
    ],
)
def test_special_tokens_are_charged_once_at_their_own_rate(usage: Usage, price: Price, cost: int) -> None:
    assert cost_of(usage, price) == cost


def test_an_upstream_that_counts_more_cached_tokens_than_tokens_earns_no_refund() -> None:
    assert cost_of(Usage(10, 5, cached=50, reasoning=9), Price(10 * K, 10 * K, cache_read=K, reasoning=K)) == 50 + 9


def test_part_of_a_picodollar_is_rounded_up_once_for_the_whole_call() -> None:
    assert cost_of(Usage(1, 0), Price(1, 0)) == 1
    assert cost_of(Usage(1000, 1), Price(1, 1)) == 2
    assert cost_of(Usage(1000, 0), Price(1, 0)) == 1


def test_the_tier_of_the_prompt_prices_all_tokens() -> None:
    price = Price(K, 2 * K, tiers=(Tier(1000, Price(5 * K, 7 * K)),))
    assert cost_of(Usage(1000, 10), price) == 1000 + 20
    assert cost_of(Usage(1001, 10), price) == 5005 + 70
    assert cost_of(Usage(1001, 10, cached=1001), price) == 5005 + 70


@pytest.mark.parametrize(
    ("service", "prompt", "cost"),
    [("", 1000, 1000), ("", 1001, 5005), ("priority", 1000, 3000), ("priority", 1001, 9009), ("flex", 1001, 500.5),
     ("scale", 1001, 5005)],
)  # fmt: skip
def test_a_service_tier_has_prices_of_its_own_by_length_and_an_unknown_one_none(
    service: str, prompt: int, cost: float
) -> None:
    its = (Tier(-1, Price(3 * K, 0), "priority"), Tier(1000, Price(9 * K, 0), "priority"))
    price = Price(K, 0, tiers=(Tier(1000, Price(5 * K, 0)), *its, Tier(-1, Price(K // 2, 0), "flex")))
    assert cost_of(Usage(prompt, 0, service=service), price) == math.ceil(cost)
    assert services_of(price) == {"priority", "flex"}


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**12), st.integers(0, 10**12))
def test_the_bound_that_is_reserved_is_what_plain_tokens_cost(
    prompt: int, completion: int, rate: int, out: int
) -> None:
    price = Price(rate, out, per_request=3)
    assert price.bound(prompt, completion) == cost_of(Usage(prompt, completion), price)


def test_units_are_charged_beside_tokens() -> None:
    price = Price(1000, 2000, units=UnitPrice(image=40_000, character=1000, second=3000, query=5000))
    units = Units(images=2, characters=10, milliseconds=1500, queries=3)
    assert cost_of(Usage(7, 5, units=units), price) == 7 + 10 + 80 + 10 + 15 + 5
    assert cost_of(Usage(7, 5, units=units), Price(1000, 2000)) == 17
    assert cost_of(Usage(7, 5), price) == 17


def test_tokens_of_pictures_have_their_own_price_and_are_charged_once() -> None:
    price = Price(1000, 2000, units=UnitPrice(image_input=10_000, image_output=40_000))
    usage = Usage(50, 30, units=Units(images=1, image_input=40, image_output=30))
    assert cost_of(usage, price) == 10 + 400 + 1200
    plain = Price(1000, 2000, units=UnitPrice(image=1))
    assert cost_of(usage, plain) == 50 + 60 + 1


def test_the_bound_of_units_is_never_below_what_a_plain_call_costs() -> None:
    assert UnitPrice(image=40_000, query=1).bound(2, 10) == 81
    assert UnitPrice(character=1000, second=1000).bound(1, 10) == 40 + 60
