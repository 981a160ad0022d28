"""What happens to a request whose upstream fails before the client has any of the answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from pointsman.core.eager import Inbox
from pointsman.core.errors import Broken, Unreachable, UpstreamFailed
from pointsman.core.exchange import ClientGone
from pointsman.core.identity import token_of
from pointsman.core.price import Price
from pointsman.core.rules import Target
from pointsman.core.secret import Secret
from pointsman.routing.settings import FallbackLists, RoutingSettings
from tests.unit.lifecycle.house_script import KEY, MASTER, UPSTREAM_KEY, ScriptedFlight, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import GOOD, LAST, chunk, refusal
from tests.unit.policies.desk import key_record

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


# -- waiting -------------------------------------------------------------------------------------------


def busy(flight: ScriptedFlight, retry_after: bytes = b"7") -> None:
    flight.answer(refusal("slow down"), 429, ((b"retry-after", retry_after),))


def test_a_retry_after_is_waited_out() -> None:
    stage = Stage(routing=RoutingSettings())
    stage.sender.act = lambda flight: busy(flight) if len(stage.sender.flights) == 1 else flight.answer(GOOD)
    _, client = stage.tell(chat_body())
    assert client.status == 200 and len(stage.pauses) == 1 and 7.0 <= stage.pauses[0] < 8.0
    assert b"x-litellm-max-retries: 2" in client.head and b"x-pointsman-attempts: 2" in client.head
    stage.settled()


def test_too_long_a_one_is_passed_on_and_not_waited_for() -> None:
    stage = Stage(routing=RoutingSettings())
    stage.sender.act = lambda flight: busy(flight, b"300")
    _, client = stage.tell(chat_body())
    assert client.status == 429 and b"retry-after: 300" in client.head and stage.pauses == []
    assert len(stage.sender.sent) == 1


@pytest.mark.parametrize(("told", "pauses"), [(b"3", []), (b"60", [7]), (b"soon", [7])])
async def test_no_client_is_kept_waiting_for_longer_than_it_waits(told: bytes, pauses: list[int]) -> None:
    stage = Stage(routing=RoutingSettings())
    stage.sender.act = lambda flight: busy(flight) if len(stage.sender.flights) == 1 else flight.answer(GOOD)
    inbound = stage.inbound(chat_body())
    inbound.head.headers = [(b"x-litellm-timeout", told)]
    _, client = stage.begin_with(inbound)
    assert [int(pause) for pause in stage.pauses] == pauses
    if not pauses:
        assert client.status == 429 and b"retry-after: 7" in client.head and len(stage.sender.sent) == 1


def test_who_leaves_while_a_retry_waits_is_waited_for_no_longer() -> None:
    stage = Stage(routing=RoutingSettings())
    stage.alarm = Inbox()
    stage.sender.act = busy
    story, client = stage.tell(chat_body())
    assert len(stage.pauses) == 1 and not client.ended
    story.interrupt(ClientGone())
    assert story.over and len(stage.sender.sent) == 1
    assert (stage.record.status, stage.record.attempts) == ("cancelled", 1)
    stage.settled()


def test_a_streaming_client_hears_meanwhile_that_it_is_not_forgotten() -> None:
    stage = Stage(routing=RoutingSettings(num_retries=1))
    stage.sender.act = lambda flight: busy(flight, b"15") if len(stage.sender.flights) == 1 else None
    _, client = stage.tell(chat_body(stream=True))
    assert client.begun and client.body.startswith(b":") and len(stage.pauses) == 2
    stage.flight.piece(chunk())
    stage.flight.piece(LAST, last=True)
    assert client.ended and b"Hi" in client.body
    stage.settled()


# -- how often -----------------------------------------------------------------------------------------


def fails_always(stage: Stage, status: int = 500) -> None:
    stage.sender.act = lambda flight: flight.answer(refusal("no luck"), status)


def test_attempts_are_added_up_and_never_multiplied() -> None:
    three = [deployment(id=f"{group}-{number}", group=group, api_key=Secret(f"{group}-{number}-credential"))
             for group in ("public", "x", "y") for number in range(3)]  # fmt: skip
    lists = FallbackLists(general={"public": (Target("x"), Target("y"))})
    stage = Stage(*three, routing=RoutingSettings(num_retries=2, fallbacks=lists))
    fails_always(stage)
    _, client = stage.tell(chat_body())
    assert client.status >= 500
    assert [sent.group for sent, _, _ in stage.sender.sent] == ["public"] * 3 + ["x", "y"], "1 + 2 retries + 2 models"
    assert stage.record.attempts == 5
    stage.settled()


@pytest.mark.parametrize(("said", "sent"), [(b"1", 2), (b"0", 1), (b"99", 17), (b"-1", 3), (b"many", 3)])
def test_a_header_says_how_many_retries(said: bytes, sent: int) -> None:
    stage = Stage(routing=RoutingSettings(wait_seconds_max=1e9, retry_budget=1e9))
    fails_always(stage)
    stage.house.admission.admitted = 1
    stage.begin_with(stage.inbound(chat_body(), MASTER, (b"x-litellm-num-retries", said)))
    assert len(stage.sender.sent) == sent


def test_the_body_says_it_before_the_header_does() -> None:
    stage = Stage(routing=RoutingSettings())
    fails_always(stage)
    stage.begin_with(stage.inbound(chat_body(num_retries=1), MASTER, (b"x-litellm-num-retries", b"0")))
    assert len(stage.sender.sent) == 2 and b"num_retries" not in stage.sender.sent[0][1].body


def test_a_failing_upstream_is_not_asked_much_more_often_than_clients_ask() -> None:
    stage = Stage(routing=RoutingSettings(num_retries=5))
    fails_always(stage)
    for _ in range(200):
        stage.tell(chat_body())
    assert len(stage.sender.sent) <= 240


def test_two_that_fail_are_asked_even_less_often() -> None:
    stage = Stage(*TWO, routing=RoutingSettings(num_retries=5))
    fails_always(stage)
    for _ in range(200):
        stage.tell(chat_body())
        stage.clock.now += 0.1
    assert len(stage.sender.sent) <= 60, "they rest"


def test_where_one_of_two_fails_every_request_is_served() -> None:
    stage = Stage(*TWO, routing=RoutingSettings())

    def act(flight: ScriptedFlight) -> None:
        sent, _, _ = stage.sender.sent[-1]
        flight.answer(*((b"{}", 500) if sent.id == "dep-1" else (GOOD, 200)))

    stage.sender.act = act
    for _ in range(200):
        _, client = stage.tell(chat_body())
        stage.clock.now += 0.1
        assert client.status == 200
    assert len(stage.sender.sent) <= 240


def serves_all_but(stage: Stage, group: str, status: int) -> None:
    def act(flight: ScriptedFlight) -> None:
        sent, _, _ = stage.sender.sent[-1]
        flight.answer(*((b"{}", status) if sent.group == group else (GOOD, 200)))

    stage.sender.act = act


async def known(stage: Stage) -> Stage:
    """The stage, once it knows the key."""
    await stage.house.keyring.look_up(token_of(KEY))
    return stage


# -- rest and recovery ---------------------------------------------------------------------------------


def test_one_request_at_a_time_finds_out_whether_a_deployment_is_well_again() -> None:
    stage = Stage(*TWO, routing=RoutingSettings())
    fails_first(stage, status=429)
    stage.tell(chat_body())
    rested = stage.sender.sent[0][0].id
    stage.clock.now += 5.1
    stage.sender.act = None
    clients = [stage.tell(chat_body())[1] for _ in range(20)]
    asked = [sent.id for sent, _, _ in stage.sender.sent[2:]]
    assert asked.count(rested) == 1, "the others go where all is well"
    for flight in stage.sender.flights[2:]:
        flight.answer(GOOD)
    assert all(client.status == 200 for client in clients)
    stage.sender.act = lambda flight: flight.answer(GOOD)
    before = len(stage.sender.sent)
    for _ in range(40):
        stage.tell(chat_body())
    assert {sent.id for sent, _, _ in stage.sender.sent[before:]} == {"dep-1", "dep-2"}


def test_the_first_word_of_a_stream_proves_it_and_a_probe_that_is_left_does_not() -> None:
    stage = Stage(*TWO, routing=RoutingSettings())
    fails_first(stage, status=429)
    stage.tell(chat_body())
    live = stage.house.router.lives.of(stage.sender.sent[0][0])
    stage.clock.now += 5.1
    stage.sender.act = None
    stories = [stage.tell(chat_body(stream=True))[0] for _ in range(20)]
    probe = next(number for number, sent in enumerate(stage.sender.sent) if number > 1 and sent[0].id == live.id)
    stories[probe - 2].interrupt(ClientGone())
    assert live.state(stage.clock.now) == "half-open" and live.admits(stage.clock.now)
    while stage.sender.sent[-1][0].id != live.id:
        stage.tell(chat_body(stream=True))
    stage.flight.piece(chunk())
    assert live.state(stage.clock.now) == "closed"


def test_what_alone_serves_a_model_and_rests_is_passed_over_only_if_another_can_stand_in() -> None:
    stage = Stage(*SPARE, routing=TO_SPARE)
    stage.sender.act = lambda flight: flight.answer(
        *((b"{}", 401) if stage.sender.sent[-1][0].id == "dep-1" else (GOOD,))
    )
    client = [stage.tell(chat_body())[1] for _ in range(10)][-1]
    assert client.status == 200
    assert [sent.id for sent, _, _ in stage.sender.sent].count("dep-1") == 1
    assert b"x-litellm-attempted-fallbacks: 1" in client.head and b"x-pointsman-attempts: 1" in client.head
    assert stage.books.records[-1].deployment_id == "dep-2"
    _, client = stage.tell(chat_body(disable_fallbacks=True))
    assert client.status == 401, "it is tried where nothing else is wanted"
    stage.clock.now += 60
    stage.sender.act = lambda flight: flight.answer(GOOD)
    _, client = stage.tell(chat_body())
    assert b"x-litellm-model-group: public" in client.head, "and again when it has rested"


def test_while_all_of_a_group_rest_another_model_stands_in() -> None:
    own = (*TWO, deployment(id="dep-3", group="spare", api_key=Secret("third-credential-79")))
    stage = Stage(*own, routing=TO_SPARE)
    stage.sender.act = lambda flight: flight.answer(
        *((b"{}", 429) if stage.sender.sent[-1][0].group == "public" else (GOOD,))
    )
    answers = [stage.tell(chat_body())[1] for _ in range(10)]
    assert all(client.status == 200 for client in answers)
    assert [sent.group for sent, _, _ in stage.sender.sent].count("public") == 2


# -- fallbacks -----------------------------------------------------------------------------------------


def test_a_name_that_nobody_serves_is_served_by_the_default() -> None:
    lists = FallbackLists(default=(Target("public"),))
    stage = Stage(routing=RoutingSettings(fallbacks=lists))
    stage.sender.act = lambda flight: flight.answer(GOOD)
    _, client = stage.tell(chat_body(model="gpt-99"))
    assert client.status == 200 and b"x-litellm-attempted-fallbacks: 1" in client.head
    assert (stage.record.model_requested, stage.record.model_group) == ("gpt-99", "public")
    stage.settled()


async def test_but_not_for_a_key_that_may_not_ask_for_it() -> None:
    lists = FallbackLists(default=(Target("public"),))
    stage = await known(Stage(record=key_record(KEY, models=("public",)), routing=RoutingSettings(fallbacks=lists)))
    _, client = stage.tell(chat_body(model="gpt-99"), KEY)
    assert client.status == 403 and stage.sender.sent == []


async def test_a_client_may_only_name_models_that_it_may_use_and_an_operator_any() -> None:
    limited = key_record(KEY, models=("public",))
    stage = await known(Stage(*SPARE, record=limited, routing=TO_SPARE))
    fails_first(stage)
    assert stage.tell(chat_body(), KEY)[1].status == 200
    stage = await known(Stage(*SPARE, record=limited))
    fails_first(stage)
    _, client = stage.tell(chat_body(fallbacks=["spare"]), KEY)
    assert client.status >= 500 and len(stage.sender.sent) == 1
    enforced = msgspec.structs.replace(TO_SPARE, demands_fallback_access=True)
    stage = await known(Stage(*SPARE, record=limited, routing=enforced))
    fails_first(stage)
    assert stage.tell(chat_body(), KEY)[1].status >= 500 and len(stage.sender.sent) == 1


def test_a_target_may_change_fields_of_the_request() -> None:
    stage = Stage(*SPARE)
    fails_first(stage)
    other = {"model": "spare", "messages": [{"role": "user", "content": "Shorter"}], "temperature": 0}
    _, client = stage.tell(chat_body(fallbacks=[other], max_tokens=7))
    assert client.status == 200
    sent = json.loads(stage.sender.sent[1][1].body)
    assert (sent["messages"][0]["content"], sent["temperature"], sent["max_tokens"]) == ("Shorter", 0, 7)


@pytest.mark.parametrize(
    ("target", "named"),
    [({"model": "spare", "api_base": "http://evil"}, "api_base"), ({"model": "spare", "api_key": "x"}, "api_key"),
     ({"temperature": 0}, "name of a model"), ({"model": ""}, "empty"), (7, "name of a model"),
     ({"model": "spare", "num_retries": 3}, "num_retries")],
)  # fmt: skip
def test_and_nothing_else(target: object, named: str) -> None:
    stage = Stage(*SPARE)
    _, client = stage.tell(chat_body(fallbacks=[target]))
    assert client.status == 400 and named.encode() in client.body and stage.sender.sent == []


def test_a_request_may_use_the_form_of_configurations_too() -> None:
    stage = Stage(*SPARE)
    fails_first(stage)
    _, client = stage.tell(chat_body(fallbacks=[{"else": ["nosuch"]}, {"public": ["spare"]}]))
    assert client.status == 200 and len(stage.sender.sent) == 2


async def test_a_fallback_is_reserved_for_at_its_own_price() -> None:
    cheap, dear = (
        deployment(price=Price(0, 0), charges=False),
        deployment(id="dep-2", group="spare", price=Price(10**12, 10**12), charges=True),
    )
    stage = await known(Stage(cheap, dear, record=key_record(KEY, max_budget=10**9, spend=10**9), routing=TO_SPARE))
    fails_first(stage)
    _, client = stage.tell(chat_body(), KEY)
    assert client.status >= 500 and len(stage.sender.sent) == 1, "there is no money for it"
    stage.settled()


async def test_the_last_failure_is_told_with_what_was_tried_and_never_where_it_is() -> None:
    stage = await known(Stage(*SPARE, record=key_record(KEY), routing=TO_SPARE))

    def act(flight: ScriptedFlight) -> None:
        if len(stage.sender.flights) == 1:
            flight.fail(Unreachable("Cannot reach the upstream at http://upstream/v1: refused."))
        else:
            flight.answer(refusal("busy"), 429)

    stage.sender.act = act
    _, client = stage.tell(chat_body(), KEY)
    assert client.status == 429
    assert b"Tried 2 times: public (503), then spare (429)." in client.body and b"http://upstream" not in client.body


async def test_who_asks_and_may_is_told_each_failure() -> None:
    telling = msgspec.structs.replace(TO_SPARE, tells_fallback_errors=True)
    for routing, asks, told in ((telling, True, True), (telling, False, False), (TO_SPARE, True, False)):
        stage = await known(Stage(*SPARE, record=key_record(KEY), routing=routing))
        fails_first(stage, body=refusal(f"the engine at http://upstream/v1 broke: {UPSTREAM_KEY} \u00e9\r\nx: y"))
        _, client = stage.tell(chat_body(include_fallback_errors=asks), KEY)
        found = [line for line in client.head.split(b"\r\n") if line.startswith(b"x-litellm-fallback-errors: ")]
        assert bool(found) is told and b"\r\nx: y" not in client.head
        if found:
            (error,) = json.loads(found[0].partition(b": ")[2])
            assert error["code"] == "502" and "broke" in error["message"] and "http://upstream" not in error["message"]
            assert UPSTREAM_KEY not in error["message"]


# -- streams -------------------------------------------------------------------------------------------


ROLE = b'data: {"id":"x","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'


def test_a_stream_that_says_no_more_than_that_it_begins_can_still_be_begun_elsewhere() -> None:
    stage = Stage(*TWO, routing=RoutingSettings())
    _, client = stage.tell(chat_body(stream=True))
    stage.flight.piece(ROLE)
    assert not client.begun
    stage.flight.piece(b'data: {"error":{"message":"Overloaded","code":529}}\n\n')
    assert len(stage.sender.sent) == 2
    stage.flight.piece(ROLE)
    stage.flight.piece(chunk("Hello"))
    stage.flight.piece(LAST, last=True)
    assert client.body.count(b'"role"') == 1 and b"Hello" in client.body and b"Overloaded" not in client.body
    assert (stage.record.status, stage.record.attempts) == ("success", 2)
    stage.settled()


def test_what_was_held_back_comes_first_also_where_nothing_follows() -> None:
    stage = Stage()
    _, client = stage.tell(chat_body(stream=True))
    stage.flight.piece(ROLE)
    stage.flight.piece(LAST, last=True)
    assert client.body.startswith(ROLE) and client.ended
    stage.settled()


def test_a_stream_that_fails_for_good_before_its_first_word_is_an_error_answer() -> None:
    stage = Stage()
    _, client = stage.tell(chat_body(stream=True))
    stage.flight.piece(ROLE)
    stage.flight.fail(Broken("gone"))
    assert client.status == 502 and not client.begun
    stage.settled()


def test_or_an_error_event_where_the_client_was_kept_waiting() -> None:
    stage = Stage()
    _, client = stage.tell(chat_body(stream=True))
    stage.flight.silence()
    stage.flight.piece(ROLE)
    stage.flight.fail(Broken("gone"))
    assert client.status == 200 and client.ended and client.body.index(ROLE) < client.body.index(b"gone")
    stage.settled()


def test_a_jump_of_the_wall_clock_changes_nothing() -> None:
    stage = Stage(*TWO, routing=RoutingSettings())
    fails_first(stage, status=429)
    stage.tell(chat_body())
    rested = stage.sender.sent[0][0].id
    for hours in (24, -48):
        stage.clock.jump(hours * 3600.0)
        for _ in range(20):
            stage.tell(chat_body())
    assert rested not in {sent.id for sent, _, _ in stage.sender.sent[1:]}


@pytest.mark.parametrize(
    ("field", "group"),
    [("mock_testing_fallbacks", "x"), ("mock_testing_context_fallbacks", "y"),
     ("mock_testing_content_policy_fallbacks", "z")],
)  # fmt: skip
def test_a_fallback_can_be_rehearsed(field: str, group: str) -> None:
    every = FallbackLists(
        general={"public": (Target("x"),)},
        context_window={"public": (Target("y"),)},
        content_policy={"public": (Target("z"),)},
    )
    others = [deployment(id=name, group=name) for name in ("x", "y", "z")]
    stage = Stage(deployment(), *others, routing=RoutingSettings(fallbacks=every))
    stage.sender.act = lambda flight: flight.answer(GOOD)
    fields: dict[str, Any] = {field: True}
    _, client = stage.tell(chat_body(**fields))
    assert client.status == 200 and [sent.group for sent, _, _ in stage.sender.sent] == [group]
    assert field.encode() not in stage.sender.sent[0][1].body
    _, client = Stage().tell(chat_body(**fields))
    assert client.status in {400, 500} and b"did not fail" in client.body


@pytest.mark.parametrize("named", ["by the operator", "by the client"])
def test_what_an_operators_fallback_is_served_by_needs_no_access_of_the_keys(named: str) -> None:
    spares = [
        deployment(id="dep-2", group="spare", access_groups=frozenset({"a"})),
        deployment(id="dep-3", group="spare", access_groups=frozenset({"b"})),
    ]
    routing = TO_SPARE if named == "by the operator" else RoutingSettings(num_retries=0)
    stage = Stage(deployment(), *spares, record=key_record(KEY, models=("public",)), routing=routing)
    asyncio.run(stage.house.keyring.look_up(token_of(KEY)))
    fails_first(stage)
    wishes: dict[str, Any] = {} if named == "by the operator" else {"fallbacks": ["spare"]}
    _, client = stage.tell(chat_body(**wishes), KEY)
    assert (client.status == 200) is (named == "by the operator")
    assert len(stage.sender.sent) == (2 if named == "by the operator" else 1)
