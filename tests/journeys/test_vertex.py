"""Models on Vertex AI, of Google and of others, reached with a token of Google's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import openai
import pytest

from pointsman.dialects.anthropic_messages.grammar import violations
from tests.support.gateway import Gateway, Launch
from tests.upstreams.gemini_shapes import SIGNATURE, answer, call_part, google_error, usage_metadata
from tests.upstreams.google_server import FakeGoogle
from tests.upstreams.reply import Reply

ROOT = "/v1/projects/the-project/locations/europe-west4"
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]
MODELS = {
    "gemini": "gemini-2.5-flash",
    "claude": "claude-sonnet-4-5@20250929",
    "llama": "meta/llama-3.3-70b-instruct-maas",
    "mistral": "mistral-small-2503@001",
    "tuned": "gemini/1234567890",
}
PATHS = {
    "gemini": (
        "/publishers/google/models/gemini-2.5-flash:generateContent",
        "/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    ),
    "claude": (
        "/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
        "/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict",
    ),
    "llama": ("/endpoints/openapi/chat/completions", "/endpoints/openapi/chat/completions"),
    "mistral": (
        "/publishers/mistralai/models/mistral-small-2503@001:rawPredict",
        "/publishers/mistralai/models/mistral-small-2503@001:streamRawPredict",
    ),
    "tuned": ("/endpoints/1234567890:generateContent", "/endpoints/1234567890:streamGenerateContent?alt=sse"),
}


def entry(name: str, model: str, google: FakeGoogle, **params: Any) -> dict[str, Any]:
    base = {"model": f"vertex_ai/{model}", "api_base": google.url, "vertex_location": "europe-west4"}
    return {"model_name": name, "litellm_params": {**base, **params}}


class House:
    """A gateway before Vertex AI, with a service account in its configuration."""

    def __init__(self, gateway: Gateway, google: FakeGoogle) -> None:
        self.gateway = gateway
        self.google = google
        self.sdk = gateway.openai()
        self.claude = gateway.anthropic()


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with FakeGoogle() as google:
        account = google.service_account()
        entries = [entry(name, model, google, vertex_credentials=account) for name, model in MODELS.items()]
        with Gateway.start({"model_list": entries}) as gateway:
            yield House(gateway, google)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    running.google.forget()
    yield running
    running.google.clear()


def ask(text: str = "one two three") -> Any:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_an_openai_client_reaches_every_kind_of_model(house: House, model: str, stream: bool) -> None:
    told: Any = house.sdk.chat.completions.create(model=model, messages=ask(), stream=stream)
    if stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in told if chunk.choices)
    else:
        text = told.choices[0].message.content
    assert text.startswith("Hello from")
    request = house.google.inference[-1]
    assert request.target == ROOT + PATHS[model][stream]
    assert (request.header("authorization") or "").startswith("Bearer google-token-")
    body = request.json()
    if model == "claude":
        assert body["anthropic_version"] == "vertex-2023-10-16" and "model" not in body
    elif model in {"llama", "mistral"}:
        assert body["model"] == MODELS[model].partition("@")[0]


@pytest.mark.parametrize("model", MODELS)
def test_an_anthropic_client_reaches_them_too(house: House, model: str) -> None:
    message = house.claude.messages.create(model=model, max_tokens=64, messages=ask())
    assert message.content[0].type == "text" and message.content[0].text.startswith("Hello from")
    body = {"model": model, "max_tokens": 64, "messages": ask(), "stream": True}
    told = house.gateway.http("POST", "/v1/messages", body)
    assert (told.status, violations(told.body)) == (200, [])
    assert house.google.inference[-1].target == ROOT + PATHS[model][True]


def test_tools_and_their_results_go_without_ids_but_with_signatures(house: House) -> None:
    parts = [
        call_part("get_weather", {"city": city}, signature=SIGNATURE if city == "Paris" else None)
        for city in ("Paris", "Rome")
    ]
    house.google.script(Reply.json(answer(parts, usage_metadata(5, 5))))
    choice: Any = house.sdk.chat.completions.create(model="gemini", messages=ask(), tools=TOOLS).choices[0]
    calls = choice.message.tool_calls
    assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Paris", "Rome"]
    results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls]
    asked = [call.model_dump(include={"id", "type", "function"}) for call in calls]
    turns: Any = [*ask(), {"role": "assistant", "content": None, "tool_calls": asked}, *results]
    house.sdk.chat.completions.create(model="gemini", messages=turns, tools=TOOLS)
    contents = house.google.inference[-1].json()["contents"]
    assert contents[1]["parts"][0] == parts[0]
    assert [part["functionResponse"].keys() for part in contents[2]["parts"]] == [{"name", "response"}] * 2


def test_texts_are_embedded(house: House) -> None:
    options: Any = {"encoding_format": "float", "extra_body": {"task_type": "RETRIEVAL_QUERY"}}
    found = house.sdk.embeddings.create(model="gemini", input=["a", "b"], dimensions=2, **options)
    assert [one.embedding for one in found.data] == [[0.25, -0.5], [0.25, -0.5]]
    assert found.usage.prompt_tokens == 4
    request = house.google.inference[-1]
    assert request.target == ROOT + "/publishers/google/models/gemini-2.5-flash:predict"
    assert request.json() == {
        "instances": [{"content": text, "task_type": "RETRIEVAL_QUERY"} for text in ("a", "b")],
        "parameters": {"outputDimensionality": 2},
    }


def test_an_error_of_vertex(house: House) -> None:
    house.google.script(Reply.json([google_error(400, "INVALID_ARGUMENT", "Vertex says no.")], 400))
    with pytest.raises(openai.BadRequestError, match="Vertex says no"):
        house.sdk.chat.completions.create(model="gemini", messages=ask())


def test_all_models_share_one_token_however_many_ask_at_once(launch: Launch) -> None:
    with FakeGoogle() as google:
        account = google.service_account()
        entries = [entry(name, model, google, vertex_credentials=json.dumps(account)) for name, model in MODELS.items()]
        gateway = launch({"model_list": entries})
        with ThreadPoolExecutor(8) as pool:
            statuses = set(pool.map(lambda name: gateway.chat(name).status, [*MODELS, *MODELS, *MODELS]))
        assert (statuses, len(google.token_requests)) == ({200}, 1)


def test_a_token_that_was_taken_back_is_replaced_once(house: House) -> None:
    house.sdk.chat.completions.create(model="gemini", messages=ask())
    house.google.good_tokens.clear()
    with pytest.raises(openai.AuthenticationError):
        house.sdk.chat.completions.create(model="gemini", messages=ask())
    before = len(house.google.token_requests)
    for model in ("gemini", "llama", "claude"):
        house.sdk.chat.completions.create(model=model, messages=ask())
    assert len(house.google.token_requests) == before + 1


def test_credentials_in_a_file_a_person_and_a_machine(launch: Launch) -> None:
    with FakeGoogle() as google:
        gateway = launch(ready=False)
        file = gateway.directory / "account.json"
        file.write_text(json.dumps(google.service_account("files-project")))
        usual = gateway.directory / ".config" / "gcloud"
        usual.mkdir(parents=True)
        (usual / "application_default_credentials.json").write_text(json.dumps(google.person()))
        named = launch(
            {
                "model_list": [
                    entry("file", "gemini-2.5-flash", google, vertex_credentials=str(file)),
                    entry("person", "gemini-2.5-flash", google),
                ]
            },
            env={"CLOUDSDK_CONFIG": str(usual)},
        )
        machine = launch(
            {"model_list": [entry("machine", "gemini-2.5-flash", google)]},
            env={"GCE_METADATA_HOST": google.url.removeprefix("http://")},
        )
        for house, name in ((named, "file"), (named, "person"), (machine, "machine")):
            answered = house.chat(name)
            assert answered.status == 200, answered.body
        projects = [request.path.split("/")[3] for request in google.inference]
        assert projects == ["files-project", "persons-project", "machines-project"]


def test_credentials_that_are_none_say_what_to_check(launch: Launch) -> None:
    with FakeGoogle() as google:
        gone = {**google.person(), "refresh_token": "revoked"}
        config = {
            "model_list": [
                entry("gone", "gemini-2.5-flash", google, vertex_project="p", vertex_credentials=gone),
                entry("nofile", "gemini-2.5-flash", google, vertex_project="p", vertex_credentials="/no/such.json"),
                entry("kind", "gemini-2.5-flash", google, vertex_credentials={"type": "gdch_service_account"}),
            ]
        }
        gateway = launch(config)
        for name, word in (
            ("gone", "Token has been revoked"),
            ("nofile", "cannot be read"),
            ("kind", "gdch_service_account"),
        ):
            answered = gateway.chat(name)
            assert answered.status == 401 and word in answered.json()["error"]["message"]
        assert google.inference == []


def test_tokens_are_counted_by_gemini_on_vertex(house: House) -> None:
    whole = {
        "contents": [{"role": "user", "parts": [{"text": "one two three"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "safetySettings": [],
    }
    told = house.gateway.http(
        "POST", "/v1beta/models/gemini:countTokens", {"generateContentRequest": {"model": "models/gemini", **whole}}
    )
    assert (told.status, told.json()["totalTokens"]) == (200, 1003)
    (asked,) = house.google.questions
    assert asked.target == f"{ROOT}/publishers/google/models/gemini-2.5-flash:countTokens"
    del whole["safetySettings"]
    assert asked.json() == whole
    assert (asked.header("authorization") or "").startswith("Bearer google-token-")


def test_tokens_are_counted_by_claude_on_vertex(house: House) -> None:
    counted = house.claude.messages.count_tokens(model="claude", messages=ask())
    assert counted.input_tokens == 1003
    contents = [{"role": "user", "parts": [{"text": "one two three"}]}]
    told = house.gateway.http("POST", "/v1beta/models/claude:countTokens", {"contents": contents})
    assert (told.json(), told.headers["x-pointsman-token-count"]) == ({"totalTokens": 1003}, "upstream")
    for asked in house.google.questions:
        assert asked.target == f"{ROOT}/publishers/anthropic/models/count-tokens:rawPredict"
        body = asked.json()
        assert body.keys() == {"anthropic_version", "messages", "model"}
        assert (body["anthropic_version"], body["model"]) == ("vertex-2023-10-16", "claude-sonnet-4-5@20250929")


def test_others_on_vertex_are_estimated(house: House) -> None:
    counted = house.claude.messages.with_raw_response.count_tokens(model="llama", messages=ask())
    assert counted.headers["x-pointsman-token-count"] == "estimate" and not house.google.questions


@pytest.mark.parametrize("stream", [False, True])
def test_an_anthropic_client_is_relayed_to_claude(house: House, stream: bool) -> None:
    block = {"type": "block_of_next_year", "payload": [1.50]}
    body = {"max_tokens": 64, "messages": [{"role": "user", "content": [block]}], "stream": stream, "field": {"a": 1}}
    betas = {"anthropic-beta": "files-api-2025-04-14"}
    house.google.script(
        Reply.stream([{**block, "index": 0}, {"type": "message_stop"}], done=False) if stream else Reply.json(
            {"type": "message", "content": [block], "stop_reason": "end_turn", "usage": {"input_tokens": 1}}
        )
    )  # fmt: skip
    told = house.gateway.http("POST", "/v1/messages", {"model": "claude", **body}, headers=betas)
    assert (told.status, b"block_of_next_year" in told.body) == (200, True)
    request = house.google.inference[-1]
    assert request.target == ROOT + PATHS["claude"][stream]
    assert request.json() == {"anthropic_version": "vertex-2023-10-16", **body}
    assert request.header("anthropic-beta") == betas["anthropic-beta"]


def test_what_claude_on_vertex_cannot_fetch_is_refused_by_its_path(house: House) -> None:
    source = {"type": "url", "url": "https://papers.example/a.pdf"}
    messages: Any = [{"role": "user", "content": [{"type": "document", "source": source}]}]
    with pytest.raises(anthropic.BadRequestError, match="Remote documents are not fetched"):
        house.claude.messages.create(model="claude", max_tokens=64, messages=messages)


@pytest.mark.parametrize(
    "path",
    [
        "v1/projects/the-project/locations/europe-west4/publishers/google/models/gemini-x:generateContent",
        "v1/projects/others/locations/us-central1/publishers/google/models/gemini-x:generateContent",
        "publishers/google/models/gemini-x:generateContent",
    ],
)
def test_vertexs_own_api_is_reached_in_the_operators_place(house: House, path: str) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "one two three"}]}]}
    key = house.gateway.new_key(allowed_passthrough_routes=["/vertex_ai/*"])
    told = house.gateway.http("POST", f"/vertex_ai/{path}?a=1", body, key=key)
    assert told.status == 200 and "Hello" in told.json()["candidates"][0]["content"]["parts"][0]["text"]
    request = house.google.inference[-1]
    assert request.target == f"{ROOT}/publishers/google/models/gemini-x:generateContent?a=1"
    assert (request.header("authorization") or "").startswith("Bearer google-token-")
    (row,) = house.gateway.settled_ledger(1, key)
    assert row["prompt_tokens"] == 3


def test_a_newer_version_of_vertexs_api_is_kept(house: House) -> None:
    house.gateway.http("POST", "/vertex_ai/v1beta1/publishers/google/models/gemini-x:countTokens", {"contents": []})
    root = ROOT.replace("/v1/", "/v1beta1/")
    assert house.google.questions[-1].target == f"{root}/publishers/google/models/gemini-x:countTokens"
