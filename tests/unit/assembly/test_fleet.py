"""What routing believes of local servers follows what is configured, found and seen."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pointsman.assembly.fleet import OLLAMA_SLOTS, FleetFeed
from pointsman.assembly.from_settings import discovery_places
from pointsman.assembly.host_rules import local_places
from pointsman.config.load import Loaded, load
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment
from pointsman.providers.discovery import FoundHost, Place
from pointsman.providers.discovery.watching import POLL_SECONDS
from pointsman.routing.queue import QueueRules, Ticket
from pointsman.routing.router import Router
from pointsman.routing.table import RoutingTable
from tests.unit.providers.scripted import FakeClock, ScriptedFetcher

ONE, TWO = "10.0.0.1:11434", "10.0.0.2:11434"


def deployment(group: str, at: str, provider: str = "ollama", **more: Any) -> Deployment:
    base = at if at.startswith("http") else f"http://{at}"
    given = {"id": f"{group}@{at}", "local": True, **more}
    return Deployment(
        group=group, provider=provider, model=group, litellm_model="x", api_base=base, price=None, **given
    )


def loaded(text: str = "{}", tmp_path: Path | None = None) -> Loaded:
    if tmp_path is None:
        return load(None, {})
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load(path, {})


class Farm:
    """A fleet that is fed by scripted servers."""

    def __init__(
        self, *deployments: Deployment, settings: Loaded | None = None, found: tuple[FoundHost, ...] = ()
    ) -> None:
        self.clock = FakeClock()
        self.fetcher = ScriptedFetcher()
        router = Router(RoutingTable(deployments))
        self.fleet = router.fleet
        self.problems: list[BaseException] = []
        self.nursery = Nursery(lambda _name, error: self.problems.append(error))
        self.feed = FleetFeed(router, self.fetcher, self.nursery, self.clock)
        self.feed.follow(settings or loaded(), deployments, found)

    def has(self, at: str, *models: str) -> None:
        self.fetcher.pages[at] = {"/api/ps": {"models": [{"name": name, "size": 4, "size_vram": 4} for name in models]}}

    async def turn(self, seconds: float = 0.0) -> None:
        """One tick of the watch, and everything that it begins."""
        self.clock.now += seconds
        self.feed.watch._begin_looks()
        while len(self.nursery):
            await asyncio.sleep(0)
        assert self.problems == []


async def test_what_is_loaded_is_seen() -> None:
    farm = Farm(deployment("a", ONE), deployment("a", TWO))
    farm.has(ONE, "a:latest")
    farm.has(TWO)
    await farm.turn()
    assert farm.fleet.at(f"http://{ONE}").is_loaded("a")
    assert not farm.fleet.at(f"http://{TWO}").is_loaded("a")
    assert farm.fleet.at(f"http://{ONE}").is_shared
    assert [host.url for host in farm.fleet.listed] == [f"http://{ONE}", f"http://{TWO}"]


async def test_the_start_waits_a_moment_for_it() -> None:
    farm = Farm(deployment("a", ONE), deployment("a", TWO))
    farm.has(ONE, "a:latest")
    farm.fetcher.black_holes.add(TWO)
    await farm.feed.watch.scan(0.05)
    assert farm.fleet.at(f"http://{ONE}").is_loaded("a")
    await farm.nursery.close()


async def test_a_host_that_nobody_uses_is_left_alone() -> None:
    farm = Farm(deployment("a", ONE))
    farm.has(ONE)
    for _ in range(5):
        await farm.turn(POLL_SECONDS)
    assert len(farm.fetcher.asked) == 1, "once, to know it"
    host = farm.fleet.at(f"http://{ONE}")
    host.used_at = farm.clock.now
    await farm.turn(POLL_SECONDS)
    assert len(farm.fetcher.asked) == 2
    await farm.turn(POLL_SECONDS / 2)
    assert len(farm.fetcher.asked) == 2
    await farm.turn(100.0)
    assert len(farm.fetcher.asked) == 2
    host.served("b", farm.clock.now)
    await farm.turn()
    assert len(farm.fetcher.asked) == 3, "a model that was not expected is looked after at once"


async def test_a_refused_connection_is_an_outage_and_the_next_answer_its_end() -> None:
    farm = Farm(deployment("a", ONE), deployment("a", TWO))
    farm.has(ONE)
    await farm.turn()
    gone = farm.fleet.at(f"http://{TWO}")
    assert (farm.fleet.at(f"http://{ONE}").online, gone.online) == (True, False)
    farm.has(TWO, "a")
    await farm.turn(POLL_SECONDS)
    assert gone.online and gone.is_loaded("a")


async def test_a_host_that_answers_requests_is_there_however_slow_its_answers_to_questions() -> None:
    farm = Farm(deployment("a", ONE), deployment("a", TWO))
    host = farm.fleet.at(f"http://{ONE}")
    host.heard_at = farm.clock.now
    await farm.turn()
    assert host.online
    await farm.turn(60.0)
    assert not host.online


async def test_one_that_answers_and_is_not_understood_is_there() -> None:
    farm = Farm(deployment("a", ONE), deployment("a", TWO))
    farm.fetcher.pages[ONE] = {}
    await farm.turn()
    assert farm.fleet.at(f"http://{ONE}").online


async def test_whoever_waits_for_a_host_that_goes_is_told() -> None:
    farm = Farm(deployment("a", ONE), deployment("a", TWO))
    host = farm.fleet.at(f"http://{ONE}")
    farm.fleet.resize(host, 1, 0.0)
    queue = farm.fleet.queue_of(host)
    runs, waits = Ticket("a", "a", "k", 0.0), Ticket("a", "a", "k", 0.0)
    queue.enter(runs, 0.0)
    queue.enter(waits, 0.0)
    told: list[object] = []
    waits.bell = type("Bell", (), {"put": staticmethod(told.append)})()
    await farm.turn()
    assert [type(item).__name__ for item in told] == ["Unreachable"]


@pytest.mark.parametrize(
    ("provider", "at", "environment", "slots"),
    [
        ("ollama", ONE, {}, OLLAMA_SLOTS),
        ("ollama", ONE, {"OLLAMA_NUM_PARALLEL": "2"}, OLLAMA_SLOTS),
        ("ollama", "127.0.0.1:11434", {"OLLAMA_NUM_PARALLEL": "2"}, 2),
        ("ollama_chat", "http://localhost:11434", {"OLLAMA_NUM_PARALLEL": "0"}, OLLAMA_SLOTS),
        ("ollama", "127.0.0.1:11434", {"OLLAMA_NUM_PARALLEL": "many"}, OLLAMA_SLOTS),
        ("lm_studio", ONE, {}, 4),
        ("hosted_vllm", ONE, {}, None),
        ("sglang", ONE, {}, None),
        ("llama_cpp", ONE, {}, None),
        ("oobabooga", ONE, {}, None),
    ],
)
def test_how_much_a_host_is_sent_at_once(
    provider: str, at: str, environment: dict[str, str], slots: int | None
) -> None:
    farm = Farm(deployment("a", at, provider), settings=load(None, environment))
    assert farm.fleet.listed[0].slots == slots


async def test_llama_cpp_says_itself_how_much_it_can_do() -> None:
    farm = Farm(deployment("a", f"http://{ONE}/v1", "llama_cpp"))
    farm.fetcher.pages[ONE] = {"/v1/models": {"data": [{"id": "a"}]}, "/props": {"total_slots": 3}}
    await farm.turn()
    assert farm.fleet.listed[0].slots == 3
    farm.feed.follow(loaded(), [deployment("a", f"http://{ONE}/v1", "llama_cpp")], ())
    assert farm.fleet.listed[0].slots == 3, "a reload forgets nothing"


def test_the_operator_has_the_last_word(tmp_path: Path) -> None:
    text = f"""
router_settings: {{default_priority: 5}}
pointsman:
  queue_max_group_wait_seconds: 7
  queue_ageing_seconds: 3
  queue_wait_seconds_max: 60
  local_hosts:
    - {{api_base: 'http://{ONE}', slots: 3, queue_max: 9, weight: 2, provider: ollama}}
    - {{api_base: 'http://{TWO}/v1', slots: 0, provider: openai}}
"""
    settings = loaded(text, tmp_path)
    farm = Farm(deployment("a", ONE), deployment("b", f"http://{TWO}/v1", "hosted_vllm"), settings=settings)
    first, second = farm.fleet.listed
    assert (first.slots, first.queue_max, first.weight, first.kind) == (3, 9, 2.0, "ollama")
    assert (second.slots, second.kind) == (None, "openai")
    rules = farm.fleet.queue_rules
    assert rules == QueueRules(7.0, 3.0, 5, 60.0)
    assert local_places(settings.settings.local.local_hosts) == (
        Place(f"http://{ONE}", "ollama", given=True), Place(f"http://{TWO}", "openai", given=True),
    )  # fmt: skip


def test_a_host_that_is_listed_among_the_ollamas_is_one_whatever_else_is_said_of_it(tmp_path: Path) -> None:
    text = f"pointsman: {{ollama: ['http://{ONE}'], local_hosts: [{{api_base: 'http://{ONE}', slots: 1}}]}}"
    places = discovery_places(loaded(text, tmp_path))
    assert [place for place in places if ONE in place.url] == [Place(f"http://{ONE}", "ollama", given=True)]


def test_remote_deployments_are_nobodys_host() -> None:
    assert Farm(deployment("gpt", "https://api.openai.com/v1", "openai", local=False)).fleet.listed == ()


def test_what_discovery_sees_of_a_host_that_is_left_alone_counts() -> None:
    host = FoundHost("ollama", f"http://{ONE}", online=False)
    farm = Farm(deployment("a", ONE), found=(host,))
    assert not farm.fleet.listed[0].online
    farm.feed.follow(loaded(), [deployment("a", ONE)], (msgspec.structs.replace(host, online=True),))
    assert farm.fleet.listed[0].online


async def test_a_host_behind_a_key_is_shown_it() -> None:
    farm = Farm(deployment("a", ONE, api_key=Secret("sk-up")))
    farm.has(ONE)
    await farm.turn()
    assert farm.fetcher.sent_headers == [(("Authorization", "Bearer sk-up"),)]


async def test_what_was_seen_in_a_hosts_memory_is_told_while_it_is_new() -> None:
    farm = Farm(deployment("a", ONE), deployment("a", TWO))
    farm.has(ONE, "a", "b")
    farm.has(TWO)
    url = f"http://{ONE}"
    assert farm.feed.in_memory(url) is None
    await farm.feed.watch.scan(1.0)
    assert set(farm.feed.in_memory(url) or ()) == {"a", "b"}
    assert set(farm.feed.in_memory(f"http://{TWO}") or ("?",)) == {"?"}
    assert farm.feed.in_memory("http://10.0.0.9:11434") is None
    farm.clock.now += 2 * POLL_SECONDS
    assert farm.feed.in_memory(url) is None
