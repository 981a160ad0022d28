"""How a connection ends: a shutdown loses no answer, a client that goes stops its work, the slow are not waited for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.lifecycle.house_script import chat_body
from tests.unit.lifecycle.openai_words import GOOD, LAST, chunk
from tests.unit.server.protocol_script import Door, Line, post

STREAM = chat_body(stream=True)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    yield door
    assert door.stage.escaped == []
    await door.stage.nursery.close()


def waiting(door: Door, body: bytes | None = None) -> Line:
    """A connection whose answer is made and waits for the end of the turn, since another request is under way."""
    line, other = door.connect(), door.connect()
    line.hear(post(body))
    other.hear(post())
    door.stage.sender.flights[0].answer(GOOD if body is None else chunk("a") + LAST)
    assert len(door.stage.turns) == 1
    return line


def turn(door: Door) -> None:
    for flush in door.stage.turns:
        flush()
    door.stage.turns.clear()


def later(door: Door, line: Line, seconds: float) -> None:
    door.gate.now += seconds
    line.protocol.sweep(door.gate.now)


# -- shutdown ------------------------------------------------------------------------------------------------


async def test_a_shutdown_closes_a_connection_without_a_request(door: Door) -> None:
    line = door.connect()
    line.protocol.shutdown()
    assert line.closed()


async def test_a_shutdown_lets_a_whole_answer_finish_and_closes_then(door: Door) -> None:
    line = door.connect()
    line.hear(post())
    line.protocol.shutdown()
    assert not line.closed()
    door.stage.flight.answer(GOOD)
    ((status, fields, body),) = line.answers
    assert (status, fields["connection"], body) == (200, "close", GOOD) and line.closed()


async def test_a_shutdown_lets_a_stream_finish_and_closes_then(door: Door) -> None:
    line = door.connect()
    line.hear(post(STREAM))
    door.stage.flight.piece(chunk("a"))
    line.protocol.shutdown()
    assert not line.closed()
    door.stage.flight.piece(LAST, last=True)
    assert line.transport.written.endswith(b"0\r\n\r\n") and line.closed() and not line.transport.aborted


@pytest.mark.parametrize("body", [None, STREAM])
async def test_a_shutdown_does_not_lose_an_answer_that_waits_for_its_record(door: Door, body: bytes | None) -> None:
    line = waiting(door, body)
    line.protocol.shutdown()
    assert not line.closed()
    line.hear(post())
    turn(door)
    ((status, _, _),) = line.answers
    assert status == 200 and line.closed() and not line.transport.aborted
    assert len(door.stage.books.records) == 1


async def test_a_shutdown_lets_the_other_application_finish(door: Door) -> None:
    line = door.connect()
    line.hear(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
    line.protocol.shutdown()
    assert not line.closed()
    await door.turn(line.closed)
    ((status, fields, _),) = line.answers
    assert (status, fields["connection"]) == (203, "close")


async def test_what_outlasts_the_patience_of_a_shutdown_is_cut_and_recorded_as_cancelled(door: Door) -> None:
    line = door.connect()
    line.hear(post())
    door.gate.cut_all()
    assert line.transport.aborted
    line.lose()
    assert door.stage.record.status == "cancelled" and door.stage.flight.closed
    assert door.gate.connections == set()
    door.stage.settled()


# -- the client goes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_takes_its_upstream_with_it(door: Door, stream: bool, error: Exception | None) -> None:
    line = door.connect()
    line.hear(post(chat_body(stream=stream)))
    line.lose(error)
    assert door.stage.flight.closed and door.stage.record.status == "cancelled"
    assert line.transport.written == b"" and door.gate.connections == set()
    door.stage.settled()


@pytest.mark.parametrize("body", [None, STREAM])
async def test_a_client_that_goes_while_its_answer_waits_was_answered_for_all_that_is_known(
    door: Door, body: bytes | None
) -> None:
    line = waiting(door, body)
    before = line.transport.written
    line.lose()
    turn(door)
    assert line.transport.written == before and not line.transport.aborted
    assert door.stage.record.status == "success"


async def test_a_client_that_goes_in_the_middle_of_its_request_leaves_nothing(door: Door) -> None:
    line = door.connect()
    line.hear(post()[:-10])
    line.lose()
    assert door.stage.sender.sent == [] and door.stage.ears.records == [] and door.gate.connections == set()


async def test_the_pieces_of_a_stream_are_not_sent_to_a_connection_that_is_closing(door: Door) -> None:
    line = door.connect()
    line.hear(post(STREAM))
    door.stage.flight.piece(chunk("a"))
    line.transport.closing = True
    door.stage.flight.piece(chunk("b"))
    door.stage.flight.piece(LAST, last=True)
    assert chunk("b") not in line.transport.written and line.transport.late == b""
    door.stage.settled()


# -- a client that does not keep up --------------------------------------------------------------------------


async def test_the_upstream_waits_while_the_client_does_not_keep_up(door: Door) -> None:
    line = door.connect()
    line.hear(post(STREAM))
    flight = door.stage.flight
    line.protocol.pause_writing()
    assert flight.paused == 1
    line.protocol.resume_writing()
    assert flight.paused == 0
    flight.piece(chunk("a") + LAST, last=True)
    line.protocol.pause_writing()
    line.protocol.resume_writing()
    assert flight.paused == 0, "a flight that is over is left alone"


async def test_an_upstream_begins_paused_where_the_client_has_not_read_the_last_answer(door: Door) -> None:
    door.stage.sender.act = lambda flight: flight.answer(GOOD)
    line = door.connect()
    line.hear(post())
    line.protocol.pause_writing()
    door.stage.sender.act = None
    line.hear(post())
    assert door.stage.flight.paused == 1


async def test_a_client_that_never_reads_is_cut(door: Door) -> None:
    line = door.connect()
    line.hear(post(STREAM))
    door.stage.flight.piece(chunk("a"))
    line.protocol.pause_writing()
    later(door, line, 119)
    assert not line.closed()
    later(door, line, 1)
    assert line.transport.aborted


async def test_a_client_that_reads_again_is_not_cut(door: Door) -> None:
    line = door.connect()
    line.hear(post(STREAM))
    line.protocol.pause_writing()
    line.protocol.resume_writing()
    later(door, line, 100_000)
    assert not line.closed(), "an answer may take as long as the upstream does"


# -- the sweep -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [b"POST /v1/chat/completions HT", post()[:-1], post(path=b"/key/generate")[:20]])
async def test_a_request_that_does_not_arrive_is_told_so(door: Door, begun: bytes) -> None:
    line = door.connect()
    line.hear(begun)
    later(door, line, 19.9)
    assert line.transport.written == b""
    later(door, line, 0.1)
    ((status, fields, _),) = line.answers
    assert (status, fields["connection"]) == (408, "close") and line.transport.eof
    later(door, line, 2)
    assert line.transport.aborted


@pytest.mark.parametrize("served", [False, True])
async def test_a_connection_without_a_request_is_closed_without_a_word(door: Door, served: bool) -> None:
    line = door.connect()
    if served:
        door.stage.sender.act = lambda flight: flight.answer(GOOD)
        line.hear(post())
    before = line.transport.written
    later(door, line, 74.9 if served else 19.9)
    assert not line.closed()
    later(door, line, 0.1)
    assert line.closed() and line.transport.written == before


async def test_a_long_body_has_time_as_long_as_it_comes(door: Door) -> None:
    line = door.connect()
    whole = post(chat_body(user="u" * 300_000))
    place = 0
    while place < len(whole) - 70_000:
        line.hear(whole[place : place + 70_000])
        place += 70_000
        later(door, line, 19)
        assert line.transport.written == b""
    later(door, line, 1)
    assert line.answers[0][0] == 408


async def test_a_request_under_way_is_not_overdue(door: Door) -> None:
    line = door.connect()
    line.hear(post())
    later(door, line, 100_000)
    assert line.transport.written == b"" and not line.closed()
    door.stage.flight.answer(GOOD)
    assert line.answers[0][0] == 200


async def test_the_sweep_looks_at_every_connection(door: Door) -> None:
    lines = [door.connect() for _ in range(3)]
    assert door.gate.connections == {line.protocol for line in lines}
    for line in lines:
        later(door, line, 20)
        line.lose()
    assert door.gate.connections == set()
