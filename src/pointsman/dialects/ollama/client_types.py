"""What clients send to Ollama's native API: ``/api/chat``, ``/api/generate``, ``/api/embed``, ``/api/embeddings``.

Source: Ollama's ``docs/api.md`` and ``api/types.go`` (0.12 to 0.33). Null is taken for "not said". Whole numbers may be
written as ``100.0``, since Ollama reads every number of ``options`` as a floating-point one.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

__all__ = [
    "AskedFunction",
    "AskedMessage",
    "AskedOptions",
    "AskedTool",
    "AskedToolCall",
    "ChatBody",
    "EmbedBody",
    "GenerateBody",
    "LegacyEmbedBody",
    "ToolCallFunction",
]

_UNSET: Final = msgspec.UNSET
_RawField = msgspec.Raw | msgspec.UnsetType
_Whole = int | float | None


class ToolCallFunction(msgspec.Struct):
    """``arguments`` is an object; JSON text, as OpenAI has it, is taken too."""

    name: str
    arguments: _RawField = _UNSET


class AskedToolCall(msgspec.Struct):
    """A tool call of the conversation so far. Ollama's own SDKs drop the ``id``."""

    function: ToolCallFunction
    id: str | None = None


class AskedMessage(msgspec.Struct, kw_only=True):
    """A message; ``images`` are bare base64."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[AskedToolCall] | None = None
    tool_name: str | None = None
    name: str | None = None
    tool_call_id: str | None = None


class AskedFunction(msgspec.Struct):
    """``parameters`` is a JSON Schema."""

    name: str
    description: str | None = None
    parameters: _RawField = _UNSET


class AskedTool(msgspec.Struct):
    """A tool; there are none but functions."""

    function: AskedFunction


class AskedOptions(msgspec.Struct, kw_only=True):
    """The ``options`` that the common vocabulary knows. ``num_predict`` below 1 means "no bound"."""

    num_predict: _Whole = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: _Whole = None
    min_p: float | None = None
    seed: _Whole = None
    stop: str | list[str] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    max_tokens: _Whole = None
    max_completion_tokens: _Whole = None


class _Body(msgspec.Struct, kw_only=True):
    model: str | None = None
    stream: bool | None = None
    format: _RawField = _UNSET
    think: bool | str | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    options: dict[str, msgspec.Raw] | None = None


class ChatBody(_Body, kw_only=True):
    """The body for ``/api/chat``."""

    messages: list[AskedMessage] | None = None
    tools: list[AskedTool] | None = None


class GenerateBody(_Body, kw_only=True):
    """The body for ``/api/generate``."""

    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    template: str | None = None
    raw: bool | None = None
    images: list[str] | None = None
    context: list[int] | None = None


class EmbedBody(msgspec.Struct, kw_only=True):
    """The body for ``/api/embed``."""

    model: str | None = None
    input: str | list[str] | None = None
    dimensions: int | None = None
    options: dict[str, msgspec.Raw] | None = None


class LegacyEmbedBody(msgspec.Struct, kw_only=True):
    """The body for the older ``/api/embeddings``."""

    model: str | None = None
    prompt: str | None = None
    options: dict[str, msgspec.Raw] | None = None
