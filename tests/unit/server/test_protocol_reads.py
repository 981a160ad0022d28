"""A request means the same however it is cut into reads, and whether or not its head has been seen before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.exchange import Client, Inbound
from pointsman.lifecycle.house import House
from tests.unit.server import protocol_script
from tests.unit.server.protocol_script import KEY_LINE, Door, Line, chunked, heard, post

OTHER = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"

BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"{}", b"\r\n", b"\r\n\r\n", b"0\r\n\r\n", post(b"{}"), OTHER, b"Content-Length: 1\r\n\r\n"]),
)
LINES = st.sampled_from(
    [
        b"",
        b"X-A: 1\r\n",
        b"X-A:1\r\nx-a: \t2 \r\n",
        b"Accept: */*\r\nUser-Agent: test/1\r\n",
        b"X-Content-Length: 5\r\n",
        b"Content-Type: application/json\r\nConnection: keep-alive\r\n",
        b"Expect: 100-continue\r\n",
        b"Origin: http://page.example\r\n",
    ]
)
PATHS = st.sampled_from([b"/v1/chat/completions", b"/v1/embeddings?x=1", b"/engines/a%20b/completions"])
KEYS = st.sampled_from([KEY_LINE, b"", b"x-api-key: sk-1\r\n", b"Authorization: bearer  sk-2 \r\n"])


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """Requests of one connection, most with the head of one before and another length."""
    heads = draw(st.lists(st.tuples(LINES, PATHS, KEYS), min_size=1, max_size=2))
    requests = []
    for _ in range(draw(st.integers(1, 6))):
        lines, path, key = draw(st.sampled_from(heads))
        body = draw(BODIES)
        kind = draw(st.sampled_from(["plain", "plain", "plain", "chunked", "other", "stray"]))
        if kind == "other":
            requests.append(OTHER)
        elif kind == "chunked":
            requests.append(chunked([piece for piece in (body[:3], body[3:]) if piece], lines=lines))
        else:
            requests.append((b"\r\n" if kind == "stray" else b"") + post(body, lines=lines, path=path, key=key))
    return requests


class Echo:
    """Stands in for the story: remembers what it was asked and answers with the body."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    async def serve(self, inbound: Inbound, client: Client, house: House) -> None:
        self.heard.append(heard(inbound))
        client.reply(200, b"x-n: %d\r\n" % len(self.heard), inbound.body)
        house.outbox.gathered()


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


async def talk(
    requests: list[list[bytes]], *, fresh: bool = False
) -> tuple[list[tuple[object, ...]], list[protocol_script.Reply]]:
    """Send requests, each as the reads it comes in; gives what was heard and answered.

    ``fresh`` takes a connection of its own for each, so that no head is known.
    """
    echo, door = Echo(), Door()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pointsman.server.protocol.serve", echo.serve)
        lines: list[Line] = []
        for reads in requests:
            if fresh or not lines:
                lines.append(door.connect())
            line = lines[-1]
            before = len(final(line))
            line.hear(*reads)
            await door.turn(lambda line=line, before=before: len(final(line)) > before)  # type: ignore[misc]
            assert len(final(line)) == before + 1, "each request has its one answer"
            assert not line.closed()
    for line in lines:
        timer = line.protocol.timeout_keep_alive_task
        if timer is not None:
            timer.cancel()
    assert door.stage.escaped == []
    return echo.heard, [answer for line in lines for answer in final(line)]


def final(line: Line) -> list[protocol_script.Reply]:
    return [answer for answer in line.answers if answer[0] >= 200]


def cut(request: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(request), *(place % len(request) for place in places)})
    return [request[start:end] for start, end in pairwise(marks)]


@settings(deadline=None)
@given(conversations(), st.lists(st.lists(st.integers(0, 10_000), max_size=5), min_size=6, max_size=6))
def test_a_request_means_the_same_on_a_known_connection_a_new_one_and_in_any_pieces(
    loop: asyncio.Runner, requests: list[bytes], places: list[list[int]]
) -> None:
    apart = loop.run(talk([[request] for request in requests], fresh=True))
    assert loop.run(talk([[request] for request in requests])) == apart
    pieces = [cut(request, where) for request, where in zip(requests, places, strict=False)]
    assert loop.run(talk(pieces)) == apart


async def test_the_same_head_is_recognised_and_not_parsed_again() -> None:
    """What the test above compares is two ways of reading, as long as this one holds."""
    echo, door = Echo(), Door()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pointsman.server.protocol.serve", echo.serve)
        line = door.connect()
        line.hear(post(b"a"))
        patch.setattr(line.protocol, "parser", None)
        line.hear(post(b"bb"), post(b"c" * 5000), post(b""))
    assert [body for _, _, body in final(line)] == [b"a", b"bb", b"c" * 5000, b""]


@pytest.mark.parametrize(
    "between",
    [
        [OTHER],
        [b"\r\n"],
        [post(b"x", lines=b"X-B: 1\r\n")],
        [chunked([b"x"])],
        [post(b"x")[:10], post(b"x")[10:]],
        [post(b"x", path=b"/v1/embeddings")],
    ],
)
async def test_a_head_that_is_known_means_the_same_after_anything_else(between: list[bytes]) -> None:
    echo, door = Echo(), Door()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pointsman.server.protocol.serve", echo.serve)
        line = door.connect()
        line.hear(post(b"one"), post(b"two"), *between)
        await door.turn()
        before = len(echo.heard)
        line.hear(post(b"three"), post(b"four"))
    assert [entry[-1] for entry in echo.heard[before:]] == [b"three", b"four"]
    assert echo.heard[0][:-1] == echo.heard[-1][:-1]
    line.lose()


@pytest.mark.parametrize("cut_before", [b"Host", b"Authorization", b"Content-Length", b"{}"])
async def test_the_end_of_a_request_is_not_taken_for_a_request(cut_before: bytes) -> None:
    """What came in two reads has taught nothing: its second part, sent again, is the beginning of no message."""
    echo, door = Echo(), Door()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pointsman.server.protocol.serve", echo.serve)
        line = door.connect()
        whole = post(b"{}")
        place = whole.index(cut_before)
        line.hear(whole[:place], whole[place:], whole[place:])
    assert [status for status, _, _ in final(line)] == [200, 400] and len(echo.heard) == 1


@settings(deadline=None)
@given(conversations(), st.lists(st.integers(0, 10_000), max_size=5))
def test_of_requests_sent_without_waiting_a_first_part_is_answered_in_order_and_nothing_twice(
    loop: asyncio.Runner, requests: list[bytes], places: list[int]
) -> None:
    async def flood() -> None:
        echo, door = Echo(), Door()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pointsman.server.protocol.serve", echo.serve)
            line = door.connect()
            line.hear(*cut(b"".join(requests), places))
            await door.turn()
        got = [body for _, _, body in final(line)]
        _, apart = await talk([[request] for request in requests], fresh=True)
        assert got == [body for _, _, body in apart[: len(got)]]
        assert got and (len(got) == len(requests) or line.closed())
        line.lose()

    loop.run(flood())
