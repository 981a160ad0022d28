"""No provider and no model takes more of the gateway than it may; the others never notice."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.config.traffic_sections import Bulkhead
from pointsman.core.errors import Crowded, Unreachable
from pointsman.core.exchange import ClientGone
from pointsman.core.rules import Target
from pointsman.lifecycle.bulkheads import Bulkheads
from pointsman.routing.settings import FallbackLists, RoutingSettings
from tests.unit.lifecycle.house_script import ScriptedFlight, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import GOOD, LAST, chunk
from tests.unit.lifecycle.traffic_script import with_bulkheads


def free(bulkheads: Bulkheads) -> bool:
    return all((count.in_flight, count.waiting) == (0, 0) for count in bulkheads.counts.values())


def test_what_is_beyond_the_bound_is_refused_at_once_and_others_pass() -> None:
    stage = Stage(deployment(), deployment(id="dep-2", group="other", provider="groq"))
    bulkheads = with_bulkheads(stage, openai=Bulkhead(max_in_flight=2))
    told = [stage.tell(chat_body())[1] for _ in range(3)]
    assert [client.status for client in told] == [0, 0, 429]
    assert b"retry-after: 1\r\n" in told[2].head and b"bulkhead_full" in told[2].body
    _, other = stage.tell(chat_body(model="other"))
    assert len(stage.sender.sent) == 3, "another provider has its own room"
    for flight in list(stage.sender.flights):
        flight.answer(GOOD)
    assert [client.status for client in (*told, other)] == [200, 200, 429, 200]
    assert bulkheads.counts["openai"].refused == 1 and free(bulkheads)
    _, client = stage.tell(chat_body())
    stage.flight.answer(GOOD)
    assert client.status == 200
    assert all(member.live.in_flight == 0 for member in stage.house.router.pool("public").members)  # type: ignore[union-attr]


def test_a_full_provider_is_not_to_blame_and_need_not_rest() -> None:
    stage = Stage(deployment(), deployment(id="dep-2"))
    with_bulkheads(stage, openai=Bulkhead(max_in_flight=1))
    stage.tell(chat_body())
    for _ in range(5):
        assert stage.tell(chat_body())[1].status == 429
    pool = stage.house.router.pool("public")
    assert pool is not None
    assert all((member.live.failures, member.live.rests_until) == (0, 0.0) for member in pool.members)


def test_the_next_candidate_is_taken_where_there_is_room() -> None:
    stage = Stage(deployment(weight=1000.0), deployment(id="dep-2", provider="groq", weight=0.001))
    with_bulkheads(stage, openai=Bulkhead(max_in_flight=1))
    stage.tell(chat_body())
    stage.tell(chat_body())
    assert {sent.id for sent, _, _ in stage.sender.sent} == {"dep-1", "dep-2"}


def test_another_model_stands_in_for_a_full_one() -> None:
    lists = FallbackLists(general={"public": (Target("spare"),)})
    stage = Stage(
        deployment(),
        deployment(id="dep-2", group="spare", provider="groq"),
        routing=RoutingSettings(num_retries=0, fallbacks=lists),
    )
    with_bulkheads(stage, openai=Bulkhead(max_in_flight=1))
    stage.tell(chat_body())
    _, client = stage.tell(chat_body())
    stage.flight.answer(GOOD)
    assert client.status == 200 and b"x-litellm-model-group: spare" in client.head


def test_a_model_may_have_a_bound_of_its_own() -> None:
    stage = Stage(deployment(), deployment(id="dep-2", group="other"))
    bulkheads = with_bulkheads(stage, public=Bulkhead(max_in_flight=1), openai=Bulkhead(max_in_flight=3))
    assert stage.tell(chat_body())[1].status == 0
    assert stage.tell(chat_body())[1].status == 429
    assert stage.tell(chat_body(model="other"))[1].status == 0
    assert bulkheads.counts["openai"].in_flight == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_some_may_wait_and_come_in_their_order(stream: bool) -> None:
    stage = Stage()
    bulkheads = with_bulkheads(stage, openai=Bulkhead(max_in_flight=1, max_waiting=2))
    told = [stage.tell(chat_body(stream=stream))[1] for _ in range(4)]
    assert len(stage.sender.sent) == 1 and told[3].status == 429
    assert (bulkheads.counts["openai"].in_flight, bulkheads.counts["openai"].waiting) == (1, 2)
    for number in range(3):
        assert len(stage.sender.sent) == number + 1
        if stream:
            stage.flight.piece(chunk())
            stage.flight.piece(chunk(" there"))
            assert told[number].body.count(b"data:") == 2, "pieces go through as they come"
            stage.flight.piece(LAST, last=True)
        else:
            stage.flight.answer(GOOD)
        assert told[number].ended
    assert free(bulkheads) and all(flight.closed for flight in stage.sender.flights)
    assert {record.status for record in stage.books.records} == {"success", "failure"}


async def test_who_waits_too_long_is_told_so() -> None:
    stage = Stage()
    bulkheads = with_bulkheads(stage, openai=Bulkhead(max_in_flight=1, max_waiting=2, max_wait_seconds=0.01))
    stage.tell(chat_body())
    story, client = stage.tell(chat_body())
    async with asyncio.timeout(5):
        while not story.over:
            await asyncio.sleep(0.005)
    assert client.status == 429 and bulkheads.counts["openai"].waiting == 0
    stage.flight.answer(GOOD)
    assert free(bulkheads) and len(stage.sender.sent) == 1


async def test_who_leaves_while_waiting_leaves_no_trace() -> None:
    stage = Stage()
    bulkheads = with_bulkheads(stage, openai=Bulkhead(max_in_flight=1, max_waiting=2))
    stage.tell(chat_body())
    waiting, _ = stage.tell(chat_body())
    _, third = stage.tell(chat_body())
    waiting.interrupt(ClientGone())
    assert bulkheads.counts["openai"].waiting == 1
    stage.flight.answer(GOOD)
    assert len(stage.sender.sent) == 2
    stage.flight.answer(GOOD)
    assert third.status == 200 and free(bulkheads)


def test_every_kind_of_ending_gives_the_place_back() -> None:
    stage = Stage()
    bulkheads = with_bulkheads(stage, openai=Bulkhead(max_in_flight=1))
    acts = (
        lambda flight: flight.fail(Unreachable("gone")),
        lambda flight: flight.answer(b"{}", 500),
        lambda flight: flight.answer(b"garbage"),
        lambda flight: flight.answer(GOOD),
    )
    for act in acts:
        stage.sender.act = act
        stage.tell(chat_body())
        assert free(bulkheads)
    stage.sender.act = None
    story, _ = stage.tell(chat_body(stream=True))
    stage.flight.piece(chunk())
    story.interrupt(ClientGone())
    assert free(bulkheads)


def test_a_request_that_cannot_be_sent_holds_nothing() -> None:
    def act(_flight: ScriptedFlight) -> None:
        raise Unreachable("no way")

    stage = Stage()
    bulkheads = with_bulkheads(stage, openai=Bulkhead(max_in_flight=1))
    stage.sender.act = act
    assert stage.tell(chat_body())[1].status == 503
    assert free(bulkheads)


async def test_a_raised_bound_lets_those_in_who_wait_and_so_does_one_that_is_gone() -> None:
    stage = Stage()
    bulkheads = with_bulkheads(stage, openai=Bulkhead(max_in_flight=1, max_waiting=5))
    told = [stage.tell(chat_body())[1] for _ in range(4)]
    bulkheads.follow({"openai": Bulkhead(max_in_flight=2, max_waiting=5)})
    assert len(stage.sender.sent) == 2
    bulkheads.follow({})
    assert len(stage.sender.sent) == 4
    for flight in list(stage.sender.flights):
        flight.answer(GOOD)
    assert {client.status for client in told} == {200}


async def test_two_bounds_are_kept_at_once() -> None:
    stage = Stage(deployment(), deployment(id="dep-2", group="other"))
    limits = {
        "public": Bulkhead(max_in_flight=1, max_waiting=5),
        "openai": Bulkhead(max_in_flight=2, max_waiting=5),
    }
    bulkheads = with_bulkheads(stage, **limits)
    asked = ["public", "public", "other", "public", "other"]
    told = [stage.tell(chat_body(model=name))[1] for name in asked]
    done = 0
    while done < len(stage.sender.flights):
        assert bulkheads.counts["public"].in_flight <= 1 and bulkheads.counts["openai"].in_flight <= 2
        stage.sender.flights[done].answer(GOOD)
        done += 1
    assert [client.status for client in told] == [200] * 5 and free(bulkheads)


def test_several_workers_have_a_part_of_the_places_each() -> None:
    stage = Stage()
    bulkheads = Bulkheads(stage.sender, share=4)
    bulkheads.follow({"openai": Bulkhead(max_in_flight=6)})
    stage.house.sender = bulkheads
    assert [stage.tell(chat_body())[1].status for _ in range(3)] == [0, 0, 429]


def test_the_error_says_what_it_is() -> None:
    error = Crowded("full", retry_after=1.0)
    assert (error.status, error.code, error.sent) == (429, "bulkhead_full", False)
