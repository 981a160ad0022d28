"""Models that have to be loaded for a call: how long that may take, and what becomes of it when the client leaves.

A call is *cold* if its host does not list the model as loaded when it is sent, or another call has it loaded just then:
it may wait for the whole load. A call to a model that is loaded may be held to a shorter time
(``Timeouts.first_byte``).

A server breaks a load off when the request that caused it goes away, so that a client with too little patience has the
same load begun again and again. Where the operator wants it (``on_disconnect: finish_load``), the request of a client
that leaves during the load goes on without it until the model is loaded, and is cut off then: nothing is generated for
nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.eager import become_task
from pointsman.core.errors import GatewayError
from pointsman.core.flight import Flight
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Deployment
from pointsman.routing.hosts import Host
from pointsman.routing.pool import Member

__all__ = ["Abandoned", "Loader", "Loads", "NoLoads", "expect"]

_LOADS_MAX: Final = 16
"""Loads that go on without a client, in all; of one model on one host there is only one."""
_SLACK_SECONDS: Final = 5.0
_BEGIN_SECONDS: Final = 60.0
_TRIED_MAX: Final = 4_096

_log: Final = logging.getLogger("pointsman.loads")


class Loader(Protocol):
    """Has servers load models without asking these anything."""

    def can_load(self, deployment: Deployment) -> bool:
        """Whether the deployment's server does so when it is told to."""
        ...

    async def load(self, deployment: Deployment) -> None:
        """Have the model loaded, if it is not, and return once it is.

        Raises:
            GatewayError: it cannot be loaded.
        """
        ...


def expect(member: Member, host: Host, flight: Flight) -> bool:
    """Whether the call is cold, which is noted at the host; if it is not, hold it to what is usual then."""
    deployment = member.deployment
    model = deployment.model
    if host.loading.get(model) or not host.is_loaded(model):
        host.begin_load(model)
        return True
    if deployment.timeouts.first_byte is not None:
        flight.hurry(deployment.timeouts.first_byte)
    return False


class Abandoned(Protocol):
    """Takes over the requests of clients that left during a load, and wakes models that sleep."""

    def adopt(self, flight: Flight, member: Member) -> bool:
        """Let the load go on; False: it is not wanted, and the flight is still the caller's to close."""
        ...

    async def rouse(self, deployment: Deployment, pause: float, tell: Callable[[], None]) -> None:
        """Have a model woken and return once it is; ``tell`` is called every ``pause`` seconds until then.

        Raises:
            GatewayError: it cannot be.
        """
        ...

    def begin(self, member: Member) -> None:
        """Have the model loaded for those who come next, where its server can be told to."""
        ...


class NoLoads:
    """Lets no load go on."""

    def adopt(self, _flight: Flight, _member: Member) -> bool:
        """See :meth:`Abandoned.adopt`."""
        return False

    async def rouse(self, _deployment: Deployment, _pause: float, _tell: Callable[[], None]) -> None:
        """See :meth:`Abandoned.rouse`."""

    def begin(self, _member: Member) -> None:
        """See :meth:`Abandoned.begin`."""


class Loads:
    """See :class:`Abandoned`. What a host draws for such a load is no call's."""

    def __init__(
        self, loader: Loader, nursery: Nursery, loads_max: int = _LOADS_MAX, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.wanted = False
        self._clock = clock
        self._loader = loader
        self._nursery = nursery
        self._loads_max = loads_max
        self._under_way: set[tuple[str, str]] = set()
        self._waking: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._tried: dict[tuple[str, str], float] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def adopt(self, flight: Flight, member: Member) -> bool:
        """See :meth:`Abandoned.adopt`."""
        key = (member.deployment.api_base, member.deployment.model)
        if not self.wanted or key in self._under_way or len(self._under_way) >= self._loads_max:
            return False
        self._under_way.add(key)
        if member.host is not None:
            member.host.begin_load(member.deployment.model)
        self._nursery.start(self._finish(flight, member, key), f"load of {member.deployment.model}")
        return True

    async def rouse(self, deployment: Deployment, pause: float, tell: Callable[[], None]) -> None:
        """See :meth:`Abandoned.rouse`. However many requests wait for a model, it is woken once."""
        await become_task()
        key = (deployment.api_base, deployment.model)
        task = self._waking.get(key)
        if task is None:
            task = self._waking[key] = self._nursery.start(self._loader.load(deployment), f"wake of {deployment.model}")
            task.add_done_callback(lambda _: self._waking.pop(key, None))
        while not task.done():
            await asyncio.wait({task}, timeout=pause)
            if not task.done():
                tell()
        task.result()

    def begin(self, member: Member) -> None:
        """See :meth:`Abandoned.begin`; the same at the same host is begun once a minute at most."""
        deployment, now = member.deployment, self._clock.monotonic()
        key = (deployment.api_base, deployment.model)
        is_late = now - self._tried.get(key, -_BEGIN_SECONDS) >= _BEGIN_SECONDS
        if not is_late or key in self._under_way or len(self._under_way) >= self._loads_max:
            return
        if member.host is None or not self._loader.can_load(deployment):
            return
        if len(self._tried) >= _TRIED_MAX:
            self._tried.clear()
        self._tried[key] = now
        self._under_way.add(key)
        member.host.begin_load(deployment.model)
        self._nursery.start(self._load(member.host, deployment, key), f"load of {deployment.model}")

    async def _load(self, host: Host, deployment: Deployment, key: tuple[str, str]) -> None:
        _log.info("%s is not in memory: it is loaded while others serve.", deployment.group)
        try:
            await self._loader.load(deployment)
        except GatewayError as error:
            _log.warning("%s cannot be loaded: %s", deployment.group, error.message)
        else:
            host.served(deployment.model, self._clock.monotonic())
        finally:
            self._under_way.discard(key)
            host.end_load(deployment.model)

    async def _finish(self, flight: Flight, member: Member, key: tuple[str, str]) -> None:
        """Wait until the model is loaded, as the server says, or as its answer shows."""
        deployment = member.deployment
        _log.info("The client left while %s was being loaded; the load goes on.", deployment.group)
        tasks = [self._nursery.start(_answered(flight), "first byte")]
        if self._loader.can_load(deployment):
            tasks.append(self._nursery.start(self._told(deployment), "load"))
        try:
            seconds = deployment.timeouts.load + _SLACK_SECONDS
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            flight.close()
            for task in tasks:
                task.cancel()
            self._under_way.discard(key)
            if member.host is not None:
                member.host.end_load(deployment.model)

    async def _told(self, deployment: Deployment) -> None:
        try:
            await self._loader.load(deployment)
        except GatewayError as error:
            # Then the request itself has to show when the load is done.
            _log.debug("%s cannot be asked for: %s", deployment.group, error.message)
            await asyncio.sleep(deployment.timeouts.load)


async def _answered(flight: Flight) -> None:
    with suppress(GatewayError):
        while await flight.inbox.take() is None:
            pass
