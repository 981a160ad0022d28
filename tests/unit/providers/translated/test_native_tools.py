"""Tools of providers in the requests of chat clients: to the provider whose they are, else mapped or refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Malformed, Unsupported
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.providers.ollama.far import OllamaFar
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
from pointsman.providers.translated.openai_responses import OpenAIResponsesFar

FARS: dict[str, FarSide] = {
    "anthropic": AnthropicFar(),
    "gemini": GeminiFar(lambda _deployment, verb: verb.encode()),
    "responses": OpenAIResponsesFar(),
    "chat": OpenAIChatFar(),
    "mistral": MistralFar(),
    "cohere": CohereFar(),
    "ollama": OllamaFar(),
}
F = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
COMPUTER = {"type": "computer_20250124", "name": "computer", "display_width_px": 800, "display_height_px": 600}
WRAPPED = {
    "type": "computer_20250124",
    "function": {"name": "computer", "parameters": {"display_width_px": 800, "display_height_px": 600}},
}
PATCH = {"type": "custom", "custom": {"name": "patch"}}
GRAMMAR = {"syntax": "lark", "definition": "x"}


def outbound(far: str, *tools: dict[str, Any], drop: bool = False, **fields: Any) -> Outbound:
    deployment = Deployment("d", "m", "openai", "up", "x/up", "http://up.invalid", None, drop_params=drop)
    asked = {"model": "m", "messages": [{"role": "user", "content": "?"}], "tools": tools, **fields}
    ask = Ask(Operation.CHAT, "m", msgspec.json.decode(json.dumps(asked), type=dict[str, msgspec.Raw]))
    return FARS[far].write(read_call(CLIENTS[Operation.CHAT], ask), deployment)


def sent(far: str, *tools: dict[str, Any], drop: bool = False, **fields: Any) -> Any:
    return json.loads(outbound(far, *tools, drop=drop, **fields).body)


@pytest.mark.parametrize(
    ("far", "tool", "expected"),
    [
        ("anthropic", COMPUTER, COMPUTER),
        ("anthropic", WRAPPED, COMPUTER),
        ("anthropic", {"type": "bash_20250124"}, {"type": "bash_20250124", "name": "bash"}),
        (
            "anthropic",
            {"type": "text_editor_20250728"},
            {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
        ),
        ("anthropic", {"type": "text_editor_20250124"}, {"type": "text_editor_20250124", "name": "str_replace_editor"}),
        (
            "anthropic",
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
        ),
        (
            "anthropic",
            {"type": "mcp_toolset", "mcp_server_name": "s"},
            {"type": "mcp_toolset", "mcp_server_name": "s"},
        ),
        ("anthropic", {"type": "web_search"}, {"type": "web_search_20250305", "name": "web_search"}),
        ("anthropic", {"googleSearch": {}}, {"type": "web_search_20250305", "name": "web_search"}),
        ("anthropic", {"codeExecution": {}}, {"type": "code_execution_20250522", "name": "code_execution"}),
        ("gemini", {"googleSearch": {}}, {"googleSearch": {}}),
        ("gemini", {"google_search": {}}, {"googleSearch": {}}),
        ("gemini", {"url_context": {}}, {"urlContext": {}}),
        ("gemini", {"type": "code_execution", "codeExecution": {}}, {"codeExecution": {}}),
        ("gemini", {"type": "computer_use", "environment": "b"}, {"computerUse": {"environment": "b"}}),
        ("gemini", {"type": "web_search_20250305", "name": "web_search"}, {"googleSearch": {}}),
        ("gemini", {"type": "web_search_preview"}, {"googleSearch": {}}),
        ("gemini", {"type": "code_execution_20250825", "name": "code_execution"}, {"codeExecution": {}}),
        (
            "responses",
            {"type": "file_search", "vector_store_ids": ["v"]},
            {"type": "file_search", "vector_store_ids": ["v"]},
        ),
        ("responses", {"type": "web_search_20250305", "name": "web_search"}, {"type": "web_search"}),
        ("responses", {"googleSearch": {}}, {"type": "web_search"}),
        ("responses", {"codeExecution": {}}, {"type": "code_interpreter", "container": {"type": "auto"}}),
        ("responses", PATCH, {"type": "custom", "name": "patch"}),
        (
            "responses",
            {
                "type": "custom",
                "custom": {
                    "name": "p",
                    "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}},
                },
            },
            {"type": "custom", "name": "p", "format": {"type": "grammar", **GRAMMAR}},
        ),
        ("chat", COMPUTER, COMPUTER),
        ("chat", {"type": "web_search"}, {"type": "web_search"}),
        ("chat", PATCH, PATCH),
    ],
)
def test_it_goes_to_whose_it_is_or_who_has_its_like(far: str, tool: dict[str, Any], expected: dict[str, Any]) -> None:
    assert sent(far, tool)["tools"] == [expected]


@pytest.mark.parametrize(
    ("tool", "beta"),
    [
        (COMPUTER, "computer-use-2025-01-24"),
        ({"type": "code_execution_20250825", "name": "code_execution"}, "code-execution-2025-08-25"),
        ({"type": "web_fetch_20250910", "name": "web_fetch"}, "web-fetch-2025-09-10"),
        ({"codeExecution": {}}, "code-execution-2025-05-22"),
        ({"type": "web_search_20250305", "name": "web_search"}, None),
        (F, None),
    ],
)
def test_anthropic_is_sent_the_header_that_goes_with_it(tool: dict[str, Any], beta: str | None) -> None:
    headers = {name: value.reveal() for name, value in outbound("anthropic", tool).headers}
    assert headers.get("anthropic-beta") == beta


@pytest.mark.parametrize(
    ("far", "tool", "words"),
    [
        ("gemini", COMPUTER, "'computer' is a tool of Anthropic; Gemini has nothing like it"),
        ("anthropic", {"urlContext": {}}, "'urlContext' is a tool of Gemini; Anthropic has nothing like it"),
        ("anthropic", {"type": "file_search"}, "'file_search' is a tool of OpenAI's Responses API"),
        ("responses", COMPUTER, "'computer' is a tool of Anthropic; OpenAI's Responses API"),
        (
            "responses",
            {"type": "apply_patch"},
            "calls of 'apply_patch', a tool of .* API, have no place",
        ),
        ("ollama", {"type": "browser_search"}, "'browser_search' is a tool of another provider; Ollama"),
        ("mistral", COMPUTER, "Mistral has nothing like it"),
        ("cohere", COMPUTER, "Cohere has nothing like it"),
    ],
)
def test_what_nobody_there_has_is_refused_by_name_even_beside_functions(
    far: str, tool: dict[str, Any], words: str
) -> None:
    with pytest.raises(Unsupported, match=words) as refused:
        sent(far, F, tool)
    assert refused.value.param == "tools[1]"


def test_an_operator_may_have_it_dropped() -> None:
    body = sent("gemini", F, COMPUTER, drop=True, tool_choice={"type": "function", "function": {"name": "computer"}})
    assert [list(tool) for tool in body["tools"]] == [["functionDeclarations"]] and "toolConfig" not in body


def test_a_flaw_is_told_at_its_place() -> None:
    with pytest.raises(Malformed) as wrong:
        sent("anthropic", F, {"type": "computer_20250124", "name": "computer", "cache_control": 1, "strict": "x"})
    assert wrong.value.param == "tools[1].strict"


@pytest.mark.parametrize("far", ["anthropic", "gemini", "mistral", "cohere", "ollama"])
def test_a_custom_tool_is_the_function_that_it_also_is(far: str) -> None:
    assert '"patch"' in json.dumps(sent(far, PATCH)["tools"])


def test_a_prefix_that_clients_of_litellm_mark_is_cached_by_claude() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    body = sent(
        "anthropic",
        {**F, **mark},
        messages=[
            {"role": "system", "content": [{"type": "text", "text": "Long", **mark}]},
            {"role": "user", "content": "?", **mark},
        ],
    )
    assert body["system"] == [{"type": "text", "text": "Long", **mark}]
    assert body["tools"][0]["cache_control"] == mark["cache_control"]
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "?", **mark}]}]
