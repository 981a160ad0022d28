"""The official ``openai`` SDK works against the gateway: every call of the foundation, on both lanes."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import openai
import pydantic
import pytest

from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel, Reply, Turn
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, tool_call, usage

MESSAGES: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
TOOLS: list[Any] = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
PIXEL = "data:image/png;base64," + base64.b64encode(b"picture").decode()


class Person(pydantic.BaseModel):
    name: str
    age: int


class House:
    def __init__(self, gateway: Gateway, upstream: FakeOpenAI, ollama: FakeOllama) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.ollama = ollama
        self.sdk = gateway.openai(gateway.new_key())


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    capable = ("completion", "tools", "vision", "thinking")
    with FakeOpenAI() as upstream, FakeOllama([OllamaModel("llama3.1:8b", capabilities=capable)]) as ollama:
        entries = [openai_entry("express", upstream), ollama_entry("native", ollama, "llama3.1:8b")]
        with Gateway.start({"model_list": entries}) as gateway:
            yield House(gateway, upstream, ollama)


LANES = pytest.mark.parametrize(
    ("model", "text"), [("express", "Hello from the fake upstream."), ("native", "Hello from Ollama.")]
)


@LANES
def test_chat(house: House, model: str, text: str) -> None:
    chat = house.sdk.chat.completions.create(model=model, messages=MESSAGES, temperature=0, max_tokens=20)
    assert chat.object == "chat.completion"
    assert chat.choices[0].message.role == "assistant"
    assert chat.choices[0].message.content == text
    assert chat.choices[0].finish_reason == "stop"
    assert chat.usage is not None
    assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens > 0
    assert chat.id
    assert chat._request_id
    assert chat.created > 1_700_000_000


@LANES
@pytest.mark.parametrize("include_usage", [None, False, True])
def test_streamed_chat(house: House, model: str, text: str, include_usage: bool | None) -> None:
    options: Any = openai.omit if include_usage is None else {"include_usage": include_usage}
    chunks = list(
        house.sdk.chat.completions.create(model=model, messages=MESSAGES, stream=True, stream_options=options)
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    without_choices = [chunk for chunk in chunks if not chunk.choices]
    assert len(without_choices) == (1 if include_usage else 0)
    if include_usage:
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.total_tokens > 0


@LANES
def test_what_the_client_did_not_ask_for_is_asked_upstream_and_stripped(house: House, model: str, text: str) -> None:
    raw = house.gateway.chat(model, stream=True).body
    assert b'"usage":{' not in raw.replace(b" ", b"")
    if model == "express":
        assert house.upstream.inference[-1].json()["stream_options"]["include_usage"] is True


def test_tools_on_the_express_lane(house: House) -> None:
    call = tool_call("add", '{"a":1,"b":2}')
    house.upstream.script(Reply.json(chat_reply(None, usage(9, 4), tool_calls=[call], finish_reason="tool_calls")))
    chat = house.sdk.chat.completions.create(model="express", messages=MESSAGES, tools=TOOLS, tool_choice="required")
    calls = chat.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert calls[0].function.arguments == '{"a":1,"b":2}'
    assert house.upstream.inference[-1].json()["tool_choice"] == "required"
    deltas = [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "add", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a":1,'}},
        {"index": 0, "function": {"arguments": '"b":2}'}},
    ]
    house.upstream.script(Reply.stream(chat_chunks([], usage(9, 4), tool_deltas=deltas, finish_reason="tool_calls")))
    with house.sdk.chat.completions.stream(model="express", messages=MESSAGES, tools=TOOLS) as stream:
        final = stream.get_final_completion().choices[0]
    assert final.message.tool_calls is not None
    assert final.message.tool_calls[0].function.arguments == '{"a":1,"b":2}'


@pytest.mark.parametrize("model", ["express", "native"])
def test_structured_output(house: House, model: str) -> None:
    text = '{"name":"Bob","age":41}'
    house.upstream.script(Reply.json(chat_reply(text, usage(9, 4))))
    house.ollama.says(Turn(pieces=(text,)))
    chat = house.sdk.chat.completions.parse(model=model, messages=MESSAGES, response_format=Person)
    assert chat.choices[0].message.parsed == Person(name="Bob", age=41)
    house.upstream.clear()
    house.ollama.turns.clear()
    schema = Person.model_json_schema()["properties"].keys()
    if model == "express":
        sent = house.upstream.inference[-1].json()["response_format"]["json_schema"]["schema"]
    else:
        sent = house.ollama.inference[-1].json()["format"]
    assert sent["properties"].keys() == schema


@pytest.mark.parametrize("model", ["express", "native"])
def test_vision_with_a_data_url(house: House, model: str) -> None:
    content: list[Any] = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
    ]
    chat = house.sdk.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
    assert chat.choices[0].message.content
    if model == "express":
        assert house.upstream.inference[-1].json()["messages"][0]["content"] == content
    else:
        assert house.ollama.inference[-1].json()["messages"][0]["images"] == [PIXEL.partition(",")[2]]


@LANES
def test_legacy_completions(house: House, model: str, text: str) -> None:
    whole = house.sdk.completions.create(model=model, prompt="Say hello.")
    assert (whole.object, whole.choices[0].text) == ("text_completion", text)
    parts = house.sdk.completions.create(model=model, prompt="Say hello.", stream=True)
    assert "".join(part.choices[0].text for part in parts if part.choices) == text


@pytest.mark.parametrize("model", ["express", "native"])
def test_embeddings(house: House, model: str) -> None:
    one = house.sdk.embeddings.create(model=model, input="one")
    two = house.sdk.embeddings.create(model=model, input=["one", "three"], encoding_format="float")
    assert len(two.data) == 2
    assert one.data[0].embedding == pytest.approx(two.data[0].embedding)
    assert one.usage.total_tokens > 0


def test_models(house: House) -> None:
    listed = {model.id: model for model in house.sdk.models.list()}
    assert set(listed) == {"express", "native"}
    assert listed["express"].object == "model"
    assert house.sdk.models.retrieve("native").id == "native"
    with pytest.raises(openai.NotFoundError):
        house.sdk.models.retrieve("nobody")


@LANES
def test_the_azure_client(house: House, model: str, text: str) -> None:
    with openai.AzureOpenAI(
        azure_endpoint=house.gateway.url, api_key=house.sdk.api_key, api_version="2024-10-21", max_retries=0
    ) as azure:
        chat = azure.chat.completions.create(model=model, messages=MESSAGES)
        assert chat.choices[0].message.content == text
        chunks = list(azure.chat.completions.create(model=model, messages=MESSAGES, stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text
        assert azure.embeddings.create(model=model, input="one").data[0].embedding


@pytest.mark.parametrize("prefix", ["/engines/{}", "/openai/deployments/{}"])
@LANES
def test_the_model_may_stand_in_the_path(house: House, prefix: str, model: str, text: str) -> None:
    body = {"messages": MESSAGES}
    answer = house.gateway.http("POST", f"{prefix.format(model)}/chat/completions", body)
    assert answer.status == 200
    assert answer.json()["choices"][0]["message"]["content"] == text


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/chat/completions", "/v1/models", "/models", "/v1/models/express"]
)
def test_routes_exist_with_and_without_v1(house: House, path: str) -> None:
    if path.endswith("completions"):
        answer = house.gateway.http("POST", path, {"model": "express", "messages": MESSAGES})
    else:
        answer = house.gateway.http("GET", path)
    assert answer.status == 200


def test_unknown_fields_survive_in_both_directions(house: House) -> None:
    reply = {**chat_reply("hi", usage(1, 1)), "x_vendor": {"kept": True}}
    house.upstream.script(Reply.json(reply))
    answer = house.gateway.chat("express", x_ours={"deep": [1, {"a": None}]}, big=2**60)
    assert answer.json()["x_vendor"] == {"kept": True}
    sent = house.upstream.inference[-1].json()
    assert sent["x_ours"] == {"deep": [1, {"a": None}]}
    assert sent["big"] == 2**60
    assert sent["model"] == "fake-model"


def test_litellms_headers_are_there(house: House) -> None:
    answer = house.gateway.chat("express")
    for name in ("call-id", "model-id", "model-group", "model-api-base", "version", "response-cost"):
        assert answer.headers[f"x-litellm-{name}"]
    assert answer.headers["x-litellm-model-group"] == "express"
    assert float(answer.headers["x-litellm-response-duration-ms"]) > 0
    streamed = house.gateway.chat("express", stream=True)
    assert streamed.headers["x-litellm-call-id"] != answer.headers["x-litellm-call-id"]
    assert streamed.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["express", "native", "nobody's"])
def test_every_answer_says_when_it_was_made(house: House, model: str, stream: bool) -> None:
    made = parsedate_to_datetime(house.gateway.chat(model, stream=stream).headers["date"])
    assert abs(made.timestamp() - time.time()) < 5


def test_a_refused_request_is_dated_too(house: House) -> None:
    answer = house.gateway.http("GET", "/v1/chat/completions")
    assert (answer.status, "GMT" in answer.headers["date"]) == (405, True)


async def test_many_at_once_with_the_async_client(house: House) -> None:
    async with openai.AsyncOpenAI(base_url=f"{house.gateway.url}/v1", api_key=house.sdk.api_key) as sdk:
        chats = await asyncio.gather(
            *[sdk.chat.completions.create(model=model, messages=MESSAGES) for model in ["express", "native"] * 20]
        )
    assert {chat.choices[0].message.content for chat in chats} == {
        "Hello from the fake upstream.",
        "Hello from Ollama.",
    }
