"""Models on Azure, for clients of every dialect: by key or by a token of Entra's, streamed or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from pointsman.dialects.anthropic_messages.grammar import violations
from tests.support.gateway import Gateway
from tests.support.waiting import eventually
from tests.upstreams.anthropic_server import message_events
from tests.upstreams.azure_server import FakeAzure, azure_chunks, content_filter_error
from tests.upstreams.openai_extras import AUDIO
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, tool_call, usage
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply, Reset

VERSION = "2024-10-21"
CITIES = ("Paris", "Rome")
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


def entry(name: str, model: str, azure: FakeAzure, **params: Any) -> dict[str, Any]:
    base = {"model": model, "api_base": azure.url, "api_version": VERSION}
    return {"model_name": name, "litellm_params": {**base, **params}}


def entra(**params: Any) -> dict[str, Any]:
    return {"tenant_id": "tenant", "client_id": "client", "client_secret": "entra-secret", **params}


class House:
    """A gateway before one Azure resource."""

    def __init__(self, gateway: Gateway, azure: FakeAzure) -> None:
        self.gateway = gateway
        self.azure = azure
        self.sdk = gateway.openai()

    @property
    def last(self) -> RecordedRequest:
        return self.azure.inference[-1]


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with FakeAzure() as azure:
        entries = [
            entry("keyed", "azure/gpt-4o-prod", azure, api_key="azure-key"),
            entry("thinker", "azure/o_series/my-o3", azure, api_key="azure-key"),
            entry("latest", "azure/gpt-4o-prod", azure, api_key="azure-key", api_version="v1"),
            entry("token", "azure/gpt-4o-prod", azure, **entra()),
            entry("given", "azure/gpt-4o-prod", azure, azure_ad_token="entra-given"),
            entry("wrong", "azure/gpt-4o-prod", azure, **entra(client_id="other", client_secret="no")),
            entry("newer", "azure/gpt-4o-prod", azure, api_key="azure-key", api_version="2025-04-01-preview"),
            entry("newer-token", "azure/o_series/my-o3", azure, api_version="preview", **entra()),
            entry("text", "azure_text/instruct", azure, api_key="azure-key"),
            entry("claude", "azure_ai/claude-sonnet-4-5", azure, api_key="azure-key"),
            entry("claude-token", "azure_ai/claude-sonnet-4-5", azure, **entra()),
            entry("foundry", "azure_ai/Llama-3.3-70B-Instruct", azure, api_key="sk-up"),
        ]
        with Gateway.start({"model_list": entries}, env={"AZURE_AUTHORITY_HOST": azure.url}) as gateway:
            yield House(gateway, azure)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    running.azure.forget()
    running.azure.good_tokens.add("entra-given")
    yield running
    running.azure.clear()
    running.azure.key = None


def ask(text: str = "one two three") -> Any:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize(
    ("model", "target"),
    [
        ("keyed", f"/openai/deployments/gpt-4o-prod/chat/completions?api-version={VERSION}"),
        ("thinker", f"/openai/deployments/my-o3/chat/completions?api-version={VERSION}"),
        ("latest", "/openai/v1/chat/completions"),
        ("given", f"/openai/deployments/gpt-4o-prod/chat/completions?api-version={VERSION}"),
        ("token", f"/openai/deployments/gpt-4o-prod/chat/completions?api-version={VERSION}"),
    ],
)
def test_a_chat_goes_where_azure_takes_it(house: House, model: str, target: str) -> None:
    reply = house.sdk.chat.completions.create(model=model, messages=ask(), max_tokens=64)
    assert reply.choices[0].message.content == "Hello from the fake upstream."
    assert reply.usage is not None and reply.usage.prompt_tokens == 3
    assert house.last.target == target
    assert (house.last.header("api-key") is None) == (model in {"given", "token"})
    limit = "max_completion_tokens" if model == "thinker" else "max_tokens"
    assert house.last.json()[limit] == 64
    assert len({"max_tokens", "max_completion_tokens"} & house.last.json().keys()) == 1


def test_completions_and_embeddings_have_paths_of_their_own(house: House) -> None:
    assert house.sdk.completions.create(model="text", prompt="one two").choices[0].text
    assert house.last.target == f"/openai/deployments/instruct/completions?api-version={VERSION}"
    assert house.sdk.embeddings.create(model="keyed", input=["a", "b"]).data[1].embedding
    embeddings = f"/openai/deployments/gpt-4o-prod/embeddings?api-version={VERSION}"
    assert house.last.target == embeddings
    assert house.gateway.http("POST", "/api/embed", {"model": "token", "input": "a"}).json()["embeddings"]
    assert house.last.target == embeddings and house.last.header("authorization")


def test_foundry_outside_azures_hosts_is_asked_with_a_bearer_key(house: House) -> None:
    house.azure.always(Reply.json(chat_reply("hi", usage(1, 1))))
    assert house.sdk.chat.completions.create(model="foundry", messages=ask()).choices[0].message.content == "hi"
    assert house.last.target == f"/chat/completions?api-version={VERSION}"
    assert house.last.header("authorization") == "Bearer sk-up"
    assert house.last.json()["model"] == "Llama-3.3-70B-Instruct"


def test_claude_in_foundry_is_asked_in_its_own_dialect(house: House) -> None:
    content = [{"type": "text", "text": "Hello from Claude."}]
    counts = {"input_tokens": 5, "output_tokens": 2}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content}
    house.azure.script(Reply.json({**message, "stop_reason": "end_turn", "stop_sequence": None, "usage": counts}))
    reply = house.sdk.chat.completions.create(model="claude", messages=ask())
    assert reply.choices[0].message.content == "Hello from Claude."
    request = house.azure.requests[-1]
    assert request.target == "/anthropic/v1/messages"
    assert (request.header("x-api-key"), request.header("anthropic-version")) == ("azure-key", "2023-06-01")


@pytest.mark.parametrize("model", ["claude", "claude-token"])
def test_an_anthropic_client_is_relayed_to_claude_in_foundry(house: House, model: str) -> None:
    block = {"type": "block_of_next_year", "payload": [1]}
    events = message_events([({"type": "text", "text": ""}, [{"type": "text_delta", "text": "Hi"}]), (block, [])])
    house.azure.script(Reply.named_events(events))
    body = {"max_tokens": 64, "messages": [{"role": "user", "content": [block]}], "stream": True, "field": {"a": 1}}
    betas = {"anthropic-beta": "files-api-2025-04-14"}
    answer = house.gateway.http("POST", "/v1/messages", {"model": model, **body}, headers=betas)
    assert (answer.status, b"block_of_next_year" in answer.body) == (200, True)
    request = house.azure.requests[-1]
    assert (request.target, request.json()) == ("/anthropic/v1/messages", {"model": "claude-sonnet-4-5", **body})
    assert (request.header("anthropic-version"), request.header("anthropic-beta")) == (
        "2023-06-01", betas["anthropic-beta"],
    )  # fmt: skip
    if model == "claude":
        assert request.header("x-api-key") == "azure-key" and request.header("authorization") is None
    else:
        assert (request.header("authorization") or "").startswith("Bearer ")


@pytest.mark.parametrize("model", ["keyed", "token"])
def test_a_stream_keeps_what_azure_says_of_the_prompt(house: House, model: str) -> None:
    house.azure.script(Reply.stream(azure_chunks("Hel", "lo")))
    chunks = list(house.sdk.chat.completions.create(model=model, messages=ask(), stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Hello"
    assert chunks[0].choices == [] and chunks[0].model_extra and "prompt_filter_results" in chunks[0].model_extra


@pytest.mark.parametrize("model", ["keyed", "token"])
def test_an_anthropic_client_streams_from_azure(house: House, model: str) -> None:
    house.azure.script(Reply.stream(azure_chunks("Hel", "lo")))
    body = {"model": model, "max_tokens": 64, "messages": ask(), "stream": True}
    answer = house.gateway.http("POST", "/v1/messages", body)
    assert (answer.status, violations(answer.body)) == (200, [])
    with house.gateway.anthropic().messages.stream(model=model, max_tokens=64, messages=ask()) as stream:
        message = stream.get_final_message()
    assert message.content[0].type == "text" and message.content[0].text == "Hello from the fake upstream."
    assert (message.usage.input_tokens, message.stop_reason) == (3, "end_turn")
    assert house.last.target == f"/openai/deployments/gpt-4o-prod/chat/completions?api-version={VERSION}"


@pytest.mark.parametrize("stream", [False, True])
def test_two_parallel_tools_and_their_results(house: House, stream: bool) -> None:
    calls = [tool_call("get_weather", json.dumps({"city": city}), number) for number, city in enumerate(CITIES)]
    if stream:
        deltas = [{"index": index, **call} for index, call in enumerate(calls)]
        house.azure.script(Reply.stream(chat_chunks((), usage(9, 5), tool_deltas=deltas, finish_reason="tool_calls")))
        with house.sdk.chat.completions.stream(model="token", messages=ask(), tools=TOOLS) as opened:
            message = opened.get_final_completion().choices[0].message
    else:
        house.azure.script(Reply.json(chat_reply(None, usage(9, 5), tool_calls=calls, finish_reason="tool_calls")))
        message = house.sdk.chat.completions.create(model="token", messages=ask(), tools=TOOLS).choices[0].message  # type: ignore[assignment]
    calls_made: list[Any] = list(message.tool_calls or ())
    assert [json.loads(call.function.arguments)["city"] for call in calls_made] == list(CITIES)
    results: list[Any] = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls_made]
    turns = [*ask(), message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}), *results]
    assert house.sdk.chat.completions.create(model="token", messages=turns, tools=TOOLS).choices[0].message.content


@pytest.mark.parametrize("stream", [False, True])
def test_a_filtered_prompt_is_the_clients_error(house: House, stream: bool) -> None:
    house.azure.script(Reply.json(content_filter_error(), 400))
    with pytest.raises(openai.BadRequestError) as refused:
        list(house.sdk.chat.completions.create(model="keyed", messages=ask(), stream=stream))
    assert refused.value.code == "content_filter"
    assert "content management policy" in str(refused.value)


def test_a_filtered_prompt_reaches_an_anthropic_client(house: House) -> None:
    house.azure.script(Reply.json(content_filter_error(), 400))
    answer = house.gateway.http("POST", "/v1/messages", {"model": "keyed", "max_tokens": 9, "messages": ask()})
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "content management policy" in answer.json()["error"]["message"]


def test_a_stream_that_breaks_is_told(house: House) -> None:
    reply = Reply.stream(azure_chunks("Hel", "lo"), done=False)
    house.azure.script(Reply((reply.steps[0], reply.steps[1], reply.steps[2], reply.steps[3], Reset())))
    with pytest.raises(openai.APIError):
        list(house.sdk.chat.completions.create(model="keyed", messages=ask(), stream=True))


def test_many_requests_at_once_get_one_token(launch: Any) -> None:
    with FakeAzure() as azure:
        config = {"model_list": [entry("token", "azure/gpt", azure, **entra())]}
        gateway = launch(config, env={"AZURE_AUTHORITY_HOST": azure.url})
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: gateway.chat("token").status, range(16)))
        assert (set(answers), len(azure.token_requests)) == ({200}, 1)
        form = azure.token_requests[0].body.decode()
        assert "grant_type=client_credentials" in form and "cognitiveservices.azure.com%2F.default" in form


def test_a_token_that_was_taken_back_is_replaced_once(house: House) -> None:
    house.sdk.chat.completions.create(model="token", messages=ask())
    house.azure.good_tokens.clear()
    with pytest.raises(openai.AuthenticationError):
        house.sdk.with_options(max_retries=0).chat.completions.create(model="token", messages=ask())
    before = len(house.azure.token_requests)
    house.sdk.chat.completions.create(model="token", messages=ask())
    house.sdk.chat.completions.create(model="token", messages=ask())
    assert len(house.azure.token_requests) == before + 1


def test_a_token_that_expires_is_replaced(launch: Any) -> None:
    with FakeAzure() as azure:
        azure.token_seconds = 0
        gateway = launch(
            {"model_list": [entry("token", "azure/gpt", azure, **entra())]}, env={"AZURE_AUTHORITY_HOST": azure.url}
        )
        assert gateway.chat("token").status == 200
        azure.token_seconds = 3600

        def is_replaced() -> bool:
            assert gateway.chat("token").status == 200
            return len(azure.token_requests) == 2

        # The first lives one second, the least that there is.
        eventually(is_replaced, "there is a second token", 5.0)


@pytest.mark.parametrize("stream", [False, True])
def test_a_token_that_azure_echoes_goes_no_further(house: House, stream: bool) -> None:
    house.sdk.chat.completions.create(model="token", messages=ask())
    token = (house.last.header("authorization") or "").removeprefix("Bearer ")
    failure = {"error": {"message": f"bad {token}", "code": "x"}}
    if stream:
        house.azure.script(Reply.stream([*azure_chunks("a")[:2], failure], done=False))
    else:
        house.azure.script(Reply.json(failure, 400))
    body = {"model": "token", "messages": ask(), "stream": stream}
    answer = house.gateway.http("POST", "/v1/chat/completions", body)
    assert b"bad" in answer.body and token.encode() not in answer.body


def test_a_wrong_secret_says_what_to_check(house: House) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        house.sdk.chat.completions.create(model="wrong", messages=ask())
    assert "AADSTS7000215" in str(refused.value) and "client_secret" in str(refused.value)
    assert house.azure.inference == []


@pytest.mark.parametrize("model", ["keyed", "token", "given"])
def test_pictures_speech_and_transcripts_are_where_azure_has_them(house: House, model: str) -> None:
    made = house.sdk.images.generate(model=model, prompt="a cat")
    assert made.data is not None and made.data[0].b64_json
    assert (
        house.azure.requests[-1].target == f"/openai/deployments/gpt-4o-prod/images/generations?api-version={VERSION}"
    )
    with house.sdk.audio.speech.with_streaming_response.create(model=model, input="Hello", voice="alloy") as answer:
        assert answer.read() == AUDIO
    assert house.sdk.audio.transcriptions.create(model=model, file=("a.wav", AUDIO)).text == "Hello there."
    assert "/audio/transcriptions?api-version=" in house.azure.requests[-1].target


def test_the_newest_version_has_other_paths(house: House) -> None:
    house.sdk.images.generate(model="latest", prompt="a cat")
    sent = house.azure.requests[-1]
    assert sent.target == "/openai/v1/images/generations" and sent.json()["model"] == "gpt-4o-prod"


def test_claude_makes_no_pictures(house: House) -> None:
    with pytest.raises(openai.BadRequestError, match="does not serve"):
        house.sdk.images.generate(model="claude", prompt="a cat")


def test_tokens_are_counted_by_claude_in_foundry(house: House) -> None:
    house.azure.script(Reply.json({"input_tokens": 1003}))
    assert house.gateway.anthropic().messages.count_tokens(model="claude", messages=ask()).input_tokens == 1003
    request = house.azure.requests[-1]
    assert request.target == "/anthropic/v1/messages/count_tokens"
    assert request.json() == {"model": "claude-sonnet-4-5", "messages": ask()}
    assert (request.header("x-api-key"), request.header("anthropic-version")) == ("azure-key", "2023-06-01")


RESPONSES = {
    "newer": "/openai/responses?api-version=2025-04-01-preview",
    "newer-token": "/openai/v1/responses?api-version=preview",
    "latest": "/openai/v1/responses",
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", RESPONSES)
def test_responses_are_relayed_to_azure_and_remembered(house: House, model: str, stream: bool) -> None:
    sdk = house.gateway.openai(house.gateway.new_key(models=[model]))
    if stream:
        with sdk.responses.stream(model=model, input="one") as told:
            made: Any = [list(told), told.get_final_response()][1]
    else:
        made = sdk.responses.create(model=model, input="one")
    assert made.output[0].encrypted_content == "opaque" and made.output_text == "I know 1 items."
    request = house.azure.requests[-1]
    assert request.target == RESPONSES[model]
    assert request.json()["model"] == ("my-o3" if model == "newer-token" else "gpt-4o-prod")
    if model == "newer-token":
        assert (request.header("authorization") or "").startswith("Bearer entra-token-")
    else:
        assert request.header("api-key") == "azure-key"
    again = sdk.responses.create(model=model, input="two", previous_response_id=made.id)
    assert again.output_text == "I know 4 items."
    assert house.azure.requests[-1].json()["previous_response_id"] == made.id
    with pytest.raises(openai.NotFoundError):
        house.sdk.responses.retrieve("resp_of_nobody")


def test_responses_are_made_from_the_chat_where_azure_has_none(house: House) -> None:
    assert house.sdk.responses.create(model="keyed", input="one").output_text == "Hello from the fake upstream."
    assert "/chat/completions" in house.last.target


def test_azures_own_api_is_reached_with_the_first_models_key(house: House) -> None:
    house.gateway.http("GET", "/azure/openai/files?api-version=2024-10-21")
    request = house.azure.requests[-1]
    assert (request.method, request.target) == ("GET", "/openai/files?api-version=2024-10-21")
    assert request.header("api-key") == "azure-key"
