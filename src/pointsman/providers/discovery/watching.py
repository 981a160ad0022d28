"""Looks after the state of the local servers that requests are sent to, each as often as that is of use.

While nobody uses a server that is the only one with its models, nothing has to be known of it, and it is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from math import inf
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import GatewayError, UpstreamFailed
from pointsman.core.nursery import Nursery
from pointsman.providers.discovery.found import HostKind
from pointsman.providers.discovery.state import ServerState, StateProbe, is_silence
from pointsman.providers.transport import Fetcher

__all__ = ["POLL_SECONDS", "FleetWatch", "Pause", "Report", "Watched"]

POLL_SECONDS: Final = 3.0
"""How often a server is asked that is worth it."""
_TICK_SECONDS: Final = 0.25
_PAUSE_SECONDS_MAX: Final = 1.0
_LOOK_SECONDS_MAX: Final = 2.0
_LOOKS_AT_ONCE: Final = 64
_LOOKS_PER_SECOND: Final = 100.0
"""Of very many servers each is asked less often."""
_SILENCES_UNTIL_OFFLINE: Final = 2
"""A single slow answer of a busy machine is no outage; a refused connection is."""

Pause = Callable[[float], Awaitable[object]]


class Watched(msgspec.Struct, frozen=True):
    """A server to look after: its address without ``/v1``, its kind, and the headers that let us in."""

    url: str
    kind: HostKind
    headers: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Watched({self.url!r}, {self.kind!r})"


class Report(msgspec.Struct, frozen=True):
    """What was seen at ``url``. ``state`` None: nothing answers (``online`` False), or nothing that could be read."""

    url: str
    online: bool
    state: ServerState | None = None


class _Watch:
    """What is known of one server's looks."""

    def __init__(self, watched: Watched, probe: StateProbe) -> None:
        self.watched = watched
        self.probe = probe
        self.looked_at = -inf
        self.silences = 0
        self.is_looking = False


class FleetWatch:
    """``pace`` tells for an address how many seconds old a look at it may be: 0 now, infinity: never mind.

    ``pause`` waits for so many seconds and no longer than until a request is sent; without it there is none.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        nursery: Nursery,
        report: Callable[[Report], None],
        pace: Callable[[str], float],
        clock: Clock = SYSTEM_CLOCK,
        pause: Pause | None = None,
    ) -> None:
        self._pause = pause
        self._fetcher = fetcher
        self._nursery = nursery
        self._report = report
        self._pace = pace
        self._clock = clock
        self._watches: dict[str, _Watch] = {}
        self._gate = asyncio.Semaphore(_LOOKS_AT_ONCE)

    def follow(self, servers: Iterable[Watched]) -> None:
        """Look after these from now on; what is known of one that stays as it was, stays."""
        known = self._watches
        self._watches = {}
        for watched in servers:
            before = known.get(watched.url)
            if before is not None and before.watched == watched:
                self._watches[watched.url] = before
            else:
                probe = StateProbe(self._fetcher, watched.url, watched.kind, watched.headers, clock=self._clock)
                self._watches[watched.url] = _Watch(watched, probe)

    async def scan(self, seconds_max: float) -> None:
        """Look once at each that is worth it, all at the same time; whoever takes longer is heard later."""
        wanted = [watch for watch in self._watches.values() if self._pace(watch.watched.url) != inf]
        if wanted:
            tasks = [self._nursery.start(self._look(watch), "look at a server") for watch in wanted]
            await asyncio.wait(tasks, timeout=seconds_max)

    async def run(self) -> None:
        """Look after all of them; runs until cancelled."""
        while True:
            next_seconds = self._begin_looks()
            await asyncio.sleep(_TICK_SECONDS)
            # What is worth a look changes with the requests that are sent; while there are none, that is seldom.
            if self._pause is not None:
                await self._pause(min(next_seconds - _TICK_SECONDS, _PAUSE_SECONDS_MAX))

    def _begin_looks(self) -> float:
        """Begin with those that are due; gives in how many seconds the next one is, as things stand."""
        now = self._clock.monotonic()
        next_seconds = inf
        least = len(self._watches) / _LOOKS_PER_SECOND
        for watch in self._watches.values():
            if watch.is_looking:
                continue
            pace = self._pace(watch.watched.url)
            due_seconds = watch.looked_at + (max(pace, least) if pace else 0.0) - now
            if watch.looked_at == -inf or due_seconds <= 0:
                self._nursery.start(self._look(watch), "look at a server")
            else:
                next_seconds = min(next_seconds, due_seconds)
        return next_seconds

    async def _look(self, watch: _Watch) -> None:
        watch.is_looking = True
        try:
            async with self._gate:
                watch.looked_at = self._clock.monotonic()
                report = await self._ask(watch)
        finally:
            watch.is_looking = False
        if report is not None and self._watches.get(watch.watched.url) is watch:
            self._report(report)

    async def _ask(self, watch: _Watch) -> Report | None:
        """What is to be reported; None: it cannot be told yet."""
        url = watch.watched.url
        try:
            async with asyncio.timeout(_LOOK_SECONDS_MAX):
                state = await watch.probe.look()
        except TimeoutError:
            watch.silences += 1
        except UpstreamFailed as error:
            if not is_silence(error):
                watch.silences = 0
                return Report(url, online=True)
            watch.silences += _SILENCES_UNTIL_OFFLINE if not error.sent else 1
        except GatewayError:
            watch.silences = 0
            return Report(url, online=True)
        else:
            watch.silences = 0
            return Report(url, online=True, state=state)
        return Report(url, online=False) if watch.silences >= _SILENCES_UNTIL_OFFLINE else None
