"""A real model behind the gateway, driven by the official SDK. What is asserted is structure, never wording."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import openai
import pytest

from tests.support.gateway import Gateway
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.real.conftest import Llama

pytestmark = pytest.mark.real

MESSAGES: Final[list[Any]] = [{"role": "user", "content": "What is the capital of France?"}]
PLAIN: Final[dict[str, Any]] = {"model": "smollm2", "messages": MESSAGES, "max_tokens": 16, "temperature": 0}
PERSON: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 99},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
TOOLS: Final[list[Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get the current weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def test_text_and_usage_add_up(sdk: openai.OpenAI, gateway: Gateway) -> None:
    chat = sdk.chat.completions.create(**PLAIN)
    assert chat.choices[0].message.content
    assert chat.choices[0].finish_reason in {"stop", "length"}
    assert chat.usage is not None
    assert 0 < chat.usage.completion_tokens <= 16
    assert chat.usage.prompt_tokens > 5
    assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens
    row = next(
        row
        for row in gateway.settled_ledger(1, sdk.api_key)
        if row["completion_tokens"] == chat.usage.completion_tokens
    )
    assert (row["prompt_tokens"], row["total_tokens"]) == (chat.usage.prompt_tokens, chat.usage.total_tokens)
    assert row["status"] == "success"


def test_the_gateway_adds_nothing_and_takes_nothing_away(sdk: openai.OpenAI, direct: openai.OpenAI) -> None:
    through, straight = (client.chat.completions.create(**PLAIN, seed=1) for client in (sdk, direct))
    assert through.choices[0].message.content == straight.choices[0].message.content
    assert through.usage is not None
    assert straight.usage is not None
    assert through.usage.completion_tokens == straight.usage.completion_tokens


@pytest.mark.parametrize("include_usage", [False, True])
def test_a_stream_is_the_same_text_in_pieces(sdk: openai.OpenAI, include_usage: bool) -> None:
    whole = sdk.chat.completions.create(**PLAIN, seed=1)
    chunks = list(
        sdk.chat.completions.create(**PLAIN, seed=1, stream=True, stream_options={"include_usage": include_usage})
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert len(chunks) > 3
    assert len({chunk.id for chunk in chunks}) == 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] in {"stop", "length"}
    with_usage = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert len(with_usage) == include_usage
    if include_usage:
        assert with_usage[0].total_tokens == with_usage[0].prompt_tokens + with_usage[0].completion_tokens


def test_a_json_schema_is_kept(sdk: openai.OpenAI) -> None:
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}
    messages: list[Any] = [{"role": "user", "content": "Describe Bob, who is 41 years old, as JSON."}]
    chat = sdk.chat.completions.create(
        model="smollm2", messages=messages, max_tokens=32, temperature=0, response_format=wanted
    )
    person = json.loads(chat.choices[0].message.content or "")
    assert set(person) == {"name", "age"}
    assert isinstance(person["name"], str)
    assert isinstance(person["age"], int)


@pytest.mark.parametrize("stream", [False, True])
def test_a_required_tool_is_called(sdk: openai.OpenAI, stream: bool) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    request: dict[str, Any] = {
        "model": "smollm2",
        "messages": messages,
        "tools": TOOLS,
        "tool_choice": "required",
        "max_tokens": 32,
        "temperature": 0,
    }
    if stream:
        with sdk.chat.completions.stream(**request) as events:
            choice: Any = events.get_final_completion().choices[0]
    else:
        choice = sdk.chat.completions.create(**request).choices[0]
    assert choice.finish_reason == "tool_calls"
    call = choice.message.tool_calls[0]
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    assert call.id


def test_embeddings_have_one_length_in_both_encodings(sdk: openai.OpenAI) -> None:
    texts = ["a cat", "a dog", "the stock exchange"]
    floats = sdk.embeddings.create(model="smollm2", input=texts, encoding_format="float")
    packed = sdk.embeddings.create(model="smollm2", input=texts)
    assert [item.index for item in floats.data] == [0, 1, 2]
    assert {len(item.embedding) for item in floats.data} == {576}
    for one, other in zip(floats.data, packed.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-4)
    assert floats.usage.prompt_tokens > 0


def test_a_legacy_completion(sdk: openai.OpenAI) -> None:
    done = sdk.completions.create(model="smollm2", prompt="One, two, three,", max_tokens=8, temperature=0)
    assert done.choices[0].text
    assert done.usage is not None
    assert 0 < done.usage.completion_tokens <= 8


def test_a_prompt_that_is_too_long_is_refused_in_openais_words(sdk: openai.OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "many words " * 4000}]
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(model="smollm2", messages=messages, max_tokens=8)
    assert caught.value.code == "context_length_exceeded"


def test_leaving_a_stream_frees_the_models_slot(gateway: Gateway, llama: Llama) -> None:
    """Streamed only: this server goes on with an unstreamed answer although its caller has hung up on it."""
    eventually(lambda: llama.busy_slots() == 0, "nobody else is served", timeout=20.0)
    body = {**PLAIN, "max_tokens": 2000, "stream": True, "ignore_eos": True}
    with gateway.stream("/v1/chat/completions", body):
        eventually(lambda: llama.busy_slots() == 1, "the answer is being made", timeout=10.0)
    eventually(lambda: llama.busy_slots() == 0, "the slot is free again", timeout=3.0)
