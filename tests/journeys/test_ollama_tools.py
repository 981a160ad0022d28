"""Tool calls of Ollama's native API arrive at OpenAI clients as OpenAI would send them, streamed or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.configs import ollama_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeOllama, OllamaModel, Turn

TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
ASK: list[Any] = [{"role": "user", "content": "Weather in Paris and in Rome?"}]
TWO_CALLS = (("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome", "days": [1, 2]}))


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Gateway, FakeOllama]]:
    models = [OllamaModel("llama3.1:8b"), OllamaModel("plain", capabilities=("completion",))]
    with FakeOllama(models) as upstream:
        entries = [ollama_entry("tooled", upstream, "llama3.1:8b"), ollama_entry("plain", upstream, "plain")]
        with Gateway.start({"model_list": entries}) as gateway:
            yield gateway, upstream


@pytest.mark.parametrize("with_ids", [False, True])
def test_two_streamed_calls_have_their_own_index_and_one_id_each(
    house: tuple[Gateway, FakeOllama], with_ids: bool
) -> None:
    gateway, upstream = house
    upstream.says(Turn(pieces=(), calls=TWO_CALLS, call_ids=with_ids))
    sdk = gateway.openai()
    chunks = list(sdk.chat.completions.create(model="tooled", messages=ASK, tools=TOOLS, stream=True))
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    names: dict[int, str] = {}
    ids: dict[int, str] = {}
    arguments = {0: "", 1: ""}
    for delta in (call for chunk in chunks if chunk.choices for call in chunk.choices[0].delta.tool_calls or []):
        if delta.id:
            assert delta.index not in ids, "the id comes once, with the first delta of a call"
            ids[delta.index] = delta.id
        assert delta.function is not None
        names[delta.index] = delta.function.name or names[delta.index]
        arguments[delta.index] += delta.function.arguments or ""
    assert names == {0: "get_weather", 1: "get_weather"}
    assert len(set(ids.values())) == 2
    assert all(identity.startswith("call_") for identity in ids.values())
    assert {place: json.loads(text) for place, text in arguments.items()} == {
        place: call[1] for place, call in enumerate(TWO_CALLS)
    }
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "tool_calls"


def test_the_sdks_own_stream_helper_collects_both_calls(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.says(Turn(pieces=("Let me", " look."), calls=TWO_CALLS))
    with gateway.openai().chat.completions.stream(model="tooled", messages=ASK, tools=TOOLS) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion().choices[0]
    assert final.message.content == "Let me look."
    assert final.finish_reason == "tool_calls"
    assert final.message.tool_calls is not None
    assert [json.loads(call.function.arguments)["city"] for call in final.message.tool_calls] == ["Paris", "Rome"]


def test_unstreamed_calls_are_the_same(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.says(Turn(pieces=(), calls=TWO_CALLS))
    answer = gateway.chat("tooled", tools=TOOLS).json()
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    calls = choice["message"]["tool_calls"]
    assert [call["type"] for call in calls] == ["function", "function"]
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [call[1] for call in TWO_CALLS]
    assert len({call["id"] for call in calls}) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_cut_at_its_length_stays_length(house: tuple[Gateway, FakeOllama], stream: bool) -> None:
    gateway, upstream = house
    upstream.says(Turn(pieces=("a",), calls=TWO_CALLS[:1], done_reason="length"))
    answer = gateway.chat("tooled", tools=TOOLS, stream=stream)
    assert answer.status == 200
    assert b'"finish_reason":"length"' in answer.body.replace(b" ", b"")
    assert b'"finish_reason":"tool_calls"' not in answer.body.replace(b" ", b"")


def test_results_go_back_with_the_calls_they_answer(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.forget()
    conversation = [
        *ASK,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_a",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_a", "content": "18 degrees"},
    ]
    body = {"model": "tooled", "messages": conversation, "tools": TOOLS}
    assert gateway.http("POST", "/v1/chat/completions", body).status == 200
    sent = upstream.inference[0].json()["messages"]
    assert sent[1]["tool_calls"][0]["function"]["arguments"] == {"city": "Paris"}
    assert sent[2]["role"] == "tool"
    assert sent[2]["content"] == "18 degrees"
    assert sent[2]["tool_name"] == "get_weather"


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
def test_a_tool_choice_that_cannot_be_kept_is_refused(house: tuple[Gateway, FakeOllama], choice: object) -> None:
    gateway, upstream = house
    upstream.forget()
    answer = gateway.chat("tooled", tools=TOOLS, tool_choice=choice)
    assert answer.status == 400
    assert "tool_choice" in answer.error["message"]
    assert upstream.inference == []


def test_no_tool_is_offered_when_the_choice_is_none(house: tuple[Gateway, FakeOllama]) -> None:
    gateway, upstream = house
    upstream.forget()
    assert gateway.chat("tooled", tools=TOOLS, tool_choice="none").status == 200
    assert not upstream.inference[0].json().get("tools")


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_without_tools_is_named_in_a_400(house: tuple[Gateway, FakeOllama], stream: bool) -> None:
    gateway, _ = house
    answer = gateway.chat("plain", tools=TOOLS, stream=stream)
    assert answer.status == 400
    assert "plain" in answer.error["message"]
    assert "tools" in answer.error["message"]
