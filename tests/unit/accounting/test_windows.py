"""The sliding minute against a naive one that remembers every unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.accounting.windows import SlidingMinute

# Steps in milliseconds, so that many requests share a second and some are minutes apart.
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 250, 999, 1000, 7_300, 29_999, 59_999, 60_000, 60_001, 61_000, 400_000]),
        st.integers(1, 4),
    ),
    max_size=60,
)
STARTS = st.sampled_from([0, 1, 60_999, 123_456_789])


@given(STEPS, STARTS, st.integers(1, 6))
def test_in_no_span_of_60_seconds_is_more_than_the_limit_let_through(
    steps: list[tuple[int, int]], start: int, limit: int
) -> None:
    window = SlidingMinute()
    let_through: list[tuple[int, int]] = []
    now = start
    for step, units in steps:
        now += step
        if window.used(now // 1000) + units <= limit:
            window.add(units, now // 1000)
            let_through.append((now, units))
    for moment, _ in let_through:
        assert sum(units for at, units in let_through if moment <= at <= moment + 60_000) <= limit


@given(STEPS, STARTS)
def test_it_counts_what_a_naive_window_of_whole_seconds_counts(steps: list[tuple[int, int]], start: int) -> None:
    window = SlidingMinute()
    seen: list[tuple[int, int]] = []
    now = start
    for step, units in steps:
        now += step
        second = now // 1000
        window.add(units, second)
        seen.append((second, units))
        assert window.used(second) == window.total == sum(units for at, units in seen if second - at <= 60)


@given(STEPS, STARTS, st.integers(1, 6), st.integers(1, 6))
def test_seconds_until_is_the_first_second_with_room_and_not_a_second_later(
    steps: list[tuple[int, int]], start: int, limit: int, room: int
) -> None:
    window = SlidingMinute()
    now = start
    for step, units in steps:
        now += step
        window.add(units, now // 1000)
    second = now // 1000
    if window.used(second) + room <= limit:
        return
    wait = window.seconds_until(room, limit, second)
    if room > limit:
        assert wait == 60, "it never fits, and a minute is as good a time to say so as any"
        return
    assert wait >= 1
    assert window.used(second + wait - 1) + room > limit, "told to wait for too long"
    assert window.used(second + wait) + room <= limit, "told to come too early"


def test_a_burst_fills_the_window_until_it_is_surely_a_minute_old() -> None:
    window = SlidingMinute()
    window.add(3, 100)
    assert window.seconds_until(1, 3, 100) == 61
    assert window.used(160) == 3
    assert window.used(161) == 0


@pytest.mark.parametrize(("later", "left"), [(0, 2), (30, 2), (60, 2), (61, 0), (1000, 0)])
def test_what_is_taken_back_is_uncounted_once_and_never_twice(later: int, left: int) -> None:
    window = SlidingMinute()
    window.add(5, 100)
    window.replace(3, 100, 0, 100 + later)
    assert window.used(100 + later) == left
    assert window.used(100 + later + 61) == 0


@given(st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70), st.integers(1, 9)), max_size=40))
def test_taking_everything_back_leaves_nothing_and_never_less(calls: list[tuple[int, int, int]]) -> None:
    """Each call begins after the one before it and ends some seconds later, so ends overlap with other calls."""
    window = SlidingMinute()
    events: list[tuple[int, int, int, int]] = []
    begun = 0
    for number, (gap, duration, units) in enumerate(calls):
        begun += gap
        events += [(begun, 0, number, units), (begun + duration, 1, number, units)]
    began: dict[int, int] = {}
    for second, kind, number, units in sorted(events):
        if kind == 0:
            window.add(units, second)
            began[number] = second
        else:
            window.replace(units, began[number], 0, second)
        assert window.total >= 0
    assert window.total == 0


def test_a_second_that_is_reported_late_does_not_wind_the_window_back() -> None:
    window = SlidingMinute()
    window.add(1, 200)
    window.add(1, 195)
    assert window.used(195) == 2
    window.replace(1, 195, 0, 201)
    assert window.used(260) == 1
    assert window.used(261) == 0


def test_taking_back_with_a_late_second_does_not_uncount_what_somebody_else_added() -> None:
    window = SlidingMinute()
    window.add(4, 100)
    window.add(4, 161)
    window.replace(4, 100, 0, 160)
    assert window.used(161) == 4


@given(STEPS, STARTS, st.integers(0, 6))
def test_taking_is_looking_whether_it_fits_and_adding(steps: list[tuple[int, int]], start: int, limit: int) -> None:
    taking, adding = SlidingMinute(), SlidingMinute()
    now = start
    for step, units in steps:
        now += step
        second = now // 1000
        fits = adding.used(second) + units <= limit
        if fits:
            adding.add(units, second)
        assert taking.take(units, limit, second) is fits
        assert (taking._buckets, taking.total) == (adding._buckets, adding.total)


def test_the_last_unit_is_taken_and_none_beyond() -> None:
    window = SlidingMinute()
    assert window.take(2, 3, 100) and window.take(1, 3, 160)
    assert not window.take(1, 3, 160) and window.total == 3
    assert window.take(2, 3, 161) and window.total == 3


def test_nothing_fits_even_under_a_full_limit() -> None:
    window = SlidingMinute()
    window.add(5, 100)
    assert not window.take(0, 4, 100)
    assert window.take(0, 5, 100) and window.total == 5
