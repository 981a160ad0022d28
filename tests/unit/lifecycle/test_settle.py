"""The record of a call, field by field, for every way a call can end; it is built by position."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import msgspec
import pytest

from pointsman.core.errors import TimedOut
from pointsman.core.exchange import ClientGone
from pointsman.core.identity import token_of
from pointsman.core.outcome import CallRecord
from pointsman.core.price import Price
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.routing.power import Power
from tests.unit.lifecycle.house_script import KEY, MASTER, ScriptedClient, ScriptedFlight, Stage, chat_body, deployment
from tests.unit.lifecycle.lane_script import Place, ScriptedLanes
from tests.unit.lifecycle.openai_words import DONE, GOOD, LAST, chunk, refusal, reply
from tests.unit.policies.desk import key_record

AT = 1_700_001_000.0
"""Wall time at which the request came; the clock stands at 1000 then."""
WHO = {
    "aliases": {"mine": "public"},
    "key_alias": "tester",
    "user_id": "user-7",
    "team_id": "team-8",
    "tags": ("red", "blue"),
    "extra": msgspec.Raw(b'{"organization_id":"org-10"}'),
}
COUNTED = {
    "prompt_tokens": 70,
    "completion_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 11, "audio_tokens": 13, "cache_creation_tokens": 12},
    "completion_tokens_details": {"reasoning_tokens": 14, "audio_tokens": 15},
}
USAGE = Usage(70, 30, 11, 12, 14, 13, 15, "measured")


class Scene:
    """A call whose every moment and every name differs from the others."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pointsman.lifecycle.serve.call_id", lambda: "call-1")
        self.stage = Stage(deployment(price=Price(1000, 2000)), record=key_record(KEY, **WHO))

    async def tell(self, act: Callable[[ScriptedFlight], None], at: Place, *, stream: bool = False) -> ScriptedClient:
        """A quarter of a second until it is sent, ``act`` two seconds later, half a second when it comes to ``at``."""
        stage = self.stage
        await stage.house.keyring.look_up(token_of(KEY))
        inbound = stage.inbound(chat_body(model="mine", stream=stream, user="end-9"), KEY)
        stage.clock.now += 0.25
        stage.house.lanes = ScriptedLanes(at, lambda: self.wait(0.5))
        story, client = stage.begin_with(inbound)
        self.wait(2)
        act(stage.flight)
        if not story.over:
            story.interrupt(ClientGone())
        stage.settled()
        return client

    def wait(self, seconds: float) -> None:
        self.stage.clock.now += seconds

    def expected(self, **changes: object) -> CallRecord:
        """The record of the call when it went well and whole."""
        record = CallRecord(
            call_id="call-1",
            operation="acompletion",
            route="/chat/completions",
            started_at=AT,
            ended_at=AT + 2.75,
            first_token_at=AT + 2.25,
            status="success",
            http_status=200,
            error_code=None,
            error_message=None,
            key_token=token_of(KEY),
            key_alias="tester",
            user_id="user-7",
            team_id="team-8",
            organization_id="org-10",
            end_user="end-9",
            model_requested="mine",
            model_group="public",
            deployment_id="dep-1",
            model="real",
            provider="openai",
            api_base="http://upstream/v1?secret=1",
            usage=USAGE,
            cost=70 + 2 * 30,
            attempts=1,
            stream=False,
            overhead_ms=750.0,
            tags=("red", "blue"),
            peer="10.0.0.9",
            answer_id="answer-1",
        )
        return msgspec.structs.replace(record, **changes)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_the_expected_record_would_show_any_two_fields_that_change_places(scene: Scene) -> None:
    said = msgspec.structs.asdict(scene.expected())
    said = {name: value for name, value in said.items() if not name.startswith("energy_")}  # set by name
    unset = {"error_code", "error_message", "prompt", "reply", "trace"}
    values = [value for name, value in said.items() if name not in unset]
    assert len(values) == len({repr(value) for value in values})
    assert all(said[name] is None for name in unset)
    assert len(CallRecord.__struct_fields__) == 38, "a new field wants its place in expected() above"


async def test_the_record_of_a_whole_answer(scene: Scene) -> None:
    await scene.tell(lambda flight: flight.answer(reply(**COUNTED)), "whole")
    assert scene.stage.record == scene.expected()
    assert scene.stage.ears.records == scene.stage.books.records


def metered(scene: Scene, **manners: bool) -> Power:
    """The deployment's host draws 360 W at work, and a kilowatt-hour costs a dollar."""
    stage = scene.stage = Stage(
        deployment(local=True), record=key_record(KEY, **WHO), settings=None, routing=None, **manners
    )
    power = stage.house.router.fleet.at("http://upstream").power = Power(watts_busy=360, price_kwh=1)
    return power


@pytest.mark.parametrize("stream", [False, True])
async def test_what_the_host_drew_is_on_the_record(scene: Scene, stream: bool) -> None:
    power = metered(scene)

    def act(flight: ScriptedFlight) -> None:
        scene.wait(8)
        if stream:
            flight.piece(LAST, last=True)
        else:
            flight.answer(GOOD)

    await scene.tell(act, "answer", stream=stream)
    record = scene.stage.record
    assert (record.energy_mwh, record.energy_cost) == (1000, 1_000_000_000)
    assert record.cost == 10
    assert power.running == 0


@pytest.mark.parametrize("way", ["failed", "cancelled"])
async def test_a_call_that_came_to_nothing_drew_something_too(scene: Scene, way: str) -> None:
    metered(scene)

    def act(flight: ScriptedFlight) -> None:
        scene.wait(8)
        if way == "failed":
            flight.fail(TimedOut("The upstream sent nothing."))

    await scene.tell(act, "answer")
    assert scene.stage.record.energy_mwh == 1000


async def test_energy_counts_as_spend_where_the_operator_says_so(scene: Scene) -> None:
    metered(scene, charges_energy=True)

    def act(flight: ScriptedFlight) -> None:
        scene.wait(8)
        flight.answer(GOOD)

    await scene.tell(act, "answer")
    assert scene.stage.record.cost == 10 + 1_000_000_000


async def test_the_record_of_a_stream_counts_from_its_first_good_bytes(scene: Scene) -> None:
    def act(flight: ScriptedFlight) -> None:
        flight.silence()
        scene.wait(1)
        flight.piece(chunk("a"))
        scene.wait(4)
        flight.piece(LAST, last=True)

    await scene.tell(act, "end", stream=True)
    assert scene.stage.record == scene.expected(
        first_token_at=AT + 3.25,
        ended_at=AT + 7.75,
        stream=True,
        overhead_ms=250.0,
        usage=Usage(7, 3, source="measured"),
        cost=13,
    )


async def test_the_record_of_a_call_that_the_upstream_refused(scene: Scene) -> None:
    await scene.tell(lambda flight: flight.answer(refusal("too many", code="busy"), 429), "rejected")
    assert scene.stage.record == scene.expected(
        status="failure", http_status=429, error_code="busy", error_message="too many", usage=NO_USAGE, cost=0
    )


async def test_the_record_of_a_call_that_the_upstream_never_answered(scene: Scene) -> None:
    await scene.tell(lambda flight: flight.fail(TimedOut("The upstream sent nothing.")), "failed")
    assert scene.stage.record == scene.expected(
        status="failure",
        http_status=408,
        error_code="upstream_timeout",
        error_message="The upstream sent nothing.",
        first_token_at=None,
        ended_at=AT + 2.25,
        usage=NO_USAGE,
        cost=0,
        overhead_ms=250.0,
    )


async def test_the_record_of_a_stream_that_broke_off_has_an_estimate_of_what_it_used(scene: Scene) -> None:
    def act(flight: ScriptedFlight) -> None:
        flight.piece(chunk("a"))
        flight.fail(TimedOut("The upstream fell silent."))

    await scene.tell(act, "answer", stream=True)
    usage = scene.stage.record.usage
    assert usage.source == "estimated" and usage.prompt > 0 and usage.completion == 1
    assert scene.stage.record == scene.expected(
        status="failure",
        http_status=408,
        error_code="upstream_timeout",
        error_message="The upstream fell silent.",
        first_token_at=AT + 2.75,
        stream=True,
        overhead_ms=750.0,
        usage=usage,
        cost=usage.prompt + 2 * usage.completion,
    )


async def test_the_record_of_an_error_inside_a_stream_has_what_the_upstream_counted(scene: Scene) -> None:
    def act(flight: ScriptedFlight) -> None:
        flight.piece(chunk("a"))
        flight.piece(LAST.removesuffix(DONE) + b"data: " + refusal("out of memory") + b"\n\n", last=True)

    await scene.tell(act, "end", stream=True)
    assert scene.stage.record == scene.expected(
        status="failure",
        http_status=502,
        error_code="upstream_broken",
        error_message="out of memory",
        stream=True,
        overhead_ms=250.0,
        usage=Usage(7, 3, source="measured"),
        cost=13,
    )


@pytest.mark.parametrize("begun", [False, True])
async def test_the_record_of_a_call_whose_client_left(scene: Scene, begun: bool) -> None:
    await scene.tell(lambda flight: flight.piece(chunk("a")) if begun else None, "answer", stream=True)
    usage = scene.stage.record.usage
    assert usage.source == "estimated" and usage.completion == (1 if begun else 0)
    assert scene.stage.record == scene.expected(
        status="cancelled",
        http_status=499,
        first_token_at=AT + 2.75 if begun else None,
        stream=True,
        overhead_ms=750.0,
        usage=usage,
        cost=usage.prompt + 2 * usage.completion,
    )


async def test_the_record_of_a_call_that_got_as_far_as_its_model(scene: Scene) -> None:
    stage = scene.stage
    await stage.house.keyring.look_up(token_of(KEY))
    inbound = stage.inbound(chat_body(model="nosuch", stream=True, user="end-9"), KEY)
    scene.wait(0.25)
    stage.begin_with(inbound)
    assert stage.record == scene.expected(
        status="failure",
        http_status=400,
        error_code="model_not_found",
        error_message="The model 'nosuch' is not served here.",
        model_requested="nosuch",
        model_group="nosuch",
        **dict.fromkeys(["deployment_id", "model", "provider", "api_base"], ""),
        answer_id=None,
        first_token_at=None,
        ended_at=AT + 0.25,
        stream=True,
        overhead_ms=250.0,
        usage=NO_USAGE,
        cost=0,
        attempts=0,
    )


async def test_the_record_of_a_call_that_could_not_be_read(scene: Scene) -> None:
    stage = scene.stage
    await stage.house.keyring.look_up(token_of(KEY))
    stage.tell(b"hello", KEY)
    message = stage.record.error_message
    assert message and "JSON" in message
    assert stage.record == scene.expected(
        status="failure",
        http_status=400,
        error_code="invalid_request",
        error_message=message,
        **dict.fromkeys(["model_requested", "model_group", "deployment_id", "model", "provider", "api_base"], ""),
        end_user=None,
        answer_id=None,
        first_token_at=None,
        ended_at=AT,
        overhead_ms=0.0,
        usage=NO_USAGE,
        cost=0,
        attempts=0,
    )


async def test_what_is_announced_of_a_call_of_nobody_names_nobody(scene: Scene) -> None:
    stage = scene.stage
    story, _ = stage.tell(chat_body(), "sk-wrong")
    while not story.over:
        await asyncio.sleep(0)
    (heard,) = stage.ears.records
    assert stage.books.records == []
    assert heard == CallRecord(
        call_id="call-1",
        operation="acompletion",
        route="/chat/completions",
        started_at=AT,
        ended_at=AT,
        status="failure",
        http_status=401,
        error_code="invalid_api_key",
        error_message=heard.error_message,
        peer="10.0.0.9",
    )
    assert heard.error_message and "not known" in heard.error_message


def test_the_master_keys_calls_are_recorded_under_its_name() -> None:
    stage = Stage()
    stage.sender.act = lambda flight: flight.answer(GOOD)
    stage.tell(chat_body(), MASTER)
    assert (stage.record.key_token, stage.record.key_alias) == ("master", "master")


def test_every_call_has_an_id_of_its_own_and_its_answer_says_which() -> None:
    stage = Stage()
    stage.sender.act = lambda flight: flight.answer(GOOD)
    heads = [stage.tell(chat_body())[1].head for _ in range(3)]
    told = [re.findall(rb"x-litellm-call-id: (\S+)\r\n", head) for head in heads]
    assert told == [[record.call_id.encode()] for record in stage.books.records]
    assert len({record.call_id for record in stage.books.records}) == 3


@pytest.mark.parametrize("price", [None, Price(0, 0)])
def test_a_model_without_a_price_costs_nothing(price: Price | None) -> None:
    stage = Stage(deployment(price=price, charges=price is not None))
    stage.sender.act = lambda flight: flight.answer(GOOD)
    stage.tell(chat_body())
    assert (stage.record.cost, stage.record.usage.total) == (0, 10)


def test_a_long_error_is_kept_shortened() -> None:
    stage = Stage()
    stage.sender.act = lambda flight: flight.fail(TimedOut("x" * 10_000))
    _, client = stage.tell(chat_body())
    assert stage.record.error_message == "x" * 500
    assert b"x" * 10_000 in client.body


# -- prompts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_prompts_and_replies_are_not_kept_unless_the_operator_says_so(stream: bool) -> None:
    stage = Stage()
    stage.sender.act = lambda flight: flight.answer(chunk("a") + LAST if stream else GOOD)
    stage.tell(chat_body(stream=stream))
    assert (stage.record.prompt, stage.record.reply) == (None, None)


def test_prompts_and_replies_are_kept_as_they_were_where_the_operator_says_so() -> None:
    stage = Stage(keeps=frozenset({"prompts"}))
    stage.sender.act = lambda flight: flight.answer(GOOD)
    body = chat_body(temperature=0.5)
    stage.tell(body)
    record = stage.record
    assert record.prompt is not None and msgspec.json.decode(record.prompt) == msgspec.json.decode(body)
    assert record.reply is not None and bytes(record.reply) == GOOD


@pytest.mark.parametrize(
    ("keeps", "said", "told"),
    [
        (frozenset({"user_agent"}), b"OpenAI/Python 2.1", "OpenAI/Python 2.1"),
        (frozenset({"user_agent"}), b"a" * 300, "a" * 256),
        (frozenset({"user_agent"}), b"\x80\x01", ""),
        (frozenset({"user_agent"}), None, ""),
        (frozenset(), b"OpenAI/Python 2.1", ""),
    ],
)
def test_what_a_client_calls_itself_is_told_where_the_operator_says_so(
    keeps: frozenset[str], said: bytes | None, told: str
) -> None:
    stage = Stage(keeps=keeps)
    stage.sender.act = lambda flight: flight.answer(GOOD)
    stage.begin_with(stage.inbound(chat_body(), MASTER, *(() if said is None else ((b"user-agent", said),))))
    assert (stage.record.user_agent, stage.record.prompt, stage.record.reply) == (told, None, None)


def test_the_prompt_of_a_call_that_failed_is_kept_too_and_there_is_no_reply() -> None:
    stage = Stage(keeps=frozenset({"prompts"}))
    stage.sender.act = lambda flight: flight.answer(b"", 500)
    stage.tell(chat_body())
    assert stage.record.prompt is not None and stage.record.reply is None


async def test_a_call_is_recorded_once_even_if_the_gateway_stumbles_afterwards(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(client: ScriptedClient, *_: object) -> None:
        monkeypatch.undo()
        raise RuntimeError

    stage = scene.stage
    await stage.house.keyring.look_up(token_of(KEY))
    (principal,) = stage.house.keyring.principals()
    monkeypatch.setattr(ScriptedClient, "reply", stumble)
    client = await scene.tell(lambda flight: flight.answer(reply(**COUNTED)), "whole")
    assert client.status == 500
    assert (stage.record.status, stage.record.cost) == ("success", 130)
    assert stage.ears.records == [stage.record]
    assert (principal.spent, principal.in_flight) == (130, 0)


# -- money ---------------------------------------------------------------------------------------------------


async def test_what_a_call_used_replaces_what_it_reserved(scene: Scene) -> None:
    stage = Stage(record=key_record(KEY, max_budget=10**9, tpm_limit=10_000, rpm_limit=5))
    await stage.house.keyring.look_up(token_of(KEY))
    (principal,) = stage.house.keyring.principals()
    story, _ = stage.tell(chat_body(max_tokens=500), KEY)
    assert principal.reserved > 500 and principal.tokens.total > 500 and principal.in_flight == 1
    stage.flight.answer(GOOD)
    assert story.over
    assert (principal.spent, principal.pending, principal.tokens.total, principal.requests.total) == (10, 10, 10, 1)
    stage.settled()


@pytest.mark.parametrize("tokens", [-1, -(10**30), 2**63, 10**400], ids=["-1", "-1e30", "2^63", "1e400"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_absurd_count_of_an_upstream_is_not_believed(tokens: int, stream: bool) -> None:
    """Neither is a key refunded nor emptied, nor do its later calls break on a number that no float holds."""
    stage = Stage()
    counted = {"prompt_tokens": tokens, "completion_tokens": 3}
    pieces = chunk("a", finish="stop") + chunk("", usage=counted) + DONE
    stage.sender.act = lambda flight: flight.answer(pieces if stream else reply(**counted))
    _, client = stage.tell(chat_body(stream=stream))
    assert client.status == 200 and client.ended and b'"error"' not in client.body
    assert stage.record.usage.source == "estimated" and stage.record.cost == stage.record.usage.total > 0
    stage.settled()
