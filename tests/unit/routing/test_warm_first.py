"""Warm-first: to the host that has the model, unless waiting there costs more than loading it elsewhere."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.routing.hosts import LoadedModel
from pointsman.routing.meter import Meter
from pointsman.routing.queue import Ticket
from pointsman.routing.router import Router
from tests.unit.routing.fleet_script import GIGABYTE, WISH, deployment, fleet, local, member, router, the_pool, wish


def at(made: Router, now: float = 0.0, **more: Any) -> tuple[str, str]:
    one, reason = made.choose(the_pool(made), wish(**more) if more else WISH, now)
    return one.deployment.id, reason


def usual(made: Router, seconds: float, *names: str) -> None:
    for name in names:
        meter = member(made, name).live.meter
        assert meter is not None
        for _ in range(2):
            meter.ended(0, 0, 0.0, seconds)


class TestWhoHasIt:
    def test_the_host_that_has_the_model(self) -> None:
        made = router(*(local(one) for one in "abc"))
        fleet(made, a={}, b={"loaded": ["m"]}, c={"loaded": ["other"]})
        assert at(made) == ("b", "loaded")

    def test_by_whatever_tag_it_is_called(self) -> None:
        made = router(local("a", model="llama3.2"), local("b", model="llama3.2"))
        fleet(made, a={}, b={"loaded": ["llama3.2:latest"]})
        assert at(made) == ("b", "loaded")

    def test_of_several_the_one_with_the_shortest_queue(self) -> None:
        made = router(*(local(one) for one in "abc"))
        busy: dict[str, Any] = {"loaded": ["m"], "in_flight": {"m": 1}}
        fleet(made, a={**busy, "waiting": {"m": 2}}, b={**busy, "waiting": {"x": 1}}, c=busy)
        assert at(made) == ("c", "loaded")

    def test_the_faster_machine_may_have_more_waiting(self) -> None:
        made = router(local("a"), local("b"))
        busy: dict[str, Any] = {"loaded": ["m"]}
        fleet(
            made,
            a={**busy, "in_flight": {"m": 1}, "waiting": {"m": 2}, "weight": 4.0},
            b={**busy, "in_flight": {"m": 1}},
        )
        assert at(made)[0] == "a"

    def test_not_one_that_keeps_part_of_it_outside_the_gpu(self) -> None:
        made = router(local("a"), local("b"))
        hosts = fleet(made, a={}, b={"loaded": ["m"]})
        hosts["a"].loaded = {"m": LoadedModel("m", 8 * GIGABYTE, 4 * GIGABYTE)}
        assert at(made) == ("b", "loaded")

    def test_not_one_that_is_gone(self) -> None:
        made = router(local("a"), local("b"))
        fleet(made, a={"loaded": ["m"], "online": False}, b={})
        assert at(made)[0] == "b"

    def test_not_one_where_nobody_may_wait_any_more(self) -> None:
        made = router(local("a"), local("b"))
        hosts = fleet(made, a={"loaded": ["m"], "queue_max": 0}, b={})
        assert at(made) == ("a", "loaded")
        assert made.fleet.queue_of(hosts["a"]).enter(Ticket("m", "g", "k", 0.0), 0.0)
        assert at(made)[0] == "b"

    def test_a_model_that_is_being_loaded_is_waited_for_there(self) -> None:
        made = router(local("a"), local("b"))
        fleet(made, a={}, b={})
        assert at(made) == ("a", "idle")
        assert at(made, 1.0) == ("a", "loading")
        made.fleet.at("http://a").loaded = {"m": LoadedModel("m", 8 * GIGABYTE, 8 * GIGABYTE)}
        assert at(made, 2.0) == ("a", "loaded")


class TestHostsThatTellNothing:
    """Nobody watches them, or there is nothing to see."""

    def test_most_servers_have_what_they_were_started_with(self) -> None:
        made = router(*(local(one, provider="hosted_vllm") for one in "ab"))
        made.fleet.at("http://a").in_flight["m"] = 9
        assert at(made) == ("b", "loaded")

    def test_an_ollama_keeps_for_a_while_what_it_was_asked_for(self) -> None:
        made = router(local("a"), local("b"))
        assert at(made, 0.0) == ("a", "idle")
        assert at(made, 100.0) == ("a", "loaded")
        made.fleet.at("http://a").in_flight["m"] = 80
        assert at(made, 110.0) == ("b", "spread")
        assert at(made, 400.0) == ("b", "loaded")
        assert at(made, 1000.0) == ("b", "idle")


class TestWhoLoadsIt:
    def test_one_with_nothing_in_memory(self) -> None:
        made = router(local("a"), local("b"))
        fleet(made, a={"loaded": {"x": 4}}, b={})
        assert at(made) == ("b", "idle")

    def test_one_with_room_before_one_that_drops_something(self) -> None:
        made = router(local("a"), local("b"))
        fleet(made, a={"loaded": {"x": 20}}, b={"loaded": {"x": 10}})
        assert at(made) == ("b", "free_memory")

    def test_one_that_drops_what_is_idle_before_one_that_drops_what_is_used(self) -> None:
        made = router(local("a"), local("b"))
        fleet(made, a={"loaded": {"x": 20}, "in_flight": {"x": 1}, "slots": 4}, b={"loaded": {"y": 20}})
        assert at(made) == ("b", "evicts_idle")

    def test_of_what_is_idle_that_goes_which_was_not_used_for_longest(self) -> None:
        made = router(
            local("a"),
            local("b"),
            local("a2", group="x", model="x", api_base="http://a"),
            local("b2", group="y", model="y", api_base="http://b"),
        )
        hosts = fleet(made, a={"loaded": {"x": 20}}, b={"loaded": {"y": 20}})
        made.loads.used(hosts["b"], "y", 0.0)
        made.loads.used(hosts["a"], "x", 900.0)
        assert at(made, 1000.0) == ("b", "evicts_idle")

    def test_what_somebody_else_is_loading_is_reckoned_with(self) -> None:
        made = router(local("a"), local("b"))
        hosts = fleet(made, a={}, b={})
        made.loads.used(hosts["a"], "large", 0.0)
        assert at(made) == ("b", "idle")

    def test_the_heavier_among_equals(self) -> None:
        made = router(local("a"), local("b", weight=2.0))
        fleet(made, a={}, b={})
        assert at(made)[0] == "b"


class TestManyAtOnceOnHostsOfWhichNothingIsKnown:
    """Nobody knows yet how long a call takes; a host that is given a second model has to swap it in and out."""

    @pytest.mark.parametrize("seed", range(8))
    @pytest.mark.parametrize(("hosts", "models"), [(2, 2), (3, 3), (4, 4)])
    def test_each_model_is_loaded_once(self, hosts: int, models: int, seed: int) -> None:
        names = [f"m{number}" for number in range(models)]
        places = [f"h{number}" for number in range(hosts)]
        made = router(*(
            local(f"{name}@{place}", group=name, model=name, api_base=f"http://{place}")
            for name in names for place in places
        ))  # fmt: skip
        fleet(made, **{place: {} for place in places})
        chance, used = random.Random(seed), set()
        for number in range(30):
            name = chance.choice(names)
            one, _ = made.choose(the_pool(made, name), WISH, number / 60)
            host = one.host
            assert host is not None
            made.fleet.queue_of(host).enter(Ticket(name, name, "k", number / 60), number / 60)
            used.add((host.url, name))
        assert len(used) <= max(hosts, models) + 2, used

    def test_a_cloud_still_takes_what_would_probably_wait_for_long(self) -> None:
        made = router(local("a"), deployment("cloud"), strategy="warm-first")
        hosts = fleet(made, a={})
        assert at(made) == ("a", "idle")
        hosts["a"].waiting = {"m": 9}
        assert at(made) == ("cloud", "overflow")


class TestSpreading:
    def made(self, waiting: int, seconds: float) -> Router:
        made = router(local("a"), local("b"))
        fleet(made, a={"loaded": ["m"], "in_flight": {"m": 1}, "waiting": {"m": waiting}}, b={})
        usual(made, seconds, "a", "b")
        return made

    def test_a_short_wait_is_shorter_than_loading(self) -> None:
        assert at(self.made(1, 1.0)) == ("a", "loaded")

    def test_a_long_one_is_not(self) -> None:
        assert at(self.made(6, 5.0)) == ("b", "spread")

    def test_one_call_that_had_to_load_is_not_taken_for_an_ordinary_one(self) -> None:
        meter = Meter()
        meter.ended(0, 0, 0.0, 60.0)
        for _ in range(4):
            meter.ended(0, 0, 0.0, 2.0)
        assert meter.usual_seconds < 6.0
        before = meter.usual_seconds
        meter.ended(0, 0, 0.0, 60.0)
        assert meter.usual_seconds < 1.5 * before

    def test_a_cloud_takes_over_when_all_hosts_keep_one_waiting_for_long(self) -> None:
        made = router(local("a"), deployment("cloud"), strategy="warm-first")
        hosts = fleet(made, a={"loaded": ["m"]})
        assert at(made) == ("a", "loaded")
        hosts["a"].in_flight, hosts["a"].waiting = {"m": 1}, {"m": 9}
        assert at(made) == ("cloud", "overflow")


@given(
    loaded=st.lists(st.booleans(), min_size=2, max_size=6),
    online=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_with_nobody_busy_no_model_is_ever_loaded_twice(loaded: list[bool], online: list[bool]) -> None:
    made = router(*(local(f"h{number}") for number in range(len(loaded))))
    for number, has in enumerate(loaded):
        fleet(made, **{f"h{number}": {"loaded": ["m"] if has else ["x"], "online": online[number]}})
    there = [number for number, has in enumerate(loaded) if has and online[number]]
    one, reason = made.choose(the_pool(made), WISH, 0.0)
    if there:
        assert int(one.deployment.id[1:]) in there
        assert reason in {"loaded", "only"}
    elif any(online[: len(loaded)]):
        assert online[int(one.deployment.id[1:])]
