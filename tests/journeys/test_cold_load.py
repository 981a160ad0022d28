"""A model that has to be loaded first is no failure; a host that is not there is one, and soon."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.upstreams import Blackhole, FakeOllama, OllamaModel, Turn

LOAD_SECONDS = 2.5
IDLE_SECONDS = 1.0


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Gateway, FakeOllama]]:
    with FakeOllama([OllamaModel("slow")]) as upstream, Blackhole() as hole:
        config = {
            "model_list": [
                ollama_entry("slow", upstream, "slow"),
                openai_entry("swallowed", f"{hole.url}/v1"),
                ollama_entry("swallowed-ollama", hole.url, "slow"),
            ],
            "litellm_settings": {"sse_keepalive_ping_interval_seconds": 1, "num_retries": 0},
            "pointsman": {
                "upstream_connect_timeout_seconds": 1,
                "upstream_load_timeout_seconds": 20,
                "upstream_idle_timeout_seconds": IDLE_SECONDS,
            },
        }
        with Gateway.start(config) as gateway:
            yield gateway, upstream


def cool(upstream: FakeOllama) -> None:
    model = upstream.models["slow:latest"]
    model.loaded_context = None
    model.load_seconds = LOAD_SECONDS


def test_an_unstreamed_answer_waits_for_the_load(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    cool(upstream)
    started = time.monotonic()
    answer = gateway.chat("slow")
    assert answer.status == 200
    assert time.monotonic() - started >= LOAD_SECONDS


def test_a_streaming_client_is_kept_warm_while_the_model_loads(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    cool(upstream)
    body = {"model": "slow", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with gateway.stream("/v1/chat/completions", body) as stream:
        lines = [line for _, line in stream.lines() if line]
        assert stream.status == 200
    comments = [line for line in lines if line.startswith(b":")]
    assert comments
    assert lines[0].startswith(b":")
    assert lines[-1] == b"data: [DONE]"
    assert not any(b'"error"' in line for line in lines)


def test_the_model_is_loaded_once_although_the_client_waited(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    cool(upstream)
    before = upstream.models["slow:latest"].loads
    upstream.forget()
    assert gateway.chat("slow").status == 200
    assert upstream.models["slow:latest"].loads == before + 1
    assert len(upstream.inference) == 1


@pytest.mark.parametrize("model", ["swallowed", "swallowed-ollama"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_host_that_swallows_connections_fails_within_three_seconds(
    house: tuple[Gateway, FakeOllama], model: str, stream: bool
) -> None:
    gateway, _ = house
    started = time.monotonic()
    answer = gateway.chat(model, stream=stream)
    assert time.monotonic() - started < 3.0
    assert answer.status in {408, 503, 504}
    assert "127.0.0.1" in answer.error["message"]


def test_silence_in_the_middle_of_an_answer_ends_it_with_an_error(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.models["slow:latest"].load_seconds = 0.0
    upstream.says(Turn(pieces=("one", "two"), gap_seconds=IDLE_SECONDS * 8))
    body = {"model": "slow", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    started = time.monotonic()
    with gateway.stream("/v1/chat/completions", body) as stream:
        data = list(stream.data())
    assert time.monotonic() - started < IDLE_SECONDS * 5
    assert any(b'"error"' in item for item in data)
