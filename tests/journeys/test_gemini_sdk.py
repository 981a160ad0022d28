"""Google's official SDK uses models that are not Google's, and cannot tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from pointsman.dialects.gemini.grammar import violations
from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel, Turn
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, tool_call, usage
from tests.upstreams.reply import Reply

MODELS = ["local", "cloud"]
CITIES = ("Paris", "Rome")
WEATHER = types.FunctionDeclaration(
    name="get_weather",
    description="The weather of a city",
    parameters=types.Schema(
        type=types.Type.OBJECT, properties={"city": types.Schema(type=types.Type.STRING)}, required=["city"]
    ),
)
TOOLS: Any = [types.Tool(function_declarations=[WEATHER])]


class House:
    """A gateway before an Ollama (model ``local``) and an OpenAI-compatible server (model ``cloud``)."""

    def __init__(self, gateway: Gateway, ollama: FakeOllama, openai: FakeOpenAI) -> None:
        self.gateway = gateway
        self.ollama = ollama
        self.openai = openai
        self.key = gateway.new_key(models=MODELS)
        self.sdk = self.client("v1beta")

    def client(self, version: str) -> genai.Client:
        return genai.Client(
            api_key=self.key, http_options=types.HttpOptions(base_url=self.gateway.url, api_version=version)
        )

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
            house = House(gateway, ollama, openai)
            yield house
            house.sdk.close()


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield running
    running.ollama.clear()
    running.openai.clear()


@pytest.mark.parametrize("model", MODELS)
def test_an_answer(house: House, model: str) -> None:
    answer = house.sdk.models.generate_content(
        model=model, contents="one two three", config={"system_instruction": "be brief", "max_output_tokens": 64}
    )
    assert "Hello" in (answer.text or "")
    assert answer.candidates is not None and answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.model_version == model and answer.usage_metadata is not None
    assert (answer.usage_metadata.prompt_token_count or 0) > 0
    assert (answer.usage_metadata.candidates_token_count or 0) > 0


@pytest.mark.parametrize("version", ["v1beta", "v1"])
@pytest.mark.parametrize("model", MODELS)
def test_a_stream(house: House, model: str, version: str) -> None:
    client = house.client(version)
    pieces = list(client.models.generate_content_stream(model=model, contents="one two three"))
    client.close()
    assert len(pieces) > 2 and "Hello" in "".join(piece.text or "" for piece in pieces)
    last = pieces[-1]
    assert last.candidates is not None and last.candidates[0].finish_reason == types.FinishReason.STOP
    assert last.usage_metadata is not None and (last.usage_metadata.total_token_count or 0) > 0


BODY = {"contents": [{"role": "user", "parts": [{"text": "one two three"}]}]}


@pytest.mark.parametrize("model", MODELS)
def test_streams_are_good_in_both_forms(house: House, model: str) -> None:
    path = f"/v1beta/models/{model}:streamGenerateContent"
    events = house.gateway.http("POST", f"{path}?alt=sse", BODY)
    assert (events.status, violations(events.body)) == (200, [])
    assert events.headers["content-type"] == "text/event-stream"
    array = house.gateway.http("POST", path, BODY)
    assert array.status == 200 and array.headers["content-type"] == "application/json"
    assert "Hello" in "".join(
        part.get("text", "") for piece in array.json() for part in piece["candidates"][0]["content"]["parts"]
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_tools_there_and_back(house: House, model: str, stream: bool) -> None:
    house.calls_tools(model, stream=stream)
    config = types.GenerateContentConfig(
        tools=TOOLS, automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
    )
    if stream:
        pieces = list(house.sdk.models.generate_content_stream(model=model, contents="Weather?", config=config))
        parts = [p for piece in pieces for c in piece.candidates or () for p in (c.content and c.content.parts) or ()]
    else:
        answer = house.sdk.models.generate_content(model=model, contents="Weather?", config=config)
        assert answer.candidates is not None and answer.candidates[0].content is not None
        parts = answer.candidates[0].content.parts or []
    calls = [part.function_call for part in parts if part.function_call]
    assert [(call.name, call.args) for call in calls] == [("get_weather", {"city": city}) for city in CITIES]
    results = [
        types.Part(
            function_response=types.FunctionResponse(name=call.name, id=call.id, response={"result": f"sunny {number}"})
        )
        for number, call in enumerate(calls)
    ]
    turns: list[Any] = [
        types.Content(role="user", parts=[types.Part(text="Weather?")]),
        types.Content(role="model", parts=[part for part in parts if part.function_call]),
        types.Content(role="user", parts=results),
    ]
    answer = house.sdk.models.generate_content(model=model, contents=turns, config=config)
    assert "Hello" in (answer.text or "")
    upstream: Any = house.ollama if model == "local" else house.openai
    sent = upstream.matching("/api/chat" if model == "local" else "/v1/chat/completions")[-1].json()["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool"]
    assert ["sunny 0" in message["content"] for message in sent[2:]] == [True, False]


@pytest.mark.parametrize("model", MODELS)
def test_a_schema_of_the_answer(house: House, model: str) -> None:
    config = types.GenerateContentConfig(
        response_mime_type="application/json",
        response_schema=types.Schema(type=types.Type.OBJECT, properties={"n": types.Schema(type=types.Type.INTEGER)}),
    )
    house.sdk.models.generate_content(model=model, contents="a number", config=config)
    if model == "local":
        assert house.ollama.matching("/api/chat")[-1].json()["format"]["properties"] == {"n": {"type": "integer"}}
    else:
        asked = house.openai.matching("/v1/chat/completions")[-1].json()["response_format"]
        assert asked["json_schema"]["schema"]["properties"] == {"n": {"type": "integer"}}


def test_embeddings(house: House) -> None:
    found = house.sdk.models.embed_content(model="cloud", contents=["a", "b"])
    assert found.embeddings is not None and len(found.embeddings) == 2
    assert all(one.values for one in found.embeddings)
    one = house.gateway.http("POST", "/v1beta/models/cloud:embedContent", {"content": {"parts": [{"text": "a"}]}})
    assert one.status == 200 and one.json()["embedding"]["values"]


def test_counting(house: House) -> None:
    counted = house.sdk.models.count_tokens(model="local", contents="one two three four")
    assert 4 <= (counted.total_tokens or 0) <= 20


@pytest.mark.parametrize("version", ["v1beta", "v1"])
def test_models(house: House, version: str) -> None:
    client = house.client(version)
    names = [model.name for model in client.models.list(config={"page_size": 1})]
    assert names == ["models/local", "models/cloud"]
    assert client.models.get(model="cloud").name == "models/cloud"
    with pytest.raises(errors.ClientError) as caught:
        client.models.get(model="nowhere")
    client.close()
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


def test_errors_are_googles(house: House) -> None:
    with pytest.raises(errors.ClientError) as caught:
        house.sdk.models.generate_content(model="nowhere", contents="x")
    assert caught.value.code in {400, 404} and "nowhere" in (caught.value.message or "")
    refused = house.gateway.http("POST", "/v1beta/models/local:generateContent", {"contents": []})
    assert refused.status == 400 and refused.json()["error"]["status"] == "INVALID_ARGUMENT"
    stranger = house.gateway.http("POST", "/v1beta/models/local:generateContent", BODY, key="sk-wrong")
    assert stranger.status == 401 and stranger.json()["error"]["status"] == "UNAUTHENTICATED"


def test_the_key_may_stand_in_the_url(house: House) -> None:
    for key, status in ((house.key, 200), ("sk-wrong", 401)):
        answer = house.gateway.http("POST", f"/v1beta/models/local:generateContent?key={key}", BODY, key="")
        listed = house.gateway.http("GET", f"/v1beta/models?key={key}", key="")
        assert (answer.status, listed.status) == (status, status)
    asked = {"model": "local", "messages": [{"role": "user", "content": "x"}]}
    assert house.gateway.http("POST", f"/v1/chat/completions?key={house.key}", asked, key="").status == 401
    assert house.key not in house.gateway.output()


def test_a_call_is_in_the_ledger(house: House) -> None:
    house.sdk.models.generate_content(model="local", contents="for the ledger")
    rows = house.gateway.http("GET", f"/spend/logs?api_key={house.key}").json()
    assert any(row["call_type"] == "agenerate_content" for row in rows)
