"""The fake OpenAI server is a judge in other tests, so it is examined itself: by plain HTTP clients and raw sockets."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator

import msgspec
import openai
import pytest

from tests.upstreams import Blackhole, FakeOpenAI, Gate, RecordedRequest, Reply, faults
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, usage
from tests.upstreams.reply import Close

CHAT = {"model": "fake-model", "messages": [{"role": "user", "content": "one two three"}]}


@pytest.fixture
def upstream() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        yield server


def post(upstream: FakeOpenAI, body: object = CHAT, timeout: float = 5.0) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=timeout)
    try:
        connection.request("POST", "/v1/chat/completions", msgspec.json.encode(body))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def raw(upstream: FakeOpenAI, body: object = CHAT) -> socket.socket:
    data = msgspec.json.encode(body)
    sock = socket.create_connection(("127.0.0.1", upstream.port), timeout=5.0)
    sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data))
    return sock


def read_all(sock: socket.socket) -> bytes:
    parts = []
    with sock:
        while data := sock.recv(65_536):
            parts.append(data)
    return b"".join(parts)


def client(upstream: FakeOpenAI) -> openai.OpenAI:
    return openai.OpenAI(base_url=upstream.base_url, api_key="sk-up", max_retries=0, timeout=5.0)


def test_the_official_sdk_understands_every_default_answer(upstream: FakeOpenAI) -> None:
    with client(upstream) as sdk:
        chat = sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "a b c"}])
        assert chat.choices[0].message.content == "Hello from the fake upstream."
        assert chat.usage is not None
        assert (chat.usage.prompt_tokens, chat.usage.completion_tokens) == (3, 5)
        legacy = sdk.completions.create(model="m", prompt="a b")
        assert legacy.choices[0].text == "Hello from the fake upstream."
        assert len(sdk.embeddings.create(model="m", input=["x", "yy"]).data) == 2
        assert [model.id for model in sdk.models.list()] == ["fake-model"]


@pytest.mark.parametrize("include_usage", [True, False])
def test_usage_is_streamed_only_to_those_who_ask(upstream: FakeOpenAI, include_usage: bool) -> None:
    with client(upstream) as sdk:
        chunks = list(
            sdk.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "a b c"}],
                stream=True,
                stream_options={"include_usage": include_usage},
            )
        )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Hello from the fake upstream."
    assert (chunks[-1].usage is not None) is include_usage


def test_scripted_replies_come_in_order_and_then_the_standing_one(upstream: FakeOpenAI) -> None:
    upstream.script(Reply.error(429, retry_after="7"), Reply.error(529))
    upstream.always(Reply.error(401))
    assert [post(upstream)[0] for _ in range(4)] == [429, 529, 401, 401]
    upstream.always(None)
    assert post(upstream)[0] == 200


def test_requests_are_remembered_with_headers_body_and_connection(upstream: FakeOpenAI) -> None:
    post(upstream)
    post(upstream)
    first, second = upstream.wait_for(2, "/v1/chat/completions")
    assert first.json() == CHAT
    assert first.header("HOST") == f"127.0.0.1:{upstream.port}"
    assert (first.connection_id, second.connection_id) == (1, 2)
    assert upstream.connections_opened == 2
    assert first.wait_finished(1.0) >= first.received_at


def test_a_peer_that_leaves_early_is_noticed_at_once(upstream: FakeOpenAI) -> None:
    upstream.script(faults.stall_before_head())
    sock = raw(upstream)
    request = upstream.wait_for(1)[0]
    moment = time.monotonic()
    sock.close()
    assert 0 <= request.wait_closed(2.0) - moment < 0.5
    assert request.aborted


def test_a_request_whose_peer_stays_is_not_called_closed(upstream: FakeOpenAI) -> None:
    upstream.script(faults.stall_before_head())
    with raw(upstream):
        request = upstream.wait_for(1)[0]
        with pytest.raises(AssertionError, match="was not closed"):
            request.wait_closed(0.05)


def test_a_gate_holds_an_answer_back_until_it_is_opened(upstream: FakeOpenAI) -> None:
    gate = Gate()
    upstream.script(Reply.json({"free": True}).behind(gate))
    with raw(upstream) as sock:
        upstream.wait_for(1)
        sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        gate.open()
        sock.settimeout(5.0)
        assert sock.recv(65_536).endswith(b'{"free":true}')


def test_a_stalled_stream_says_what_it_has_and_stays_open(upstream: FakeOpenAI) -> None:
    upstream.script(faults.stall_in_stream(chat_chunks(["A"], None)[:2]))
    with raw(upstream) as sock:
        seen = b""
        while b'"A"' not in seen:
            seen += sock.recv(65_536)
        sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sock.recv(1)


@pytest.mark.parametrize(
    "reply",
    [faults.reset_before_head(), faults.reset_in_body({}), faults.reset_in_stream(chat_chunks(["A"], None)[:2])],
    ids=lambda reply: reply.label,
)
def test_resets_are_resets(upstream: FakeOpenAI, reply: Reply) -> None:
    upstream.script(reply)
    with pytest.raises(ConnectionResetError):
        read_all(raw(upstream))
    assert not upstream.requests[0].aborted


@pytest.mark.parametrize(
    ("reply", "mark"),
    [
        (faults.garbage(), b"220 smtp"),
        (faults.half_event([]), b'"choi\r\n0\r\n\r\n'),
        (faults.bad_chunk_size(), b"\r\nzz\r\n"),
        (faults.wrong_length({"a": 1}, 5), b"Content-Length: 12\r\n"),
        (faults.wrong_length({"a": 1}, -2), b"Content-Length: 5\r\n"),
        (Reply.stream([], done=False).then(Close()), b"\r\n\r\n0\r\n\r\n"),
    ],
    ids=lambda value: value.label if isinstance(value, Reply) else "",
)
def test_broken_answers_are_broken_exactly_so(upstream: FakeOpenAI, reply: Reply, mark: bytes) -> None:
    upstream.script(reply)
    assert mark in read_all(raw(upstream))


def test_an_endless_line_is_ten_megabytes_long(upstream: FakeOpenAI) -> None:
    upstream.script(faults.endless_line(10))
    data = read_all(raw(upstream))
    assert data.count(b"x") >= 10 * 1024 * 1024
    assert b"\n\n" not in data.partition(b"\r\n\r\n")[2]


def test_an_idle_connection_can_close_without_a_warning(upstream: FakeOpenAI) -> None:
    upstream.script(faults.closes_idle_at_once(Reply.json({})))
    answer = read_all(raw(upstream)).lower()
    assert b"connection: close" not in answer
    assert answer.endswith(b"{}")


def test_split_answers_and_interim_answers_and_slow_heads_still_parse(upstream: FakeOpenAI) -> None:
    body = chat_reply("hi", usage(1, 1))
    upstream.script(
        Reply.stream(chat_chunks(["a", "b"], None)).split(1),
        faults.continue_first(Reply.json(body)),
        faults.slow_head(body, 0.01),
    )
    status, data = post(upstream)
    assert status == 200
    assert data.endswith(b"data: [DONE]\n\n")
    assert b"100 Continue" in (whole := _until(raw(upstream), b'"fp_fake"}'))
    assert b"103 Early Hints" in whole
    assert post(upstream) == (200, msgspec.json.encode(body))


def _until(sock: socket.socket, mark: bytes) -> bytes:
    data = b""
    with sock:
        while not data.endswith(mark):
            data += sock.recv(65_536)
    return data


def test_expect_continue_is_answered_and_chunked_requests_are_read(upstream: FakeOpenAI) -> None:
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=5.0) as sock:
        start = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        sock.sendall(start + b"Transfer-Encoding: chunked\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        data = msgspec.json.encode(CHAT)
        sock.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))
        assert sock.recv(100).startswith(b"HTTP/1.1 200 OK")
    assert upstream.requests[0].json() == CHAT


def test_what_is_not_http_is_complained_about(upstream: FakeOpenAI) -> None:
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=5.0) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert sock.recv(1) == b""
    assert upstream.problems == ["both Transfer-Encoding and Content-Length"]
    assert upstream.requests == []


def test_a_wrong_key_is_refused_where_one_is_wanted(upstream: FakeOpenAI) -> None:
    upstream.key = "sk-other"
    with client(upstream) as sdk, pytest.raises(openai.AuthenticationError):
        sdk.models.list()


def test_a_server_that_vanishes_refuses_connections_until_it_comes_back(upstream: FakeOpenAI) -> None:
    assert post(upstream)[0] == 200
    upstream.vanish()
    with pytest.raises(ConnectionRefusedError):
        post(upstream)
    upstream.come_back()
    assert post(upstream)[0] == 200


def test_a_blackhole_neither_accepts_nor_refuses() -> None:
    with Blackhole() as hole, pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", hole.port), timeout=0.3)


def test_a_request_knows_how_to_describe_itself() -> None:
    request = RecordedRequest("POST", "/v1/models?x=1", [("a", "b")], b"{}", 3)
    assert request.path == "/v1/models"
    assert "connection 3" in repr(request)
    with pytest.raises(AssertionError, match="not answered in full"):
        request.wait_finished(0.0)
