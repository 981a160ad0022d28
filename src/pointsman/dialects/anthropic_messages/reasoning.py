"""How hard to think: ``thinking`` and ``output_config.effort``.

Sources: https://platform.claude.com/docs/en/build-with-claude/extended-thinking, …/adaptive-thinking and …/effort.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Reasoning
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.anthropic_messages.abilities import Abilities
from pointsman.dialects.anthropic_messages.types import Effort, OutputConfig, ThinkingFields

__all__ = ["Thought", "is_wanted", "read_reasoning", "write_reasoning"]

_BUDGET_MIN: Final = 1024
"""Anthropic refuses smaller ones."""

_BUDGETS: Final = {
    "minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384, "ultra": 32768,
}  # fmt: skip
"""Tokens for an effort: from ``low`` to ``high`` as LiteLLM has them, beyond that doubled at each step."""

_ROOM: Final = 4096
"""For the answer beside a budget to think, where nobody bounds it."""

_EFFORT_BUDGETS: Final[tuple[tuple[Effort, int], ...]] = (("high", 16_384), ("medium", 4_096))
"""From how many tokens on a budget is taken for an effort; what is less is ``low``."""

_EFFORTS: Final[dict[str, Effort]] = {
    "minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max", "ultra": "max",
}  # fmt: skip


class Thought(msgspec.Struct, frozen=True):
    """What is written for a wish to reason, and the bound on the answer that goes with it."""

    max_tokens: int
    thinking: ThinkingFields | None = None
    effort: Effort | None = None


def read_reasoning(thinking: ThinkingFields | None, config: OutputConfig | None) -> Reasoning | None:
    """The wish to reason, if there is one.

    Raises:
        Malformed: reasoning within a budget is wanted, and the budget is missing.
    """
    effort = None if config is None else config.effort
    if thinking is None:
        return None if effort is None else Reasoning(effort=effort)
    if thinking.type == "enabled" and thinking.budget_tokens is None:
        raise Malformed("thinking.budget_tokens is required.", param="thinking.budget_tokens")
    budget = thinking.budget_tokens if thinking.type == "enabled" else None
    return Reasoning(effort=effort, budget_tokens=budget, enabled=thinking.type != "disabled")


def is_wanted(reasoning: Reasoning | None) -> bool:
    """Whether the model is asked to think."""
    if reasoning is None or reasoning.enabled is False:
        return False
    if reasoning.enabled or reasoning.budget_tokens is not None:
        return True
    return reasoning.effort is not None and reasoning.effort != "none"


def write_reasoning(
    reasoning: Reasoning | None, max_tokens: int | None, output_tokens_max: int | None, abilities: Abilities
) -> Thought:
    """What is written for a wish to reason.

    Args:
        reasoning: The wish.
        max_tokens: The client's bound on the answer, reasoning included. A budget always leaves room below it; where
            it is too small for the smallest budget, the model does not think.
        output_tokens_max: The most that the model can say, reasoning included, which is the bound where the client has
            none; a budget leaves room below it. None: nobody knows, so there is the usual room beside the budget.
        abilities: Whether the model chooses for itself how much to think, given an effort, and whether it must.

    Raises:
        Unsupported: an effort that nobody knows.
    """
    limit = max_tokens or output_tokens_max or _ROOM
    if reasoning is None:
        return Thought(limit)
    word = reasoning.effort
    if word not in {None, "none", *_EFFORTS}:
        raise Unsupported(f"reasoning_effort '{str(word)[:40]}' is not known.", param="reasoning_effort")
    effort = _effort(word, abilities)
    if not is_wanted(reasoning):
        if abilities.silent:
            return Thought(limit, ThinkingFields("disabled"), effort)
        return Thought(limit, None, "low" if abilities.effort else None)
    if abilities.effort and (reasoning.budget_tokens is None or not abilities.budgets):
        return Thought(limit, ThinkingFields("adaptive"), effort or _effort_of(reasoning.budget_tokens))
    wanted = reasoning.budget_tokens or _BUDGETS.get(word or "", _BUDGETS["medium"])
    wanted = max(wanted, _BUDGET_MIN)
    limit = max_tokens or output_tokens_max or wanted + _ROOM
    room = 1 if max_tokens is not None else min(_ROOM, limit - limit // 2)
    budget = min(wanted, limit - room)
    return Thought(limit, ThinkingFields("enabled", budget) if budget >= _BUDGET_MIN else None, effort)


def _effort(word: str | None, abilities: Abilities) -> Effort | None:
    effort = _EFFORTS.get(word or "") if abilities.effort else None
    return "high" if effort == "xhigh" and not abilities.xhigh else effort


def _effort_of(budget: int | None) -> Effort | None:
    """The effort that comes near to a budget, for a model that takes none."""
    if budget is None:
        return None
    return next((word for word, least in _EFFORT_BUDGETS if budget >= least), "low")
