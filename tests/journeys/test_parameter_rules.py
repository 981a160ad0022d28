"""What becomes of single parameters, whoever asks whom: dropped, passed on, shown, never a way to somewhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
UPSTREAM_KEY = "sk-up-claude-0123456789"
CLAUDE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": "Hi"}],
    "usage": {"input_tokens": 3, "output_tokens": 1},
}  # fmt: skip

ROUTES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": HELLO}),
    ("/v1/responses", {"input": "Hello"}),
    ("/v1/messages", {"max_tokens": 9, "messages": HELLO}),
    ("/api/chat", {"messages": HELLO, "stream": False}),
    ("/v1beta/models/{model}:generateContent", {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}),
    ("/api/generate", {"prompt": "Hello", "stream": False}),
]
REST: list[tuple[str, str, dict[str, Any]]] = [
    ("compatible", "/v1/completions", {"prompt": "Hello"}),
    ("compatible", "/v1/embeddings", {"input": "Hello"}),
    ("local", "/v1/completions", {"prompt": "Hello"}),
    ("embedder", "/v1/embeddings", {"input": "Hello"}),
    ("embedder", "/api/embed", {"input": "Hello"}),
]
EVERY_LANE = [(model, *route) for model in ("compatible", "claude", "local") for route in ROUTES] + REST


class House:
    def __init__(self, gateway: Gateway, openai: FakeOpenAI, claude: FakeOpenAI, ollama: FakeOllama) -> None:
        self.gateway = gateway
        self.openai = openai
        self.claude = claude
        self.ollama = ollama

    def sent(self) -> list[RecordedRequest]:
        """All but the questions whether a server has a route, which say nothing of a request."""
        compatible = [request for request in self.openai.requests if request.path != "/v1/responses"]
        return [*compatible, *self.claude.requests, *self.ollama.inference]

    def asked(self) -> int:
        return len(self.sent())


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    models = [
        OllamaModel("llama3.1:8b", capabilities=("completion", "tools", "insert")),
        OllamaModel("nomic-embed-text", capabilities=("embedding",), family="nomic-bert", context_length=2048),
    ]
    with FakeOpenAI() as openai, FakeOpenAI() as claude, FakeOllama(models) as ollama:
        anthropic = {"model": "anthropic/claude", "api_base": claude.url, "api_key": UPSTREAM_KEY}
        entries = [
            openai_entry("compatible", openai, additional_drop_params=["tools[*].function.strict"]),
            {"model_name": "claude", "litellm_params": anthropic},
            {
                "model_name": "claude-allowing",
                "litellm_params": {
                    **anthropic, "allowed_openai_params": ["seed"], "drop_params": True,
                    "extra_headers": {"x-secret-header": "sk-own-9876543210"}, "secret_token": "sk-pinned-123456",
                },
            },
            ollama_entry("local", ollama, "llama3.1:8b"),
            ollama_entry("embedder", ollama, "nomic-embed-text"),
        ]  # fmt: skip
        config = {"model_list": entries, "litellm_settings": {"modify_params": True}}
        with Gateway.start(config) as gateway:
            claude.always(Reply.json(CLAUDE))
            yield House(gateway, openai, claude, ollama)


@pytest.fixture
def house(running: House) -> House:
    for upstream in (running.openai, running.claude, running.ollama):
        upstream.forget()
    return running


@pytest.mark.parametrize(("model", "path", "body"), EVERY_LANE)
def test_no_request_says_where_it_goes_on_any_lane(house: House, model: str, path: str, body: dict[str, Any]) -> None:
    for name, value in (
        ("api_base", "http://127.0.0.1:9/"), ("base_url", "http://127.0.0.1:9/"), ("api_key", "sk-mine"),
        ("custom_llm_provider", "openai"), ("extra_headers", {"authorization": "x"}), ("aws_region_name", "x"),
        ("vertex_project", "x"), ("azure_ad_token", "x"), ("api_version", "x"), ("user_config", {}),
    ):  # fmt: skip
        answer = house.gateway.http("POST", path.replace("{model}", model), {"model": model, **body, name: value})
        assert answer.status == 400 and f"{name} cannot be set by a request" in answer.body.decode()
    assert house.asked() == 0


@pytest.mark.parametrize(("model", "path", "body"), EVERY_LANE)
def test_rules_reach_no_upstream(house: House, model: str, path: str, body: dict[str, Any]) -> None:
    rules = {"drop_params": True, "additional_drop_params": ["zzz"], "allowed_openai_params": ["yyy"], "tags": ["a"]}
    answer = house.gateway.http("POST", path.replace("{model}", model), {"model": model, **body, **rules})
    assert answer.status == 200, answer.body
    sent = house.sent()
    assert len(sent) == 1
    assert not {*rules, "litellm_metadata"} & sent[0].json().keys()


def test_the_operators_paths_are_dropped_on_the_express_lane(house: House) -> None:
    assert house.gateway.chat("compatible", tools=[TOOL]).status == 200
    assert "strict" not in house.openai.requests[0].json()["tools"][0]["function"]


def test_drop_params_of_a_request(house: House) -> None:
    assert house.gateway.chat("claude", seed=1).status == 400
    assert house.gateway.chat("claude", seed=1, drop_params=True).status == 200
    assert "seed" not in house.claude.requests[0].json()


def test_an_allowed_parameter_is_passed_on(house: House) -> None:
    assert house.gateway.chat("claude-allowing", seed=1, logit_bias={"1": 1}).status == 200
    body = house.claude.requests[0].json()
    assert body["seed"] == 1 and "logit_bias" not in body


def test_modify_params_mends(house: House) -> None:
    answer = house.gateway.http(
        "POST", "/v1/chat/completions", {"model": "claude", "messages": [{"role": "system", "content": "Be kind"}]}
    )
    assert answer.status == 200, answer.body
    assert house.claude.requests[0].json()["messages"] == [{"role": "user", "content": "Please continue."}]


def lower(request: RecordedRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers}


def test_beta_headers_reach_their_own_family(house: House) -> None:
    headers = {
        "anthropic-beta": "context-1m-2025-08-07",
        "OpenAI-Beta": "assistants=v2",
        "anthropic-version": "2023-06-01",
    }
    for model, path, body in (("claude", *ROUTES[2]), ("claude", *ROUTES[0]), ("compatible", *ROUTES[0])):
        assert house.gateway.http("POST", path, {"model": model, **body}, headers=headers).status == 200
    for request in house.claude.requests:
        headers = lower(request)
        assert headers["anthropic-beta"] == "context-1m-2025-08-07" and "openai-beta" not in headers
    (request,) = house.openai.requests
    headers = lower(request)
    assert headers["openai-beta"] == "assistants=v2" and "anthropic-beta" not in headers


def test_an_azure_style_version_is_accepted(house: House) -> None:
    path = "/openai/deployments/compatible/chat/completions?api-version=2024-10-21"
    assert house.gateway.http("POST", path, {"messages": HELLO}).status == 200


def transformed(house: House, call_type: str, body: dict[str, Any], key: str | None = None) -> dict[str, Any]:
    asked = {"call_type": call_type, "request_body": body}
    answer = house.gateway.http("POST", "/utils/transform_request", asked, key=key)
    assert answer.status == 200, answer.body
    assert house.asked() == 0
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("model", ["compatible", "claude", "local"])
@pytest.mark.parametrize(
    ("call_type", "route"),
    [("completion", ROUTES[0]), ("acompletion", ROUTES[0]), ("responses", ROUTES[1]), ("anthropic_messages", ROUTES[2]),
     ("ollama_chat", ROUTES[3]), ("agenerate_content", ROUTES[4]), ("ollama_generate", ROUTES[5])],
)  # fmt: skip
def test_what_is_shown_is_what_is_sent(
    house: House, model: str, call_type: str, route: tuple[str, dict[str, Any]]
) -> None:
    path, fields = route
    body = {"model": model, **fields}
    shown = transformed(house, call_type, body)
    assert house.gateway.http("POST", path.replace("{model}", model), body).status == 200
    (sent,) = house.sent()
    assert shown["raw_request_body"] == sent.json()
    assert shown["raw_request_api_base"].endswith(sent.path)
    assert shown["raw_request_api_base"].startswith("http://127.0.0.1:")
    assert shown["error"] is None


@pytest.mark.parametrize(
    ("call_type", "rest"), [("text_completion", REST[0]), ("aembedding", REST[1]), ("atext_completion", REST[2]),
                            ("embedding", REST[3])],
)  # fmt: skip
def test_so_it_is_without_a_conversation(house: House, call_type: str, rest: tuple[str, str, dict[str, Any]]) -> None:
    model, path, fields = rest
    body = {"model": model, **fields}
    shown = transformed(house, call_type, body)
    assert house.gateway.http("POST", path, body).status == 200
    (sent,) = [*house.openai.requests, *house.ollama.inference]
    assert shown["raw_request_body"] == sent.json() and shown["raw_request_api_base"].endswith(sent.path)


def test_nothing_secret_is_shown_nor_the_address_to_a_virtual_key(house: House) -> None:
    body = {"model": "claude-allowing", "messages": HELLO}
    shown = transformed(house, "completion", body)
    assert shown["raw_request_headers"]["x-api-key"] == "****"
    assert shown["raw_request_headers"]["anthropic-version"] == "2023-06-01"
    key = house.gateway.new_key()
    told = transformed(house, "completion", body, key)
    for text in (str(shown), str(told)):
        assert UPSTREAM_KEY not in text and "sk-own-9876543210" not in text and "sk-pinned-123456" not in text
    assert "127.0.0.1" not in str(told) and str(house.claude.port) not in str(told)


def test_a_key_sees_only_models_that_it_may_use(house: House) -> None:
    key = house.gateway.new_key(models=["compatible"])
    asked = {"call_type": "completion", "request_body": {"model": "claude", "messages": HELLO}}
    assert house.gateway.http("POST", "/utils/transform_request", asked, key=key).status == 403
    assert house.gateway.http("GET", "/utils/supported_openai_params?model=claude", key=key).status == 400


def test_a_request_that_would_be_refused_is_refused_here_too(house: House) -> None:
    for body, status in (
        ({"model": "claude", "messages": HELLO, "seed": 1}, 400),
        ({"model": "claude", "messages": HELLO, "api_base": "http://x"}, 400),
        ({"model": "nobody", "messages": HELLO}, 400),
    ):
        asked = {"call_type": "completion", "request_body": body}
        assert house.gateway.http("POST", "/utils/transform_request", asked).status == status
    odd = {"call_type": "rain_dance", "request_body": {}}
    assert "call_type" in house.gateway.http("POST", "/utils/transform_request", odd).error["message"]


def test_supported_params(house: House) -> None:
    for model, has, lacks in (
        ("compatible", "logit_bias", "nothing"), ("claude", "stop", "seed"), ("local", "seed", "logit_bias"),
        ("embedder", "dimensions", "temperature"),
    ):  # fmt: skip
        answer = house.gateway.http("GET", f"/utils/supported_openai_params?model={model}")
        found = answer.json()["supported_openai_params"]
        assert has in found and lacks not in found
    for model, has, lacks in (("gpt-4o", "logit_bias", "nothing"), ("anthropic/claude-sonnet-4-5", "thinking", "seed")):
        answer = house.gateway.http("GET", f"/utils/supported_openai_params?model={model}")
        found = answer.json()["supported_openai_params"]
        assert has in found and lacks not in found
    unknown = house.gateway.http("GET", "/utils/supported_openai_params?model=nobody")
    assert unknown.status == 400 and "Could not map model=nobody" in unknown.error["message"]
