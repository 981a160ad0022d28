"""Reads a provider's own answer for one thing only: what it says of its usage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.errors import Broken, GatewayError
from pointsman.core.upstream import UPSTREAM_TYPE
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.openai_errors import read_error
from pointsman.providers.pass_through.usage import UsageReading
from pointsman.wire.aws_event_stream import EventStreamParser
from pointsman.wire.ndjson import LineSplitter
from pointsman.wire.sse import SseParser

__all__ = ["PassageAnswer"]

_BYTES_KEPT_MAX: Final = 8 * 1024 * 1024
"""A longer JSON answer (files, lists) is not read for its usage."""

_MARK_BYTES: Final = 6
"""So many tell server-sent events from anything else."""
_BLANK_BYTES_MAX: Final = 1024

_decode_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class PassageAnswer(msgspec.Struct, eq=False):
    """See :class:`pointsman.core.upstream.Answer`; every byte is passed on as it came, at once.

    Usage is found in one JSON object, in an array of them (Gemini's stream), in server-sent events, in lines of JSON
    (Ollama's) and in the messages of AWS's streams. ``key`` is the operator's, should a failure repeat it.
    """

    key: bytes = b""
    on_error: Callable[[int, bytes], None] | None = None
    content_type: bytes = UPSTREAM_TYPE
    usage: Usage = NO_USAGE
    error: GatewayError | None = None
    answer_id: str | None = None
    _reading: UsageReading = msgspec.field(default_factory=UsageReading)
    _form: str = ""
    _start: bytes = b""
    _events: SseParser = msgspec.field(default_factory=SseParser)
    _messages: EventStreamParser = msgspec.field(default_factory=EventStreamParser)
    _lines: LineSplitter = msgspec.field(default_factory=LineSplitter)
    _kept: list[bytes] = msgspec.field(default_factory=list)
    _kept_bytes: int = 0

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> GatewayError:
        """See the protocol."""
        if self.on_error is not None:
            self.on_error(status, body)
        error = read_error(status, self.whole(body))
        if retry_after is not None:
            error.retry_after = retry_after
        return error

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        return body.replace(self.key, b"\xe2\x80\xa6") if self.key else body

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        seen = data
        if not self._form:
            seen = self._start = self._start + data
            self._form = _form_of(seen)
        try:
            self._read(seen)
        except Broken:
            self._form = "unread"
        return data

    def end(self) -> bytes:
        """See the protocol."""
        self.cut()
        return b""

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol."""
        return b""

    def is_preface(self, block: bytes) -> bool:
        """See the protocol."""
        return False

    def cut(self) -> None:
        """See the protocol."""
        if self._form == "json" and self._kept_bytes <= _BYTES_KEPT_MAX:
            body = b"".join(self._kept)
            for item in _items(body) if body.lstrip().startswith(b"[") else (body,):
                self._reading.take(item)
        self._kept.clear()
        self.usage = self._reading.usage

    def _read(self, data: bytes) -> None:
        if self._form == "events":
            for event in self._events.feed(data):
                self._reading.take(event.data)
        elif self._form == "messages":
            for message in self._messages.feed(data):
                self._reading.take(message.payload)
        elif self._form == "json":
            self._kept_bytes += len(data)
            if self._kept_bytes > _BYTES_KEPT_MAX:
                self._kept.clear()
            else:
                self._kept.append(data)
            for line in self._lines.feed(data):
                self._reading.take(line)


def _form_of(data: bytes) -> str:
    start = data.lstrip()[:_MARK_BYTES]
    if start.startswith((b"{", b"[")):
        return "json"
    if data.startswith(b"\0"):
        return "messages"
    if len(start) < _MARK_BYTES:
        return "" if len(data) < _BLANK_BYTES_MAX else "unread"
    return "events" if start.startswith((b"data:", b"event:", b"id:", b":", b"retry:")) else "unread"


def _items(body: bytes) -> list[msgspec.Raw]:
    try:
        return _decode_items(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
