"""Memory does not grow with the number of requests, finished, failed or abandoned."""

from __future__ import annotations

import http.client
from typing import Final

import msgspec

from tests.support.configs import openai_entry
from tests.support.gateway import MASTER_KEY, Gateway, Launch
from tests.upstreams import FakeOpenAI, Gate, Reply
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, usage

ROUND: Final = 500
GROWTH_KILOBYTES_MAX: Final = 2_000


def requests(gateway: Gateway, count: int) -> None:
    """A third streamed, every tenth refused, every twentieth abandoned."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10.0)
    headers = {"Authorization": f"Bearer {MASTER_KEY}", "Content-Type": "application/json"}
    for number in range(count):
        model = "nobody-serves-this" if number % 10 == 7 else "fast"
        text = f"number {number} " + "pad " * (number % 50)
        body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": number % 3 == 0}
        connection.request("POST", "/v1/chat/completions", msgspec.json.encode(body), headers)
        if number % 20 == 3:
            connection.close()
            continue
        connection.getresponse().read()
    connection.close()


def test_memory_is_flat_after_the_warm_up(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream)]}, fresh=True)
    requests(gateway, ROUND)
    before = gateway.rss_kb()
    requests(gateway, 2 * ROUND)
    assert gateway.rss_kb() - before < GROWTH_KILOBYTES_MAX
    assert upstream.connections_opened < ROUND, "connections to the upstream are used again"


def test_an_open_stream_is_cheap(launch: Launch, upstream: FakeOpenAI) -> None:

    gate = Gate()
    body = {"model": "fast", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    gateway = launch({"model_list": [openai_entry("fast", upstream)]}, fresh=True)
    upstream.always(Reply.stream(chat_chunks(["a"], None)).behind(gate))
    warm = [gateway.stream("/v1/chat/completions", body) for _ in range(50)]
    upstream.wait_for(50, timeout=10.0)
    before = gateway.rss_kb()
    streams = [gateway.stream("/v1/chat/completions", body) for _ in range(200)]
    upstream.wait_for(250, timeout=10.0)
    # The house's aim is 20 KB per stream; two hundred are too few to see it sharply.
    assert gateway.rss_kb() - before < 200 * 40
    gate.open()
    for stream in (*warm, *streams):
        assert list(stream.data())[-1] == b"[DONE]"
        stream.leave()


def test_a_large_answer_is_given_back(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream)]}, fresh=True)
    upstream.always(Reply.json(chat_reply("x" * 4_000_000, usage(1, 1))))
    for _ in range(3):
        assert len(gateway.chat("fast").body) > 4_000_000
    before = gateway.rss_kb()
    for _ in range(15):
        assert gateway.chat("fast").status == 200
    assert gateway.rss_kb() - before < 20_000
