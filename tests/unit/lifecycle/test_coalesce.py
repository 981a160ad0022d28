"""Identical embeddings asked for at the same time cost one call, and everybody has an answer of their own."""

from __future__ import annotations

import pytest

from pointsman.config.traffic_sections import TrafficRule
from pointsman.core.eager import Story
from pointsman.core.errors import Unreachable
from pointsman.core.exchange import ClientGone
from pointsman.core.identity import token_of
from pointsman.lifecycle.ways import RuleCounts
from tests.unit.lifecycle.house_script import KEY, MASTER, ScriptedClient, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import refusal, reply
from tests.unit.lifecycle.traffic_script import embedding, embedding_body, stage_with
from tests.unit.policies.desk import key_record

RULE = TrafficRule(model="public", coalesce_embeddings=True)
VECTORS = b'{"object":"list","data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":5,"total_tokens":5}}'


def counts(stage: Stage) -> RuleCounts:
    assert stage.house.traffic is not None
    return stage.house.traffic.counts["public"]


def asks(stage: Stage, number: int, text: str = "hello", key: str = MASTER) -> list[tuple[Story, ScriptedClient]]:
    return [stage.begin_with(embedding(stage, embedding_body(text), key)) for _ in range(number)]


def released(stage: Stage) -> None:
    assert stage.escaped == [] and stage.house.admission.in_flight == 0
    for principal in (stage.house.keyring.master, *stage.house.keyring.principals()):
        assert (principal.in_flight, principal.reserved) == (0, 0)
    assert all(flight.closed for flight in stage.sender.flights)


def test_one_call_answers_all_and_only_the_first_pays() -> None:
    stage = stage_with(RULE)
    told = asks(stage, 5)
    assert len(stage.sender.sent) == 1
    stage.clock.now += 2.0
    stage.flight.answer(VECTORS)
    assert {(client.status, client.body) for _, client in told} == {(200, VECTORS)}
    first, *others = stage.books.records
    assert (first.cost, first.tags, first.attempts) == (5, (), 1)
    for record in others:
        assert (record.cost, record.tags, record.attempts, record.status) == (0, ("coalesced",), 0, "success")
        assert record.usage.prompt == 5 and record.deployment_id == "dep-1" and record.overhead_ms < 1000
    assert len({record.call_id for record in stage.books.records}) == 5
    assert b"x-pointsman-coalesced: true" in told[1][1].head and b"coalesced" not in told[0][1].head
    assert b"x-litellm-response-cost: 0.0" in told[1][1].head
    assert (counts(stage).led, counts(stage).shared) == (1, 4)
    released(stage)


def test_what_differs_is_not_shared_and_a_later_one_is_sent_again() -> None:
    stage = stage_with(RULE)
    asks(stage, 1, "one")
    asks(stage, 1, "two")
    assert len(stage.sender.sent) == 2
    for flight in list(stage.sender.flights):
        flight.answer(VECTORS)
    asks(stage, 1, "one")
    assert len(stage.sender.sent) == 3
    stage.flight.answer(VECTORS)
    released(stage)


def test_chats_are_never_shared() -> None:
    stage = stage_with(RULE)
    stage.tell(chat_body(temperature=0))
    stage.tell(chat_body(temperature=0))
    assert len(stage.sender.sent) == 2


async def test_another_key_shares_by_its_own_limits() -> None:
    stage = stage_with(RULE, record=key_record(KEY, models=("public",), rpm_limit=1))
    await stage.house.keyring.look_up(token_of(KEY))
    asks(stage, 1)
    (_, second), (_, third) = asks(stage, 2, key=KEY)
    assert third.status == 429, "its own limit holds for it"
    stage.flight.answer(VECTORS)
    assert second.status == 200 and len(stage.sender.sent) == 1
    released(stage)


async def test_a_key_without_access_shares_nothing() -> None:
    stage = stage_with(RULE, record=key_record(KEY, models=("other",)))
    await stage.house.keyring.look_up(token_of(KEY))
    asks(stage, 1)
    ((_, client),) = asks(stage, 1, key=KEY)
    assert client.status == 403
    stage.flight.answer(VECTORS)


async def test_where_a_team_has_deployments_of_its_own_keys_do_not_share() -> None:
    own = (deployment(), deployment(id="dep-2", team_id="red"))
    stage = stage_with(RULE, *own, record=key_record(KEY, team_id="red"))
    await stage.house.keyring.look_up(token_of(KEY))
    asks(stage, 2)
    asks(stage, 2, key=KEY)
    assert len(stage.sender.sent) == 2
    for flight in list(stage.sender.flights):
        flight.answer(VECTORS)
    released(stage)


def test_a_leader_that_leaves_hands_over() -> None:
    stage = stage_with(RULE)
    (leader, _), (_, second), (_, third) = asks(stage, 3)
    leader.interrupt(ClientGone())
    assert stage.sender.flights[0].closed and len(stage.sender.sent) == 2
    stage.flight.answer(VECTORS)
    assert (second.status, third.status) == (200, 200)
    assert [record.status for record in stage.books.records] == ["cancelled", "success", "success"]
    assert [record.cost for record in stage.books.records[1:]] == [5, 0]
    assert counts(stage).taken_over == 1
    released(stage)


def test_one_that_waits_may_leave() -> None:
    stage = stage_with(RULE)
    (_, first), (waiting, gone), (_, third) = asks(stage, 3)
    waiting.interrupt(ClientGone())
    stage.flight.answer(VECTORS)
    assert (first.status, gone.status, third.status) == (200, 0, 200)
    released(stage)


def test_a_leader_whose_upstream_fails_hands_over_and_a_second_failure_is_told_to_all() -> None:
    stage = stage_with(RULE)
    told = asks(stage, 4)
    stage.flight.fail(Unreachable("gone"))
    assert told[0][1].status == 503 and len(stage.sender.sent) == 2
    stage.flight.answer(VECTORS)
    assert [client.status for _, client in told] == [503, 200, 200, 200]
    released(stage)

    stage = stage_with(RULE)
    told = asks(stage, 4)
    stage.flight.fail(Unreachable("gone"))
    stage.flight.fail(Unreachable("gone"))
    assert [client.status for _, client in told] == [503] * 4 and len(stage.sender.sent) == 2
    assert {record.cost for record in stage.books.records} == {0}
    released(stage)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_wrong_with_the_request_is_told_to_all_at_once(status: int) -> None:
    stage = stage_with(RULE)
    told = asks(stage, 3)
    stage.flight.answer(refusal("no such thing"), status)
    assert [client.status for _, client in told] == [status] * 3 and len(stage.sender.sent) == 1
    assert all(b"no such thing" in client.body for _, client in told)
    released(stage)


def test_with_many_waiting_the_next_goes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.lifecycle.coalesce._WAITING_MAX", 2)
    stage = stage_with(RULE)
    told = asks(stage, 5)
    assert len(stage.sender.sent) == 3
    for flight in list(stage.sender.flights):
        flight.answer(VECTORS)
    assert {client.status for _, client in told} == {200}
    released(stage)


def test_a_fallback_of_the_leader_is_shared_too() -> None:
    stage = stage_with(RULE, deployment(), deployment(id="dep-2"), num_retries=2)
    (_, first), (_, second) = asks(stage, 2)
    stage.flight.answer(b"{}", 500)
    stage.flight.answer(VECTORS)
    assert (first.status, second.status) == (200, 200)
    assert stage.books.records[0].deployment_id == stage.books.records[1].deployment_id
    released(stage)


def test_a_broken_answer_counts_as_a_failure() -> None:
    stage = stage_with(RULE)
    told = asks(stage, 2)
    stage.flight.answer(b"not json")
    stage.flight.answer(reply(prompt_tokens=5))
    assert [client.status for _, client in told] in ([200, 200], [502, 200])
