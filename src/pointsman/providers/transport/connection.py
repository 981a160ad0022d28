"""One connection to an upstream, and the one request that is under way on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from pointsman.core.eager import Inbox
from pointsman.core.errors import Broken, TimedOut, UpstreamFailed
from pointsman.core.upstream import Timeouts
from pointsman.wire.http1 import response_fields
from pointsman.wire.limits import REPLY_BYTES_MAX, UPSTREAM_HEAD_BYTES_MAX

if TYPE_CHECKING:
    from pointsman.providers.transport.pool import Pool

__all__ = ["Connection", "UpstreamFlight"]

_FIRST_ERROR_STATUS: Final = 400
_FIRST_FINAL_STATUS: Final = 200
_RACE_SECONDS: Final = 2.0
"""A reused connection that dies this soon, without a byte, was closed before it saw the request."""


class _Surplus(Exception):
    """More came than the answer that was asked for; stops the parser."""


class UpstreamFlight(msgspec.Struct, eq=False):
    """The request under way; see :class:`pointsman.core.flight.Flight`. Moments are monotonic seconds.

    ``began_at`` is the first attempt to send it, ``sent_at`` the last; ``heard_at`` the last sign of life, ``told_at``
    when the client was last told that there is none. ``bytes_max`` bounds an answer that is held whole, 0: as usual.
    """

    request: bytes
    timeouts: Timeouts
    stream: bool
    silence_seconds: float
    inbox: Inbox[bytes | None] = msgspec.field(default_factory=Inbox)
    sink: Callable[[bytes], None] | None = None
    status: int = 0
    head: bytes = b""
    complete: bool = False
    over: bool = False
    reused: bool = False
    spoken: bool = False
    paused: bool = False
    connection: Connection | None = None
    began_at: float = 0.0
    sent_at: float = 0.0
    heard_at: float = 0.0
    told_at: float = 0.0
    bytes_max: int = 0

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """The header fields of the answer, taken from its head only when somebody asks."""
        return response_fields(self.head)

    def fail(self, error: UpstreamFailed) -> None:
        """Hand a failure to the story, once; nothing follows it."""
        if not self.over:
            self.over = True
            self.inbox.put(error)

    def check(self, now: float) -> None:
        """Called by the sweep: fail what is overdue, tell a waiting client of silence."""
        if self.paused:
            self.heard_at = now  # it is not the upstream that is silent, it is we who do not listen
        error = self._overdue(now)
        if error is not None:
            connection = self.connection
            self.fail(error)
            if connection is not None:
                connection.drop()
        elif self.stream and self._is_silent(now):
            self.told_at = now
            self.inbox.put(None)

    def pause(self) -> None:
        """Stop reading: the client does not keep up."""
        self.paused = True
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Read on."""
        self.paused = False
        if self.connection is not None:
            self.connection.resume()

    def hurry(self, seconds: float) -> None:
        """See the protocol."""
        self.timeouts = msgspec.structs.replace(self.timeouts, load=seconds)

    def close(self) -> None:
        """Done; cut the upstream off unless its answer is complete."""
        self.over = True
        connection = self.connection
        if connection is not None and not self.complete:
            self.connection = None
            connection.drop()

    def _is_silent(self, now: float) -> bool:
        """Whether the client has had nothing for long; until the answer itself begins, it is given none of it."""
        last = self.heard_at if self.spoken else self.sent_at
        return now - max(last, self.told_at) >= self.silence_seconds

    def _overdue(self, now: float) -> TimedOut | None:
        timeouts = self.timeouts
        silence = now - self.heard_at
        first = timeouts.first_token
        if first is not None and self.stream and not self.spoken and now - self.began_at >= first:
            return TimedOut(f"The upstream said nothing of its answer within {first:g} s.", code="first_token_timeout")
        # A stream that is being read is not cut off for its length: what bounds it is its silence.
        if timeouts.total is not None and now - self.began_at >= timeouts.total and not (self.stream and self.spoken):
            did = "begin its answer" if self.stream else "finish"
            return TimedOut(f"The upstream did not {did} within {timeouts.total:g} s.")
        if silence < (timeouts.idle if self.status else timeouts.load):
            return None
        if self.status:
            return TimedOut(f"The upstream fell silent for {timeouts.idle:g} s in the middle of its answer.")
        return TimedOut(
            f"The upstream sent nothing for {timeouts.load:g} s.",
            hint="A model that loads this slowly needs a longer timeout.",
        )


class Connection(asyncio.Protocol):
    """Parses answers. The parser's callbacks only collect; delivery comes after it has returned."""

    __slots__ = (
        "_chunks",
        "_collect",
        "_done",
        "_head",
        "_headers_done",
        "_keep_alive",
        "_size",
        "_transport",
        "flight",
        "idle_since",
        "is_closing",
        "on_body",
        "parser",
        "pool",
    )

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.flight: UpstreamFlight | None = None
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        # Called by the parser for each piece of a body; the pieces of a stream are many, and this needs no Python.
        self.on_body = self._chunks.append
        self._size = 0
        self._collect = True
        self._done = False
        self._headers_done = False
        self._keep_alive = False
        self._head = b""

    # -- asyncio.Protocol --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = transport  # type: ignore[assignment]
        self.is_closing = transport.is_closing
        """Whether the peer has closed it, as far as is known."""
        self.parser = HttpResponseParser(self)
        self.pool.enter(self)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        flight = self.flight
        if flight is None:
            self.drop()
            return
        if not self._headers_done:
            self._head = self._head + data if self._head else data
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade:
            self._broken("The upstream wants to speak another protocol than HTTP/1.1.")
            return
        except HttpParserError as error:
            if not self._done:
                self._broken(f"The upstream does not speak HTTP/1.1: {error}.")
                return
            # The answer is whole; what came behind it was not asked for, so the connection is not to be trusted.
            self._keep_alive = False
        if self._done:
            self._finish(flight)
        elif (chunks := self._chunks) and not self._collect:
            # A piece of a stream: the way of most bytes, so it is short.
            data = chunks.pop()
            if chunks:
                data = b"".join((*chunks, data))
                chunks.clear()
            flight.heard_at = self.pool.time.now
            (flight.sink or flight.inbox.put)(data)
        elif self._grown(len(data)) > (bytes_max := flight.bytes_max or REPLY_BYTES_MAX):
            self._broken(f"The upstream's answer is longer than {bytes_max} bytes.")
        elif not self._headers_done and len(self._head) > UPSTREAM_HEAD_BYTES_MAX:
            self._broken("The upstream's response head is too long.")
        else:
            flight.heard_at = self.pool.time.now

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.pool.forget(self)
        flight = self.flight
        self.flight = None
        if flight is None or flight.over:
            return
        flight.connection = None
        if self._headers_done and not self._done and exc is None and not _delimited(flight.headers):
            flight.complete = True
            flight.over = True
            flight.inbox.put(b"".join(self._chunks))
        elif self._raced(flight):
            self.pool.relaunch(flight)
        else:
            flight.fail(_lost(flight, exc))

    def eof_received(self) -> bool:
        """Called by the loop: an upstream that closes its half closes it all."""
        return False

    # -- parser callbacks ----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Called by the parser."""
        if self._done:
            raise _Surplus

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        status: int = self.parser.get_status_code()
        flight = self.flight
        if status < _FIRST_FINAL_STATUS or flight is None:
            return
        self._headers_done = True
        flight.head = self._head
        flight.status = status
        self._collect = not flight.stream or status >= _FIRST_ERROR_STATUS

    def on_message_complete(self) -> None:
        """Called by the parser; the one moment at which it knows whether the connection stays open."""
        if self._headers_done:
            self._done = True
            self._keep_alive = self.parser.should_keep_alive()

    # -- for the pool and the flight -------------------------------------------------------------------

    def launch(self, flight: UpstreamFlight, now: float) -> None:
        """Send the flight's request; the phase of loading begins. ``now`` is monotonic seconds."""
        self.flight = flight
        flight.connection = self
        flight.sent_at = flight.heard_at = now
        if not flight.began_at:
            flight.began_at = now
        self._done = self._headers_done = False
        self._size = 0
        self._transport.write(flight.request)  # type: ignore[union-attr]
        if flight.paused:
            self.pause()

    def pause(self) -> None:
        """Stop reading."""
        if not self.is_closing():
            self._transport.pause_reading()  # type: ignore[union-attr]

    def resume(self) -> None:
        """Read on."""
        if not self.is_closing():
            self._transport.resume_reading()  # type: ignore[union-attr]

    def drop(self) -> None:
        """Close at once, whatever is under way."""
        flight = self.flight
        self.flight = None
        if flight is not None:
            flight.connection = None
        self.pool.forget(self)
        if self._transport is not None:
            self._transport.abort()

    def _grown(self, size: int) -> int:
        """How much there is of an answer that has to be held whole."""
        self._size += size
        return self._size

    def _finish(self, flight: UpstreamFlight) -> None:
        self.flight = None
        flight.connection = None
        flight.complete = True
        flight.over = True
        chunks = self._chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._head = b""
        if self._keep_alive:
            self.pool.release(self)
        else:
            self.drop()
        flight.inbox.put(body)

    def _broken(self, message: str) -> None:
        flight = self.flight
        self.drop()
        if flight is not None:
            flight.fail(Broken(message))

    def _raced(self, flight: UpstreamFlight) -> bool:
        fresh = self.pool.time.now - flight.sent_at < _RACE_SECONDS
        return flight.reused and not self._head and fresh


def _delimited(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether the end of the body is marked otherwise than by the end of the connection."""
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in headers)


def _lost(flight: UpstreamFlight, exc: Exception | None) -> Broken:
    how = f" ({exc})" if exc is not None else ""
    if flight.status:
        return Broken(f"The upstream cut its answer off{how}.")
    return Broken(f"The upstream closed the connection without an answer{how}.")
