"""A connection of the server without a socket: what the client sends and reads is bytes in the test's hands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from httptools import HttpParserUpgrade, HttpResponseParser
from uvicorn.config import Config
from uvicorn.server import ServerState

from pointsman.core.exchange import Inbound
from pointsman.core.upstream import Operation
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.server.gate import Gate
from pointsman.server.paths import PathTable
from pointsman.server.protocol import InferenceProtocol
from tests.unit.lifecycle.house_script import MASTER, Stage, chat_body

__all__ = ["KEY_LINE", "Door", "FakeTransport", "Line", "Reply", "answers", "chunked", "heard", "post"]

PATH = b"/v1/chat/completions"
KEY_LINE = b"Authorization: Bearer %b\r\n" % MASTER.encode()
Reply = tuple[int, dict[str, str], bytes]


def post(
    body: bytes | None = None, *, lines: bytes = b"", path: bytes = PATH, key: bytes = KEY_LINE, version: bytes = b"1.1"
) -> bytes:
    """A request with its length."""
    said = chat_body() if body is None else body
    head = b"POST %b HTTP/%b\r\nHost: here\r\n%b%b" % (path, version, key, lines)
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(said), said)


def chunked(pieces: list[bytes], *, lines: bytes = b"") -> bytes:
    """A request in chunks."""
    head = b"POST %b HTTP/1.1\r\nHost: here\r\n%b%bTransfer-Encoding: chunked\r\n\r\n" % (PATH, KEY_LINE, lines)
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


class FakeTransport(asyncio.Transport):
    """Keeps what is written; ``late`` is what nobody will read, since the connection is closing."""

    def __init__(self) -> None:
        super().__init__({"peername": ("10.1.2.3", 4567), "sockname": ("10.0.0.1", 4000)})
        self.written = self.late = b""
        self.closing = False
        self.aborted = False
        self.eof = False
        self.reads = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.eof, "written after the end"
        if self.closing:
            self.late += bytes(data)
        else:
            self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class Line:
    """One connection."""

    def __init__(self, door: Door) -> None:
        self.transport = FakeTransport()
        self.protocol = InferenceProtocol(door.config, door.state, {}, asyncio.get_running_loop(), gate=door.gate)
        self.protocol.connection_made(self.transport)

    def hear(self, *reads: bytes) -> None:
        """What the client sends, read by read; a closed connection reads nothing more."""
        for data in reads:
            if not self.transport.closing:
                self.protocol.data_received(data)

    def lose(self, error: Exception | None = None) -> None:
        """The client is gone."""
        self.transport.closing = True
        self.protocol.connection_lost(error)

    def closed(self) -> bool:
        """Whether the server has closed the connection."""
        return self.transport.closing

    @property
    def answers(self) -> list[Reply]:
        return answers(self.transport.written)


class Door:
    """The server's side of every connection. ``asked`` is what the other application was asked for."""

    def __init__(self, stage: Stage | None = None, body_bytes_max: int = 1_000_000) -> None:
        self.stage = Stage() if stage is None else stage
        self.asked: list[tuple[str, bytes]] = []
        paths = PathTable(dict.fromkeys(Operation, OpenAIDialect()))
        self.gate = Gate(self.stage.house, paths, self.stage.nursery, self.stage.clock, body_bytes_max)
        self.state = ServerState()
        self.config = Config(
            self._other,
            interface="asgi3",
            loop="none",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )

    def connect(self) -> Line:
        return Line(self)

    async def turn(self, until: Callable[[], object] = lambda: False) -> None:
        """Let the loop turn until something holds, or for a while."""
        for _ in range(50):
            if until():
                return
            await asyncio.sleep(0)

    async def _other(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            if not message["more_body"]:
                break
        self.asked.append((scope["path"], body))
        await send({"type": "http.response.start", "status": 203, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"other"})


def heard(inbound: Inbound) -> tuple[object, ...]:
    """What a request means, for comparison; the length has done its work, and a head that is shared has an old one."""
    head = inbound.head
    fields = tuple(field for field in head.headers if field[0] != b"content-length")
    return (head.route.name, head.key, fields, head.path_model, head.peer, inbound.body)


def answers(data: bytes) -> list[Reply]:
    """The answers in ``data``, each of which must be complete, or end with the connection."""
    reader = _Reader()
    parser = reader.parser = HttpResponseParser(reader)
    try:
        parser.feed_data(data)
    except HttpParserUpgrade:
        raise AssertionError("an upgrade") from None
    return reader.replies


class _Reader:
    parser: HttpResponseParser

    def __init__(self) -> None:
        self.replies: list[Reply] = []

    def on_headers_complete(self) -> None:
        self.replies.append((self.parser.get_status_code(), self._fields, b""))

    def on_message_begin(self) -> None:
        self._fields: dict[str, str] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        assert name.decode().lower() not in self._fields, "a header stands there twice"
        self._fields[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        status, fields, before = self.replies[-1]
        self.replies[-1] = (status, fields, before + body)
