"""The HTTP side of a request: what is read means the same however it comes, and every answer is whole or none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.lifecycle.house_script import MASTER, chat_body
from tests.unit.lifecycle.openai_words import DONE, GOOD, LAST, chunk
from tests.unit.server.protocol_script import KEY_LINE, Door, Line, chunked, post

STREAM = chat_body(stream=True)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    yield door
    assert door.stage.escaped == []
    await door.stage.nursery.close()


def served(door: Door, *reads: bytes) -> Line:
    """A connection whose requests are answered at once."""
    door.stage.sender.act = lambda flight: flight.answer(GOOD)
    line = door.connect()
    line.hear(*reads)
    return line


def statuses(line: Line) -> list[int]:
    return [status for status, _, _ in line.answers]


# -- answers -------------------------------------------------------------------------------------------------


async def test_a_request_is_answered_in_the_read_that_completes_it(door: Door) -> None:
    line = served(door, post())
    ((status, fields, body),) = line.answers
    assert (status, body, fields["content-length"]) == (200, GOOD, str(len(GOOD)))
    assert "connection" not in fields and not line.closed()
    assert door.stage.record.peer == "10.1.2.3"
    door.stage.settled()


async def test_a_connection_serves_one_request_after_another(door: Door) -> None:
    line = served(door, *[post(chat_body(user="u" * size)) for size in (1, 20, 300, 1, 7)])
    assert statuses(line) == [200] * 5
    assert [record.end_user for record in door.stage.books.records] == ["u" * size for size in (1, 20, 300, 1, 7)]


async def test_a_stream_is_sent_in_chunks_as_it_comes_and_ends_with_the_last_chunk(door: Door) -> None:
    line = door.connect()
    line.hear(post(STREAM))
    flight = door.stage.flight
    flight.piece(chunk("a"))
    assert line.answers[0][2] == chunk("a") and not line.transport.written.endswith(b"0\r\n\r\n")
    flight.piece(chunk("b") + LAST, last=True)
    ((status, fields, body),) = line.answers
    assert (status, fields["transfer-encoding"]) == (200, "chunked") and body.endswith(DONE)
    assert line.transport.written.endswith(b"0\r\n\r\n") and not line.closed()
    line.hear(post())
    flight = door.stage.flight
    flight.answer(GOOD)
    assert statuses(line) == [200, 200]


@pytest.mark.parametrize("lines", [b"Connection: close\r\n", b"connection: Close\r\n"])
async def test_a_connection_that_the_client_wants_closed_is_closed_after_the_answer_that_says_so(
    door: Door, lines: bytes
) -> None:
    line = served(door, post(lines=lines), post())
    ((_, fields, body),) = line.answers
    assert (fields["connection"], body) == ("close", GOOD) and line.closed()


async def test_a_stream_on_a_connection_to_be_closed_is_framed_all_the_same(door: Door) -> None:
    line = door.connect()
    line.hear(post(STREAM, lines=b"Connection: close\r\n"))
    door.stage.flight.piece(chunk("a") + LAST, last=True)
    ((_, fields, body),) = line.answers
    assert (fields["connection"], fields["transfer-encoding"]) == ("close", "chunked")
    assert body.endswith(DONE) and line.closed() and not line.transport.aborted


async def test_a_client_of_http_1_0_gets_no_chunks_and_its_connection_ends_the_answer(door: Door) -> None:
    line = door.connect()
    line.hear(post(STREAM, version=b"1.0", lines=b"Connection: keep-alive\r\n"))
    door.stage.flight.piece(chunk("a") + LAST, last=True)
    head, _, body = line.transport.written.partition(b"\r\n\r\n")
    assert b"chunked" not in head and b"\r\nconnection: close" in head
    assert body == chunk("a") + chunk("", finish="stop") + DONE and line.closed()


@pytest.mark.parametrize("lines", [b"", b"Connection: keep-alive\r\n"])
async def test_a_client_of_http_1_0_is_told_the_end_of_a_whole_answer_by_the_connection_too(
    door: Door, lines: bytes
) -> None:
    """Such a client takes it to be kept only where the answer says so, and else waits for its end."""
    line = served(door, post(version=b"1.0", lines=lines))
    ((status, fields, body),) = line.answers
    assert (status, fields["connection"], body) == (200, "close", GOOD) and line.closed()


@pytest.mark.parametrize(
    ("path", "model"),
    [
        (b"/v1/chat/completions", "public"),
        (b"/chat/completions?a=b", "public"),
        (b"/openai/deployments/gpt-4%2Fo/chat/completions?api-version=1", "gpt-4/o"),
        (b"/engines/mine/chat/completions", "mine"),
    ],
)
async def test_a_model_in_the_path_wins(door: Door, path: bytes, model: str) -> None:
    served(door, post(path=path))
    assert door.stage.record.model_requested == model


# -- keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "status"),
    [
        (KEY_LINE, 200),
        (b"authorization: bearer %b\r\n" % MASTER.encode(), 200),
        (b"x-api-key: %b\r\n" % MASTER.encode(), 200),
        (b"x-litellm-api-key: Bearer %b\r\nAuthorization: Bearer wrong\r\n" % MASTER.encode(), 200),
        (b"Authorization: Bearer wrong\r\nx-litellm-api-key: %b\r\n" % MASTER.encode(), 200),
        (b"x-api-key: wrong\r\n" + KEY_LINE, 200),
        (b"x-litellm-api-key: \r\n" + KEY_LINE, 200),
        (b"Authorization:\r\nx-api-key: %b\r\n" % MASTER.encode(), 200),
        (KEY_LINE + b"Authorization: Bearer wrong\r\n", 200),
        (b"", 401),
        (b"Authorization:\r\n", 401),
    ],
)
async def test_a_key_is_read_from_the_header_that_counts_and_an_empty_one_hides_none(
    door: Door, key: bytes, status: int
) -> None:
    assert statuses(served(door, post(key=key))) == [status]


async def test_a_large_body_of_nobody_is_refused_before_it_is_read(door: Door) -> None:
    line = door.connect()
    line.hear(post(b"x" * 70_000, key=b"")[:200])
    assert statuses(line) == [401] and line.transport.eof
    line.hear(b"x" * 70_000)
    assert statuses(line) == [401] and door.stage.books.records == []


async def test_a_large_body_of_a_known_key_is_read(door: Door) -> None:
    line = served(door, post(chat_body(user="u" * 70_000)))
    assert statuses(line) == [200]


# -- pipelining ----------------------------------------------------------------------------------------------


async def test_of_requests_sent_at_once_the_first_is_answered_and_the_connection_closed(door: Door) -> None:
    line = served(door, post() + post(chat_body(model="nosuch")))
    ((status, fields, _),) = line.answers
    assert (status, fields["connection"]) == (200, "close") and line.closed()
    assert len(door.stage.books.records) == 1


async def test_a_request_that_comes_too_early_is_not_served_and_does_not_spoil_the_one_under_way(door: Door) -> None:
    line = door.connect()
    line.hear(post(), post(chat_body(model="nosuch"))[:50])
    line.hear(post())
    assert line.transport.written == b""
    door.stage.flight.answer(GOOD)
    assert statuses(line) == [200] and line.closed()
    assert len(door.stage.books.records) == 1


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (post().replace(b"POST", b"GET"), 405),
        (post(b"x" * 1001), 413),
        (post(lines=b"X-Many: 1\r\n" * 130), 431),
        (post(lines=b"X-Many: 1\r\n" * 130, path=b"/key/generate"), 431),
    ],
)
async def test_a_request_that_is_refused_is_refused_whatever_comes_behind_it(first: bytes, status: int) -> None:
    door = Door(body_bytes_max=1000)
    line = served(door, first + post())
    await door.turn()
    assert statuses(line) == [status] and line.transport.eof
    assert door.asked == [] and door.stage.sender.sent == []


async def test_a_request_behind_one_of_the_other_application_waits_for_none(door: Door) -> None:
    line = served(door, b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n" + post())
    await door.turn(line.closed)
    assert statuses(line) == [203] and line.closed() and door.stage.books.records == []


# -- the other application -----------------------------------------------------------------------------------


async def test_other_paths_are_the_other_applications_in_between_ours(door: Door) -> None:
    other = b"POST /key/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    line = served(door, post(), post())
    for count in (1, 2):
        line.hear(other[:30], other[30:])
        await door.turn(lambda count=count: len(door.asked) == count and len(line.answers) == 3 * count)  # type: ignore[misc]
        line.hear(post(), post(chat_body(user="later")))
        if count == 1:
            assert statuses(line) == [200, 200, 203, 200, 200]
    assert statuses(line) == [200, 200, 203, 200, 200, 203, 200, 200]
    assert door.asked == [("/key/generate", b"{}")] * 2
    assert line.protocol.timeout_keep_alive_task is None, "the other application's timer does not close our answers"


ORIGIN = b"Origin: https://page.example\r\n"


async def test_a_web_page_may_read_every_kind_of_answer_and_others_are_not_bothered_with_it(door: Door) -> None:
    asked = [post(lines=ORIGIN), post(lines=ORIGIN), post(), post(b"hello", lines=ORIGIN)]
    line = served(door, *asked, post(lines=ORIGIN).replace(b"POST", b"GET"))
    stream = door.connect()
    door.stage.sender.act = lambda flight: flight.piece(chunk("a") + LAST, last=True)
    stream.hear(post(STREAM, lines=ORIGIN))
    allowed = [fields.get("access-control-allow-origin") for _, fields, _ in (*line.answers, *stream.answers)]
    assert statuses(line) == [200, 200, 200, 400, 405]
    assert allowed == ["*", "*", None, "*", "*", "*"]


@pytest.mark.parametrize("asks", [True, False])
async def test_what_a_page_asks_beforehand_is_the_other_applications(door: Door, asks: bool) -> None:
    lines = ORIGIN + (b"Access-Control-Request-Method: POST\r\n" if asks else b"")
    line = served(door, b"OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: x\r\n%b%b\r\n" % (KEY_LINE, lines))
    await door.turn(lambda: line.answers)
    assert statuses(line) == [203 if asks else 405]
    line.lose()


async def test_every_answer_of_ours_is_dated(door: Door) -> None:
    line = served(door, post(), post(), post(b"hello"), post().replace(b"POST", b"GET"))
    assert len(line.answers) == 4 and all(fields["date"].endswith(" GMT") for _, fields, _ in line.answers)


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP\r\n"


@pytest.mark.parametrize("cut", [20, 250, -5, None])
async def test_an_offer_of_another_protocol_is_ignored(door: Door, cut: int | None) -> None:
    """RFC 9110, section 7.8. Java's client makes it with every first request of a connection."""
    whole = post(lines=UPGRADE)
    line = served(door, whole[:cut], whole[cut:] if cut else b"", post())
    assert statuses(line) == [200, 200] and not line.closed()
    first, second = door.stage.sender.sent
    assert first == second


async def test_an_offer_with_a_body_in_chunks_is_ignored(door: Door) -> None:
    body = chat_body()
    line = served(door, chunked([body[:5], body[5:]], lines=UPGRADE), post(lines=UPGRADE), post())
    assert statuses(line) == [200] * 3 and not line.closed()


async def test_an_offer_on_a_path_of_others_is_ignored(door: Door) -> None:
    line = served(door, post(path=b"/key/generate", lines=UPGRADE))
    await door.turn(lambda: line.answers)
    assert statuses(line) == [203] and len(door.asked) == 1
    line.hear(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n%b\r\n" % UPGRADE)
    await door.turn(lambda: len(line.answers) > 1)
    line.hear(post())
    assert statuses(line) == [203, 203, 200] and not line.closed()


@pytest.mark.parametrize(
    "request_line", [b"POST /v1/chat/completions", b"POST /key/generate", b"GET /v1/chat/completions"]
)
async def test_a_websocket_where_there_is_none_is_refused(door: Door, request_line: bytes) -> None:
    lines = KEY_LINE + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n"
    line = served(door, b"%b HTTP/1.1\r\nHost: x\r\n%b\r\n{}" % (request_line, lines), post())
    await door.turn()
    assert statuses(line) == [400] and line.transport.eof
    assert door.asked == [] and door.stage.sender.sent == []


async def test_a_tunnel_is_refused(door: Door) -> None:
    line = served(door, b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n", post())
    await door.turn()
    assert statuses(line) == [400] and line.transport.eof and door.asked == []


@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/key/generate"])
async def test_a_request_has_one_host(door: Door, path: bytes) -> None:
    """RFC 9112, section 3.2; HTTP/1.0 did not have the header."""
    host = b"Host: here\r\n"
    for odd in (post(path=path).replace(host, b""), post(path=path, lines=b"hOST: there\r\n")):
        line = served(door, odd)
        assert statuses(line) == [400] and line.transport.eof
    assert door.asked == [] and door.stage.sender.sent == []
    old = served(door, post(path=path, version=b"1.0").replace(host, b""))
    await door.turn(lambda: old.answers)
    assert statuses(old)[0] in (200, 203)


# -- bounds --------------------------------------------------------------------------------------------------


async def test_a_body_of_the_greatest_length_is_read_and_a_longer_one_refused_before_it_comes() -> None:
    body = chat_body()
    door = Door(body_bytes_max=len(body))
    line = served(door, post(body), post(body))
    assert statuses(line) == [200, 200]
    line.hear(post(body + b" "))
    assert statuses(line) == [200, 200, 413] and line.transport.eof
    early = served(door, post(body + b" ")[:-1])
    assert statuses(early) == [413]
    assert len(door.stage.books.records) == 2


async def test_a_chunked_body_is_refused_as_soon_as_it_is_too_long() -> None:
    door = Door(body_bytes_max=100)
    line = door.connect()
    line.hear(chunked([]).removesuffix(b"0\r\n\r\n"))
    line.hear(b"64\r\n" + b"x" * 100 + b"\r\n")
    assert line.transport.written == b""
    line.hear(b"1\r\nx\r\n")
    assert statuses(line) == [413] and line.transport.eof


async def test_a_head_with_too_many_headers_is_refused(door: Door) -> None:
    few = b"".join(b"X-%d: 1\r\n" % number for number in range(125))
    assert statuses(served(door, post(lines=few))) == [200]
    line = served(door, post(lines=few + b"X-More: 1\r\n"))
    assert statuses(line) == [431] and line.transport.eof


async def test_a_head_without_an_end_is_refused(door: Door) -> None:
    line = door.connect()
    line.hear(b"POST /v1/chat/completions HTTP/1.1\r\n")
    for _ in range(70):
        line.hear(b"X-Long: %b\r\n" % (b"x" * 1000))
    assert statuses(line) == [431] and line.transport.eof


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"DELETE"])
async def test_inference_is_asked_for_by_post(door: Door, method: bytes) -> None:
    line = served(door, post().replace(b"POST", method))
    assert statuses(line) == [405] and door.stage.books.records == []


# -- bodies --------------------------------------------------------------------------------------------------


async def test_a_chunked_request_is_put_together(door: Door) -> None:
    body = chat_body(user="chunky")
    whole = chunked([body[:10], body[10:11], body[11:]])
    line = served(door, whole, *[whole[place : place + 1] for place in range(len(whole))])
    assert statuses(line) == [200, 200]
    assert {record.end_user for record in door.stage.books.records} == {"chunky"}


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(door: Door) -> None:
    whole = post(lines=b"Expect: 100-Continue\r\n")
    place = whole.index(b"\r\n\r\n") + 4
    line = served(door, whole[:place])
    assert line.transport.written == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.hear(whole[place:])
    assert (
        line.transport.written.count(b"100 Continue") == 1 and b"\r\n\r\nHTTP/1.1 200 OK\r\n" in line.transport.written
    )
    line.hear(post())
    assert statuses(line) == [100, 200, 200], "the next request did not expect it"


async def test_a_body_that_would_be_refused_is_not_asked_for() -> None:
    line = Door(body_bytes_max=10).connect()
    line.hear(post(lines=b"Expect: 100-continue\r\n")[:-50])
    assert statuses(line) == [413]


async def test_a_client_of_http_1_0_is_never_told_to_continue(door: Door) -> None:
    """RFC 9110, section 15.2: such a client does not know interim answers."""
    line = served(door, post(version=b"1.0", lines=b"Expect: 100-continue\r\n"))
    assert statuses(line) == [200]


BAD_FRAMING = {
    "two framings": post(lines=b"Transfer-Encoding: chunked\r\n"),
    "two lengths": post(lines=b"Content-Length: 3\r\n"),
    "no number": post().replace(b"Content-Length: ", b"Content-Length: x"),
    "a signed length": post().replace(b"Content-Length: ", b"Content-Length: +"),
    "an unknown framing": chunked([b"{}"]).replace(b"chunked", b"gzip"),
    "chunked before another": chunked([b"{}"]).replace(b"chunked", b"chunked, gzip"),
    "a chunk size that is none": chunked([b"{}"]).replace(b"2\r\n{}", b"zz\r\n{}"),
    "a chunk longer than it says": chunked([b"{}"]).replace(b"2\r\n{}", b"1\r\n{}"),
    "a folded line": post(lines=b"X-A: 1\r\n 2\r\n"),
    "a space before the colon": post(lines=b"X-A : 1\r\n"),
    "a NUL": post(lines=b"X-A: \0\r\n"),
    "a bare CR": post(lines=b"X-A: 1\rX-B: 2\r\n"),
    "not HTTP": b"\x16\x03\x01\x02\x00\x01",
}


@pytest.mark.parametrize("name", BAD_FRAMING)
@pytest.mark.parametrize("after", [0, 2])
async def test_framing_that_can_be_read_in_two_ways_is_refused_and_the_connection_closed(
    door: Door, name: str, after: int
) -> None:
    """``after`` is how many good requests came before on the connection, so that its head is known."""
    line = served(door, *[post()] * after)
    line.hear(BAD_FRAMING[name], post())
    assert statuses(line) == [200] * after + [400]
    assert line.transport.eof and len(door.stage.books.records) == after


async def test_what_is_refused_is_read_on_for_a_moment_and_then_cut(door: Door) -> None:
    line = served(door, BAD_FRAMING["two lengths"])
    line.hear(b"x" * 1000)
    door.gate.now += 1.9
    line.protocol.sweep(door.gate.now)
    assert not line.closed()
    door.gate.now += 0.1
    line.protocol.sweep(door.gate.now)
    assert line.transport.aborted and statuses(line) == [400]
