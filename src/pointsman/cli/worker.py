"""One serving process: a loop, a gateway, and uvicorn around them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Final

import msgspec
import uvicorn

from pointsman.assembly.configuration import Configuration
from pointsman.assembly.gateway import Gateway
from pointsman.assembly.plan import ServePlan
from pointsman.core.errors import Misconfigured
from pointsman.server.protocol import InferenceProtocol
from pointsman.wire.limits import MESSAGE_BYTES_MAX

if TYPE_CHECKING:
    from uvicorn.server import Protocols

__all__ = ["held_port", "listening_socket", "on_hangup", "run_worker"]

_BACKLOG: Final = 4096
_ACCEPTS_A_TURN: Final = 16
_IDLE_SECONDS: Final = 75
_LOOK_SECONDS: Final = 0.05
_GC_THRESHOLDS: Final = (50_000, 20, 50)
"""Requests make little garbage that counting does not free; the default would look for cycles every few requests."""


class _Server(uvicorn.Server):
    """uvicorn's server, but a signal ends :meth:`serve` and not the process: records are still to be brought home.

    ``on_listening`` is called once connections are accepted.
    """

    def __init__(self, config: uvicorn.Config, gateway: Gateway, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._on_listening = on_listening
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told_to_end = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        self._loop = asyncio.get_running_loop()
        self.server_state.default_headers = self._gateway.gate.stamp
        await super().startup(sockets=sockets)
        if self.started:
            self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let open answers, and those in the background, finish within the grace, and only then stop listening.

        Until then a load balancer can ask and is told to send no more; with the door shut it would see failures.
        """
        self._gateway.drain()
        grace = self._gateway.loaded.settings.local.shutdown_grace_seconds
        loop = asyncio.get_running_loop()
        end = loop.time() + grace
        busy = [connection for connection in list(self.server_state.connections) if _is_under_way(connection)]
        for _ in range(math.ceil(grace / _LOOK_SECONDS)):
            # Who has just connected has this long to ask, and be told.
            await asyncio.sleep(_LOOK_SECONDS)
            idle = self.server_state.connections.isdisjoint(busy) and not len(self._gateway.jobs)
            if self.force_exit or idle:
                break
        self.config.timeout_graceful_shutdown = max(0, math.ceil(end - loop.time()))
        await super().shutdown(sockets)

    async def main_loop(self) -> None:
        """Wait to be told to end. uvicorn's own looks ten times a second, which an idle laptop would pay for."""
        while not self.should_exit:
            await self._told_to_end.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by the interpreter between two steps of whatever runs."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._told_to_end.set)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that ask for the end; they stay taken, since the end has begun. And SIGHUP."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        on_hangup(self._reload, partial(self.handle_exit, signal.SIGTERM, None))
        yield

    def _reload(self) -> None:
        """Read the configuration again, without waiting until its file is looked at."""
        gateway = self._gateway
        if self._loop is not None:
            self._loop.call_soon_threadsafe(lambda: gateway.nursery.start(gateway.reload(), "reload"))


def on_hangup(reload: Callable[[], None], end: Callable[[], None]) -> None:
    """Have SIGHUP ask for a reload, as services know it; but for the end if it says that the terminal is gone."""
    if sys.platform == "win32":
        return
    had_terminal = _has_terminal()

    def heard(number: int, frame: FrameType | None) -> None:
        del number, frame
        if had_terminal and not _has_terminal():
            end()
        else:
            reload()

    signal.signal(signal.SIGHUP, heard)


def _has_terminal() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return False


def _is_under_way(connection: Protocols) -> bool:
    """Tell a connection that the end has begun; whether there is something on it to wait for."""
    if isinstance(connection, InferenceProtocol):
        return connection.drain()
    connection.shutdown()
    return True


def listening_socket(plan: ServePlan, *, shared: bool) -> socket.socket:
    """A socket bound to the plan's address; ``shared`` lets several workers bind it (SO_REUSEPORT).

    One that is not shared listens already; who connects waits until the gateway is ready.

    Raises:
        Misconfigured: the address cannot be bound.
    """
    try:
        found = socket.getaddrinfo(plan.host.strip("[]"), plan.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        with contextlib.ExitStack() as on_failure:
            sock = on_failure.enter_context(socket.socket(family, socket.SOCK_STREAM))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(address)
            sock.setblocking(False)
            if not shared:
                # Until one listens, a second could bind too, and uvloop does not tell that it cannot listen then.
                sock.listen(_BACKLOG)
            on_failure.pop_all()
    except OSError as error:
        message = f"Cannot listen on {plan.host}:{plan.port}: {error.strerror}."
        is_host = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        hint = "Name an address of this machine with --host." if is_host else "Choose another port with --port."
        raise Misconfigured(message, hint=hint) from None
    return sock


@contextlib.contextmanager
def held_port(plan: ServePlan) -> Iterator[int]:
    """The number of the plan's port, which only workers of this user can have while the context lasts.

    Workers share the port, so only an attempt to have it alone tells that somebody else has it. What holds it then is a
    socket that is bound and does not listen: no connection gets there, and nobody else can bind in its place.

    Raises:
        Misconfigured: the address cannot be bound.
    """
    with listening_socket(plan, shared=False) as alone:
        port: int = alone.getsockname()[1]
        # Sharing begins before this one is closed, so that the port is never free.
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held = listening_socket(msgspec.structs.replace(plan, port=port), shared=True)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    with held:
        yield port


def run_worker(
    plan: ServePlan, configuration: Configuration, sock: socket.socket, on_ready: Callable[[Gateway], None]
) -> None:
    """Serve on ``sock`` until told to stop. ``on_ready`` is called once the first request would be answered."""
    if sys.platform == "win32":
        asyncio.run(_serve(plan, configuration, sock, on_ready))
        return
    import uvloop  # noqa: PLC0415 - not there on Windows

    uvloop.run(_serve(plan, configuration, sock, on_ready))


def _doors(sock: socket.socket) -> list[socket.socket]:
    """The listening socket many times over.

    libuv takes one connection from each listener in a turn of its loop, so a thousand that come at once would wait for
    a thousand turns; with several listeners on the one socket each turn takes as many.
    """
    if sys.platform == "win32":
        return [sock]
    return [sock, *(sock.dup() for _ in range(_ACCEPTS_A_TURN - 1))]


async def _serve(
    plan: ServePlan, configuration: Configuration, sock: socket.socket, on_ready: Callable[[Gateway], None]
) -> None:
    gateway = await Gateway.open(plan, configuration)
    config = uvicorn.Config(
        gateway.front,
        http=partial(InferenceProtocol, gate=gateway.gate),  # type: ignore[arg-type]
        loop="none",
        ws="websockets-sansio",
        ws_max_size=MESSAGE_BYTES_MAX,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_IDLE_SECONDS,
    )
    server = _Server(config, gateway, partial(_listening, gateway, on_ready))
    gateway.start()
    try:
        await server.serve(sockets=_doors(sock))
    finally:
        await gateway.close()


def _listening(gateway: Gateway, on_ready: Callable[[Gateway], None]) -> None:
    on_ready(gateway)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
