"""Lets old calls go, a few at a time, so that nobody waits for it; what they came to stays in the sums."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.config.load import Loaded
from pointsman.core.clock import Clock
from pointsman.core.errors import Malformed, Misconfigured, StorageUnavailable
from pointsman.policies.durations import approximate_seconds
from pointsman.stores.ports import LedgerStore

__all__ = ["Retention", "RetentionRule", "retention_rule"]

_STEP: Final = 500
"""Calls that are removed in one transaction, unless that takes longer than ``_STEP_SECONDS``."""
_STEP_MIN: Final = 50
_STEP_SECONDS: Final = 0.03
_PAUSE_SECONDS: Final = 0.05
_LOOK_SECONDS: Final = 60.0
_DAY_SECONDS: Final = 86_400.0
_log: Final = logging.getLogger("pointsman.storage")


class RetentionRule(msgspec.Struct, frozen=True):
    """How old calls may become (None: as old as they like), and how often the older ones are removed, in seconds."""

    age_seconds: float | None = None
    interval_seconds: float = _DAY_SECONDS


def retention_rule(loaded: Loaded) -> RetentionRule:
    """What the configuration says.

    Raises:
        Misconfigured: a duration is none.
    """
    general = loaded.settings.general_settings
    period = general.maximum_spend_logs_retention_period
    if period is None:
        return RetentionRule()
    interval = general.maximum_spend_logs_retention_interval
    try:
        age = approximate_seconds(period, "general_settings.maximum_spend_logs_retention_period")
        told = "1d" if interval is None else msgspec.json.decode(interval, type=int | float | str)
        field = "general_settings.maximum_spend_logs_retention_interval"
        every = approximate_seconds(told, field) if isinstance(told, str) else float(told)
    except (Malformed, msgspec.MsgspecError) as error:
        raise Misconfigured(f"general_settings: {error}", hint="Write durations as 7d, 12h or 1mo.") from error
    return RetentionRule(float(age), max(float(every), _LOOK_SECONDS))


class Retention:
    """Removes calls that are older than ``rule()`` allows."""

    def __init__(self, ledger: LedgerStore, rule: Callable[[], RetentionRule], clock: Clock) -> None:
        self._ledger = ledger
        self._rule = rule
        self._clock = clock
        self._next_at = float("-inf")
        self._step = _STEP

    async def run(self) -> None:
        """Look every minute whether it is time; runs until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> int:
        """Remove what is too old, if it is time, in small steps; how many calls that were."""
        rule = self._rule()
        now = self._clock.monotonic()
        if rule.age_seconds is None or now < self._next_at:
            return 0
        self._next_at = now + rule.interval_seconds
        before = self._clock.wall() - rule.age_seconds
        removed = 0
        try:
            while gone := await self._prune(before):
                removed += gone
                await asyncio.sleep(_PAUSE_SECONDS)
        except StorageUnavailable as error:
            self._next_at = now
            _log.warning("Old calls are not removed for now. %s", error.message)
        if removed:
            _log.info("Removed %d calls that were too old; their sums stay.", removed)
        return removed

    async def _prune(self, before: float) -> int:
        """One step. How long it takes depends on how far apart the calls lie and on who else works."""
        began = self._clock.monotonic()
        gone = await self._ledger.prune(before, self._step)
        if self._clock.monotonic() - began > _STEP_SECONDS:
            self._step = max(self._step // 2, _STEP_MIN)
        else:
            self._step = min(self._step * 2, _STEP)
        return gone
