"""Counting many calls at once counts what counting each would, and what several processes counted adds up."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.outcome import CallRecord
from pointsman.core.usage import Usage
from pointsman.telemetry.series import BUCKETS, CallLabels, CallSeries, Histogram, Snapshot

LABELS = CallLabels("k", "alias", "team", "user", "m", "g", "d", "real", "p", "http://x", "/r", 200, "")
# Fractions that floats hold exactly, so that the order of adding does not matter; the bounds have a test of their own.
SECONDS = st.integers(0, 700_000).map(lambda number: number / 1024)


def observed(*seconds: float) -> Histogram:
    histogram = Histogram.empty()
    histogram.observe(list(seconds))
    return histogram


def called(began: float = 10.0, seconds: float = 1.0, **values: object) -> CallRecord:
    record = CallRecord("c", "acompletion", "/r", began, began + seconds)
    return msgspec.structs.replace(record, **values)


@pytest.mark.parametrize("place", range(len(BUCKETS)))
def test_a_value_that_equals_a_bound_belongs_under_it_and_the_next_greater_one_does_not(place: int) -> None:
    """``le`` is "less than or equal"."""
    bound = BUCKETS[place]
    for value, expected in ((bound, place), (math.nextafter(bound, 1e9), place + 1)):
        counts = [0] * (len(BUCKETS) + 1)
        counts[expected] = 1
        assert observed(value).counts == counts


def test_the_bounds_ascend_and_what_is_above_all_of_them_is_counted_last() -> None:
    assert list(BUCKETS) == sorted(set(BUCKETS))
    assert observed(0.0).counts[0] == 1
    assert observed(1e9).counts[-1] == 1


def test_nothing_observed_changes_nothing() -> None:
    assert observed() == Histogram.empty()


@given(st.lists(SECONDS, max_size=40))
def test_a_histogram_of_many_is_that_of_each(seconds: list[float]) -> None:
    expected = Histogram.empty()
    for value in seconds:
        place = next((number for number, bound in enumerate(BUCKETS) if value <= bound), len(BUCKETS))
        expected.counts[place] += 1
        expected.total += value
    assert observed(*seconds) == expected


@given(st.lists(SECONDS, max_size=20), st.lists(SECONDS, max_size=20))
def test_histograms_add_up(mine: list[float], theirs: list[float]) -> None:
    merged = observed(*mine)
    merged.merge(observed(*theirs))
    assert merged == observed(*mine, *theirs)


def test_every_number_of_a_call_is_counted_under_its_own_name() -> None:
    series = CallSeries.empty(LABELS)
    usage = Usage(prompt=70, completion=30, cached=11, reasoning=12)
    series.count([called(seconds=4.0, usage=usage, cost=999, overhead_ms=500.0, stream=True, first_token_at=10.25)])
    series.count([called(seconds=1.0, usage=usage, cost=1, status="failure", attempts=1)])
    series.count([called(status="cancelled", cost=5, attempts=1), called(status="failure")])
    assert (series.calls, series.failures, series.upstream_failures, series.spend) == (4, 3, 1, 1005)
    tokens = (series.prompt_tokens, series.completion_tokens, series.cached_tokens, series.reasoning_tokens)
    assert tokens == (140, 60, 22, 24)
    assert series.latency == observed(4.0, 1.0, 1.0, 1.0)
    assert series.api_latency == observed(3.5, 1.0, 1.0, 1.0)
    assert series.overhead == observed(0.5, 0.0, 0.0, 0.0)
    assert series.first_token == observed(0.25)


def test_the_first_token_is_only_told_of_streams() -> None:
    series = CallSeries.empty(LABELS)
    series.count([called(first_token_at=10.5), called(stream=True), called(stream=True, first_token_at=10.75)])
    assert series.first_token == observed(0.75)


def test_a_call_that_reached_no_deployment_waited_for_none() -> None:
    series = CallSeries.empty(msgspec.structs.replace(LABELS, deployment_id=""))
    series.count([called(overhead_ms=1000.0)])
    assert series.latency == observed(1.0)
    assert series.api_latency == series.overhead == Histogram.empty()


def test_an_overhead_beyond_the_whole_makes_no_negative_wait() -> None:
    series = CallSeries.empty(LABELS)
    series.count([called(seconds=1.0, overhead_ms=2000.0), called(seconds=1.0, overhead_ms=-5.0)])
    assert series.api_latency == observed(0.0, 1.005) and series.overhead == observed(2.0, 0.0)


CALLS = st.builds(
    lambda tokens, seconds, overhead, stream, status: called(
        seconds=seconds,
        # A power of two, so that seconds for each token are exact.
        usage=Usage(tokens, 2 ** (tokens % 8), tokens + 2, 0, tokens + 3),
        cost=tokens * 7,
        overhead_ms=overhead * 1000,
        stream=stream,
        first_token_at=10.0 + seconds / 2,
        status=status,
    ),
    st.integers(0, 1000),
    SECONDS,
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from(["success", "failure", "cancelled"]),
)


@given(st.lists(st.lists(CALLS, min_size=1, max_size=5), max_size=5))
def test_batches_count_what_one_by_one_counts_and_so_do_several_processes_together(
    batches: list[list[CallRecord]],
) -> None:
    whole, single, merged = (CallSeries.empty(LABELS) for _ in range(3))
    for batch in batches:
        whole.count(batch)
        other = CallSeries.empty(LABELS)
        for record in batch:
            single.count([record])
            other.count([record])
        merged.merge(other)
    assert whole == single == merged


def test_a_snapshot_comes_back_from_the_wire_as_it_went() -> None:
    series = CallSeries.empty(LABELS)
    series.count([called()])
    snapshot = Snapshot([series], {"gauge": 1.5})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot), type=Snapshot) == snapshot


def test_the_pace_is_that_of_good_answers_with_tokens() -> None:
    series = CallSeries.empty(LABELS)
    series.count([
        called(seconds=1.0, usage=Usage(1, 4)),
        called(seconds=1.0, usage=Usage(1, 0)),
        called(seconds=1.0, usage=Usage(1, 4), status="failure"),
    ])  # fmt: skip
    assert series.per_token == observed(0.25)
