"""Gemini's models for clients of every dialect, streamed or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from anthropic.types import RawContentBlockStartEvent
from google import genai
from google.genai import types

from pointsman.dialects.anthropic_messages.grammar import violations
from tests.support.configs import ONE_ATTEMPT
from tests.support.gateway import Gateway
from tests.upstreams.gemini_shapes import (
    SIGNATURE,
    answer,
    call_part,
    google_error,
    pieces,
    text_part,
    thought_part,
    usage_metadata,
)
from tests.upstreams.google_server import FakeGoogle
from tests.upstreams.reply import Reply

CITIES = ("Paris", "Rome")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: list[Any] = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]
CLAUDE_TOOLS: list[Any] = [{"name": "get_weather", "input_schema": SCHEMA}]
SAFETY = [{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "OFF"}]
COUNTS = usage_metadata(20, 5, thoughts=7, cached=12)


class House:
    """A gateway before Gemini: ``old`` thinks in tokens, ``new`` in levels, ``plain`` does not think."""

    def __init__(self, gateway: Gateway, google: FakeGoogle) -> None:
        self.gateway = gateway
        self.google = google
        self.sdk = gateway.openai()
        self.claude = gateway.anthropic()

    @property
    def last(self) -> Any:
        return self.google.inference[-1].json()

    def answers(self, parts: list[dict[str, Any]], *, stream: bool, reason: str = "STOP") -> None:
        if stream:
            self.google.script(Reply.stream(pieces(parts, COUNTS, reason=reason), done=False))
        else:
            self.google.script(Reply.json(answer(parts, COUNTS, reason=reason)))

    def calls_tools(self, *, stream: bool) -> None:
        first, second = ({"city": city} for city in CITIES)
        self.answers(
            [call_part("get_weather", first, signature=SIGNATURE), call_part("get_weather", second)], stream=stream
        )


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with FakeGoogle() as google:
        models = {"old": "gemini-2.5-flash", "new": "gemini-3-flash-preview", "pro": "gemini-2.5-pro"}
        entries: list[dict[str, Any]] = [
            {
                "model_name": name,
                "litellm_params": {"model": f"gemini/{model}", "api_base": google.url, "api_key": "gemini-key"},
            }
            for name, model in models.items()
        ]
        entries[0]["litellm_params"]["safety_settings"] = [
            {"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "OFF"}
        ]
        with Gateway.start({**ONE_ATTEMPT, "model_list": entries}) as gateway:
            yield House(gateway, google)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    running.google.forget()
    yield running
    running.google.clear()


def ask(text: str = "one two three") -> Any:
    return [{"role": "user", "content": text}]


def test_a_chat(house: House) -> None:
    messages: Any = [{"role": "system", "content": "be brief"}, *ask()]
    options: Any = {"max_tokens": 64, "temperature": 0.5, "stop": ["x"]}
    reply = house.sdk.chat.completions.create(model="old", messages=messages, **options)
    assert (reply.model, reply.choices[0].message.content, reply.choices[0].finish_reason) == (
        "old",
        "Hello from Gemini.",
        "stop",
    )
    request = house.google.inference[-1]
    assert request.target == "/v1beta/models/gemini-2.5-flash:generateContent"
    assert (request.header("x-goog-api-key"), request.header("authorization")) == ("gemini-key", None)
    assert house.last["systemInstruction"]["parts"] == [{"text": "be brief"}]
    assert house.last["contents"] == [{"parts": [{"text": "one two three"}], "role": "user"}]
    assert house.last["generationConfig"] == {"temperature": 0.5, "stopSequences": ["x"], "maxOutputTokens": 64}
    assert house.last["safetySettings"] == SAFETY


def test_a_stream(house: House) -> None:
    options: Any = {"stream": True, "stream_options": {"include_usage": True}}
    chunks: list[Any] = list(house.sdk.chat.completions.create(model="old", messages=ask(), **options))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello from Gemini."
    assert house.google.inference[-1].target == "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    assert chunks[-1].usage is not None and chunks[-1].usage.prompt_tokens == 3


@pytest.mark.parametrize("stream", [False, True])
def test_usage_counts_thoughts_and_what_was_cached(house: House, stream: bool) -> None:
    house.answers([text_part("Hi")], stream=stream)
    options: Any = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    told: Any = house.sdk.chat.completions.create(model="old", messages=ask(), **options)
    usage = list(told)[-1].usage if stream else told.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (20, 12, 32)
    assert usage.prompt_tokens_details.cached_tokens == 12
    assert usage.completion_tokens_details.reasoning_tokens == 7


@pytest.mark.parametrize("stream", [False, True])
def test_two_parallel_tools_with_their_signature_there_and_back(house: House, stream: bool) -> None:
    house.calls_tools(stream=stream)
    if stream:
        with house.sdk.chat.completions.stream(model="new", messages=ask(), tools=TOOLS) as opened:
            choice: Any = opened.get_final_completion().choices[0]
    else:
        choice = house.sdk.chat.completions.create(model="new", messages=ask(), tools=TOOLS).choices[0]
    calls = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": city} for city in CITIES]
    assert len({call.id for call in calls}) == len(CITIES)
    results = [{"role": "tool", "tool_call_id": call.id, "content": '{"sky":"clear"}'} for call in calls]
    told = {"id", "type", "function"}
    asked = [call.model_dump(include=dict.fromkeys(told, True)) for call in calls]
    turns: Any = [*ask(), {"role": "assistant", "content": None, "tool_calls": asked}, *results]
    assert house.sdk.chat.completions.create(model="new", messages=turns, tools=TOOLS).choices[0].message.content
    sent = house.last["contents"]
    assert [turn["role"] for turn in sent] == ["user", "model", "user"]
    assert [part.get("thoughtSignature") for part in sent[1]["parts"]] == [SIGNATURE, None]
    assert [part["functionResponse"]["name"] for part in sent[2]["parts"]] == ["get_weather", "get_weather"]
    assert sent[2]["parts"][0]["functionResponse"]["response"] == {"sky": "clear"}
    assert house.last["tools"][0]["functionDeclarations"][0]["parameters"]["type"] == "OBJECT"


@pytest.mark.parametrize("stream", [False, True])
def test_an_anthropic_client_thinks_calls_and_gives_back(house: House, stream: bool) -> None:
    parts = [thought_part("Let me see."), call_part("get_weather", {"city": "Paris"}, signature=SIGNATURE)]
    house.answers(parts, stream=stream)
    options: Any = {"model": "old", "max_tokens": 4096, "tools": CLAUDE_TOOLS}
    options["thinking"] = {"type": "enabled", "budget_tokens": 2000}
    if stream:
        with house.claude.messages.stream(messages=ask(), **options) as opened:
            message = opened.get_final_message()
    else:
        message = house.claude.messages.create(messages=ask(), **options)
    assert house.last["generationConfig"]["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": 2000}
    assert [block.type for block in message.content] == ["thinking", "tool_use"]
    assert message.stop_reason == "tool_use"
    result = {"type": "tool_result", "tool_use_id": message.content[1].id, "content": "sunny"}  # type: ignore[union-attr]
    turns: Any = [*ask(), {"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
    assert house.claude.messages.create(messages=turns, **options).stop_reason == "end_turn"
    call = next(part for part in house.last["contents"][1]["parts"] if "functionCall" in part)
    assert call["thoughtSignature"] == SIGNATURE


def test_every_stream_to_an_anthropic_client_keeps_the_grammar(house: House) -> None:
    signed = {**text_part(""), "thoughtSignature": SIGNATURE}
    house.answers([thought_part("Hm."), thought_part(" So."), text_part("Blue"), text_part("."), signed], stream=True)
    body = {"model": "new", "max_tokens": 64, "messages": ask(), "stream": True}
    told = house.gateway.http("POST", "/v1/messages", body)
    assert (told.status, violations(told.body)) == (200, [])
    house.answers([thought_part("Hm."), text_part("Blue."), signed], stream=True)
    events = list(house.claude.messages.create(model="new", max_tokens=64, messages=ask(), stream=True))
    started = [event.content_block.type for event in events if isinstance(event, RawContentBlockStartEvent)]
    assert started[:2] == ["thinking", "text"]


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        ("old", "low", {"includeThoughts": True, "thinkingBudget": 1024}),
        ("old", "none", {"includeThoughts": False, "thinkingBudget": 0}),
        ("pro", "none", {"includeThoughts": False, "thinkingBudget": 128}),
        ("new", "medium", {"includeThoughts": True, "thinkingLevel": "medium"}),
        ("new", "none", {"includeThoughts": False, "thinkingLevel": "minimal"}),
    ],
)
def test_an_effort_is_a_budget_or_a_level(house: House, model: str, effort: Any, config: dict[str, Any]) -> None:
    house.sdk.chat.completions.create(model=model, messages=ask(), reasoning_effort=effort)
    assert house.last["generationConfig"]["thinkingConfig"] == config


def test_a_schema_of_the_answer(house: House) -> None:
    house.answers([text_part('{"city":"Rome"}')], stream=False)
    shape: Any = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
    reply = house.sdk.chat.completions.create(model="old", messages=ask(), response_format=shape)
    assert json.loads(reply.choices[0].message.content or "") == {"city": "Rome"}
    config = house.last["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseSchema"]["properties"] == {"city": {"type": "STRING"}}


def test_an_image_arrives_by_value_and_a_video_by_its_address(house: House) -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    content: Any = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel}"}},
        {"type": "image_url", "image_url": {"url": "https://www.youtube.com/watch?v=1"}},
        {"type": "text", "text": "what is it?"},
    ]
    house.sdk.chat.completions.create(model="old", messages=[{"role": "user", "content": content}])
    parts = house.last["contents"][0]["parts"]
    assert parts[0] == {"inlineData": {"mimeType": "image/png", "data": pixel}}
    assert parts[1] == {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}}
    content[1]["image_url"]["url"] = "https://example.com/cat.png"
    with pytest.raises(openai.BadRequestError, match="not fetched"):
        house.sdk.chat.completions.create(model="old", messages=[{"role": "user", "content": content}])


def test_responses_and_ollama_clients(house: House) -> None:
    reply = house.sdk.responses.create(model="old", input="one two three")
    assert reply.output_text == "Hello from Gemini."
    chat = house.gateway.http("POST", "/api/chat", {"model": "old", "messages": ask(), "stream": False})
    assert chat.json()["message"]["content"] == "Hello from Gemini."


@pytest.mark.parametrize("model", ["old", "new"])
def test_a_client_of_gemini_gets_what_no_other_dialect_has(house: House, model: str) -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    house.answers([picture], stream=False)
    body = {"contents": [{"role": "user", "parts": [{"text": "a cat"}]}], "generationConfig": {"topK": 3}}
    path = f"/v1beta/models/{model}"
    told = house.gateway.http("POST", f"{path}:generateContent", body)
    assert told.json()["candidates"][0]["content"]["parts"] == [picture]
    assert house.last["contents"] == body["contents"] and house.last["generationConfig"] == {"topK": 3}
    house.answers([thought_part("Hm."), picture], stream=True)
    streamed = house.gateway.http("POST", f"{path}:streamGenerateContent?alt=sse", body)
    assert streamed.body.count(b"data: ") == 2 and b'"image/png"' in streamed.body
    array = house.gateway.http("POST", f"{path}:streamGenerateContent", body)
    words = [part["text"] for piece in array.json() for part in piece["candidates"][0]["content"]["parts"]]
    assert "".join(words) == "Hello from Gemini."


def test_googles_own_sdk_keeps_its_signatures(house: House) -> None:
    options = types.HttpOptions(base_url=house.gateway.url)
    with genai.Client(api_key=house.gateway.master_key, http_options=options) as client:
        streamed = client.models.generate_content_stream(model="new", contents="one two three")
        assert "".join(piece.text or "" for piece in streamed) == "Hello from Gemini."
        house.calls_tools(stream=False)
        chat = client.chats.create(model="new")
        first = chat.send_message("weather?")
        assert first.usage_metadata is not None and first.usage_metadata.thoughts_token_count == 7
        answers = [
            types.Part.from_function_response(name=call.name or "", response={"sky": "clear"})
            for call in first.function_calls or ()
        ]
        assert chat.send_message(answers).text == "Hello from Gemini."
    sent = house.last["contents"]
    assert [part.get("thoughtSignature") for part in sent[1]["parts"]] == [SIGNATURE, None]


def test_texts_are_embedded_for_every_client(house: House) -> None:
    found = house.sdk.embeddings.create(model="old", input=["a", "b"], dimensions=2, encoding_format="float")
    assert [one.embedding for one in found.data] == [[0.25, -0.5], [0.25, -0.5]]
    assert house.google.inference[-1].target == "/v1beta/models/gemini-2.5-flash:batchEmbedContents"
    assert house.last["requests"][1] == {
        "model": "models/gemini-2.5-flash",
        "content": {"parts": [{"text": "b"}]},
        "outputDimensionality": 2,
    }
    ollama = house.gateway.http("POST", "/api/embed", {"model": "old", "input": "a"}).json()
    assert ollama["embeddings"] == [[0.25, -0.5]]


def test_a_completion_becomes_a_chat(house: House) -> None:
    assert house.sdk.completions.create(model="old", prompt="one two").choices[0].text == "Hello from Gemini."


def test_a_blocked_answer_is_a_content_filter(house: House) -> None:
    house.answers([text_part("Well")], stream=False, reason="SAFETY")
    reply = house.sdk.chat.completions.create(model="old", messages=ask())
    assert reply.choices[0].finish_reason == "content_filter"


@pytest.mark.parametrize(
    ("status", "word", "raised"),
    [
        (400, "INVALID_ARGUMENT", openai.BadRequestError),
        (403, "PERMISSION_DENIED", openai.PermissionDeniedError),
        (404, "NOT_FOUND", openai.NotFoundError),
        (429, "RESOURCE_EXHAUSTED", openai.RateLimitError),
        (500, "INTERNAL", openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_before_the_first_word(house: House, status: int, word: str, raised: Any, stream: bool) -> None:
    house.google.script(Reply.json(google_error(status, word, "Google says no."), status))
    with pytest.raises(raised, match="Google says no"):
        house.sdk.with_options(max_retries=0).chat.completions.create(model="old", messages=ask(), stream=stream)


def test_an_error_in_the_middle_of_a_stream(house: House) -> None:
    events = [answer([text_part("Hel")], COUNTS, reason=None), google_error(503, "UNAVAILABLE", "Overloaded.")]
    house.google.script(Reply.stream(events, done=False))
    with pytest.raises(openai.APIError, match="Overloaded"):
        list(house.sdk.chat.completions.create(model="old", messages=ask(), stream=True))


def test_a_stream_that_just_ends_is_no_answer(house: House) -> None:
    house.google.script(Reply.stream([answer([text_part("Hel")], COUNTS, reason=None)], done=False))
    with pytest.raises(openai.APIError, match="ended its stream"):
        list(house.sdk.chat.completions.create(model="old", messages=ask(), stream=True))


# -- counting tokens -------------------------------------------------------------------------------------------------


def test_gemini_counts_for_its_own_clients(house: House) -> None:
    body = {"contents": [{"parts": [{"text": "one two three"}]}]}
    told = house.gateway.http("POST", "/v1beta/models/old:countTokens", body)
    (asked,) = house.google.questions
    assert (asked.target, asked.json()) == ("/v1beta/models/gemini-2.5-flash:countTokens", body)
    expected = {"totalTokens": 1003, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1003}]}
    assert (told.status, told.json(), told.headers["x-pointsman-token-count"]) == (200, expected, "upstream")


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_whole_request_is_counted_with_all_that_is_in_it(house: House, wrapped: bool) -> None:
    whole = {
        "contents": [{"role": "user", "parts": [{"text": "one two three"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [{"googleSearch": {}}],
    }
    inner = {"model": "models/old", **whole}
    told = house.gateway.http(
        "POST", "/v1beta/models/old:countTokens", {"generateContentRequest": inner} if wrapped else whole
    )
    (asked,) = house.google.questions
    assert (told.status, told.json()["totalTokens"]) == (200, 1003)
    assert asked.json() == {"generateContentRequest": {"model": "models/gemini-2.5-flash", **whole}}


def test_gemini_counts_for_clients_of_anthropic(house: House) -> None:
    counted = house.claude.messages.with_raw_response.count_tokens(
        model="old", messages=[{"role": "user", "content": "one two three"}], system="Be brief.", tools=CLAUDE_TOOLS
    )
    assert (counted.parse().input_tokens, counted.headers["x-pointsman-token-count"]) == (1003, "upstream")
    (asked,) = house.google.questions
    request = asked.json()["generateContentRequest"]
    assert request["contents"] == [{"role": "user", "parts": [{"text": "one two three"}]}]
    assert request["tools"][0]["functionDeclarations"][0]["name"] == "get_weather"
    assert "generationConfig" not in request


@pytest.mark.parametrize(("status", "told"), [(503, 200), (404, 200), (400, 400)])
def test_where_gemini_does_not_count_there_is_an_estimate(house: House, status: int, told: int) -> None:
    house.google.script(Reply.json(google_error(status, "INVALID_ARGUMENT", "Contents are odd."), status))
    body = {"contents": [{"parts": [{"text": "one two three"}]}]}
    answer = house.gateway.http("POST", "/v1beta/models/old:countTokens", body)
    assert answer.status == told
    if told == 200:
        assert answer.headers["x-pointsman-token-count"] == "estimate" and 1 <= answer.json()["totalTokens"] < 100
    else:
        assert "Contents are odd." in answer.json()["error"]["message"]


def test_remote_images_are_not_fetched_to_be_counted(house: House) -> None:
    image: Any = {"type": "image", "source": {"type": "url", "url": "https://192.0.2.1/cat.png"}}
    messages: Any = [{"role": "user", "content": [image]}]
    counted = house.claude.messages.with_raw_response.count_tokens(model="old", messages=messages)
    assert counted.headers["x-pointsman-token-count"] == "estimate" and not house.google.questions
