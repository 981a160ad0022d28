"""Prices are exact integers, whatever way they were written down."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.price import FEMTODOLLARS_PER_DOLLAR, FREE, Price, Tier, femtodollars


@pytest.mark.parametrize(
    ("dollars", "expected"),
    [
        (0, 0),
        (1, 10**15),
        (1.5e-07, 150_000_000),
        ("4e-07", 400_000_000),
        (" 0.00000015 ", 150_000_000),
        (Decimal("1.41953125E-7"), 141_953_125),
        (2.0000000000000002e-07, 200_000_000),
        (9.499999999999999e-07, 950_000_000),
    ],
)
def test_an_amount_becomes_whole_femtodollars(dollars: Decimal | float | str, expected: int) -> None:
    assert femtodollars(dollars) == expected


@pytest.mark.parametrize("wrong", ["", "cheap", "1,5", -1e-9, float("nan"), float("inf"), "-Infinity", 1_000_000])
def test_what_cannot_be_a_price_is_refused(wrong: float | str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        femtodollars(wrong)


@given(st.integers(0, 10**17))
def test_whole_femtodollars_survive_being_written_as_decimal_dollars(amount: int) -> None:
    assert femtodollars(str(Decimal(amount) / FEMTODOLLARS_PER_DOLLAR)) == amount


def test_a_tier_holds_above_its_threshold_and_not_at_it() -> None:
    high, higher = Price(2, 20), Price(3, 30)
    price = Price(1, 10, tiers=(Tier(128_000, high), Tier(200_000, higher)))
    assert price.at(0) is price
    assert price.at(128_000) is price
    assert price.at(128_001) is high
    assert price.at(200_000) is high
    assert price.at(200_001) is higher


def test_a_price_without_tiers_is_the_same_at_any_length() -> None:
    assert FREE.at(10**9) is FREE


@pytest.mark.parametrize(
    ("price", "free"),
    [
        (FREE, True),
        (Price(0, 0, cache_read=0), True),
        (Price(0, 0, audio_output=1), False),
        (Price(0, 0, per_request=1), False),
        (Price(0, 0, tiers=(Tier(1000, Price(0, 1)),)), False),
    ],
)
def test_only_a_price_that_can_never_charge_is_free(price: Price, *, free: bool) -> None:
    assert price.is_free is free
