"""Answers in pieces for clients of Gemini: ``streamGenerateContent``.

Source: https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent. With ``alt=sse`` every piece
is a server-sent event; without, the pieces are the elements of one JSON array. Each is an answer of its own; the last
one has the reasons and the counts. Tool calls come whole, before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from pointsman.core.call import Call
from pointsman.core.clock import short_id
from pointsman.core.content import Citation, ServerToolUse, ToolCall
from pointsman.core.errors import GatewayError
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
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.gemini.citations import write_grounding
from pointsman.dialects.gemini.client_chunks import (
    is_own,
    signed_part,
    text_part,
    thought_part,
    write_answer,
    write_calls,
    write_candidate,
)
from pointsman.dialects.gemini.errors import write_error
from pointsman.dialects.gemini.given import write_given
from pointsman.dialects.gemini.logprobs import write_logprobs
from pointsman.dialects.gemini.reasons import write_reason
from pointsman.dialects.gemini.types import Part

__all__ = ["StreamForm", "StreamWriter"]

_encode: Final = msgspec.json.Encoder().encode

StreamForm = Literal["sse", "array"]


class _OpenChoice(msgspec.Struct):
    """A choice under way: what is written at its end."""

    calls: dict[int, tuple[ToolCallStarted, list[str]]] = {}
    logprobs: list[msgspec.Raw] = []
    texts: list[str] = []
    citations: list[Citation] = []
    searches: list[ServerToolUse] = []
    codes: dict[str, list[str]] = {}
    coded: set[str] = set()
    signature: str | None = None
    finished: Finished | None = None

    def whole_calls(self) -> list[ToolCall]:
        """The tool calls, put together."""
        calls = sorted(self.calls.items())
        return [ToolCall(call.id, call.name, "".join(pieces), call.signature) for _, (call, pieces) in calls]


class StreamWriter:
    """Writes the stream of one answer: one id on all pieces, the model under the name the client asked for.

    Args:
        call: What was asked.
        form: Server-sent events, or the elements of an array.
        include_thoughts: Whether the client shall see the reasoning, for which Gemini's clients have to ask.
    """

    __slots__ = ("_array", "_begun", "_choices", "_id", "_include_thoughts", "_model", "_over", "_usage")

    def __init__(self, call: Call, form: StreamForm = "sse", *, include_thoughts: bool = True) -> None:
        self._model = call.model
        self._array = form == "array"
        self._include_thoughts = include_thoughts
        self._id = ""
        self._begun = False
        self._choices: dict[int, _OpenChoice] = {}
        self._usage: Usage | None = None
        self._over = False

    def write(self, events: Iterable[Event]) -> bytes:
        """The pieces for these events; a ``Failed`` among them ends the stream."""
        blocks: list[bytes] = []
        for event in () if self._over else events:
            if isinstance(event, TextDelta | RefusalDelta):
                blocks.append(self._piece(event.choice, [text_part(event.text)]))
                if isinstance(event, TextDelta):
                    self._choices[event.choice].texts.append(event.text)
            elif isinstance(event, ThinkingDelta):
                if self._include_thoughts:
                    blocks.append(self._piece(event.choice, [thought_part(event.text)]))
            elif isinstance(event, ThinkingSigned) and not is_own(event):
                if self._include_thoughts:
                    blocks.append(self._piece(event.choice, [thought_part("", event)]))
            elif isinstance(event, PartGiven):
                blocks += self._give(event)
            elif isinstance(event, CodeDelta):
                blocks += self._code(event)
            elif isinstance(event, Failed):
                blocks.append(self.fail(event.error))
                break
            else:
                self._note(event)
        return b"".join(blocks)

    def end(self, usage: Usage | None = None) -> bytes:
        """The end of the stream; ``usage`` stands in where the upstream reported none."""
        if self._over:
            return b""
        self._over = True
        choices = sorted(self._choices.items()) or [(0, _OpenChoice())]
        try:
            calls = [(index, _write_calls(choice)) for index, choice in choices]
        except GatewayError as error:
            return self._failure(error)
        blocks = [self._piece(index, parts) for index, parts in calls if parts]
        last = [_last(index, choice) for index, choice in choices]
        blocks.append(self._block(_encode(write_answer(last, self._model, self._name(), self._counts(usage)))))
        return b"".join(blocks) + (b"]" if self._array else b"")

    def fail(self, error: GatewayError) -> bytes:
        """The end of a stream that failed."""
        if self._over:
            return b""
        self._over = True
        return self._failure(error)

    def _failure(self, error: GatewayError) -> bytes:
        return self._block(write_error(error)) + (b"]" if self._array else b"")

    def _give(self, event: PartGiven) -> list[bytes]:
        """What comes whole; what was searched for is told with the sources."""
        if isinstance(event.part, ServerToolUse) and event.part.kind == "search":
            self._open(event.choice).searches.append(event.part)
        given = event.part
        if isinstance(given, ServerToolUse) and given.id in self._open(event.choice).coded:
            given = msgspec.structs.replace(given, input="")
        parts = write_given(given)
        return [self._piece(event.choice, parts)] if parts else []

    def _code(self, event: CodeDelta) -> list[bytes]:
        """Code that is to be run, once it is whole: a part has all of it."""
        choice = self._open(event.choice)
        pieces = choice.codes.setdefault(event.use.id, [])
        pieces.append(event.use.input)
        whole = "".join(pieces)
        if not event.complete or not whole or event.use.id in choice.coded:
            return []
        choice.coded.add(event.use.id)
        return [self._piece(event.choice, write_given(msgspec.structs.replace(event.use, input=whole)))]

    def _open(self, choice: int) -> _OpenChoice:
        return self._choices.setdefault(choice, _OpenChoice())

    def _note(self, event: Event) -> None:
        """Keep what is written at the end."""
        if isinstance(event, Started):
            self._id = event.id
        elif isinstance(event, UsageReported):
            self._usage = event.usage
        elif not isinstance(event, Failed):
            choice = self._choices.setdefault(event.choice, _OpenChoice())
            if isinstance(event, ToolCallStarted):
                choice.calls[event.slot] = (event, [])
            elif isinstance(event, ToolCallDelta):
                choice.calls[event.slot][1].append(event.arguments)
            elif isinstance(event, LogprobsDelta):
                choice.logprobs.append(event.content)
            elif isinstance(event, Cited):
                choice.citations.append(event.citation)
            elif isinstance(event, ThinkingSigned):
                choice.signature = event.signature
            elif isinstance(event, Finished):
                choice.finished = event

    def _counts(self, usage: Usage | None) -> Usage:
        return self._usage or usage or NO_USAGE

    def _name(self) -> str:
        if not self._id:
            self._id = short_id("gemini-")
        return self._id

    def _piece(self, index: int, parts: list[Part]) -> bytes:
        choice = self._choices.setdefault(index, _OpenChoice())
        logprobs = write_logprobs(choice.logprobs) if choice.logprobs else None
        choice.logprobs.clear()
        candidate = write_candidate(index, parts, logprobs=logprobs)
        return self._block(_encode(write_answer([candidate], self._model, self._name())))

    def _block(self, data: bytes) -> bytes:
        if not self._array:
            return b"data: %b\r\n\r\n" % data
        start = b",\r\n" if self._begun else b"["
        self._begun = True
        return start + data


def _write_calls(choice: _OpenChoice) -> list[Part]:
    reason = None if choice.finished is None else choice.finished.reason
    return write_calls(choice.whole_calls(), cut_off=reason in {"length", "content_filter"})


def _last(index: int, choice: _OpenChoice) -> dict[str, object]:
    finished = choice.finished
    reason = write_reason(None, None) if finished is None else write_reason(finished.reason, finished.native)
    logprobs = write_logprobs(choice.logprobs) if choice.logprobs else None
    grounding = write_grounding(choice.citations, "".join(choice.texts), choice.searches)
    return write_candidate(
        index, [signed_part(choice.signature)], reason=reason, logprobs=logprobs, grounding=grounding
    )
