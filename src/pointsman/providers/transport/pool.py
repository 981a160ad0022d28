"""The connections to one origin: idle ones to use again, new ones when there are none."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from math import inf
from typing import Final

from pointsman.core.clock import Clock
from pointsman.core.errors import Unreachable
from pointsman.core.nursery import Nursery
from pointsman.providers.transport.connection import Connection, UpstreamFlight
from pointsman.providers.transport.origin import Origin
from pointsman.wire.limits import UPSTREAM_IDLE_CONNECTIONS_MAX

__all__ = ["CoarseTime", "Pool"]

_IDLE_SECONDS_MAX: Final = 55.0
"""Shorter than the minute after which most servers and firewalls forget an idle connection."""


class CoarseTime:
    """Monotonic seconds as of the last sweep, right to a quarter of a second: nobody has to ask the machine.

    While no request is under way nobody sweeps, and it ``rests``; whoever sends one calls :meth:`wake` first.
    """

    __slots__ = ("_clock", "_woken", "now", "rests")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._woken = asyncio.Event()
        self.now = clock.monotonic()
        self.rests = False

    def tell(self) -> float:
        """Ask the machine."""
        self.now = self._clock.monotonic()
        return self.now

    def wake(self) -> None:
        """A request is about to be sent."""
        self.tell()
        self.rests = False
        self._woken.set()

    async def rest(self, seconds_max: float) -> None:
        """Let time pass unseen until a request is sent, ``seconds_max`` at most."""
        self.rests = True
        self._woken.clear()
        try:
            await self.quiet(seconds_max)
        finally:
            self.wake()

    async def quiet(self, seconds_max: float) -> bool:
        """Wait for as long as nothing is sent and nothing under way, ``seconds_max`` at most; False: something is."""
        if not self.rests or seconds_max <= 0:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds_max == inf else seconds_max):
                await self._woken.wait()
        return True


class Pool:
    """Connections to one origin."""

    def __init__(self, origin: Origin, nursery: Nursery, time: CoarseTime, tls: ssl.SSLContext | None = None) -> None:
        self.origin = origin
        self.time = time
        self.opened = 0
        self._nursery = nursery
        self._tls = tls
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()

    def launch(self, flight: UpstreamFlight) -> None:
        """Send on an idle connection, or open one."""
        if self.time.rests:
            self.time.wake()
        idle = self._idle
        while idle:
            connection = idle.pop()
            if not connection.is_closing():
                flight.reused = True
                connection.launch(flight, self.time.now)
                return
        self.relaunch(flight)

    def relaunch(self, flight: UpstreamFlight) -> None:
        """Send on a new connection."""
        flight.reused = False
        self._nursery.start(self._connect(flight), "upstream connect")

    def release(self, connection: Connection) -> None:
        """The connection's answer is complete and it may be used again."""
        idle = self._idle
        if len(idle) >= UPSTREAM_IDLE_CONNECTIONS_MAX:
            connection.drop()
            return
        connection.idle_since = self.time.now
        idle.append(connection)

    def enter(self, connection: Connection) -> None:
        """The connection has been made."""
        self._open.add(connection)

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def sweep(self, now: float) -> float:
        """Fail what is overdue and close what has been idle for long; gives in how many seconds to look again."""
        idle = self._idle
        if len(self._open) > len(idle):
            for connection in list(self._open):
                if connection.flight is not None:
                    connection.flight.check(now)
        while idle and now - idle[0].idle_since > _IDLE_SECONDS_MAX:
            idle.pop(0).drop()
        if len(self._open) > len(idle):
            return 0.0
        return _IDLE_SECONDS_MAX - (now - idle[0].idle_since) if idle else inf

    def close(self) -> None:
        """Close every connection at once."""
        for connection in list(self._open):
            connection.drop()

    @property
    def counts(self) -> tuple[int, int]:
        """How many connections are idle and busy."""
        return len(self._idle), len(self._open) - len(self._idle)

    async def _connect(self, flight: UpstreamFlight) -> None:
        origin = self.origin
        try:
            async with asyncio.timeout(flight.timeouts.connect):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self), origin.host, origin.port, ssl=self._tls
                )
        except TimeoutError:
            failure = _unreachable(origin, f"no connection within {flight.timeouts.connect:g} s")
            failure.slow = True
            flight.fail(failure)
            return
        except (OSError, ssl.SSLError, ssl.CertificateError, UnicodeError) as error:
            flight.fail(_unreachable(origin, _reason(error)))
            return
        self.opened += 1
        if flight.over:
            connection.drop()
            return
        if self.time.rests:
            self.time.wake()
        connection.launch(flight, self.time.now)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _unreachable(origin: Origin, why: str) -> Unreachable:
    return Unreachable(
        # Without a path: whoever asks for another one there shares this pool.
        f"Cannot reach the upstream at {origin.scheme}://{origin.authority}: {why}.",
        hint="Check that it runs and that the address is right.",
    )
