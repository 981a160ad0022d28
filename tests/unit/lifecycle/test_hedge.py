"""A second deployment is asked when the first is silent; one answer reaches the client, and the other is cut off."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.config.traffic_sections import Bulkhead, Hedge, TrafficRule
from pointsman.core.eager import Story
from pointsman.core.errors import Unreachable
from pointsman.core.exchange import ClientGone
from pointsman.core.identity import token_of
from pointsman.lifecycle.ways import RuleCounts
from tests.unit.lifecycle.house_script import KEY, ScriptedClient, ScriptedFlight, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import GOOD, LAST, chunk, refusal
from tests.unit.lifecycle.traffic_script import stage_with, with_bulkheads
from tests.unit.policies.desk import key_record

SOON = TrafficRule(model="public", hedge=Hedge(after_ms=1, max_share=1))
TWO = (deployment(), deployment(id="dep-2"))


def counts(stage: Stage) -> RuleCounts:
    assert stage.house.traffic is not None
    return stage.house.traffic.counts["public"]


async def until_sent(stage: Stage, number: int) -> None:
    async with asyncio.timeout(5):
        while len(stage.sender.sent) < number:
            await asyncio.sleep(0.001)


async def raced(stage: Stage, body: bytes, key: str | None = None) -> tuple[Story, ScriptedClient]:
    """A request whose first deployment was silent for so long that a second one is asked."""
    story, client = stage.tell(body) if key is None else stage.tell(body, key)
    await until_sent(stage, 2)
    first, second = (sent.id for sent, _, _ in stage.sender.sent)
    assert first != second
    return story, client


def released(stage: Stage) -> None:
    assert stage.escaped == [] and stage.house.admission.in_flight == 0
    assert all(flight.closed for flight in stage.sender.flights)
    pool = stage.house.router.pool("public")
    assert pool is not None and [member.live.in_flight for member in pool.members] == [0] * len(pool.members)


@pytest.mark.parametrize("winner", [0, 1])
async def test_whoever_answers_first_answers_and_the_other_is_cut(winner: int) -> None:
    stage = stage_with(SOON, *TWO, record=key_record(KEY))
    await stage.house.keyring.look_up(token_of(KEY))
    _, client = await raced(stage, chat_body(), KEY)
    stage.sender.flights[winner].answer(GOOD)
    assert client.status == 200 and client.body == GOOD
    loser = stage.sender.flights[1 - winner]
    assert loser.closed and not loser.complete
    (own,) = [record for record in stage.books.records if record.key_token == token_of(KEY)]
    (cut,) = [record for record in stage.books.records if record.key_token == "gateway"]
    assert own.deployment_id == stage.sender.sent[winner][0].id and (own.attempts, own.cost) == (2, 10)
    assert own.tags == ("hedged",) and b"x-pointsman-hedge: " + (b"first", b"second")[winner] in client.head
    assert cut.deployment_id == stage.sender.sent[1 - winner][0].id
    assert (cut.status, cut.tags, cut.call_id) == ("cancelled", ("hedge",), f"hedge-{own.call_id}")
    assert cut.usage.source == "estimated" and cut.usage.completion == 0
    principal = stage.house.keyring.recall(token_of(KEY))
    assert principal is not None and (principal.spent, principal.reserved) == (10, 0)
    assert (counts(stage).asked, counts(stage).second, counts(stage).won) == (1, 1, winner)
    released(stage)


@pytest.mark.parametrize("winner", [0, 1])
async def test_a_stream_is_raced_for_until_its_first_piece(winner: int) -> None:
    stage = stage_with(SOON, *TWO)
    _, client = await raced(stage, chat_body(stream=True))
    stage.sender.flights[0].silence()
    assert client.begun, "the client is told to wait"
    flight = stage.sender.flights[winner]
    flight.piece(chunk("one"))
    assert stage.sender.flights[1 - winner].closed and b"one" in client.body
    flight.piece(chunk(" two"))
    flight.piece(LAST, last=True)
    assert client.ended and client.body.count(b'"content"') == 3
    assert client.flow is None
    released(stage)


async def test_one_that_is_quick_enough_has_no_second() -> None:
    stage = stage_with(TrafficRule(model="public", hedge=Hedge(after_ms=60_000, max_share=1)), *TWO)
    stage.sender.act = lambda flight: flight.answer(GOOD)
    for _ in range(20):
        stage.tell(chat_body())
    assert len(stage.sender.sent) == 20 and counts(stage).second == 0
    released(stage)


async def test_a_failure_is_no_good_first_byte() -> None:
    stage = stage_with(SOON, *TWO)
    _, client = await raced(stage, chat_body())
    stage.sender.flights[0].answer(refusal("overloaded"), 503)
    assert not client.ended, "the other one may still answer"
    stage.sender.flights[1].answer(GOOD)
    assert client.status == 200
    (cut,) = [record for record in stage.books.records if record.tags == ("hedge",)]
    assert (cut.status, cut.http_status) == ("failure", 503)
    pool = stage.house.router.pool("public")
    first = stage.sender.sent[0][0].id
    assert pool is not None and {m.live.id: m.live.failures for m in pool.members}[first] == 1
    released(stage)


async def test_when_both_fail_the_client_is_told_and_a_retry_is_as_usual() -> None:
    stage = stage_with(SOON, *TWO)
    _, client = await raced(stage, chat_body())
    stage.sender.flights[1].fail(Unreachable("gone"))
    assert not client.ended
    stage.sender.flights[0].answer(b"{}", 500)
    assert client.status >= 500 and len(stage.sender.sent) == 2
    released(stage)

    stage = stage_with(SOON, *TWO, deployment(id="dep-3"), num_retries=2)
    _, client = await raced(stage, chat_body())
    stage.sender.flights[1].fail(Unreachable("gone"))
    stage.sender.act = lambda flight: flight.answer(GOOD)
    stage.sender.flights[0].answer(b"{}", 500)
    assert client.status == 200 and len(stage.sender.sent) == 3
    released(stage)


async def test_a_client_that_leaves_takes_both_along() -> None:
    stage = stage_with(SOON, *TWO)
    story, _ = await raced(stage, chat_body(stream=True))
    story.interrupt(ClientGone())
    assert all(flight.closed for flight in stage.sender.flights)
    assert sorted(record.status for record in stage.books.records) == ["cancelled", "cancelled"]
    released(stage)


async def test_no_more_than_the_share_of_all_requests_is_asked_twice() -> None:
    stage = stage_with(TrafficRule(model="public", hedge=Hedge(after_ms=1, max_share=0.1)), *TWO)
    for _ in range(10):
        _, client = stage.tell(chat_body())
        flight = stage.flight
        await asyncio.sleep(0.01)
        flight.answer(GOOD)
        assert client.status == 200
    assert len(stage.sender.sent) == 11 and counts(stage).second == 1
    released(stage)


@pytest.mark.parametrize(("said", "number"), [(False, 1), (True, 2)])
async def test_a_machine_of_ones_own_is_not_given_twice_the_work_unless_that_is_wanted(said: bool, number: int) -> None:
    rule = TrafficRule(model="public", hedge=Hedge(after_ms=1, max_share=1, local=said))
    own = [deployment(id=f"dep-{n}", local=True, api_base=f"http://gpu{n}/v1") for n in (1, 2)]
    stage = stage_with(rule, *own)
    stage.tell(chat_body())
    await asyncio.sleep(0.02)
    assert len(stage.sender.sent) == number
    for flight in list(stage.sender.flights):
        flight.answer(GOOD)
    released(stage)


@pytest.mark.parametrize("winner", [0, 1])
async def test_the_second_one_has_a_slot_at_its_machine_for_as_long_as_it_works(winner: int) -> None:
    rule = TrafficRule(model="public", hedge=Hedge(after_ms=1, max_share=1, local=True))
    own = [deployment(id=f"dep-{n}", local=True, api_base=f"http://gpu{n}/v1") for n in (1, 2)]
    stage = stage_with(rule, *own)
    hosts = [stage.house.router.fleet.at(one.api_base) for one in own]
    _, client = await raced(stage, chat_body())
    assert [host.in_flight for host in hosts] == [{"real": 1}] * 2
    stage.sender.flights[winner].answer(GOOD)
    assert client.status == 200
    assert [host.in_flight for host in hosts] == [{}] * 2
    released(stage)


async def test_the_first_one_s_slot_is_free_as_soon_as_the_second_one_has_won() -> None:
    rule = TrafficRule(model="public", hedge=Hedge(after_ms=1, max_share=1, local=True))
    own = [deployment(id=f"dep-{n}", local=True, api_base=f"http://gpu{n}/v1") for n in (1, 2)]
    stage = stage_with(rule, *own)
    hosts = {one.id: stage.house.router.fleet.at(one.api_base) for one in own}
    for host in hosts.values():
        host.slots = 1
    _, client = await raced(stage, chat_body(stream=True))
    first, second = (hosts[sent.id] for sent, _, _ in stage.sender.sent)
    stage.sender.flights[1].piece(chunk("one"))
    assert client.begun and (first.in_flight, second.in_flight) == ({}, {"real": 1})
    _, next_client = stage.tell(chat_body())
    assert (first.in_flight, second.in_flight) == ({"real": 1}, {"real": 1}), "which somebody else has by then"
    stage.sender.flights[1].piece(LAST, last=True)
    assert client.ended and (first.in_flight, second.in_flight) == ({"real": 1}, {}), "and keeps"
    assert second.holds("real") is not None and first.holds("real") is None
    stage.flight.answer(GOOD)
    assert next_client.status == 200 and (first.in_flight, second.in_flight) == ({}, {})
    released(stage)


async def test_without_a_second_deployment_or_room_at_it_the_first_goes_on() -> None:
    alone = stage_with(SOON, deployment())
    _, client = alone.tell(chat_body())
    await asyncio.sleep(0.01)
    alone.flight.answer(GOOD)
    assert client.status == 200 and len(alone.sender.sent) == 1

    full = stage_with(SOON, deployment(), deployment(id="dep-2"))
    bulkheads = with_bulkheads(full, openai=Bulkhead(max_in_flight=1))
    _, client = full.tell(chat_body())
    await asyncio.sleep(0.01)
    full.flight.answer(GOOD)
    assert client.status == 200 and len(full.sender.sent) == 1 and counts(full).second == 0
    assert bulkheads.counts["openai"].in_flight == 0
    released(full)


async def test_the_measure_may_be_what_answers_usually_take() -> None:
    stage = stage_with(TrafficRule(model="public", hedge=Hedge(max_share=1)), *TWO)

    def act(flight: ScriptedFlight) -> None:
        stage.clock.now += 0.005
        flight.answer(GOOD)

    stage.sender.act = act
    for _ in range(30):
        stage.tell(chat_body())
    assert len(stage.sender.sent) == 30
    stage.sender.act = None
    _, client = stage.tell(chat_body())
    await until_sent(stage, 32)
    stage.flight.answer(GOOD)
    assert client.status == 200
    released(stage)
