"""The grammar of Ollama's streams: what clients may rely on, as a checker for any server's stream.

Rules, for a stream of ``/api/chat`` or ``/api/generate`` that was answered with status 200:

* Every line is a JSON object and ends with LF.
* All lines have the same ``model``, and a time in RFC 3339 that does not go backwards.
* All lines have ``message``, with the role ``assistant``, or all have ``response``; the content is text.
* ``done`` is false on all lines but the last. The last one has a ``done_reason``, no text, no thinking, no tool calls.
* ``done_reason``, counts and durations, which are whole numbers above zero, are on the last line only.
* Tool calls are whole: a name, an object for arguments. Their ids, where they have them, are unique.
* A line with ``error``, a text, ends a stream at once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from pointsman.core.errors import Broken
from pointsman.dialects.stream_checks import StreamChecker, Violation
from pointsman.wire.ndjson import LineSplitter

__all__ = ["check", "violations"]

_Count = Annotated[int, msgspec.Meta(gt=0)]
_Reason = Literal["stop", "length", "load", "unload"]
_NAMED_MAX: Final = 80


class _Function(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    arguments: dict[str, msgspec.Raw]


class _ToolCall(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Message(msgspec.Struct):
    role: Literal["assistant"]
    content: str
    thinking: str | msgspec.UnsetType = msgspec.UNSET
    tool_calls: list[_ToolCall] | msgspec.UnsetType = msgspec.UNSET


class _Line(msgspec.Struct):
    model: str
    created_at: str
    done: bool
    message: _Message | msgspec.UnsetType = msgspec.UNSET
    response: str | msgspec.UnsetType = msgspec.UNSET
    thinking: str | msgspec.UnsetType = msgspec.UNSET
    done_reason: _Reason | msgspec.UnsetType = msgspec.UNSET
    total_duration: _Count | msgspec.UnsetType = msgspec.UNSET
    load_duration: _Count | msgspec.UnsetType = msgspec.UNSET
    prompt_eval_count: _Count | msgspec.UnsetType = msgspec.UNSET
    prompt_eval_duration: _Count | msgspec.UnsetType = msgspec.UNSET
    eval_count: _Count | msgspec.UnsetType = msgspec.UNSET
    eval_duration: _Count | msgspec.UnsetType = msgspec.UNSET


class _Failure(msgspec.Struct, forbid_unknown_fields=True):
    error: str


_decode_line: Final = msgspec.json.Decoder(_Line).decode
_decode_failure: Final = msgspec.json.Decoder(_Failure).decode

_LAST_ONLY: Final = (
    "done_reason",
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
)


def violations(stream: bytes) -> list[str]:
    """What is wrong with a whole stream, in words; empty if nothing is."""
    return [str(one) for one in check(stream)]


def check(stream: bytes) -> list[Violation]:
    """What is wrong with a whole stream, and what was expected; empty if nothing is."""
    splitter = LineSplitter()
    try:
        lines = splitter.feed(stream)
        rest = splitter.end()
    except Broken as problem:
        return [Violation(problem.message, "shorter lines", "line")]
    checker = _Checker()
    for line in [*lines, *rest]:
        checker.take(line)
    if rest:
        checker.miss("the last line does not end", "LF after every line")
    checker.finish()
    return checker.found


class _Checker(StreamChecker):
    """Holds what has been seen of one stream, and what was wrong with it."""

    piece = "line"

    def __init__(self) -> None:
        super().__init__()
        self._first: _Line | None = None
        self._last_time: datetime | None = None
        self._ids: set[str] = set()
        self._done = False

    def take(self, data: bytes) -> None:
        """One line."""
        self._taken += 1
        if self._done or self._failed:
            self._object("something follows the end", "nothing after the line that is done or has an error")
            return
        line = self._read(data, _decode_line, _decode_failure, "an answer")
        if line is None:
            return
        self._check_head(line)
        self._check_content(line)
        self._done = line.done

    def finish(self) -> None:
        """The end of the stream."""
        if not self._done and not self._failed:
            self.miss("the stream ends without done", "a last line with done true, or an error")

    def _check_head(self, line: _Line) -> None:
        first = self._first
        if first is None:
            self._first = first = line
        if line.model != first.model:
            self._object("model has changed", f"the model of the first line, {first.model[:_NAMED_MAX]!r}")
        if (line.message is msgspec.UNSET) != (first.message is msgspec.UNSET):
            self._object("message and response are mixed", "what the first line has, message or response")
        if (line.message is msgspec.UNSET) == (line.response is msgspec.UNSET):
            self._object("there must be either message or response", "message (/api/chat) or response (/api/generate)")
        try:
            time = datetime.fromisoformat(line.created_at)
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            self._object(f"created_at is {line.created_at[:_NAMED_MAX]!r}", "a time in RFC 3339 with its offset")
            return
        if self._last_time is not None and time < self._last_time:
            self._object("time goes backwards", "created_at not before that of the line before")
        self._last_time = time

    def _check_content(self, line: _Line) -> None:
        message = line.message if isinstance(line.message, _Message) else None
        calls = message.tool_calls if message is not None and isinstance(message.tool_calls, list) else []
        for call in calls:
            if call.id and call.id in self._ids:
                self._object(f"the id {call.id[:_NAMED_MAX]!r} is given twice", "an id that no other tool call has")
            self._ids.add(call.id or "")
        early = [name for name in _LAST_ONLY if getattr(line, name) is not msgspec.UNSET]
        if not line.done:
            for name in early:
                self._object(f"{name} comes before the end", f"{name} on the last line only")
            return
        if "done_reason" not in early:
            self._object("there is no done_reason", "done_reason on the last line")
        thinking = line.thinking if message is None else message.thinking
        text = line.response if message is None else message.content
        if text or thinking or calls:
            self._object("the last line has content", "no text, thinking or tool calls where done is true")
