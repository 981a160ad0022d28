"""A stream reaches the client as it comes, in whole events; a client is told when the upstream is silent."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Broken, TimedOut
from pointsman.core.exchange import InferenceRoute
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.lifecycle.relay import retry_after
from pointsman.providers.express.answer import ExpressAnswer
from pointsman.providers.express.lane import ExpressLane
from tests.unit.lifecycle.house_script import ScriptedFlight, Stage, chat_body
from tests.unit.lifecycle.openai_words import DONE, GOOD, LAST, USAGE, chunk, refusal

COMMENT = b": keepalive\n\n"


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_every_piece_is_relayed_at_once_and_unchanged(stage: Stage) -> None:
    _, client = stage.tell(chat_body(stream=True))
    for number in range(1, 6):
        stage.flight.piece(chunk(str(number)))
        assert client.body == b"".join(chunk(str(past)) for past in range(1, number + 1))
    stage.flight.piece(LAST, last=True)
    assert client.body.endswith(chunk("5") + chunk("", finish="stop") + DONE), "the usage is ours, not the client's"
    stage.settled()


def test_half_an_event_waits_for_its_other_half(stage: Stage) -> None:
    _, client = stage.tell(chat_body(stream=True))
    event = chunk("hello")
    stage.flight.piece(event[:20])
    assert stage.happened == ["sent"]
    stage.flight.piece(event[20:])
    assert stage.happened == ["sent", "begun", "relayed"] and client.body == event


def test_the_usage_is_given_to_a_client_that_asks_for_it(stage: Stage) -> None:
    stage.sender.act = lambda flight: flight.piece(chunk("a") + LAST, last=True)
    _, client = stage.tell(chat_body(stream=True, stream_options={"include_usage": True}))
    assert USAGE in client.body and client.body.endswith(DONE)


def test_an_end_that_comes_alone_ends_the_answer(stage: Stage) -> None:
    story, client = stage.tell(chat_body(stream=True))
    stage.flight.piece(chunk("a", finish="stop"))
    stage.flight.piece(b"", last=True)
    assert story.over and client.body == chunk("a", finish="stop") + DONE
    assert stage.record.status == "success"
    stage.settled()


def test_a_silent_upstream_of_a_stream_is_bridged_by_comments(stage: Stage) -> None:
    story, client = stage.tell(chat_body(stream=True))
    stage.flight.silence()
    assert (client.status, client.begun, client.body) == (200, True, COMMENT)
    stage.clock.now += 5
    stage.flight.silence()
    stage.flight.piece(chunk("a"))
    stage.flight.silence()
    stage.flight.piece(LAST, last=True)
    assert story.over
    assert client.body == COMMENT + COMMENT + chunk("a") + COMMENT + chunk("", finish="stop") + DONE
    assert stage.happened.count("begun") == 1
    first, began = stage.record.first_token_at, stage.record.started_at
    assert first is not None and first - began == 5, "a comment is not a token"
    stage.settled()


def test_a_dialect_without_comments_has_its_client_wait_in_silence(stage: Stage) -> None:
    class Quiet(OpenAIDialect):
        keepalive = b""
        overloaded_status = 503

    inbound = stage.inbound(chat_body(stream=True))
    inbound.head.route = InferenceRoute(Operation.CHAT, Quiet(), "/chat/completions")
    story, client = stage.begin_with(inbound)
    stage.flight.silence()
    assert stage.happened == ["sent"]
    stage.flight.fail(TimedOut("The upstream sent nothing."))
    assert story.over and client.status == 408, "nothing has begun, so it is an ordinary error"
    stage.settled()


def test_a_comment_never_comes_into_the_middle_of_an_event(stage: Stage) -> None:
    _, client = stage.tell(chat_body(stream=True))
    event = chunk("hello")
    stage.flight.piece(event[:20])
    stage.flight.silence()
    stage.flight.piece(event[20:])
    assert client.body == COMMENT + event


def test_silence_that_waits_behind_the_end_does_not_spoil_it(stage: Stage) -> None:
    def act(flight: ScriptedFlight) -> None:
        flight.piece(chunk("a"))
        flight.silence()
        flight.piece(LAST, last=True)

    stage.sender.act = act
    story, client = stage.tell(chat_body(stream=True))
    assert story.over and client.body == chunk("a") + COMMENT + chunk("", finish="stop") + DONE
    stage.settled()


def test_what_came_before_a_failure_reaches_the_client_before_it(stage: Stage) -> None:
    def act(flight: ScriptedFlight) -> None:
        flight.piece(chunk("a"))
        flight.piece(chunk("b"))
        flight.fail(TimedOut("The upstream fell silent."))

    stage.sender.act = act
    _, client = stage.tell(chat_body(stream=True))
    assert client.body.startswith(chunk("a") + chunk("b")) and b"fell silent" in client.body


@given(st.lists(st.sampled_from(["a", "\n\n", "data:", "é", "[DONE]", '"usage"', "\\"]), max_size=8), st.data())
def test_the_pieces_in_which_a_stream_comes_do_not_matter(words: list[str], data: st.DataObject) -> None:
    stream = b"".join(map(chunk, words)) + LAST
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=6)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    at_once = data.draw(st.booleans())
    stage = Stage()

    def act(flight: ScriptedFlight) -> None:
        for number, piece in enumerate(pieces, 1):
            flight.piece(piece, last=number == len(pieces))

    stage.sender.act = act if at_once else None
    story, client = stage.tell(chat_body(stream=True))
    if not at_once:
        act(stage.flight)
    assert story.over
    assert client.body == b"".join(map(chunk, words)) + chunk("", finish="stop") + DONE
    assert (stage.record.usage.prompt, stage.record.usage.completion) == (7, 3)
    stage.settled()


def test_a_whole_answer_to_a_client_that_streams_not_is_one_piece(stage: Stage) -> None:
    stage.sender.act = lambda flight: flight.answer(GOOD)
    _, client = stage.tell(chat_body())
    assert not client.begun and client.body == GOOD


# -- when to come again --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"7", 7.0),
        (b"0.5", 0.5),
        (b" 3 ", 3.0),
        (b"0", 0.0),
        (b"-5", 0.0),
        (b"1e9", 86_400.0),
        (b"inf", None),
        (b"nan", None),
        (b"Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        (b"Tue, 14 Nov 2023 22:30:07 GMT", 7.0),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_a_retry_after_is_read_as_a_number_or_a_date_and_bounded(
    stage: Stage, value: bytes, seconds: float | None
) -> None:
    flight = ScriptedFlight(stage)
    flight.headers = [(b"x-other", b"1"), (b"retry-after", value), (b"retry-after", b"99")]
    assert retry_after(flight, stage.clock.wall()) == seconds


def test_no_retry_after_is_none(stage: Stage) -> None:
    assert retry_after(ScriptedFlight(stage), 0.0) is None


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("said", "told"), [(b"7", b"7"), (b"0", b"1"), (b"2.5", b"3"), (b"0.1", b"1")])
def test_a_client_is_told_to_wait_no_less_than_the_upstream_said(
    stage: Stage, stream: bool, said: bytes, told: bytes
) -> None:
    stage.sender.act = lambda flight: flight.answer(refusal("slow down"), 429, ((b"retry-after", said),))
    _, client = stage.tell(chat_body(stream=stream))
    assert client.status == 429 and b"\r\nretry-after: %b\r\n" % told in client.head


def test_an_upstream_that_names_no_wait_gives_the_client_none(stage: Stage) -> None:
    stage.sender.act = lambda flight: flight.answer(refusal("slow down"), 429)
    _, client = stage.tell(chat_body())
    assert b"retry-after" not in client.head


class _KeepingLanes:
    """The express lane, whose answers are stored."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def lane(self, operation: Operation, deployment: Deployment) -> _KeepingLane:
        return _KeepingLane(deployment, operation, self._stage)


class _KeepingLane(ExpressLane):
    def __init__(self, deployment: Deployment, operation: Operation, stage: Stage) -> None:
        super().__init__(deployment, operation)
        self._stage = stage

    def answer(self, ask: Ask) -> ExpressAnswer:
        async def keep() -> None:
            self._stage.happened.append("kept")

        ask.keep = keep
        return super().answer(ask)


@pytest.mark.parametrize("way", ["whole", "stream", "broken"])
def test_what_is_to_be_kept_is_kept_before_the_last_bytes(way: str) -> None:
    stage = Stage()
    stage.house.lanes = _KeepingLanes(stage)
    story, client = stage.tell(chat_body(stream=way != "whole"))
    if way == "whole":
        stage.flight.answer(GOOD)
    else:
        stage.flight.piece(chunk("a"))
        if way == "stream":
            stage.flight.piece(LAST, last=True)
        else:
            stage.flight.fail(Broken("cut"))
    assert story.over and client.ended
    last = "replied" if way == "whole" else "ended"
    assert stage.happened.count("kept") == 1
    assert stage.happened.index("kept") < stage.happened.index(last)
    stage.settled()


def test_what_was_not_answered_is_not_kept() -> None:
    stage = Stage()
    stage.house.lanes = _KeepingLanes(stage)
    _, client = stage.tell(chat_body())
    stage.flight.answer(b"{}", 500)
    assert client.status == 502 and "kept" not in stage.happened


async def test_nothing_of_a_stream_outlives_it_until_the_garbage_collector_comes_by() -> None:
    one = Stage()
    story, client = one.tell(chat_body(stream=True))
    flight = one.flight
    for piece in (chunk(), chunk(" you"), chunk(" there")):
        flight.piece(piece)
    assert flight.sink is not None
    flight.piece(chunk(finish="stop") + DONE, last=True)
    assert story.over and client.body.endswith(DONE)
    one.sender.flights.clear()
    left = weakref.ref(flight)
    gc.disable()
    try:
        del story, client, flight
        assert left() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("model", ["public", "nobody-serves-this"])
async def test_nothing_of_a_failure_outlives_it_until_the_garbage_collector_comes_by(model: str) -> None:
    one = Stage()
    one.sender.act = lambda flight: flight.answer(refusal("No."), 400)
    gc.disable()
    try:
        story, client = one.tell(chat_body(model=model))
        assert client.status == 400
        one.sender.flights.clear()
        left = weakref.ref(client)
        del story, client
        assert left() is None
    finally:
        gc.enable()
