"""Bulkheads: how much of the gateway one provider, or one model, may take at once.

Without them, an upstream that has become slow gathers requests until there is no room for any others. It is done where
requests are sent, so that whatever sends one keeps to it: the story, a mirror, a provider's own API.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from pointsman.config.traffic_sections import Bulkhead
from pointsman.core.eager import Inbox
from pointsman.core.errors import Crowded, GatewayError
from pointsman.core.flight import Flight, Sender
from pointsman.core.upstream import Deployment, Outbound

__all__ = ["BulkheadCounts", "Bulkheads"]

_RETRY_SECONDS: Final = 1.0
_SPARE_SHARE: Final = 0.5


class BulkheadCounts(msgspec.Struct):
    """One bulkhead now, and what it has ``refused`` since the process began."""

    in_flight: int = 0
    waiting: int = 0
    refused: int = 0

    def merge(self, other: BulkheadCounts) -> None:
        """Count in what another process counted."""
        self.in_flight += other.in_flight
        self.waiting += other.waiting
        self.refused += other.refused


class _Wall:
    """One bulkhead at work. ``queue`` are those who wait, the longest waiting first."""

    def __init__(self, name: str, limit: Bulkhead, counts: BulkheadCounts) -> None:
        self.name = name
        self.limit = limit
        self.counts = counts
        self.queue: list[_Guarded] = []

    @property
    def is_full(self) -> bool:
        """Whether nobody can go at once."""
        return self.counts.in_flight >= self.limit.max_in_flight or bool(self.queue)

    def refusal(self) -> Crowded:
        """What is told to whoever finds no place."""
        self.counts.refused += 1
        return Crowded(
            f"{self.name} has as many requests of this gateway as it may have: {self.limit.max_in_flight}.",
            hint=f"Try again in {_RETRY_SECONDS:.0f} s.",
            retry_after=_RETRY_SECONDS,
        )


class Bulkheads:
    """See :class:`pointsman.core.flight.Sender`; ``usual`` is who sends what is let through.

    ``share`` is the number of processes that keep to the bounds beside each other; each has its part of the places.
    """

    def __init__(self, usual: Sender, share: int = 1) -> None:
        self.usual = usual
        self._share = share
        self._walls: dict[str, _Wall] = {}

    @property
    def counts(self) -> dict[str, BulkheadCounts]:
        """How it stands, by provider or model."""
        return {name: wall.counts for name, wall in self._walls.items()}

    def follow(self, limits: Mapping[str, Bulkhead]) -> None:
        """Take over new limits; what is under way counts on, and who waits under a limit that is gone goes."""
        former = self._walls
        self._walls = {}
        for name, whole in limits.items():
            limit = self._part(whole)
            wall = former.pop(name, None) or _Wall(name, limit, BulkheadCounts())
            wall.limit = limit
            self._walls[name] = wall
        for wall in former.values():
            wall.limit = msgspec.structs.replace(wall.limit, max_in_flight=wall.counts.in_flight + len(wall.queue))
        for wall in (*self._walls.values(), *former.values()):
            _admit(wall)

    def is_full(self, deployment: Deployment) -> bool:
        """Whether a request there would have to wait, or be refused."""
        return any(wall.is_full for wall in self._around(deployment))

    def has_room(self, deployment: Deployment) -> bool:
        """Whether there is more than enough room, so that it can be given to what nobody waits for."""
        return all(
            wall.counts.in_flight < wall.limit.max_in_flight * _SPARE_SHARE and not wall.queue
            for wall in self._around(deployment)
        )

    def send(self, deployment: Deployment, outbound: Outbound, *, stream: bool) -> Flight:
        """See the protocol.

        Raises:
            Crowded: no place is free, and none to wait for one.
        """
        walls = self._around(deployment)
        if not walls:
            return self.usual.send(deployment, outbound, stream=stream)
        full = [wall for wall in walls if wall.is_full]
        for wall in full:
            if wall.counts.waiting >= wall.limit.max_waiting:
                raise wall.refusal()

        flight = _Guarded(partial(self.usual.send, deployment, outbound, stream=stream), walls)
        if full:
            flight.wait()
        else:
            flight.start()
        return flight

    def _part(self, limit: Bulkhead) -> Bulkhead:
        """This process's part of a bound, rounded up so that none is left with nothing."""
        places, waiting = (-(-number // self._share) for number in (limit.max_in_flight, limit.max_waiting))
        return msgspec.structs.replace(limit, max_in_flight=places, max_waiting=waiting)

    def _around(self, deployment: Deployment) -> list[_Wall]:
        names = (deployment.provider, deployment.group)
        return [wall for wall in map(self._walls.get, dict.fromkeys(names)) if wall is not None]


class _Guarded:
    """A flight that holds a place behind each of ``walls`` from its :meth:`start` until it is closed."""

    def __init__(self, launch: Callable[[], Flight], walls: Sequence[_Wall]) -> None:
        self.inbox: Inbox[bytes | None] = Inbox()
        self.walls = walls
        self._launch = launch
        self._flight: Flight | None = None
        self._sink: Callable[[bytes], None] | None = None
        self._paused = self._holds = self._spoken = False
        self._seconds: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def sink(self) -> Callable[[bytes], None] | None:
        """See :class:`pointsman.core.flight.Flight`."""
        return self._sink if self._flight is None else self._flight.sink

    @sink.setter
    def sink(self, sink: Callable[[bytes], None] | None) -> None:
        self._sink = sink
        if self._flight is not None:
            self._flight.sink = sink

    @property
    def spoken(self) -> bool:
        """See the protocol."""
        return self._spoken

    @spoken.setter
    def spoken(self, spoken: bool) -> None:
        self._spoken = spoken
        if self._flight is not None:
            self._flight.spoken = spoken

    @property
    def status(self) -> int:
        """See the protocol."""
        return 0 if self._flight is None else self._flight.status

    @property
    def complete(self) -> bool:
        """See the protocol."""
        return self._flight is not None and self._flight.complete

    @property
    def reused(self) -> bool:
        """See the protocol."""
        return self._flight is not None and self._flight.reused

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """See the protocol."""
        return () if self._flight is None else self._flight.headers

    def pause(self) -> None:
        """See the protocol."""
        self._paused = True
        if self._flight is not None:
            self._flight.pause()

    def resume(self) -> None:
        """See the protocol."""
        self._paused = False
        if self._flight is not None:
            self._flight.resume()

    def hurry(self, seconds: float) -> None:
        """See the protocol; the seconds count from when it is sent."""
        self._seconds = seconds
        if self._flight is not None:
            self._flight.hurry(seconds)

    def close(self) -> None:
        """See the protocol; the places go to those who wait."""
        self._leave_queues()
        if self._flight is not None:
            self._flight.close()
        self._let_go()

    def start(self) -> None:
        """Take the places and send.

        Raises:
            GatewayError: it cannot be sent; no place is held.
        """
        self._holds = True
        for wall in self.walls:
            wall.counts.in_flight += 1
        try:
            self._flight = flight = self._launch()
        finally:
            if self._flight is None:
                self._let_go()
        # Who was let through at once reads what comes at first hand.
        self.inbox = flight.inbox

    def wait(self) -> None:
        """Get in line where it is full."""
        seconds = min(wall.limit.max_wait_seconds for wall in self.walls)
        self._timer = asyncio.get_running_loop().call_later(seconds, self._give_up)
        self.get_in_line()

    def get_in_line(self) -> None:
        """Be among those who wait for each of the walls that are full now."""
        for wall in self.walls:
            if wall.counts.in_flight >= wall.limit.max_in_flight or wall.queue:
                if self not in wall.queue:
                    wall.queue.append(self)
                wall.counts.waiting = len(wall.queue)

    def start_late(self) -> None:
        """It is this one's turn."""
        self._leave_queues()
        outer = self.inbox
        try:
            self.start()
        except GatewayError as error:
            outer.put(error)
            return
        flight, self.inbox = self._flight, outer
        if flight is None:
            return
        flight.sink = self._sink
        if self._seconds is not None:
            flight.hurry(self._seconds)
        if self._paused:
            flight.pause()
        forward = _Forward(flight.inbox, outer)
        flight.inbox.reader = forward
        if flight.inbox.items:
            forward.step()

    def _give_up(self) -> None:
        self._leave_queues()
        self.inbox.put(self.walls[0].refusal())

    def _leave_queues(self) -> None:
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        for wall in self.walls:
            if self in wall.queue:
                wall.queue.remove(self)
                wall.counts.waiting = len(wall.queue)

    def _let_go(self) -> None:
        if self._holds:
            self._holds = False
            for wall in self.walls:
                wall.counts.in_flight -= 1
            for wall in self.walls:
                _admit(wall)


class _Forward:
    """Hands on what comes to one inbox to another, whose reader was there first."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, inner: Inbox[bytes | None], outer: Inbox[bytes | None]) -> None:
        self._inner = inner
        self._outer = outer

    def step(self) -> None:
        inner = self._inner
        while inner.items:
            self._outer.put(inner.items.pop(0))
        inner.reader = self


def _admit(wall: _Wall) -> None:
    """Let those in for whom there is room, everywhere they need some; the longest waiting first."""
    for waiting in list(wall.queue):
        if wall.counts.in_flight >= wall.limit.max_in_flight:
            return
        if waiting not in wall.queue:
            continue
        if all(one.counts.in_flight < one.limit.max_in_flight for one in waiting.walls):
            waiting.start_late()
        else:
            waiting.get_in_line()
