"""Nothing a client or an upstream can send makes a 500, a hang or a traceback."""

from __future__ import annotations

import random
import re
import socket
import time
from typing import Any, Final

import msgspec
import pytest

from tests.support.configs import openai_entry
from tests.support.gateway import MASTER_KEY, Gateway, Launch
from tests.upstreams import FakeOpenAI, Reply, faults
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, usage

Shared = tuple[Gateway, FakeOpenAI]

GOOD: Final = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
AUTH: Final = f"Authorization: Bearer {MASTER_KEY}\r\n".encode()
MEGABYTE: Final = 1024 * 1024
BODY: Final = msgspec.json.encode(GOOD)
LENGTH: Final = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"


def post(headers: bytes, body: bytes = b"", path: bytes = b"/v1/chat/completions") -> bytes:
    """A request as bytes, with the key and whatever other headers."""
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%b%b\r\n%b" % (path, AUTH, headers, body)


def sized(body: bytes) -> bytes:
    return post(b"Content-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n" % len(body), body)


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def still_well(gateway: Gateway) -> None:
    assert gateway.chat("fast").status == 200


# -- bodies --------------------------------------------------------------------------------------------

BODIES: Final[dict[str, bytes]] = {
    "empty": b"",
    "a word": b"hello",
    "null": b"null",
    "a number": b"42",
    "a list": b"[1,2]",
    "an empty object": b"{}",
    "cut off": b'{"model":"fast","messages":[{"role":"us',
    "NUL bytes": b"\x00" * 100,
    "a NUL inside": b'{"model":"fa\x00st","messages":[]}',
    "an escaped NUL": b'{"model":"fa\\u0000st","messages":[{"role":"user","content":"x"}]}',
    "invalid UTF-8": b'{"model":"fast","messages":[{"role":"user","content":"\xff\xfe"}]}',
    "a lone surrogate": b'{"model":"\\ud800","messages":[{"role":"user","content":"x"}]}',
    "UTF-16": '{"model":"fast"}'.encode("utf-16"),
    "deep arrays": b'{"model":"fast","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"model":"fast","messages":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    "deep and open": b"[" * 200_000,
    "a huge number": b'{"model":"fast","max_tokens":1e999,"messages":[{"role":"user","content":"x"}]}',
    "a long number": b'{"model":"fast","max_tokens":' + b"9" * 5000 + b',"messages":[{"role":"user","content":"x"}]}',
    "NaN": b'{"model":"fast","temperature":NaN,"messages":[{"role":"user","content":"x"}]}',
    "trailing bytes": b'{"model":"fast","messages":[{"role":"user","content":"x"}]} extra',
    "a comment": b'/* hi */{"model":"fast"}',
    "model is a number": b'{"model":7,"messages":[{"role":"user","content":"x"}]}',
    "model is null": b'{"model":null,"messages":[{"role":"user","content":"x"}]}',
    "model is empty": b'{"model":"","messages":[{"role":"user","content":"x"}]}',
    "model is a list": b'{"model":["fast"],"messages":[{"role":"user","content":"x"}]}',
    "model is long": b'{"model":"' + b"m" * 100_000 + b'","messages":[{"role":"user","content":"x"}]}',
    "model has line ends": b'{"model":"fast\\r\\nx-evil: 1","messages":[{"role":"user","content":"x"}]}',
    "messages is a string": b'{"model":"fast","messages":"hi"}',
    "messages is empty": b'{"model":"fast","messages":[]}',
    "messages is missing": b'{"model":"fast"}',
    "stream is a string": b'{"model":"fast","stream":"yes","messages":[{"role":"user","content":"x"}]}',
    "stream_options is a list": b'{"model":"fast","stream":true,"stream_options":[],"messages":[{"content":"x"}]}',
    "max_tokens is an object": b'{"model":"fast","max_tokens":{},"messages":[{"role":"user","content":"x"}]}',
    "n is negative": b'{"model":"fast","n":-5,"messages":[{"role":"user","content":"x"}]}',
}


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused_with_a_reason(shared: Shared, name: str) -> None:
    gateway, _ = shared
    answer = gateway.http("POST", "/v1/chat/completions", BODIES[name])
    assert 400 <= answer.status < 500, answer
    assert answer.error["message"]
    still_well(gateway)


def test_of_duplicate_keys_one_decides_for_access_and_upstream_alike(shared: Shared) -> None:
    gateway, upstream = shared
    key = gateway.new_key(models=["fast"])
    for body in (
        b'{"model":"fast","model":"priced","messages":[{"role":"user","content":"x"}]}',
        b'{"model":"priced","model":"fast","messages":[{"role":"user","content":"x"}]}',
        b'{"model":"fast","mod\\u0065l":"priced","messages":[{"role":"user","content":"x"}]}',
    ):
        upstream.forget()
        answer = gateway.http("POST", "/v1/chat/completions", body, key=key)
        if answer.status == 200:
            assert upstream.inference[0].body.count(b'"model"') == 1
            assert answer.headers["x-litellm-model-group"] == "fast"
        else:
            assert answer.status == 403
            assert upstream.inference == []


SNIPPETS: Final = (b'"', b"{", b"[", b"\\", b"\xff", b"null", b"1e9", b",", b"\x00")


def test_mutated_requests_never_break_the_gateway(shared: Shared) -> None:
    gateway, _ = shared
    chance = random.Random(20_261_123)
    seed = bytearray(msgspec.json.encode({**GOOD, "stream": False, "max_tokens": 5, "tools": [], "user": "u"}))
    for _ in range(250):
        body = bytearray(seed)
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(body))
            match chance.randrange(3):
                case 0:
                    body[place] = chance.randrange(256)
                case 1:
                    del body[place : place + chance.randint(1, 10)]
                case _:
                    body[place:place] = chance.choice(
                        [b'"', b"{", b"[", b"\\", b"\xff", b"null", b"1e9", b",", b"\x00"]
                    )
            if not body:
                body += b"x"
        answer = gateway.http("POST", "/v1/chat/completions", bytes(body))
        assert answer.status == 200 or 400 <= answer.status < 500, bytes(body)
    still_well(gateway)


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/embeddings", "/key/generate", "/key/update", "/key/delete"])
@pytest.mark.parametrize("body", [b"", b"[", b"null", b"[]", b'{"model":{}}', b'{"key":7,"keys":8}', b"\xff\xfe"])
def test_other_routes_refuse_bad_bodies_too(shared: Shared, path: str, body: bytes) -> None:
    gateway, _ = shared
    answer = gateway.http("POST", path, body)
    if path == "/key/generate" and answer.status == 200:
        return  # without a body it makes a key, as LiteLLM does
    assert 400 <= answer.status < 500, answer


def test_a_hundred_megabytes_are_refused_without_being_kept(shared: Shared) -> None:
    gateway, _ = shared
    before = gateway.rss_kb()
    head = post(b"Content-Length: %d\r\n" % (100 * MEGABYTE))
    answer = gateway.raw(head, *[b"x" * MEGABYTE] * 100, timeout=10.0)
    assert statuses(answer) == [413]
    assert gateway.rss_kb() - before < 60_000
    still_well(gateway)


def test_a_hundred_megabytes_in_chunks_are_refused(shared: Shared) -> None:
    gateway, _ = shared
    chunk = b"%x\r\n%b\r\n" % (MEGABYTE, b"x" * MEGABYTE)
    answer = gateway.raw(post(b"Transfer-Encoding: chunked\r\n"), *[chunk] * 100, timeout=10.0)
    assert statuses(answer) == [413]
    still_well(gateway)


def test_a_large_body_without_a_key_is_refused_before_it_is_read(shared: Shared) -> None:
    gateway, _ = shared
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (20 * MEGABYTE)
    started = time.monotonic()
    answer = gateway.raw(head, timeout=5.0)
    assert statuses(answer) == [401]
    assert time.monotonic() - started < 4.5


@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/key/generate"])
def test_what_stands_behind_a_body_is_neither_kept_nor_believed(shared: Shared, path: bytes) -> None:
    gateway, _ = shared
    before = gateway.rss_kb()
    trailers = (b"X-Trailer: " + b"y" * 100 + b"\r\n") * 10_000
    head = post(b"Connection: close\r\n" + CHUNKED, b"2\r\n{}\r\n0\r\n", path)
    answer = gateway.raw(head, *[trailers] * 30, b"authorization: Bearer other\r\n\r\n", timeout=10.0)
    assert statuses(answer) in ([400], [200])  # without fields a key is made, as by LiteLLM
    assert gateway.rss_kb() - before < 20_000
    still_well(gateway)


@pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b"br", b"zstd", b"deflate", b"gzip, identity"])
def test_an_encoded_body_is_refused_for_what_it_is(shared: Shared, coding: bytes) -> None:
    gateway, upstream = shared
    answer = gateway.raw(post(b"Content-Encoding: %b\r\n" % coding + LENGTH, BODY), timeout=2.0)
    assert statuses(answer) == [415] and coding in answer and b"without Content-Encoding" in answer
    assert upstream.inference == []
    plain = post(b"Content-Encoding: identity\r\nConnection: close\r\n" + LENGTH, BODY)
    assert statuses(gateway.raw(plain, timeout=5.0)) == [200]


# -- framing -------------------------------------------------------------------------------------------

CHUNKS: Final = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)

SMUGGLED: Final[dict[str, bytes]] = {
    "both lengths": post(LENGTH + CHUNKED, CHUNKS),
    "both lengths, other order": post(CHUNKED + LENGTH, CHUNKS),
    "two lengths": post(LENGTH + b"Content-Length: 3\r\n", BODY),
    "a list of lengths": post(b"Content-Length: 3, %d\r\n" % len(BODY), BODY),
    "a signed length": post(b"Content-Length: +%d\r\n" % len(BODY), BODY),
    "a hexadecimal length": post(b"Content-Length: 0x10\r\n", BODY),
    "a negative length": post(b"Content-Length: -1\r\n", BODY),
    "a huge length": post(b"Content-Length: 99999999999999999999999\r\n", BODY),
    "an unknown encoding": post(b"Transfer-Encoding: xchunked\r\n", CHUNKS),
    "a coding before chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", CHUNKS),
    "chunked is not last": post(b"Transfer-Encoding: chunked, identity\r\n", CHUNKS),
    "chunked twice": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
    "a space before the colon": post(b"Transfer-Encoding : chunked\r\n", CHUNKS),
    "obs-fold": post(b"X-Folded: one\r\n two\r\n" + LENGTH, BODY),
    "a folded encoding": post(b"Transfer-Encoding:\r\n chunked\r\n", CHUNKS),
    "a NUL in a header": post(b"X-Nul: a\x00b\r\n" + LENGTH, BODY),
    "a bare CR in a header": post(b"X-Cr: a\rb\r\n" + LENGTH, BODY),
    "a chunk size that is no number": post(CHUNKED, b"zz\r\nhello\r\n0\r\n\r\n"),
    "a negative chunk size": post(CHUNKED, b"-5\r\nhello\r\n0\r\n\r\n"),
    "a huge chunk size": post(CHUNKED, b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    "a chunk that is longer than it says": post(CHUNKED, b"3\r\nhello\r\n0\r\n\r\n"),
    "no version": b"POST /v1/chat/completions\r\n\r\n",
    "a wrong version": b"POST /v1/chat/completions HTTP/9.9\r\nHost: x\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a space in the target": b"GET /v1/mod els HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_ambiguous_framing_is_refused_and_closed(shared: Shared, name: str) -> None:
    gateway, upstream = shared
    second = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
    started = time.monotonic()
    answer = gateway.raw(SMUGGLED[name] + second, timeout=4.0)
    assert time.monotonic() - started < 3.5, "the connection is closed"
    assert len(statuses(answer)) <= 1, "nothing is read after it"
    assert all(400 <= status < 500 or status in {501, 505} for status in statuses(answer)), answer[:300]
    assert upstream.inference == []
    still_well(gateway)


def test_an_offer_of_http_2_is_answered_over_http_1_1(shared: Shared) -> None:
    """What Java's client sends first on every connection."""
    gateway, _ = shared
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP\r\n"
    again = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%b\r\n" % AUTH
    first = post(offer + b"Content-Type: application/json\r\n" + LENGTH, BODY)
    answer = gateway.raw(first, again, gap_seconds=0.2, timeout=5.0)
    assert statuses(answer) == [200, 200] and b'"choices"' in answer and b'"fast"' in answer


def test_a_request_without_a_host_is_refused(shared: Shared) -> None:
    gateway, upstream = shared
    assert statuses(gateway.raw(sized(BODY).replace(b"Host: x\r\n", b""))) == [400]
    assert upstream.inference == []


def test_bare_line_feeds_do_not_hide_a_request(shared: Shared) -> None:
    gateway, upstream = shared
    answer = gateway.raw(b"POST /v1/chat/completions HTTP/1.1\nHost: x\n" + AUTH + LENGTH + b"\n" + BODY, timeout=2.0)
    assert all(status == 200 or 400 <= status < 500 for status in statuses(answer))
    assert len(upstream.inference) <= 1


def test_a_good_chunked_request_is_served(shared: Shared) -> None:
    gateway, upstream = shared
    pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"
    answer = gateway.raw(post(CHUNKED + b"Connection: close\r\n", pieces))
    assert statuses(answer) == [200]
    assert upstream.inference[0].json()["messages"] == GOOD["messages"]


def test_pipelined_requests_are_answered_in_order_or_refused(shared: Shared) -> None:
    gateway, _ = shared
    one = post(b"Content-Type: application/json\r\n" + LENGTH, BODY)
    last = sized(msgspec.json.encode({**GOOD, "model": "unknown-model"}))
    answer = gateway.raw(one + one + last, timeout=5.0)
    found = statuses(answer)
    assert found[0] == 200
    assert found in ([200, 200, 400], [200], [200, 400], [200, 200])
    still_well(gateway)


def test_expect_continue_is_answered(shared: Shared) -> None:
    gateway, _ = shared
    head = post(b"Expect: 100-continue\r\nContent-Type: application/json\r\nConnection: close\r\n" + LENGTH)
    answer = gateway.raw(head, BODY, gap_seconds=0.1)
    assert statuses(answer)[-1] == 200


def test_a_flood_of_headers_is_refused(shared: Shared) -> None:
    gateway, _ = shared
    many = b"".join(b"X-Header-%d: value\r\n" % number for number in range(5_000))
    assert statuses(gateway.raw(post(many + LENGTH, BODY), timeout=4.0)) in ([400], [413], [431])
    long = b"X-Long: " + b"v" * (2 * MEGABYTE) + b"\r\n"
    assert statuses(gateway.raw(post(long + LENGTH, BODY), timeout=4.0)) in ([400], [413], [431])
    target = b"GET /v1/models?" + b"q" * (2 * MEGABYTE) + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert statuses(gateway.raw(target, timeout=4.0)) in ([400], [413], [414], [431])
    still_well(gateway)


def test_half_closed_and_abandoned_requests_leave_nothing(shared: Shared) -> None:
    gateway, _ = shared
    for cut in range(1, len(sized(BODY)), 37):
        gateway.raw(sized(BODY)[:cut], half_close=True, timeout=2.0)
    still_well(gateway)


def test_a_half_closed_sender_still_gets_no_500(shared: Shared) -> None:
    gateway, _ = shared
    assert statuses(gateway.raw(sized(BODY), half_close=True)) in ([200], [])


def test_a_slow_loris_is_shaken_off(launch: Launch, upstream: FakeOpenAI) -> None:
    """Fifty senders that never finish hold up nobody, and are gone within the time a head may take (20 s)."""
    gateway = launch({"model_list": [openai_entry("fast", upstream)]})
    lorises = [socket.create_connection(("127.0.0.1", gateway.port), timeout=30.0) for _ in range(50)]
    try:
        for loris in lorises:
            loris.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        started = time.monotonic()
        still_well(gateway)
        assert time.monotonic() - started < 1.0
        deadline = started + 24.0
        for loris in lorises:
            loris.settimeout(max(0.1, deadline - time.monotonic()))
            while loris.recv(4096):
                pass
    finally:
        for loris in lorises:
            loris.close()


# -- keys ----------------------------------------------------------------------------------------------


def test_dead_keys_are_refused(shared: Shared) -> None:
    gateway, upstream = shared
    blocked = gateway.new_key()
    assert gateway.http("POST", "/key/block", {"key": blocked}).status == 200
    expired = gateway.new_key(duration="1s")
    deleted = gateway.new_key()
    assert gateway.http("POST", "/key/delete", {"keys": [deleted]}).status == 200
    time.sleep(1.2)  # the key's whole lifetime has to pass
    assert gateway.chat("fast", key=blocked).status in {401, 403}
    assert gateway.chat("fast", key=expired).status == 401
    assert gateway.chat("fast", key=deleted).status == 401
    assert upstream.inference == []


@pytest.mark.parametrize(
    "header",
    [
        b"Authorization: \xff\xfe\r\n",
        b"Authorization: Bearer\r\n",
        b"Authorization: Bearer \r\n",
        b"Authorization:\r\n",
        b"Authorization: Basic c2s6c2s=\r\n",
        b"Authorization: Bearer ' OR 1=1 --\r\n",
    ],
)
def test_odd_key_headers_are_a_401(shared: Shared, header: bytes) -> None:
    gateway, _ = shared
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header + LENGTH + b"\r\n" + BODY
    )
    assert statuses(gateway.raw(request)) in ([401], [400])


# -- upstreams -----------------------------------------------------------------------------------------

FAULTS: Final = [
    faults.reset_before_head(),
    faults.reset_in_body({"a": 1}),
    faults.reset_in_stream(chat_chunks(["a"], None)[:2]),
    faults.stall_in_stream(chat_chunks(["a"], None)[:2]),
    faults.garbage(),
    faults.half_event(chat_chunks(["a"], None)[:2]),
    faults.bad_chunk_size(),
    faults.endless_line(10),
    faults.wrong_length({"a": 1}, 5),
    faults.wrong_length({"a": 1}, -3),
    Reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    Reply.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 13\r\n\r\ndata: [1,2]\n\n"),
    Reply.raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
    Reply.raw(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"),
    Reply.raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    Reply.raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n"),
    Reply.json([1, 2, 3]),
    Reply.json({"error": "just a string"}, 500),
    Reply.json({"error": {"message": None, "code": 7}}, 418),
    Reply.stream([b"{not json", b"[]", b"null", b'"text"', b'{"choices":7}'], done=False),
    Reply.stream([b"[DONE]", b"[DONE]"]),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reply", FAULTS, ids=lambda reply: f"{FAULTS.index(reply)} {reply.label}")
def test_a_broken_upstream_is_an_error_not_a_hang(shared: Shared, reply: Reply, stream: bool) -> None:
    gateway, upstream = shared
    upstream.always(reply)
    started = time.monotonic()
    body: dict[str, Any] = {**GOOD, "stream": stream}
    answer = gateway.raw(sized(msgspec.json.encode(body)), timeout=12.0)
    assert time.monotonic() - started < 10.0
    found = statuses(answer)
    assert len(found) == 1
    assert found[0] == 200 or 400 <= found[0] < 600
    if found[0] == 500:
        assert b"made a mistake" not in answer
    assert b"Traceback" not in answer
    upstream.always(None)
    still_well(gateway)


@pytest.mark.parametrize("said", [b'{"id":"c","choices":[]}', b"<html>no</html>", b"\x1f\x8b\x08\x00 squeezed"])
def test_an_upstream_that_does_not_stream_is_told_so(shared: Shared, said: bytes) -> None:
    gateway, upstream = shared
    upstream.always(Reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said)))
    answer = gateway.chat("fast", stream=True)
    assert answer.status == 502 and "was asked for a stream and sent something else" in answer.error["message"]


def test_a_stale_connection_is_replaced_without_the_client_noticing(shared: Shared) -> None:
    gateway, upstream = shared
    upstream.always(faults.closes_idle_at_once(Reply.json(chat_reply("ok", usage(1, 1)))))
    assert [gateway.chat("fast").status for _ in range(40)] == [200] * 40


def test_split_and_slow_upstreams_are_understood(shared: Shared) -> None:
    gateway, upstream = shared
    good = Reply.json(chat_reply("ok", usage(1, 1)))
    upstream.script(good.split(1), faults.continue_first(good), faults.slow_head(chat_reply("ok", usage(1, 1)), 0.02))
    for _ in range(3):
        assert gateway.chat("fast").json()["choices"][0]["message"]["content"] == "ok"
    upstream.script(Reply.stream(chat_chunks(["é", "漢", "😀"], None)).split(1))
    sdk = gateway.openai()
    chunks = sdk.chat.completions.create(model="fast", messages=[{"role": "user", "content": "x"}], stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "é漢😀"
