"""The official SDKs of OpenAI and Anthropic use Cohere and Mistral, and cannot tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from pointsman.dialects.anthropic_messages.grammar import violations as anthropic_violations
from pointsman.dialects.openai_chat.grammar import violations
from tests.support.gateway import Gateway
from tests.upstreams import FakeOpenAI
from tests.upstreams.cohere_server import FakeCohere, cohere_error, cohere_reply, cohere_stream, stream_events
from tests.upstreams.openai_shapes import usage
from tests.upstreams.reply import Reply

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: list[Any] = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]
ANTHROPIC_TOOLS: list[Any] = [{"name": "get_weather", "input_schema": PARAMETERS}]
CITIES = ("Paris", "Rome")
MODELS = ["command", "small"]


class House:
    """A gateway before Cohere (``command``, ``command-reasoning``) and Mistral (``small``, ``magistral``, ``fim``)."""

    def __init__(self, gateway: Gateway, cohere: FakeCohere, mistral: FakeOpenAI) -> None:
        self.gateway = gateway
        self.cohere = cohere
        self.mistral = mistral
        self.openai = gateway.openai()
        self.anthropic = gateway.anthropic()

    def calls_tools(self, model: str, *, stream: bool) -> None:
        """The model calls the tool for both cities."""
        arguments = [json.dumps({"city": city}) for city in CITIES]
        if model == "command":
            if stream:
                calls = [(f"get_weather_{n}", "get_weather", (text,)) for n, text in enumerate(arguments)]
                self.cohere.script(cohere_stream(stream_events(plan=("I look.",), calls=calls, reason="TOOL_CALL")))
                return
            sent = [self._call(f"get_weather_{n}", text) for n, text in enumerate(arguments)]
            self.cohere.script(cohere_reply(None, "TOOL_CALL", tool_plan="I look.", tool_calls=sent))
            return
        sent = [{"index": n, **self._call(f"abcdefgh{n}", text)} for n, text in enumerate(arguments)]
        self.mistral.script(mistral_answer({"content": "", "tool_calls": sent}, "tool_calls", stream=stream))

    def sent(self, model: str) -> Any:
        """The last request's body."""
        return (self.cohere if model.startswith("command") else self.mistral).requests[-1].json()

    @staticmethod
    def _call(call_id: str, arguments: str) -> dict[str, Any]:
        return {"id": call_id, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}


def mistral_answer(message: dict[str, Any], reason: str = "stop", *, stream: bool = False) -> Reply:
    """An answer in Mistral's shape: the counts come with the last piece."""
    counts, head = usage(11, 7), {"id": "m-1", "created": 7, "model": "mistral-small-latest"}
    if not stream:
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
        return Reply.json({**head, "object": "chat.completion", "choices": [choice], "usage": counts})
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None), (message, reason)]
    chunks = [
        {**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
        for delta, end in deltas
    ]
    return Reply.stream([chunks[0], {**chunks[1], "usage": counts}])


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with FakeCohere() as cohere, FakeOpenAI() as mistral:
        at_cohere = {"api_base": f"{cohere.url}/v2/chat", "api_key": cohere.key}
        at_mistral = {"api_base": mistral.url, "api_key": "mi-key"}
        entries = [
            {"model_name": "command", "litellm_params": {"model": "cohere/command-a-03-2025", **at_cohere}},
            {
                "model_name": "command-reasoning",
                "litellm_params": {"model": "cohere_chat/command-a-reasoning-08-2025", **at_cohere},
            },
            {
                "model_name": "embedder",
                "litellm_params": {"model": "cohere/embed-v4.0", **at_cohere},
                "model_info": {"mode": "embedding"},
            },
            {"model_name": "small", "litellm_params": {"model": "mistral/some-small-model", **at_mistral}},
            {"model_name": "magistral", "litellm_params": {"model": "mistral/magistral-small-latest", **at_mistral}},
            {
                "model_name": "fim",
                "litellm_params": {
                    "model": "text-completion-codestral/codestral-2405",
                    "api_base": f"{mistral.url}/v1/fim/completions",
                    "api_key": "mi-key",
                },
            },
        ]
        with Gateway.start({"model_list": entries}) as gateway:
            yield House(gateway, cohere, mistral)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield running
    running.cohere.clear()
    running.mistral.clear()


def ask(text: str = "Hi there") -> Any:
    return [{"role": "user", "content": text}]


def test_a_completion_of_cohere(house: House) -> None:
    answer = house.openai.chat.completions.create(model="command", messages=ask(), max_tokens=9, top_p=1.0)
    assert answer.choices[0].message.content == "Hello from Cohere." and answer.model == "command"
    assert answer.usage is not None and (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 7)
    request = house.cohere.requests[-1]
    assert request.path == "/v2/chat" and request.header("authorization") == "Bearer co-key"
    assert (request.json()["model"], request.json()["p"]) == ("command-a-03-2025", 0.99)


def test_a_stream_of_cohere(house: House) -> None:
    chunks = list(
        house.openai.chat.completions.create(
            model="command", messages=ask(), stream=True, stream_options={"include_usage": True}
        )
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == "Hello from Cohere." and len(pieces) > 3
    assert chunks[-1].usage is not None and chunks[-1].usage.total_tokens == 12


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
def test_openais_sdk_calls_two_tools_and_gives_their_results(house: House, model: str, stream: bool) -> None:
    house.calls_tools(model, stream=stream)
    options: dict[str, Any] = {"model": model, "tools": TOOLS, "tool_choice": "required"}
    if stream:
        with house.openai.chat.completions.stream(messages=ask("weather?"), **options) as opened:
            answer: Any = opened.get_final_completion()
    else:
        answer = house.openai.chat.completions.create(messages=ask("weather?"), **options)
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls"
    assert [json.loads(call.function.arguments)["city"] for call in message.tool_calls] == list(CITIES)

    results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in message.tool_calls]
    calls = [call.model_dump(include={"id", "type", "function"}) for call in message.tool_calls]
    turns: Any = [*ask("weather?"), {"role": "assistant", "content": None, "tool_calls": calls}, *results]
    after = house.openai.chat.completions.create(model=model, messages=turns, tools=TOOLS)
    assert after.choices[0].finish_reason == "stop" and after.choices[0].message.content
    sent = house.sent(model)["messages"]
    assert [turn["role"] for turn in sent] == ["user", "assistant", "tool", "tool"]
    assert [turn["tool_call_id"] for turn in sent[2:]] == [call["id"] for call in sent[1]["tool_calls"]]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
def test_anthropics_sdk_calls_two_tools_and_gives_their_results(house: House, model: str, stream: bool) -> None:
    house.calls_tools(model, stream=stream)
    options: dict[str, Any] = {"model": model, "max_tokens": 64, "tools": ANTHROPIC_TOOLS}
    if stream:
        with house.anthropic.messages.stream(messages=ask("weather?"), **options) as opened:
            message: Any = opened.get_final_message()
    else:
        message = house.anthropic.messages.create(messages=ask("weather?"), **options)
    uses = [block for block in message.content if block.type == "tool_use"]
    assert message.stop_reason == "tool_use"
    assert [use.input for use in uses] == [{"city": city} for city in CITIES]

    results = [{"type": "tool_result", "tool_use_id": use.id, "content": "sunny"} for use in uses]
    turns = [*ask("weather?"), {"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    after = house.anthropic.messages.create(messages=turns, **options)
    assert after.stop_reason == "end_turn"
    sent = house.sent(model)["messages"]
    assert [turn["role"] for turn in sent] == ["user", "assistant", "tool", "tool"]
    assert model != "command" or sent[1]["tool_plan"] == "I look."


@pytest.mark.parametrize("model", MODELS)
def test_every_stream_keeps_the_grammar_of_its_client(house: House, model: str) -> None:
    house.calls_tools(model, stream=True)
    options = {"include_usage": True}
    body = {"model": model, "messages": ask(), "tools": TOOLS, "stream": True, "stream_options": options}
    answer = house.gateway.http("POST", "/v1/chat/completions", body)
    assert (answer.status, violations(answer.body, include_usage=True)) == (200, [])
    house.calls_tools(model, stream=True)
    body = {"model": model, "max_tokens": 9, "messages": ask(), "tools": ANTHROPIC_TOOLS, "stream": True}
    answer = house.gateway.http("POST", "/v1/messages", body)
    assert (answer.status, anthropic_violations(answer.body)) == (200, [])


def test_what_cohere_thought_is_told_and_goes_back(house: House) -> None:
    house.cohere.script(cohere_stream(stream_events(("Blue.",), thoughts=("Let me", " see."))))
    with house.anthropic.messages.stream(model="command-reasoning", max_tokens=64, messages=ask()) as stream:
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text"]
    turns: Any = [*ask(), {"role": "assistant", "content": message.content}, *ask("Why?")]
    house.anthropic.messages.create(model="command-reasoning", max_tokens=64, messages=turns)
    assert house.sent("command")["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Let me see."},
        {"type": "text", "text": "Blue."},
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_what_mistral_thought_is_told_and_goes_back(house: House, stream: bool) -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Let me see."}]}
    content = {"content": [thought, {"type": "text", "text": "Blue."}]}
    house.mistral.script(mistral_answer(content, stream=stream))
    if stream:
        chunks = house.openai.chat.completions.create(model="magistral", messages=ask(), stream=True)
        deltas: list[Any] = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
        told = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
        text = "".join(delta.content or "" for delta in deltas)
    else:
        message: Any = house.openai.chat.completions.create(model="magistral", messages=ask()).choices[0].message
        told, text = message.reasoning_content, message.content
    assert (told, text) == ("Let me see.", "Blue.")
    turns: Any = [*ask(), {"role": "assistant", "content": text, "reasoning_content": told}, *ask("Why?")]
    house.openai.chat.completions.create(model="magistral", messages=turns)
    assert house.sent("magistral")["messages"][1]["content"] == [{**thought, "closed": True}, content["content"][1]]


def test_mistral_is_asked_in_its_own_words(house: House) -> None:
    house.openai.chat.completions.create(
        model="small", messages=ask(), seed=1, max_completion_tokens=5, user="u", extra_body={"safe_prompt": True}
    )
    request = house.mistral.requests[-1]
    assert request.path == "/v1/chat/completions"
    assert request.json() == {
        "model": "some-small-model", "messages": ask(), "random_seed": 1, "max_tokens": 5, "safe_prompt": True,
    }  # fmt: skip


def test_a_relayed_stream_of_mistral_shows_no_counts_that_nobody_asked_for(house: House) -> None:
    house.mistral.script(mistral_answer({"content": "Hi"}, stream=True))
    chunks = list(house.openai.chat.completions.create(model="small", messages=ask(), stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hi"
    assert all(chunk.usage is None for chunk in chunks)
    assert "stream_options" not in house.sent("small")


@pytest.mark.parametrize("stream", [False, True])
def test_codestral_fills_in_the_middle(house: House, stream: bool) -> None:
    house.mistral.script(mistral_answer({"content": "x, y"}, stream=stream))
    answer: Any = house.openai.completions.create(
        model="fim", prompt="def f(", suffix="): pass", max_tokens=9, stream=stream
    )
    texts = [chunk.choices[0].text for chunk in answer] if stream else [answer.choices[0].text]
    assert "".join(texts) == "x, y"
    assert house.mistral.requests[-1].path == "/v1/fim/completions"
    sent = {"model": "codestral-2405", "prompt": "def f(", "suffix": "): pass", "max_tokens": 9}
    assert house.sent("fim") == ({**sent, "stream": True} if stream else sent)


def test_embeddings_of_cohere(house: House) -> None:
    answer = house.openai.embeddings.create(model="embedder", input=["a", "bb"], dimensions=256)
    assert [item.embedding for item in answer.data] == [[1.0, 0.5], [2.0, 0.5]]
    assert answer.model == "embedder" and answer.usage.prompt_tokens == 3
    assert house.cohere.requests[-1].path == "/v2/embed"


def test_errors_of_cohere_keep_their_words_and_class(house: House) -> None:
    house.cohere.script(cohere_error(400, "invalid request: temperature must be between 0 and 1.0 inclusive."))
    with pytest.raises(openai.BadRequestError, match="temperature must be between"):
        house.openai.chat.completions.create(model="command", messages=ask(), temperature=1.5)
    house.cohere.script(cohere_error(400, "too many tokens: total number of tokens in the prompt cannot exceed 4081"))
    with pytest.raises(openai.BadRequestError) as long:
        house.openai.chat.completions.create(model="command", messages=ask())
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError, match="Cohere does not support n"):
        house.openai.chat.completions.create(model="command", messages=ask(), n=2)


def test_a_failure_in_the_middle_of_coheres_answer_is_told(house: House) -> None:
    events = stream_events(("Hel",))
    events[-1]["delta"] = {"finish_reason": "ERROR", "error": "the model fell over"}
    house.cohere.script(cohere_stream(events))
    with pytest.raises(openai.APIError, match="the model fell over"):
        list(house.openai.chat.completions.create(model="command", messages=ask(), stream=True))
    house.cohere.script(cohere_stream(stream_events(("Hel",))[:3]))
    with (
        pytest.raises(anthropic.APIError, match="before the answer was complete"),
        house.anthropic.messages.stream(model="command", max_tokens=9, messages=ask()) as stream,
    ):
        stream.get_final_message()
