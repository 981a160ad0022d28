"""What accounts have spent, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pointsman.stores.directory.ports import Account, Changed, Due, Meter, Spent
from pointsman.stores.memory.database import MemoryDatabase, Period

__all__ = ["MemorySpendStore"]


class MemorySpendStore:
    """Keeps :class:`pointsman.stores.directory.ports.SpendStore`'s promises for the life of the process."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def spent(self, meters: Sequence[Meter]) -> Mapping[Meter, Spent]:
        """See the port."""
        return {meter: self._spent(meter) for meter in meters}

    async def set_amount(self, meter: Meter, amount: int) -> Spent:
        """See the port."""
        self._period(meter).baseline = self._spent(meter).total - amount
        return self._noted(meter)

    async def schedule(self, meter: Meter, duration: str | None, reset_at: float | None) -> Spent:
        """See the port."""
        period = self._period(meter)
        period.duration, period.reset_at = duration, reset_at
        return self._noted(meter)

    async def reset(self, meter: Meter, now: float, next_reset_at: float | None, at_most: int | None = None) -> bool:
        """See the port."""
        period = self._database.spend_periods.get(meter)
        if period is None or period.reset_at is None or period.reset_at > now:
            return False
        total = self._spent(meter).total
        period.baseline = total if at_most is None else min(total, period.baseline + at_most)
        period.reset_at = next_reset_at
        self._noted(meter)
        return True

    async def due(self, now: float, limit: int = 1000) -> tuple[Due, ...]:
        """See the port."""
        found = [
            Due(meter, period.duration, period.reset_at)
            for meter, period in self._database.spend_periods.items()
            if period.duration is not None and period.reset_at is not None and period.reset_at <= now
        ]
        found.sort(key=lambda due: (due.reset_at, due.meter))
        return tuple(found[:limit])

    async def forget(self, scope: str, identity: str) -> None:
        """See the port."""
        periods = self._database.spend_periods
        for meter in [meter for meter in periods if (meter.scope, meter.identity) == (scope, identity)]:
            del periods[meter]

    def _spent(self, meter: Meter) -> Spent:
        total = self._database.spend_totals.get(Account(meter.scope, meter.identity, meter.model), 0)
        period = self._database.spend_periods.get(meter)
        return Spent(total) if period is None else Spent(total, period.baseline, period.reset_at)

    def _period(self, meter: Meter) -> Period:
        return self._database.spend_periods.setdefault(meter, Period())

    def _noted(self, meter: Meter) -> Spent:
        self._database.note_entry(Changed("spend", f"{meter.scope}/{meter.identity}"))
        return self._spent(meter)
