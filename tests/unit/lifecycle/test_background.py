"""Work that goes on without its client: begun once it is let in, stored on the way, ended whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from pointsman.core.errors import StorageUnavailable
from pointsman.core.exchange import ClientGone, Inbound
from pointsman.lifecycle.background import Jobs
from tests.unit.lifecycle.house_script import ScriptedClient, ScriptedFlight, Stage, chat_body
from tests.unit.lifecycle.openai_words import LAST, chunk

WAIT_SECONDS = 5.0


class Errand:
    """See :class:`pointsman.lifecycle.background.Errand`; keeps everything in lists, and fails on demand."""

    def __init__(self, inbound: Inbound, *, streams: bool = False) -> None:
        self.id = "resp_1"
        self.streams = streams
        self.inbound = inbound
        self.begun = False
        self.wanted = True
        self.failures = 0
        self.events: list[bytes] = []
        self.ends: list[tuple[int, bytes] | None] = []

    def accepted(self) -> bytes:
        return b"accepted"

    async def begin(self) -> None:
        self._fail()
        self.begun = True

    async def add(self, first: int, events: Sequence[bytes]) -> bool:
        if events:
            self._fail()
            assert first == len(self.events)
            self.events += events
        return self.wanted

    async def finish(self, first: int, events: Sequence[bytes], failure: tuple[int, bytes] | None) -> bool:
        self._fail()
        assert first == len(self.events)
        self.events += events
        self.ends.append(failure)
        return True

    async def follow(self) -> AsyncIterator[bytes]:
        told = 0
        while not self.ends or told < len(self.events):
            if told < len(self.events):
                events, told = self.events[told:], len(self.events)
                yield b"".join(events)
            await asyncio.sleep(0.01)

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("The disk is full.")


class Office:
    """One errand and the jobs that do it."""

    def __init__(self, *, streams: bool = False, jobs_max: int = 4, **fields: Any) -> None:
        self.stage = Stage()
        body = chat_body(stream=True, stream_options={"include_usage": True}, **fields)
        self.inbound = self.stage.inbound(body)
        self.errand = Errand(self.inbound, streams=streams)
        self.jobs = Jobs(lambda _: self.errand, self.stage.nursery, jobs_max)
        self.client = ScriptedClient(self.stage)

    async def ask(self) -> ScriptedClient:
        await asyncio.wait_for(self.jobs.attend(self.inbound, self.client, self.stage.house), WAIT_SECONDS)
        return self.client

    async def over(self) -> None:
        await eventually(lambda: not len(self.jobs))
        self.stage.settled()


async def eventually(look: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not look():
            await asyncio.sleep(0.01)


async def test_the_client_has_its_answer_while_the_work_goes_on() -> None:
    office = Office()
    client = await office.ask()
    assert (client.status, client.body, office.errand.begun) == (200, b"accepted", True)
    flight = office.stage.flight
    flight.piece(chunk("Blue"))
    await eventually(lambda: office.errand.events)
    assert office.errand.ends == []
    flight.piece(LAST, last=True)
    await office.over()
    assert b"".join(office.errand.events) == chunk("Blue") + LAST and office.errand.ends == [None]
    assert office.stage.record.status == "success"


async def test_who_is_not_let_in_hears_it_and_nothing_is_begun() -> None:
    office = Office(model="nosuch")
    client = await office.ask()
    assert client.status == 400 and b"model_not_found" in client.body
    await office.over()
    assert not office.errand.begun and office.errand.ends == []


async def test_a_refusal_of_the_upstream_is_the_end_of_the_work() -> None:
    office = Office()
    assert (await office.ask()).status == 200
    office.stage.flight.answer(b'{"error":{"message":"slow down"}}', 429)
    await office.over()
    ((status, body),) = [end for end in office.errand.ends if end is not None]
    assert status == 429 and b"slow down" in body


async def test_what_cannot_be_stored_is_not_begun() -> None:
    office = Office()
    office.errand.failures = 1
    client = await office.ask()
    assert client.status == 503 and b"The disk is full." in client.body
    await office.over()
    assert office.stage.record.status == "cancelled" and office.stage.happened.count("upstream cut") == 1


async def test_a_store_that_fails_for_a_while_loses_nothing() -> None:
    office = Office()
    await office.ask()
    flight = office.stage.flight
    office.errand.failures = 2
    for word in ("Blue", " sky"):
        flight.piece(chunk(word))
        await asyncio.sleep(0.15)
    flight.piece(LAST, last=True)
    await office.over()
    assert b"".join(office.errand.events) == chunk("Blue") + chunk(" sky") + LAST


async def test_work_that_nobody_wants_any_more_is_broken_off() -> None:
    office = Office()
    await office.ask()
    office.errand.wanted = False
    office.stage.flight.piece(chunk("Blue"))
    await office.over()
    assert "upstream cut" in office.stage.happened
    assert office.stage.record.status == "cancelled"


async def test_a_job_is_stopped_by_its_id() -> None:
    office = Office()
    await office.ask()
    office.jobs.stop("resp_9")
    assert len(office.jobs) == 1
    office.jobs.stop("resp_1")
    await office.over()
    assert office.errand.ends == [None]


async def test_at_the_end_of_the_process_all_are_ended() -> None:
    office = Office()
    await office.ask()
    await office.jobs.close()
    await office.over()
    assert office.errand.ends == [None]
    await office.jobs.close()


async def test_there_are_so_many_jobs_and_no_more() -> None:
    office = Office(jobs_max=0)
    client = await office.ask()
    assert client.status == 429 and b"retry-after: 10" in client.head
    assert not office.stage.sender.sent


async def test_a_client_may_follow_and_be_made_to_wait() -> None:
    office = Office(streams=True)
    asked = asyncio.ensure_future(office.ask())
    await eventually(lambda: office.errand.begun and office.client.flow)
    flow = office.client.flow
    assert flow is not None
    flow.pause()
    flight = office.stage.flight
    flight.piece(chunk("Blue"))
    await eventually(lambda: office.client.body)
    flight.piece(LAST, last=True)
    await eventually(lambda: office.errand.ends)
    assert office.client.body == chunk("Blue") and not asked.done()
    flow.resume()
    await asked
    assert office.client.ended and office.client.body == chunk("Blue") + LAST
    await office.over()


async def test_a_follower_that_leaves_does_not_end_the_work() -> None:
    office = Office(streams=True)
    story = office.stage.begin(office.jobs.attend(office.inbound, office.client, office.stage.house))
    await eventually(lambda: office.errand.begun and office.client.begun)
    story.interrupt(ClientGone())
    await eventually(lambda: story.over)
    office.stage.flight.piece(LAST, last=True)
    await office.over()
    assert b"".join(office.errand.events) == LAST and office.stage.record.status == "success"


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_no_errand_is_served_as_ever(stream: bool) -> None:
    stage = Stage()
    jobs = Jobs(lambda _: None, stage.nursery)
    client = ScriptedClient(stage)

    def act(flight: ScriptedFlight) -> None:
        if stream:
            flight.piece(LAST, last=True)
        else:
            flight.answer(b'{"choices":[]}')

    stage.sender.act = act
    await jobs.attend(stage.inbound(chat_body(stream=stream)), client, stage.house)
    assert client.status == 200 and client.ended and len(jobs) == 0
    stage.settled()
