"""Hosts that sleep until somebody needs them: waking one, and waiting until it answers.

However many requests wait for a host, it is woken once: packets go out every few seconds until it answers, or until
the patience is over. A streaming client is sent keep-alives meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from pointsman.core.clock import Clock
from pointsman.core.eager import become_task
from pointsman.core.errors import Unreachable
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Deployment
from pointsman.routing.hosts import Host, WakeRule

__all__ = ["NoWaker", "Rouser", "Waker"]

_PACKET_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.5
_SECONDS_MAX: Final = 120.0

_log: Final = logging.getLogger("pointsman.wake")


class Rouser(Protocol):
    """Wakes hosts."""

    async def rouse(self, host: Host, deployment: Deployment, pause: float, tell: Callable[[], None]) -> None:
        """Wake a host and return once it answers; ``tell`` is called every ``pause`` seconds until then.

        Raises:
            Unreachable: it did not answer in time.
        """
        ...


class NoWaker:
    """Wakes nobody."""

    async def rouse(self, host: Host, _deployment: Deployment, _pause: float, _tell: Callable[[], None]) -> None:
        """See :meth:`Rouser.rouse`."""
        raise Unreachable(f"The server at {host.url} is away.")


class Waker:
    """See :class:`Rouser`. ``send`` sends a packet, ``answers`` tells whether a server is there; neither raises."""

    def __init__(
        self,
        send: Callable[[WakeRule], Awaitable[None]],
        answers: Callable[[Deployment], Awaitable[bool]],
        nursery: Nursery,
        clock: Clock,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self.seconds_max = _SECONDS_MAX
        self._send = send
        self._answers = answers
        self._nursery = nursery
        self._clock = clock
        self._look_seconds = look_seconds
        self._under_way: dict[str, asyncio.Task[bool]] = {}

    async def rouse(self, host: Host, deployment: Deployment, pause: float, tell: Callable[[], None]) -> None:
        """See :meth:`Rouser.rouse`."""
        await become_task()
        task = self._under_way.get(host.url) or self._begin(host, deployment)
        while not task.done():
            await asyncio.wait({task}, timeout=pause)
            if not task.done():
                tell()
        if task.cancelled() or not task.result():
            raise Unreachable(
                f"The server at {host.url} was woken and did not answer within {self.seconds_max:g} s.",
                hint="Check that its network card may wake it, and that the server starts with the machine.",
            )

    def _begin(self, host: Host, deployment: Deployment) -> asyncio.Task[bool]:
        task = self._nursery.start(self._wake(host, deployment), f"wake of {host.url}")
        self._under_way[host.url] = task
        task.add_done_callback(lambda _: self._under_way.pop(host.url, None))
        return task

    async def _wake(self, host: Host, deployment: Deployment) -> bool:
        """Send packets until the host answers; False: it did not in time."""
        clock, rule = self._clock, host.wake
        began = packet_at = clock.monotonic()
        while (now := clock.monotonic()) - began < self.seconds_max:
            if rule is not None and now >= packet_at:
                await self._send(rule)
                packet_at = now + _PACKET_SECONDS
            if await self._answers(deployment):
                host.online = True
                _log.info("%s was woken; it answers after %.0f s.", host.url, clock.monotonic() - began)
                return True
            await asyncio.sleep(self._look_seconds)
        _log.warning("%s was woken and does not answer after %.0f s.", host.url, self.seconds_max)
        return False
