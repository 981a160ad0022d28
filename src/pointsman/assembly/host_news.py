"""Processes tell one another what they have under way at local hosts, so that each decides as if it had seen it all.

What changed is told every tenth of a second (while nothing is asked of any upstream, every half), what stays every two
seconds; who is silent for six is forgotten. When each model was used last is told when it changes, and every twenty
seconds to those who have come since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

import msgspec

from pointsman.assembly.news_parts import in_parts
from pointsman.assembly.rest_news import Bulletin
from pointsman.core.clock import Clock
from pointsman.routing.hosts import Fleet, Use

__all__ = ["EVERYTHING_SECONDS", "HostNews"]

_TOPIC: Final = "hosts"
_TELL_SECONDS: Final = 0.1
_QUIET_SECONDS: Final = 0.5
_AGAIN_SECONDS: Final = 2.0
EVERYTHING_SECONDS: Final = 20.0
"""By then a process that is new, or was not to be reached, has heard everything."""
_FORGET_SECONDS: Final = 6.0
_BYTES_MAX: Final = 3_500
_PROCESSES_MAX: Final = 1_024


class _Told(msgspec.Struct, frozen=True, array_like=True):
    """A host's address, by model what runs there and what waits, and how many seconds ago a model was used last."""

    url: str
    running: dict[str, int]
    waiting: dict[str, int]
    idle: dict[str, float] = {}


class _News(msgspec.Struct, frozen=True):
    process: str
    hosts: tuple[_Told, ...]


_decode: Final = msgspec.json.Decoder(_News).decode
_encode: Final = msgspec.json.Encoder().encode


class HostNews:
    """What the process of that name tells and hears."""

    def __init__(self, fleet: Fleet, process: str, bulletins: Iterable[Bulletin], clock: Clock) -> None:
        self._fleet = fleet
        self._process = process
        self._bulletins = tuple(bulletins)
        self._clock = clock
        self._told: dict[str, _Told] = {}
        self._used: dict[str, dict[str, float]] = {}
        self._again_at = self._everything_at = 0.0
        for bulletin in self._bulletins:
            bulletin.hear(_TOPIC, self._hear)

    async def run(self, quiet: Callable[[float], Awaitable[bool]]) -> None:
        """Tell and forget; runs until cancelled.

        ``quiet`` is :meth:`pointsman.providers.transport.transport.Transport.quiet`.
        """
        while True:
            self.step()
            if not await quiet(_QUIET_SECONDS):
                await asyncio.sleep(_TELL_SECONDS)

    def step(self) -> None:
        """Tell what is to be told now, and forget whom nothing was heard of."""
        now = self._clock.monotonic()
        is_again = now >= self._again_at
        if is_again:
            self._again_at = now + _AGAIN_SECONDS
            self._forget(now)
        if now >= self._everything_at:
            self._everything_at = now + EVERYTHING_SECONDS
            self._used.clear()
        fresh = [one for one in self._now(now) if is_again or self._is_new(one)]
        for one in fresh:
            self._note(one)
        for part in in_parts(fresh, _BYTES_MAX):
            news = _encode(_News(self._process, part))
            for bulletin in self._bulletins:
                bulletin.post(_TOPIC, news)

    def _now(self, now: float) -> Iterator[_Told]:
        for host in self._fleet.listed:
            known = self._used.get(host.url)
            is_used = bool(host.used) and known != host.used
            if host.in_flight or host.waiting or host.url in self._told or is_used:
                before, used = known or {}, dict(host.used) if is_used else {}
                idle = {model: round(now - at, 2) for model, at in used.items() if before.get(model) != at}
                if is_used:
                    self._used[host.url] = used
                yield _Told(host.url, dict(host.in_flight), dict(host.waiting), idle)

    def _is_new(self, one: _Told) -> bool:
        before = self._told.get(one.url)
        return bool(one.idle) or before is None or (before.running, before.waiting) != (one.running, one.waiting)

    def _note(self, one: _Told) -> None:
        if one.running or one.waiting:
            self._told[one.url] = one
        else:
            self._told.pop(one.url, None)

    def _hear(self, said: bytes) -> None:
        try:
            news = _decode(said)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        hosts = {host.url: host for host in self._fleet.listed}
        now = self._clock.monotonic()
        for told in news.hosts:
            host = hosts.get(told.url)
            if host is not None and news.process != self._process and len(host.elsewhere) < _PROCESSES_MAX:
                host.hear(news.process, _use(told, now))
                for model, seconds in told.idle.items():
                    host.heard_used(model, now - max(seconds, 0.0))

    def _forget(self, now: float) -> None:
        for host in self._fleet.listed:
            for process in [name for name, use in host.elsewhere.items() if now - use.at > _FORGET_SECONDS]:
                host.hear(process, None)


def _use(told: _Told, now: float) -> Use | None:
    return Use(told.running, told.waiting, now) if told.running or told.waiting else None
