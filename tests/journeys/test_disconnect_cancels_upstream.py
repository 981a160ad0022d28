"""A client that leaves takes its upstream request with it within half a second, and leaves its slot free."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.support.waiting import eventually
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel, RecordedRequest, Turn, faults
from tests.upstreams.openai_shapes import chat_chunks

WITHIN_SECONDS = 0.5
MESSAGES = [{"role": "user", "content": "one two three"}]
FORMS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"model": "fast", "messages": MESSAGES}),
    ("/v1/chat/completions", {"model": "fast", "messages": MESSAGES, "stream": True}),
    ("/v1/completions", {"model": "fast", "prompt": "one two"}),
    ("/v1/completions", {"model": "fast", "prompt": "one two", "stream": True}),
    ("/v1/embeddings", {"model": "fast", "input": "one two"}),
    ("/engines/fast/chat/completions", {"messages": MESSAGES, "stream": True}),
]
IDS = [f"{path}{' streamed' if body.get('stream') else ''}" for path, body in FORMS]


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Gateway, FakeOpenAI, FakeOllama]]:
    with FakeOpenAI() as upstream, FakeOllama([OllamaModel("llama3.1:8b")]) as ollama:
        entries = [openai_entry("fast", upstream), ollama_entry("local", ollama, "llama3.1:8b")]
        with Gateway.start({"model_list": entries}) as gateway:
            yield gateway, upstream, ollama


def leave_after(gateway: Gateway, path: str, body: dict[str, Any], key: str, request: Any) -> tuple[float, Any]:
    """Send, wait until the upstream has it, leave; gives the moment of leaving and the upstream's request."""
    stream = gateway.stream(path, body, key=key)
    taken: RecordedRequest = request()
    moment = time.monotonic()
    stream.leave()
    return moment, taken


@pytest.mark.parametrize(("path", "body"), FORMS, ids=IDS)
def test_leaving_before_the_first_byte_closes_the_upstream(
    house: tuple[Gateway, FakeOpenAI, FakeOllama], path: str, body: dict[str, Any]
) -> None:
    gateway, upstream, _ = house
    key = gateway.new_key(max_parallel_requests=1)
    upstream.forget()
    upstream.script(faults.stall_before_head())
    moment, taken = leave_after(gateway, path, body, key, lambda: upstream.wait_for(1)[0])
    assert taken.wait_closed(2.0) - moment < WITHIN_SECONDS
    assert taken.aborted
    eventually(lambda: gateway.chat("fast", key=key).status == 200, "the slot is free again", 2.0)


def test_leaving_in_the_middle_of_a_stream_closes_the_upstream(
    house: tuple[Gateway, FakeOpenAI, FakeOllama],
) -> None:
    gateway, upstream, _ = house
    key = gateway.new_key(max_parallel_requests=1)
    upstream.forget()
    upstream.script(faults.stall_in_stream(chat_chunks(["A", "B"], None)[:2]))
    stream = gateway.stream("/v1/chat/completions", {"model": "fast", "messages": MESSAGES, "stream": True}, key=key)
    while b'"A"' not in stream.next_data():
        pass
    moment = time.monotonic()
    stream.leave()
    assert upstream.requests[0].wait_closed(2.0) - moment < WITHIN_SECONDS
    eventually(lambda: gateway.chat("fast", key=key).status == 200, "the slot is free again", 2.0)


@pytest.mark.parametrize("streamed", [False, True])
def test_leaving_stops_ollama_too(house: tuple[Gateway, FakeOpenAI, FakeOllama], streamed: bool) -> None:
    gateway, _, ollama = house
    key = gateway.new_key(max_parallel_requests=1)
    ollama.forget()
    ollama.script(faults.stall_before_head())
    body = {"model": "local", "messages": MESSAGES, "stream": streamed}
    moment, taken = leave_after(gateway, "/v1/chat/completions", body, key, lambda: ollama.wait_for(1, "/api/chat")[0])
    assert taken.wait_closed(2.0) - moment < WITHIN_SECONDS
    eventually(lambda: gateway.chat("local", key=key).status == 200, "the slot is free again", 2.0)


def test_leaving_a_talking_ollama_stops_it(house: tuple[Gateway, FakeOpenAI, FakeOllama]) -> None:
    gateway, _, ollama = house
    ollama.forget()
    ollama.says(Turn(pieces=("word ",) * 500, gap_seconds=0.02))
    stream = gateway.stream("/v1/chat/completions", {"model": "local", "messages": MESSAGES, "stream": True})
    while b"word" not in stream.next_data():
        pass
    moment = time.monotonic()
    stream.leave()
    assert ollama.wait_for(1, "/api/chat")[0].wait_closed(2.0) - moment < WITHIN_SECONDS


def test_a_hundred_departures_leave_nothing_behind(house: tuple[Gateway, FakeOpenAI, FakeOllama]) -> None:
    gateway, upstream, _ = house
    key = gateway.new_key(max_parallel_requests=4)
    upstream.forget()
    upstream.script(*[faults.stall_in_stream(chat_chunks(["A"], None)[:2])] * 100)
    body = {"model": "fast", "messages": MESSAGES, "stream": True}
    for count in range(100):
        stream = gateway.stream("/v1/chat/completions", body, key=key)
        upstream.wait_for(count + 1)
        stream.leave()
        upstream.requests[count].wait_closed(2.0)
    assert gateway.chat("fast", key=key).status == 200
    rows = gateway.settled_ledger(101, key)
    assert len(rows) == 101
    assert sum(row["status"] == "success" for row in rows) == 1
