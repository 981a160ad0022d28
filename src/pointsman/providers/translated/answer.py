"""Reads an upstream's answer and gives it in the client's dialect, metering on the way: one path, streamed or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.errors import GatewayError
from pointsman.core.events import Event, Failed, Started, TextDelta, ThinkingDelta, ToolCallDelta, UsageReported
from pointsman.core.reply import Reply
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.providers.naming import answer_id_of
from pointsman.providers.translated.sides import EventReader, EventWriter, Reading, Writing
from pointsman.providers.translated.transcript import Transcript

__all__ = ["TranslatedAnswer"]

_CHARACTERS_PER_TOKEN: Final = 4
_PREFACE: Final = (Started, UsageReported, Failed)
"""Events that say nothing of the answer itself."""


class TranslatedAnswer:
    """See :class:`pointsman.core.upstream.Answer`. ``prompt_tokens`` stands in where the upstream counts nothing.

    With a ``transcript`` a failure in the middle is raised, since another upstream may go on from there: ``unsent`` are
    the client's bytes for what came along with it.
    """

    __slots__ = (
        "_characters",
        "_deltas",
        "_is_named",
        "_over",
        "_prompt_tokens",
        "_reading",
        "_reported",
        "_said",
        "_writing",
        "answer_id",
        "content_type",
        "error",
        "transcript",
        "unsent",
        "usage",
    )

    def __init__(self, reading: Reading, writing: Writing, prompt_tokens: int) -> None:
        self.content_type = b""
        self.usage: Usage = NO_USAGE
        self.error: GatewayError | None = None
        self.answer_id: str | None = None
        self._reading = reading
        self._writing = writing
        self._prompt_tokens = prompt_tokens
        self._reported: Usage = NO_USAGE
        self._said = self._over = self._is_named = False
        self._deltas = self._characters = 0
        self.transcript: Transcript | None = None
        self.unsent = b""

    @property
    def writer(self) -> EventWriter:
        """What writes for the client."""
        return self._writing.writer

    def go_on(self, reader: Callable[[EventReader], EventReader], writer: EventWriter) -> None:
        """Read events through ``reader``, and write with a ``writer`` that has begun an answer already."""
        self._reading = msgspec.structs.replace(self._reading, reader=reader(self._reading.reader))
        self._writing = msgspec.structs.replace(self._writing, writer=writer)

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> GatewayError:
        """See the protocol."""
        error = self._reading.read_error(status, body)
        if retry_after is not None:
            error.retry_after = retry_after
        return error

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        reply = self._reading.read_reply(body)
        self._meter_reply(reply)
        self._complete()
        out = self._writing.write_reply(msgspec.structs.replace(reply, usage=self.usage))
        self.answer_id = answer_id_of(out)
        return out

    def feed(self, data: bytes) -> bytes:
        """See the protocol. A failure after the first content is told in the stream, behind what came before it."""
        reading = self._reading
        feed = reading.reader.feed
        if self.transcript is not None:
            for frame in reading.splitter.feed(data):
                self.unsent += self._relay(feed(frame))
            out, self.unsent = self.unsent, b""
            return out
        out = b""
        words: list[Event] = []  # what is nothing but text is told together
        for frame in reading.splitter.feed(data):
            events = feed(frame)
            if len(events) == 1 and events[0].__class__ is TextDelta:
                words += events
            else:
                out += self._relay(words) + self._relay(events)
                words = []
        return out + self._relay(words)

    def end(self) -> bytes:
        """See the protocol."""
        reading = self._reading
        for frame in reading.splitter.end():
            self.unsent += self._relay(reading.reader.feed(frame))
        self.unsent += self._relay(reading.reader.end())
        self._complete()
        out, self.unsent = self.unsent, b""
        if not self._over:
            self._over = True
            out += self._writing.writer.end(self.usage)
        return out

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol."""
        if self._over:
            return b""
        self._over = True
        return self._writing.writer.fail(error)

    def is_preface(self, block: bytes) -> bool:
        """See the protocol."""
        return not self._said and not self._over

    def cut(self) -> None:
        """See the protocol."""
        if self.usage.source == "none":
            self._settle()

    def _relay(self, events: list[Event]) -> bytes:
        if self._over or not events:
            return b""
        self._meter(events)
        if not self._said:
            self._said = any(not isinstance(event, _PREFACE) for event in events)
        last = events[-1]
        if isinstance(last, Failed):
            return self._relay_failure(events[:-1], last.error)
        if self.transcript is not None:
            self.transcript.note(events)
        out = self._writing.writer.write(events)
        if out and not self._is_named:
            self._is_named = True
            self.answer_id = answer_id_of(out)
        return out

    def _relay_failure(self, before: list[Event], error: GatewayError) -> bytes:
        if not self._said:
            raise error
        writer = self._writing.writer
        out = writer.write(before) if before else b""
        if self.transcript is not None:
            self.transcript.note(before)
            self.unsent += out
            raise error
        self._over = True
        self.error = error
        return out + writer.fail(error)

    def _meter(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, (TextDelta, ThinkingDelta)):
                self._deltas += 1
                self._characters += len(event.text)
            elif isinstance(event, ToolCallDelta):
                self._characters += len(event.arguments)
            elif isinstance(event, UsageReported):
                self._reported = event.usage

    def _meter_reply(self, reply: Reply) -> None:
        self._reported = reply.usage
        if reply.usage.source != "none":
            return
        for choice in reply.choices:
            self._characters += len(choice.text) + len(choice.thinking)
            self._characters += sum(len(tool.arguments) for tool in choice.tool_calls)

    def _complete(self) -> None:
        """The upstream ended its answer; called once."""
        self._settle()

    def _settle(self) -> None:
        """The answer is over: take its usage, or estimate it. Most servers send about one piece per token."""
        usage = self._reported
        if usage.source == "none":
            completion = max(self._deltas, -(-self._characters // _CHARACTERS_PER_TOKEN))
            usage = Usage(self._prompt_tokens, completion, source="estimated")
        self.usage = usage
