"""The slots of hosts, shared by the workers of one machine through files in the data directory.

A slot is asked for and given back in some ten microseconds, by a lock that is never waited for. Who waits looks every
ten milliseconds whether something has changed; what a worker held that was killed is free at the next look.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Final

from pointsman.assembly.slot_desk import Outcome, SlotDesk, board_name
from pointsman.core.clock import Clock, short_id
from pointsman.lifecycle.calling import call
from pointsman.routing.hosts import Fleet, Host
from pointsman.routing.slot_board import TELL_SECONDS
from pointsman.stores.slot_files import SlotFiles

__all__ = ["WorkerSlots"]

_LOOK_SECONDS: Final = 0.01
_ALIVE_SECONDS: Final = 0.5
"""How often it is looked whether those live that hold slots, while somebody waits for one."""
_LOCKED_SECONDS_MAX: Final = 2.0
"""Whoever is at a board for longer than this is stopped."""
_log: Final = logging.getLogger("pointsman.slots")


class _Place:
    """What is remembered of one host's board."""

    __slots__ = ("host", "lives_at", "locked_since", "name", "seen", "told_at")

    def __init__(self, host: Host) -> None:
        self.host = host
        self.name = board_name(host)
        self.seen = b""
        self.told_at = self.lives_at = -inf
        self.locked_since: float | None = None


class WorkerSlots:
    """See :class:`pointsman.routing.hosts.SlotSharing`. ``workers`` is how many there are."""

    def __init__(self, fleet: Fleet, directory: Path, workers: int, clock: Clock) -> None:
        self._fleet = fleet
        self._clock = clock
        self._workers = workers
        self._desk = SlotDesk(fleet, clock, short_id(""))
        self._files = SlotFiles(directory, self._desk.holder)
        self._places: dict[str, _Place] = {}
        self._used = asyncio.Event()
        self._is_failing = False

    def changed(self, host: Host) -> None:
        """See the protocol."""
        place = self._places.get(host.url)
        is_new = place is None
        if place is None:
            place = self._places[host.url] = _Place(host)
        while self._deal(place):
            pass
        if is_new or self._fleet.queue_of(host).depth:
            self._used.set()

    async def run(self) -> None:
        """Look at the boards of hosts that somebody here waits for or uses; runs until cancelled."""
        while True:
            self.look()
            if any(self._fleet.queue_of(place.host).depth for place in self._places.values()):
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            self._used.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(TELL_SECONDS if self._places else None):
                    await self._used.wait()

    def look(self) -> None:
        """Ask again where somebody waits and something has changed, and tell what is to be told."""
        now = self._clock.monotonic()
        for place in list(self._places.values()):
            queue = self._fleet.queue_of(place.host)
            if not queue.depth and not queue.started():
                del self._places[place.host.url]
                continue
            is_due = now - place.told_at >= TELL_SECONDS or place.locked_since is not None
            if is_due or (queue.depth and self._peek(place) != place.seen):
                self.changed(place.host)

    def close(self) -> None:
        """Let go of everything."""
        self._files.close()

    def _deal(self, place: _Place) -> bool:
        """Say how things stand here and take what is free; whether there may be more."""
        outcome = Outcome(None)
        now = self._clock.monotonic()
        looks_for_lives = now - place.lives_at >= _ALIVE_SECONDS
        if looks_for_lives:
            place.lives_at = now

        def change(document: bytes) -> bytes | None:
            nonlocal outcome
            outcome = self._desk.deal(
                place.host, document, now, is_gone=lambda name, _: looks_for_lives and self._files.is_gone(name)
            )
            place.seen = document if outcome.document is None else outcome.document
            return outcome.document

        try:
            is_done = self._files.exchange(place.name, change)
        except OSError as error:
            self._go_alone(place, error.strerror or "it cannot be used")
            return False
        if not is_done:
            place.locked_since = now if place.locked_since is None else place.locked_since
            if now - place.locked_since > _LOCKED_SECONDS_MAX:
                self._go_alone(place, "another worker has had its lock for too long")
            return False
        place.told_at, place.locked_since = now, None
        self._join_again(place)
        self._desk.give(place.host, outcome.granted)
        return bool(outcome.granted) and bool(self._fleet.queue_of(place.host).depth)

    def _peek(self, place: _Place) -> bytes:
        try:
            return self._files.peek(place.name)
        except OSError:
            return b""

    def _go_alone(self, place: _Place, reason: str) -> None:
        """Take this worker's part of the slots, since nobody can be asked."""
        queue = self._fleet.queue_of(place.host)
        if not self._is_failing:
            self._is_failing = True
            _log.error("Each worker keeps to its part of the slots of hosts: a file of them fails (%s).", reason)
        if queue.is_shared and queue.slots is not None:
            queue.is_shared, queue.part = False, -(-queue.slots // self._workers)
            call(queue, queue.advance(self._clock.monotonic()))

    def _join_again(self, place: _Place) -> None:
        queue = self._fleet.queue_of(place.host)
        if not queue.is_shared:
            queue.is_shared, queue.part = True, None
            self._is_failing = False
