"""How hard each of Gemini's models is told to think."""

from __future__ import annotations

import pytest

from pointsman.core.call import Reasoning
from pointsman.dialects.gemini.thinking import asks_for_thinking, write_thinking
from pointsman.dialects.gemini.types import GeminiTarget, ThinkingConfig


@pytest.mark.parametrize(
    ("model", "wish", "config"),
    [
        ("gemini-2.5-flash", None, None),
        ("gemini-2.5-flash", Reasoning("minimal"), ThinkingConfig(True, 1024)),
        ("gemini-2.5-flash", Reasoning("xhigh"), ThinkingConfig(True, 24_576)),
        ("gemini-2.5-flash", Reasoning(budget_tokens=99_999), ThinkingConfig(True, 24_576)),
        ("gemini-2.5-flash-lite", Reasoning(budget_tokens=1), ThinkingConfig(True, 512)),
        ("gemini-2.5-pro", Reasoning(budget_tokens=99_999), ThinkingConfig(True, 32_768)),
        ("gemini-2.5-pro", Reasoning(enabled=False), ThinkingConfig(False, 128)),
        ("gemini-2.5-flash", Reasoning(enabled=True), ThinkingConfig(True, -1)),
        ("gemini-3-pro-preview", Reasoning("none"), ThinkingConfig(False, None, "low")),
        ("gemini-3-pro-preview", Reasoning("minimal"), ThinkingConfig(True, None, "low")),
        ("gemini-3-pro-preview", Reasoning("medium"), ThinkingConfig(True, None, "high")),
        ("gemini-3.1-pro-preview", Reasoning("medium"), ThinkingConfig(True, None, "medium")),
        ("gemini-3-flash-preview", Reasoning("none"), ThinkingConfig(False, None, "minimal")),
        ("gemini-3-flash-preview", Reasoning(budget_tokens=2000), ThinkingConfig(True, None, "medium")),
        ("gemini-3-flash-preview", Reasoning(enabled=True), ThinkingConfig(True)),
    ],
)
def test_a_wish_becomes_what_the_model_takes(model: str, wish: Reasoning | None, config: ThinkingConfig | None) -> None:
    assert write_thinking(wish, GeminiTarget(model)) == config


def test_only_a_wish_to_think_asks_for_it() -> None:
    assert asks_for_thinking(Reasoning("low")) and asks_for_thinking(Reasoning(budget_tokens=1))
    assert not asks_for_thinking(Reasoning("none")) and not asks_for_thinking(Reasoning(enabled=False))


def test_an_effort_leaves_room_for_the_answer() -> None:
    target = GeminiTarget("gemini-2.5-flash")
    for limit, budget in ((None, 8192), (9000, 8192), (8192, 4096), (1000, 500)):
        config = write_thinking(Reasoning("medium"), target, limit)
        assert config is not None and config.thinking_budget == budget
    said = write_thinking(Reasoning(budget_tokens=2000), target, 1000)
    assert said is not None and said.thinking_budget == 2000, "what a client says in tokens is its own"
