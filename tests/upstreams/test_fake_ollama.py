"""The fake Ollama behaves as the real one's sources say, examined by the official ``ollama`` SDK and plain HTTP."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import msgspec
import ollama
import pytest

from tests.upstreams import FakeOllama, OllamaModel, Reply, Turn

TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


@pytest.fixture
def upstream() -> Iterator[FakeOllama]:
    models = [
        OllamaModel("llama3.1:8b", context_length=8192),
        OllamaModel("nomic-embed-text", capabilities=("embedding",), family="nomic-bert", context_length=2048),
    ]
    with FakeOllama(models) as server:
        yield server


@pytest.fixture
def sdk(upstream: FakeOllama) -> Iterator[ollama.Client]:
    with ollama.Client(upstream.url) as client:
        yield client


def ask(upstream: FakeOllama, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=5.0)
    try:
        data = None if body is None else msgspec.json.encode(body)
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def chat(upstream: FakeOllama, text: str, **fields: Any) -> tuple[int, Any]:
    body = {"model": "llama3.1:8b", "messages": [{"role": "user", "content": text}], "stream": False, **fields}
    status, data = ask(upstream, "POST", "/api/chat", body)
    return status, msgspec.json.decode(data)


def test_the_official_sdk_understands_the_lists(upstream: FakeOllama, sdk: ollama.Client) -> None:
    assert [model.model for model in sdk.list().models] == ["llama3.1:8b", "nomic-embed-text:latest"]
    shown = sdk.show("llama3.1:8b")
    assert shown.capabilities == ["completion", "tools"]
    assert shown.modelinfo is not None
    assert shown.modelinfo["llama.context_length"] == 8192
    assert sdk.ps().models == []
    sdk.generate("llama3.1:8b", "")
    assert [model.model for model in sdk.ps().models] == ["llama3.1:8b"]
    assert ask(upstream, "GET", "/api/version") == (200, b'{"version":"0.33.0"}')
    assert ask(upstream, "GET", "/") == (200, b"Ollama is running")


def test_the_official_sdk_understands_a_streamed_chat(upstream: FakeOllama, sdk: ollama.Client) -> None:
    upstream.says(Turn(pieces=("Hi", " you"), thinking=("hmm",)))
    parts = list(sdk.chat("llama3.1:8b", [{"role": "user", "content": "12345678"}], stream=True))
    assert [part.message.content for part in parts] == ["", "Hi", " you", ""]
    assert parts[0].message.thinking == "hmm"
    assert [part.done for part in parts] == [False, False, False, True]
    assert (parts[-1].done_reason, parts[-1].prompt_eval_count, parts[-1].eval_count) == ("stop", 2, 3)


def test_tool_calls_are_objects_without_ids_and_the_end_is_separate(upstream: FakeOllama) -> None:
    upstream.says(Turn(pieces=(), calls=(("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"}))))
    body = {"model": "llama3.1:8b", "messages": [{"role": "user", "content": "x"}], "tools": [TOOL]}
    status, data = ask(upstream, "POST", "/api/chat", body)
    lines = [msgspec.json.decode(line) for line in data.splitlines()]
    assert status == 200
    calls = [line["message"]["tool_calls"][0] for line in lines[:-1]]
    assert calls == [
        {"function": {"index": 0, "name": "get_weather", "arguments": {"city": "Paris"}}},
        {"function": {"index": 1, "name": "get_weather", "arguments": {"city": "Rome"}}},
    ]
    assert lines[-1]["done_reason"] == "stop"
    assert "tool_calls" not in lines[-1]["message"]


def test_an_error_in_a_stream_is_a_line_in_a_200(upstream: FakeOllama) -> None:
    upstream.says(Turn(error_after=1))
    status, data = ask(upstream, "POST", "/api/chat", {"model": "llama3.1:8b", "messages": [{"content": "x"}]})
    lines = [msgspec.json.decode(line) for line in data.splitlines()]
    assert status == 200
    assert len(lines) == 2
    assert set(lines[1]) == {"error"}


def test_a_long_prompt_is_cut_silently_unless_told_not_to(upstream: FakeOllama) -> None:
    status, answer = chat(upstream, "x" * 4 * 5000)
    assert (status, answer["prompt_eval_count"]) == (200, 4096)
    assert upstream.cut == [(5000, 4096)]
    status, answer = chat(upstream, "x" * 4 * 5000, options={"num_ctx": 8192})
    assert answer["prompt_eval_count"] == 5000
    status, answer = chat(upstream, "x" * 4 * 5000, options={"num_ctx": 4096}, truncate=False)
    assert status == 400
    assert "longer than the context length" in answer["error"]
    assert len(upstream.cut) == 1


def test_another_num_ctx_reloads_the_model(upstream: FakeOllama) -> None:
    model = upstream.models["llama3.1:8b"]
    for window in (4096, 4096, 8192, 8192, 4096):
        chat(upstream, "x", options={"num_ctx": window})
    assert model.loads == 3
    status, answer = chat(upstream, "", messages=[], keep_alive=0)
    assert (status, answer["done_reason"]) == (200, "unload")
    assert model.loaded_context is None


def test_a_cold_load_takes_its_time_once(upstream: FakeOllama) -> None:
    upstream.models["llama3.1:8b"].load_seconds = 0.1
    first = chat(upstream, "x")[1]
    second = chat(upstream, "x")[1]
    assert first["load_duration"] == 100_000_000
    assert second["load_duration"] == 1_000_000


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/api/chat", {"model": "nope", "messages": [{"content": "x"}]}, 404, "model 'nope' not found"),
        ("/api/chat", {"messages": []}, 400, "model is required"),
        ("/api/show", {"model": "nope"}, 404, "model 'nope' not found"),
        (
            "/api/chat",
            {"model": "nomic-embed-text", "messages": [{"content": "x"}]},
            400,
            '"nomic-embed-text" does not support chat',
        ),
        (
            "/api/chat",
            {"model": "llama3.1:8b", "messages": [{"content": "x"}], "think": True},
            400,
            '"llama3.1:8b" does not support thinking',
        ),
        (
            "/api/chat",
            {"model": "llama3.1:8b", "messages": [{"content": "x"}], "format": "xml"},
            500,
            'invalid format: "\\"xml\\""; expected "json" or a valid JSON Schema object',
        ),
        ("/api/chat", [], 400, "json: cannot unmarshal array into Go value of type api.ChatRequest"),
    ],
)
def test_refusals_have_ollamas_status_and_text(
    upstream: FakeOllama, path: str, body: object, status: int, text: str
) -> None:
    assert ask(upstream, "POST", path, body) == (status, msgspec.json.encode({"error": text}))


def test_tools_are_refused_by_models_without_them(upstream: FakeOllama, sdk: ollama.Client) -> None:
    upstream.pull(OllamaModel("plain", capabilities=("completion",)))
    with pytest.raises(ollama.ResponseError, match="library/plain:latest does not support tools") as caught:
        sdk.chat("plain", [{"role": "user", "content": "x"}], tools=[TOOL])
    assert caught.value.status_code == 400


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("gateway.example.com", 403),
        ("8.8.8.8:11434", 403),
        ("localhost:11434", 200),
        ("127.0.0.1:1", 200),
        ("10.0.0.7", 200),
        ("box.local", 200),
        ("[::1]:11434", 200),
    ],
)
def test_a_foreign_host_header_gets_an_empty_403(upstream: FakeOllama, host: str, status: int) -> None:
    got, body = ask(upstream, "GET", "/api/version", Host=host)
    assert got == status
    assert (body == b"") is (status == 403)


def test_embeddings_count_their_tokens_and_can_be_refused(upstream: FakeOllama, sdk: ollama.Client) -> None:
    answer = sdk.embed("nomic-embed-text", ["abcd", "abcdefgh"])
    assert len(answer.embeddings) == 2
    assert answer.prompt_eval_count == 3
    with pytest.raises(ollama.ResponseError, match="exceeds the context length"):
        sdk.embed("nomic-embed-text", "x" * 20_000, truncate=False)


def test_generate_speaks_in_responses(upstream: FakeOllama, sdk: ollama.Client) -> None:
    parts = list(sdk.generate("llama3.1:8b", "tell me", stream=True))
    assert "".join(part.response or "" for part in parts) == "Hello from Ollama."
    assert sdk.generate("llama3.1:8b", "tell me").response == "Hello from Ollama."


def test_scripted_replies_touch_only_what_makes_a_model_work(upstream: FakeOllama) -> None:
    upstream.script(Reply.ollama_error(503, "server busy, please try again.  maximum pending requests exceeded"))
    assert ask(upstream, "POST", "/api/show", {"model": "llama3.1:8b"})[0] == 200
    assert chat(upstream, "x")[0] == 503
    assert chat(upstream, "x")[0] == 200
    assert [request.path for request in upstream.inference] == ["/api/chat", "/api/chat"]
    assert ask(upstream, "GET", "/nowhere")[0] == 404
