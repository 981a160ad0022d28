"""A whole answer, as the fold over the events of a stream makes it too: one path for both."""

from __future__ import annotations

import msgspec

from pointsman.core.content import Audio, Citation, Image, Refusal, ServerToolUse, Text, Thinking, ToolCall
from pointsman.core.events import FinishReason
from pointsman.core.usage import NO_USAGE, Usage

__all__ = ["Choice", "Embeddings", "Reply", "Said"]


Said = Text | Thinking | Refusal | ToolCall | Image | Audio | ServerToolUse
"""What an answer is made of."""


class Choice(msgspec.Struct, frozen=True):
    """One of the answers asked for with ``n``: its ``parts`` in their order; neighbours are never both text.

    ``finish_reason`` None: the upstream never said.
    """

    index: int = 0
    parts: tuple[Said, ...] = ()
    finish_reason: FinishReason | None = None
    logprobs: tuple[msgspec.Raw, ...] = ()
    native_reason: str | None = None
    stop_sequence: str | None = None
    citations: tuple[Citation, ...] = ()

    @property
    def text(self) -> str:
        """All of its words."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def thinking(self) -> str:
        """All of its reasoning."""
        return "".join(part.text for part in self.thoughts)

    @property
    def thoughts(self) -> tuple[Thinking, ...]:
        """Its reasoning, piece by piece, each with the signature of its own."""
        return tuple(part for part in self.parts if isinstance(part, Thinking))

    @property
    def refusal(self) -> str | None:
        """The words with which the model declines, if it does."""
        words = [part.text for part in self.parts if isinstance(part, Refusal)]
        return "".join(words) if words else None

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls of tools."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


class Reply(msgspec.Struct, frozen=True):
    """A whole answer to a :class:`~pointsman.core.call.Call`."""

    id: str
    model: str
    created: int
    choices: tuple[Choice, ...]
    usage: Usage = NO_USAGE
    load_ms: float | None = None
    prompt_ms: float | None = None
    completion_ms: float | None = None


class Embeddings(msgspec.Struct, frozen=True):
    """One vector per input of an :class:`~pointsman.core.call.EmbeddingCall`, in its order."""

    model: str
    vectors: tuple[tuple[float, ...], ...]
    usage: Usage = NO_USAGE
