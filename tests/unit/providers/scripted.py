"""A control-request client that answers from a script, and a one-page HTTP server, for this folder's tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from pointsman.core.errors import Unreachable
from pointsman.providers.transport import FetchReply, Origin


class FakeClock:
    """Time that only passes when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


class ScriptedFetcher:
    """Answers by ``host:port`` and path; a host without a script refuses, a ``black_holes`` one never answers."""

    def __init__(self) -> None:
        self.pages: dict[str, dict[str, Any]] = {}
        self.headers: dict[str, tuple[tuple[bytes, bytes], ...]] = {}
        self.black_holes: set[str] = set()
        self.asked: list[str] = []
        self.sent_headers: list[tuple[tuple[str, str], ...]] = []
        self.hold: asyncio.Event | None = None

    def count(self, line: str) -> int:
        return self.asked.count(line)

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
        timeout_seconds: float = 5.0,
        content_type: str = "application/json",
    ) -> FetchReply:
        origin = Origin.parse(url)
        self.asked.append(f"{method} {origin.authority}{origin.path}")
        self.sent_headers.append(headers)
        if self.hold is not None:
            await self.hold.wait()
        if origin.authority in self.black_holes:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        pages = self.pages.get(origin.authority)
        if pages is None:
            raise Unreachable(f"Cannot reach {url}.")
        page = pages.get(f"{origin.path}?{origin.query}" if origin.query else origin.path, pages.get(origin.path))
        if callable(page):
            page = page(json.loads(body) if body else None)
        if page is None:
            return FetchReply(404, self.headers.get(origin.authority, ()), b"404 page not found")
        status, content = page if isinstance(page, tuple) else (200, page)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        return FetchReply(status, self.headers.get(origin.authority, ()), data)


@contextlib.asynccontextmanager
async def http_server(answer: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    """Serves on loopback: ``answer`` gets the request head, its bytes are sent and the connection is closed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
