"""Whatever becomes of a request: one answer, one record, nothing held, and no upstream left talking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pointsman.core.errors import Misconfigured, TimedOut, Unreachable, Unsupported
from pointsman.core.exchange import ClientGone
from pointsman.core.identity import token_of
from pointsman.core.upstream import AnsweredHere
from pointsman.policies.admission import AdmissionSettings
from tests.unit.lifecycle.house_script import KEY, MASTER, ScriptedClient, ScriptedFlight, Stage, chat_body
from tests.unit.lifecycle.lane_script import PLACES, Place, ScriptedLanes
from tests.unit.lifecycle.openai_words import DONE, GOOD, LAST, chunk, refusal
from tests.unit.policies.desk import CENT, key_record


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    assert stage.escaped == []


def answered(stage: Stage, act: Callable[[ScriptedFlight], None], *, stream: bool = False) -> ScriptedClient:
    """Serve a request to an upstream that does ``act`` at once."""
    stage.sender.act = act
    story, client = stage.tell(chat_body(stream=stream))
    assert story.over
    return client


def upstream_part(stage: Stage) -> list[str]:
    return [what for what in stage.happened if what.startswith("upstream")]


# -- the order -----------------------------------------------------------------------------------------------


def test_a_whole_answer_is_recorded_before_it_is_given_and_its_upstream_let_go(stage: Stage) -> None:
    client = answered(stage, lambda flight: flight.answer(GOOD))
    assert (client.status, client.body) == (200, GOOD)
    assert stage.happened == ["sent", "recorded", "announced", "replied", "upstream let go", "safe"]
    stage.settled()


def test_a_stream_is_recorded_before_its_end_is_given(stage: Stage) -> None:
    story, client = stage.tell(chat_body(stream=True))
    stage.flight.piece(chunk("a"))
    assert stage.happened == ["sent", "begun", "relayed"]
    stage.flight.piece(LAST, last=True)
    assert story.over and client.ended and client.body.endswith(DONE)
    assert stage.happened[3:] == ["recorded", "announced", "ended", "upstream let go", "safe"]
    stage.settled()


def test_a_refusal_is_recorded_before_it_is_given_and_nothing_is_sent(stage: Stage) -> None:
    story, client = stage.tell(chat_body(model="nosuch"))
    assert story.over and client.status == 400
    assert stage.happened == ["recorded", "announced", "replied", "safe"]
    stage.settled()


def test_answers_of_a_busy_turn_wait_for_one_write(stage: Stage) -> None:
    stage.tell(chat_body())
    stage.tell(chat_body())
    stage.tell(chat_body())
    for flight in stage.sender.flights[:2]:
        flight.answer(GOOD)
    assert "safe" not in stage.happened and len(stage.turns) == 1
    stage.turns[0]()
    assert stage.happened.count("safe") == 1


# -- every ending --------------------------------------------------------------------------------------------


def broken_after_a_piece(flight: ScriptedFlight) -> None:
    flight.piece(chunk("a"))
    flight.fail(TimedOut("The upstream fell silent."))


def error_event(flight: ScriptedFlight) -> None:
    flight.piece(chunk("a"))
    flight.piece(b"data: " + refusal("out of memory") + b"\n\n" + DONE, last=True)


def cut_in_an_event(flight: ScriptedFlight) -> None:
    flight.piece(chunk("a"))
    flight.piece(b'data: {"choi', last=True)


def ended_without_an_end(flight: ScriptedFlight) -> None:
    flight.piece(chunk("a"))
    flight.piece(b"", last=True)


def kept_waiting_then_refused(flight: ScriptedFlight) -> None:
    flight.silence()
    flight.answer(refusal("no"), 400)


def silent_then_broken(flight: ScriptedFlight) -> None:
    flight.silence()
    flight.fail(Unreachable("Cannot reach the upstream."))


FAILURES = {
    "refused": (lambda flight: flight.answer(refusal("no"), 400), 400, True),
    "not found": (lambda flight: flight.answer(refusal("no such model"), 404), 404, True),
    "overloaded": (lambda flight: flight.answer(refusal("slow down"), 429), 429, True),
    "broken": (lambda flight: flight.answer(b"<html>oops</html>", 500), 502, True),
    "unavailable": (lambda flight: flight.answer(b"", 503), 503, True),
    "unreachable": (lambda flight: flight.fail(Unreachable("Cannot reach the upstream.")), 503, False),
    "timed out": (lambda flight: flight.fail(TimedOut("The upstream sent nothing.")), 408, False),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_the_first_byte_is_an_ordinary_error_answer(stage: Stage, name: str, stream: bool) -> None:
    act, status, complete = FAILURES[name]
    client = answered(stage, act, stream=stream)
    assert client.status == status and not client.begun and b'"error"' in client.body
    assert (stage.record.status, stage.record.http_status, stage.record.cost) == ("failure", status, 0)
    assert upstream_part(stage) == ["upstream let go" if complete else "upstream cut"]
    stage.settled()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff", refusal("odd")])
def test_an_answer_that_cannot_be_read_is_a_failure_of_the_upstream(stage: Stage, body: bytes) -> None:
    client = answered(stage, lambda flight: flight.answer(body))
    assert client.status == 502
    assert (stage.record.status, stage.record.http_status) == ("failure", 502)
    stage.settled()


STREAM_FAILURES = {
    "broken": (broken_after_a_piece, 408, False),
    "an error event": (error_event, 502, True),
    "cut in an event": (cut_in_an_event, 502, True),
    "no end": (ended_without_an_end, 502, True),
    "refused after a comment": (kept_waiting_then_refused, 400, True),
    "broken after a comment": (silent_then_broken, 503, False),
}


@pytest.mark.parametrize("name", STREAM_FAILURES)
def test_a_failure_in_a_stream_that_has_begun_is_told_inside_it_and_recorded_as_one(stage: Stage, name: str) -> None:
    act, status, complete = STREAM_FAILURES[name]
    client = answered(stage, act, stream=True)
    assert client.status == 200 and client.ended
    assert client.body.count(b'"error"') == 1 and client.body.endswith(DONE) and client.body.count(DONE) == 1
    assert (stage.record.status, stage.record.http_status) == ("failure", status)
    assert upstream_part(stage) == ["upstream let go" if complete else "upstream cut"]
    stage.settled()


def test_tokens_seen_before_a_stream_broke_are_charged_as_an_estimate(stage: Stage) -> None:
    answered(stage, broken_after_a_piece, stream=True)
    usage = stage.record.usage
    assert usage.source == "estimated" and usage.prompt > 0 and usage.completion > 0
    assert stage.record.cost == usage.total


REFUSED_KEYS: dict[str, tuple[str, dict[str, object], int]] = {
    "a key nobody knows": ("sk-wrong", {}, 401),
    "no key": ("", {}, 401),
    "a blocked key": (KEY, {"blocked": True}, 403),
    "an expired key": (KEY, {"expires": 1.0}, 401),
}


@pytest.mark.parametrize("name", REFUSED_KEYS)
async def test_who_is_nobody_leaves_no_record_but_is_heard_of(name: str) -> None:
    key, values, status = REFUSED_KEYS[name]
    stage = Stage(record=key_record(KEY, **values))
    story, client = stage.tell(chat_body(), key)
    while not story.over:
        await asyncio.sleep(0)
    assert client.status == status
    assert stage.books.records == [] and stage.ears.records[0].http_status == status
    stage.settled()


REFUSALS: dict[str, tuple[dict[str, object], dict[str, Any], bytes, int]] = {
    "a model nobody serves": ({}, {}, chat_body(model="nosuch"), 400),
    "a model the key may not use": ({"models": ("other",)}, {}, chat_body(), 403),
    "requests": ({"rpm_limit": 0}, {}, chat_body(), 429),
    "tokens": ({"tpm_limit": 1}, {}, chat_body(), 429),
    "calls at once of a key": ({"max_parallel_requests": 0}, {}, chat_body(), 429),
    "calls at once of any key": ({}, {"parallel_per_key": 0}, chat_body(), 429),
    "calls at once": ({}, {"parallel_overall": 0}, chat_body(), 429),
    "budget": ({"max_budget": CENT, "spend": CENT}, {}, chat_body(), 422),
    "a body that is no JSON": ({}, {}, b"hello", 400),
    "a body without messages": ({}, {}, b'{"model":"public"}', 400),
}


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("known", [False, True])
async def test_a_refused_request_takes_nothing_and_leaves_one_record(name: str, known: bool) -> None:
    """``known`` tells whether the key is in memory, so that the story never became a task."""
    values, settings, body, status = REFUSALS[name]
    stage = Stage(record=key_record(KEY, **values), settings=AdmissionSettings(**settings))
    if known:
        await stage.house.keyring.look_up(token_of(KEY))
    story, client = stage.tell(body, KEY)
    assert story.over is known
    while not story.over:
        await asyncio.sleep(0)
    assert client.status == status and b'"error"' in client.body
    assert (stage.record.status, stage.record.http_status) == ("failure", status)
    assert stage.record.key_token == token_of(KEY)
    assert stage.sender.sent == []
    (principal,) = stage.house.keyring.principals()
    assert (principal.requests.total, principal.tokens.total, principal.pending) == (0, 0, 0)
    stage.settled()


# -- the client goes -----------------------------------------------------------------------------------------


async def test_a_client_that_leaves_while_its_key_is_looked_up_was_never_there() -> None:
    stage = Stage()
    story, client = stage.tell(chat_body(), KEY)
    story.interrupt(ClientGone())
    while not story.over:
        await asyncio.sleep(0)
    assert client.status == 0 and stage.sender.sent == [] and stage.books.records == []
    assert (stage.ears.records[0].status, stage.ears.records[0].http_status) == ("cancelled", 499)
    stage.settled()


async def test_a_client_that_leaves_while_a_lane_prepares_is_recorded_and_nothing_is_sent(stage: Stage) -> None:
    stage.house.lanes = lanes = ScriptedLanes("prepare", lambda: None)
    lanes.waits = asyncio.Event()
    story, _ = stage.tell(chat_body())
    for _ in range(3):
        await asyncio.sleep(0)
    assert stage.house.admission.in_flight == 1
    story.interrupt(ClientGone())
    while not story.over:
        await asyncio.sleep(0)
    assert (stage.record.status, stage.record.attempts, stage.sender.sent) == ("cancelled", 0, [])
    stage.settled()


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_before_the_first_byte_has_the_upstream_cut_and_pays_for_the_prompt(
    stage: Stage, stream: bool
) -> None:
    story, client = stage.tell(chat_body(stream=stream))
    story.interrupt(ClientGone())
    assert story.over and client.status == 0
    assert (stage.record.status, stage.record.http_status) == ("cancelled", 499)
    assert stage.record.usage.source == "estimated" and stage.record.usage.prompt > 0
    assert upstream_part(stage) == ["upstream cut"]
    stage.settled()


def test_a_client_that_leaves_in_a_stream_has_the_upstream_cut_and_pays_for_what_was_made(stage: Stage) -> None:
    story, client = stage.tell(chat_body(stream=True))
    for _ in range(5):
        stage.flight.piece(chunk("word"))
    story.interrupt(ClientGone())
    assert story.over and not client.ended
    assert (stage.record.status, stage.record.usage.completion) == ("cancelled", 5)
    assert upstream_part(stage) == ["upstream cut"]
    stage.settled()


def test_a_client_that_leaves_after_its_answer_changes_nothing(stage: Stage) -> None:
    stage.sender.act = lambda flight: flight.answer(GOOD)
    story, _ = stage.tell(chat_body())
    happened = list(stage.happened)
    story.interrupt(ClientGone())
    assert stage.happened == happened and stage.record.status == "success"
    stage.settled()


def test_a_client_is_tied_to_its_upstream_only_while_that_is_under_way(stage: Stage) -> None:
    _, client = stage.tell(chat_body(stream=True))
    assert client.flow is stage.flight
    stage.flight.piece(chunk("a") + LAST, last=True)
    assert client.flow is None


# -- our own mistakes ----------------------------------------------------------------------------------------


def act_for(place: Place) -> tuple[Callable[[ScriptedFlight], None], bool]:
    """What the upstream has to do for the story to come to ``place``, and whether it streams."""
    acts: dict[Place, tuple[Callable[[ScriptedFlight], None], bool]] = {
        "whole": (lambda flight: flight.answer(GOOD), False),
        "feed": (lambda flight: flight.piece(chunk("a")), True),
        "end": (lambda flight: flight.piece(chunk("a") + LAST, last=True), True),
        "rejected": (lambda flight: flight.answer(b"", 500), True),
        "failed": (broken_after_a_piece, True),
    }
    return acts.get(place, (lambda flight: flight.answer(GOOD), False))


@pytest.mark.parametrize("place", [place for place in PLACES if place != "failed"])
async def test_an_exception_in_a_lane_is_our_mistake_and_leaks_nothing(
    stage: Stage, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("secret detail")

    stage.house.lanes = ScriptedLanes(place, broken)
    act, stream = act_for(place)
    client = answered(stage, act, stream=stream)
    assert (client.status, client.ended) == (500, True)
    assert b"made a mistake" in client.body and b"secret detail" not in client.body
    assert (stage.record.status, stage.record.error_code) == ("failure", "internal_error")
    assert "secret detail" in caplog.text
    stage.settled()


def test_an_exception_in_a_stream_that_has_begun_ends_it_with_an_error(stage: Stage) -> None:
    pieces = 0

    def third() -> None:
        nonlocal pieces
        pieces += 1
        if pieces == 3:
            raise ZeroDivisionError

    stage.house.lanes = ScriptedLanes("feed", third)
    story, client = stage.tell(chat_body(stream=True))
    for _ in range(3):
        stage.flight.piece(chunk("a"))
    assert story.over and client.ended and client.body.count(b'"error"') == 1 and client.body.endswith(DONE)
    assert (stage.record.status, stage.record.http_status, stage.record.usage.source) == ("failure", 500, "estimated")
    assert upstream_part(stage) == ["upstream cut"]
    stage.settled()


@pytest.mark.parametrize("place", ["lane", "prepare", "write"])
def test_what_a_lane_refuses_is_told_with_its_own_status(stage: Stage, place: Place) -> None:
    def refuse() -> None:
        raise Unsupported("This provider has no embeddings.")

    stage.house.lanes = ScriptedLanes(place, refuse)
    story, client = stage.tell(chat_body())
    assert story.over and client.status == 400 and b"no embeddings" in client.body
    assert (stage.record.error_code, stage.record.attempts) == ("unsupported_parameter", 0)
    stage.settled()


def test_a_request_that_cannot_be_sent_is_answered(stage: Stage) -> None:
    def refuse(_flight: ScriptedFlight) -> None:
        raise Misconfigured("The header 'x' cannot be sent.")

    stage.sender.act = refuse
    story, client = stage.tell(chat_body())
    assert story.over and client.status == 500
    assert stage.record.error_code == "misconfigured"
    stage.sender.flights.clear()
    stage.settled()


@pytest.mark.parametrize("stream", [False, True])
def test_a_journal_that_fails_holds_nothing_and_the_client_is_answered(
    stage: Stage, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    stage.books.failure = ZeroDivisionError("journal")
    client = answered(stage, lambda flight: flight.answer(chunk("a") + LAST if stream else GOOD), stream=stream)
    assert client.ended
    assert "journal" in caplog.text
    stage.settled()


async def test_a_story_that_is_cancelled_from_outside_is_settled_as_cancelled() -> None:
    stage = Stage()
    story, client = stage.tell(chat_body(), KEY)
    while not stage.sender.flights:
        await asyncio.sleep(0)
    await stage.nursery.close()
    assert client.status == 0
    assert stage.record.status == "cancelled" and upstream_part(stage) == ["upstream cut"]
    assert [type(error) for error in stage.escaped] == [asyncio.CancelledError]
    stage.escaped.clear()
    assert story.over
    stage.settled()


def test_a_key_is_digested_once_for_all_requests_that_share_a_head(stage: Stage) -> None:
    first = stage.inbound(chat_body(), MASTER)
    assert first.head.token == ""
    stage.tell(chat_body())
    stage.begin_with(first)
    assert first.head.token == token_of(MASTER)


def test_a_lane_that_has_the_answer_itself_asks_no_upstream_and_charges_nothing(stage: Stage) -> None:
    def answer() -> None:
        raise AnsweredHere(b'{"done":true}')

    stage.house.lanes = ScriptedLanes("write", answer)
    story, client = stage.tell(chat_body())
    assert story.over and (client.status, client.body) == (200, b'{"done":true}')
    assert stage.happened == ["recorded", "announced", "replied", "safe"]
    record = stage.books.records[-1]
    assert (record.status, record.cost, record.usage.total, record.attempts) == ("success", 0, 0, 0)
    stage.settled()
