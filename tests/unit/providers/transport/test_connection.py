"""One connection, read by read: an answer is the same in any pieces, and no byte of it reaches the next request."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.errors import Broken
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Timeouts
from pointsman.providers.transport.connection import Connection, UpstreamFlight
from pointsman.providers.transport.origin import Origin
from pointsman.providers.transport.pool import CoarseTime, Pool
from tests.unit.providers.transport.upstream_script import FakeClock, plain

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-A: interim\r\n\r\n"


class Wire(asyncio.Transport):
    """The upstream's end, in the test's hands."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = False
        self.reads = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class Line:
    """A pool, and one connection of it that is open."""

    def __init__(self) -> None:
        self.failures: list[BaseException] = []
        nursery = Nursery(lambda _name, error: self.failures.append(error))
        self.pool = Pool(Origin.parse("http://here/v1"), nursery, CoarseTime(FakeClock()))
        self.wire = Wire()
        self.connection = Connection(self.pool)
        self.connection.connection_made(self.wire)
        self.pool.release(self.connection)

    def ask(self, *, stream: bool = False) -> UpstreamFlight:
        flight = UpstreamFlight(b"POST", Timeouts(), stream, 10.0)
        self.pool.launch(flight)
        assert flight.reused
        return flight

    def hear(self, *reads: bytes) -> None:
        for data in reads:
            if not self.wire.aborted:
                self.connection.data_received(data)


def got(flight: UpstreamFlight) -> bytes:
    """What was delivered; the end must be there."""
    items, flight.inbox.items = flight.inbox.items, []
    assert flight.complete and flight.over
    out = b""
    for item in items:
        assert isinstance(item, bytes)
        out += item
    return out


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(place % len(data) for place in places)})
    return [data[start:end] for start, end in pairwise(marks)]


def chunked(body: bytes, size: int, trailer: bytes = b"", lines: bytes = b"") -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\n%bTransfer-Encoding: chunked\r\n\r\n%b0\r\n%b\r\n" % (lines, framed, trailer)


BODIES = st.one_of(st.binary(max_size=60), st.sampled_from([b"HTTP/1.1 500 X\r\n\r\n", b"0\r\n\r\n", b"\r\n\r\n"]))
HEADERS = st.sampled_from(
    [b"", b"X-A: final\r\n", b"x-a: 1\r\nX-A: 2\r\nRetry-After: 7\r\n", b"X-Long: %b\r\n" % (b"x" * 300)]
)
SURPLUS = st.sampled_from([b"", b"", plain(b"evil"), plain(b"evil", 500), b"x", INTERIM, b"\0"])


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes, int]:
    """The bytes of an answer, its body and its status."""
    body, lines = draw(BODIES), draw(HEADERS)
    status = draw(st.sampled_from([200, 200, 200, 404, 503]))
    if draw(st.booleans()):
        framed = plain(body, status, lines)
    else:
        framed = chunked(body, draw(st.integers(1, 9)), draw(st.sampled_from([b"", b"X-T: 1\r\n"])), lines)
        status = 200
    return INTERIM * draw(st.integers(0, 2)) + framed, body, status


@settings(deadline=None)
@given(
    st.lists(answers(), min_size=1, max_size=4), st.lists(st.integers(0, 10_000), max_size=8), SURPLUS, st.booleans()
)
def test_an_answer_in_any_pieces_is_the_same_and_nothing_behind_it_is_taken_for_another(
    talk: list[tuple[bytes, bytes, int]], places: list[int], surplus: bytes, stream: bool
) -> None:
    line = Line()
    for number, (framed, body, status) in enumerate(talk):
        last = number == len(talk) - 1
        flight = line.ask(stream=stream)
        line.hear(*cut(framed + (surplus if last else b""), places))
        assert (flight.status, got(flight)) == (status, body)
        assert flight.inbox.items == []
    assert line.wire.aborted is bool(surplus)
    assert line.pool.counts == ((0, 0) if surplus else (1, 0))


@pytest.mark.parametrize("width", [1, 7, 10_000])
def test_headers_are_those_of_the_final_answer_however_its_head_came(width: int) -> None:
    line = Line()
    flight = line.ask()
    answer = INTERIM + plain(b"hello", headers=b"X-A: final\r\nX-B: 2\r\n")
    line.hear(*[answer[start : start + width] for start in range(0, len(answer), width)])
    assert list(flight.headers) == [(b"x-a", b"final"), (b"x-b", b"2"), (b"content-length", b"5")]


def test_headers_asked_for_late_are_still_those_of_that_answer() -> None:
    line = Line()
    first = line.ask()
    line.hear(plain(b"one", headers=b"X-N: 1\r\n"))
    second = line.ask(stream=True)
    line.hear(b"HTTP/1.1 200 OK\r\nX-N: 2\r\n", b"Content-Length: 3\r\n\r\nt", b"wo")
    assert first.headers[0] == (b"x-n", b"1") and second.headers[0] == (b"x-n", b"2")
    first.close()
    assert first.headers[0] == (b"x-n", b"1")
    assert line.pool.counts == (1, 0), "an old flight has no hand on the connection any more"


def test_headers_hold_while_the_rest_is_still_to_come() -> None:
    line = Line()
    flight = line.ask(stream=True)
    line.hear(b"HTTP/1.1 200 OK\r\nX-N: 2\r\n")
    assert (flight.status, list(flight.headers)) == (0, [])
    line.hear(b"Content-Length: 9\r\n\r\n")
    assert flight.status == 200 and flight.headers[0] == (b"x-n", b"2") and not flight.inbox.items


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_that_ends_with_its_connection_is_whole_then_and_not_before(stream: bool, status: int) -> None:
    line = Line()
    flight = line.ask(stream=stream)
    line.hear(b"HTTP/1.1 %d Said\r\nX-A: 1\r\n\r\nhel" % status, b"lo")
    assert not flight.complete
    line.connection.connection_lost(None)
    assert got(flight) == b"hello" and flight.status == status
    assert line.pool.counts == (0, 0)


@pytest.mark.parametrize("error", [None, ConnectionResetError("reset")])
@pytest.mark.parametrize("head", [b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_an_answer_with_an_end_of_its_own_does_not_end_with_its_connection(
    head: bytes, error: Exception | None
) -> None:
    line = Line()
    flight = line.ask()
    line.hear(b"HTTP/1.1 200 OK\r\n%b\r\n" % head)
    line.connection.connection_lost(error)
    (item,) = flight.inbox.items
    assert isinstance(item, Broken) and not flight.complete


@pytest.mark.parametrize("at", [0, 20])
def test_an_answer_that_broke_gives_nothing_to_the_next_request(at: int) -> None:
    line = Line()
    flight = line.ask()
    line.hear(plain(b"hello")[:at] + b"\0")
    assert isinstance(flight.inbox.items[0], Broken) and line.wire.aborted
    assert line.pool.counts == (0, 0)


@pytest.mark.parametrize("data", [b"x", plain(b"evil"), b"\r\n"])
def test_a_connection_that_speaks_unasked_is_given_up(data: bytes) -> None:
    line = Line()
    line.ask()
    line.hear(plain(b"good"))
    line.hear(data)
    assert line.wire.aborted and line.pool.counts == (0, 0)


def test_a_flight_that_was_given_up_hears_nothing_of_what_still_comes() -> None:
    line = Line()
    flight = line.ask(stream=True)
    line.hear(b"HTTP/1.1 200 OK\r\n\r\n")
    flight.close()
    assert line.wire.aborted
    line.connection.data_received(b"late")
    line.connection.connection_lost(None)
    assert flight.inbox.items == [] and not flight.complete


def test_a_kept_connection_that_is_closing_is_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    opened: list[UpstreamFlight] = []
    monkeypatch.setattr(line.pool, "relaunch", opened.append)
    line.wire.aborted = True
    flight = UpstreamFlight(b"POST", Timeouts(), stream=False, silence_seconds=10.0)
    line.pool.launch(flight)
    assert line.wire.written == [] and opened == [flight]


def test_a_request_is_written_once_and_whole() -> None:
    line = Line()
    line.ask()
    assert line.wire.written == [b"POST"]


def test_a_paused_flight_stops_the_reading_of_its_own_connection_only_while_it_has_one() -> None:
    line = Line()
    flight = line.ask(stream=True)
    flight.pause()
    assert not line.wire.reads
    flight.resume()
    line.hear(plain(b"x"))
    flight.pause()
    assert line.wire.reads, "the connection serves another by now"


def test_silence_is_told_between_bytes_and_a_pause_of_ours_is_none() -> None:
    line = Line()
    flight = line.ask(stream=True)
    line.hear(b"HTTP/1.1 200 OK\r\n\r\nx")
    flight.check(1009.0)
    assert flight.inbox.items == [b"x"]
    flight.check(1010.0)
    assert flight.inbox.items == [b"x", None]
    flight.pause()
    flight.check(1500.0)
    assert not flight.over, "we did not listen"
