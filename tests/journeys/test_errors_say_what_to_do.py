"""Whatever goes wrong, the answer has the right status, OpenAI's shape, the upstream's words and a way out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import anthropic
import openai
import pytest

from tests.support.configs import ONE_ATTEMPT, ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel, Reply, faults
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, usage

WORDS: Final = "the upstream's own words"


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Gateway, FakeOpenAI, FakeOllama]]:
    with FakeOpenAI() as upstream, FakeOllama([OllamaModel("llama3.1:8b")]) as ollama, FakeOpenAI() as dead:
        dead.vanish()
        entries = [
            openai_entry("fast", upstream, timeout=1, stream_timeout=1),
            ollama_entry("local", ollama, "llama3.1:8b"),
            ollama_entry("unpulled", ollama, "qwen3:4b"),
            openai_entry("dead", dead),
        ]
        with Gateway.start(
            {**ONE_ATTEMPT, "model_list": entries, "pointsman": {"upstream_idle_timeout_seconds": 1}}
        ) as gateway:
            yield gateway, upstream, ollama


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("upstream_status", "status"),
    [(400, 400), (401, 401), (403, 403), (404, 404), (422, 422), (429, 429), (500, 500), (503, 503), (529, 503)],
)
def test_an_upstreams_refusal_keeps_its_class_and_its_words(
    house: tuple[Gateway, FakeOpenAI, FakeOllama], upstream_status: int, status: int, stream: bool
) -> None:
    gateway, upstream, _ = house
    upstream.script(Reply.error(upstream_status, WORDS))
    answer = gateway.chat("fast", stream=stream)
    allowed = {status} if status < 500 else {429, 500, 502, 503, 529}
    assert answer.status in allowed
    assert WORDS in answer.error["message"]
    assert {"message", "type", "param", "code"} <= set(answer.error)
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-litellm-call-id"]


def test_clients_of_anthropics_hear_of_an_overload_as_anthropic_says_it(
    house: tuple[Gateway, FakeOpenAI, FakeOllama],
) -> None:
    gateway, upstream, _ = house
    upstream.script(Reply.error(529, WORDS))
    with pytest.raises(anthropic.APIStatusError) as caught:
        gateway.anthropic().messages.create(model="fast", max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
    assert caught.value.status_code == 529
    assert "overloaded_error" in str(caught.value.body)


def test_the_sdk_raises_the_matching_exception(house: tuple[Gateway, FakeOpenAI, FakeOllama]) -> None:
    gateway, upstream, _ = house
    sdk = gateway.openai()
    expected = {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        403: openai.PermissionDeniedError,
        404: openai.NotFoundError,
        429: openai.RateLimitError,
        500: openai.InternalServerError,
    }
    for status, kind in expected.items():
        upstream.script(Reply.error(status, WORDS))
        with pytest.raises(kind, match=WORDS):
            sdk.chat.completions.create(model="fast", messages=[{"role": "user", "content": "hi"}])


def test_retry_after_is_passed_on(house: tuple[Gateway, FakeOpenAI, FakeOllama]) -> None:
    gateway, upstream, _ = house
    upstream.script(Reply.error(429, WORDS, retry_after="7"))
    answer = gateway.chat("fast")
    assert answer.status == 429
    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize("stream", [False, True])
def test_a_host_that_is_not_there_is_named(house: tuple[Gateway, FakeOpenAI, FakeOllama], stream: bool) -> None:
    gateway, _, _ = house
    answer = gateway.chat("dead", stream=stream)
    assert answer.status == 503
    assert "127.0.0.1" in answer.error["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_silent_upstream_is_a_timeout(house: tuple[Gateway, FakeOpenAI, FakeOllama], stream: bool) -> None:
    gateway, upstream, _ = house
    upstream.script(faults.stall_before_head())
    answer = gateway.chat("fast", stream=stream)
    assert answer.status == 408
    assert answer.error["code"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "reply",
    [
        faults.garbage(),
        faults.bad_chunk_size(),
        faults.reset_before_head(),
        faults.reset_in_body({"half": True}),
        faults.wrong_length(chat_reply("x", usage(1, 1)), 10),
    ],
    ids=lambda reply: reply.label,
)
def test_a_broken_upstream_is_a_bad_gateway(
    house: tuple[Gateway, FakeOpenAI, FakeOllama], reply: Reply, stream: bool
) -> None:
    gateway, upstream, _ = house
    upstream.always(reply)
    try:
        answer = gateway.chat("fast", stream=stream)
    finally:
        upstream.always(None)
    if answer.status == 200:
        assert stream, "an unstreamed answer is complete or an error"
        assert b'"error"' in answer.body
    else:
        assert answer.status in {502, 503}
        assert answer.error["message"]


@pytest.mark.parametrize(
    "reply",
    [
        faults.half_event(chat_chunks(["Hel", "lo"], None)[:3]),
        faults.reset_in_stream(chat_chunks(["Hel", "lo"], None)[:3]),
        faults.stall_in_stream(chat_chunks(["Hel", "lo"], None)[:3]),
        Reply.stream(chat_chunks(["Hel", "lo"], None)[:3], done=False, gap_seconds=0.05),
    ],
    ids=["half an event", "reset", "stall", "ends without finish_reason"],
)
def test_a_stream_that_breaks_says_so_and_ends(house: tuple[Gateway, FakeOpenAI, FakeOllama], reply: Reply) -> None:
    gateway, upstream, _ = house
    upstream.script(reply)
    body = {"model": "fast", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with gateway.stream("/v1/chat/completions", body) as stream:
        assert stream.status == 200
        data = list(stream.data())
    assert any(b"lo" in item for item in data), "what came before is kept"
    assert any(b'"error"' in item for item in data)
    assert not any(b'"finish_reason":"stop"' in item.replace(b" ", b"") for item in data)


def test_an_unknown_model_is_answered_with_the_nearest_one(house: tuple[Gateway, FakeOpenAI, FakeOllama]) -> None:
    gateway, _, _ = house
    answer = gateway.chat("fats")
    assert answer.status == 400
    assert "fats" in answer.error["message"]
    assert "fast" in answer.error["message"]
    assert answer.error["code"] == "model_not_found"
    assert answer.error["param"] == "model"


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_is_not_pulled_comes_with_the_command(
    house: tuple[Gateway, FakeOpenAI, FakeOllama], stream: bool
) -> None:
    gateway, _, _ = house
    answer = gateway.chat("unpulled", stream=stream)
    assert answer.status in {400, 404}
    assert "ollama pull qwen3:4b" in answer.error["message"]


def test_a_busy_ollama_is_overloaded_not_broken(house: tuple[Gateway, FakeOpenAI, FakeOllama]) -> None:
    gateway, _, ollama = house
    ollama.script(Reply.ollama_error(503, "server busy, please try again.  maximum pending requests exceeded"))
    answer = gateway.chat("local")
    assert answer.status in {429, 503}
    assert "busy" in answer.error["message"]


@pytest.mark.parametrize("key", ["", "sk-nobody-has-this-key-0001", "' OR '1'='1", "sk-" + "x" * 5000])
def test_a_wrong_key_is_a_401_that_says_what_to_send(house: tuple[Gateway, FakeOpenAI, FakeOllama], key: str) -> None:
    gateway, _, _ = house
    answer = gateway.chat("fast", key=key)
    assert answer.status == 401
    assert answer.error["message"].startswith("Authentication Error")


def test_an_unknown_path_is_a_404_in_the_same_shape(house: tuple[Gateway, FakeOpenAI, FakeOllama]) -> None:
    gateway, _, _ = house
    answer = gateway.http("POST", "/v1/no/such/thing", {})
    assert answer.status == 404
    assert answer.error["message"]
    refused = gateway.http("GET", "/v1/chat/completions")
    assert (refused.status, refused.headers["allow"]) == (405, "POST")
