"""A model server that answers at once, and a client that keeps its connections."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Final

__all__ = ["Caller", "Upstream"]

_REPLY: Final = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
    }
).encode()
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_REPLY)


class Upstream:
    """Counts what it has answered."""

    def __init__(self) -> None:
        self.served = 0
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Let go of whoever is connected."""
        self._server.close()
        for writer in tuple(self._writers):
            writer.close()
        await asyncio.sleep(0.1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(_length(head))
                self.served += 1
                writer.write(_HEAD + _REPLY)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()
        finally:
            self._writers.discard(writer)


class Caller:
    """Asks gateways for chat completions, over one connection to each."""

    def __init__(self) -> None:
        self._connections: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def chat(self, port: int, key: str) -> tuple[int, str, float]:
        """Status, call id and seconds; status 0: the gateway has gone."""
        body = b'{"model":"priced","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'
        request = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode() + body
        started = time.perf_counter()
        try:
            async with asyncio.timeout(20):
                if port not in self._connections:
                    self._connections[port] = await asyncio.open_connection("127.0.0.1", port)
                reader, writer = self._connections[port]
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(_length(head))
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            gone = self._connections.pop(port, None)
            if gone is not None:
                gone[1].close()
            return 0, "", time.perf_counter() - started
        lines = head.decode("latin-1").lower().split("\r\n")
        found = next((line.split(": ", 1)[1] for line in lines if line.startswith("x-litellm-call-id: ")), "")
        return int(lines[0].split()[1]), found, time.perf_counter() - started

    def close(self) -> None:
        """Cut the connections."""
        for _, writer in self._connections.values():
            writer.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0
