"""A whole answer, and the fold that makes one of a stream of events: one path for both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

import msgspec

from pointsman.core.content import Audio, Citation, Image, Refusal, ServerToolUse, Text, Thinking, ToolCall
from pointsman.core.events import (
    Cited,
    Event,
    Failed,
    Finished,
    FinishReason,
    LogprobsDelta,
    PartGiven,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)  # fmt: skip
from pointsman.core.usage import NO_USAGE, Usage

__all__ = ["Choice", "Embeddings", "Reply", "Said", "fold"]


Said = Text | Thinking | Refusal | ToolCall | Image | Audio | ServerToolUse
"""What an answer is made of."""

_WORDS: Final = Text("")
_UNSIGNED: Final = Thinking("")
_DECLINING: Final = Refusal("")


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


class _Draft:
    """One choice while it grows."""

    __slots__ = ("citations", "finished", "logprobs", "parts", "tools")

    def __init__(self) -> None:
        self.parts: list[tuple[Said, list[str]]] = []
        self.tools: dict[int, list[str]] = {}
        self.finished: Finished | None = None
        self.logprobs: list[msgspec.Raw] = []
        self.citations: list[Citation] = []

    def say(self, kind: Text | Refusal | Thinking, text: str) -> None:
        """More of the last part, if it is of this kind and not signed, or of a new one."""
        last = self.parts[-1] if self.parts else None
        if last is None or last[0] != kind:
            if not text:
                return
            last = (kind, [])
            self.parts.append(last)
        last[1].append(text)

    def sign(self, event: ThinkingSigned) -> None:
        """The signature of the last reasoning that has none, or of some that is not shown."""
        signed = Thinking("", event.signature, event.redacted, event.signer)
        thoughts = [place for place, (part, _) in enumerate(self.parts) if isinstance(part, Thinking)]
        last = thoughts[-1] if thoughts and not event.redacted else None
        if last is not None and self.parts[last][0] == _UNSIGNED:
            self.parts[last] = (signed, self.parts[last][1])
        else:
            self.parts.append((signed, []))

    def call(self, event: ToolCallStarted) -> None:
        """A tool is called."""
        pieces = self.tools[event.slot] = []
        self.parts.append((ToolCall(event.id, event.name, "", event.signature), pieces))

    def done(self, index: int) -> Choice:
        """The finished choice."""
        finished = self.finished
        return Choice(
            index=index,
            parts=tuple(_filled(part, "".join(pieces)) for part, pieces in self.parts),
            finish_reason=None if finished is None else finished.reason,
            logprobs=tuple(self.logprobs),
            native_reason=None if finished is None else finished.native,
            stop_sequence=None if finished is None else finished.stop_sequence,
            citations=tuple(self.citations),
        )


def _filled(part: Said, text: str) -> Said:
    if isinstance(part, ToolCall):
        return msgspec.structs.replace(part, arguments=text)
    if isinstance(part, Image | Audio | ServerToolUse):
        return part
    return msgspec.structs.replace(part, text=text)


def fold(events: Iterable[Event]) -> Reply:
    """The whole answer that a stream of events tells.

    Raises:
        GatewayError: the error of a ``Failed`` event.
    """
    started = Started("", "", 0)
    reported = UsageReported(NO_USAGE)
    drafts: dict[int, _Draft] = {0: _Draft()}
    for event in events:
        if isinstance(event, Started):
            started = event
        elif isinstance(event, UsageReported):
            reported = event
        elif isinstance(event, Failed):
            raise event.error
        else:
            draft = drafts.get(event.choice)
            if draft is None:
                draft = drafts[event.choice] = _Draft()
            _grow(draft, event)
    return Reply(
        id=started.id,
        model=started.model,
        created=started.created,
        choices=tuple(draft.done(index) for index, draft in sorted(drafts.items())),
        usage=reported.usage,
        load_ms=reported.load_ms,
        prompt_ms=reported.prompt_ms,
        completion_ms=reported.completion_ms,
    )


_Delta = (
    TextDelta | ThinkingDelta | ThinkingSigned | RefusalDelta | ToolCallStarted | ToolCallDelta | LogprobsDelta
    | PartGiven | Cited | Finished
)  # fmt: skip


def _grow(draft: _Draft, event: _Delta) -> None:
    match event:
        case TextDelta():
            draft.say(_WORDS, event.text)
        case ThinkingDelta():
            draft.say(_UNSIGNED, event.text)
        case ThinkingSigned():
            draft.sign(event)
        case RefusalDelta():
            draft.say(_DECLINING, event.text)
        case ToolCallStarted():
            draft.call(event)
        case ToolCallDelta():
            draft.tools[event.slot].append(event.arguments)
        case LogprobsDelta():
            draft.logprobs.append(event.content)
        case PartGiven():
            draft.parts.append((event.part, []))
        case Cited():
            draft.citations.append(event.citation)
        case Finished():
            draft.finished = event
        case _:
            assert_never(event)
