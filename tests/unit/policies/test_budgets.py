"""A budget refuses once it is spent or held, says what can be done, and never stands in the way of what is free."""

from __future__ import annotations

import pytest

from pointsman.core.errors import BudgetExceeded
from pointsman.policies.accounts import Account, merged
from pointsman.policies.budgets import demand_budget
from pointsman.policies.principal import Principal
from pointsman.stores.directory.records import Limits, ModelLimits
from tests.unit.policies.desk import CENT, key_record


def holder(spent: int = 0, reserved: int = 0, share: int = 1, **values: object) -> Principal:
    principal = Principal(key_record(spend=spent * CENT, **values), share=share)
    principal.reserved = reserved * CENT
    return principal


@pytest.mark.parametrize(
    ("spent", "reserved", "share", "allowed"),
    [
        (0, 0, 1, True), (9, 0, 1, True), (10, 0, 1, False), (11, 0, 1, False),
        (4, 5, 1, True), (4, 6, 1, False), (4, 3, 2, False),
    ],
)  # fmt: skip
def test_a_call_is_let_in_while_what_is_spent_and_held_is_under_the_budget(
    spent: int, reserved: int, share: int, allowed: bool
) -> None:
    principal = holder(spent, reserved, share, max_budget=10 * CENT)
    if allowed:
        demand_budget(principal, CENT, 422)
    else:
        with pytest.raises(BudgetExceeded):
            demand_budget(principal, CENT, 422)


def test_a_key_without_a_budget_and_a_call_that_costs_nothing_are_let_in() -> None:
    demand_budget(holder(10**6), CENT, 422)
    demand_budget(holder(10, max_budget=CENT), 0, 422)


@pytest.mark.parametrize(
    ("spent", "reserved", "resets", "words"),
    [
        (3, 2, None, "hold the rest in reserve"),
        (3, 2, 1e9, "hold the rest in reserve"),
        (5, 2, 1e9, "resets by itself"),
        (5, 0, 1e9, "resets by itself"),
        (5, 0, None, "Raise the key's max_budget"),
    ],
)
def test_the_hint_is_what_helps(spent: int, reserved: int, resets: float | None, words: str) -> None:
    with pytest.raises(BudgetExceeded) as caught:
        demand_budget(holder(spent, reserved, max_budget=5 * CENT, budget_reset_at=resets), CENT, 402)
    assert words in caught.value.told() and caught.value.status == 402
    assert "Max budget: 0.05" in caught.value.message


def test_of_two_limits_for_a_model_the_tighter_one_binds() -> None:
    account = Account("key", "k")
    its = ModelLimits(rpm_limit=5, tpm_limit=70)
    account.adopt_limits(Limits(model_limits={"m": its}, model_rpm_limit={"m": 3}, model_tpm_limit={"m": 90, "n": 4}))
    assert {name: (one.rpm, one.tpm) for name, one in account.models.items()} == {"m": (3, 70), "n": (None, 4)}


def test_what_an_entry_says_itself_goes_before_its_named_budget_and_the_rest_is_the_budgets() -> None:
    own, usual = Limits(rpm_limit=3), Limits(rpm_limit=9, max_budget=10 * CENT, budget_duration="30d")
    assert merged(own, usual) == Limits(rpm_limit=3, max_budget=10 * CENT, budget_duration="30d")
    assert (merged(own, Limits()), merged(Limits(), usual)) == (own, usual)
