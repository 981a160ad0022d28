"""Ollama's answers, line by line."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

import msgspec

from pointsman.core.clock import short_id
from pointsman.core.content import Image
from pointsman.core.errors import Broken, GatewayError
from pointsman.core.events import (
    Event,
    Failed,
    Finished,
    FinishReason,
    LogprobsDelta,
    PartGiven,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import Usage
from pointsman.dialects.ollama.errors import read_error
from pointsman.dialects.ollama.types import Line, LineToolCall
from pointsman.wire.base64_text import image_media_type

__all__ = ["StreamReader"]

_decode: Final = msgspec.json.Decoder(Line).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_encode: Final = msgspec.json.Encoder().encode

_NULL: Final = msgspec.Raw(b"null")
_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000

_TAIL_PIECES: Final = 64
_TAIL_CHARACTERS: Final = 2048
_LOOP: Final = re.compile(r"(\S{1,64}?)(?:\s*\1){30}\s*\Z|\s{31,}\Z")
"""One token 31 times at the end of an answer: where Ollama breaks off, white space aside."""


class StreamReader:
    """Reads the lines of ``/api/chat`` and ``/api/generate``, one :meth:`feed` each; a whole answer is one line.

    Ollama gives tool calls whole, several in one line or in several, and says ``stop`` on a later line. So they are
    numbered here, get an id where they have none, and only ``stop`` becomes ``tool_calls``, never ``length``.

    A model that says the same token over and over is broken off by Ollama after 31 times, and no line says that this is
    the end (``Completion`` in its ``llm/server.go``). That is an answer cut short, not one that was lost on the way.

    Args:
        model: Ollama's name for the model, for the hint of an error.
        id_prefix: What the answer's id begins with.
        single_tool_call: Keep the first tool call only (``parallel_tool_calls: false``).
        new_id: Makes ids.
    """

    __slots__ = ("_done", "_failed", "_id_prefix", "_ids", "_model", "_new_id", "_single", "_started", "_tail")

    def __init__(
        self,
        model: str = "",
        *,
        id_prefix: str = "chatcmpl-",
        single_tool_call: bool = False,
        new_id: Callable[[str], str] = short_id,
    ) -> None:
        self._model = model
        self._id_prefix = id_prefix
        self._single = single_tool_call
        self._new_id = new_id
        self._ids: list[str] = []
        self._started = False
        self._done = False
        self._failed = False
        self._tail: deque[str] = deque(maxlen=_TAIL_PIECES)

    def feed(self, frame: bytes) -> list[Event]:
        """The events of one line. Lines after the last one, or after a failure, say nothing."""
        if self._done or self._failed:
            return []
        try:
            line = _decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._fail(Broken("Ollama sent a line that is not one of its answers."))
        if isinstance(line.error, msgspec.Raw):
            return self._fail(read_error(Broken.default_status, frame, self._model))
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(self._new_id(self._id_prefix), line.model, _seconds(line.created_at)))
        if line.logprobs:
            events.append(LogprobsDelta(msgspec.Raw(_encode(line.logprobs))))
        self._read_content(line, events)
        if line.done:
            self._done = True
            events.append(Finished(self._reason(line.done_reason)))
            events.extend(_usage(line))
        return events

    def end(self) -> list[Event]:
        """The last events, once Ollama closed its stream: a failure unless it was done, or had to stop a model."""
        if self._done or self._failed:
            return []
        if _LOOP.search("".join(self._tail)[-_TAIL_CHARACTERS:]):
            self._done = True
            return [Finished("length")]
        what = "was complete" if self._started else "had begun"
        return self._fail(Broken(f"Ollama ended its stream before the answer {what}."))

    def _fail(self, error: GatewayError) -> list[Event]:
        self._failed = True
        return [Failed(error)]

    def _read_content(self, line: Line, events: list[Event]) -> None:
        message = line.message
        thinking, text = (line.thinking, line.response) if message is None else (message.thinking, message.content)
        if thinking:
            events.append(ThinkingDelta(thinking))
            self._tail.append(thinking)
        if text:
            events.append(TextDelta(text))
            self._tail.append(text)
        if message is None:
            return
        if message.images:
            events += [PartGiven(Image(image, image_media_type(image) or "image/png")) for image in message.images]
        if message.tool_calls:
            self._read_tool_calls(message.tool_calls, events)

    def _read_tool_calls(self, calls: Iterable[LineToolCall], events: list[Event]) -> None:
        for call in calls:
            if not call.function.name:
                continue
            slot = len(self._ids)
            if self._single and slot:
                return
            call_id = call.id if call.id and call.id not in self._ids else self._new_id("call_")
            self._ids.append(call_id)
            events.append(ToolCallStarted(slot, call_id, call.function.name))
            events.append(ToolCallDelta(slot, _arguments(call)))

    def _reason(self, said: str | None) -> FinishReason:
        """Why it ended. ``load`` and ``unload`` answer a request without messages; old versions say nothing."""
        if said == "length":
            return "length"
        return "tool_calls" if self._ids else "stop"


def _arguments(call: LineToolCall) -> str:
    """The arguments as compact JSON text; what cannot be read is passed on as it is."""
    raw = call.function.arguments
    if not isinstance(raw, msgspec.Raw) or raw == _NULL:
        return "{}"
    text = bytes(raw)
    try:
        if text.startswith(b'"'):
            return _decode_text(text)
        return msgspec.json.format(text, indent=-1).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return text.decode("utf-8", "replace")


def _usage(line: Line) -> list[Event]:
    """The counts. Ollama leaves out what is zero; with neither count there is nothing measured to report."""
    if not line.prompt_eval_count and not line.eval_count:
        return []
    return [
        UsageReported(
            Usage(line.prompt_eval_count, line.eval_count, source="measured"),
            load_ms=_milliseconds(line.load_duration),
            prompt_ms=_milliseconds(line.prompt_eval_duration),
            completion_ms=_milliseconds(line.eval_duration),
        )
    ]


def _milliseconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / _NANOSECONDS_PER_MILLISECOND


def _seconds(created_at: str) -> int:
    """Seconds since the epoch of a time in RFC 3339; 0 for what is none."""
    try:
        return max(int(datetime.fromisoformat(created_at).timestamp()), 0)
    except (ValueError, OverflowError, OSError):
        return 0
