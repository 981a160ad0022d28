"""The retry budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pointsman.routing.budget import RetryBudget


def begun(share: float = 0.1) -> RetryBudget:
    budget = RetryBudget(share)
    budget.begin(100.0)
    return budget


def test_a_few_retries_are_always_there() -> None:
    budget = begun()
    assert [budget.take(101.0, 1) for _ in range(10)] == [True] * 8 + [False] * 2
    assert budget.denied == 2


def test_beyond_that_they_are_a_share_of_the_requests() -> None:
    budget = begun()
    assert sum(budget.take(101.0, 1_000) for _ in range(1_000)) == 108


def test_what_was_spent_is_forgotten_after_a_window() -> None:
    budget = begun()
    while budget.take(101.0, 1):
        pass
    assert not budget.take(130.0, 1), "the window is not over"
    assert not budget.take(130.5, 1), "and weighs on the next one"
    assert budget.take(170.0, 1)


def test_a_long_calm_counts_by_its_average() -> None:
    budget = begun()
    # 100,000 requests in 1,000 s are 3,000 in a window.
    assert sum(budget.take(1_100.0, 100_000) for _ in range(1_000)) == 308


def test_without_a_share_the_few_are_all() -> None:
    budget = begun(0.0)
    assert sum(budget.take(101.0, 10_000) for _ in range(100)) == 8


@given(st.lists(st.tuples(st.floats(0.001, 2.0), st.integers(0, 50), st.integers(1, 60)), max_size=200))
def test_no_window_ever_sees_more_than_its_share(turns: list[tuple[float, int, int]]) -> None:
    """A request is failed by every upstream: whatever the rhythm, retries stay a tenth of the requests and a few."""
    budget = begun()
    now, requests, taken = 100.0, 0, 0
    for pause, came, asked in turns:
        now, requests = now + pause, requests + came
        taken += sum(budget.take(now, requests) for _ in range(asked))
    windows = 1 + (now - 100.0) / 30.0
    assert taken <= 0.1 * requests + 8 * (windows + 1)
