"""A request waits for a slot of a local server, and whatever becomes of it, the slot is free again."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Unreachable
from pointsman.core.exchange import ClientGone
from pointsman.core.identity import token_of
from pointsman.core.rules import Target
from pointsman.core.upstream import Deployment
from pointsman.lifecycle.loads import Loads
from pointsman.lifecycle.turn import send_away
from pointsman.routing.hosts import Host
from pointsman.routing.queue import QueueRules
from pointsman.routing.settings import FallbackLists, RoutingSettings, StrategyChoice
from tests.unit.lifecycle.house_script import KEY, ScriptedFlight, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import DONE, GOOD, LAST, chunk
from tests.unit.policies.desk import key_record

BY_WEIGHT = RoutingSettings(strategy=StrategyChoice("simple-shuffle"))


def local(name: str = "dep-1", at: str = "http://gpu1:1/v1", **more: Any) -> Deployment:
    return deployment(id=name, api_base=at, local=True, price=None, api_key=None, **more)


def house(*deployments: Deployment, slots: int | None = 1, queue_max: int = 512, **options: Any) -> tuple[Stage, Host]:
    stage = Stage(*(deployments or (local(),)), **options)
    fleet = stage.house.router.fleet
    for each in deployments or (local(),):
        host = fleet.at(each.api_base)
        host.slots, host.queue_max = slots, queue_max
    return stage, fleet.at((deployments or (local(),))[0].api_base)


def idle(host: Host) -> bool:
    queue = host.queue
    return queue is not None and not queue.started() and not queue.depth and not host.in_flight and not host.waiting


def sent(stage: Stage) -> list[str]:
    return [each.id for each, _, _ in stage.sender.sent]


async def test_with_a_free_slot_nothing_is_waited_for() -> None:
    stage, host = house()
    story, client = stage.tell(chat_body())
    assert len(stage.nursery) == 0
    assert host.in_flight == {"real": 1}
    stage.flight.answer(GOOD)
    assert story.over and client.status == 200
    assert b"x-pointsman-queue-ms" not in client.head
    assert idle(host)
    stage.settled()


async def test_the_next_runs_the_moment_that_a_slot_is_free_and_its_wait_is_told_apart() -> None:
    stage, host = house()
    stage.tell(chat_body())
    story, client = stage.tell(chat_body())
    assert (len(stage.sender.flights), host.waiting, len(stage.nursery)) == (1, {"real": 1}, 0)
    stage.clock.now += 2.5
    stage.flight.answer(GOOD)
    assert len(stage.sender.flights) == 2, "it was sent inside the read that ended the other"
    stage.flight.answer(GOOD)
    assert story.over and client.status == 200
    assert b"x-pointsman-queue-ms: 2500.000\r\n" in client.head
    assert stage.books.records[1].overhead_ms < 1.0
    assert idle(host)


async def test_what_was_answered_is_loaded() -> None:
    stage, host = house()
    assert not host.is_loaded("real")
    stage.tell(chat_body())
    stage.flight.answer(b"{}", 500)
    assert not host.is_loaded("real")
    stage.tell(chat_body())
    stage.flight.answer(GOOD)
    assert host.is_loaded("real") and host.is_surprised


@pytest.mark.parametrize("streamed", [False, True])
async def test_who_leaves_the_line_never_touches_who_runs(streamed: bool) -> None:
    stage, host = house()
    first, answered = stage.tell(chat_body())
    waiter, left = stage.tell(chat_body(stream=streamed))
    third, last = stage.tell(chat_body())
    waiter.interrupt(ClientGone())
    assert waiter.over and left.status == 0
    assert host.waiting == {"real": 1} and host.in_flight == {"real": 1}
    assert stage.happened.count("upstream cut") == 0
    stage.flight.answer(GOOD)
    stage.flight.answer(GOOD)
    assert first.over and third.over
    assert (answered.status, last.status, len(stage.sender.flights)) == (200, 200, 2)
    assert idle(host)
    assert [record.status for record in stage.books.records] == ["cancelled", "success", "success"]


async def test_who_runs_and_leaves_gives_its_slot_to_the_next() -> None:
    stage, host = house()
    first, _ = stage.tell(chat_body())
    _, client = stage.tell(chat_body())
    first.interrupt(ClientGone())
    assert len(stage.sender.flights) == 2 and stage.sender.flights[0].closed
    stage.flight.answer(GOOD)
    assert client.status == 200 and idle(host)


@pytest.mark.parametrize(
    "act", [lambda flight: flight.fail(Unreachable("gone")), lambda flight: flight.answer(b"{", 200)]
)
async def test_a_failure_frees_the_slot(act: Any) -> None:
    stage, host = house()
    stage.sender.act = act
    _, client = stage.tell(chat_body())
    assert client.status in {502, 503}
    assert idle(host)
    stage.settled()


async def test_a_retry_holds_no_slot_of_the_host_that_failed() -> None:
    two = (local(), local("dep-2", "http://gpu2:1/v1"))
    stage, _ = house(*two, routing=RoutingSettings())

    def act(flight: ScriptedFlight) -> None:
        if len(stage.sender.flights) == 1:
            flight.answer(b"{}", 500)

    stage.sender.act = act
    stage.tell(chat_body())
    failed, runs = (stage.house.router.fleet.of(each) for each, _, _ in stage.sender.sent)
    assert failed is not None and runs is not None and failed is not runs
    assert idle(failed) and runs.in_flight == {"real": 1}
    stage.flight.answer(GOOD)
    assert idle(runs)
    stage.settled()


async def test_a_full_line_turns_away_with_place_and_time() -> None:
    stage, host = house(queue_max=1)
    stage.tell(chat_body())
    stage.tell(chat_body())
    _, client = stage.tell(chat_body())
    assert client.status == 429
    assert b"retry-after: " in client.head
    error = msgspec.json.decode(client.body)["error"]
    assert error["code"] == "queue_full"
    assert "1 slots taken" in error["message"] and "number 2" in error["message"]
    assert (host.in_flight, host.waiting) == ({"real": 1}, {"real": 1})


async def test_who_finds_a_full_line_goes_elsewhere() -> None:
    two = (local(), local("dep-2", "http://gpu2:1/v1"), local("dep-3", "http://gpu3:1/v1"))
    stage, _ = house(*two, queue_max=0, routing=RoutingSettings())
    for _ in two:
        stage.tell(chat_body())
    assert sorted(sent(stage)) == ["dep-1", "dep-2", "dep-3"]
    _, client = stage.tell(chat_body())
    assert client.status == 429 and b"queue_full" in client.body


async def test_a_model_that_stands_in_serves_what_a_full_line_does_not_take() -> None:
    cloud = deployment(id="dep-2", group="spare")
    settings = RoutingSettings(fallbacks=FallbackLists(general={"public": (Target("spare"),)}))
    stage, host = house(local(), cloud, queue_max=0, routing=settings)
    stage.tell(chat_body())
    stage.tell(chat_body())
    assert sent(stage) == ["dep-1", "dep-2"]
    assert host.in_flight == {"real": 1}


async def test_a_streaming_client_is_kept_alive_while_it_waits() -> None:
    stage, host = house(keepalive_seconds=0.001)
    stage.tell(chat_body())
    story, client = stage.tell(chat_body(stream=True))
    while not client.body.count(b": keepalive\n\n") >= 2:
        await asyncio.sleep(0.001)
    stage.sender.flights[0].answer(GOOD)
    stage.flight.piece(chunk("Hi"))
    stage.flight.piece(LAST, last=True)
    assert story.over and client.status == 200 and client.body.endswith(DONE)
    assert idle(host)


async def test_an_unstreamed_client_waits_in_silence() -> None:
    stage, _ = house(keepalive_seconds=0.001)
    stage.tell(chat_body())
    _, client = stage.tell(chat_body())
    assert (client.begun, client.body) == (False, b"")


async def test_who_cannot_be_served_in_time_is_told_at_once() -> None:
    stage, host = house()
    first, _ = stage.tell(chat_body())
    stage.clock.now += 20.0
    stage.flight.answer(GOOD)
    assert first.over
    stage.tell(chat_body())
    _, client = stage.tell(chat_body(timeout=5))
    assert client.status == 429
    error = msgspec.json.decode(client.body)["error"]
    assert error["code"] == "queue_timeout" and "20 s" in error["message"]
    assert host.waiting == {}


async def test_who_was_not_served_in_time_is_told_when_it_is_over() -> None:
    stage, host = house()
    stage.tell(chat_body())
    story, client = stage.tell(chat_body(timeout=1.5))
    stage.clock.now += 2.0
    assert host.queue is not None
    (ticket,) = host.queue.waiters()
    assert ticket.bell is not None
    ticket.bell.put(False)
    assert story.over and client.status == 408
    assert host.waiting == {} and host.in_flight == {"real": 1}


@pytest.mark.parametrize(
    ("headers", "streamed", "until"),
    [
        ([(b"x-litellm-timeout", b"30")], True, 30.0),
        ([(b"x-litellm-stream-timeout", b"40"), (b"x-litellm-timeout", b"30")], True, 40.0),
        ([(b"x-stainless-read-timeout", b"600")], False, 600.0),
        ([(b"x-stainless-read-timeout", b"600")], True, inf),
        ([(b"x-stainless-timeout", b"20.5")], False, 20.5),
        ([(b"x-litellm-timeout", b"soon")], False, inf),
        ([], False, inf),
    ],
)
async def test_a_client_says_how_long_it_waits(
    headers: list[tuple[bytes, bytes]], streamed: bool, until: float
) -> None:
    stage, host = house()
    stage.tell(chat_body())
    inbound = stage.inbound(chat_body(stream=streamed))
    inbound.head.headers = headers
    stage.begin_with(inbound)
    assert host.queue is not None
    (ticket,) = host.queue.waiters()
    assert ticket.expires_at == pytest.approx(inbound.received + until)


async def test_nobody_waits_for_ever() -> None:
    stage, host = house()
    stage.house.router.fleet.queue_rules = QueueRules(wait_seconds_max=0.001)
    stage.tell(chat_body())
    story, client = stage.tell(chat_body())
    stage.clock.now += 1.0
    while not story.over:
        await asyncio.sleep(0.001)
    assert client.status == 408 and b"queue_timeout" in client.body
    assert host.waiting == {} and host.in_flight == {"real": 1}


async def test_a_stream_that_waited_in_vain_ends_with_an_error_event() -> None:
    stage, host = house(keepalive_seconds=0.001)
    stage.tell(chat_body())
    story, client = stage.tell(chat_body(stream=True, timeout=30))
    while not client.body:
        await asyncio.sleep(0.001)
    stage.clock.now += 31.0
    while not story.over:
        await asyncio.sleep(0.001)
    assert client.ended and b"queue_timeout" in client.body
    assert host.waiting == {}


async def test_when_the_host_goes_away_who_waits_for_it_goes_on_elsewhere() -> None:
    two = (local(weight=1.0), local("dep-2", "http://gpu2:1/v1", weight=0.0))
    stage, host = house(*two, routing=BY_WEIGHT)
    stage.tell(chat_body())
    _, client = stage.tell(chat_body())
    assert sent(stage) == ["dep-1"] and host.waiting == {"real": 1}
    host.online = False
    send_away(host)
    assert sent(stage) == ["dep-1", "dep-2"]
    stage.flight.answer(GOOD)
    assert client.status == 200
    assert host.waiting == {} and host.in_flight == {"real": 1}


async def test_one_who_finds_the_host_gone_tells_the_others() -> None:
    two = (local(weight=1.0), local("dep-2", "http://gpu2:1/v1", weight=0.0))
    stage, host = house(*two, routing=BY_WEIGHT)
    stage.tell(chat_body())
    stage.tell(chat_body())
    stage.flight.fail(Unreachable("no route to host"))
    assert not host.online and idle(host)
    assert sent(stage) == ["dep-1", "dep-2"]
    other = stage.house.router.fleet.at("http://gpu2:1")
    assert (other.in_flight, other.waiting) == ({"real": 1}, {"real": 1})


async def test_those_who_wait_for_a_lone_host_that_is_gone_are_told_together() -> None:
    stage, host = house(queue_max=1_000)
    host.online = False
    clients = [stage.tell(chat_body())[1] for _ in range(600)]
    stage.flight.fail(Unreachable("no route to host"))
    assert {client.status for client in clients} == {503}
    assert len(stage.sender.flights) == 1
    assert idle(host)


async def test_a_key_that_is_for_batch_work_lets_others_go_first() -> None:
    nightly = key_record(KEY, metadata=msgspec.Raw(b'{"batch": true}'))
    stage, _ = house(record=nightly)
    stage.tell(chat_body(user="running"))
    await _served(stage)
    stage.tell(chat_body(user="nightly"), key=KEY)
    stage.tell(chat_body(user="person"))
    stage.flight.answer(GOOD)
    assert b'"person"' in stage.sender.sent[-1][1].body


async def _served(stage: Stage) -> None:
    """Let the key be looked up."""
    await stage.house.keyring.look_up(stage.house.keyring.identify(KEY.encode(), []))


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({"priority": 5}, False),
        ({"priority": 0}, True),
        ({"service_tier": "flex"}, False),
        ({"service_tier": "auto"}, True),
        ({"metadata": {"batch": "true"}}, False),
        ({"metadata": {"team": "x"}}, True),
        ({"priority": "soon"}, True),
    ],
)
async def test_a_request_may_say_how_important_it_is(fields: dict[str, Any], first: bool) -> None:
    stage, _ = house()
    stage.tell(chat_body())
    stage.tell(chat_body(user="one", **fields))
    stage.tell(chat_body(user="two"))
    stage.flight.answer(GOOD)
    body = stage.sender.sent[-1][1].body
    assert (b'"one"' in body) is first
    stage.flight.answer(GOOD)
    assert b'"priority"' not in b"".join(outbound.body for _, outbound, _ in stage.sender.sent)


@pytest.mark.parametrize(("asked", "steps"), [(None, 4), (0, 4), (2, 4), (9, 9), (10**9, 255)])
async def test_a_key_cannot_make_itself_more_important_than_it_is(asked: int | None, steps: int) -> None:
    stage, host = house(record=key_record(KEY, metadata=msgspec.Raw(b'{"default_priority": 4}')))
    await _served(stage)
    stage.tell(chat_body())
    stage.tell(chat_body() if asked is None else chat_body(priority=asked), key=KEY)
    assert host.queue is not None
    (ticket,) = host.queue.waiters()
    assert ticket.steps == steps


async def test_the_operator_says_how_important_those_are_who_say_nothing() -> None:
    stage, host = house()
    stage.house.router.fleet.queue_rules = QueueRules(default_priority=7)
    stage.tell(chat_body())
    stage.tell(chat_body())
    stage.tell(chat_body(priority=1))
    assert host.queue is not None
    assert sorted(ticket.steps for ticket in host.queue.waiters()) == [1, 7]


async def test_a_server_with_an_order_of_its_own_is_told_the_priority() -> None:
    stage, host = house(slots=None)
    host.kind = "vllm"
    stage.tell(chat_body(priority=3))
    assert b'"priority":3' in stage.sender.sent[0][1].body


async def test_a_long_line_of_requests_that_are_done_at_once_is_no_tower() -> None:
    stage, host = house(queue_max=3_000)
    stage.tell(chat_body())
    waiting = [stage.tell(chat_body())[1] for _ in range(3_000)]
    first = stage.flight
    stage.sender.act = lambda flight: flight.answer(GOOD)
    first.answer(GOOD)
    assert {client.status for client in waiting} == {200}
    assert idle(host)


class Bed:
    """Wakes models, when the test lets it; see :class:`pointsman.lifecycle.loads.Loader`."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.morning = asyncio.Event()

    def can_load(self, _deployment: Deployment) -> bool:
        return True

    async def load(self, deployment: Deployment) -> None:
        self.woken.append(deployment.model)
        await self.morning.wait()


async def test_a_model_that_sleeps_is_woken_once_for_all_who_wait_for_it() -> None:
    stage, host = house(slots=None)
    bed = Bed()
    stage.house.loads = Loads(bed, stage.nursery)
    host.kind, host.sleeps = "vllm", True
    told = [stage.tell(chat_body()) for _ in range(2)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert bed.woken == ["real"] and not stage.sender.sent and host.loading
    bed.morning.set()
    for _ in range(5):
        await asyncio.sleep(0)
    for flight in stage.sender.flights:
        flight.answer(GOOD)
    await asyncio.sleep(0)
    assert [client.status for _, client in told] == [200, 200]
    assert not host.loading and host.is_surprised, "it is looked at again soon"


@pytest.mark.parametrize(
    ("change", "status"), [({"blocked": True}, 403), ({"expires": 1.0}, 401), (None, 401)], ids=str
)
@pytest.mark.parametrize("other", [[], [deployment(id="other", group="spare")]], ids=["alone", "with a fallback"])
async def test_whose_key_is_taken_away_while_they_wait_is_answered_by_nobody(
    change: dict[str, Any] | None, status: int, other: list[Deployment]
) -> None:
    settings = RoutingSettings(fallbacks=FallbackLists(general={"public": (Target("spare"),)}))
    stage, host = house(local(), *other, routing=settings)
    await stage.house.keyring.find(token_of(KEY))
    stage.tell(chat_body())
    story, client = stage.tell(chat_body(), KEY)
    record = key_record(KEY)
    changed = None if change is None else msgspec.structs.replace(record, **change)
    stage.source.records = {} if changed is None else {record.token: changed}
    stage.house.keyring.changed(record.token, changed)
    stage.flight.answer(GOOD)
    for _ in range(20):
        await asyncio.sleep(0)
    assert story.over
    assert client.status == status
    assert len(stage.sender.sent) == 1
    assert idle(host)
    assert [record.status for record in stage.books.records] == ["success", "failure"]
