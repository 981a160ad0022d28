"""What OpenAI itself, and servers as strict as it is, can take of a conversation.

OpenAI has no place for reasoning in messages and refuses fields that it does not know, while DeepSeek and others demand
their ``reasoning_content`` back; it also refuses ids of more than 40 characters. How hard to think is an effort there
(https://platform.openai.com/docs/api-reference/chat/create).
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from pointsman.core.call import Call, Reasoning
from pointsman.core.content import Message, Part, Thinking, ToolCall, ToolResult
from pointsman.core.upstream import Deployment

__all__ = ["fit"]

_STRICT: Final = frozenset({"cerebras", "groq", "mistral", "sambanova"})
_OPENAI: Final = ".openai.com"
_THINKING: Final = frozenset({"deepseek", "litellm_proxy", "moonshot", "volcengine"})
"""Services that have a field ``thinking``, with a switch and, some of them, a budget."""

_ID_CHARACTERS_MAX: Final = 40
_EFFORTS: Final = ((1024, "low"), (8192, "medium"))
"""Up to so many tokens of thinking count as such an effort, anything above as ``high``."""


def fit(call: Call, deployment: Deployment) -> Call:
    """The call as this server can take it."""
    if deployment.provider not in _THINKING:
        call = msgspec.structs.replace(call, reasoning=_as_effort(call.reasoning))
    if deployment.provider in _STRICT or _OPENAI in deployment.api_base:
        call = msgspec.structs.replace(call, messages=tuple(_fit_message(message) for message in call.messages))
    return call


def _as_effort(reasoning: Reasoning | None) -> Reasoning | None:
    """A wish to think, as an effort. Not to think is left to the model, as only some know the word for it."""
    if reasoning is None or reasoning.effort is not None:
        return None if reasoning is None else Reasoning(reasoning.effort)
    if reasoning.budget_tokens is not None:
        budget = reasoning.budget_tokens
        return Reasoning(next((word for most, word in _EFFORTS if budget <= most), "high"))
    return Reasoning("medium") if reasoning.enabled else None


def _fit_message(message: Message) -> Message:
    parts = tuple(_fit_part(part) for part in message.parts if not isinstance(part, Thinking))
    return msgspec.structs.replace(message, parts=parts)


def _fit_part(part: Part) -> Part:
    if isinstance(part, ToolCall):
        return msgspec.structs.replace(part, id=_short(part.id))
    if isinstance(part, ToolResult):
        return msgspec.structs.replace(part, call_id=_short(part.call_id))
    return part


def _short(call_id: str) -> str:
    """An id that is short enough; call and result are changed alike, so they stay together."""
    if len(call_id) <= _ID_CHARACTERS_MAX:
        return call_id
    return "call_" + hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
