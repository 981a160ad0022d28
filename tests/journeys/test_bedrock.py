"""The official SDKs of OpenAI and Anthropic use models on Amazon Bedrock, which checks every signature."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anthropic
import openai
import pytest

from pointsman.dialects.anthropic_messages.grammar import violations as anthropic_violations
from pointsman.dialects.openai_chat.grammar import violations as openai_violations
from tests.support.configs import ONE_ATTEMPT, bedrock_entry
from tests.support.gateway import Gateway, Launch
from tests.upstreams import FakeBedrock
from tests.upstreams.reply import Reply

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2c3"
KEYS: dict[str, Any] = {"aws_access_key_id": "AKIDSTATIC", "aws_secret_access_key": "static-secret"}
CITIES = ("Paris", "Rome")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OPENAI_TOOLS: Any = [{"type": "function", "function": {"name": "weather.of", "parameters": SCHEMA}}]
ANTHROPIC_TOOLS: Any = [{"name": "get_weather", "description": "The weather", "input_schema": SCHEMA}]
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Let me think.", "signature": "c2lnbmF0dXJl"}}}
CACHED = {
    "inputTokens": 10,
    "outputTokens": 5,
    "totalTokens": 135,
    "cacheReadInputTokens": 100,
    "cacheWriteInputTokens": 20,
}


def uses(name: str) -> list[dict[str, Any]]:
    return [
        {"toolUse": {"toolUseId": f"tooluse_{number}", "name": name, "input": {"city": city}}}
        for number, city in enumerate(CITIES)
    ]


def ask(text: str = "one two three") -> Any:
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module")
def bedrock() -> Iterator[FakeBedrock]:
    with FakeBedrock() as server:
        yield server


@pytest.fixture(scope="module")
def running(bedrock: FakeBedrock) -> Iterator[Gateway]:
    entries = [
        bedrock_entry("claude", bedrock, f"converse/{CLAUDE}", **KEYS),
        bedrock_entry("nova", bedrock, "eu-central-1/amazon.nova-lite-v1:0", **KEYS),
        bedrock_entry("profile", bedrock, PROFILE, **KEYS),
        bedrock_entry("impostor", bedrock, CLAUDE, aws_access_key_id="AKIDSTATIC", aws_secret_access_key="wrong"),
        bedrock_entry("titan", bedrock, "amazon.titan-embed-text-v2:0", **KEYS),
        bedrock_entry("titan-bearer", bedrock, "amazon.titan-embed-text-v2:0", api_key="bedrock-api-key"),
        bedrock_entry("cohere", bedrock, "cohere.embed-multilingual-v3", **KEYS),
        bedrock_entry("bearer", bedrock, CLAUDE, api_key="bedrock-api-key"),
    ]
    with Gateway.start({**ONE_ATTEMPT, "model_list": entries}) as gateway:
        yield gateway


@pytest.fixture
def house(running: Gateway, bedrock: FakeBedrock) -> tuple[Gateway, FakeBedrock]:
    bedrock.clear()
    bedrock.forget()
    bedrock.says({"text": "Hello from the fake Bedrock."})
    return running, bedrock


@pytest.mark.parametrize("model", ["claude", "nova", "profile"])
def test_text_whole_and_streamed(house: tuple[Gateway, FakeBedrock], model: str) -> None:
    gateway, bedrock = house
    sdk = gateway.openai()
    whole = sdk.chat.completions.create(model=model, messages=ask(), max_tokens=50)
    assert whole.choices[0].message.content == "Hello from the fake Bedrock."
    assert (whole.choices[0].finish_reason, whole.model) == ("stop", model)
    assert whole.usage is not None and (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (11, 7)
    stream = sdk.chat.completions.create(
        model=model, messages=ask(), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    texts = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert len(texts) > 3 and "".join(texts) == "Hello from the fake Bedrock."
    assert chunks[-1].usage is not None and chunks[-1].usage.total_tokens == 18
    name = {"claude": CLAUDE, "nova": "amazon.nova-lite-v1:0", "profile": PROFILE}[model]
    paths = [request.path for request in bedrock.conversations]
    assert paths == [f"/model/{quote(name, safe='')}/converse", f"/model/{quote(name, safe='')}/converse-stream"]
    assert bedrock.conversations[0].json() == {
        "messages": [{"role": "user", "content": [{"text": "one two three"}]}],
        "inferenceConfig": {"maxTokens": 50},
    }


@pytest.mark.parametrize("stream", [False, True])
def test_two_parallel_tools_and_their_results_for_openais_sdk(house: tuple[Gateway, FakeBedrock], stream: bool) -> None:
    gateway, bedrock = house
    bedrock.says(*uses("weather_of"), stop="tool_use")
    body = {"model": "claude", "messages": ask(), "tools": OPENAI_TOOLS}
    if stream:
        answer = gateway.http("POST", "/v1/chat/completions", {**body, "stream": True})
        assert openai_violations(answer.body, include_usage=False) == []
        calls = list(_streamed_calls(answer.body).values())
    else:
        message = gateway.openai().chat.completions.create(**body).choices[0].message
        calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]
    assert [(name, json.loads(arguments)) for _, name, arguments in calls] == [
        ("weather.of", {"city": city}) for city in CITIES
    ]
    bedrock.says({"text": "Sunny."})
    said = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for call_id, name, arguments in calls
    ]
    results = [{"role": "tool", "tool_call_id": call_id, "content": "sunny"} for call_id, _, _ in calls]
    turns = [*ask(), {"role": "assistant", "content": None, "tool_calls": said}, *results]
    after = gateway.openai().chat.completions.create(**{**body, "messages": turns})
    assert after.choices[0].message.content == "Sunny."
    sent = bedrock.conversations[-1].json()
    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]
    assert sent["messages"][1]["content"] == uses("weather_of")
    assert [block["toolResult"]["toolUseId"] for block in sent["messages"][2]["content"]] == ["tooluse_0", "tooluse_1"]
    assert sent["toolConfig"]["tools"][0]["toolSpec"]["name"] == "weather_of"


def _streamed_calls(body: bytes) -> dict[int, tuple[str, str, str]]:
    calls: dict[int, tuple[str, str, str]] = {}
    for line in body.decode().splitlines():
        if line.startswith("data: {"):
            for call in json.loads(line[6:])["choices"][0]["delta"].get("tool_calls") or ():
                function = call["function"]
                call_id, name, arguments = calls.get(call["index"], ("", "", ""))
                calls[call["index"]] = (
                    call_id + call.get("id", ""),
                    name + (function.get("name") or ""),
                    arguments + (function.get("arguments") or ""),
                )
    return calls


@pytest.mark.parametrize("stream", [False, True])
def test_thinking_with_its_signature_comes_and_goes_back(house: tuple[Gateway, FakeBedrock], stream: bool) -> None:
    gateway, bedrock = house
    bedrock.says(THOUGHT, {"text": "I call it."}, *uses("get_weather"), stop="tool_use", usage=CACHED)
    options: Any = {
        "model": "claude",
        "max_tokens": 4000,
        "tools": ANTHROPIC_TOOLS,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
    }
    sdk = gateway.anthropic()
    if stream:
        raw = gateway.http("POST", "/v1/messages", {**options, "messages": ask(), "stream": True})
        assert anthropic_violations(raw.body) == []
        with sdk.messages.stream(messages=ask(), **options) as opened:
            message = opened.get_final_message()
    else:
        message = sdk.messages.create(messages=ask(), **options)
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert message.content[0].signature == "c2lnbmF0dXJl"  # type: ignore[union-attr]
    usage = message.usage
    counted = (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens)
    assert (counted, usage.output_tokens, message.stop_reason) == ((10, 100, 20), 5, "tool_use")
    bedrock.says({"text": "Sunny."})
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "sunny"}
        for block in message.content
        if block.type == "tool_use"
    ]
    turns = [*ask(), {"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    sdk.messages.create(messages=turns, **options)
    sent = bedrock.conversations[-1].json()
    assert sent["messages"][1]["content"] == [THOUGHT, {"text": "I call it."}, *uses("get_weather")]
    assert sent["additionalModelRequestFields"] == {"thinking": {"type": "enabled", "budget_tokens": 2000}}
    assert sent["inferenceConfig"] == {"maxTokens": 4000}


def test_an_image_and_a_cache_point_arrive_at_the_model(house: tuple[Gateway, FakeBedrock]) -> None:
    gateway, bedrock = house
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    content: Any = [
        {"type": "text", "text": "what is it?", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": pixel}},
    ]
    gateway.anthropic().messages.create(model="claude", max_tokens=9, messages=[{"role": "user", "content": content}])
    assert bedrock.conversations[-1].json()["messages"][0]["content"] == [
        {"text": "what is it?"},
        {"cachePoint": {"type": "default", "ttl": "1h"}},
        {"image": {"format": "png", "source": {"bytes": pixel}}},
    ]


def test_an_answer_of_a_shape_by_way_of_a_tool(house: tuple[Gateway, FakeBedrock]) -> None:
    gateway, bedrock = house
    answer = {"toolUse": {"toolUseId": "tooluse_1", "name": "json_tool_call", "input": {"city": "Rome"}}}
    bedrock.says(answer, stop="tool_use")
    shape: Any = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
    sdk = gateway.openai()
    whole = sdk.chat.completions.create(model="nova", messages=ask(), response_format=shape)
    assert (whole.choices[0].finish_reason, whole.choices[0].message.tool_calls) == ("stop", None)
    assert json.loads(whole.choices[0].message.content or "") == {"city": "Rome"}
    chunks = sdk.chat.completions.create(model="nova", messages=ask(), response_format=shape, stream=True)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert json.loads(text) == {"city": "Rome"}


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_answer(house: tuple[Gateway, FakeBedrock], stream: bool) -> None:
    gateway, bedrock = house
    slow = {"message": "Too many requests, please wait before trying again."}
    headers = {"x-amzn-ErrorType": "ThrottlingException", "Retry-After": "7"}
    bedrock.script(Reply.json(slow, 429, headers), Reply.json(slow, 429, headers))
    with pytest.raises(openai.RateLimitError) as limited:
        gateway.openai().chat.completions.create(model="claude", messages=ask(), stream=stream)
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(anthropic.RateLimitError, match="Too many requests"):
        gateway.anthropic().messages.create(model="claude", max_tokens=9, messages=ask(), stream=stream)


def test_an_error_in_the_middle_is_told_in_the_stream(house: tuple[Gateway, FakeBedrock]) -> None:
    gateway, bedrock = house
    bedrock.says({"text": "Hello, you"}, exception=("modelStreamErrorException", "The model broke off."))
    texts: list[str] = []
    chunks = gateway.openai().chat.completions.create(model="claude", messages=ask(), stream=True)
    with pytest.raises(openai.APIError, match="broke off"):
        texts.extend(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert "".join(texts) == "Hello, you"
    opened = gateway.anthropic().messages.stream(model="claude", max_tokens=9, messages=ask())
    with pytest.raises(anthropic.APIStatusError, match="broke off"), opened as stream:
        stream.get_final_message()


def test_an_error_at_the_beginning_of_a_stream_is_an_ordinary_one(house: tuple[Gateway, FakeBedrock]) -> None:
    gateway, bedrock = house
    bedrock.says(exception=("throttlingException", "Slow down."))
    with pytest.raises(openai.RateLimitError, match="Slow down"):
        gateway.openai().chat.completions.create(model="claude", messages=ask(), stream=True)


def test_what_the_model_cannot_do_is_refused_by_its_name(house: tuple[Gateway, FakeBedrock]) -> None:
    gateway, _ = house
    with pytest.raises(openai.BadRequestError, match="seed"):
        gateway.openai().chat.completions.create(model="claude", messages=ask(), seed=7)


def test_a_wrong_secret_is_the_operators_affair(house: tuple[Gateway, FakeBedrock]) -> None:
    gateway, _ = house
    with pytest.raises(openai.PermissionDeniedError, match="signature does not match"):
        gateway.openai().chat.completions.create(model="impostor", messages=ask())


def test_an_api_key_in_place_of_a_signature(house: tuple[Gateway, FakeBedrock]) -> None:
    gateway, bedrock = house
    bedrock.bearer = "bedrock-api-key"
    answer = gateway.openai().chat.completions.create(model="bearer", messages=ask())
    assert answer.choices[0].message.content == "Hello from the fake Bedrock."
    assert bedrock.conversations[-1].header("x-amz-date") is None


@pytest.mark.parametrize(
    ("model", "second", "requests"), [("titan", 2.0, 20), ("titan-bearer", 2.0, 20), ("cohere", 1.0, 1)]
)
def test_texts_are_embedded_in_their_order(
    house: tuple[Gateway, FakeBedrock], model: str, second: float, requests: int
) -> None:
    gateway, bedrock = house
    bedrock.bearer = "bedrock-api-key"
    texts = ["x" * (number + 1) for number in range(20)]
    found = gateway.openai().embeddings.create(model=model, input=texts)
    assert [one.embedding for one in found.data] == [[number + 1.0, second] for number in range(20)]
    assert len(bedrock.conversations) == requests
    assert found.usage.prompt_tokens == 20 or model == "cohere"
    one = gateway.openai().embeddings.create(model=model, input="hello", encoding_format="float")
    assert one.data[0].embedding == [5.0, second]


def test_one_text_that_is_refused_fails_the_request(house: tuple[Gateway, FakeBedrock]) -> None:
    gateway, _ = house
    with pytest.raises(openai.BadRequestError, match="minLength"):
        gateway.openai().embeddings.create(model="titan", input=["a", " ", "b"])


def test_many_texts_are_several_requests_to_cohere(house: tuple[Gateway, FakeBedrock]) -> None:
    gateway, bedrock = house
    found = gateway.openai().embeddings.create(model="cohere", input=["x"] * 200, dimensions=256)
    assert len(found.data) == 200
    assert sorted(len(request.json()["texts"]) for request in bedrock.conversations) == [8, 96, 96]
    assert bedrock.conversations[0].json()["output_dimension"] == 256


def test_other_clients_reach_it_too(house: tuple[Gateway, FakeBedrock]) -> None:
    gateway, bedrock = house
    response = gateway.openai().responses.create(model="claude", input="hello")
    assert response.output_text == "Hello from the fake Bedrock."
    body = {"model": "claude", "messages": ask(), "stream": False}
    assert gateway.http("POST", "/api/chat", body).json()["message"]["content"] == "Hello from the fake Bedrock."
    assert len(bedrock.conversations) == 2


# ── Where the keys come from ────────────────────────────────────────────────────────────────────────────────────────


def answers(launch: Launch, bedrock: FakeBedrock, env: Mapping[str, str] | None = None, **params: Any) -> Gateway:
    """A gateway whose only model answers, twice, with one search for keys."""
    quiet = {"AWS_EC2_METADATA_DISABLED": "true"}
    gateway: Gateway = launch(
        {"model_list": [bedrock_entry("claude", bedrock, CLAUDE, **params)]}, env={**quiet, **(env or {})}
    )
    for _ in range(2):
        answer = gateway.chat("claude")
        assert answer.status == 200, answer.body
    return gateway


def test_keys_of_the_environment(launch: Launch, bedrock: FakeBedrock) -> None:
    answers(launch, bedrock, {"AWS_ACCESS_KEY_ID": "AKIDSTATIC", "AWS_SECRET_ACCESS_KEY": "static-secret"})


def test_a_profile_and_one_that_takes_a_role_by_it(launch: Launch, bedrock: FakeBedrock, tmp_path: Path) -> None:
    credentials, config = tmp_path / "credentials", tmp_path / "config"
    credentials.write_text("[plain]\naws_access_key_id = AKIDSTATIC\naws_secret_access_key = static-secret\n")
    config.write_text(
        "[profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = plain\nregion = eu-central-1\n"
    )
    files = {"AWS_SHARED_CREDENTIALS_FILE": str(credentials), "AWS_CONFIG_FILE": str(config)}
    answers(launch, bedrock, files, aws_profile_name="plain")
    before = bedrock.granted
    answers(launch, bedrock, files, aws_profile_name="role", aws_sts_endpoint=bedrock.url)
    assert bedrock.granted == before + 1


def test_a_role_that_is_taken_with_keys(launch: Launch, bedrock: FakeBedrock) -> None:
    before = bedrock.granted
    role: dict[str, Any] = {
        "aws_role_name": "arn:aws:iam::1:role/x",
        "aws_session_name": "me",
        "aws_external_id": "them",
    }
    answers(launch, bedrock, None, aws_sts_endpoint=bedrock.url, **KEYS, **role)
    assert bedrock.granted == before + 1
    asked = next(request for request in bedrock.matching("/") if b"ExternalId=them" in request.body)
    assert b"RoleSessionName=me" in asked.body


def test_a_role_by_web_identity(launch: Launch, bedrock: FakeBedrock, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-web-identity\n")
    role = {"AWS_ROLE_ARN": "arn:aws:iam::1:role/x", "AWS_WEB_IDENTITY_TOKEN_FILE": str(token)}
    before = bedrock.granted
    answers(launch, bedrock, role, aws_sts_endpoint=bedrock.url)
    assert bedrock.granted == before + 1


def test_the_role_of_a_container(launch: Launch, bedrock: FakeBedrock) -> None:
    before = bedrock.granted
    uri = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{bedrock.url}/container-keys"}
    answers(launch, bedrock, {**uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-token"})
    assert bedrock.granted == before + 1


def test_the_role_of_an_instance(launch: Launch, bedrock: FakeBedrock) -> None:
    before = bedrock.granted
    endpoint = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": bedrock.url}
    answers(launch, bedrock, endpoint)
    assert bedrock.granted == before + 1


def test_without_any_keys_the_error_says_where_they_were_looked_for(launch: Launch, bedrock: FakeBedrock) -> None:
    entry = bedrock_entry("claude", bedrock, CLAUDE)
    gateway = launch({"model_list": [entry]}, env={"AWS_EC2_METADATA_DISABLED": "true"})
    answer = gateway.chat("claude")
    message = answer.json()["error"]["message"]
    assert answer.status == 503 and "No AWS credentials were found" in message and "AWS_ACCESS_KEY_ID" in message
    assert "~/.aws/credentials" in message and "EC2" in message


def test_a_preview_asks_no_model(house: tuple[Gateway, FakeBedrock]) -> None:
    gateway, bedrock = house
    before = len(bedrock.requests)
    body = {"call_type": "aembedding", "request_body": {"model": "titan", "input": ["a", "b", "c"]}}
    shown = gateway.http("POST", "/utils/transform_request", body, key=gateway.new_key(models=["titan"]))
    assert (shown.status, shown.json()["raw_request_body"]["inputText"]) == (200, "c")
    assert len(bedrock.requests) == before


@pytest.mark.parametrize("model", ["claude", "bearer"])
def test_tokens_are_counted_by_bedrock(house: tuple[Gateway, FakeBedrock], model: str) -> None:
    gateway, bedrock = house
    bedrock.bearer = "bedrock-api-key"
    counted = gateway.anthropic().messages.count_tokens(
        model=model, messages=ask(), system="Be brief.", tools=ANTHROPIC_TOOLS
    )
    assert counted.input_tokens == 1001
    (asked,) = bedrock.conversations
    assert asked.target == "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens"
    converse = asked.json()["input"]["converse"]
    assert converse.keys() == {"messages", "system", "toolConfig"}


@pytest.mark.parametrize("model", ["nova", "impostor"])
def test_what_bedrock_does_not_count_is_estimated(house: tuple[Gateway, FakeBedrock], model: str) -> None:
    gateway, _ = house
    counted = gateway.anthropic().messages.with_raw_response.count_tokens(model=model, messages=ask())
    assert counted.headers["x-pointsman-token-count"] == "estimate"


@pytest.mark.parametrize("stream", [False, True])
def test_bedrocks_own_api_is_reached_with_a_signature(house: tuple[Gateway, FakeBedrock], stream: bool) -> None:
    gateway, bedrock = house
    verb = "converse-stream" if stream else "converse"
    path = f"/model/amazon.nova-lite-v1%3A0/{verb}"
    forged = {"x-amz-date": "20200101T000000Z", "x-amz-security-token": "mine", "x-amzn-trace": "kept"}
    body = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
    key = gateway.new_key(allowed_passthrough_routes=["/bedrock/*"])
    told = gateway.http("POST", f"/bedrock{path}", body, headers=forged, key=key)
    assert told.status == 200 and b"Hello" in told.body
    (request,) = bedrock.conversations
    assert (request.target, request.json(), request.header("x-amzn-trace")) == (path, body, "kept")
    assert request.header("x-amz-security-token") is None
    (row,) = gateway.settled_ledger(1, key)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (11, 7)


def test_a_key_needs_a_grant_for_bedrocks_own_api(house: tuple[Gateway, FakeBedrock]) -> None:
    gateway, bedrock = house
    told = gateway.http("GET", "/bedrock/guardrails?maxResults=3", key=gateway.new_key())
    assert told.status == 403 and not bedrock.requests
