"""How hard to think, as a word, where a budget of tokens was given.

The bounds are LiteLLM 1.109.1's (``DEFAULT_REASONING_EFFORT_*_THINKING_BUDGET``), so that a model thinks as hard behind
either of the two.
"""

from __future__ import annotations

from typing import Final

__all__ = ["effort_for"]

_EFFORTS: Final = ((4096, "high"), (2048, "medium"), (1024, "low"))
_LEAST: Final = "minimal"


def effort_for(budget_tokens: int) -> str:
    """OpenAI's word for a budget: ``high`` from 4,096 tokens on, ``minimal`` below 1,024."""
    return next((word for least, word in _EFFORTS if budget_tokens >= least), _LEAST)
