"""Loading is a state: how long a call may wait for it, and what becomes of it when the client leaves."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.core.errors import TimedOut, Unsupported
from pointsman.core.exchange import ClientGone
from pointsman.core.upstream import Deployment, Timeouts
from pointsman.lifecycle.loads import Loads
from pointsman.routing.hosts import Host, LoadedModel
from tests.unit.lifecycle.house_script import ScriptedFlight, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import GOOD, LAST, chunk


class ScriptedLoader:
    """Loads when the test says so."""

    def __init__(self, *, can: bool = True) -> None:
        self.can = can
        self.done = asyncio.Event()
        self.asked: list[str] = []
        self.refusal: Unsupported | None = None

    def can_load(self, _deployment: Deployment) -> bool:
        return self.can

    async def load(self, deployment: Deployment) -> None:
        self.asked.append(deployment.model)
        if self.refusal is not None:
            raise self.refusal
        await self.done.wait()


class Scene:
    def __init__(self, loader: ScriptedLoader | None = None, **timeouts: float) -> None:
        self.loader = loader or ScriptedLoader()
        self.stage = Stage(deployment(local=True, timeouts=Timeouts(**timeouts)))
        self.loads = Loads(self.loader, self.stage.nursery)
        self.loads.wanted = True
        self.stage.house.loads = self.loads

    @property
    def host(self) -> Host:
        return self.stage.house.router.fleet.at("http://upstream")

    def leave(self, *, stream: bool = False) -> ScriptedFlight:
        """A client asks and goes away before it has heard anything."""
        story, _ = self.stage.tell(chat_body(stream=stream))
        story.interrupt(ClientGone())
        assert story.over
        return self.stage.flight


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


# -- how long ------------------------------------------------------------------------------------------------


def test_a_call_to_a_loaded_model_is_held_to_a_shorter_time() -> None:
    scene = Scene(load=600, first_byte=30)
    scene.host.loaded = {"real": LoadedModel("real")}
    scene.stage.tell(chat_body())
    assert scene.stage.flight.hurried == 30


def test_a_call_to_a_model_that_has_to_be_loaded_may_take_as_long_as_that() -> None:
    scene = Scene(load=600, first_byte=30)
    scene.stage.tell(chat_body())
    scene.stage.tell(chat_body())
    assert [flight.hurried for flight in scene.stage.sender.flights] == [None, None]
    assert scene.host.loading == {"real": 2}


def test_a_call_that_meets_a_load_under_way_waits_for_it_although_the_model_is_listed() -> None:
    scene = Scene(load=600, first_byte=30)
    scene.stage.tell(chat_body())
    first = scene.stage.flight
    scene.host.loaded = {"real:latest": LoadedModel("real:latest")}
    scene.stage.tell(chat_body())
    assert scene.stage.flight.hurried is None
    first.answer(GOOD)
    scene.stage.flight.answer(GOOD)
    assert scene.host.loading == {}
    scene.stage.tell(chat_body())
    assert scene.stage.flight.hurried == 30


@pytest.mark.parametrize("way", ["stream", "failed", "gone"])
def test_a_load_is_over_with_its_first_byte_or_its_end(way: str) -> None:
    scene = Scene()
    scene.loads.wanted = False
    story, _ = scene.stage.tell(chat_body(stream=way == "stream"))
    assert scene.host.loading == {"real": 1}
    if way == "stream":
        scene.stage.flight.piece(chunk("a"))
    elif way == "failed":
        scene.stage.flight.fail(TimedOut("The upstream sent nothing."))
    else:
        story.interrupt(ClientGone())
    assert scene.host.loading == {}


def test_without_a_shorter_time_nothing_is_shortened() -> None:
    scene = Scene()
    scene.host.loaded = {"real": LoadedModel("real")}
    scene.stage.tell(chat_body())
    assert scene.stage.flight.hurried is None


# -- when the client leaves ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
async def test_a_load_goes_on_without_its_client_and_is_cut_when_it_is_done(stream: bool) -> None:
    scene = Scene()
    flight = scene.leave(stream=stream)
    await settle()
    assert (flight.closed, scene.loader.asked, len(scene.loads)) == (False, ["real"], 1)
    assert (scene.stage.record.status, len(scene.stage.books.records)) == ("cancelled", 1)
    scene.loader.done.set()
    await settle()
    assert (flight.closed, len(scene.loads), len(scene.stage.nursery)) == (True, 0, 0)
    scene.stage.settled()


async def test_the_first_byte_ends_it_too() -> None:
    scene = Scene(ScriptedLoader(can=False))
    flight = scene.leave(stream=True)
    flight.silence()
    await settle()
    assert not flight.closed
    flight.piece(chunk("a"))
    await settle()
    assert (flight.closed, len(scene.loads)) == (True, 0)


async def test_a_server_that_cannot_be_told_to_load_is_waited_for() -> None:
    scene = Scene()
    scene.loader.refusal = Unsupported("Not this one.")
    flight = scene.leave()
    await settle()
    assert not flight.closed
    flight.fail(TimedOut("The upstream sent nothing."))
    await settle()
    assert (flight.closed, len(scene.loads), scene.stage.escaped) == (True, 0, [])


async def test_of_one_model_only_one_load_goes_on() -> None:
    scene = Scene()
    first, second = scene.leave(), scene.leave()
    await settle()
    assert (first.closed, second.closed, scene.loader.asked) == (False, True, ["real"])
    await scene.stage.nursery.close()


async def test_there_is_a_bound_on_their_number() -> None:
    scene = Scene()
    scene.stage.house.loads = loads = Loads(scene.loader, scene.stage.nursery, loads_max=0)
    loads.wanted = True
    assert scene.leave().closed


async def test_it_does_not_last_longer_than_a_load_may() -> None:
    scene = Scene(load=-4.999)
    flight = scene.leave()
    await asyncio.sleep(0.05)
    assert (flight.closed, len(scene.loads)) == (True, 0)


async def test_a_load_is_broken_off_with_its_client_unless_the_operator_says_otherwise() -> None:
    scene = Scene()
    scene.loads.wanted = False
    assert scene.leave().closed
    assert scene.loader.asked == []


async def test_nothing_goes_on_for_a_model_that_is_loaded_or_has_begun_to_answer() -> None:
    scene = Scene()
    story, _ = scene.stage.tell(chat_body(stream=True))
    scene.stage.flight.piece(chunk("a"))
    story.interrupt(ClientGone())
    assert scene.stage.flight.closed
    scene.host.loaded = {"real": LoadedModel("real")}
    assert scene.leave().closed
    assert scene.loader.asked == []


async def test_the_end_of_the_gateway_ends_it() -> None:
    scene = Scene()
    flight = scene.leave()
    await settle()
    await scene.stage.nursery.close()
    assert flight.closed


def test_a_cloud_has_no_loads() -> None:
    stage = Stage()
    story, _ = stage.tell(chat_body(stream=True))
    stage.flight.piece(LAST, last=True)
    assert story.over
    stage.settled()


async def test_a_model_that_others_stand_in_for_is_loaded_once_meanwhile() -> None:
    scene = Scene()
    pool = scene.stage.house.router.pool("public")
    assert pool is not None
    for _ in range(3):
        scene.loads.begin(pool.members[0])
    await asyncio.sleep(0)
    model = pool.members[0].deployment.model
    assert scene.loader.asked == [model] and scene.host.loading.get(model)
    scene.loader.done.set()
    while len(scene.loads):
        await asyncio.sleep(0)
    assert not scene.host.loading.get(model) and scene.host.is_loaded(model)
    scene.loads.begin(pool.members[0])
    assert scene.loader.asked == [model], "not again at once"


async def test_what_cannot_be_told_to_load_is_left_alone() -> None:
    scene = Scene(ScriptedLoader(can=False))
    pool = scene.stage.house.router.pool("public")
    assert pool is not None
    scene.loads.begin(pool.members[0])
    assert not len(scene.loads) and not scene.host.loading
