"""The real Ollama behind the gateway, driven by the official SDKs. What is asserted is structure, never wording.

Skipped, loudly, where there is no Ollama (see ``ollama_program.py``); the versions that it was run with are in
``docs/versioning.md``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import ollama
import openai
import pytest

from pointsman.dialects.ollama.client_grammar import violations
from tests.real.ollama_program import RealOllama, running_ollama
from tests.support.gateway import Gateway
from tests.support.waiting import eventually

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("real_ollama")]

MESSAGES: Final[list[Any]] = [{"role": "user", "content": "What is the capital of France?"}]
PLAIN: Final[dict[str, Any]] = {"model": "plain", "messages": MESSAGES, "max_tokens": 12, "temperature": 0, "seed": 1}
OPTIONS: Final = {"temperature": 0, "seed": 1, "num_predict": 12}
PERSON: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}},
    "required": ["name", "age"],
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
MODEL_TOKENS: Final = 8192


@pytest.fixture(scope="module")
def real(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealOllama]:
    with running_ollama(model_file, tmp_path_factory.mktemp("ollama")) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(real: RealOllama) -> Iterator[Gateway]:
    """Without a configuration: everything is found."""
    with Gateway.start(args=["--ollama", real.url]) as running:
        eventually(lambda: "plain" in _names(running), "its models are found")
        yield running


@pytest.fixture(scope="module")
def sdk(gateway: Gateway) -> openai.OpenAI:
    return gateway.openai(timeout=120.0)


@pytest.fixture(scope="module")
def direct(real: RealOllama) -> Iterator[ollama.Client]:
    with ollama.Client(real.url, timeout=120.0) as client:
        yield client


def test_its_models_are_found_with_what_they_can_do(gateway: Gateway, real: RealOllama) -> None:
    assert _names(gateway) == ["embedder", "plain", "thinker", "tooled"]
    rows = gateway.http("GET", "/api/tags").json()["models"]
    assert sorted(row["name"].removesuffix(":latest") for row in rows) == _names(gateway)
    shown = {name: gateway.http("POST", "/api/show", {"model": name}).json() for name in ("plain", "thinker")}
    for name, ours in shown.items():
        theirs = real.ask("POST", "/api/show", {"model": name}).json()
        assert set(ours["capabilities"]) == set(theirs["capabilities"])
        assert _context(ours) == _context(theirs) == MODEL_TOKENS


def test_text_and_counts_are_those_of_ollama(sdk: openai.OpenAI, direct: ollama.Client) -> None:
    chat = sdk.chat.completions.create(**PLAIN)
    straight = direct.chat("plain", MESSAGES, options=OPTIONS)
    assert chat.choices[0].message.content == straight.message.content
    assert chat.choices[0].finish_reason == straight.done_reason
    assert chat.usage is not None
    assert (chat.usage.prompt_tokens, chat.usage.completion_tokens) == (straight.prompt_eval_count, straight.eval_count)


def test_a_stream_is_the_same_in_pieces(sdk: openai.OpenAI, gateway: Gateway) -> None:
    whole = sdk.chat.completions.create(**PLAIN)
    chunks = list(sdk.chat.completions.create(**PLAIN, stream=True, stream_options={"include_usage": True}))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    native = gateway.http("POST", "/api/chat", {"model": "plain", "messages": MESSAGES, "options": OPTIONS})
    assert violations(native.body) == []
    lines = [json.loads(line) for line in native.body.splitlines()]
    assert "".join(line["message"]["content"] for line in lines) == said


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called(sdk: openai.OpenAI, stream: bool) -> None:
    request: dict[str, Any] = {
        "model": "tooled",
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        "tools": TOOLS,
        "max_tokens": 40,
        "temperature": 0,
    }
    if stream:
        with sdk.chat.completions.stream(**request) as events:
            choice: Any = events.get_final_completion().choices[0]
    else:
        choice = sdk.chat.completions.create(**request).choices[0]
    assert choice.finish_reason == "tool_calls"
    call = choice.message.tool_calls[0]
    assert (call.function.name, call.id[:5]) == ("get_weather", "call_")
    assert isinstance(json.loads(call.function.arguments)["city"], str)


def test_thinking_is_told_apart_and_can_be_switched_off(sdk: openai.OpenAI) -> None:
    request: dict[str, Any] = {**PLAIN, "model": "thinker", "max_tokens": 40}
    thought: Any = sdk.chat.completions.create(**request).choices[0].message
    assert thought.reasoning_content
    assert "<think>" not in thought.content + thought.reasoning_content
    off: Any = sdk.chat.completions.create(**request, reasoning_effort="none").choices[0].message
    assert not getattr(off, "reasoning_content", None)
    assert off.content


def test_a_json_schema_is_kept(sdk: openai.OpenAI) -> None:
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
    messages: list[Any] = [{"role": "user", "content": "Describe Bob, who is 41 years old, as JSON."}]
    chat = sdk.chat.completions.create(
        model="plain", messages=messages, max_tokens=60, temperature=0, response_format=wanted
    )
    person = json.loads(chat.choices[0].message.content or "")
    assert (type(person["name"]), type(person["age"])) == (str, int)


def test_logprobs_and_stop_words(sdk: openai.OpenAI) -> None:
    chat = sdk.chat.completions.create(**PLAIN, logprobs=True, top_logprobs=2)
    logprobs = chat.choices[0].logprobs
    assert logprobs is not None and logprobs.content is not None
    assert "".join(one.token for one in logprobs.content) == chat.choices[0].message.content
    assert {len(one.top_logprobs) for one in logprobs.content} == {2}
    word = (chat.choices[0].message.content or "").split()[2]
    stopped = sdk.chat.completions.create(**PLAIN, stop=[word]).choices[0]
    assert stopped.finish_reason == "stop"
    assert word not in (stopped.message.content or "")


def test_the_window_grows_with_the_prompt_and_nothing_is_cut(
    sdk: openai.OpenAI, real: RealOllama, direct: ollama.Client
) -> None:
    messages: list[Any] = [{"role": "user", "content": "many words " * 2200}]
    chat = sdk.chat.completions.create(**{**PLAIN, "messages": messages})
    assert chat.usage is not None
    assert chat.usage.prompt_tokens > 4096
    assert list(real.loaded().values()) == [MODEL_TOKENS]
    cut = direct.chat("plain", messages, options={**OPTIONS, "num_ctx": 2048})
    assert (cut.prompt_eval_count or 0) <= 2048, "left to itself, Ollama cuts"


def test_what_fits_into_no_window_is_refused(sdk: openai.OpenAI, gateway: Gateway) -> None:
    messages: list[Any] = [{"role": "user", "content": "many words " * 6000}]
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(**{**PLAIN, "messages": messages})
    assert caught.value.code == "context_length_exceeded"


def test_embeddings(sdk: openai.OpenAI, direct: ollama.Client) -> None:
    texts = ["a cat", "a dog", "the stock exchange"]
    through = sdk.embeddings.create(model="embedder", input=texts)
    straight = direct.embed("embedder", texts)
    assert through.usage.prompt_tokens == straight.prompt_eval_count
    for ours, theirs in zip(through.data, straight.embeddings, strict=True):
        assert ours.embedding == pytest.approx(theirs, abs=1e-4)


def test_a_model_in_a_loop_is_cut_short(sdk: openai.OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "no " * 40}]
    request: dict[str, Any] = {"model": "plain", "messages": messages, "temperature": 0, "max_tokens": 400}
    request["extra_body"] = {"repeat_penalty": 0.1}
    chunks = list(sdk.chat.completions.create(**request, stream=True))
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert sdk.chat.completions.create(**request).choices[0].finish_reason == "length"


@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_stops_the_model(gateway: Gateway, sdk: openai.OpenAI, stream: bool) -> None:
    """One answer at a time is made, so that another one is soon made says that the first one is not."""
    body = {**PLAIN, "max_tokens": 4000, "stream": stream, "stop": None, "temperature": 1.0, "repeat_penalty": 1.3}
    with gateway.stream("/v1/chat/completions", body) as live:
        if stream:
            live.next_data()
        else:
            eventually(lambda: _running(gateway) == 1, "it is under way")
    began = time.monotonic()
    sdk.chat.completions.create(**{**PLAIN, "max_tokens": 1})
    assert time.monotonic() - began < 20.0


def test_models_take_turns_in_memory(gateway: Gateway, real: RealOllama, sdk: openai.OpenAI) -> None:
    sdk.chat.completions.create(**{**PLAIN, "max_tokens": 1})
    assert "embedder:latest" not in real.loaded()
    sdk.embeddings.create(model="embedder", input="a")
    assert list(real.loaded()) == ["embedder:latest"]
    eventually(lambda: _host(gateway)["loaded"] == ["embedder:latest"], "the gateway has seen it", timeout=20.0)
    assert gateway.http("POST", "/hosts/unload", {"model": "embedder"}).status == 200
    eventually(lambda: real.loaded() == {}, "it is unloaded", timeout=20.0)
    assert gateway.http("POST", "/hosts/load", {"model": "plain"}, timeout=120.0).status == 200
    eventually(lambda: list(real.loaded()) == ["plain:latest"], "it is loaded", timeout=20.0)


def test_a_crash_in_the_middle_is_told_and_got_over(gateway: Gateway, real: RealOllama, sdk: openai.OpenAI) -> None:
    body = {**PLAIN, "max_tokens": 4000, "stream": True}
    with gateway.stream("/v1/chat/completions", body, timeout=60.0) as live:
        live.next_data()
        real.kill()
        rest = list(live.data())
    assert "error" in json.loads(rest[-2])
    assert rest[-1] == b"[DONE]"
    real.start()
    eventually(lambda: gateway.http("POST", "/v1/chat/completions", PLAIN).status == 200, "it serves again", 60.0)


def _names(gateway: Gateway) -> list[str]:
    return sorted(row["id"] for row in gateway.http("GET", "/v1/models").json()["data"])


def _context(shown: dict[str, Any]) -> int:
    """The model's context in tokens; whose architecture stands before it differs."""
    tokens: int = next(value for name, value in shown["model_info"].items() if name.endswith(".context_length"))
    return tokens


def _host(gateway: Gateway) -> dict[str, Any]:
    (row,) = gateway.http("GET", "/queue").json()["hosts"]
    found: dict[str, Any] = row
    return found


def _running(gateway: Gateway) -> int:
    running: int = _host(gateway)["running"]
    return running
