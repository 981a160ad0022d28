"""The fold that makes a whole answer of a stream of events: one path for both."""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from typing import Final, assert_never

import msgspec

from pointsman.core.content import Audio, Citation, Image, Refusal, ServerToolUse, Text, Thinking, ToolCall
from pointsman.core.events import (
    Cited,
    CodeDelta,
    Event,
    Failed,
    Finished,
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
)
from pointsman.core.reply import Choice, Reply, Said
from pointsman.core.usage import NO_USAGE

__all__ = ["fold"]

_WORDS: Final = Text("")
_UNSIGNED: Final = Thinking("")
_DECLINING: Final = Refusal("")
_TOLD_OF_ALL: Final = (Started, UsageReported, Failed, CodeDelta)
"""Events that are no part of a choice; code comes once more, whole."""


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

    def give(self, part: Image | Audio | ServerToolUse) -> None:
        """A part that is whole, or more of a sound."""
        last = self.parts[-1] if self.parts else None
        if isinstance(part, Audio) and last and isinstance(last[0], Audio) and _goes_on(last[0], part):
            last[1].append(part.data)
            words = last[0].transcript + part.transcript
            self.parts[-1] = (msgspec.structs.replace(part, data="", transcript=words), last[1])
        else:
            self.parts.append((part, [part.data] if isinstance(part, Audio) else []))

    def done(self, index: int) -> Choice:
        """The finished choice."""
        finished = self.finished
        return Choice(
            index=index,
            parts=tuple(_filled(part, pieces) for part, pieces in self.parts),
            finish_reason=None if finished is None else finished.reason,
            logprobs=tuple(self.logprobs),
            native_reason=None if finished is None else finished.native,
            stop_sequence=None if finished is None else finished.stop_sequence,
            citations=tuple(self.citations),
        )


def _filled(part: Said, pieces: list[str]) -> Said:
    if isinstance(part, Text):
        return Text("".join(pieces))
    if isinstance(part, ToolCall):
        return msgspec.structs.replace(part, arguments="".join(pieces))
    if isinstance(part, Audio):
        return msgspec.structs.replace(part, data=_one_base64(pieces))
    if isinstance(part, (Image, ServerToolUse)):
        return part
    return msgspec.structs.replace(part, text="".join(pieces))


def _goes_on(sound: Audio, more: Audio) -> bool:
    """Whether it is more of the same sound: samples need no name to be joined."""
    return sound.id == more.id and (sound.id is not None or (sound.format == more.format and "pcm" in sound.format))


def _one_base64(pieces: list[str]) -> str:
    """Base64 that came in pieces, each of which may be padded."""
    if not any(piece.endswith("=") or len(piece) % 4 for piece in pieces[:-1]):
        return "".join(pieces)
    try:
        return binascii.b2a_base64(b"".join(map(binascii.a2b_base64, pieces)), newline=False).decode()
    except (binascii.Error, ValueError):
        return "".join(pieces)


def fold(events: Iterable[Event]) -> Reply:
    """The whole answer that a stream of events tells.

    Raises:
        GatewayError: the error of a ``Failed`` event.
    """
    started = Started("", "", 0)
    reported = UsageReported(NO_USAGE)
    drafts: dict[int, _Draft] = {0: _Draft()}
    for event in events:
        if isinstance(event, _TOLD_OF_ALL):
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
        case Finished():
            draft.finished = event
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
            draft.give(event.part)
        case Cited():
            draft.citations.append(event.citation)
        case _:
            assert_never(event)
