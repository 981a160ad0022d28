"""The official openai SDK speaks Responses to models whose servers do not, streamed or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from pointsman.dialects.openai_responses.grammar import violations
from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel, Turn
from tests.upstreams.recorded import RecordedRequest

MODELS = ["local", "cloud"]
TOOLS: list[Any] = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "The weather of a city",
        "strict": False,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]
CITIES = ("Paris", "Rome")


class House:
    """A gateway before an Ollama (model ``local``) and an OpenAI-compatible server (model ``cloud``)."""

    def __init__(self, gateway: Gateway, ollama: FakeOllama, upstream: FakeOpenAI) -> None:
        self.gateway = gateway
        self.ollama = ollama
        self.upstream = upstream
        self.sdk = gateway.openai()


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with FakeOllama([OllamaModel("llama3.1:8b")]) as ollama, FakeOpenAI() as upstream:
        entries = [ollama_entry("local", ollama, "llama3.1:8b"), openai_entry("cloud", upstream)]
        with Gateway.start({"model_list": entries}) as gateway:
            yield House(gateway, ollama, upstream)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield running
    running.ollama.clear()
    running.upstream.clear()


@pytest.mark.parametrize("model", MODELS)
def test_a_response(house: House, model: str) -> None:
    response = house.sdk.responses.create(model=model, input="one two three", instructions="be brief")
    assert response.id.startswith("resp_")
    assert (response.object, response.model, response.status) == ("response", model, "completed")
    assert "Hello" in response.output_text
    assert response.usage is not None and response.usage.input_tokens > 0 and response.usage.output_tokens > 0
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_ends_with_the_response_that_its_events_told(house: House, model: str) -> None:
    with house.sdk.responses.stream(model=model, input="one two three") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in events if event.type.startswith("response.")] == sorted(
        event.sequence_number for event in events if event.type.startswith("response.")
    )
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == final.output_text and "Hello" in text
    assert events[0].type == "response.created" and events[-1].type == "response.completed"


@pytest.mark.parametrize("model", MODELS)
def test_every_stream_keeps_the_grammar(house: House, model: str) -> None:
    if model == "local":
        house.ollama.says(Turn(thinking=("Hm.",), pieces=("Blue",), calls=[("get_weather", {"city": "Paris"})]))
    body = {"model": model, "input": "x", "tools": TOOLS, "stream": True}
    answer = house.gateway.http("POST", "/v1/responses", body)
    assert (answer.status, violations(answer.body)) == (200, [])


def last_chat(house: House) -> RecordedRequest:
    """What the local server was asked last; how it fares is asked at any time beside that."""
    return next(request for request in reversed(house.ollama.requests) if request.path == "/api/chat")


@pytest.mark.parametrize("stream", [False, True])
def test_two_parallel_tools_and_their_results(house: House, stream: bool) -> None:
    house.ollama.says(Turn(pieces=(), calls=[("get_weather", {"city": city}) for city in CITIES]))
    if stream:
        with house.sdk.responses.stream(model="local", input="weather?", tools=TOOLS) as opened:
            response: Any = opened.get_final_response()
    else:
        response = house.sdk.responses.create(model="local", input="weather?", tools=TOOLS)
    calls = [item for item in response.output if item.type == "function_call"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        ("get_weather", {"city": city}) for city in CITIES
    ]
    items: list[Any] = [{"role": "user", "content": "weather?"}, *response.output]
    items += [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in calls]
    after = house.sdk.responses.create(model="local", input=items, tools=TOOLS)
    assert after.output_text
    sent = last_chat(house).json()["messages"]
    assert [turn["role"] for turn in sent] == ["user", "assistant", "tool", "tool"]


def test_structured_output_reaches_the_model_as_its_schema(house: House) -> None:
    class Person(BaseModel):
        name: str
        age: int

    house.ollama.says(Turn(pieces=('{"name": "Ada",', ' "age": 36}')))
    parsed = house.sdk.responses.parse(model="local", input="Who?", text_format=Person).output_parsed
    assert parsed == Person(name="Ada", age=36)
    assert set(last_chat(house).json()["format"]["properties"]) == {"name", "age"}


def test_each_response_leaves_one_record(house: House) -> None:
    key = house.gateway.new_key(models=["cloud"])
    house.gateway.openai(key).responses.create(model="cloud", input="x")
    rows = house.gateway.settled_ledger(1, key)
    assert [(row["call_type"], row["model_group"], row["status"]) for row in rows] == [
        ("aresponses", "cloud", "success")
    ]
