"""Rules about traffic and bulkheads, put in the way of requests as the configuration has it."""

from __future__ import annotations

from pointsman.config.load import Loaded
from pointsman.core.flight import Sender
from pointsman.core.nursery import Nursery
from pointsman.lifecycle.bulkheads import Bulkheads
from pointsman.lifecycle.house import House
from pointsman.lifecycle.remaining import RemainingWatch
from pointsman.lifecycle.traffic import Traffic, TrafficCounts, TrafficState
from pointsman.telemetry.traffic import TrafficBook

__all__ = ["TrafficControl"]


class TrafficControl:
    """Those of one worker. Where nothing is configured, nothing of it is in the way."""

    def __init__(self, house: House, nursery: Nursery, workers: int, loaded: Loaded) -> None:
        self._house = house
        self._bulkheads = Bulkheads(house.sender, workers)
        self._traffic = Traffic((), house.router, nursery)
        self._traffic.shadows.has_room = self._bulkheads.has_room
        self.remaining = RemainingWatch(house)
        self.book = TrafficBook(lambda: TrafficCounts(self._traffic.counts, self._bulkheads.counts))
        self.follow(loaded)

    @property
    def sender(self) -> Sender:
        """Who sends what is let through."""
        return self._bulkheads.usual

    def follow(self, loaded: Loaded) -> None:
        """Let the rules and the bounds of a configuration hold."""
        self._loaded = loaded
        settings, local, house = loaded.settings, loaded.settings.local, self._house
        entries = (*settings.model_list, *settings.stored_models)
        silent = any(entry.litellm_params.silent_model is not None for entry in entries)
        self._traffic.follow(local.traffic, silent=silent)
        house.traffic = self._traffic if local.traffic or silent else None
        self._bulkheads.follow(local.bulkheads)
        self.remaining.follow(self._bulkheads if local.bulkheads else self._bulkheads.usual)
        house.router.is_full = self._bulkheads.is_full if local.bulkheads else None

    def send_by(self, sender: Sender) -> None:
        """Another one sends from now on."""
        self._bulkheads.usual = sender
        self.follow(self._loaded)

    def state(self) -> TrafficState:
        """The rules and bounds in force, and what they have counted in all workers."""
        return TrafficState(self._traffic.rules, self._loaded.settings.local.bulkheads, self.book.gathered())

    def close(self) -> None:
        """Break off what no client waits for."""
        self._traffic.shadows.close()
