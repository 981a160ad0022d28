"""What every connection of one process shares: the house, the paths, the bounds, and the sweep for the slow."""

from __future__ import annotations

import asyncio
import logging
from email.utils import formatdate
from typing import Final, Protocol

from pointsman.core.clock import Clock
from pointsman.core.nursery import Nursery
from pointsman.lifecycle.background import Jobs
from pointsman.lifecycle.house import House
from pointsman.policies.addresses import AddressGuard, AddressSettings
from pointsman.server.paths import PathTable
from pointsman.wire.limits import BODY_BYTES_MAX

__all__ = ["CODING_RANK", "EXPECT_RANK", "LENGTH_RANK", "ORIGIN_RANK", "Gate", "Swept"]

_SWEEP_SECONDS: Final = 0.5
EXPECT_RANK: Final = 100
LENGTH_RANK: Final = 101
ORIGIN_RANK: Final = 102
CODING_RANK: Final = 103
"""Marks of the headers that the server itself reads, beside the ranks of those that bear a key."""

_log: Final = logging.getLogger("pointsman.server")


class Swept(Protocol):
    """A connection, as the sweep sees it."""

    def sweep(self, now: float) -> None:
        """Close it if it is overdue. ``now`` is monotonic seconds."""
        ...

    def cut(self) -> None:
        """Break it off."""
        ...

    def forget_head(self) -> None:
        """Look at the head of its next request anew, even if it is the same as before."""
        ...


class Gate:
    """Shared by the connections of one process.

    ``date`` is a header line; while anybody is connected it is right to half a second (RFC 9110, 6.6.1), and so is
    ``now``. ``stamp`` is the same date for the answers of uvicorn, who holds on to the list.

    ``jobs`` does what goes on without its client, where anything may. ``addresses`` says who may connect, and for whom.
    """

    def __init__(
        self, house: House, paths: PathTable, nursery: Nursery, clock: Clock, body_bytes_max: int = BODY_BYTES_MAX
    ) -> None:
        self.house = house
        self.paths = paths
        self.nursery = nursery
        self.clock = clock
        self.body_bytes_max = body_bytes_max
        self.jobs: Jobs | None = None
        self.addresses = AddressGuard(AddressSettings())
        self.connections: set[Swept] = set()
        self._peopled = asyncio.Event()
        self.now = 0.0
        self.date = b""
        self.stamp = [(b"date", b"")]
        self._tell_time()
        self.places = {
            **house.keyring.places,
            b"expect": EXPECT_RANK,
            b"content-length": LENGTH_RANK,
            b"content-encoding": CODING_RANK,
        }
        # Who has a key may use it from any web page. Where nobody needs one, no page of another site may read answers.
        self.open_to_pages = house.keyring.asks
        if self.open_to_pages:
            self.places[b"origin"] = ORIGIN_RANK

    async def run(self) -> None:
        """The sweep; runs until cancelled. While nobody is connected, it rests."""
        while True:
            if not self.connections:
                self._peopled.clear()
                await self._peopled.wait()
            await asyncio.sleep(_SWEEP_SECONDS)
            self._tell_time()
            for connection in list(self.connections):
                connection.sweep(self.now)

    def enter(self, connection: Swept) -> None:
        """Somebody has connected."""
        if not self.connections:
            self._tell_time()
            self._peopled.set()
        self.connections.add(connection)

    def _tell_time(self) -> None:
        self.now = self.clock.monotonic()
        date = formatdate(self.clock.wall(), usegmt=True).encode()
        self.date = b"date: %b\r\n" % date
        self.stamp[0] = (b"date", date)

    def cut_all(self) -> None:
        """Break off what the patience of a shutdown did not suffice for."""
        for connection in list(self.connections):
            connection.cut()

    def follow_addresses(self, settings: AddressSettings) -> None:
        """Go by these rules about addresses from the next request on, on open connections too.

        Raises:
            ValueError: an address or a range is none.
        """
        self.addresses.follow(settings)
        for connection in self.connections:
            connection.forget_head()

    def escaped(self, error: BaseException) -> None:
        """A story raised, which it never should."""
        _log.error("a request's story raised", exc_info=error)
