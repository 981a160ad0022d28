"""Ollama's native API on the wire: ``/api/chat``, ``/api/generate`` and ``/api/embed``.

Source: Ollama's ``docs/api.md`` and ``api/types.go`` (0.33). Durations are in nanoseconds; counts and durations of
zero are left out by Ollama.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

__all__ = [
    "ChatMessage",
    "EmbeddingLine",
    "Line",
    "LineFunction",
    "LineMessage",
    "LineToolCall",
    "OllamaTarget",
    "RawField",
    "SentFunction",
    "SentToolCall",
    "TokenLogprob",
    "ToolDefinition",
    "ToolFunction",
    "TopLogprob",
]

_UNSET: Final = msgspec.UNSET
RawField = msgspec.Raw | msgspec.UnsetType
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class OllamaTarget(msgspec.Struct, frozen=True):
    """What the gateway decides for a request, rather than its client.

    Attributes:
        model: Ollama's name for the model.
        num_ctx: The context window in tokens; None: whatever Ollama takes.
        keep_alive: How long the model stays loaded (raw JSON, a duration or seconds), unless the client says.
        think_levels: The words that the model takes for ``think`` (``thinking.values`` of ``/api/show``), in
            rising order; empty: on and off only; None: not known, so judged by the model's name.
    """

    model: str
    num_ctx: int | None = None
    keep_alive: msgspec.Raw | None = None
    think_levels: tuple[str, ...] | None = None


class SentFunction(msgspec.Struct):
    """``arguments`` is an object here, where OpenAI has JSON text."""

    name: str
    arguments: msgspec.Raw


class SentToolCall(msgspec.Struct, omit_defaults=True):
    """A tool call of the conversation so far."""

    function: SentFunction
    id: str = ""


class ChatMessage(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A message of a request; ``images`` are bare base64."""

    role: str
    content: str | msgspec.UnsetType = _UNSET
    thinking: str = ""
    images: list[str] | None = None
    tool_calls: list[SentToolCall] | None = None
    tool_name: str = ""
    tool_call_id: str = ""


class ToolFunction(msgspec.Struct):
    """``parameters`` is a JSON Schema."""

    name: str
    description: str
    parameters: msgspec.Raw


class ToolDefinition(msgspec.Struct, kw_only=True):
    """A tool of a request."""

    type: str = "function"
    function: ToolFunction


class LineFunction(msgspec.Struct):
    """A call; ``arguments`` is an object."""

    name: str = ""
    arguments: RawField = _UNSET


class LineToolCall(msgspec.Struct):
    """A whole call; old versions give no ``id``, so do some models' parsers."""

    function: LineFunction
    id: str | None = None


class LineMessage(msgspec.Struct):
    """``message`` of a line of ``/api/chat``."""

    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[LineToolCall] | None = None


class TopLogprob(msgspec.Struct):
    """An alternative to a token."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class TokenLogprob(msgspec.Struct):
    """A token that was chosen. OpenAI's names, save that Ollama leaves out what is empty."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] = []


class Line(msgspec.Struct):
    """One line of a stream of ``/api/chat`` (``message``) or ``/api/generate`` (``response``), or a whole answer."""

    message: LineMessage | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool = False
    model: str = ""
    created_at: str = ""
    done_reason: str | None = None
    logprobs: list[TokenLogprob] | None = None
    error: RawField = _UNSET
    prompt_eval_count: _Count = 0
    eval_count: _Count = 0
    load_duration: _Count | None = None
    prompt_eval_duration: _Count | None = None
    eval_duration: _Count | None = None


class EmbeddingLine(msgspec.Struct):
    """The answer of ``/api/embed``."""

    embeddings: list[tuple[float, ...]]
    model: str = ""
    prompt_eval_count: _Count = 0
    load_duration: _Count | None = None
