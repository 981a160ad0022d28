"""What OpenAI can take of a conversation that began in another dialect.

OpenAI has no place for reasoning in messages nor for a tool's name beside its result, refuses fields that it does not
know, and refuses ids of more than 40 characters, as those are that hold Gemini's signatures. How hard to think is an
effort there, and wherever a service has no habit of its own
(https://platform.openai.com/docs/api-reference/chat/create).
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from pointsman.core.call import Call, Reasoning
from pointsman.core.content import Message, Part, Thinking, ToolCall, ToolResult
from pointsman.core.upstream import Deployment
from pointsman.providers.efforts import effort_for
from pointsman.providers.registry import find_provider

__all__ = ["fit", "with_short_ids"]

_OPENAI: Final = (".openai.com", ".openai.azure.com")
_GATEWAY: Final = "litellm_proxy"
"""Takes all three ways of asking for reasoning, as we do."""

_ID_CHARACTERS_MAX: Final = 40


def fit(call: Call, deployment: Deployment, *, reasons: bool) -> Call:
    """The call as this server can take it; ``reasons``: the model is one of OpenAI's that reason.

    The others refuse to be told an effort. A client of another dialect, that asks every model to think, means no harm.
    """
    asked = call.reasoning
    if asked is not None and deployment.provider != _GATEWAY:
        provider = find_provider(deployment.provider)
        if provider is None or not provider.chat.thinking:
            call = msgspec.structs.replace(call, reasoning=_as_effort(asked))
    if _is_openai(deployment.api_base):
        if not reasons and asked is not None and asked.effort is None:
            call = msgspec.structs.replace(call, reasoning=None)
        call = msgspec.structs.replace(call, messages=tuple(_fit_message(message) for message in call.messages))
    return call


def with_short_ids(call: Call) -> Call:
    """The call with ids that OpenAI takes; what the model thought stays where it was."""
    messages = tuple(
        msgspec.structs.replace(message, parts=tuple(_fit_part(part) for part in message.parts))
        for message in call.messages
    )
    return msgspec.structs.replace(call, messages=messages)


def _is_openai(address: str) -> bool:
    return any(host in address for host in _OPENAI)


def _as_effort(reasoning: Reasoning) -> Reasoning | None:
    """A wish to think, as an effort. Not to think is left to the model, as only some know the word for it."""
    if reasoning.effort is not None:
        return Reasoning(reasoning.effort)
    if reasoning.budget_tokens is not None:
        return Reasoning(effort_for(reasoning.budget_tokens))
    return Reasoning("medium") if reasoning.enabled else None


def _fit_message(message: Message) -> Message:
    parts = tuple(_fit_part(part) for part in message.parts if not isinstance(part, Thinking))
    return msgspec.structs.replace(message, parts=parts)


def _fit_part(part: Part) -> Part:
    if isinstance(part, ToolCall):
        return msgspec.structs.replace(part, id=_short(part.id))
    if isinstance(part, ToolResult):
        return msgspec.structs.replace(part, call_id=_short(part.call_id), name=None)
    return part


def _short(call_id: str) -> str:
    """An id that is short enough; call and result are changed alike, so they stay together."""
    if len(call_id) <= _ID_CHARACTERS_MAX:
        return call_id
    return "call_" + hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
