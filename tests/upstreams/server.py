"""The frame of every fake upstream: a thread with an event loop of its own, a script, and a memory."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Self

from tests.upstreams.connection import Connection
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply

__all__ = ["FakeServer"]

_START_SECONDS: Final = 10.0
_TURNS_TO_CLOSE: Final = 10


class FakeServer:
    """Listens on 127.0.0.1 while the ``with`` block lasts.

    Requests for which :meth:`is_scripted` holds take the next scripted reply; when there is none, the standing one
    (:meth:`always`); when there is none either, what the subclass makes of them (:meth:`answer`). Safe to use from
    the test's thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._script: deque[Reply] = deque()
        self._standing: Reply | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
        self._listener: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._ready = threading.Event()
        self._socket = self._bound(0)
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[RecordedRequest] = []
        self.problems: list[str] = []
        self.connections_opened = 0

    # -- life ----------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise RuntimeError("the fake upstream did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``."""
        return f"http://127.0.0.1:{self.port}"

    def vanish(self) -> None:
        """Stop listening and drop every connection; connecting is refused from now on."""
        asyncio.run_coroutine_threadsafe(self._vanish(), self._loop).result(_START_SECONDS)

    def come_back(self) -> None:
        """Listen again, on the same port."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_START_SECONDS)

    # -- the script ----------------------------------------------------------------------------------

    def script(self, *replies: Reply) -> None:
        """The next requests get these, in this order."""
        with self._lock:
            self._script.extend(replies)

    def always(self, reply: Reply | None) -> None:
        """What unscripted requests get; None: the server's own answer again."""
        with self._lock:
            self._standing = reply

    # -- the memory ----------------------------------------------------------------------------------

    def matching(self, path: str | None = None) -> list[RecordedRequest]:
        """The requests so far, all or those of one path."""
        with self._lock:
            return [request for request in self.requests if path is None or request.path == path]

    def wait_for(self, count: int, path: str | None = None, timeout: float = 15.0) -> list[RecordedRequest]:
        """Wait until ``count`` requests (of ``path``) have come; gives them."""
        with self._lock:
            enough = self._lock.wait_for(lambda: len(self.matching(path)) >= count, timeout)
        found = self.matching(path)
        if not enough:
            raise AssertionError(f"{len(found)} of {count} requests for {path or 'anything'} came within {timeout} s")
        return found

    def forget(self) -> None:
        """Start remembering anew."""
        with self._lock:
            self.requests.clear()

    def clear(self) -> None:
        """Drop what is left of the script."""
        with self._lock:
            self._script.clear()
            self._standing = None

    @property
    def connections_open(self) -> int:
        """How many peers are connected now."""
        return len(self._connections)

    # -- for subclasses ------------------------------------------------------------------------------

    def is_scripted(self, request: RecordedRequest) -> bool:
        """Whether the script speaks about this request."""
        return request.method == "POST"

    async def answer(self, request: RecordedRequest) -> Reply:
        """What an unscripted request gets."""
        return Reply.error(404, f"no such path {request.path}")

    # -- for connections -----------------------------------------------------------------------------

    def opened(self, connection: Connection) -> int:
        self._connections.add(connection)
        self.connections_opened += 1
        return self.connections_opened

    def gone(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def received(self, request: RecordedRequest) -> None:
        with self._lock:
            self.requests.append(request)
            self._lock.notify_all()

    def complain(self, problem: str) -> None:
        self.problems.append(problem)

    async def respond(self, request: RecordedRequest) -> Reply:
        if self.is_scripted(request):
            with self._lock:
                if self._script:
                    return self._script.popleft()
                if self._standing is not None:
                    return self._standing
        return await self.answer(request)

    # -- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.call_soon(self._ready.set)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._end())
            self._loop.close()

    async def _listen(self) -> None:
        make: Callable[[], Connection] = lambda: Connection(self)  # noqa: E731 - a protocol factory
        self._listener = await self._loop.create_server(make, sock=self._socket, backlog=1024)

    async def _vanish(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in list(self._connections):
            connection.abort()
        # Bound but not listening: connecting is refused, and nobody else can take the port meanwhile.
        self._socket = self._bound(self.port)

    async def _end(self) -> None:
        if self._listener is not None:
            self._listener.close()
        else:
            self._socket.close()
        # Whoever was accepted a moment ago becomes a connection in a few turns of the loop, and is closed in another.
        for _ in range(_TURNS_TO_CLOSE):
            for connection in list(self._connections):
                connection.abort()
            await asyncio.sleep(0)
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @staticmethod
    def _bound(port: int) -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        return bound
