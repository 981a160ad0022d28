"""One connection of a fake upstream: reads requests byte by byte, plays replies step by step."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Coroutine
from typing import Any, Final, Protocol, TypeVar

from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Close, Hold, Pause, Reply, Reset, Send, Stall, Step

__all__ = ["Connection", "Owner"]

_REQUEST_BYTES_MAX: Final = 256 * 1024 * 1024
_T = TypeVar("_T")


class Owner(Protocol):
    """The server, as its connections see it."""

    def opened(self, connection: Connection) -> int:
        """A peer has connected; gives the connection's number."""
        ...

    def gone(self, connection: Connection) -> None:
        """The connection is over."""
        ...

    def received(self, request: RecordedRequest) -> None:
        """A complete request is there."""
        ...

    def complain(self, problem: str) -> None:
        """The peer sent something that is not HTTP."""
        ...

    async def respond(self, request: RecordedRequest) -> Reply:
        """What to answer."""
        ...


class PeerGoneError(Exception):
    """The peer closed the connection."""


class NotHttpError(Exception):
    """The peer does not speak HTTP."""


class Connection(asyncio.Protocol):
    """See the module."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._buffer = bytearray()
        self._more = asyncio.Event()
        self._gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._latest: RecordedRequest | None = None
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._number = 0
        self._closing = False

    # -- asyncio.Protocol ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._number = self._owner.opened(self)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._more.set()

    def eof_received(self) -> bool:
        self._peer_left()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._peer_left()
        self._owner.gone(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> None:
        """Drop the connection with a reset."""
        if self._transport is not None and not self._transport.is_closing():
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._closing = True
            self._transport.abort()

    # -- reading -------------------------------------------------------------------------------------

    def _peer_left(self) -> None:
        if self._gone.is_set():
            return
        moment = time.monotonic()
        if self._latest is not None and not self._closing:
            self._latest.mark_closed(moment)
        self._gone.set()
        self._more.set()
        self._writable.set()

    async def _serve(self) -> None:
        try:
            while not self._gone.is_set():
                request = await self._read_request()
                self._latest = request
                self._owner.received(request)
                reply = await self._until_gone(self._owner.respond(request))
                request.reply_label = reply.label
                for step in reply.steps:
                    await self._play(step)
                request.mark_finished()
                if self._closing:
                    return
        except PeerGoneError:
            pass
        except NotHttpError as problem:
            self._complain(str(problem))
        except (LookupError, TypeError, ValueError, AttributeError) as problem:
            self._complain(f"the fake upstream itself broke: {problem!r}")

    def _complain(self, problem: str) -> None:
        self._owner.complain(problem)
        if self._transport is not None:
            self._transport.close()

    async def _read_request(self) -> RecordedRequest:
        end = await self._find(b"\r\n\r\n")
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        parts = lines[0].split(" ")
        if len(parts) != 3 or parts[2] != "HTTP/1.1":
            raise NotHttpError(f"bad request line {lines[0]!r}")
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise NotHttpError(f"bad header line {line!r}")
            headers.append((name.lower(), value.strip()))
        fields = dict(headers)
        if "host" not in fields:
            raise NotHttpError("no Host header")
        if fields.get("expect", "").lower() == "100-continue":
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return RecordedRequest(parts[0], parts[1], headers, await self._read_body(fields), self._number)

    async def _read_body(self, fields: dict[str, str]) -> bytes:
        if "transfer-encoding" in fields:
            if "content-length" in fields:
                raise NotHttpError("both Transfer-Encoding and Content-Length")
            return await self._read_chunks()
        return await self._take(int(fields.get("content-length", "0")))

    async def _read_chunks(self) -> bytes:
        body = bytearray()
        while True:
            end = await self._find(b"\r\n")
            size = int(bytes(self._buffer[:end]), 16)
            del self._buffer[: end + 2]
            body += await self._take(size)
            if await self._take(2) != b"\r\n":
                raise NotHttpError("a chunk does not end where it says")
            if size == 0:
                return bytes(body)

    async def _find(self, mark: bytes) -> int:
        while (at := self._buffer.find(mark)) < 0:
            await self._receive()
        return at

    async def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            await self._receive()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def _receive(self) -> None:
        if self._gone.is_set():
            raise PeerGoneError
        if len(self._buffer) > _REQUEST_BYTES_MAX:
            raise NotHttpError("an endless request")
        self._more.clear()
        await self._more.wait()

    # -- writing -------------------------------------------------------------------------------------

    async def _play(self, step: Step) -> None:
        match step:
            case Send():
                await self._send(step)
            case Pause():
                await self._until_gone(asyncio.sleep(step.seconds))
            case Stall():
                await self._gone.wait()
                raise PeerGoneError
            case Reset():
                self.abort()
                raise PeerGoneError
            case Close():
                await self._drained()
                self._closing = True
                if self._transport is not None:
                    self._transport.close()
            case Hold():
                await self._until_gone(step.gate.passed())

    async def _send(self, step: Send) -> None:
        size = step.every or max(1, len(step.data))
        for start in range(0, len(step.data), size):
            if self._gone.is_set():
                raise PeerGoneError
            self._write(step.data[start : start + size])
            await self._drained()
            if step.every:
                await asyncio.sleep(0)
        if self._gone.is_set():
            raise PeerGoneError

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            raise PeerGoneError
        self._transport.write(data)

    async def _drained(self) -> None:
        while not self._writable.is_set():
            await self._writable.wait()

    async def _until_gone(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The outcome of ``work``, unless the peer leaves first."""
        running = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                return running.result()
            raise PeerGoneError
        finally:
            leaving.cancel()
            running.cancel()
