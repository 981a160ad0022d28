"""OpenAI's fields turn Ollama's knobs, and what cannot be turned is said."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.configs import ollama_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeOllama, OllamaModel, Turn

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\nnot really a picture").decode()
SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Gateway, FakeOllama]]:
    everything = ("completion", "tools", "thinking", "vision", "insert")
    models = [
        OllamaModel("thinker", capabilities=everything),
        OllamaModel("nomic-embed-text", capabilities=("embedding",), family="nomic-bert", context_length=2048),
    ]
    with FakeOllama(models) as upstream:
        entries = [
            ollama_entry("thinker", upstream, "thinker"),
            ollama_entry("kept", upstream, "thinker", keep_alive="24h"),
            ollama_entry("lenient", upstream, "thinker", drop_params=True),
            ollama_entry("embedder", upstream, "nomic-embed-text"),
        ]
        with Gateway.start({"model_list": entries}) as gateway:
            yield gateway, upstream


def sent(house: tuple[Gateway, FakeOllama], model: str = "thinker", **fields: Any) -> dict[str, Any]:
    """What Ollama is sent for a chat with these fields."""
    gateway, upstream = house
    upstream.forget()
    answer = gateway.chat(model, **fields)
    assert answer.status == 200, answer.body
    body: dict[str, Any] = upstream.inference[0].json()
    return body


def test_reasoning_can_be_switched_off(house: tuple[Gateway, FakeOllama]) -> None:
    assert sent(house, reasoning_effort="none")["think"] is False
    assert sent(house, reasoning_effort="high")["think"] in {True, "high"}
    assert "think" not in sent(house)


@pytest.mark.parametrize("stream", [False, True])
def test_thinking_comes_as_reasoning_content(house: tuple[Gateway, FakeOllama], stream: bool) -> None:
    gateway, upstream = house
    upstream.says(Turn(thinking=("Let", " me", " see."), pieces=("Four", ".")))
    messages: list[Any] = [{"role": "user", "content": "2+2?"}]
    sdk = gateway.openai()
    if not stream:
        message: Any = sdk.chat.completions.create(model="thinker", messages=messages).choices[0].message
        assert (message.reasoning_content, message.content) == ("Let me see.", "Four.")
        return
    deltas: list[Any] = [
        chunk.choices[0].delta
        for chunk in sdk.chat.completions.create(model="thinker", messages=messages, stream=True)
        if chunk.choices
    ]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == "Let me see."
    assert "".join(delta.content or "" for delta in deltas) == "Four."


def test_keep_alive_stands_at_the_top_from_the_request_or_the_config(house: tuple[Gateway, FakeOllama]) -> None:
    assert sent(house, keep_alive="5m")["keep_alive"] == "5m"
    assert sent(house, "kept")["keep_alive"] == "24h"
    assert sent(house, "kept", keep_alive=0)["keep_alive"] == 0
    assert "keep_alive" not in sent(house)["options"]


def test_a_response_format_becomes_format(house: tuple[Gateway, FakeOllama]) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}
    assert sent(house, response_format=wanted)["format"] == SCHEMA
    assert sent(house, response_format={"type": "json_object"})["format"] == "json"
    assert "format" not in sent(house, response_format={"type": "text"})


def test_sampling_fields_become_options(house: tuple[Gateway, FakeOllama]) -> None:
    fields: dict[str, Any] = {
        "temperature": 0.2,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["END"],
        "max_tokens": 12,
        "presence_penalty": 0.5,
    }
    options = sent(house, **fields)["options"]
    assert options["num_predict"] == 12
    assert options["stop"] == ["END"]
    assert (options["temperature"], options["top_p"], options["seed"]) == (0.2, 0.9, 7)
    assert options["presence_penalty"] == 0.5
    assert sent(house, max_completion_tokens=9)["options"]["num_predict"] == 9
    assert sent(house, stop="END")["options"]["stop"] == ["END"]


def test_num_ctx_of_a_request_reaches_ollama_whoever_asks(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    sdk: Any = gateway.openai()
    hello = [{"role": "user", "content": "Hi"}]
    asks: list[Callable[[], object]] = [
        lambda: sdk.chat.completions.create(model="thinker", messages=hello, extra_body={"num_ctx": 12_288}),
        lambda: gateway.chat("thinker", options={"num_ctx": 12_288}),
        lambda: gateway.http(
            "POST", "/api/chat", {"model": "thinker", "messages": hello, "options": {"num_ctx": 12_288}}
        ),
    ]
    for ask in asks:
        upstream.forget()
        ask()
        assert upstream.inference[0].json()["options"]["num_ctx"] == 12_288


def test_a_data_url_arrives_without_its_prefix(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.forget()
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
    ]
    body = {"model": "thinker", "messages": [{"role": "user", "content": content}]}
    assert gateway.http("POST", "/v1/chat/completions", body).status == 200
    message = upstream.inference[0].json()["messages"][0]
    assert message["images"] == [PIXEL]
    assert message["content"] == "What is this?"


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/a.png",
        "http://127.0.0.1:1/a.png",
        "http://[::1]/a.png",
        "http://localhost/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,%%%",
        "nonsense",
    ],
)
def test_an_image_that_must_not_or_cannot_be_fetched_is_a_400(house: tuple[Gateway, FakeOllama], url: str) -> None:
    gateway, upstream = house
    upstream.forget()
    content = [{"type": "image_url", "image_url": {"url": url}}]
    body = {"model": "thinker", "messages": [{"role": "user", "content": content}]}
    answer = gateway.http("POST", "/v1/chat/completions", body)
    assert answer.status == 400
    assert "image" in (answer.error["message"] + str(answer.error.get("param"))).lower()
    assert upstream.inference == []


@pytest.mark.parametrize(("field", "value"), [("n", 2), ("logit_bias", {"1": 5})])
def test_a_knob_that_ollama_lacks_is_named_or_dropped(
    house: tuple[Gateway, FakeOllama], field: str, value: object
) -> None:
    gateway, upstream = house
    fields: dict[str, Any] = {field: value}
    answer = gateway.chat("thinker", **fields)
    assert answer.status == 400
    assert field in answer.error["message"]
    assert "drop_params" in answer.error["message"]
    upstream.forget()
    assert gateway.chat("lenient", **fields).status == 200
    assert field not in upstream.inference[0].json()


def test_embeddings_come_as_floats_and_as_base64(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, _ = house
    sdk = gateway.openai()
    texts = ["abcd", "abcdefgh"]
    as_floats = sdk.embeddings.create(model="embedder", input=texts, encoding_format="float")
    as_default = sdk.embeddings.create(model="embedder", input=texts)
    assert [item.index for item in as_floats.data] == [0, 1]
    assert as_floats.data[0].embedding == pytest.approx(as_default.data[0].embedding)
    assert as_floats.usage.prompt_tokens == 3


def test_an_embedding_model_says_that_it_cannot_chat(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, _ = house
    answer = gateway.chat("embedder")
    assert answer.status == 400
    assert "embedder" in answer.error["message"] or "nomic-embed-text" in answer.error["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_legacy_completion_uses_generate(house: tuple[Gateway, FakeOllama], stream: bool) -> None:
    gateway, upstream = house
    upstream.forget()
    sdk = gateway.openai()
    if stream:
        parts = sdk.completions.create(model="thinker", prompt="def f(", suffix="return x", stream=True)
        text = "".join(part.choices[0].text for part in parts if part.choices)
    else:
        text = sdk.completions.create(model="thinker", prompt="def f(", suffix="return x").choices[0].text
    assert text == "Hello from Ollama."
    body = upstream.inference[0].json()
    assert upstream.inference[0].path == "/api/generate"
    assert (body["prompt"], body["suffix"]) == ("def f(", "return x")


def test_the_clients_host_header_is_not_passed_on(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.forget()
    body = {"model": "thinker", "messages": [{"role": "user", "content": "hi"}]}
    answer = gateway.http("POST", "/v1/chat/completions", body, headers={"Host": "llm.example.com"})
    assert answer.status == 200
    assert upstream.inference[0].header("host") == f"127.0.0.1:{upstream.port}"


def test_an_error_line_in_a_stream_becomes_an_error_event(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.says(Turn(pieces=("one", "two", "three"), error_after=2))
    body = {"model": "thinker", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with gateway.stream("/v1/chat/completions", body) as stream:
        data = list(stream.data())
    assert any(b'"two"' in item for item in data)
    assert any(b'"error"' in item and b"runner" in item for item in data)
    assert not any(b'"finish_reason":"stop"' in item.replace(b" ", b"") for item in data)


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_ollama_stops_in_a_loop_was_cut_short(house: tuple[Gateway, FakeOllama], stream: bool) -> None:
    gateway, upstream = house
    upstream.says(Turn(pieces=("Well,", *[" no"] * 31), breaks_off=True))
    messages: list[Any] = [{"role": "user", "content": "Is it?"}]
    sdk = gateway.openai()
    if stream:
        chunks = list(sdk.chat.completions.create(model="thinker", messages=messages, stream=True))
        said = [chunk.choices[0] for chunk in chunks if chunk.choices]
        text, reason = "".join(choice.delta.content or "" for choice in said), said[-1].finish_reason
    else:
        choice = sdk.chat.completions.create(model="thinker", messages=messages).choices[0]
        text, reason = choice.message.content or "", choice.finish_reason
    assert (text, reason) == ("Well," + " no" * 31, "length")
