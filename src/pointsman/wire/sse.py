"""Server-sent events: an incremental parser, and the writer.

Format: WHATWG HTML, "Server-sent events", https://html.spec.whatwg.org/multipage/server-sent-events.html.
Lines end with LF, CRLF or CR; a byte order mark at the start is ignored; comment lines are dropped; the
``data`` lines of one event are joined by LF; ``id`` and ``retry`` mean nothing to a gateway and are dropped.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Broken
from pointsman.wire.limits import EVENT_BYTES_MAX

__all__ = ["ServerSentEvent", "SseParser", "encode"]

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_END: Final = b"\n\n"


class ServerSentEvent(msgspec.Struct, frozen=True):
    """One event. ``event`` is None where the stream named none."""

    data: bytes
    event: str | None = None


class SseParser:
    """Cuts events out of bytes, whatever pieces these come in. Work and memory are linear in the input.

    ``event_bytes_max`` bounds one event: its data lines, or one line of any kind.
    """

    __slots__ = (
        "_after_cr", "_data", "_data_bytes", "_event", "_is_fresh", "_line", "_line_bytes", "_max", "_overflown",
        "_start",
    )  # fmt: skip

    def __init__(self, event_bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._max = event_bytes_max
        self._start: bytes | None = b""
        self._after_cr = False
        self._line: list[bytes] = []
        self._line_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._event: str | None = None
        self._overflown = False
        self._is_fresh = True
        """Whether no event, nor a line of one, is under way."""

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that are complete with these bytes.

        Raises:
            Broken: an event is longer than its bound. Events before it are given first, by an earlier call
                or by this one; then the next call raises.
        """
        self._demand_bound()
        if self._start is None and self._is_fresh and data.endswith(_END) and b"\r" not in data:
            only = _usual(data[:-2]) if len(data) <= self._max else None
            if only is not None:
                return [only]
        if self._start is not None:
            data = self._without_mark(data)
        if b"\r" in data or self._after_cr:
            data = self._with_plain_newlines(data)
        if not data:
            return []
        events: list[ServerSentEvent] = []
        if self._is_fresh:
            data = self._take_whole(data, events)
        if not self._overflown:
            *lines, rest = data.split(b"\n")
            for line in lines:
                if not self._take(line, events):
                    break
            else:
                self._keep(rest)
        self._is_fresh = not self._line and not self._data and self._event is None and not self._after_cr
        if not events:
            self._demand_bound()
        return events

    def end(self) -> list[ServerSentEvent]:
        """The last event, if the stream ended without the empty line that would have closed it.

        The specification drops such an event. It is given here since servers that forget the last empty line
        exist; whether it is whole is for its reader to judge.

        Raises:
            Broken: an event is longer than its bound.
        """
        if self._start:
            self._line, self._line_bytes, self._start = [self._start], len(self._start), None
        events = self.feed(b"\n") if self._line else []
        self._demand_bound()
        self._close(events)
        return events

    def _without_mark(self, data: bytes) -> bytes:
        data = (self._start or b"") + data
        if len(data) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(data):
            self._start = data
            return b""
        self._start = None
        return data.removeprefix(_BYTE_ORDER_MARK)

    def _with_plain_newlines(self, data: bytes) -> bytes:
        """CR and CRLF as LF. A CR at the end of a piece counts at once; an LF that follows it is left out."""
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take_whole(self, data: bytes, events: list[ServerSentEvent]) -> bytes:
        """The events that are whole in ``data``, where none is under way; gives what is left of it."""
        whole, gap, rest = data.rpartition(_END)
        if not gap:
            return data
        for block in whole.split(_END):
            event = _usual(block) if len(block) <= self._max else None
            if event is not None:
                events.append(event)
            else:
                for line in (*block.split(b"\n"), b""):
                    if not self._take(line, events):
                        return b""
        return rest

    def _keep(self, rest: bytes) -> None:
        """Keep the beginning of a line."""
        if rest:
            self._line.append(rest)
            self._line_bytes += len(rest)
            self._overflown = self._line_bytes + self._data_bytes > self._max

    def _take(self, line: bytes, events: list[ServerSentEvent]) -> bool:
        """One whole line; False if it was too long."""
        if self._line:
            line = b"".join((*self._line, line))
            self._line.clear()
            self._line_bytes = 0
        if len(line) + self._data_bytes > self._max:
            self._overflown = True
            return False
        if not line:
            self._close(events)
        elif line.startswith(b"data:"):
            value = line[6:] if line[5:6] == b" " else line[5:]
            self._data.append(value)
            self._data_bytes += len(value) + 1
        elif line.startswith(b"event:"):
            self._event = line[6:].removeprefix(b" ").decode("utf-8", "replace")
        elif line == b"data":
            self._data.append(b"")
            self._data_bytes += 1
        elif line == b"event":
            self._event = None
        return True

    def _close(self, events: list[ServerSentEvent]) -> None:
        """The end of an event; one without data is none."""
        data = self._data
        if data:
            events.append(ServerSentEvent(data[0] if len(data) == 1 else b"\n".join(data), self._event or None))
            self._data = []
            self._data_bytes = 0
        self._event = None

    def _demand_bound(self) -> None:
        if self._overflown:
            raise Broken(f"The upstream sent an event longer than {self._max} bytes.")


def _usual(block: bytes) -> ServerSentEvent | None:
    """An event of one line of data, under a name or none, as nearly all are; None: it is another one."""
    name = None
    if block.startswith(b"event: "):
        line, _, block = block.partition(b"\n")
        name = line[7:].decode("utf-8", "replace") or None
    return ServerSentEvent(block[6:], name) if block.startswith(b"data: ") and b"\n" not in block else None


def encode(data: bytes, event: str | None = None) -> bytes:
    """An event on the wire. ``data`` may have lines; ``event`` must not."""
    if b"\n" in data or b"\r" in data:
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        data = b"\ndata: ".join(lines)
    if event is None:
        return b"data: %b\n\n" % data
    return b"event: %b\ndata: %b\n\n" % (event.encode(), data)
