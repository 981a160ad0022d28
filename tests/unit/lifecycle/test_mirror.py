"""A mirror sees a share of the requests; the client never notices, whatever becomes of them."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.config.traffic_sections import Bulkhead, Mirror, TrafficRule
from pointsman.core.errors import Unreachable
from pointsman.core.exchange import ClientGone
from pointsman.core.identity import token_of
from pointsman.core.outcome import CallRecord
from pointsman.lifecycle.traffic import Traffic
from pointsman.lifecycle.ways import RuleCounts
from pointsman.policies.admission import AdmissionSettings
from tests.unit.lifecycle.house_script import KEY, ScriptedFlight, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import GOOD, LAST, chunk
from tests.unit.lifecycle.traffic_script import embedding, embedding_body, stage_with, with_bulkheads

SHADOW = deployment(id="dep-shadow", group="shadow")
TWO = (deployment(), SHADOW)
ALL = TrafficRule(model="public", mirror=Mirror(model="shadow"))


def traffic(stage: Stage) -> Traffic:
    assert stage.house.traffic is not None
    return stage.house.traffic


def counts(stage: Stage) -> RuleCounts:
    return traffic(stage).counts["public"]


def sent_to(stage: Stage, name: str) -> list[ScriptedFlight]:
    return [flight for (to, _, _), flight in zip(stage.sender.sent, stage.sender.flights, strict=True) if to.id == name]


def record_of(stage: Stage, name: str) -> CallRecord:
    (record,) = [record for record in stage.books.records if record.deployment_id == name]
    return record


async def turn() -> None:
    await asyncio.sleep(0)


async def test_the_client_is_served_first_and_the_shadow_is_recorded_at_the_operators_cost() -> None:
    stage = stage_with(ALL, *TWO)
    await stage.house.keyring.look_up(token_of(KEY))
    _, client = stage.tell(chat_body(), KEY)
    assert len(stage.sender.sent) == 1, "the client's own request goes first"
    await turn()
    (shadow,) = sent_to(stage, "dep-shadow")
    sent_to(stage, "dep-1")[0].answer(GOOD)
    assert client.status == 200 and client.body == GOOD
    shadow.answer(GOOD)
    own, its = record_of(stage, "dep-1"), record_of(stage, "dep-shadow")
    assert (own.tags, own.key_token, own.cost) == (("mirrored",), token_of(KEY), 10)
    assert (its.tags, its.key_token, its.status, its.cost) == (("shadow",), "gateway", "success", 10)
    assert its.call_id == f"shadow-{own.call_id}" and its.usage.completion == 3
    principal = stage.house.keyring.recall(token_of(KEY))
    assert principal is not None and principal.spent == 10, "the client's key pays for its own call alone"
    assert (counts(stage).mirrored.calls, counts(stage).shadow.calls) == (1, 1)
    assert len(traffic(stage).shadows) == 0 and stage.house.admission.in_flight == 0
    assert all(flight.closed for flight in stage.sender.flights)


async def test_a_shadow_that_is_slow_or_fails_is_nothing_to_the_client() -> None:
    stage = stage_with(ALL, *TWO)
    _, client = stage.tell(chat_body())
    await turn()
    sent_to(stage, "dep-1")[0].answer(GOOD)
    assert client.ended
    sent_to(stage, "dep-shadow")[0].fail(Unreachable("gone"))
    its = record_of(stage, "dep-shadow")
    assert (its.status, its.error_code) == ("failure", "upstream_unreachable")
    assert counts(stage).shadow.errors == 1 and client.status == 200
    assert len(sent_to(stage, "dep-shadow")) == 1, "it is not tried again"


async def test_a_stream_is_mirrored_and_drained() -> None:
    stage = stage_with(ALL, *TWO)
    _, client = stage.tell(chat_body(stream=True))
    await turn()
    (shadow,), (own,) = sent_to(stage, "dep-shadow"), sent_to(stage, "dep-1")
    shadow.piece(chunk("other words"))
    own.piece(chunk())
    shadow.piece(LAST, last=True)
    own.piece(LAST, last=True)
    assert client.ended and b"other words" not in client.body
    its = record_of(stage, "dep-shadow")
    assert its.status == "success" and its.first_token_at is not None and its.usage.completion == 3


async def test_a_client_that_leaves_does_not_take_its_shadow_along() -> None:
    stage = stage_with(ALL, *TWO)
    story, _ = stage.tell(chat_body())
    await turn()
    story.interrupt(ClientGone())
    sent_to(stage, "dep-shadow")[0].answer(GOOD)
    assert record_of(stage, "dep-shadow").status == "success"


async def test_embeddings_are_mirrored_and_only_a_share_of_all_requests() -> None:
    rule = TrafficRule(model="public", mirror=Mirror(model="shadow", percent=25))
    stage = stage_with(rule, *TWO, chances=iter([0.1, 0.25, 0.9, 0.24]))
    stage.sender.act = lambda flight: flight.answer(GOOD)
    for _ in range(4):
        stage.begin_with(embedding(stage, embedding_body()))
        await turn()
    assert len(sent_to(stage, "dep-shadow")) == 2


async def test_there_is_a_bound_and_what_is_beyond_it_is_left_out() -> None:
    stage = stage_with(TrafficRule(model="public", mirror=Mirror(model="shadow", max_in_flight=2)), *TWO)
    for _ in range(5):
        stage.tell(chat_body())
    await turn()
    assert len(sent_to(stage, "dep-shadow")) == 2 and counts(stage).left_out == 3
    for flight in stage.sender.flights:
        flight.answer(GOOD)
    stage.tell(chat_body())
    await turn()
    assert len(sent_to(stage, "dep-shadow")) == 3, "there is room again"
    for flight in stage.sender.flights[-2:]:
        flight.answer(GOOD)


async def test_shadows_are_left_out_first_when_the_gateway_is_busy() -> None:
    stage = stage_with(ALL, *TWO, settings=AdmissionSettings(parallel_overall=4))
    for _ in range(4):
        stage.tell(chat_body())
    await turn()
    assert len(sent_to(stage, "dep-1")) == 4 and len(sent_to(stage, "dep-shadow")) == 2
    for flight in stage.sender.flights:
        flight.answer(GOOD)
    stage.house.admission.draining = True


async def test_shadows_take_only_places_that_are_to_spare() -> None:
    stage = stage_with(ALL, *TWO)
    bulkheads = with_bulkheads(stage, openai=Bulkhead(max_in_flight=4))
    traffic(stage).shadows.has_room = bulkheads.has_room
    for _ in range(2):
        stage.tell(chat_body())
    await turn()
    assert sent_to(stage, "dep-shadow") == [], "half of the places are in use"
    assert counts(stage).left_out == 2
    for flight in stage.sender.flights:
        flight.answer(GOOD)
    assert bulkheads.counts["openai"].in_flight == 0


async def test_a_shutdown_breaks_them_off_and_records_them() -> None:
    stage = stage_with(ALL, *TWO)
    stage.tell(chat_body())
    await turn()
    sent_to(stage, "dep-1")[0].answer(GOOD)
    traffic(stage).shadows.close()
    assert record_of(stage, "dep-shadow").status == "cancelled" and sent_to(stage, "dep-shadow")[0].closed


async def test_one_that_never_ends_is_broken_off() -> None:
    stage = stage_with(TrafficRule(model="public", mirror=Mirror(model="shadow", timeout_seconds=0.01)), *TWO)
    stage.tell(chat_body())
    await turn()
    sent_to(stage, "dep-1")[0].answer(GOOD)
    async with asyncio.timeout(5):
        while len(traffic(stage).shadows):
            await asyncio.sleep(0.005)
    assert record_of(stage, "dep-shadow").status == "cancelled"


@pytest.mark.parametrize("body", [chat_body(model="nosuch"), chat_body(api_base="http://elsewhere")])
async def test_what_is_refused_is_not_mirrored(body: bytes) -> None:
    stage = stage_with(ALL, *TWO)
    _, client = stage.tell(body)
    await turn()
    assert client.status == 400 and stage.sender.sent == []


async def test_a_mirror_that_nobody_serves_or_that_rests_is_left_out() -> None:
    stage = stage_with(TrafficRule(model="public", mirror=Mirror(model="nosuch")))
    _, client = stage.tell(chat_body())
    await turn()
    stage.flight.answer(GOOD)
    assert client.status == 200 and counts(stage).left_out == 1 and len(stage.books.records) == 1

    stage = stage_with(ALL, *TWO, deployment(id="dep-shadow-2", group="shadow"))

    def act(flight: ScriptedFlight) -> None:
        is_shadow = stage.sender.sent[-1][0].group == "shadow"
        flight.answer(b"{}" if is_shadow else GOOD, 404 if is_shadow else 200)

    stage.sender.act = act
    for _ in range(4):
        stage.tell(chat_body())
        await turn()
    assert len(sent_to(stage, "dep-shadow")) + len(sent_to(stage, "dep-shadow-2")) == 2
    assert counts(stage).left_out == 2, "both deployments of the mirror rest"


async def test_a_local_mirror_takes_its_turn_and_only_when_its_server_is_idle() -> None:
    stage = stage_with(ALL, deployment(), deployment(id="dep-shadow", group="shadow", local=True))
    pool = stage.house.router.pool("shadow")
    assert pool is not None and pool.members[0].host is not None
    host = pool.members[0].host
    stage.tell(chat_body())
    await turn()
    assert host.busy == 1, "it has a slot"
    stage.tell(chat_body())
    await turn()
    assert len(sent_to(stage, "dep-shadow")) == 1 and counts(stage).left_out == 1
    for flight in stage.sender.flights:
        flight.answer(GOOD)
    assert host.busy == 0 and record_of(stage, "dep-shadow").status == "success"
