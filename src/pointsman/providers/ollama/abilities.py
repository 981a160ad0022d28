"""Refuses, before the model is bothered, what its host says it cannot do."""

from __future__ import annotations

import msgspec

from pointsman.core.call import Call, CompletionCall, Reasoning
from pointsman.core.content import Image
from pointsman.core.errors import Unsupported
from pointsman.providers.ollama.control import OllamaFacts

__all__ = ["demand_chat_abilities", "demand_completion_abilities", "wants_thinking"]


def demand_chat_abilities(
    call: Call, facts: OllamaFacts, model: str, *, drop_params: bool, thinking_is_optional: bool = False
) -> Call:
    """``call``, without the wish to think where the model cannot, and it may be dropped or never was more than a wish.

    Raises:
        Unsupported: the model cannot chat, see images, call tools, or think; the message names the field.
    """
    abilities = facts.capabilities
    if abilities is None:
        return call
    _demand_generation(abilities, model)
    if "vision" not in abilities:
        _refuse_images(call, model)
    if call.tools and "tools" not in abilities and (call.tool_choice is None or call.tool_choice.mode != "none"):
        raise Unsupported(
            f"The model {model!r} cannot call tools.",
            hint="`ollama show` lists what a model can do; choose one with `tools`.",
            param="tools",
        )
    if call.reasoning is None or "reasoning" in abilities:
        return call
    if wants_thinking(call.reasoning) and not (drop_params or thinking_is_optional):
        raise Unsupported(
            f"The model {model!r} cannot think before it answers.",
            hint="Leave reasoning_effort out, or set drop_params to have it ignored.",
            param="reasoning_effort",
        )
    return msgspec.structs.replace(call, reasoning=None)


def demand_completion_abilities(call: CompletionCall, facts: OllamaFacts, model: str) -> None:
    """Check a text completion.

    Raises:
        Unsupported: the model cannot complete text, or cannot fill in before a suffix.
    """
    abilities = facts.capabilities
    if abilities is None:
        return
    _demand_generation(abilities, model)
    if call.suffix and "insert" not in abilities:
        raise Unsupported(f"The model {model!r} cannot fill in text before a suffix.", param="suffix")


def wants_thinking(reasoning: Reasoning | None) -> bool:
    """Whether the client asked for thinking, rather than against it or for nothing."""
    if reasoning is None or reasoning.enabled is False or reasoning.effort == "none":
        return False
    return bool(reasoning.enabled or reasoning.effort or reasoning.budget_tokens)


def _demand_generation(abilities: frozenset[str], model: str) -> None:
    if abilities and "completion" not in abilities:
        raise Unsupported(
            f"The model {model!r} does not write text; it can: {', '.join(sorted(abilities))}.",
            hint="An embedding model is asked through /v1/embeddings.",
            param="model",
        )


def _refuse_images(call: Call, model: str) -> None:
    for i, message in enumerate(call.messages):
        for j, part in enumerate(message.parts):
            if isinstance(part, Image):
                raise Unsupported(
                    f"The model {model!r} cannot see images.",
                    hint="`ollama show` lists what a model can do; choose one with `vision`.",
                    param=f"messages[{i}].content[{j}].image_url",
                )
