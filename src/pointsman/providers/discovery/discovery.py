"""Finds local model servers and keeps watching them, each on its own, so that a dead one slows nobody.

Only lists and descriptions are asked for; nothing here makes a model load or work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import GatewayError
from pointsman.providers.discovery.compatible import CompatibleProbe
from pointsman.providers.discovery.found import FoundHost, HostKind, Place, Stranger
from pointsman.providers.discovery.ollama import OllamaProbe, Residents
from pointsman.providers.transport import Fetcher, FetchReply

__all__ = ["Discovery"]

POLL_SECONDS: Final = 5.0
STRANGER_POLL_SECONDS: Final = 30.0
"""How often a usual port is asked where something else listens, whose log our questions would fill.

A port where nothing listens is asked at the usual pace, so that a server is found soon after its start.
"""
LOOK_SECONDS_MAX: Final = 3.0
GUESS_SECONDS_MAX: Final = 0.8
"""How long the start waits for who listens at the usual port of a model server, and may be something else."""
QUESTION_SECONDS_MAX: Final = 2.0

FAILURES_UNTIL_OFFLINE: Final = 2
"""A single slow answer of a busy machine is no outage."""

FORGET_SECONDS: Final = 600.0
"""How long the models of a server that nobody named are remembered after it went away."""

OWN_HEADER: Final = b"x-pointsman-version"
"""Every answer of this gateway carries it."""


class _Probe(Protocol):
    async def look(self) -> FoundHost: ...


class _Watch:
    """What is known of one place."""

    def __init__(self, place: Place, probe: _Probe) -> None:
        self.place = place
        self.probe = probe
        self.host: FoundHost | None = None
        self.failures = 0
        self.seen_at = 0.0
        self.stranger = False

    @property
    def is_of_no_use(self) -> bool:
        """Whether something else was found there that nobody named."""
        return self.stranger and self.host is None


class Discovery:
    """Watches ``places``. ``on_change`` is called with all hosts whenever one differs from before.

    ``own_urls`` are this gateway's addresses, which are not looked at. Who knows already what is in a server's memory
    says so in ``residents``, and it is not asked for that.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        places: Iterable[Place],
        *,
        own_urls: frozenset[str] = frozenset(),
        on_change: Callable[[tuple[FoundHost, ...]], None] = lambda _hosts: None,
        clock: Clock = SYSTEM_CLOCK,
        poll_seconds: float = POLL_SECONDS,
        residents: Residents = lambda _url: None,
    ) -> None:
        self._fetcher = fetcher
        self._on_change = on_change
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._residents = residents
        wanted = dict.fromkeys(place for place in places if place.url not in own_urls)
        self._watches = tuple(_Watch(place, self._probe(place)) for place in wanted)
        self._told: tuple[FoundHost, ...] = ()

    def found(self) -> tuple[FoundHost, ...]:
        """The hosts that answered, and the given ones in any case, in the order of the places."""
        return tuple(watch.host for watch in self._watches if watch.host is not None)

    async def scan(self) -> tuple[FoundHost, ...]:
        """Look at every place once, all at the same time; at most :data:`LOOK_SECONDS_MAX`."""
        await asyncio.gather(*(self._look(watch, _patience(watch.place)) for watch in self._watches))
        return self.found()

    async def run(self) -> None:
        """Look at every place every ``poll_seconds``; runs until cancelled."""
        await asyncio.gather(*(self._follow(watch) for watch in self._watches))

    async def _follow(self, watch: _Watch) -> None:
        while True:
            started = self._clock.monotonic()
            await self._look(watch, LOOK_SECONDS_MAX)
            pace = STRANGER_POLL_SECONDS if watch.is_of_no_use else self._poll_seconds
            await asyncio.sleep(max(0.0, pace - (self._clock.monotonic() - started)))

    async def _look(self, watch: _Watch, seconds_max: float) -> None:
        watch.stranger = False
        try:
            async with asyncio.timeout(seconds_max):
                host = await watch.probe.look()
                if host.kind == "ollama" and watch.place.speaks == "openai":
                    watch.place = msgspec.structs.replace(watch.place, speaks="ollama")
                    watch.probe = self._probe(watch.place)
                    host = await watch.probe.look()
        except TimeoutError:
            self._missed(watch, f"It did not answer within {seconds_max:g} s.")
        except GatewayError as error:
            watch.stranger = isinstance(error, Stranger)
            self._missed(watch, error.message)
        else:
            watch.failures = 0
            watch.seen_at = self._clock.monotonic()
            watch.host = host
        self._tell()

    def _missed(self, watch: _Watch, problem: str) -> None:
        watch.failures += 1
        host = watch.host
        place = watch.place
        if host is None:
            if place.given:
                kind: HostKind = "ollama" if place.speaks == "ollama" else "openai"
                watch.host = FoundHost(kind, place.url, online=False, given=True, problem=problem)
        elif not place.given and self._clock.monotonic() - watch.seen_at > FORGET_SECONDS:
            watch.host = None
        elif watch.failures >= FAILURES_UNTIL_OFFLINE:
            watch.host = msgspec.structs.replace(host, online=False, problem=problem)

    def _tell(self) -> None:
        found = self.found()
        if found != self._told:
            self._told = found
            self._on_change(found)

    def _probe(self, place: Place) -> _Probe:
        if place.speaks == "ollama":
            return OllamaProbe(self._fetcher, place, QUESTION_SECONDS_MAX, self._residents)
        return CompatibleProbe(self._fetcher, place, QUESTION_SECONDS_MAX, _is_own)


def _patience(place: Place) -> float:
    """How long the start waits for a place; :meth:`Discovery.run` finds what is slower."""
    return LOOK_SECONDS_MAX if place.given or place.speaks == "ollama" else GUESS_SECONDS_MAX


def _is_own(reply: FetchReply) -> bool:
    return reply.header(OWN_HEADER) is not None
