"""What happens to a request whose upstream fails before the client has any of the answer."""

from __future__ import annotations

import pytest

from pointsman.core.errors import Broken, UpstreamFailed
from pointsman.core.rules import Target
from pointsman.core.secret import Secret
from pointsman.routing.settings import FallbackLists, RoutingSettings
from tests.unit.lifecycle.house_script import ScriptedFlight, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import GOOD, LAST, chunk, refusal

TWO = (deployment(), deployment(id="dep-2", api_key=Secret("another-credential-78")))
SPARE = (deployment(), deployment(id="dep-2", group="spare"))
LISTS = FallbackLists(general={"public": (Target("nosuch"), Target("spare"))})
TO_SPARE = RoutingSettings(num_retries=0, fallbacks=LISTS)


def fails_first(stage: Stage, *, status: int = 500, body: bytes = b"{}") -> None:
    def act(flight: ScriptedFlight) -> None:
        if len(stage.sender.flights) == 1:
            flight.answer(body, status)
        else:
            flight.answer(GOOD)

    stage.sender.act = act


@pytest.mark.parametrize("status", [500, 503, 529, 429, 401, 404])
def test_a_failure_is_made_good_by_another_deployment(status: int) -> None:
    stage = Stage(*TWO, routing=RoutingSettings())
    fails_first(stage, status=status)
    _, client = stage.tell(chat_body())
    assert client.status == 200
    first, second = (deployment.id for deployment, _, _ in stage.sender.sent)
    assert {first, second} == {"dep-1", "dep-2"}
    assert b"x-litellm-attempted-retries: 1" in client.head
    record = stage.record
    assert (record.status, record.attempts, record.deployment_id) == ("success", 2, second)
    stage.settled()


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_the_client_got_wrong_is_not_tried_again(status: int) -> None:
    stage = Stage(*TWO, routing=RoutingSettings(fallbacks=FallbackLists(default=(Target("public"),))))
    fails_first(stage, status=status, body=refusal("bad"))
    _, client = stage.tell(chat_body())
    assert client.status == status and len(stage.sender.sent) == 1
    stage.settled()


def test_another_model_stands_in_and_the_client_is_told() -> None:
    stage = Stage(*SPARE, routing=TO_SPARE)
    fails_first(stage)
    _, client = stage.tell(chat_body())
    assert client.status == 200
    assert b"x-litellm-attempted-fallbacks: 1" in client.head and b"x-litellm-model-group: spare" in client.head
    assert (stage.record.model_requested, stage.record.deployment_id) == ("public", "dep-2")
    stage.settled()


def test_a_request_may_name_who_stands_in_or_refuse_it() -> None:
    named = Stage(*SPARE)
    fails_first(named)
    _, client = named.tell(chat_body(fallbacks=["spare"]))
    assert client.status == 200 and b"fallbacks" not in named.sender.sent[1][1].body
    refused = Stage(*SPARE, routing=TO_SPARE)
    fails_first(refused)
    _, client = refused.tell(chat_body(disable_fallbacks=True))
    assert client.status >= 500 and len(refused.sender.sent) == 1


def test_a_stream_that_fails_before_its_first_word_is_begun_elsewhere() -> None:
    stage = Stage(*TWO, routing=RoutingSettings())
    _, client = stage.tell(chat_body(stream=True))
    stage.flight.silence()
    assert client.begun, "the client is told to wait"
    stage.flight.fail(Broken("gone"))
    stage.flight.piece(chunk())
    stage.flight.piece(LAST, last=True)
    assert client.ended and b"Hi" in client.body and b"gone" not in client.body
    assert (stage.record.status, stage.record.attempts) == ("success", 2)
    stage.settled()


@pytest.mark.parametrize("error", [Broken("gone")])
def test_a_stream_that_fails_after_its_first_word_is_not_begun_again(error: UpstreamFailed) -> None:
    stage = Stage(*TWO, routing=RoutingSettings())
    _, client = stage.tell(chat_body(stream=True))
    stage.flight.piece(chunk())
    stage.flight.fail(error)
    assert client.ended and b"gone" in client.body and len(stage.sender.sent) == 1
    stage.settled()


def test_when_all_has_failed_the_last_failure_is_told() -> None:
    stage = Stage(*TWO, routing=RoutingSettings(num_retries=1))
    stage.sender.act = lambda flight: flight.answer(refusal("no luck"), 500)
    _, client = stage.tell(chat_body())
    assert client.status >= 500 and b"no luck" in client.body and len(stage.sender.sent) == 2
    assert b"x-litellm-attempted-retries: 1" in client.head
    assert stage.record.attempts == 2
    stage.settled()


def test_a_deployment_that_refuses_the_key_rests_while_another_serves() -> None:
    stage = Stage(*TWO, routing=RoutingSettings())
    fails_first(stage, status=401)
    stage.tell(chat_body())
    bad = stage.sender.sent[0][0].id
    for _ in range(8):
        stage.tell(chat_body())
    assert all(deployment.id != bad for deployment, _, _ in stage.sender.sent[1:])
    stage.clock.now += 5.1
    for _ in range(40):
        stage.tell(chat_body())
    assert any(deployment.id == bad for deployment, _, _ in stage.sender.sent[9:])


def test_a_lone_deployment_never_rests() -> None:
    stage = Stage()
    stage.sender.act = lambda flight: flight.answer(refusal("slow down"), 429)
    for _ in range(5):
        stage.tell(chat_body())
    assert len(stage.sender.sent) == 5
