"""A whole answer, and the fold that makes one of a stream of events: one path for both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec

from pointsman.core.content import ToolCall
from pointsman.core.events import (
    Event,
    Failed,
    Finished,
    FinishReason,
    LogprobsDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import NO_USAGE, Usage

__all__ = ["Choice", "Embeddings", "Reply", "fold"]


class Choice(msgspec.Struct, frozen=True):
    """One of the answers asked for with ``n``. ``finish_reason`` None: the upstream never said."""

    index: int = 0
    text: str = ""
    thinking: str = ""
    signature: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason | None = None
    logprobs: tuple[msgspec.Raw, ...] = ()
    redacted: bool = False
    native_reason: str | None = None
    stop_sequence: str | None = None


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

    __slots__ = ("finished", "logprobs", "redacted", "refusal", "signature", "text", "thinking", "tools")

    def __init__(self) -> None:
        self.text: list[str] = []
        self.thinking: list[str] = []
        self.signature: str | None = None
        self.refusal: list[str] = []
        self.tools: dict[int, tuple[ToolCallStarted, list[str]]] = {}
        self.finished: Finished | None = None
        self.redacted = False
        self.logprobs: list[msgspec.Raw] = []

    def done(self, index: int) -> Choice:
        """The finished choice."""
        tools = tuple(
            ToolCall(call.id, call.name, "".join(parts), call.signature)
            for _, (call, parts) in sorted(self.tools.items())
        )
        finished = self.finished
        return Choice(
            index=index,
            text="".join(self.text),
            thinking="".join(self.thinking),
            signature=self.signature,
            refusal="".join(self.refusal) if self.refusal else None,
            tool_calls=tools,
            finish_reason=None if finished is None else finished.reason,
            logprobs=tuple(self.logprobs),
            redacted=self.redacted,
            native_reason=None if finished is None else finished.native,
            stop_sequence=None if finished is None else finished.stop_sequence,
        )


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
    TextDelta
    | ThinkingDelta
    | ThinkingSigned
    | RefusalDelta
    | ToolCallStarted
    | ToolCallDelta
    | LogprobsDelta
    | Finished
)


def _grow(draft: _Draft, event: _Delta) -> None:
    match event:
        case TextDelta():
            draft.text.append(event.text)
        case ThinkingDelta():
            draft.thinking.append(event.text)
        case ThinkingSigned():
            draft.signature = event.signature
            draft.redacted = event.redacted
        case RefusalDelta():
            draft.refusal.append(event.text)
        case ToolCallStarted():
            draft.tools[event.slot] = (event, [])
        case ToolCallDelta():
            draft.tools[event.slot][1].append(event.arguments)
        case LogprobsDelta():
            draft.logprobs.append(event.content)
        case Finished():
            draft.finished = event
        case _:
            assert_never(event)
