"""The connections to one origin: idle ones to use again, new ones when there are none."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from pointsman.core.errors import Unreachable
from pointsman.core.nursery import Nursery
from pointsman.providers.transport.connection import Connection, UpstreamFlight
from pointsman.providers.transport.origin import Origin
from pointsman.wire.limits import UPSTREAM_IDLE_CONNECTIONS_MAX

__all__ = ["CoarseTime", "Pool"]

_IDLE_SECONDS_MAX: Final = 55.0
"""Shorter than the minute after which most servers and firewalls forget an idle connection."""


class CoarseTime:
    """Monotonic seconds as of the last sweep, right to a quarter of a second: nobody has to ask the machine."""

    __slots__ = ("now",)

    def __init__(self, now: float) -> None:
        self.now = now


class Pool:
    """Connections to one origin."""

    def __init__(self, origin: Origin, nursery: Nursery, time: CoarseTime, tls: ssl.SSLContext | None = None) -> None:
        self.origin = origin
        self.time = time
        self.opened = 0
        self._nursery = nursery
        self._tls = tls
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()

    def launch(self, flight: UpstreamFlight) -> None:
        """Send on an idle connection, or open one."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.usable:
                flight.reused = True
                self._busy.add(connection)
                connection.launch(flight, self.time.now)
                return
        self.relaunch(flight)

    def relaunch(self, flight: UpstreamFlight) -> None:
        """Send on a new connection."""
        flight.reused = False
        self._nursery.start(self._connect(flight), "upstream connect")

    def release(self, connection: Connection) -> None:
        """The connection's answer is complete and it may be used again."""
        self._busy.discard(connection)
        if len(self._idle) >= UPSTREAM_IDLE_CONNECTIONS_MAX:
            connection.drop()
            return
        connection.idle_since = self.time.now
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def sweep(self, now: float) -> None:
        """Fail what is overdue and close what has been idle for long."""
        for connection in list(self._busy):
            if connection.flight is not None:
                connection.flight.check(now)
        while self._idle and now - self._idle[0].idle_since > _IDLE_SECONDS_MAX:
            self._idle.pop(0).drop()

    def close(self) -> None:
        """Close every connection at once."""
        for connection in [*self._idle, *self._busy]:
            connection.drop()

    @property
    def counts(self) -> tuple[int, int]:
        """How many connections are idle and busy."""
        return len(self._idle), len(self._busy)

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
        self._busy.add(connection)
        connection.launch(flight, self.time.now)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _unreachable(origin: Origin, why: str) -> Unreachable:
    return Unreachable(
        f"Cannot reach the upstream at {origin.url}: {why}.",
        hint="Check that it runs and that the address is right.",
    )
