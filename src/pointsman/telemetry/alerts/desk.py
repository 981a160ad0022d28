"""Takes note of thresholds that were passed, and tells people of each once, in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import GatewayError, NotFound
from pointsman.policies.alerting import Crossing
from pointsman.stores.directory.kinds import ALERT_MARKS
from pointsman.stores.directory.ports import DirectoryStore, EntryExists
from pointsman.stores.directory.records import AlertMark
from pointsman.telemetry.alerts.events import BudgetEvent, event_of, exceeds, text_of
from pointsman.telemetry.alerts.senders import AlertFailed, Sender

__all__ = ["AlertDesk"]

_WAITING_MAX: Final = 1_000
_MAIL_AT_ONCE: Final = 2
_PAUSES: Final = (1.0, 5.0, 30.0)
_SOFT: Final = -1
_PROJECTED: Final = -2
_log: Final = logging.getLogger("pointsman.alerts")


class _Told(Exception):
    """Another process has told of it."""


class AlertDesk:
    """``senders`` may be replaced. At most a thousand alerts wait; ``lost`` counts those that found no room."""

    def __init__(
        self,
        directory: DirectoryStore,
        *,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._sleep = sleep
        self._waiting: asyncio.Queue[Crossing] = asyncio.Queue(_WAITING_MAX)
        self.senders: Sequence[Sender] = ()
        self._mail = asyncio.Semaphore(_MAIL_AT_ONCE)
        self.lost = 0

    def note(self, crossing: Crossing) -> None:
        """A threshold was passed; returns at once."""
        try:
            self._waiting.put_nowait(crossing)
        except asyncio.QueueFull:
            self.lost += 1
            _log.warning("An alert about a budget was dropped: %d wait already.", _WAITING_MAX)

    async def run(self) -> None:
        """Tell of what is noted; runs until cancelled."""
        while True:
            await self.tell(await self._waiting.get())

    async def tell(self, crossing: Crossing) -> None:
        """Tell of one, unless another process has; whoever cannot be reached is tried again a few times."""
        now = self._clock.wall()
        event = event_of(crossing, now)
        if crossing.kind == "projected_limit_exceeded" and not exceeds(event):
            return
        if not await self._is_first(crossing):
            return
        text = text_of(crossing, event, now)
        _log.warning("%s (%s)", event.event_message, crossing.name)
        await asyncio.gather(*(self._send(sender, event, text) for sender in self.senders))

    async def _send(self, sender: Sender, event: BudgetEvent, text: str) -> None:
        why = ""
        for pause in (0.0, *_PAUSES):
            if pause:
                await self._sleep(pause)
            try:
                await self._sent(sender, event, text)
            except AlertFailed as failed:
                why = str(failed)
            else:
                return
        _log.error("An alert could not be sent (%s): %s.", sender.name, why)

    async def _sent(self, sender: Sender, event: BudgetEvent, text: str) -> None:
        if sender.name != "email":
            await sender.send(event, text)
            return
        # It takes a thread, of which others need some too while a mail server does not answer.
        async with self._mail:
            await sender.send(event, text)

    async def _is_first(self, crossing: Crossing) -> bool:
        """Whether nobody has told of it in this period; also where nobody can say."""
        account = f"{crossing.scope}/{crossing.identity}/{crossing.model}"
        period = f"{crossing.reset_at}:{crossing.budget}:{crossing.soft}"
        percent = _percent(crossing)
        mark = AlertMark(account=account, period=period, percents=(percent,), updated_at=self._clock.wall())

        def change(before: AlertMark) -> AlertMark:
            if before.period != period:
                return mark
            if percent in before.percents:
                raise _Told
            return msgspec.structs.replace(mark, percents=(*before.percents, percent))

        try:
            await self._directory.insert(ALERT_MARKS, mark)
        except EntryExists:
            try:
                await self._directory.update(ALERT_MARKS, account, change)
            except _Told:
                return False
            except NotFound:
                return True
        except GatewayError as error:
            _log.warning("Whether an alert was sent before cannot be said: %s", error.message)
        return True


def _percent(crossing: Crossing) -> int:
    if crossing.kind == "projected_limit_exceeded":
        return _PROJECTED
    return _SOFT if crossing.percent is None else crossing.percent
