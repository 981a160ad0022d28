"""Loading is a state: every client is kept company while it lasts, and it may go on without the one that caused it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import ollama
import pytest

from tests.support.configs import ollama_entry
from tests.support.gateway import MASTER_KEY, Gateway
from tests.support.waiting import eventually
from tests.upstreams import FakeOllama, OllamaModel, Turn
from tests.upstreams.gate import Gate

MESSAGES = [{"role": "user", "content": "hi"}]
CONTENTS = [{"role": "user", "parts": [{"text": "hi"}]}]
FORMS: dict[str, tuple[str, dict[str, Any], bytes]] = {
    "openai": ("/v1/chat/completions", {"model": "big", "messages": MESSAGES, "stream": True}, b": keepalive"),
    "responses": ("/v1/responses", {"model": "big", "input": "hi", "stream": True}, b": keepalive"),
    "anthropic": (
        "/v1/messages",
        {"model": "big", "max_tokens": 9, "messages": MESSAGES, "stream": True},
        b"event: ping",
    ),
    "gemini": ("/v1beta/models/big:streamGenerateContent?alt=sse", {"contents": CONTENTS}, b""),
}


@pytest.fixture
def house(request: pytest.FixtureRequest) -> Iterator[tuple[Gateway, FakeOllama, OllamaModel]]:
    with FakeOllama([OllamaModel("big:8b", load_gate=Gate())]) as upstream:
        config = {
            "model_list": [ollama_entry("big", upstream, "big:8b")],
            "litellm_settings": {"sse_keepalive_ping_interval_seconds": 0.3},
            "pointsman": {"on_disconnect": getattr(request, "param", "finish_load")},
        }
        with Gateway.start(config) as gateway:
            yield gateway, upstream, upstream.models["big:8b"]


def opened(model: OllamaModel) -> None:
    """Let the load come to its end."""
    assert model.load_gate is not None
    model.load_gate.open()


@pytest.mark.parametrize("form", FORMS)
def test_a_streaming_client_of_any_dialect_is_kept_company(
    house: tuple[Gateway, FakeOllama, OllamaModel], form: str
) -> None:
    gateway, _, model = house
    path, body, sign = FORMS[form]
    with gateway.stream(path, body) as stream:
        assert stream.status == 200
        lines = (line for _, line in stream.lines())
        first = next(lines)
        assert model.loads == 0
        assert first == sign
        opened(model)
        rest = list(lines)
    assert any(line.startswith(b"data: ") for line in rest)
    assert not any(b'"error":{' in line for line in rest)


def test_a_client_of_ollama_reads_white_space_before_its_first_line(
    house: tuple[Gateway, FakeOllama, OllamaModel],
) -> None:
    gateway, _, model = house
    with gateway.stream("/api/chat", {"model": "big", "messages": MESSAGES}) as stream:
        assert stream.status == 200
        assert model.loads == 0
        opened(model)
        lines = [line for _, line in stream.lines()]
    assert lines[0].startswith(b" ") and not any(not line.strip() for line in lines)
    assert json.loads(lines[0])["message"]["role"] == "assistant"


def test_ollamas_own_library_does(house: tuple[Gateway, FakeOllama, OllamaModel]) -> None:
    gateway, _, model = house
    client = ollama.Client(gateway.url, headers={"Authorization": f"Bearer {MASTER_KEY}"})
    begun = threading.Timer(1.0, opened, [model])
    begun.start()
    try:
        parts = list(client.chat("big", messages=MESSAGES, stream=True))
    finally:
        begun.cancel()
        client._client.close()
    assert parts[-1].done
    assert model.loads == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_load_goes_on_without_the_client_that_caused_it(
    house: tuple[Gateway, FakeOllama, OllamaModel], stream: bool
) -> None:
    gateway, upstream, model = house
    upstream.says(Turn(pieces=("one", "two"), gap_seconds=60.0))
    leaving = gateway.stream("/v1/chat/completions", {"model": "big", "messages": MESSAGES, "stream": stream})
    (request,) = upstream.wait_for(1, "/api/chat")
    eventually(lambda: model.loads_begun == 1, "the load has begun", 5.0)
    leaving.leave()
    eventually(lambda: len(upstream.matching("/api/generate")) == 1, "the load is asked for", 5.0)
    assert not request.aborted
    opened(model)
    eventually(lambda: model.loads == 1, "the load is done", 5.0)
    eventually(lambda: request.aborted, "nothing is generated for nobody", 5.0)
    # Somebody with more patience finds it loaded.
    assert gateway.chat("big").status == 200
    assert (model.loads, model.loads_begun) == (1, 1)
    rows = gateway.settled_ledger(2)
    assert sorted(row["metadata"]["status"] for row in rows) == ["cancelled", "success"]


@pytest.mark.parametrize("house", ["cancel"], indirect=True)
def test_a_load_is_broken_off_with_its_client_where_the_operator_wants_that(
    house: tuple[Gateway, FakeOllama, OllamaModel],
) -> None:
    gateway, upstream, model = house
    leaving = gateway.stream("/v1/chat/completions", {"model": "big", "messages": MESSAGES})
    (request,) = upstream.wait_for(1, "/api/chat")
    eventually(lambda: model.loads_begun == 1, "the load has begun", 5.0)
    leaving.leave()
    request.wait_closed(2.0)
    assert request.aborted
    opened(model)
    assert gateway.chat("big").status == 200
    assert (model.loads, model.loads_begun) == (1, 2)
    assert upstream.matching("/api/generate") == []
