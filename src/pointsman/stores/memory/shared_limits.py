"""Shared limits in the memory of one process: for several of its parts, and as the measure for other stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from pointsman.core.clock import Clock
from pointsman.stores.shared_limits import (
    GATHER_SECONDS,
    LIVE_SECONDS,
    SETTLED_SECONDS,
    Answer,
    Deal,
    Trade,
    Used,
)

__all__ = ["MemorySharedLimits", "SharedMemory"]

_MILLISECONDS: Final = 1_000


class _Held(msgspec.Struct):
    held: int = 0
    settled: int = 0
    spent: int = 0


class _Window:
    """Units by moment."""

    def __init__(self, grain: int, moments: int) -> None:
        self.grain, self.moments = grain, moments
        self.units: dict[int, int] = {}

    def used(self, moment: int) -> int:
        first = moment - self.moments + 1
        self.units = {at: units for at, units in self.units.items() if at >= first}
        return sum(self.units.values())

    def count(self, at: int, units: int, moment: int) -> None:
        if at <= moment - self.moments or not units:
            return
        at = min(at, moment)
        self.units[at] = max(self.units.get(at, 0) + units, 0)

    def wait(self, free: int, single: int, moment: int) -> int:
        for ahead in range(1, self.moments + 1):
            free += self.units.get(moment + ahead - self.moments, 0)
            if free >= single:
                return ahead * self.grain
        return (self.moments - 1) * self.grain


class SharedMemory:
    """What the processes, here parts of one, have in common. ``clock``'s wall time is the store's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.forget()

    @property
    def milliseconds(self) -> int:
        """Now."""
        return int(self._clock.wall() * _MILLISECONDS)

    def forget(self) -> None:
        """Lose everything, as a store without a disk does when it ends."""
        self.epoch: int | None = None
        self.windows: dict[str, _Window] = {}
        self.held: dict[str, dict[str, _Held]] = {}
        self.lives_until: dict[str, int] = {}
        self.told: set[str] = set()


class MemorySharedLimits:
    """The view that the process ``holder`` has of ``memory``; see ``SharedLimits``."""

    def __init__(self, memory: SharedMemory, holder: str) -> None:
        self._memory = memory
        self._holder = holder
        self._epoch: int | None = None

    async def exchange(self, trades: Sequence[Trade], *, whole: bool = False) -> Answer:
        """See the protocol."""
        now = self._appear()
        if not self._is_settled(now):
            return Answer(now / _MILLISECONDS, self._replicas(now), None, self._epoch != self._memory.epoch)
        sums = [self._take(trade, now) for trade in trades]
        mosts = [_most(trade, used) for trade, used in zip(trades, sums, strict=True)]
        fits = all(trade.need <= max(most, 0) for trade, most in zip(trades, mosts, strict=True))
        may = fits or not whole
        deals = (
            self._grant(trade, used, most if may else None, now)
            for trade, used, most in zip(trades, sums, mosts, strict=True)
        )
        return Answer(now / _MILLISECONDS, self._replicas(now), tuple(deals))

    async def recall(self, used: Sequence[Used]) -> None:
        """See the protocol."""
        now = self._appear()
        self._epoch = self._memory.epoch
        if self._holder in self._memory.told:
            return
        self._memory.told.add(self._holder)
        for one in used:
            window = self._window(one.account, one.grain, one.moments)
            moment = now // _MILLISECONDS // one.grain
            for at, units in one.units:
                window.count(at, units, moment)

    async def beat(self) -> Answer:
        """See the protocol."""
        return await self.exchange(())

    async def leave(self, holder: str | None = None, *, settled_seconds: int = SETTLED_SECONDS) -> None:
        """See the protocol."""
        memory, who = self._memory, holder or self._holder
        if who in memory.lives_until:
            memory.lives_until[who] = memory.milliseconds - (SETTLED_SECONDS - settled_seconds) * _MILLISECONDS

    def _appear(self) -> int:
        memory = self._memory
        now = memory.milliseconds
        memory.lives_until[self._holder] = now + LIVE_SECONDS * _MILLISECONDS
        if memory.epoch is None:
            memory.epoch = now
        return now

    def _is_settled(self, now: int) -> bool:
        epoch = self._memory.epoch
        return epoch is not None and self._epoch == epoch and now >= epoch + GATHER_SECONDS * _MILLISECONDS

    def _replicas(self, now: int) -> int:
        return sum(until > now for until in self._memory.lives_until.values())

    def _window(self, account: str, grain: int, moments: int) -> _Window:
        return self._memory.windows.setdefault(account, _Window(grain, moments))

    def _take(self, trade: Trade, now: int) -> int:
        """Do what is to be done in any case, and give what all use then."""
        if not trade.grain:
            return self._take_held(trade, now)
        window, moment = self._window(trade.account, trade.grain, trade.moments), now // _MILLISECONDS // trade.grain
        window.used(moment)  # what is too old to count is dropped first
        for at, units in trade.changes:
            window.count(at, units, moment)
        if trade.kept > 0 and trade.kept_at < moment:
            window.count(trade.kept_at, -trade.kept, moment)
            window.count(moment, trade.kept, moment)
        return window.used(moment)

    def _take_held(self, trade: Trade, now: int) -> int:
        holders = self._memory.held.setdefault(trade.account, {})
        used, spent = trade.held + trade.settled, trade.spent
        for holder, what in holders.items():
            if holder == self._holder:
                continue
            until = self._memory.lives_until.get(holder, 0)
            if until <= now:
                what.held = what.spent = 0
            if until + SETTLED_SECONDS * _MILLISECONDS <= now:
                what.settled = 0
            used += what.held + what.settled
            spent = max(spent, what.spent)
        return used + spent

    def _grant(self, trade: Trade, used: int, most: int | None, now: int) -> Deal:
        """Grant what fits, nothing where ``most`` is None."""
        granted = 0
        missing = trade.need > max(_most(trade, used), 0)
        if most is not None:
            room = max(trade.limit - used, 0)
            in_advance = min(trade.wish, room // (2 * self._replicas(now)))
            granted = max(trade.need, in_advance) if trade.need <= max(most, 0) else max(most, 0)
        if not trade.grain:
            self._memory.held[trade.account][self._holder] = _Held(trade.held + granted, trade.settled, trade.spent)
            return Deal(granted, used + granted, missed=missing)
        window, moment = self._window(trade.account, trade.grain, trade.moments), now // _MILLISECONDS // trade.grain
        wait = window.wait(trade.limit - used, trade.single, moment) if missing else 0
        window.count(moment, granted, moment)
        return Deal(granted, used + granted, wait, missing)


def _most(trade: Trade, used: int) -> int:
    """Units that can be granted: what is left, and of money the rest of the request that goes over the edge."""
    room = trade.limit - used
    return room + max(trade.single - 1, 0) if trade.edge and room + trade.idle > 0 else room
