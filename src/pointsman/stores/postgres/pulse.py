"""Whether the server answers at all: a server that is frozen, or behind a network that swallows packets, says nothing.

Nothing is asked as long as all is well. When a call has waited for a while the server is greeted over a connection of
its own. If neither that is answered nor anything else meanwhile, the server is taken to be silent: nobody waits for it
any longer, until it answers a greeting, which is tried every half second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from pointsman.core.errors import StorageUnavailable
from pointsman.core.nursery import Nursery

__all__ = ["DOUBT_SECONDS", "GREETING_SECONDS", "Pulse", "within_own_time"]

T = TypeVar("T")

DOUBT_SECONDS: Final = 0.75
"""How long a call waits before somebody asks whether the server is there."""
GREETING_SECONDS: Final = 1.25
_REST_SECONDS: Final = 0.5
_GLANCES: Final = 10


class Pulse:
    """What is known of a server. ``greet`` asks it for a sign of life, and raises ``StorageUnavailable`` without one.

    ``on_silence`` is told once whenever it has fallen silent. ``silence`` is what to say of it then; None: it answers.
    """

    def __init__(self, greet: Callable[[], Awaitable[None]], on_silence: Callable[[StorageUnavailable], None]) -> None:
        self.silence: StorageUnavailable | None = None
        self._greet = greet
        self._on_silence = on_silence
        self._nursery: Nursery | None = None
        self._asking: asyncio.Task[None] | None = None
        self._heard = 0

    def start(self, nursery: Nursery) -> None:
        """Look after it from now on."""
        self._nursery = nursery

    def stop(self) -> None:
        """Ask no more; whoever calls is told nothing of before."""
        if self._asking is not None:
            self._asking.cancel()
        self.silence = self._asking = self._nursery = None

    def heard(self) -> None:
        """The server has answered something."""
        self._heard += 1

    def doubt(self) -> None:
        """Somebody has waited for a while. Nobody is in doubt before the server has answered for the first time."""
        if self._nursery is not None and self._heard and (self._asking is None or self._asking.done()):
            self._asking = self._nursery.start(self._ask(), "greeting the database")

    async def _ask(self) -> None:
        """Ask once, and as long as it is silent again and again."""
        before = self._heard
        while True:
            try:
                await self._greet()
            except StorageUnavailable as error:
                if self.silence is None:
                    if self._heard != before:
                        return
                    self.silence = error
                    self._on_silence(error)
            else:
                self.silence = None
                return
            await asyncio.sleep(_REST_SECONDS)


async def within_own_time(seconds: float, work: Awaitable[T]) -> T:
    """What ``work`` gives within ``seconds`` in which this process could attend to it.

    The time is counted in glances, and a glance that came late, since something else held the process up, counts no
    more than one in time: else a busy gateway would take it for the server's silence.

    Raises:
        TimeoutError: it took longer; it is cancelled.
    """
    loop = asyncio.get_running_loop()
    next_glance: asyncio.TimerHandle

    def glance(left: int) -> None:
        nonlocal next_glance
        if left:
            next_glance = loop.call_later(seconds / _GLANCES, glance, left - 1)
        else:
            limit.reschedule(loop.time())

    async with asyncio.timeout(None) as limit:
        next_glance = loop.call_later(seconds / _GLANCES, glance, _GLANCES - 1)
        try:
            return await work
        finally:
            next_glance.cancel()
