"""An answer as it happens: the events every stream reader yields and every stream writer takes.

Order for each choice: ``Started`` once, first; deltas; ``Finished`` once a choice; then ``UsageReported``
at most once. A ``Failed`` ends everything. A tool call is opened by ``ToolCallStarted`` before its
``ToolCallDelta``; ``slot`` counts the tool calls of one choice from 0.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pointsman.core.content import Audio, Citation, Image, ServerToolUse
from pointsman.core.errors import GatewayError
from pointsman.core.usage import Usage

__all__ = [
    "Cited", "CodeDelta", "Event", "Failed", "FinishReason", "Finished", "LogprobsDelta", "PartGiven", "RefusalDelta",
    "Started", "TextDelta", "ThinkingDelta", "ThinkingSigned", "ToolCallDelta", "ToolCallStarted", "UsageReported",
]  # fmt: skip

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class Started(msgspec.Struct, frozen=True):
    """The answer begins. ``created`` is in seconds since the epoch."""

    id: str
    model: str
    created: int


class TextDelta(msgspec.Struct, frozen=True):
    """More answer text."""

    text: str
    choice: int = 0


class ThinkingDelta(msgspec.Struct, frozen=True):
    """More reasoning text."""

    text: str
    choice: int = 0


class ThinkingSigned(msgspec.Struct, frozen=True):
    """The signature of the reasoning since the last one, and its end.

    ``redacted``: of reasoning whose text the provider keeps to itself. ``signer`` as in ``Thinking``.
    """

    signature: str
    choice: int = 0
    redacted: bool = False
    signer: str | None = None


class RefusalDelta(msgspec.Struct, frozen=True):
    """More of the words with which the model declines."""

    text: str
    choice: int = 0


class ToolCallStarted(msgspec.Struct, frozen=True):
    """The model calls a tool; ``signature`` is Gemini's thought signature."""

    slot: int
    id: str
    name: str
    choice: int = 0
    signature: str | None = None


class ToolCallDelta(msgspec.Struct, frozen=True):
    """More of the JSON text of a tool call's arguments."""

    slot: int
    arguments: str
    choice: int = 0


class LogprobsDelta(msgspec.Struct, frozen=True):
    """Log probabilities in OpenAI's form: the raw JSON array ``logprobs.content``."""

    content: msgspec.Raw
    choice: int = 0


class PartGiven(msgspec.Struct, frozen=True):
    """A part of the answer that comes whole."""

    part: Image | Audio | ServerToolUse
    choice: int = 0


class CodeDelta(msgspec.Struct, frozen=True):
    """More of the code that a provider's tool is to run: ``use``, with no more than that as its ``input``.

    ``complete``: that was all of it, and nothing else of the choice came between. Its ``PartGiven``, which tells it
    whole and has the same id, comes later: who passes over this misses nothing.
    """

    use: ServerToolUse
    choice: int = 0
    complete: bool = False


class Cited(msgspec.Struct, frozen=True):
    """A source of text that was told before."""

    citation: Citation
    choice: int = 0


class Finished(msgspec.Struct, frozen=True):
    """A choice is complete.

    ``native`` is the provider's own word for the reason where it says more (``pause_turn``, ``stop_sequence``,
    ``refusal``, ``SAFETY``), ``stop_sequence`` the one that was met.
    """

    reason: FinishReason
    choice: int = 0
    native: str | None = None
    stop_sequence: str | None = None


class UsageReported(msgspec.Struct, frozen=True):
    """What the upstream counted. ``load_ms``, ``prompt_ms`` and ``completion_ms`` where it times itself."""

    usage: Usage
    load_ms: float | None = None
    prompt_ms: float | None = None
    completion_ms: float | None = None


class Failed(msgspec.Struct, frozen=True):
    """The upstream failed in the middle of its answer."""

    error: GatewayError


Event = (
    Started | TextDelta | ThinkingDelta | ThinkingSigned | RefusalDelta | ToolCallStarted | ToolCallDelta
    | LogprobsDelta | CodeDelta | PartGiven | Cited | Finished | UsageReported | Failed
)  # fmt: skip
