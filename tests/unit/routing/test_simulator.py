"""The simulator of ``bench/routing`` in small: warm-first saves model loads, and the same seed gives the same day."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator.command import Report, broken_promises
from simulator.picture import panels
from simulator.scale import measure
from simulator.traffic import Scenario, arrivals
from simulator.world import STRATEGIES, Outcome, play
from tests.support.steps import StepClock

SMALL = Scenario(4, seconds=5_400.0, load=0.2)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    traffic = arrivals(SMALL)
    return {trial.title: play(SMALL, trial, traffic) for trial in STRATEGIES}


def test_every_request_is_served_once(outcomes: dict[str, Outcome]) -> None:
    assert {one.requests for one in outcomes.values()} == {len(arrivals(SMALL))}


def test_warm_first_loads_far_less_and_waits_less(outcomes: dict[str, Outcome]) -> None:
    warm = outcomes["warm first"]
    for name in ("random", "round robin", "least busy", "latency"):
        assert warm.loads * 3 < outcomes[name].loads, name
        assert warm.wait_p95 < outcomes[name].wait_p95, name
        assert warm.kwh < outcomes[name].kwh, name


def test_affinity_lets_more_of_the_prompts_be_in_the_cache(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["warm first"].cached_share > outcomes["warm first, no affinity"].cached_share


def test_what_is_promised_is_held_and_a_broken_promise_is_noticed(outcomes: dict[str, Outcome]) -> None:
    every = tuple(outcomes.values())
    assert broken_promises(Report((SMALL,), every)) == []
    swapped = {"warm first": "random", "random": "warm first"}
    wrong = tuple(_renamed(one, swapped.get(one.strategy, one.strategy)) for one in every)
    assert broken_promises(Report((SMALL,), wrong))
    assert {bar for panel in panels(every) for bar, _ in panel.bars} == set(outcomes)


def test_the_same_seed_is_the_same_day(outcomes: dict[str, Outcome]) -> None:
    trial = STRATEGIES[-1]
    assert play(SMALL, trial) == outcomes[trial.title]
    assert arrivals(SMALL) == arrivals(SMALL)
    assert arrivals(SMALL) != arrivals(Scenario(4, seconds=5_400.0, load=0.2, seed=2))


def test_traffic_is_as_heavy_as_it_is_said_to_be() -> None:
    day = Scenario(8)
    found = arrivals(day)
    assert len(found) == pytest.approx(day.rate * day.seconds, rel=0.25)
    by_hour = Counter(int(24 * one.at / day.seconds) for one in found)
    assert by_hour[14] > 2 * by_hour[2]


def test_the_time_of_a_decision_does_not_grow_with_the_fleet() -> None:
    small, large = (measure("", hosts, 2, 2, 60, _Stopwatch()) for hosts in (100, 2_000))
    assert 0 < small.p50 <= large.p50 < 1.5 * small.p50
    assert large.members == 2_000
    assert large.warm_share > 0.9


class _Stopwatch:
    """Counts the steps between every first and second reading."""

    def __init__(self) -> None:
        self._clock, self._runs = StepClock(), False

    def __call__(self) -> int:
        if self._runs:
            self._clock.__exit__()
        else:
            self._clock.__enter__()
        self._runs = not self._runs
        return self._clock.steps


def _renamed(outcome: Outcome, name: str) -> Outcome:
    return Outcome(**{**{field: getattr(outcome, field) for field in outcome.__struct_fields__}, "strategy": name})
