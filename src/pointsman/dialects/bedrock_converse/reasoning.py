"""How hard to think, in the words of each family of models: none of them is Converse's own.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html,
…/claude-messages-adaptive-thinking.html, https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html
and https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Reasoning
from pointsman.core.errors import Unsupported
from pointsman.dialects.bedrock_converse.abilities import Abilities

__all__ = ["Thought", "is_wanted", "write_reasoning"]

_BUDGET_MIN: Final = 1024
"""Claude refuses smaller ones."""

_BUDGETS: Final = {
    "minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384, "ultra": 32768,
}  # fmt: skip
"""Tokens for an effort: from ``low`` to ``high`` as LiteLLM has them, beyond that doubled at each step."""

_EFFORTS: Final = {
    "minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max", "ultra": "max",
}  # fmt: skip
_LEVELS: Final = {"minimal": "low", "low": "low", "medium": "medium"}

_OUTPUT_TOKENS: Final = 4096
"""Room for the answer beside a budget, where nobody bounds it."""


class Thought(msgspec.Struct, frozen=True):
    """What is written for a wish to reason: fields of the model's own, and the bound that goes with them."""

    max_tokens: int | None
    fields: dict[str, object] = {}


def is_wanted(reasoning: Reasoning | None) -> bool:
    """Whether the model is asked to think."""
    if reasoning is None or reasoning.enabled is False:
        return False
    if reasoning.enabled or reasoning.budget_tokens is not None:
        return True
    return reasoning.effort is not None and reasoning.effort != "none"


def write_reasoning(
    reasoning: Reasoning | None, max_tokens: int | None, abilities: Abilities, output_tokens_max: int | None = None
) -> Thought:
    """What is written for a wish to reason; a model that cannot is not told.

    Args:
        reasoning: The wish.
        max_tokens: The client's bound on the answer, reasoning included. A budget always leaves room below it; where
            it is too small for the smallest budget, the model does not think.
        abilities: How the model is told.
        output_tokens_max: The most that the model can say, reasoning included. It bounds a budget where the client has
            no bound. None: nobody knows, so there is the usual room beside the budget.

    Raises:
        Unsupported: an effort that nobody knows.
    """
    if reasoning is None:
        return Thought(max_tokens)
    word = reasoning.effort
    if word not in {None, "none", *_EFFORTS}:
        raise Unsupported(f"reasoning_effort '{str(word)[:40]}' is not known.", param="reasoning_effort")
    if not is_wanted(reasoning):
        # Claude thinks only where it is asked to; to Nova 2 the word is the same as saying nothing.
        return Thought(max_tokens)
    match abilities.thinks:
        case "levels":
            level = _LEVELS.get(word or "medium", "high")
            return Thought(max_tokens, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": level}})
        case "effort":
            return Thought(max_tokens, {"reasoning_effort": _EFFORTS.get(word or "", "medium")})
        case "unknown" if word is not None:
            return Thought(max_tokens, {"reasoning_effort": word})
        case "adaptive" if reasoning.budget_tokens is None or not abilities.budgets:
            effort = _EFFORTS.get(word or "")
            config = {} if effort is None else {"output_config": {"effort": effort}}
            return Thought(max_tokens, {"thinking": {"type": "adaptive"}, **config})
        case "budget" | "adaptive" | "unknown":
            return _within_budget(reasoning, max_tokens, output_tokens_max)
        case "no" | "always":
            return Thought(max_tokens)


def _within_budget(reasoning: Reasoning, max_tokens: int | None, output_tokens_max: int | None) -> Thought:
    wanted = max(reasoning.budget_tokens or _BUDGETS.get(reasoning.effort or "", _BUDGETS["medium"]), _BUDGET_MIN)
    limit = max_tokens or output_tokens_max or wanted + _OUTPUT_TOKENS
    room = 1 if max_tokens is not None else min(_OUTPUT_TOKENS, limit - limit // 2)
    budget = min(wanted, limit - room)
    fields: dict[str, object] = {"thinking": {"type": "enabled", "budget_tokens": budget}}
    return Thought(limit, fields) if budget >= _BUDGET_MIN else Thought(max_tokens)
