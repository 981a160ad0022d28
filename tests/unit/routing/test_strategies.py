"""Each way to pick one of several."""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.config.value_types import StrategyName
from pointsman.core.price import Price
from pointsman.routing.router import Router
from pointsman.routing.settings import RoutingSettings, StrategyArguments, StrategyChoice
from pointsman.routing.strategies import STRATEGIES
from pointsman.routing.table import RoutingTable
from pointsman.routing.wish import Wish
from tests.unit.routing.fleet_script import WISH, deployment, fleet, local, member, router, the_pool, wish


def chosen(made: Router, asked: Wish = WISH, now: float = 0.0) -> tuple[str, str]:
    one, reason = made.choose(the_pool(made), asked, now)
    return one.deployment.id, reason


def considered(made: Router, asked: Wish = WISH, now: float = 0.0) -> tuple[str, str]:
    one, reason = made.consider(the_pool(made), asked, now)
    return one.deployment.id, reason


def test_the_configuration_knows_the_same_names() -> None:
    pattern = get_args(StrategyName)[1].pattern
    for name in STRATEGIES:
        assert re.search(pattern, name), name
    named = set(re.findall(r"[a-z0-9-]+", pattern))
    assert named == {*STRATEGIES, "lar1", "provider-budget-routing"}


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_what_would_be_chosen_can_be_asked_without_changing_it(name: str) -> None:
    made = router(*(local(one) for one in "abc"), strategy=name, draw=lambda: 0.4)
    for _ in range(10):
        would = considered(made)
        assert would == considered(made)
        assert chosen(made) == would


@given(name=st.sampled_from(sorted(STRATEGIES)), count=st.integers(2, 6), seed=st.integers(0, 99))
def test_whoever_is_picked_is_a_member(name: str, count: int, seed: int) -> None:
    chance = random.Random(seed)
    made = router(
        *(deployment(str(n), weight=chance.choice((0, 1, 5))) for n in range(count)), strategy=name, draw=chance.random
    )
    for _ in range(20):
        one, reason = made.choose(the_pool(made), WISH, chance.random() * 100)
        assert one in the_pool(made).members
        assert reason


class TestRoundRobin:
    def test_each_has_its_turn(self) -> None:
        made = router(*(deployment(one) for one in "abc"), strategy="round-robin")
        assert [chosen(made) for _ in range(6)] == [(one, "turn") for one in "abcabc"]

    def test_the_heavier_more_often(self) -> None:
        made = router(deployment("a", weight=3), deployment("b"), deployment("c", weight=0), strategy="round-robin")
        assert Counter(chosen(made)[0] for _ in range(40)) == {"a": 30, "b": 10}

    def test_whoever_was_away_does_not_catch_up(self) -> None:
        made = router(*(deployment(one) for one in "ab"), strategy="round-robin")
        member(made, "b").live.rests_until = 100.0
        for _ in range(50):
            assert chosen(made, now=1.0)[0] == "a"
        turns = [chosen(made, now=101.0)[0] for _ in range(10)]
        assert Counter(turns)["b"] <= 6


class TestLeastBusy:
    def test_the_one_with_least_under_way(self) -> None:
        made = router(*(deployment(one) for one in "abc"), strategy="least-busy")
        for one, count in zip("abc", (3, 1, 2), strict=True):
            member(made, one).live.in_flight = count
        assert chosen(made) == ("b", "least_busy")

    def test_for_its_weight(self) -> None:
        made = router(deployment("a", weight=10), deployment("b", weight=1), strategy="least-busy")
        member(made, "a").live.in_flight = 5
        assert chosen(made)[0] == "a"

    def test_of_a_host_all_models_count(self) -> None:
        made = router(local("a"), local("b"), strategy="least-busy")
        fleet(made, a={"in_flight": {"other": 2}}, b={"waiting": {"another": 1}})
        assert chosen(made)[0] == "b"


class TestLatency:
    def test_the_faster_of_two(self) -> None:
        made = router(deployment("a"), deployment("b"), strategy="latency-based-routing")
        member(made, "a").live.succeeded(10.0, 8.0, 9.0, 5)
        member(made, "b").live.succeeded(10.0, 9.5, 9.9, 5)
        assert chosen(made, now=10.0) == ("b", "fastest")

    def test_of_a_stream_the_first_byte_counts(self) -> None:
        made = router(deployment("a"), deployment("b"), strategy="latency-based-routing")
        member(made, "a").live.succeeded(10.0, 8.0, 8.1, 5)
        member(made, "b").live.succeeded(10.0, 9.0, 9.9, 5)
        assert chosen(made, wish(stream=True), 10.0)[0] == "a"
        assert chosen(made, wish(stream=False), 10.0)[0] == "b"

    def test_one_of_which_nothing_is_known_is_tried(self) -> None:
        made = router(deployment("a"), deployment("b"), strategy="latency-based-routing")
        member(made, "a").live.succeeded(10.0, 9.9, 9.95, 5)
        assert chosen(made, now=10.0)[0] == "b"

    def test_who_fails_at_once_is_not_the_fastest(self) -> None:
        made = router(deployment("a"), deployment("b"), strategy="latency-based-routing")
        member(made, "a").live.failed(10.0, "broken")
        member(made, "b").live.succeeded(10.0, 5.0, 9.0, 5)
        assert chosen(made, now=10.0)[0] == "b"

    def test_what_is_under_way_makes_slower(self) -> None:
        made = router(deployment("a"), deployment("b"), strategy="latency-based-routing")
        for one in "ab":
            member(made, one).live.succeeded(10.0, 9.0, 9.5, 5)
        member(made, "a").live.in_flight = 1
        assert chosen(made, now=10.0)[0] == "b"

    def test_two_are_drawn_so_that_no_crowd_runs_to_the_best(self) -> None:
        chance = random.Random(3)
        made = router(*(deployment(str(n)) for n in range(4)), strategy="latency-based-routing", draw=chance.random)
        for number in range(4):
            member(made, str(number)).live.succeeded(10.0, 9.0 - number, 9.5, 5)
        counts = Counter(chosen(made, now=10.0)[0] for _ in range(600))
        assert counts["0"] == pytest.approx(300, abs=60)
        assert counts["3"] == 0

    def test_within_the_buffer_chance_decides(self) -> None:
        chance = random.Random(3)
        choice = StrategyChoice("latency-based-routing", StrategyArguments(0.5))
        deployments = [deployment(str(n)) for n in range(3)]
        made = Router(RoutingTable(deployments), RoutingSettings(choice), chance.random)
        for number, seconds in enumerate((1.0, 1.4, 1.6)):
            member(made, str(number)).live.succeeded(10.0, 10.0 - seconds, 9.9, 5)
        counts = Counter(chosen(made, now=10.0)[0] for _ in range(400))
        assert counts["2"] == 0 and counts["0"] > 100 and counts["1"] > 100


class TestUsage:
    @pytest.mark.parametrize("name", ["usage-based-routing", "usage-based-routing-v2", "usage"])
    def test_the_least_used(self, name: str) -> None:
        made = router(deployment("a"), deployment("b"), strategy=name)
        assert [chosen(made)[0] for _ in range(4)] == ["a", "b", "a", "b"]

    def test_by_the_share_of_their_limits(self) -> None:
        made = router(deployment("a", tpm=10_000), deployment("b", tpm=1_000), strategy="usage")
        assert Counter(chosen(made)[0] for _ in range(11)) == {"a": 10, "b": 1}


class TestCost:
    def test_where_this_request_is_cheapest(self) -> None:
        reads, writes = Price(1_000, 100_000), Price(50_000, 1_000)
        made = router(
            deployment("reads", price=reads),
            deployment("writes", price=writes),
            deployment("unknown"),
            strategy="cost-based-routing",
        )
        assert chosen(made, wish(prompt_tokens=10_000, output_limit=5)) == ("reads", "cheapest")
        assert chosen(made, wish(prompt_tokens=10, output_limit=5_000))[0] == "writes"

    def test_what_costs_nothing_comes_first(self) -> None:
        made = router(
            deployment("cloud", price=Price(1, 1)),
            deployment("own", price=Price(0, 0), charges=False),
            strategy="cost",
        )
        assert chosen(made)[0] == "own"


class TestWhichStrategy:
    def test_local_servers_are_kept_warm_unless_something_else_is_said(self) -> None:
        assert the_pool(router(local("a"), local("b"))).strategy.name == "warm-first"
        assert the_pool(router(local("a"), deployment("b"))).strategy.name == "simple-shuffle"
        assert the_pool(router(local("a"), local("b"), strategy="least-busy")).strategy.name == "least-busy"

    def test_a_model_may_have_its_own(self) -> None:
        own: dict[str, Any] = {"strategies": {"g": StrategyChoice("round-robin")}}
        made = router(deployment("a"), deployment("b", group="h"), strategy="least-busy", **own)
        assert the_pool(made, "g").strategy.name == "round-robin"
        assert the_pool(made, "h").strategy.name == "least-busy"
