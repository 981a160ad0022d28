"""A real HTTP/1.1 server on loopback that does exactly what a test scripts, byte by byte, and counts connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment, Outbound, Timeouts
from pointsman.providers.transport import Transport

__all__ = ["CHAT", "Asked", "FakeClock", "Scene", "Script", "plain", "scene"]

CHAT = Outbound(b"/chat/completions", b'{"model":"m"}')


class FakeClock:
    """Time that only passes when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


class Asked:
    """One request as the upstream got it, and the hands to answer it."""

    def __init__(self, scene: Scene, connection: int, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        self.scene = scene
        self.connection = connection
        self.head = head
        self.body = body
        self._writer = writer

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        self._writer.transport.abort()


Script = Callable[[Asked], Awaitable[None]]


def plain(body: bytes = b"{}", status: int = 200, headers: bytes = b"") -> bytes:
    """A whole answer with its length."""
    return b"HTTP/1.1 %d Said\r\n%bContent-Length: %d\r\n\r\n%b" % (status, headers, len(body), body)


class Scene:
    """The scripted upstream, and a transport towards it whose time the test moves."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.connections = 0
        self.lost = asyncio.Event()
        self.failures: list[BaseException] = []
        self.clock = FakeClock()
        self.nursery = Nursery(lambda _name, error: self.failures.append(error))
        self.transport = Transport(self.nursery, self.clock, keepalive_seconds=10.0)
        self.port = 0
        self.handlers: dict[asyncio.Task[object], asyncio.StreamWriter] = {}
        self.timeouts = Timeouts(connect=5.0, load=30.0, idle=20.0)

    def deployment(self, **changes: object) -> Deployment:
        values: dict[str, object] = {
            "id": "d",
            "group": "g",
            "provider": "openai",
            "model": "m",
            "litellm_model": "openai/m",
            "api_base": f"http://127.0.0.1:{self.port}/v1",
            "price": None,
            "api_key": Secret("sk-upstream"),
            "timeouts": self.timeouts,
        }
        return Deployment(**{**values, **changes})  # type: ignore[arg-type]

    def sweep(self, seconds: float) -> None:
        """Let time pass, and the transport notice."""
        self.clock.now += seconds
        self.transport._time.now = self.clock.now
        for pool in list(self.transport._pools.values()):
            pool.sweep(self.clock.now)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        task = asyncio.current_task()
        assert task is not None
        self.handlers[task] = writer
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
                )
                asked = Asked(self, connection, head, await reader.readexactly(length), writer)
                self.asked.append(asked)
                await self.script(asked)
        self.lost.set()
        writer.close()


@contextlib.asynccontextmanager
async def scene(script: Script) -> AsyncIterator[Scene]:
    """Serves ``script`` until the test is over."""
    made = Scene(script)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.transport.close()
        await made.nursery.close()
        server.close()
        for handler, writer in made.handlers.items():
            writer.transport.abort()
            handler.cancel()
        await asyncio.gather(*made.handlers, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)
        assert made.failures == []
