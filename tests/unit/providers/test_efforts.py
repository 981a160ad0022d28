"""Budgets of tokens as words; the bounds are those of LiteLLM 1.109.1."""

from __future__ import annotations

import pytest

from pointsman.providers.efforts import effort_for


@pytest.mark.parametrize(
    ("budget", "effort"),
    [
        (0, "minimal"),
        (1023, "minimal"),
        (1024, "low"),
        (2047, "low"),
        (2048, "medium"),
        (4095, "medium"),
        (4096, "high"),
        (32_000, "high"),
    ],
)
def test_a_budget_counts_as_the_effort_that_it_would_be_given_for(budget: int, effort: str) -> None:
    assert effort_for(budget) == effort
