"""What the inference routes take and give, as far as the documentation tells; the dialects know it exactly.

Source: https://platform.openai.com/docs/api-reference (chat, completions, embeddings). Other fields of that
reference are passed on to the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.core.upstream import Operation

__all__ = [
    "INFERENCE_SHAPES",
    "INFERENCE_SUMMARIES",
    "ChatCompletion",
    "ChatCompletionRequest",
    "EmbeddingList",
    "EmbeddingRequest",
    "TextCompletion",
    "TextCompletionRequest",
    "TokenUsage",
]


class ChatCompletionRequest(msgspec.Struct, kw_only=True):
    """A conversation to continue."""

    model: str
    messages: list[dict[str, msgspec.Raw]]
    stream: bool = False
    stream_options: dict[str, bool] | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    tools: list[dict[str, msgspec.Raw]] | None = None
    tool_choice: str | dict[str, msgspec.Raw] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, msgspec.Raw] | None = None
    reasoning_effort: str | None = None
    user: str | None = None


class TextCompletionRequest(msgspec.Struct, kw_only=True):
    """A text to continue."""

    model: str
    prompt: str | list[str]
    suffix: str | None = None
    stream: bool = False
    temperature: float | None = None
    max_tokens: int | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    user: str | None = None


class EmbeddingRequest(msgspec.Struct, kw_only=True):
    """Texts to embed."""

    model: str
    input: str | list[str]
    dimensions: int | None = None
    encoding_format: str | None = None
    user: str | None = None


class TokenUsage(msgspec.Struct, kw_only=True):
    """What a call used, in tokens."""

    prompt_tokens: int
    completion_tokens: int | None = None
    total_tokens: int


class ChatCompletion(msgspec.Struct, kw_only=True):
    """A whole answer; with ``stream`` it comes as server-sent events of ``chat.completion.chunk`` instead."""

    id: str
    object: str
    created: int
    model: str
    choices: list[dict[str, msgspec.Raw]]
    usage: TokenUsage | None = None


class TextCompletion(msgspec.Struct, kw_only=True):
    """A whole answer; with ``stream`` it comes as server-sent events instead."""

    id: str
    object: str
    created: int
    model: str
    choices: list[dict[str, msgspec.Raw]]
    usage: TokenUsage | None = None


class EmbeddingList(msgspec.Struct, kw_only=True):
    """One vector per text."""

    object: str
    model: str
    data: list[dict[str, msgspec.Raw]]
    usage: TokenUsage | None = None


INFERENCE_SHAPES: Final[Mapping[Operation, tuple[type[msgspec.Struct], type[msgspec.Struct]]]] = MappingProxyType(
    {
        Operation.CHAT: (ChatCompletionRequest, ChatCompletion),
        Operation.COMPLETION: (TextCompletionRequest, TextCompletion),
        Operation.EMBEDDING: (EmbeddingRequest, EmbeddingList),
    }
)
"""Operation → what it takes and gives."""

INFERENCE_SUMMARIES: Final[Mapping[Operation, str]] = MappingProxyType(
    {
        Operation.CHAT: "Continue a conversation",
        Operation.COMPLETION: "Continue a text",
        Operation.EMBEDDING: "Embed texts",
    }
)
"""Operation → what it does, in a few words."""
