"""Requests for Cohere's ``/v2/chat``: https://docs.cohere.com/v2/reference/chat.

What a call wants and Cohere does not have must have been refused or dropped before (:mod:`.knobs`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, Reasoning, ResponseFormat, Sampling, Tool
from pointsman.dialects.cohere_chat.knobs import NATIVE, is_off
from pointsman.dialects.cohere_chat.messages import write_messages

__all__ = ["write_request"]

_encode: Final = msgspec.json.Encoder().encode

_NO_PARAMETERS: Final = msgspec.Raw(b'{"type":"object","properties":{}}')
_SHARE_MIN: Final = 0.01
_SHARE_MAX: Final = 0.99
"""Bounds of ``p``; OpenAI's clients say 1 for "all", which Cohere refuses."""
_SAME_NAME: Final = ("temperature", "seed", "presence_penalty", "frequency_penalty", "max_tokens", "logprobs")
"""Fields of :class:`~pointsman.core.call.Sampling` that are called the same here."""


def write_request(call: Call, model: str, *, thinks: bool) -> bytes:
    """The body.

    Args:
        call: What the client wants.
        model: Cohere's name for the model.
        thinks: Whether the model reasons.

    Raises:
        Unsupported: a message cannot be expressed.
    """
    tools, choice = _write_tools(call)
    fields: dict[str, object] = {
        "model": model,
        "messages": write_messages(call.messages, thinks=thinks),
        "stream": call.stream,
        **{name: getattr(call.sampling, name) for name in _SAME_NAME},
        **_write_sampling(call.sampling),
        "tools": tools,
        "tool_choice": choice,
        "strict_tools": True if any(tool.strict for tool in call.tools) else None,
        "response_format": _write_format(call.response_format),
        "thinking": None if call.reasoning is None else _write_thinking(call.reasoning),
    }
    said = {name: value for name, value in fields.items() if value is not None}
    return _encode(said | {name: raw for name, raw in call.extra.items() if name in NATIVE})


def _write_sampling(sampling: Sampling) -> dict[str, object]:
    share, count = sampling.top_p, sampling.top_k
    return {
        "p": None if share is None else min(max(share, _SHARE_MIN), _SHARE_MAX),
        "k": count if count is not None and count > 0 else None,
        "stop_sequences": sampling.stop,
    }


def _write_tools(call: Call) -> tuple[list[dict[str, object]] | None, str | None]:
    """The tools and the choice among them; one that must be called is offered alone, which comes to the same."""
    choice = call.tool_choice
    if choice is None or not call.tools:
        return _write_definitions(call.tools), None
    if choice.mode == "named":
        return _write_definitions(tuple(tool for tool in call.tools if tool.name == choice.name)), "REQUIRED"
    return _write_definitions(call.tools), {"required": "REQUIRED", "none": "NONE"}.get(choice.mode)


def _write_definitions(tools: tuple[Tool, ...]) -> list[dict[str, object]] | None:
    return [{"type": "function", "function": _write_function(tool)} for tool in tools] or None


def _write_function(tool: Tool) -> dict[str, object]:
    described = {} if tool.description is None else {"description": tool.description}
    return {"name": tool.name, **described, "parameters": tool.parameters or _NO_PARAMETERS}


def _write_format(shape: ResponseFormat | None) -> dict[str, object] | None:
    if shape is None or shape.kind == "text":
        return None
    schema = {} if shape.schema is None else {"json_schema": shape.schema}
    return {"type": "json_object", **schema}


def _write_thinking(reasoning: Reasoning) -> dict[str, object]:
    """On or off, with a budget where one is said; Cohere has no efforts."""
    if is_off(reasoning):
        return {"type": "disabled"}
    budget = {} if not reasoning.budget_tokens else {"token_budget": reasoning.budget_tokens}
    return {"type": "enabled", **budget}
