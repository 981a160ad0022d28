"""Cohere's chat on the wire: https://docs.cohere.com/v2/reference/chat and …/chat-stream.

Counts are numbers that may have a fraction. Everything that Cohere may leave out is optional.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "Block",
    "ChatMessage",
    "Counts",
    "ImageUrl",
    "LogprobItem",
    "Message",
    "SentBlock",
    "SentCall",
    "SentFunction",
    "StreamDelta",
    "StreamEvent",
    "ToolCall",
    "ToolFunction",
    "WholeReply",
    "WireUsage",
]

# ── What is sent ─────────────────────────────────────────────────────────────────────────────────────────────────


class ImageUrl(msgspec.Struct, omit_defaults=True):
    """``url`` is http(s) or a ``data:`` URL; ``detail`` is ``auto``, ``low`` or ``high``."""

    url: str
    detail: str | None = None


class SentBlock(msgspec.Struct, omit_defaults=True):
    """A piece of a message's content; the field of the same name as ``type`` is set."""

    type: Literal["text", "thinking", "image_url"]
    text: str | None = None
    thinking: str | None = None
    image_url: ImageUrl | None = None


class SentFunction(msgspec.Struct):
    """``arguments`` is JSON text."""

    name: str
    arguments: str


class SentCall(msgspec.Struct):
    """A tool call of an earlier turn."""

    id: str
    function: SentFunction
    type: str = "function"


class ChatMessage(msgspec.Struct, omit_defaults=True):
    """One message. ``tool_plan`` is what the model said before it called tools."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[SentBlock] | None = None
    tool_calls: list[SentCall] | None = None
    tool_plan: str | None = None
    tool_call_id: str | None = None


# ── What comes back ──────────────────────────────────────────────────────────────────────────────────────────────


class Counts(msgspec.Struct):
    """Tokens."""

    input_tokens: float | None = None
    output_tokens: float | None = None


class WireUsage(msgspec.Struct):
    """``billed_units`` are what is paid for, ``tokens`` what the model was given and gave, with Cohere's own prompt."""

    billed_units: Counts | None = None
    tokens: Counts | None = None
    cached_tokens: float | None = None


class LogprobItem(msgspec.Struct):
    """The log probabilities of the tokens that a piece of text consists of."""

    text: str | None = None
    logprobs: list[float] | None = None


class ToolFunction(msgspec.Struct):
    """A function call or a piece of one."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct):
    """A tool call or a piece of one."""

    id: str | None = None
    function: ToolFunction | None = None


class Block(msgspec.Struct):
    """A piece of the content; unlike ``type``, which only a block's beginning has, its field tells what it is."""

    text: str | None = None
    thinking: str | None = None


class Message(msgspec.Struct):
    """A message or a piece of one: in a stream, ``content`` and ``tool_calls`` are single objects."""

    content: list[Block] | Block | str | None = None
    tool_plan: str | None = None
    tool_calls: list[ToolCall] | ToolCall | None = None
    citations: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class WholeReply(msgspec.Struct):
    """An answer that was not streamed."""

    id: str | None = None
    finish_reason: str | None = None
    message: Message | None = None
    usage: WireUsage | None = None
    logprobs: list[LogprobItem] | None = None


class StreamDelta(msgspec.Struct):
    """What is new with an event; the last one has the reason and the counts."""

    message: Message | None = None
    finish_reason: str | None = None
    usage: WireUsage | None = None
    error: str | None = None


class StreamEvent(msgspec.Struct):
    """One event of a stream, of any type."""

    type: str = ""
    id: str | None = None
    index: int | None = None
    delta: StreamDelta | None = None
    logprobs: LogprobItem | None = None
    message: str | None = None
