"""Each threshold of a budget is noticed once, in the period in which a call of this process passes it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pointsman.policies.accounts import Account
from pointsman.policies.alerting import Crossing, Watch
from pointsman.policies.principal import Principal
from pointsman.stores.directory.records import Limits, ModelLimits
from tests.unit.policies.desk import key_record


def watched(**limits: int | str) -> tuple[Account, list[Crossing]]:
    told: list[Crossing] = []
    account = Account("team", "t")
    account.adopt_limits(Limits(**limits))  # type: ignore[arg-type] # as they are given
    account.watch_with(Watch((80, 95), told.append))
    return account, told


def kinds(told: list[Crossing]) -> list[tuple[str, int | None]]:
    return [(one.kind, one.percent) for one in told]


def test_thresholds_are_told_in_their_order_and_once() -> None:
    account, told = watched(max_budget=100, soft_budget=40)
    for _ in range(12):
        account.settle(10)
    assert kinds(told) == [
        ("soft_budget_crossed", None), ("projected_limit_exceeded", 50), ("threshold_crossed", 80),
        ("budget_crossed", 100),
    ]  # fmt: skip
    assert (told[0].spent, told[0].scope, told[0].team_id) == (40, "team", "t")


def test_a_leap_tells_the_highest_of_a_budget_and_the_soft_one() -> None:
    account, told = watched(max_budget=100, soft_budget=40)
    account.settle(96)
    assert kinds(told) == [("soft_budget_crossed", None), ("threshold_crossed", 95)]


def test_what_others_have_spent_is_not_told_again() -> None:
    account, told = watched(max_budget=100)
    account.take_spent(90, None)
    account.settle(2)
    account.settle(3)
    assert kinds(told) == [("threshold_crossed", 95)]


def test_a_new_period_begins_with_all_thresholds() -> None:
    account, told = watched(max_budget=100)
    account.settle(90)
    account.stored(90)
    account.take_spent(0, 500.0)
    account.settle(90)
    assert kinds(told) == [("threshold_crossed", 80)] * 2


def test_a_raised_budget_has_new_thresholds() -> None:
    account, told = watched(max_budget=100)
    account.settle(90)
    account.adopt_limits(Limits(max_budget=200))
    account.settle(70)
    assert kinds(told) == [("threshold_crossed", 80)] * 2


def test_keys_and_single_models_are_watched_too() -> None:
    told: list[Crossing] = []
    principal = Principal(key_record(max_budget=100, user_id="u", team_id="t"))
    principal.watch_with(Watch((80,), told.append))
    principal.settle(80)
    account = Account("team", "t")
    account.adopt_limits(Limits(model_limits={"m": ModelLimits(max_budget=10)}))
    account.watch_with(Watch((80,), told.append))
    account.models["m"].settle(10)
    assert [(one.scope, one.model, one.user_id, one.team_id) for one in told] == [
        ("key", "", "u", "t"), ("team", "m", None, "t"),
    ]  # fmt: skip


@given(st.lists(st.integers(1, 60), max_size=30), st.integers(1, 300), st.integers(0, 300))
def test_every_threshold_below_what_is_spent_was_told_of_at_most_once(costs: list[int], budget: int, soft: int) -> None:
    account, told = watched(max_budget=budget, soft_budget=soft)
    for cost in costs:
        account.settle(cost)
    said = kinds(told)
    assert len(said) == len(set(said))
    assert (("budget_crossed", 100) in said) == (account.spent >= budget)
    assert (("soft_budget_crossed", None) in said) == (soft > 0 and account.spent >= soft)
