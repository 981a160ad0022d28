"""Counts in what was recorded before a roll-up was there, a little at a time, so that nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from pointsman.core.clock import Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.stores.ports import LedgerStore

__all__ = ["RollUps"]

_STEP: Final = 1000
"""Sums that are looked at in one transaction, unless that takes longer than ``_STEP_SECONDS``."""
_STEP_MIN: Final = 50
_STEP_SECONDS: Final = 0.03
_PAUSE_SECONDS: Final = 0.05
_AGAIN_SECONDS: Final = 60.0
_log: Final = logging.getLogger("pointsman.storage")


class RollUps:
    """Brings the roll-ups of ``ledger`` up to date, once; several processes may do so at the same time."""

    def __init__(self, ledger: LedgerStore, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._step = _STEP

    async def run(self) -> None:
        """Count everything in; waits for a database that is not there."""
        counted = 0
        while True:
            began = self._clock.monotonic()
            try:
                looked_at = await self._ledger.catch_up(self._step)
            except StorageUnavailable as error:
                _log.warning("Roll-ups are not brought up to date for now. %s", error.message)
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            if not looked_at:
                break
            counted += looked_at
            self._learn(self._clock.monotonic() - began)
            await asyncio.sleep(_PAUSE_SECONDS)
        if counted:
            _log.info("The roll-ups are whole: %d sums of before were counted in.", counted)

    def _learn(self, seconds: float) -> None:
        if seconds > _STEP_SECONDS:
            self._step = max(self._step // 2, _STEP_MIN)
        else:
            self._step = min(self._step * 2, _STEP)
