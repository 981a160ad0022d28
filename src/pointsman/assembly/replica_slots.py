"""The slots of hosts, shared by all replicas through Redis or Valkey.

A slot is asked for in one round trip, in which a replica also says how it stands. Who lets go of one tells those who
wait. A replica that says nothing for :data:`LEASE_SECONDS` holds nothing any more. While Redis is away, and until all
have told it again what they hold, each replica takes its part of a host's slots, rounded up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Final

import msgspec

from pointsman.assembly.rest_news import Bulletin
from pointsman.assembly.slot_desk import SlotDesk, board_name
from pointsman.core.clock import Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.core.nursery import Nursery
from pointsman.lifecycle.calling import call
from pointsman.routing.hosts import Fleet, Host
from pointsman.routing.slot_board import TELL_SECONDS
from pointsman.stores.redis import BoardAnswer, RedisBoards, RedisLink

__all__ = ["LEASE_SECONDS", "ReplicaSlots"]

LEASE_SECONDS: Final = 8.0
_GATHER_SECONDS: Final = 1.5
"""Within this time each replica that holds slots has said so, to a Redis that is new or back."""
_TRIES_MAX: Final = 32
_TICK_SECONDS: Final = 0.1
_TOPIC: Final = "slots"
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(str).decode


class _Place:
    """What is remembered of one host's board. ``ahead`` is by how much the server's clock is before ours."""

    __slots__ = ("ahead", "document", "held", "host", "is_dirty", "is_stale", "name", "told_at", "version", "works")

    def __init__(self, host: Host) -> None:
        self.host = host
        self.name = board_name(host)
        self.version, self.document = "0", b""
        self.ahead = 0.0
        self.held = 0
        self.is_dirty = self.works = False
        self.is_stale = True
        self.told_at = -inf


class ReplicaSlots:
    """See :class:`pointsman.routing.hosts.SlotSharing`. ``replicas`` tells how many there are, as far as is known."""

    def __init__(
        self,
        fleet: Fleet,
        link: RedisLink,
        bulletin: Bulletin,
        nursery: Nursery,
        clock: Clock,
        *,
        holder: str,
        replicas: Callable[[], int],
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._fleet = fleet
        self._link = link
        self._boards = RedisBoards(link)
        self._bulletin = bulletin
        self._nursery = nursery
        self._clock = clock
        self._replicas = replicas
        self._lease_seconds = lease_seconds
        self._desk = SlotDesk(fleet, clock, holder)
        self._places: dict[str, _Place] = {}
        self._was_up = True
        self._joins_at = self._since = -inf
        bulletin.hear(_TOPIC, self._hear)

    def changed(self, host: Host) -> None:
        """See the protocol."""
        place = self._places.get(host.url)
        if place is None:
            place = self._places[host.url] = _Place(host)
        if not self._link.up:
            self._go_alone(place)
        self._work(place)

    async def run(self) -> None:
        """Look after the boards of hosts that somebody here waits for or uses; runs until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_TICK_SECONDS)

    def look(self) -> None:
        """Tell and ask again where it is time for that, and notice whether Redis is there."""
        now, is_up = self._clock.monotonic(), self._link.up
        if is_up and not self._was_up:
            self._joins_at = now + _GATHER_SECONDS
        self._was_up = is_up
        for place in list(self._places.values()):
            queue = self._fleet.queue_of(place.host)
            if not is_up:
                self._go_alone(place)
            elif not queue.depth and not queue.started() and not place.held:
                if not place.works and queue.is_shared:
                    del self._places[place.host.url]
                elif not queue.is_shared and now >= self._joins_at:
                    queue.is_shared, queue.part = True, None
            elif now - place.told_at >= TELL_SECONDS:
                place.is_stale = True
                self._work(place)

    def _hear(self, said: bytes) -> None:
        try:
            name = _decode(said)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        for place in self._places.values():
            if place.name == name and self._fleet.queue_of(place.host).depth:
                place.is_stale = True
                self._work(place)

    def _work(self, place: _Place) -> None:
        place.is_dirty = True
        if not place.works and self._link.up:
            place.works = True
            self._nursery.start(self._tell(place), "slots of a host")

    async def _tell(self, place: _Place) -> None:
        try:
            while place.is_dirty:
                place.is_dirty = False
                await self._round(place)
        except StorageUnavailable:
            self._go_alone(place)
        finally:
            place.works = False

    async def _round(self, place: _Place) -> None:
        """Say how things stand here, and take what is free.

        Raises:
            StorageUnavailable: Redis is away.
        """
        if place.is_stale:
            place.is_stale = False
            self._note(place, await self._boards.exchange(place.name, place.version))
        for _ in range(_TRIES_MAX):
            now = self._clock.monotonic() + place.ahead
            outcome = self._desk.deal(
                place.host,
                place.document,
                now,
                is_gone=lambda _, told_at: now - told_at > self._lease_seconds,  # noqa: B023 - called at once
                may_take=self._may_take(now),
            )
            place.told_at = self._clock.monotonic()
            if outcome.document is None:
                self._join_again(place)
                return
            held = len(self._fleet.queue_of(place.host).started()) + outcome.granted
            answer = await self._boards.exchange(place.name, place.version, outcome.document)
            self._note(place, answer)
            if answer.is_written:
                if held < place.held and outcome.others_wait:
                    self._bulletin.post(_TOPIC, _encode(place.name))
                place.held = held
                self._join_again(place)
                self._give(place, outcome.granted)
                return
        place.is_dirty = True

    def _may_take(self, now: float) -> bool:
        return now - self._since >= _GATHER_SECONDS and self._clock.monotonic() >= self._joins_at

    def _note(self, place: _Place, answer: BoardAnswer) -> None:
        place.version, place.document = answer.version, answer.document
        place.ahead = answer.now - self._clock.monotonic()
        self._since = answer.since

    def _give(self, place: _Place, granted: int) -> None:
        """Let so many run; what nobody wants any more goes back."""
        queue = self._fleet.queue_of(place.host)
        if granted > queue.depth:
            place.is_dirty = True
        self._desk.give(place.host, granted)
        if granted and queue.depth:
            # With others waiting, slots are taken one by one.
            place.is_dirty = True

    def _go_alone(self, place: _Place) -> None:
        queue = self._fleet.queue_of(place.host)
        place.is_stale = True
        if queue.is_shared and queue.slots is not None:
            queue.is_shared, queue.part = False, -(-queue.slots // max(self._replicas(), 1))
            call(queue, queue.advance(self._clock.monotonic()))

    def _join_again(self, place: _Place) -> None:
        queue = self._fleet.queue_of(place.host)
        if not queue.is_shared and self._clock.monotonic() >= self._joins_at:
            queue.is_shared, queue.part = True, None
