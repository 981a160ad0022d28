"""How hard to think: a budget of tokens up to Gemini 2.5, a level from Gemini 3 on.

Sources: https://ai.google.dev/gemini-api/docs/thinking (which model takes what),
https://ai.google.dev/gemini-api/docs/openai#thinking (budgets for efforts).
"""

from __future__ import annotations

from typing import Final

from pointsman.core.call import Reasoning
from pointsman.dialects.droppable import is_off
from pointsman.dialects.gemini.types import GeminiTarget, ThinkingConfig

__all__ = ["asks_for_thinking", "write_thinking"]

_BUDGETS: Final = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
_BOUNDS: Final = (
    ("gemini-2.5-pro", 128, 32_768),
    ("gemini-2.5-flash-lite", 512, 24_576),
    ("gemini-2.5-flash", 0, 24_576),
)
"""What a model takes at the least and at the most, in tokens; Pro cannot be kept from thinking."""

_MOST: Final = "high"
_LEVELS: Final = frozenset({"minimal", "low", "medium", "high"})
_TWO_LEVELS: Final = "gemini-3-pro"
"""Knows ``low`` and ``high``; later ones of its kind know ``medium`` as well."""


def asks_for_thinking(reasoning: Reasoning) -> bool:
    """Whether thinking is wanted, or only that there be none."""
    return not is_off(reasoning)


def write_thinking(
    reasoning: Reasoning | None, target: GeminiTarget, output_tokens: int | None = None
) -> ThinkingConfig | None:
    """Who asks for thinking wants to see it; who asks for none gets as little as the model allows.

    ``output_tokens`` bounds the answer, of which thinking is a part: an effort is given half of it at the most.
    """
    if reasoning is None:
        return None
    in_levels = target.thinks_in_levels
    if in_levels is None:
        in_levels = not target.model.startswith(("gemini-1", "gemini-2"))
    off = is_off(reasoning)
    if in_levels:
        return ThinkingConfig(include_thoughts=not off, thinking_level=_level(reasoning, target.model, off=off))
    if off:
        least = 0 if not target.model.startswith("gemini-2.5-pro") else _BOUNDS[0][1]
        return ThinkingConfig(include_thoughts=False, thinking_budget=least)
    budget = reasoning.budget_tokens
    if reasoning.effort is not None:
        budget = _BUDGETS.get(reasoning.effort, _BUDGETS[_MOST])
        if output_tokens is not None and budget >= output_tokens:
            budget = output_tokens // 2
    return ThinkingConfig(include_thoughts=True, thinking_budget=-1 if budget is None else _bounded(budget, target))


def _bounded(budget: int, target: GeminiTarget) -> int:
    for model, least, most in _BOUNDS:
        if target.model.startswith(model):
            return min(max(budget, least), most)
    return budget


def _level(reasoning: Reasoning, model: str, *, off: bool) -> str | None:
    """The word for an effort or a budget; what is harder than the hardest is the hardest."""
    level = "minimal" if off else _wanted_level(reasoning)
    if level == "minimal" and "flash" not in model:
        return "low"
    return _MOST if level == "medium" and model.startswith(_TWO_LEVELS) else level


def _wanted_level(reasoning: Reasoning) -> str | None:
    if reasoning.effort is not None:
        return reasoning.effort if reasoning.effort in _LEVELS else _MOST
    budget = reasoning.budget_tokens
    if budget is None:
        return None
    return next((word for word in ("low", "medium") if budget <= _BUDGETS[word]), _MOST)
