"""About how many tokens a request's prompt has, counted from what is said in it rather than from its JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

from pointsman.core.call import Call, CompletionCall, EmbeddingCall
from pointsman.core.content import (
    Audio,
    File,
    Image,
    Part,
    Refusal,
    ServerToolUse,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

__all__ = ["Estimate", "chat_tokens", "completion_tokens", "embedding_tokens"]

Estimate = Callable[[str], int]
"""Tokens in a text."""

TOKENS_PER_MESSAGE: Final = 4
"""The role and the marks around a message in most chat templates."""

TOKENS_PER_IMAGE: Final = 1024
"""Vision models make 256 (Gemma 3) to about 1,600 (Llama 3.2 Vision) of one image."""


def chat_tokens(call: Call, estimate: Estimate) -> int:
    """Tokens of messages and tools."""
    tokens = TOKENS_PER_MESSAGE * (len(call.messages) + 1)
    for message in call.messages:
        for part in message.parts:
            tokens += _part_tokens(part, estimate)
    for tool in call.tools:
        schema = bytes(tool.parameters).decode("utf-8", "replace") if tool.parameters is not None else ""
        tokens += TOKENS_PER_MESSAGE + estimate(f"{tool.name} {tool.description or ''} {schema}")
    return tokens


def completion_tokens(call: CompletionCall, estimate: Estimate) -> int:
    """Tokens of the longest prompt with its suffix."""
    suffix = estimate(call.suffix) if call.suffix else 0
    return TOKENS_PER_MESSAGE + max((estimate(prompt) for prompt in call.prompts), default=0) + suffix


def embedding_tokens(call: EmbeddingCall, estimate: Estimate) -> tuple[int, int]:
    """Tokens of the longest input, which has to fit, and of all of them, which will be counted."""
    each = [estimate(text) if isinstance(text, str) else len(text) for text in call.inputs]
    return max(each, default=0), sum(each)


def _part_tokens(part: Part, estimate: Estimate) -> int:
    match part:
        case Text() | Refusal() | Thinking():
            return estimate(part.text)
        case Image() | Audio() | File():
            return TOKENS_PER_IMAGE
        case ToolCall():
            return TOKENS_PER_MESSAGE + estimate(part.name) + estimate(part.arguments)
        case ServerToolUse():
            return TOKENS_PER_MESSAGE + estimate(part.input) + estimate(part.output or "")
        case ToolResult():
            return sum(_part_tokens(inner, estimate) for inner in part.parts)
        case _:
            assert_never(part)
