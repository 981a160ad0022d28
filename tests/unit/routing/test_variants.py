"""Callers stay in their arm, and a change of weights moves no more of them than it must."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.routing.variants import Arm, arm_of

CALLERS = [f"key:{number}" for number in range(4_000)]


def dealt(*weights: float, salt: str = "chat") -> dict[str, str]:
    arms = [Arm(f"arm{number}", weight) for number, weight in enumerate(weights)]
    return {caller: arm_of(arms, salt, caller).name for caller in CALLERS}


def share(arms: dict[str, str], name: str) -> float:
    return list(arms.values()).count(name) / len(arms)


def test_each_arm_gets_its_share() -> None:
    arms = dealt(70, 25, 5)
    assert share(arms, "arm0") == pytest.approx(0.70, abs=0.03)
    assert share(arms, "arm1") == pytest.approx(0.25, abs=0.03)
    assert share(arms, "arm2") == pytest.approx(0.05, abs=0.02)


def test_a_caller_stays_where_it_is() -> None:
    assert dealt(95, 5) == dealt(95, 5)


def test_more_percent_move_callers_into_the_canary_and_none_back() -> None:
    before, after = dealt(95, 5), dealt(90, 10)
    moved = {(before[caller], after[caller]) for caller in CALLERS if before[caller] != after[caller]}
    assert moved == {("arm0", "arm1")}
    assert share(after, "arm1") == pytest.approx(0.10, abs=0.02)


def test_an_arm_that_is_raised_takes_from_the_others_alone() -> None:
    before, after = dealt(50, 30, 20), dealt(50, 30, 40)
    assert {after[caller] for caller in CALLERS if before[caller] != after[caller]} == {"arm2"}


def test_a_new_arm_moves_nobody_between_the_old_ones() -> None:
    before, after = dealt(60, 40), dealt(60, 40, 10)
    assert {after[caller] for caller in CALLERS if before[caller] != after[caller]} == {"arm2"}


def test_another_salt_deals_anew_and_independently() -> None:
    one, other = dealt(50, 50), dealt(50, 50, salt="other")
    both = sum(one[caller] == other[caller] for caller in CALLERS) / len(CALLERS)
    assert both == pytest.approx(0.5, abs=0.05)


def test_an_arm_without_weight_gets_nobody() -> None:
    assert set(dealt(0, 1).values()) == {"arm1"} and set(dealt(100, 0).values()) == {"arm0"}


@given(st.text(), st.text(), st.lists(st.floats(0.001, 1e6), min_size=1, max_size=6))
def test_any_caller_has_an_arm(salt: str, caller: str, weights: list[float]) -> None:
    arms = [Arm(f"arm{number}", weight) for number, weight in enumerate(weights)]
    assert arm_of(arms, salt, caller) is arm_of(arms, salt, caller)
