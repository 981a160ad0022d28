"""Ollama's official SDK uses models of every provider, with a key, and cannot tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ollama
import pytest

from pointsman.dialects.ollama.client_grammar import violations
from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel
from tests.upstreams.openai_shapes import chat_reply, tool_call, usage
from tests.upstreams.reply import Reply

MODELS = ["local", "cloud"]


@contextmanager
def closing_client(gateway: Gateway, key: str) -> Iterator[ollama.Client]:
    """The official SDK; it has no way to be closed but its inner client's."""
    client = ollama.Client(host=gateway.url, headers={"Authorization": f"Bearer {key}"})
    try:
        yield client
    finally:
        client._client.close()


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Gateway, ollama.Client, FakeOpenAI]]:
    with FakeOllama([OllamaModel("llama3.1:8b")]) as local, FakeOpenAI() as cloud:
        entries = [ollama_entry("local", local, "llama3.1:8b"), openai_entry("cloud", cloud)]
        with Gateway.start({"model_list": entries}) as gateway:
            key = gateway.new_key(models=MODELS)
            with closing_client(gateway, key) as client:
                yield gateway, client, cloud


def ask(text: str = "one two three") -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("model", MODELS)
def test_a_chat(house: tuple[Gateway, ollama.Client, FakeOpenAI], model: str) -> None:
    answer = house[1].chat(model=model, messages=ask())
    assert (answer.model, answer.done, answer.done_reason) == (model, True, "stop")
    assert "Hello" in (answer.message.content or "")
    assert (answer.prompt_eval_count or 0) > 0 and (answer.eval_count or 0) > 0


@pytest.mark.parametrize("model", MODELS)
def test_a_stream(house: tuple[Gateway, ollama.Client, FakeOpenAI], model: str) -> None:
    pieces = list(house[1].chat(model=model, messages=ask(), stream=True))
    assert len(pieces) > 3 and [piece.done for piece in pieces[:-1]] == [False] * (len(pieces) - 1)
    assert pieces[-1].done and "Hello" in "".join(piece.message.content or "" for piece in pieces)
    body = {"model": model, "messages": ask()}
    answer = house[0].http("POST", "/api/chat", body)
    assert (answer.status, violations(answer.body)) == (200, [])
    assert answer.headers["content-type"] == "application/x-ndjson"


def test_tools_of_another_provider(house: tuple[Gateway, ollama.Client, FakeOpenAI]) -> None:
    calls = [tool_call("get_weather", json.dumps({"city": city}), n) for n, city in enumerate(("Paris", "Rome"))]
    house[2].script(Reply.json(chat_reply(None, usage(9, 4), tool_calls=calls, finish_reason="tool_calls")))
    function = {"name": "get_weather", "description": "d", "parameters": {"type": "object", "properties": {}}}
    tools: Any = [{"type": "function", "function": function}]
    answer = house[1].chat(model="cloud", messages=ask(), tools=tools)
    found = [(call.function.name, dict(call.function.arguments)) for call in answer.message.tool_calls or ()]
    assert found == [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]


def test_the_models_of_the_key_are_listed(house: tuple[Gateway, ollama.Client, FakeOpenAI]) -> None:
    assert {model.model for model in house[1].list().models} == set(MODELS)
    assert house[0].http("GET", "/api/version", key="").json()["version"]


def test_errors_are_those_of_ollama(house: tuple[Gateway, ollama.Client, FakeOpenAI]) -> None:
    with pytest.raises(ollama.ResponseError) as refused:
        house[1].chat(model="nobody", messages=ask())
    assert refused.value.status_code in {400, 404} and "nobody" in refused.value.error
    with closing_client(house[0], "sk-nobody") as client, pytest.raises(ollama.ResponseError) as stranger:
        client.chat(model="local", messages=ask())
    assert stranger.value.status_code == 401


@pytest.mark.parametrize("model", MODELS)
def test_a_prompt(house: tuple[Gateway, ollama.Client, FakeOpenAI], model: str) -> None:
    answer = house[1].generate(model=model, prompt="one two three", system="be brief", options={"num_predict": 32})
    assert (answer.model, answer.done, answer.done_reason) == (model, True, "stop")
    assert "Hello" in (answer.response or "") and (answer.eval_count or 0) > 0
    pieces = list(house[1].generate(model=model, prompt="one two three", stream=True))
    assert len(pieces) > 3 and pieces[-1].done and "Hello" in "".join(piece.response or "" for piece in pieces)


def test_a_text_to_be_filled_in_is_completed_by_who_completes(
    house: tuple[Gateway, ollama.Client, FakeOpenAI],
) -> None:
    answer = house[1].generate(model="cloud", prompt="def f(", suffix="return x")
    sent = house[2].matching("/v1/completions")[-1].json()
    assert (sent["prompt"], sent["suffix"]) == ("def f(", "return x")
    assert answer.done and answer.response
    pieces = list(house[1].generate(model="cloud", prompt="def f(", suffix="return x", stream=True))
    assert pieces[-1].done and "".join(piece.response or "" for piece in pieces)


def test_a_template_is_for_ollama_alone(house: tuple[Gateway, ollama.Client, FakeOpenAI]) -> None:
    with pytest.raises(ollama.ResponseError) as caught:
        house[1].generate(model="cloud", prompt="x", template="{{ .Prompt }}")
    assert caught.value.status_code == 400 and "template" in caught.value.error


@pytest.mark.parametrize("model", MODELS)
def test_embeddings(house: tuple[Gateway, ollama.Client, FakeOpenAI], model: str) -> None:
    found = house[1].embed(model=model, input=["a", "b"])
    assert found.model == model and len(found.embeddings) == 2 and found.embeddings[0]
    assert len(house[1].embeddings(model=model, prompt="a").embedding) == len(found.embeddings[0])


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_loaded(house: tuple[Gateway, ollama.Client, FakeOpenAI], model: str) -> None:
    before = len(house[2].requests)
    answer = house[1].generate(model=model, keep_alive="10m")
    assert (answer.model, answer.response, answer.done, answer.done_reason) == (model, "", True, "load")
    chat = house[1].chat(model=model, messages=[])
    assert (chat.message.content, chat.done_reason) == ("", "load")
    assert house[1].embed(model=model, input=[]).embeddings == []
    assert len(house[2].requests) == before


def test_a_model_is_loaded_where_it_lives(house: tuple[Gateway, ollama.Client, FakeOpenAI]) -> None:
    with FakeOllama([OllamaModel("llama3.1:8b")]) as host:
        config = {"model_list": [ollama_entry("own", host, "llama3.1:8b")]}
        with Gateway.start(config) as gateway, closing_client(gateway, gateway.master_key) as client:
            assert client.generate(model="own", keep_alive=0).done_reason == "unload"
            sent = host.matching("/api/generate")[-1].json()
    assert (sent["model"], sent["keep_alive"], sent["stream"]) == ("llama3.1:8b", 0, False)


def test_a_model_of_the_cloud_is_shown_with_what_the_catalogue_knows() -> None:
    claude = {"model": "anthropic/claude-sonnet-4-5", "api_key": "sk-none"}
    config = {"model_list": [{"model_name": "claude", "litellm_params": claude}]}
    with Gateway.start(config) as gateway, closing_client(gateway, gateway.master_key) as client:
        assert client.show("claude").capabilities == ["completion", "tools", "vision", "thinking"]


def test_a_model_that_nobody_serves_is_told_as_ollama_does(house: tuple[Gateway, ollama.Client, FakeOpenAI]) -> None:
    with pytest.raises(ollama.ResponseError) as caught:
        house[1].chat(model="nowhere", messages=ask())
    assert caught.value.status_code == 404
    body = {"contents": [{"parts": [{"text": "Hi"}]}]}
    assert house[0].http("POST", "/v1beta/models/nowhere:generateContent", body).status == 404


def test_a_model_is_shown(house: tuple[Gateway, ollama.Client, FakeOpenAI]) -> None:
    shown = house[1].show("local")
    assert shown.capabilities == ["completion", "tools"]
    assert shown.modelinfo is not None and 32_768 in shown.modelinfo.values()
    with pytest.raises(ollama.ResponseError) as caught:
        house[1].show("nowhere")
    assert (caught.value.status_code, caught.value.error) == (404, "model 'nowhere' not found")
    assert house[1].ps().models == []


def test_models_are_managed_elsewhere(house: tuple[Gateway, ollama.Client, FakeOpenAI]) -> None:
    for ask in (house[1].pull, house[1].push, house[1].delete):
        with pytest.raises(ollama.ResponseError) as caught:
            ask("llama3.1:8b")
        assert caught.value.status_code == 403
    for path in ("/api/pull", "/api/push", "/api/create", "/api/copy"):
        answer = house[0].http("POST", path, {"model": "llama3.1:8b"})
        assert answer.status == 403 and "not managed through the gateway" in answer.json()["error"]


def test_an_operator_may_have_models_managed() -> None:
    progress = [{"status": word} for word in ("pulling manifest", "pulling", "success")]
    with FakeOllama([OllamaModel("llama3.1:8b")]) as host, FakeOllama([OllamaModel("llama3.1:8b")]) as other:
        entries = [ollama_entry("own", host, "llama3.1:8b")]
        config = {"model_list": entries, "pointsman": {"ollama_management": True}}
        with Gateway.start(config) as gateway, closing_client(gateway, gateway.master_key) as client:
            host.script(Reply.ndjson(progress))
            assert [{"status": step.status} for step in client.pull("qwen3", stream=True)] == progress
            assert host.matching("/api/pull")[-1].json() == {"model": "qwen3", "insecure": False, "stream": True}
            host.script(Reply.json({}))
            assert client.delete("qwen3").status == "success"
            assert (host.requests[-1].method, host.requests[-1].json()) == ("DELETE", {"model": "qwen3"})
            host.script(Reply.ollama_error(404, "model 'qwen3' not found"))
            with pytest.raises(ollama.ResponseError) as caught:
                client.copy("qwen3", "mine")
            assert caught.value.status_code == 404 and "'qwen3' not found" in caught.value.error
            elsewhere = gateway.http("POST", f"/api/pull?host={other.url}", {"model": "qwen3"})
            assert elsewhere.status == 404 and not other.requests
            key = gateway.new_key()
            assert gateway.http("POST", "/api/pull", {"model": "qwen3"}, key=key).status == 403
