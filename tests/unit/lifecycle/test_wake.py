"""A host that sleeps is woken once for all who wait for it, and they are kept company."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pointsman.core.errors import Unreachable
from pointsman.core.exchange import ClientGone
from pointsman.core.upstream import Deployment
from pointsman.lifecycle.wake import Waker
from pointsman.routing.hosts import Host, WakeRule
from pointsman.routing.settings import RoutingSettings
from tests.unit.lifecycle.house_script import ScriptedClient, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import GOOD, LAST

CARD = WakeRule(b"\x01\x23\x45\x67\x89\xab")


class Scene:
    """A sleeping host. ``packets`` are those sent; it answers from the question on that ``wakes_at`` counts."""

    def __init__(self, *others: Deployment, wakes_at: int = 3, num_retries: int = 0) -> None:
        sleeping = deployment(local=True, api_base="http://gpu1:11434")
        self.stage = Stage(sleeping, *others, routing=RoutingSettings(num_retries=num_retries))
        self.stage.house.manners = self.stage.house.manners.__class__("1.2.3", keepalive_seconds=0.001)
        self.packets: list[WakeRule] = []
        self.questions = 0
        self.wakes_at = wakes_at
        self.waker = Waker(self._send, self._answers, self.stage.nursery, self.stage.clock, look_seconds=0.002)
        self.stage.house.waker = self.waker
        self.host.wake = CARD
        self.host.online = False

    @property
    def host(self) -> Host:
        return self.stage.house.router.fleet.at("http://gpu1:11434")

    async def _send(self, rule: WakeRule) -> None:
        self.packets.append(rule)

    async def _answers(self, _deployment: Deployment) -> bool:
        self.questions += 1
        return self.questions >= self.wakes_at

    async def until(self, ready: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not ready():
                await asyncio.sleep(0.001)

    def answers(self) -> None:
        self.stage.sender.act = lambda flight: flight.answer(GOOD)


async def test_a_request_for_a_sleeping_host_wakes_it_and_is_served() -> None:
    scene = Scene()
    scene.answers()
    story, client = scene.stage.tell(chat_body())
    assert not scene.stage.sender.sent
    await scene.until(lambda: story.over)
    assert (client.status, scene.packets, scene.host.online) == (200, [CARD], True)
    scene.stage.settled()


async def test_a_streaming_client_is_kept_company_meanwhile() -> None:
    scene = Scene(wakes_at=10)
    scene.stage.sender.act = lambda flight: flight.piece(LAST, last=True)
    story, client = scene.stage.tell(chat_body(stream=True))
    await scene.until(lambda: story.over)
    assert client.status == 200
    assert client.body.startswith(b": keepalive\n\n") and client.body.endswith(b"[DONE]\n\n")
    scene.stage.settled()


async def test_however_many_wait_it_is_woken_once() -> None:
    scene = Scene()
    scene.answers()
    told = [scene.stage.tell(chat_body()) for _ in range(5)]
    await scene.until(lambda: all(story.over for story, _ in told))
    assert [client.status for _, client in told] == [200] * 5
    assert scene.packets == [CARD]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_host_that_does_not_wake_is_told(stream: bool) -> None:
    scene = Scene(wakes_at=10**9)
    scene.waker.seconds_max = 60.0
    story, client = scene.stage.tell(chat_body(stream=stream))
    await scene.until(lambda: scene.questions > 3)
    scene.stage.clock.now += 61
    await scene.until(lambda: story.over)
    assert b"did not answer within 60 s" in client.body
    assert scene.stage.record.error_code == "upstream_unreachable"
    assert scene.stage.record.http_status == 503


async def test_packets_go_out_again_while_it_does_not_answer() -> None:
    scene = Scene(wakes_at=10**9)
    story, _ = scene.stage.tell(chat_body())
    await scene.until(lambda: scene.questions > 2)
    assert len(scene.packets) == 1
    scene.stage.clock.now += 6
    await scene.until(lambda: len(scene.packets) == 2)
    scene.stage.clock.now += 200
    await scene.until(lambda: story.over)


async def test_a_host_that_fell_asleep_unnoticed_is_woken_by_the_attempt_that_finds_out() -> None:
    scene = Scene()
    scene.host.online = True
    scene.stage.sender.act = lambda flight: flight.fail(Unreachable("Nobody there."))
    story, client = scene.stage.tell(chat_body(priority=3))
    scene.answers()
    await scene.until(lambda: story.over)
    assert (client.status, scene.packets, len(scene.stage.sender.sent)) == (200, [CARD], 2)
    assert b"priority" not in scene.stage.sender.sent[1][1].body
    scene.stage.settled()


async def test_nobody_is_woken_while_another_host_is_up() -> None:
    other = deployment(id="dep-2", local=True, api_base="http://gpu2:11434")
    scene = Scene(other, num_retries=1)
    scene.answers()
    for _ in range(10):
        story, client = scene.stage.tell(chat_body())
        assert story.over and client.status == 200
    assert {sent[0].id for sent in scene.stage.sender.sent} == {"dep-2"}
    assert scene.packets == []


async def test_where_all_are_away_one_that_can_be_woken_is_chosen() -> None:
    other = deployment(id="dep-2", local=True, api_base="http://gpu2:11434")
    scene = Scene(other)
    scene.stage.house.router.fleet.at("http://gpu2:11434").online = False
    scene.answers()
    story, client = scene.stage.tell(chat_body())
    await scene.until(lambda: story.over)
    assert (client.status, scene.packets) == (200, [CARD])


async def test_a_client_that_leaves_takes_nobody_elses_patience() -> None:
    scene = Scene(wakes_at=20)
    scene.answers()
    (first, _), (second, client) = scene.stage.tell(chat_body()), scene.stage.tell(chat_body())
    await scene.until(lambda: scene.questions > 2)
    first.interrupt(ClientGone())
    await scene.until(lambda: first.over and second.over)
    assert client.status == 200
    assert sorted(record.status for record in scene.stage.books.records) == ["cancelled", "success"]
    assert isinstance(client, ScriptedClient)
