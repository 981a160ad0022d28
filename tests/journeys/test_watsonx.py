"""Models of IBM watsonx.ai, for the SDKs of OpenAI and Anthropic: by key, by token or by Zen key, streamed or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from pointsman.dialects.anthropic_messages.grammar import violations
from tests.support.gateway import Gateway
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, tool_call, usage
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply
from tests.upstreams.watsonx_server import FakeWatsonx, watsonx_error, watsonx_stream

GRANITE = "ibm/granite-3-3-8b-instruct"
VERSION = "?version=2024-03-13"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": False}
TOOLS: list[Any] = [{"type": "function", "function": {"name": "get_weather", "strict": True, "parameters": SCHEMA}}]
ANTHROPIC_TOOLS: list[Any] = [{"name": "get_weather", "input_schema": SCHEMA}]


def entry(name: str, model: str, watsonx: FakeWatsonx, **params: Any) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": f"watsonx/{model}", "api_base": watsonx.url, **params}}


class House:
    """A gateway before one watsonx.ai."""

    def __init__(self, gateway: Gateway, watsonx: FakeWatsonx) -> None:
        self.gateway = gateway
        self.watsonx = watsonx
        self.sdk = gateway.openai().with_options(max_retries=0)

    @property
    def last(self) -> RecordedRequest:
        return self.watsonx.requests[-1]


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with FakeWatsonx() as watsonx:
        entries = [
            entry("granite", GRANITE, watsonx, api_key="ibm-key"),
            entry("from-environment", GRANITE, watsonx),
            entry("credential", GRANITE, watsonx, litellm_credential_name="ibm"),
            entry("space", GRANITE, watsonx, api_key="ibm-key", space_id="space-1", api_version="2025-02-11"),
            entry("deployed", "deployment/my-id", watsonx, token="os.environ/GIVEN_TOKEN"),
            entry("zen", GRANITE, watsonx, zen_api_key="zen-key", watsonx_project="project-2"),
            entry("wrong", GRANITE, watsonx, api_key="ibm-no-key"),
            entry("dropping", GRANITE, watsonx, api_key="ibm-key", drop_params=True),
            entry("thinker", "openai/gpt-oss-120b", watsonx, api_key="ibm-key"),
        ]
        lent = {"api_key": "ibm-key", "project_id": "project-3"}
        credentials = [{"credential_name": "ibm", "credential_values": lent, "credential_info": {}}]
        env = {
            "WATSONX_IAM_URL": watsonx.iam_url, "WATSONX_PROJECT_ID": "project-1", "GIVEN_TOKEN": "iam-given",
            "WX_API_KEY": "ibm-key",
        }  # fmt: skip
        with Gateway.start({"model_list": entries, "credential_list": credentials}, env=env) as gateway:
            yield House(gateway, watsonx)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    running.watsonx.forget()
    running.watsonx.good_tokens.add("iam-given")
    yield running
    running.watsonx.clear()


def ask(text: str = "one two three") -> Any:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize(
    ("model", "target", "place"),
    [
        ("granite", f"/ml/v1/text/chat{VERSION}", {"model_id": GRANITE, "project_id": "project-1"}),
        ("from-environment", f"/ml/v1/text/chat{VERSION}", {"model_id": GRANITE, "project_id": "project-1"}),
        ("credential", f"/ml/v1/text/chat{VERSION}", {"model_id": GRANITE, "project_id": "project-3"}),
        ("space", "/ml/v1/text/chat?version=2025-02-11", {"model_id": GRANITE, "space_id": "space-1"}),
        ("deployed", f"/ml/v1/deployments/my-id/text/chat{VERSION}", {}),
        ("zen", f"/ml/v1/text/chat{VERSION}", {"model_id": GRANITE, "project_id": "project-2"}),
    ],
)
def test_a_chat_goes_where_watsonx_takes_it(house: House, model: str, target: str, place: dict[str, str]) -> None:
    reply = house.sdk.chat.completions.create(model=model, messages=ask(), max_tokens=64, user="ann")
    assert reply.choices[0].message.content == "Hello from watsonx."
    assert (reply.model, reply.usage and reply.usage.prompt_tokens) == (model, 9)
    assert (house.last.target, house.last.json()) == (target, {**place, "messages": ask(), "max_tokens": 64})
    scheme, _, secret = (house.last.header("authorization") or "").partition(" ")
    assert scheme == ("ZenApiKey" if model == "zen" else "Bearer") and secret != "ibm-key"


def test_a_stream_has_its_counts_without_being_asked_for_them(house: House) -> None:
    options: Any = {"include_usage": True}
    stream = house.sdk.chat.completions.create(model="deployed", messages=ask(), stream=True, stream_options=options)
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello from watsonx."
    assert chunks[-1].usage is not None and chunks[-1].usage.prompt_tokens == 9
    assert house.last.target == f"/ml/v1/deployments/my-id/text/chat_stream{VERSION}"
    assert house.last.json() == {"messages": ask()}


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_and_answered(house: House, stream: bool) -> None:
    call = tool_call("get_weather", '{"city":"Rome"}')
    counts = usage(9, 5)
    chunks = chat_chunks((), counts, tool_deltas=[{"index": 0, **call}], finish_reason="tool_calls")
    whole = Reply.json(chat_reply(None, counts, tool_calls=[call], finish_reason="tool_calls"))
    house.watsonx.script(watsonx_stream(chunks) if stream else whole)
    body: Any = {"model": "granite", "messages": ask(), "tools": TOOLS, "tool_choice": "required"}
    if stream:
        with house.sdk.chat.completions.stream(**body) as opened:
            said: Any = opened.get_final_completion().choices[0].message
    else:
        said = house.sdk.chat.completions.create(**body).choices[0].message
    assert json.loads(said.tool_calls[0].function.arguments) == {"city": "Rome"}
    sent = house.last.json()
    opened_schema = {name: value for name, value in SCHEMA.items() if name != "additionalProperties"}
    assert sent["tools"] == [{"type": "function", "function": {"name": "get_weather", "parameters": opened_schema}}]
    assert sent["tool_choice_option"] == "required" and "tool_choice" not in sent
    turns = [
        *ask(),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"},
    ]
    named: Any = {"type": "function", "function": {"name": "get_weather"}}
    assert house.sdk.chat.completions.create(model="granite", messages=turns, tools=TOOLS, tool_choice=named).choices
    assert house.last.json()["tool_choice"] == named and "tool_choice_option" not in house.last.json()


def test_an_anthropic_client_streams_and_calls_tools(house: House) -> None:
    body: Any = {"model": "thinker", "max_tokens": 5000, "messages": ask(), "tools": ANTHROPIC_TOOLS}
    body["thinking"] = {"type": "enabled", "budget_tokens": 4096}
    raw = house.gateway.http("POST", "/v1/messages", {**body, "stream": True})
    assert (raw.status, violations(raw.body)) == (200, [])
    with house.gateway.anthropic().messages.stream(**body) as stream:
        message = stream.get_final_message()
    assert message.content[0].type == "text" and message.content[0].text == "Hello from watsonx."
    assert (message.usage.input_tokens, message.stop_reason) == (9, "end_turn")
    assert house.last.json()["reasoning_effort"] == "high"
    call = tool_call("get_weather", '{"city":"Rome"}')
    house.watsonx.script(Reply.json(chat_reply(None, usage(9, 5), tool_calls=[call], finish_reason="tool_calls")))
    answer = house.gateway.anthropic().messages.create(**{**body, "model": "granite"})
    block = answer.content[0]
    assert (block.type, answer.stop_reason) == ("tool_use", "tool_use")
    assert block.type == "tool_use" and block.input == {"city": "Rome"}
    assert "reasoning_effort" not in house.last.json(), "asked to think as every model is, this one does not"


def test_what_watsonx_does_not_know_is_refused_by_name_or_dropped(house: House) -> None:
    body: Any = {"messages": ask(), "parallel_tool_calls": False, "tools": TOOLS, "extra_body": {"top_k": 5}}
    with pytest.raises(openai.BadRequestError, match=r"watsonx\.ai does not support top_k, parallel_tool_calls"):
        house.sdk.chat.completions.create(model="granite", **body)
    extra: Any = {"project_id": "somebody-elses"}
    with pytest.raises(openai.BadRequestError, match="project_id"):
        house.sdk.chat.completions.create(model="granite", messages=ask(), extra_body=extra)
    assert house.watsonx.requests == []
    house.sdk.chat.completions.create(model="dropping", **body)
    assert not {"top_k", "parallel_tool_calls"} & house.last.json().keys()


def test_embeddings(house: House) -> None:
    reply = house.sdk.embeddings.create(model="granite", input=["a", "bcd"])
    assert [item.embedding for item in reply.data] == [[1.0, 0.5], [3.0, 0.5]]
    assert reply.usage.prompt_tokens == 7
    assert house.last.target == f"/ml/v1/text/embeddings{VERSION}"
    assert house.last.json() == {"model_id": GRANITE, "project_id": "project-1", "inputs": ["a", "bcd"]}
    assert house.gateway.http("POST", "/api/embed", {"model": "zen", "input": "a"}).json()["embeddings"] == [[1.0, 0.5]]
    with pytest.raises(openai.BadRequestError, match="no embeddings of deployments"):
        house.sdk.embeddings.create(model="deployed", input="a")


def test_errors_are_told_in_the_clients_words(house: House) -> None:
    told = "the number of input tokens 9000 cannot exceed the total tokens limit 8192 for this model"
    house.watsonx.script(watsonx_error(400, "invalid_input_argument", told))
    with pytest.raises(openai.BadRequestError, match="total tokens limit 8192") as refused:
        house.sdk.chat.completions.create(model="granite", messages=ask())
    assert refused.value.code == "context_length_exceeded"
    house.watsonx.script(watsonx_error(404, "model_not_supported", f"Model '{GRANITE}' is not supported"))
    with pytest.raises(openai.NotFoundError, match="is not supported"):
        house.sdk.chat.completions.create(model="granite", messages=ask())
    failing = {"errors": [{"code": "internal", "message": "the model went away"}], "trace": "t", "status_code": 500}
    house.watsonx.script(watsonx_stream([*chat_chunks(("Hel",), None)[:2], failing]))
    with pytest.raises(openai.APIError, match="the model went away"):
        list(house.sdk.chat.completions.create(model="granite", messages=ask(), stream=True))


def test_a_key_that_iam_does_not_know_is_the_operators_to_mend(house: House) -> None:
    with pytest.raises(openai.AuthenticationError, match="Provided API key could not be found") as refused:
        house.sdk.chat.completions.create(model="wrong", messages=ask())
    assert "ibm-no-key" not in str(refused.value.body)
    assert all(request.path == "/identity/token" for request in house.watsonx.requests)


def test_many_requests_at_once_get_one_token_and_one_taken_back_is_replaced(launch: Any) -> None:
    with FakeWatsonx() as watsonx:
        config = {"model_list": [entry("granite", GRANITE, watsonx, api_key="ibm-key", project_id="p")]}
        gateway = launch(config, env={"WATSONX_IAM_URL": watsonx.iam_url})
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: gateway.chat("granite").status, range(16)))
        assert (set(answers), len(watsonx.token_requests)) == ({200}, 1)
        watsonx.good_tokens.clear()
        assert gateway.chat("granite").status == 401
        assert [gateway.chat("granite").status for _ in range(2)] == [200, 200]
        assert len(watsonx.token_requests) == 2


def test_what_is_passed_on_is_let_in_by_a_token_too(house: House) -> None:
    body = {"model_id": GRANITE, "project_id": "p", "inputs": ["a"]}
    answer = house.gateway.http("POST", f"/watsonx/ml/v1/text/embeddings{VERSION}", body)
    assert (answer.status, answer.json()["input_token_count"]) == (200, 7)
    assert (house.last.header("authorization") or "").startswith("Bearer iam-token")


def test_what_is_shown_of_a_model_has_no_secret(house: House) -> None:
    shown = house.gateway.http("GET", "/model/info").body
    assert b"granite" in shown
    assert not any(secret in shown for secret in (b"zen-key", b"iam-given", b"ibm-key"))
