"""A budget refuses once it is spent or held, says what can be done, and never stands in the way of what is free."""

from __future__ import annotations

import pytest

from pointsman.core.errors import BudgetExceeded
from pointsman.policies.budgets import demand_budget
from pointsman.policies.principal import Principal
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
