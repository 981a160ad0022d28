"""A head that is recognised means what the parser would have made of it; whatever is in doubt is left to the parser."""

from __future__ import annotations

import pytest
from httptools import HttpParserError, HttpRequestParser
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.exchange import InferenceRoute, RequestHead
from pointsman.core.upstream import Operation
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.server.repeat import KnownHead

HEAD = RequestHead(InferenceRoute(Operation.CHAT, OpenAIDialect(), "/chat/completions"), b"sk-1", ())


def request(
    body: bytes, *, length: bytes | None = None, lines: bytes = b"Host: here\r\n", name: bytes = b"Content-Length: "
) -> bytes:
    said = b"%d" % len(body) if length is None else length
    return b"POST /v1/chat/completions HTTP/1.1\r\n%b%b%b\r\nX-Last: 1\r\n\r\n%b" % (lines, name, said, body)


class Heard:
    """What llhttp makes of some bytes that begin a message."""

    def __init__(self, data: bytes) -> None:
        self.heads: list[list[tuple[bytes, bytes]]] = []
        self.bodies: list[bytes] = []
        self.done = 0
        self.broken = False
        try:
            HttpRequestParser(self).feed_data(data)
        except HttpParserError:
            self.broken = True

    def on_message_begin(self) -> None:
        self.heads.append([])
        self.bodies.append(b"")

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() != b"content-length":
            self.heads[-1].append((name, value))

    def on_body(self, body: bytes) -> None:
        self.bodies[-1] += body

    def on_message_complete(self) -> None:
        self.done += 1


def known(body: bytes = b"{}", **how: bytes) -> KnownHead:
    data = request(body, **how)
    found = KnownHead.learn(HEAD, data, len(body))
    assert found is not None
    return found


@pytest.mark.parametrize("body", [b"", b"{}", b'{"model":"x"}' * 100, b"\r\n\r\n", b"9" * 12])
@pytest.mark.parametrize("name", [b"Content-Length: ", b"content-length:", b"CONTENT-LENGTH: \t"])
def test_the_same_head_with_another_length_is_recognised(body: bytes, name: bytes) -> None:
    found = known(name=name)
    assert found.head is HEAD
    assert found.body(request(body, name=name)) == body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST",
        request(b"{}")[:-1],
        request(b"{}") + b"x",
        request(b"{}") + b"\r\n",
        request(b"{}") + request(b"{}"),
        b"\r\n" + request(b"{}"),
        request(b"{}", length=b"3"),
        request(b"{}", length=b"1"),
        request(b"{}", length=b""),
        request(b"{}", length=b"+2"),
        request(b"{}", length=b"-2"),
        request(b"{}", length=b"2 "),
        request(b"{}", length=b"0x2"),
        request(b"{}", length=b"2, 2"),
        request(b"{}", length="²".encode()),
        request(b"{}", length=b"000000002"),
        request(b"{}", lines=b"Host: there\r\n"),
        request(b"{}", lines=b"Host: here\r\nTransfer-Encoding: chunked\r\n"),
        request(b"{}").replace(b"X-Last: 1", b"X-Last: 2"),
        request(b"{}").replace(b"X-Last: 1\r\n", b"X-Last: 1\r\nContent-Length: 2\r\n"),
        request(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"),
        request(b"{}").replace(b"POST", b"GET "),
    ],
)
def test_anything_else_is_left_to_the_parser(data: bytes) -> None:
    assert known().body(data) is None


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (request(b"{}") + b"\r\n\r\n", 2),
        (b"\r\n\r\n" + request(b"{}"), 2),
        (request(b"{}", lines=b"Content-Length: 2\r\n"), 2),
        (request(b"{}", length=b"3"), 2),
        (request(b"{}", name=b"X-Content-Length: "), 2),
        (request(b"{}", lines=b"X-Long: %b\r\n" % (b"x" * 5000)), 2),
        (request(b"{}").replace(b"\r\n\r\n", b"\r\n\r\n{}\r\n\r\n"), 2),
    ],
)
def test_what_is_odd_is_not_learnt(data: bytes, size: int) -> None:
    assert KnownHead.learn(HEAD, data, size) is None


PIECES = st.sampled_from(
    [
        b"POST /v1/chat/completions HTTP/1.1\r\n", b"Host: here\r\n", b"Content-Length: ", b"content-length:", b"2",
        b"02", b"11", b"\r\n", b"X-Last: 1\r\n", b"{}", b" ", b"\t", b"\n", b"Transfer-Encoding: chunked\r\n",
        b"0\r\n\r\n", b"POST", b"\x00", b";", request(b"{}"), request(b'{"a":"b"}'),
    ]
)  # fmt: skip


@given(st.lists(PIECES, min_size=1, max_size=12).map(b"".join), st.binary(max_size=20))
def test_what_is_recognised_is_what_the_parser_hears(noise: bytes, body: bytes) -> None:
    for learnt in (request(b"{}"), request(body), noise + request(b"{}")):
        heard = Heard(learnt)
        if heard.broken or heard.done != 1 or len(heard.heads) != 1:
            continue  # the server learns from one whole, good message only
        found = KnownHead.learn(HEAD, learnt, len(heard.bodies[0]))
        if found is None:
            continue
        for data in (request(body), request(body) + noise, noise, noise + request(body), learnt + noise, learnt):
            taken = found.body(data)
            if taken is not None:
                again = Heard(data)
                assert (again.broken, again.done, again.bodies) == (False, 1, [taken])
                assert again.heads == heard.heads
