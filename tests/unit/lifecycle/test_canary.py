"""Arms of an experiment: who gets which, what is told of it, and what happens when one fails."""

from __future__ import annotations

import itertools

import pytest

from pointsman.config.traffic_sections import Canary, TrafficRule, Variant
from pointsman.core.errors import Unreachable
from pointsman.core.identity import token_of
from tests.unit.lifecycle.house_script import KEY, ScriptedFlight, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import GOOD, LAST, chunk
from tests.unit.lifecycle.traffic_script import stage_with
from tests.unit.policies.desk import key_record

NEXT = deployment(id="dep-next", group="next")
TWO = (deployment(), NEXT)
TO_NEXT = TrafficRule(model="public", canary=Canary(percent=10, model="next"))
ALL_TO_NEXT = TrafficRule(model="public", canary=Canary(percent=100, model="next"))


def answers(stage: Stage) -> None:
    stage.sender.act = lambda flight: flight.answer(GOOD)


def arms_of_users(stage: Stage, count: int = 200) -> dict[str, str]:
    arms = {}
    for number in range(count):
        _, client = stage.tell(chat_body(user=f"user-{number}"))
        assert client.status == 200
        (line,) = [line for line in client.head.split(b"\r\n") if line.startswith(b"x-pointsman-variant: ")]
        arms[f"user-{number}"] = line.partition(b": ")[2].decode()
    return arms


def test_a_part_of_the_callers_get_the_other_model_and_always_the_same_ones() -> None:
    stage = stage_with(TO_NEXT, *TWO)
    answers(stage)
    first = arms_of_users(stage)
    assert 5 <= list(first.values()).count("canary") <= 40
    assert arms_of_users(stage) == first
    went = {record.deployment_id: record.tags for record in stage.books.records}
    assert went == {"dep-1": ("variant:stable",), "dep-next": ("variant:canary",)}


def test_more_percent_bring_nobody_back() -> None:
    stage = stage_with(TO_NEXT, *TWO)
    answers(stage)
    before = arms_of_users(stage)
    assert stage.house.traffic is not None
    stage.house.traffic.follow([TrafficRule(model="public", canary=Canary(percent=40, model="next"))])
    after = arms_of_users(stage)
    assert {user for user, arm in before.items() if arm == "canary"} < {
        user for user, arm in after.items() if arm == "canary"
    }
    assert stage.house.traffic.counts["public"].arms["stable"].calls > 200, "what was counted stays counted"


async def test_a_key_stays_in_its_arm_whatever_its_users_where_that_is_asked_for() -> None:
    rule = TrafficRule(model="public", sticky="key", canary=Canary(percent=50, model="next"))
    stage = stage_with(rule, *TWO)
    await stage.house.keyring.look_up(token_of(KEY))
    answers(stage)
    for number in range(20):
        stage.tell(chat_body(user=f"user-{number}"), KEY)
    assert len(stage.books.records) == 20 and len({record.tags for record in stage.books.records}) == 1


def test_each_request_of_the_operator_is_drawn_for() -> None:
    stage = stage_with(
        TrafficRule(model="public", canary=Canary(percent=50, model="next")),
        *TWO,
        chances=(number / 100 for number in itertools.count()),
    )
    answers(stage)
    for _ in range(50):
        stage.tell(chat_body())
    assert {record.deployment_id for record in stage.books.records} == {"dep-1", "dep-next"}


async def test_a_key_needs_no_access_to_the_model_of_an_arm_but_to_the_one_it_asks_for() -> None:
    stage = stage_with(ALL_TO_NEXT, *TWO, record=key_record(KEY, models=("public",)))
    await stage.house.keyring.look_up(token_of(KEY))
    answers(stage)
    _, client = stage.tell(chat_body(), KEY)
    assert client.status == 200 and stage.record.deployment_id == "dep-next"
    _, client = stage.tell(chat_body(model="next"), KEY)
    assert client.status == 403


def test_a_canary_may_be_a_deployment_of_the_model_and_the_others_are_the_stable_arm() -> None:
    own = (deployment(), deployment(id="dep-2"), deployment(id="dep-3", tags=("new",)))
    for canary in (Canary(percent=30, deployment="dep-3"), Canary(percent=30, tag="new")):
        stage = stage_with(TrafficRule(model="public", canary=canary), *own)
        answers(stage)
        arms_of_users(stage, 100)
        went = {(record.tags[0], record.deployment_id) for record in stage.books.records}
        assert went == {("variant:stable", "dep-1"), ("variant:stable", "dep-2"), ("variant:canary", "dep-3")}


def test_several_arms_have_their_names() -> None:
    rule = TrafficRule(
        model="public",
        variants=(Variant(name="control"), Variant(name="b", model="next"), Variant(name="c", deployment="dep-2")),
    )
    stage = stage_with(rule, *TWO, deployment(id="dep-2"))
    answers(stage)
    assert set(arms_of_users(stage, 60).values()) == {"control", "b", "c"}
    went = {(record.tags[0], record.deployment_id) for record in stage.books.records}
    assert went == {("variant:control", "dep-1"), ("variant:b", "dep-next"), ("variant:c", "dep-2")}


@pytest.mark.parametrize("stream", [False, True])
def test_a_canary_that_fails_costs_the_caller_nothing(stream: bool) -> None:
    stage = stage_with(ALL_TO_NEXT, *TWO, num_retries=1)

    def act(flight: ScriptedFlight) -> None:
        if len(stage.sender.flights) == 1:
            flight.fail(Unreachable("gone"))
        elif stream:
            flight.piece(chunk())
            flight.piece(LAST, last=True)
        else:
            flight.answer(GOOD)

    stage.sender.act = act
    _, client = stage.tell(chat_body(stream=stream))
    assert client.status == 200 and client.ended and b"Hi" in client.body
    assert stage.record.deployment_id == "dep-1" and stage.record.tags == ("variant:canary",)
    assert stage.house.traffic is not None
    tally = stage.house.traffic.counts["public"].arms["canary"]
    assert (tally.calls, tally.errors, tally.rescued) == (1, 0, 1)
    stage.settled()


def test_who_wants_no_retries_is_told_of_the_failure() -> None:
    stage = stage_with(ALL_TO_NEXT, *TWO, num_retries=2)
    stage.sender.act = lambda flight: flight.answer(b"{}", 500)
    _, client = stage.tell(chat_body(num_retries=0))
    assert client.status >= 500 and b"x-pointsman-variant: canary" in client.head
    assert stage.house.traffic is not None
    assert stage.house.traffic.counts["public"].arms["canary"].errors == 1


def test_an_arm_that_rests_or_is_not_served_is_as_if_there_were_none() -> None:
    stage = stage_with(ALL_TO_NEXT, *TWO)
    answers(stage)
    pool = stage.house.router.pool("next")
    assert pool is not None
    pool.members[0].live.rests_until = stage.clock.now + 60
    _, client = stage.tell(chat_body())
    assert client.status == 200 and b"x-pointsman-variant" not in client.head
    assert (stage.record.deployment_id, stage.record.tags) == ("dep-1", ())

    lost = stage_with(TrafficRule(model="public", canary=Canary(percent=100, model="nosuch")))
    answers(lost)
    _, client = lost.tell(chat_body())
    assert client.status == 200 and lost.record.deployment_id == "dep-1"


def test_an_arm_that_is_not_for_the_caller_is_as_if_there_were_none() -> None:
    stage = stage_with(ALL_TO_NEXT, deployment(), deployment(id="dep-next", group="next", team_id="red"))
    answers(stage)
    _, client = stage.tell(chat_body())
    assert client.status == 200 and stage.record.deployment_id == "dep-1"


def test_what_an_arm_used_is_counted() -> None:
    stage = stage_with(ALL_TO_NEXT, *TWO)

    def act(flight: ScriptedFlight) -> None:
        stage.clock.now += 0.2
        flight.answer(GOOD)

    stage.sender.act = act
    for _ in range(3):
        stage.tell(chat_body())
    assert stage.house.traffic is not None
    tally = stage.house.traffic.counts["public"].arms["canary"]
    assert (tally.calls, tally.prompt_tokens, tally.completion_tokens, tally.cost) == (3, 21, 9, 30)
    assert tally.latency.mean == pytest.approx(200.0)
    assert tally.latency.share_below(0.95) == pytest.approx(200.0, rel=0.15)


def test_other_models_have_no_arms() -> None:
    stage = stage_with(ALL_TO_NEXT, *TWO)
    answers(stage)
    _, client = stage.tell(chat_body(model="next"))
    assert b"x-pointsman-variant" not in client.head and stage.record.tags == ()
