"""A search of the web that a client asks its provider for is the one of the model's provider, or is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.providers.translated import (
    CLIENTS,
    AnthropicFar,
    CohereFar,
    FarSide,
    GeminiFar,
    MistralFar,
    OpenAIChatFar,
    read_call,
)

PLACE = {"type": "approximate", "city": "Paris", "country": "FR"}
ASK: dict[Operation, dict[str, Any]] = {
    Operation.CHAT: {"messages": [{"role": "user", "content": "?"}]},
    Operation.MESSAGES: {"max_tokens": 9, "messages": [{"role": "user", "content": "?"}]},
    Operation.RESPONSES: {"input": "?", "store": False},
    Operation.GEMINI_CHAT: {"contents": [{"parts": [{"text": "?"}]}]},
}
CHAT = {"web_search_options": {"search_context_size": "low", "user_location": {"type": "approximate",
        "approximate": {"city": "Paris", "country": "FR"}}}}  # fmt: skip
CLAUDE = {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "user_location": PLACE}]}
NEWER = {"tools": [{"type": "web_search_20260209", "name": "web_search"}]}
RESPONSES = {"tools": [{"type": "web_search", "search_context_size": "low", "user_location": PLACE}]}
PREVIEW = {"tools": [{"type": "web_search_preview_2025_03_11"}]}
GEMINI: dict[str, Any] = {"tools": [{"google_search": {}}]}
FARS: dict[str, FarSide] = {
    "anthropic": AnthropicFar(),
    "gemini": GeminiFar(lambda _deployment, verb: verb.encode()),
    "chat": OpenAIChatFar(),
    "mistral": MistralFar(),
    "cohere": CohereFar(),
}


def sent(far: str, operation: Operation, asked: dict[str, Any], **changes: Any) -> Any:
    fields: dict[str, Any] = {"provider": "openai", "model": "up", "drop_params": False, **changes}
    deployment = Deployment(id="d", group="m", litellm_model="x/up", api_base="http://up.invalid", price=None, **fields)
    body = json.dumps({"model": "m", **ASK[operation], **asked}).encode()
    ask = Ask(operation, "m", msgspec.json.decode(body, type=dict[str, msgspec.Raw]))
    return json.loads(FARS[far].write(read_call(CLIENTS[operation], ask), deployment).body)


@pytest.mark.parametrize(
    ("operation", "asked", "expected"),
    [
        (Operation.CHAT, CHAT, {"max_uses": 1, "user_location": PLACE}),
        (Operation.CHAT, {"web_search_options": {}}, {}),
        (Operation.RESPONSES, RESPONSES, {"max_uses": 1, "user_location": PLACE}),
        (Operation.RESPONSES, PREVIEW, {}),
        (
            Operation.RESPONSES,
            {"tools": [{"type": "web_search", "filters": {"allowed_domains": ["a.example"]}}]},
            {"allowed_domains": ["a.example"]},
        ),
        (Operation.GEMINI_CHAT, GEMINI, {}),
    ],
)
def test_claude_searches(operation: Operation, asked: dict[str, Any], expected: dict[str, Any]) -> None:
    tool = {"type": "web_search_20250305", "name": "web_search", **expected}
    assert sent("anthropic", operation, asked)["tools"] == [tool]


def test_what_claude_is_asked_in_its_own_words_stays_as_it_is() -> None:
    assert sent("anthropic", Operation.MESSAGES, NEWER)["tools"] == NEWER["tools"]


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        (Operation.CHAT, CHAT),
        (Operation.MESSAGES, CLAUDE),
        (Operation.MESSAGES, NEWER),
        (Operation.RESPONSES, RESPONSES),
        (Operation.RESPONSES, {**PREVIEW, "tool_choice": {"type": "web_search_preview_2025_03_11"}}),
    ],
)
def test_gemini_searches(operation: Operation, asked: dict[str, Any]) -> None:
    body = sent("gemini", operation, asked)
    assert body["tools"] == [{"googleSearch": {}}] and "toolConfig" not in body


def test_a_choice_of_the_search_is_one_of_claudes() -> None:
    asked = {**RESPONSES, "tool_choice": {"type": "web_search"}}
    assert sent("anthropic", Operation.RESPONSES, asked)["tool_choice"] == {"type": "tool", "name": "web_search"}


@pytest.mark.parametrize(
    ("operation", "asked", "expected"),
    [
        (Operation.MESSAGES, CLAUDE, {"user_location": CHAT["web_search_options"]["user_location"]}),
        (Operation.RESPONSES, RESPONSES, CHAT["web_search_options"]),
        (Operation.GEMINI_CHAT, GEMINI, {}),
    ],
)
@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-4o-search-preview"), ("openai", "gpt-5-search-api"), ("perplexity", "sonar")],
)
def test_models_that_search_in_a_chat_do(
    operation: Operation, asked: dict[str, Any], expected: dict[str, Any], provider: str, model: str
) -> None:
    body = sent("chat", operation, asked, provider=provider, model=model)
    assert body["web_search_options"] == expected and "tools" not in body


@pytest.mark.parametrize("far", ["chat", "mistral", "cohere"])
@pytest.mark.parametrize(
    ("operation", "asked"),
    [(Operation.MESSAGES, CLAUDE), (Operation.RESPONSES, RESPONSES), (Operation.GEMINI_CHAT, GEMINI)],
)
def test_where_there_is_no_search_it_is_refused_by_its_name(
    far: str, operation: Operation, asked: dict[str, Any]
) -> None:
    with pytest.raises(Unsupported, match=r"[sS]earch") as refused:
        sent(far, operation, asked)
    assert refused.value.param == "tools[0]"


BOUND = {"tools": [{**CLAUDE["tools"][0], "blocked_domains": ["x.example"]}]}


@pytest.mark.parametrize(("far", "model"), [("gemini", "up"), ("chat", "gpt-4o-search-preview")])
def test_a_search_that_is_bound_to_pages_is_not_let_loose(far: str, model: str) -> None:
    with pytest.raises(Unsupported, match="blocked_domains"):
        sent(far, Operation.MESSAGES, BOUND, model=model)
    assert sent(far, Operation.MESSAGES, BOUND, model=model, drop_params=True)


def test_beside_functions_gemini_is_offered_those() -> None:
    function = {"name": "f", "input_schema": {"type": "object", "properties": {}}}
    body = sent("gemini", Operation.MESSAGES, {"tools": [*CLAUDE["tools"], function]})
    assert [one["name"] for one in body["tools"][0]["functionDeclarations"]] == ["f"] and len(body["tools"]) == 1
