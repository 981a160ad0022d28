"""SIGTERM lets open answers finish, within a bound; nothing new is taken, nothing is lost."""

from __future__ import annotations

import contextlib
import socket
import time

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, Gate, Reply, faults
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, usage

BODY = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
GRACE_SECONDS = 2.0


def start(launch: Launch, upstream: FakeOpenAI, grace: float = 30.0) -> Gateway:
    config = {
        "model_list": [openai_entry("fast", upstream)],
        "pointsman": {"shutdown_grace_seconds": grace},
    }
    return launch(config)


def test_open_answers_finish_and_are_in_the_ledger(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = start(launch, upstream)
    key = gateway.new_key()
    gate = Gate()
    upstream.script(
        Reply.stream(chat_chunks(["late ", "words"], usage(3, 2))).behind(gate),
        Reply.json(chat_reply("late answer", usage(3, 2))).behind(gate),
    )
    with (
        gateway.stream("/v1/chat/completions", {**BODY, "stream": True}, key=key) as streamed,
        gateway.stream("/v1/chat/completions", BODY, key=key) as whole,
    ):
        upstream.wait_for(2)
        gateway.terminate()
        eventually(lambda: refused(gateway), "new connections are turned away")
        assert gateway.running
        gate.open()
        answers = [b"".join(line for _, line in each.lines()) for each in (streamed, whole)]
    assert any(b"[DONE]" in answer for answer in answers)
    assert any(b"late answer" in answer for answer in answers)
    assert gateway.wait() == 0
    gateway.launch()
    rows = gateway.settled_ledger(2, key)
    assert [row["status"] for row in rows] == ["success", "success"]


def refused(gateway: Gateway) -> bool:
    try:
        return gateway.http("GET", "/health/readiness", timeout=1.0).status == 503
    except OSError:
        return True


def test_while_open_answers_finish_nobody_is_to_send_more(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = start(launch, upstream)
    gate = Gate()
    upstream.script(Reply.stream(chat_chunks(["late ", "words"], usage(3, 2))).behind(gate))
    assert gateway.http("GET", "/health/readiness", key="").status == 200
    with gateway.stream("/v1/chat/completions", {**BODY, "stream": True}) as stream:
        upstream.wait_for(1)
        gateway.terminate()
        eventually(lambda: gateway.http("GET", "/health/readiness", key="").status == 503, "it says not to send more")
        assert gateway.http("GET", "/health/readiness", key="").json()["status"] == "shutting_down"
        assert gateway.http("GET", "/health/liveliness", key="").status == 200
        assert gateway.http("GET", "/health/backlog").json()["in_flight_requests"] == 1
        assert gateway.metric("litellm_in_flight_requests") == 1
        for turned_away in (gateway.chat("fast"), gateway.http("POST", "/key/generate", {})):
            assert turned_away.status == 503
            assert turned_away.error["code"] == "shutting_down"
            assert turned_away.headers["retry-after"] == "1"
        gate.open()
        assert list(stream.data())[-1] == b"[DONE]"
    assert gateway.wait() == 0
    assert len(upstream.requests) == 1


def test_who_has_just_connected_is_told_too(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = start(launch, upstream)
    gate = Gate()
    upstream.script(Reply.stream(chat_chunks(["late ", "words"], usage(3, 2))).behind(gate))
    question = b"GET /health/readiness HTTP/1.1\r\nHost: x\r\n\r\n"
    asked = {"begun": question[:20], "nothing yet": b"", "kept alive": question}
    with contextlib.ExitStack() as stack:
        at = {name: stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), 5)) for name in asked}
        for name, connection in at.items():
            connection.sendall(asked[name])
        answer = b""
        while not answer.endswith(b"}"):
            answer += at["kept alive"].recv(4096)
        assert answer.startswith(b"HTTP/1.1 200")
        with gateway.stream("/v1/chat/completions", {**BODY, "stream": True}) as stream:
            upstream.wait_for(1)
            gateway.terminate()
            eventually(lambda: gateway.http("GET", "/health/readiness", key="").status == 503, "it turns others away")
            assert at["kept alive"].recv(4096) == b""
            for name in ("begun", "nothing yet"):
                at[name].sendall(question.removeprefix(asked[name]))
                assert at[name].recv(4096).startswith(b"HTTP/1.1 503"), name
            gate.open()
            assert list(stream.data())[-1] == b"[DONE]"
        assert gateway.wait() == 0


def test_who_connects_and_says_nothing_does_not_hold_it_up(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = start(launch, upstream)
    with socket.create_connection(("127.0.0.1", gateway.port), 5) as silent:
        silent.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        assert gateway.chat("fast").status == 200
        started = time.monotonic()
        assert gateway.stop() == 0
        assert time.monotonic() - started < 3.0


def test_who_keeps_asking_does_not_hold_it_up(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = start(launch, upstream)
    gate = Gate()
    upstream.script(Reply.json(chat_reply("late", usage(3, 2))).behind(gate))
    with gateway.stream("/v1/chat/completions", BODY) as whole:
        upstream.wait_for(1)
        gateway.terminate()
        eventually(lambda: refused(gateway), "it says not to send more")
        with socket.create_connection(("127.0.0.1", gateway.port)) as prober:
            prober.sendall(b"GET /health/readiness HTTP/1.1\r\nHost: x\r\n\r\nGET /hea")
            assert prober.recv(4096).startswith(b"HTTP/1.1 503")
            started = time.monotonic()
            gate.open()
            assert b"late" in b"".join(line for _, line in whole.lines())
            assert gateway.wait() == 0
    assert time.monotonic() - started < 3.0


def test_an_idle_gateway_ends_at_once(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = start(launch, upstream)
    assert gateway.chat("fast").status == 200
    started = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - started < 3.0


def test_idle_keep_alive_connections_do_not_hold_it_up(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = start(launch, upstream)
    sdk = gateway.openai()
    sdk.chat.completions.create(model="fast", messages=[{"role": "user", "content": "hi"}])
    started = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - started < 3.0


def test_an_answer_that_never_ends_is_cut_after_the_grace(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = start(launch, upstream, GRACE_SECONDS)
    key = gateway.new_key()
    upstream.script(faults.stall_in_stream(chat_chunks(["a"], None)[:2]))
    with gateway.stream("/v1/chat/completions", {**BODY, "stream": True}, key=key) as stream:
        while b'"a"' not in stream.next_data():
            pass
        started = time.monotonic()
        gateway.terminate()
        gateway.wait()
        assert GRACE_SECONDS * 0.5 < time.monotonic() - started < GRACE_SECONDS + 4.0
    assert upstream.requests[0].wait_closed(2.0)
    gateway.launch()
    assert gateway.settled_ledger(1, key)[0]["status"] != "success"


def test_a_client_that_closed_its_half_does_not_keep_the_gateway_alive(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = start(launch, upstream)
    gateway.raw(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n", half_close=True, timeout=1.0)
    started = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - started < 3.0
