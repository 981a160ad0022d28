"""What the models behind this dialect can do, as far as their names and the catalogue tell.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html,
…/prompt-caching.html, …/structured-output.html, …/claude-messages-extended-thinking.html and
https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

__all__ = ["Abilities", "Family", "Thinks", "abilities_of"]

Family = Literal["claude", "nova", "other", "unknown"]
"""``unknown`` is a model behind a name that says nothing, such as an application inference profile."""

Thinks = Literal["no", "budget", "adaptive", "levels", "effort", "always", "unknown"]
"""How a model is told how hard to think.

``budget``: Claude's tokens; ``adaptive``: Claude's effort, or tokens; ``levels``: Nova 2's ``reasoningConfig``;
``effort``: OpenAI's ``reasoning_effort``; ``always``: it is not told.
"""

_REGION: Final = re.compile(r"^(?:us-gov|global|apac|us|eu|au|jp|ca|sa|me|af|il|mx)\.")
_CLAUDE_NEW: Final = re.compile(r"claude-[a-z]+-(\d{1,2})(?:-(\d{1,2}))?(?!\d)")
_CLAUDE_OLD: Final = re.compile(r"claude-(\d)(?:-(\d))?-[a-z]")
_NOVA_2: Final = re.compile(r"nova-(?:[2-9]|[a-z]+-v[2-9])")
_STRUCTURED: Final = (
    "deepseek.v3", "google.gemma-3", "minimax.", "mistral.magistral", "mistral.ministral-3", "mistral.mistral-large-3",
    "mistral.voxtral", "moonshot", "nvidia.nemotron", "openai.gpt-oss", "qwen.qwen3",
)  # fmt: skip
_EFFORT: Final = ("openai.", "deepseek.v3")
_CHOOSES: Final = ("mistral.", "openai.", "qwen.", "deepseek.v3", "minimax.", "moonshot", "cohere.command-r", "writer.")


class Abilities(msgspec.Struct, frozen=True):
    """What a model can do.

    Attributes:
        family: Whose fields it takes besides the common ones.
        thinks: How it is told how hard to think.
        json_schema: ``outputConfig.textFormat``; without it a tool stands in for a schema.
        forced_tools: ``toolChoice`` of ``any`` and ``tool``; the newest models of Claude refuse them.
        strict_tools: ``toolSpec.strict``.
        serial_tools: Claude's ``disable_parallel_tool_use``.
        cache_points: ``cachePoint`` blocks.
        cache_ttl: The ``ttl`` of those.
        sampling: Temperature and what goes with it; the newest models of Claude refuse them.
        budgets: A budget of tokens for thinking; the newest models of Claude refuse it.
    """

    family: Family = "other"
    thinks: Thinks = "no"
    json_schema: bool = False
    forced_tools: bool = False
    strict_tools: bool = False
    serial_tools: bool = False
    cache_points: bool = False
    cache_ttl: bool = False
    sampling: bool = True
    budgets: bool = True


def abilities_of(model: str, capabilities: frozenset[str] = frozenset()) -> Abilities:
    """The abilities of a model.

    Args:
        model: Its id, with or without a region before it; or an ARN, which mostly tells nothing.
        capabilities: What the catalogue or the operator says about it.
    """
    name = _REGION.sub("", model.rpartition("/")[2].lower())
    caches = "prompt_caching" in capabilities
    if "claude" in name:
        return _claude(name, caches=caches)
    if "nova" in name:
        thinks: Thinks = "levels" if _NOVA_2.search(name) else "no"
        return Abilities("nova", thinks, forced_tools=True, cache_points=caches or name.startswith("amazon.nova"))
    if "." not in name:
        return Abilities("unknown", "unknown", forced_tools=True, cache_points=caches)
    return Abilities(
        thinks="effort" if name.startswith(_EFFORT) else "always" if "reasoning" in capabilities else "no",
        json_schema=name.startswith(_STRUCTURED),
        forced_tools="tool_choice" in capabilities or name.startswith(_CHOOSES),
        strict_tools=name.startswith(_STRUCTURED),
        cache_points=caches,
    )


def _claude(name: str, *, caches: bool) -> Abilities:
    version = _claude_version(name)
    newer = version >= (4, 5)
    return Abilities(
        family="claude",
        thinks="adaptive" if version >= (4, 6) else "budget" if version >= (3, 7) else "no",
        json_schema=newer,
        forced_tools=(3, 0) <= version <= (5, 0),
        strict_tools=newer,
        serial_tools=newer,
        cache_points=caches or version >= (3, 7),
        cache_ttl=newer,
        sampling=version < (4, 7),
        budgets=version < (4, 7),
    )


def _claude_version(name: str) -> tuple[int, int]:
    """``claude-3-7-sonnet`` and ``claude-sonnet-4-5`` as numbers; what has none is older than version 3."""
    found = _CLAUDE_NEW.search(name) or _CLAUDE_OLD.search(name)
    return (int(found[1]), int(found[2] or 0)) if found else (2, 0)
