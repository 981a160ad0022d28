"""Anthropic's official SDK uses models that are not Anthropic's, and cannot tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types import RawContentBlockStartEvent, RawMessageDeltaEvent, RawMessageStartEvent

from pointsman.dialects.anthropic_messages.grammar import violations
from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel, Turn
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, tool_call, usage
from tests.upstreams.reply import Reply

MODELS = ["local", "cloud"]
TOOLS: list[Any] = [
    {
        "name": "get_weather",
        "description": "The weather of a city",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]
CITIES = ("Paris", "Rome")


class House:
    """A gateway before an Ollama (model ``local``) and an OpenAI-compatible server (model ``cloud``)."""

    def __init__(self, gateway: Gateway, ollama: FakeOllama, openai: FakeOpenAI) -> None:
        self.gateway = gateway
        self.ollama = ollama
        self.openai = openai
        self.sdk = gateway.anthropic()

    def calls_tools(self, model: str, *, stream: bool) -> None:
        """The model calls the tool for both cities."""
        if model == "local":
            self.ollama.says(Turn(pieces=(), calls=[("get_weather", {"city": city}) for city in CITIES]))
            return
        calls = [tool_call("get_weather", json.dumps({"city": city}), number) for number, city in enumerate(CITIES)]
        counts = usage(11, 7)
        if stream:
            deltas = [{"index": index, **call} for index, call in enumerate(calls)]
            self.openai.script(Reply.stream(chat_chunks((), counts, tool_deltas=deltas, finish_reason="tool_calls")))
        else:
            self.openai.script(Reply.json(chat_reply(None, counts, tool_calls=calls, finish_reason="tool_calls")))


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with FakeOllama([OllamaModel("llama3.1:8b")]) as ollama, FakeOpenAI() as openai:
        entries = [ollama_entry("local", ollama, "llama3.1:8b"), openai_entry("cloud", openai)]
        with Gateway.start({"model_list": entries}) as gateway:
            yield House(gateway, ollama, openai)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield running
    running.ollama.clear()
    running.openai.clear()


def ask(text: str = "one two three") -> Any:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("model", MODELS)
def test_a_message(house: House, model: str) -> None:
    message = house.sdk.messages.create(model=model, max_tokens=64, system="be brief", messages=ask())
    assert message.id.startswith("msg_")
    assert (message.type, message.role, message.model, message.stop_reason) == (
        "message",
        "assistant",
        model,
        "end_turn",
    )
    assert message.content[0].type == "text" and "Hello" in message.content[0].text
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_a_stream(house: House, model: str) -> None:
    with house.sdk.messages.stream(model=model, max_tokens=64, messages=ask()) as stream:
        texts = list(stream.text_stream)
        message = stream.get_final_message()
    assert len(texts) >= 3 and "".join(texts) == message.content[0].text  # type: ignore[union-attr]
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_every_stream_keeps_the_grammar(house: House, model: str) -> None:
    house.calls_tools(model, stream=True)
    body = {"model": model, "max_tokens": 64, "messages": ask(), "tools": TOOLS, "stream": True}
    answer = house.gateway.http("POST", "/v1/messages", body)
    assert (answer.status, violations(answer.body)) == (200, [])
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
def test_two_parallel_tools_and_their_results(house: House, model: str, stream: bool) -> None:
    house.calls_tools(model, stream=stream)
    sdk, options = house.sdk, {"model": model, "max_tokens": 64, "tools": TOOLS}
    if stream:
        with sdk.messages.stream(messages=ask("weather?"), **options) as opened:  # type: ignore[arg-type]
            message = opened.get_final_message()
    else:
        message = sdk.messages.create(messages=ask("weather?"), **options)  # type: ignore[call-overload]
    uses = [block for block in message.content if block.type == "tool_use"]
    assert message.stop_reason == "tool_use"
    assert [(use.name, use.input) for use in uses] == [("get_weather", {"city": city}) for city in CITIES]
    assert len({use.id for use in uses}) == len(CITIES)

    results = [{"type": "tool_result", "tool_use_id": use.id, "content": "sunny"} for use in uses]
    turns = [*ask("weather?"), {"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    after = sdk.messages.create(messages=turns, **options)  # type: ignore[call-overload]
    assert after.stop_reason == "end_turn" and after.content[0].type == "text"
    sent = (house.ollama if model == "local" else house.openai).requests[-1].json()
    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "tool", "tool"]
    assert len(sent["messages"][1]["tool_calls"]) == len(CITIES)


def test_thinking_comes_before_the_text_in_a_block_of_its_own(house: House) -> None:
    house.ollama.says(Turn(thinking=("Let me", " see."), pieces=("Blue.",)))
    events = list(house.sdk.messages.create(model="local", max_tokens=64, messages=ask(), stream=True))
    started = [event.content_block.type for event in events if isinstance(event, RawContentBlockStartEvent)]
    assert started == ["thinking", "text"]
    assert isinstance(events[0], RawMessageStartEvent) and events[0].message.usage.input_tokens > 0
    ends = [event for event in events if isinstance(event, RawMessageDeltaEvent)]
    assert len(ends) == 1 and ends[0].usage.output_tokens > 0


def test_an_image_arrives_at_the_model(house: House) -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    source = {"type": "base64", "media_type": "image/png", "data": pixel}
    content: Any = [{"type": "image", "source": source}, {"type": "text", "text": "what is it?"}]
    house.sdk.messages.create(model="cloud", max_tokens=8, messages=[{"role": "user", "content": content}])
    parts = house.openai.requests[-1].json()["messages"][0]["content"]
    assert parts[0]["image_url"]["url"] == f"data:image/png;base64,{pixel}"


def test_errors_are_those_of_anthropic(house: House) -> None:
    with pytest.raises(anthropic.BadRequestError) as unknown:
        house.sdk.messages.create(model="nobody", max_tokens=8, messages=ask())
    assert "nobody" in str(unknown.value)
    assert unknown.value.request_id == unknown.value.response.headers["x-litellm-call-id"]
    with pytest.raises(anthropic.AuthenticationError):
        house.gateway.anthropic("sk-wrong").messages.create(model="local", max_tokens=8, messages=ask())
    body = {"model": "local", "max_tokens": 8, "messages": [{"role": "user", "content": [{"type": "image"}]}]}
    answer = house.gateway.http("POST", "/v1/messages", body)
    assert (answer.status, answer.json()["type"]) == (400, "error")
    assert "messages[0].content[0]" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/messages", "/anthropic/v1/messages"])
@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_both_paths_and_both_headers_of_a_key(house: House, path: str, header: str) -> None:
    key = house.gateway.new_key(models=["local"])
    value = f"Bearer {key}" if header == "authorization" else key
    body = {"model": "local", "max_tokens": 8, "messages": ask()}
    answer = house.gateway.http("POST", path, body, key="", headers={header: value, "anthropic-version": "2023-06-01"})
    assert (answer.status, answer.json()["type"]) == (200, "message")


def test_a_failure_in_the_middle_is_an_error_event(house: House) -> None:
    house.ollama.says(Turn(error_after=2))
    opened = house.sdk.messages.stream(model="local", max_tokens=64, messages=ask())
    with pytest.raises(anthropic.APIStatusError), opened as stream:
        stream.get_final_message()


def test_tokens_are_counted_before_asking(house: House) -> None:
    count = house.sdk.messages.count_tokens(model="local", messages=ask("word " * 100), system="be brief")
    assert 80 < count.input_tokens < 300
    with pytest.raises(anthropic.NotFoundError):
        house.sdk.messages.count_tokens(model="nobody", messages=ask())


def test_each_message_leaves_one_record(house: House) -> None:
    key = house.gateway.new_key(models=["cloud"])
    house.gateway.anthropic(key).messages.create(model="cloud", max_tokens=8, messages=ask())
    rows = house.gateway.settled_ledger(1, key)
    assert [(row["call_type"], row["model_group"], row["status"]) for row in rows] == [
        ("anthropic_messages", "cloud", "success")
    ]


@pytest.mark.parametrize("model", MODELS)
def test_a_remote_document_is_refused_by_its_path_unless_the_operator_lets_it_be_fetched(
    house: House, model: str
) -> None:
    document: Any = {"type": "document", "source": {"type": "url", "url": "https://papers.example/a.pdf"}}
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": "Sum it up."}, document]}]
    with pytest.raises(anthropic.BadRequestError, match="Remote documents are not fetched"):
        house.sdk.messages.create(model=model, max_tokens=64, messages=messages)


@pytest.mark.parametrize("model", MODELS)
def test_a_document_of_plain_text_reaches_every_model(house: House, model: str) -> None:
    document: Any = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Whales."}}
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": "Sum it up."}, document]}]
    message = house.sdk.messages.create(model=model, max_tokens=64, messages=messages)
    assert message.content[0].type == "text"
    upstream = house.ollama if model == "local" else house.openai
    assert b"Whales." in upstream.inference[-1].body
