"""How hard to think, asked for in the words of one service.

Clients say it in three ways: OpenAI's ``reasoning_effort``, OpenRouter's ``reasoning`` and Anthropic's ``thinking``,
which LiteLLM takes in chats as well. Services know one of them, or one of their own, and many refuse the others.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from pointsman.dialects.droppable import demand_droppable
from pointsman.providers.efforts import effort_for
from pointsman.providers.registry import Habits

__all__ = ["fit_thinking"]

_FIELDS: Final = ("reasoning_effort", "reasoning", "thinking")
_EFFORTS: Final = ("minimal", "low", "medium", "high", "xhigh", "max", "ultra")


class _Thinking(msgspec.Struct):
    type: str | None = None
    budget_tokens: int | None = None


class _Reasoning(msgspec.Struct):
    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None


class _Asked(msgspec.Struct):
    reasoning_effort: str | _Reasoning | None = None
    reasoning: _Reasoning | None = None
    thinking: _Thinking | None = None


class _Wish(msgspec.Struct):
    """What the three ways come to; ``is_on`` None: nothing was said."""

    effort: str | None
    budget: int | None
    is_on: bool | None


_decode: Final = msgspec.json.Decoder(_Asked).decode
_encode: Final = msgspec.json.Encoder().encode


def fit_thinking(
    fields: dict[str, msgspec.Raw], habits: Habits, *, title: str, may_reason: bool, drop_params: bool
) -> None:
    """Put the wish in ``fields`` into the service's words.

    Args:
        fields: The request's; changed.
        habits: The service's.
        title: Its name, for the error.
        may_reason: False where the model is known not to reason.
        drop_params: The operator's setting.

    Raises:
        Unsupported: the model does not reason, and nobody allowed dropping the wish.
    """
    said: dict[str, msgspec.Raw] = {name: fields[name] for name in _FIELDS if name in fields}
    try:
        wish = _wish(_decode(_encode(said)))
    except msgspec.MsgspecError:
        return  # the service says itself what is wrong with it
    for field in said:
        fields.pop(field, None)
    if not may_reason:
        if wish.is_on:
            demand_droppable(title, [next(iter(said))], drop_params=drop_params)
        return
    for name, value in _written(wish, habits).items():
        fields[name] = msgspec.Raw(_encode(value))


def _wish(asked: _Asked) -> _Wish:
    effort = asked.reasoning_effort
    ways = [way for way in (effort, asked.reasoning) if isinstance(way, _Reasoning)]
    words = [effort] if isinstance(effort, str) else []
    words += [way.effort for way in ways if way.effort is not None]
    budgets = [way.max_tokens for way in ways if way.max_tokens is not None]
    switches = [way.enabled for way in ways if way.enabled is not None]
    thinking = asked.thinking
    if thinking is not None:
        switches.append(thinking.type != "disabled")
        if thinking.budget_tokens is not None:
            budgets.append(thinking.budget_tokens)
    word = next((word for word in words if word != "default"), None)
    budget = budgets[0] if budgets else None
    if word is not None:
        return _Wish(None if word == "none" else word, budget, word != "none")
    if switches:
        return _Wish(None, budget if switches[0] else None, switches[0])
    return _Wish(None, budget, None if budget is None else budget > 0)


def _written(wish: _Wish, habits: Habits) -> dict[str, object]:
    """The fields that say it."""
    if wish.is_on is None:
        return {}
    switch: Literal["enabled", "disabled"] = "enabled" if wish.is_on else "disabled"
    match habits.thinking:
        case "thinking":
            return {"thinking": {"type": switch}}
        case "thinking_and_effort":
            effort = _effort(wish, habits) if wish.is_on else None
            return {"thinking": {"type": switch}, **({} if effort is None else {"reasoning_effort": effort})}
        case "enable_thinking":
            budget = {} if not wish.budget else {"thinking_budget": wish.budget}
            return {"enable_thinking": wish.is_on, **budget}
        case "reasoning":
            return {"reasoning": _reasoning(wish)}
        case _:
            effort = _effort(wish, habits) if wish.is_on else "none"
            return {} if effort is None else {"reasoning_effort": effort}


def _reasoning(wish: _Wish) -> dict[str, object]:
    if wish.effort is not None:
        return {"effort": wish.effort}
    if wish.budget and wish.is_on:
        return {"max_tokens": wish.budget}
    return {"enabled": wish.is_on}


def _effort(wish: _Wish, habits: Habits) -> str | None:
    """The word for it that the service knows, as in LiteLLM the next harder one; None: as it does by itself."""
    word = wish.effort
    if word is None and wish.budget is not None:
        word = effort_for(wish.budget)
    known = [effort for effort in habits.efforts if effort in _EFFORTS]
    if word is None or not known or word in known or word not in _EFFORTS:
        return word
    ranked = sorted(known, key=_EFFORTS.index)
    return next((effort for effort in ranked if _EFFORTS.index(effort) >= _EFFORTS.index(word)), ranked[-1])
