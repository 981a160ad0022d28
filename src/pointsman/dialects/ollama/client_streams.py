"""Answers in pieces for clients of Ollama: a line of JSON for each.

Source: Ollama's ``docs/api.md`` ("Generate a chat completion", "Generate a completion") and ``api/types.go``. Every
line has its own time; the last one, with ``done``, has the reason, the counts and the durations. Tool calls come whole,
in one line before it. A failure is a line with ``error``, and nothing follows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.call import Call, CompletionCall
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.content import ToolCall
from pointsman.core.errors import GatewayError
from pointsman.core.events import (
    CodeDelta,
    Event,
    Failed,
    Finished,
    LogprobsDelta,
    PartGiven,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.ollama.client_errors import write_error
from pointsman.dialects.ollama.client_lines import (
    Timings,
    done_reason,
    image_of,
    media_words,
    write_counts,
    write_logprobs,
    write_tool_calls,
)
from pointsman.dialects.ollama.client_time import LineClock
from pointsman.dialects.server_tools import InWords

__all__ = ["ChatStreamWriter", "GenerateStreamWriter"]

_encode: Final = msgspec.json.Encoder().encode

_MILLISECONDS_PER_SECOND: Final = 1000


class _StreamWriter:
    """What both streams have in common. Other choices than the first have no place in this format.

    Durations that the upstream did not measure are measured here: up to the first content, and from there to the end.
    """

    _text: bytes
    _thinking: bytes
    _content_end: bytes

    __slots__ = (
        "_begun_at",
        "_calls",
        "_clock",
        "_finished",
        "_first_at",
        "_head",
        "_in_words",
        "_logprobs",
        "_over",
        "_reported",
        "_times",
    )

    def __init__(self, call: Call | CompletionCall, clock: Clock = SYSTEM_CLOCK) -> None:
        self._head = b'{"model":%b,"created_at":"' % _encode(call.model)
        self._clock = clock
        self._times = LineClock()
        self._begun_at = clock.monotonic()
        self._first_at: float | None = None
        self._calls: dict[int, tuple[ToolCallStarted, list[str]]] = {}
        self._logprobs: list[msgspec.Raw] = []
        self._in_words = InWords(media_words)
        self._finished: Finished | None = None
        self._reported: UsageReported | None = None
        self._over = False

    def write(self, events: Iterable[Event]) -> bytes:
        """The lines for these events; a ``Failed`` among them ends the stream."""
        lines: list[bytes] = []
        for event in () if self._over else events:
            if isinstance(event, TextDelta | RefusalDelta):
                if event.choice == 0 and event.text:
                    lines.append(self._line(self._text, event.text))
            elif isinstance(event, ThinkingDelta):
                if event.choice == 0 and event.text:
                    lines.append(self._line(self._thinking, event.text))
            elif isinstance(event, PartGiven | CodeDelta):
                lines.append(self._given(event))
            elif isinstance(event, Failed):
                lines.append(self.fail(event.error))
                break
            else:
                self._note(event)
        return b"".join(lines)

    def end(self, usage: Usage | None = None) -> bytes:
        """The last lines; ``usage`` stands in where the upstream reported none."""
        if self._over:
            return b""
        self._over = True
        reported = self._reported
        counts = usage if reported is None else reported.usage
        reason = None if self._finished is None else self._finished.reason
        try:
            calls = self._call_line(cut_off=reason in {"length", "content_filter"})
        except GatewayError as error:
            return write_error(error) + b"\n"
        tail = {"done_reason": done_reason(reason), **write_counts(counts or NO_USAGE, self._timings())}
        return b'%b%b%b""%b,"done":true%b,%b\n' % (
            calls,
            self._opening(),
            self._text,
            self._content_end,
            self._take_logprobs(),
            _encode(tail)[1:],
        )

    def fail(self, error: GatewayError) -> bytes:
        """The end of a stream that failed."""
        if self._over:
            return b""
        self._over = True
        return write_error(error) + b"\n"

    def _note(self, event: Event) -> None:
        """Keep what is written later."""
        if isinstance(event, UsageReported):
            self._reported = event
        elif getattr(event, "choice", 0) != 0:
            return
        elif isinstance(event, ToolCallStarted):
            self._mark_first()
            self._calls[event.slot] = (event, [])
        elif isinstance(event, ToolCallDelta):
            self._calls[event.slot][1].append(event.arguments)
        elif isinstance(event, LogprobsDelta):
            self._logprobs.append(event.content)
        elif isinstance(event, Finished):
            self._finished = event

    def _given(self, event: PartGiven | CodeDelta) -> bytes:
        """What comes whole: an image, or in words what has no place here."""
        told = None if event.choice else self._in_words.take(event)
        if isinstance(told, TextDelta):
            return self._line(self._text, told.text)
        image = image_of(told.part) if isinstance(told, PartGiven) else None
        return b"" if image is None else self._image_line(image)

    def _image_line(self, image: str) -> bytes:
        self._mark_first()
        message = {"role": "assistant", "content": "", "images": [image]}
        return b'%b"message":%b,"done":false}\n' % (self._opening(), _encode(message))

    def _opening(self) -> bytes:
        return b'%b%b",' % (self._head, self._times.text(self._clock.wall()))

    def _line(self, field: bytes, text: str) -> bytes:
        self._mark_first()
        return b'%b%b%b%b,"done":false%b}\n' % (
            self._opening(),
            field,
            _encode(text),
            self._content_end,
            self._take_logprobs() if self._logprobs else b"",
        )

    def _call_line(self, *, cut_off: bool) -> bytes:
        """All tool calls in one line. Of a format without tool calls there is none."""
        calls = [ToolCall(call.id, call.name, "".join(pieces)) for _, (call, pieces) in sorted(self._calls.items())]
        written = write_tool_calls(calls, cut_off=cut_off)
        if not written:
            return b""
        return b'%b"message":{"role":"assistant","content":"","tool_calls":%b},"done":false}\n' % (
            self._opening(),
            _encode(written),
        )

    def _take_logprobs(self) -> bytes:
        if not self._logprobs:
            return b""
        written = write_logprobs(self._logprobs)
        self._logprobs.clear()
        return b',"logprobs":%b' % _encode(written)

    def _mark_first(self) -> None:
        if self._first_at is None:
            self._first_at = self._clock.monotonic()

    def _timings(self) -> Timings:
        now = self._clock.monotonic()
        first = now if self._first_at is None else self._first_at
        said = self._reported
        return Timings(
            total_ms=(now - self._begun_at) * _MILLISECONDS_PER_SECOND,
            load_ms=None if said is None else said.load_ms,
            prompt_ms=_or((first - self._begun_at), None if said is None else said.prompt_ms),
            completion_ms=_or(now - first, None if said is None else said.completion_ms),
        )


class ChatStreamWriter(_StreamWriter):
    """Writes the stream of one answer for ``/api/chat``."""

    __slots__ = ()

    _text = b'"message":{"role":"assistant","content":'
    _thinking = b'"message":{"role":"assistant","content":"","thinking":'
    _content_end = b"}"


class GenerateStreamWriter(_StreamWriter):
    """Writes the stream of one answer for ``/api/generate``, where tool calls and images have no place."""

    __slots__ = ()

    _text = b'"response":'
    _thinking = b'"response":"","thinking":'
    _content_end = b""

    def _call_line(self, *, cut_off: bool) -> bytes:
        return b""

    def _image_line(self, image: str) -> bytes:
        return b""


def _or(seconds: float, said_ms: float | None) -> float:
    """What the upstream measured, or else what was measured here, in milliseconds."""
    return seconds * _MILLISECONDS_PER_SECOND if said_ms is None else said_ms
