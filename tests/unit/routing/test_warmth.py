"""Which models are loaded before anybody asks, and which are unloaded since nobody does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pointsman.core.upstream import Deployment
from pointsman.routing.hosts import Host, LoadedModel, Use
from pointsman.routing.pool import Member
from pointsman.routing.router import Router
from pointsman.routing.schedule import weekly_time
from pointsman.routing.table import RoutingTable
from pointsman.routing.warmth import IdleRules, LoadStep, UnloadStep, WarmRule, Warmth

GIGABYTE = 10**9
MORNING = datetime(2026, 11, 26, 7, 30, tzinfo=UTC).timestamp()
"""A Thursday."""


def deployment(group: str, host: str = "http://one:11434", model: str = "") -> Deployment:
    return Deployment(
        id=f"{group} {host}", group=group, provider="ollama", model=model or group, litellm_model="", api_base=host,
        price=None, local=True,
    )  # fmt: skip


class Desk:
    """A fleet and its warmth, at a time of the test's choice."""

    def __init__(self, *deployments: Deployment, started_at: float = MORNING, sees_all_calls: bool = True) -> None:
        self.deployments = deployments
        self.router = Router(RoutingTable(deployments))
        self.sizes: dict[str, int] = {}
        self.warmth = Warmth(
            self.router.pool, lambda one: self.sizes.get(one.model), started_at, sees_all_calls=sees_all_calls
        )
        self.warmth.zone = UTC
        self.now = 1000.0
        self.wall = started_at
        for one in deployments:
            self.router.fleet.at(one.api_base).seen_at = 1.0

    def host(self, address: str = "http://one:11434") -> Host:
        return self.router.fleet.at(address)

    def holds(self, *models: LoadedModel, address: str = "http://one:11434") -> None:
        self.host(address).loaded = {model.name: model for model in models}

    def steps(self) -> list[LoadStep | UnloadStep]:
        fleet, lives = self.router.fleet, self.router.lives
        members = [Member(one, lives.of(one), fleet.of(one)) for one in self.deployments]
        return self.warmth.steps(members, self.now, self.wall)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds

    def use(self, model: str, address: str = "http://one:11434") -> None:
        self.host(address).used[model] = self.now


# -- warm ----------------------------------------------------------------------------------------------------


def test_a_model_is_loaded_at_the_start_and_kept_for_good() -> None:
    desk = Desk(deployment("coder"))
    desk.warmth.rules = (WarmRule("coder"),)
    assert desk.steps() == [LoadStep(desk.deployments[0], None)]
    desk.holds(LoadedModel("coder:latest"))
    assert desk.steps() == []
    desk.wait(10**6)
    desk.holds()
    assert desk.steps() == [LoadStep(desk.deployments[0], None)]


def test_a_model_is_kept_from_its_time_until_its_time_is_over() -> None:
    desk = Desk(deployment("coder"), started_at=MORNING - 3600)
    desk.warmth.rules = (WarmRule("coder", (weekly_time("07:30 mon-fri"),), on_start=False, keep_seconds=36_000),)
    assert desk.steps() == []
    desk.wait(3600)
    assert desk.steps() == [LoadStep(desk.deployments[0], 36_000)]
    desk.wait(6 * 3600)
    assert desk.steps() == [LoadStep(desk.deployments[0], 4 * 3600)]
    desk.wait(4 * 3600)
    assert desk.steps() == []


def test_a_gateway_that_starts_within_the_time_loads_it_too() -> None:
    desk = Desk(deployment("coder"), started_at=MORNING + 1800)
    desk.warmth.rules = (WarmRule("coder", (weekly_time("07:30 thu"),), on_start=False, keep_seconds=3600),)
    assert desk.steps() == [LoadStep(desk.deployments[0], 1800)]


def test_a_model_that_is_about_to_go_begins_its_stay_anew() -> None:
    desk = Desk(deployment("coder"))
    desk.warmth.rules = (WarmRule("coder", keep_seconds=3600),)
    desk.holds(LoadedModel("coder", expires_at=desk.now + 300))
    assert desk.steps() == []
    desk.wait(250)
    assert desk.steps() == [LoadStep(desk.deployments[0], 3350)]
    # It is to go then anyway.
    desk.wait(3330 - desk.wall + MORNING)
    desk.holds(LoadedModel("coder", expires_at=desk.now + 270))
    desk.wait(200)
    assert desk.steps() == []


def test_a_model_is_only_loaded_where_there_is_room() -> None:
    desk = Desk(deployment("coder"))
    desk.warmth.rules = (WarmRule("coder"),)
    desk.holds(LoadedModel("other", vram_bytes=10 * GIGABYTE))
    assert desk.steps() == []
    desk.host().vram_total_bytes = 24 * GIGABYTE
    assert desk.steps() == []
    desk.sizes["coder"] = 13 * GIGABYTE
    assert desk.steps() == []
    desk.sizes["coder"] = 12 * GIGABYTE
    assert len(desk.steps()) == 1


def test_another_model_goes_where_the_operator_says_so() -> None:
    desk = Desk(deployment("coder"))
    desk.warmth.rules = (WarmRule("coder", evicts=True),)
    desk.holds(LoadedModel("other", vram_bytes=10 * GIGABYTE))
    assert len(desk.steps()) == 1


def test_nothing_is_loaded_before_the_host_was_looked_at_or_while_it_is_away() -> None:
    desk = Desk(deployment("coder"))
    desk.warmth.rules = (WarmRule("coder"),)
    desk.host().seen_at = 0.0
    assert desk.steps() == []
    desk.host().seen_at = 1.0
    desk.host().online = False
    assert desk.steps() == []


def test_one_host_of_several_is_warm_and_an_empty_one_is_taken_first() -> None:
    desk = Desk(deployment("coder"), deployment("coder", "http://two:11434"))
    desk.warmth.rules = (WarmRule("coder", evicts=True),)
    desk.holds(LoadedModel("other"))
    (step,) = desk.steps()
    assert step.deployment is desk.deployments[1]
    desk.holds(LoadedModel("coder"))
    assert desk.steps() == []


def test_the_operator_may_name_the_host() -> None:
    desk = Desk(deployment("coder"), deployment("coder", "http://two:11434"))
    desk.warmth.rules = (WarmRule("coder", host="http://two:11434/"), WarmRule("coder", host="http://one:11434"))
    assert [step.deployment for step in desk.steps()] == [desk.deployments[1], desk.deployments[0]]


def test_a_load_that_fails_is_tried_again_later_and_later() -> None:
    desk = Desk(deployment("coder"))
    desk.warmth.rules = (WarmRule("coder"),)
    (step,) = desk.steps()
    for pause in (30.0, 60.0, 120.0):
        desk.warmth.failed(step, desk.now)
        desk.wait(pause - 1)
        assert desk.steps() == []
        desk.wait(1)
        assert len(desk.steps()) == 1
    desk.warmth.succeeded(step, desk.host(), desk.now)
    assert desk.steps() == []
    assert desk.host().is_loaded("coder")


def test_a_load_under_way_is_not_begun_again() -> None:
    desk = Desk(deployment("coder"))
    desk.warmth.rules = (WarmRule("coder"),)
    desk.host().begin_load("coder")
    assert desk.steps() == []


def test_a_model_that_nobody_serves_is_passed_over() -> None:
    desk = Desk(deployment("coder"))
    desk.warmth.rules = (WarmRule("nosuch"),)
    assert desk.steps() == []


# -- idle ----------------------------------------------------------------------------------------------------


def idle(desk: Desk, seconds: float = 600.0) -> None:
    desk.warmth.idle = IdleRules(usual=seconds)


def test_a_model_that_we_used_is_unloaded_when_it_was_idle_for_long_enough() -> None:
    desk = Desk(deployment("coder"))
    idle(desk)
    desk.holds(LoadedModel("coder"))
    desk.use("coder")
    desk.wait(599)
    assert desk.steps() == []
    desk.wait(1)
    assert desk.steps() == [UnloadStep(desk.deployments[0], 600.0)]
    desk.warmth.succeeded(desk.steps()[0], desk.host(), desk.now)
    assert not desk.host().is_loaded("coder")
    assert desk.steps() == []


def test_a_model_that_others_loaded_is_left_alone() -> None:
    desk = Desk(deployment("coder"))
    idle(desk)
    desk.holds(LoadedModel("coder"))
    desk.wait(10_000)
    assert desk.steps() == []


def test_what_other_programs_ask_of_it_counts_as_use() -> None:
    desk = Desk(deployment("coder"))
    idle(desk)
    desk.use("coder")
    for _ in range(5):
        desk.holds(LoadedModel("coder", expires_at=desk.now + 1800))
        assert desk.steps() == []
        desk.wait(500)
    desk.wait(99)
    assert desk.steps() == []
    desk.wait(1)
    assert len(desk.steps()) == 1


@pytest.mark.parametrize("busy", ["in_flight", "loading"])
def test_a_model_at_work_is_not_idle(busy: str) -> None:
    desk = Desk(deployment("coder"))
    idle(desk)
    desk.holds(LoadedModel("coder"))
    desk.use("coder")
    getattr(desk.host(), busy)["coder"] = 1
    desk.wait(10_000)
    assert desk.steps() == []


def test_the_models_own_time_wins_over_its_hosts_and_that_over_the_usual() -> None:
    rules = IdleRules(by_model={"coder": 60, "keep": 0}, by_host={"http://two:11434": 120}, usual=600)
    assert rules.seconds("coder", "http://two:11434") == 60
    assert rules.seconds("keep", "http://two:11434") == 0
    assert rules.seconds("other", "http://two:11434") == 120
    assert rules.seconds("other", "http://one:11434") == 600


def test_a_model_that_is_to_be_warm_is_never_idle() -> None:
    desk = Desk(deployment("coder"))
    idle(desk)
    desk.warmth.rules = (WarmRule("coder"),)
    desk.holds(LoadedModel("coder"))
    desk.use("coder")
    desk.wait(10_000)
    assert desk.steps() == []


def test_a_model_of_several_names_stays_while_one_of_them_wants_it() -> None:
    desk = Desk(deployment("coder"), deployment("alias", model="coder"))
    desk.warmth.idle = IdleRules(by_model={"alias": 0}, usual=600)
    desk.holds(LoadedModel("coder"))
    desk.use("coder")
    desk.wait(10_000)
    assert desk.steps() == []
    idle(desk)
    assert len(desk.steps()) == 1


def test_with_other_processes_a_host_that_does_not_tell_of_its_use_is_left_alone() -> None:
    desk = Desk(deployment("coder"), sees_all_calls=False)
    idle(desk)
    desk.holds(LoadedModel("coder"))
    desk.use("coder")
    desk.wait(10_000)
    assert desk.steps() == []
    desk.holds(LoadedModel("coder", expires_at=desk.now + 1800))
    assert desk.steps() == []
    desk.wait(600)
    assert len(desk.steps()) == 1


def test_what_another_process_uses_is_in_use() -> None:
    desk = Desk(deployment("coder"))
    idle(desk)
    desk.holds(LoadedModel("coder"))
    desk.use("coder")
    desk.wait(10_000)
    desk.host().hear("other", Use({"coder": 1}, {}, desk.now))
    assert desk.steps() == [], "it runs there"
    desk.host().hear("other", None)
    assert desk.steps() == [], "it ran there until just now"
    desk.wait(10_000)
    desk.host().heard_used("coder", desk.now - 5)
    assert desk.steps() == [], "it was used there for a moment"
    desk.host().heard_used("coder", desk.now - 9_000)
    desk.wait(10_000)
    assert len(desk.steps()) == 1


def test_what_only_another_process_used_is_unloaded_too() -> None:
    desk = Desk(deployment("coder"))
    idle(desk)
    desk.holds(LoadedModel("coder"))
    desk.host().heard_used("coder", desk.now)
    assert desk.steps() == [] and desk.host().is_minded
    desk.wait(10_000)
    (step,) = desk.steps()
    desk.warmth.succeeded(step, desk.host(), desk.now)
    assert desk.host().last_used("coder") is None
