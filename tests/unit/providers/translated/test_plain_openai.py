from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.core.call import Call, Reasoning
from pointsman.core.content import Message, Text, Thinking, ToolCall, ToolResult
from pointsman.core.upstream import Deployment
from pointsman.providers.translated import OpenAIChatFar

LONG_ID = "thought-b88-" + "A" * 88 + "-call_1"
CALL = Call(
    "m",
    (
        Message("user", (Text("Hi"),)),
        Message("assistant", (Thinking("Hm", "s", signer="gemini"), ToolCall(LONG_ID, "f", "{}"))),
        Message("tool", (ToolResult(LONG_ID, (Text("4"),), name="f"),)),
    ),
)


def sent(provider: str, api_base: str, reasoning: Reasoning | None = None) -> dict[str, Any]:
    call = Call(CALL.model, CALL.messages, reasoning=reasoning)
    deployment = Deployment("1", "m", provider, "gpt-5", "x", api_base, price=None)
    body: dict[str, Any] = json.loads(OpenAIChatFar().write(call, deployment).body)
    return body


@pytest.mark.parametrize(
    ("provider", "api_base"), [("openai", "https://api.openai.com/v1"), ("azure", "https://a.openai.azure.com/openai")]
)
def test_openai_gets_no_reasoning_back_no_names_of_tools_and_short_ids(provider: str, api_base: str) -> None:
    _, said, result = sent(provider, api_base)["messages"]
    assert set(said) == {"role", "content", "tool_calls"}
    assert said["tool_calls"][0]["id"] == result["tool_call_id"]
    assert set(result) == {"role", "content", "tool_call_id"} and len(result["tool_call_id"]) <= 40


@pytest.mark.parametrize("provider", ["deepseek", "hosted_vllm", "openai"])
def test_others_get_their_reasoning_back(provider: str) -> None:
    _, said, result = sent(provider, "http://10.0.0.1/v1")["messages"]
    assert said["reasoning_content"] == "Hm" and result["tool_call_id"] == LONG_ID
    assert result["name"] == "f"


@pytest.mark.parametrize(
    ("reasoning", "effort"),
    [
        (Reasoning(effort="minimal"), "minimal"),
        (Reasoning(effort="low", enabled=True, budget_tokens=32000), "low"),
        (Reasoning(budget_tokens=1024, enabled=True), "low"),
        (Reasoning(budget_tokens=512), "minimal"),
        (Reasoning(budget_tokens=2048), "medium"),
        (Reasoning(budget_tokens=4096), "high"),
        (Reasoning(budget_tokens=31999, enabled=True), "high"),
        (Reasoning(enabled=True), "medium"),
        (Reasoning(enabled=False), None),
        (None, None),
    ],
)
def test_a_budget_is_an_effort_where_there_are_no_budgets(reasoning: Reasoning | None, effort: str | None) -> None:
    body = sent("openai", "https://api.openai.com/v1", reasoning)
    assert body.get("reasoning_effort") == effort
    assert "thinking" not in body and "reasoning" not in body


def test_services_with_words_of_their_own_are_told_by_their_habits() -> None:
    assert sent("deepseek", "https://api.deepseek.com", Reasoning(enabled=False))["thinking"] == {"type": "disabled"}
