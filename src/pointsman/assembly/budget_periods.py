"""Has the store begin periods of budgets anew, each once in all processes, and before what is spent in it counts."""

from __future__ import annotations

from pointsman.core.clock import Clock
from pointsman.policies.account_book import AccountBook
from pointsman.policies.durations import UTC_MIDNIGHT, next_reset
from pointsman.stores.directory.ports import SpendStore
from pointsman.stores.ports import KeyStore

__all__ = ["BudgetPeriods"]


class BudgetPeriods:
    """Keeps :class:`pointsman.accounting.mover.Periods`' promises. ``accounts`` say what is let go of, once set.

    Periods end at whole seconds, so the store is asked once in each at most.
    """

    def __init__(self, keys: KeyStore, spend: SpendStore, clock: Clock) -> None:
        self.accounts: AccountBook | None = None
        self.reset_clock = UTC_MIDNIGHT
        self._keys = keys
        self._spend = spend
        self._clock = clock
        self._asked_in = -1
        self._over_at: float | None = None

    async def over_at(self) -> float | None:
        """See the port."""
        now = self._clock.wall()
        if self.accounts is None:
            return None  # nobody can say yet what is to stay
        if self._over_at is None and int(now) != self._asked_in:
            keys = [record.budget_reset_at for record in await self._keys.budgets_due(now, 1)]
            moments = [*keys, *(due.reset_at for due in await self._spend.due(now, 1))]
            self._over_at = min((moment for moment in moments if moment is not None), default=None)
            self._asked_in = int(now)
        return self._over_at

    async def begin(self) -> None:
        """See the port."""
        now = self._clock.wall()
        for record in await self._keys.budgets_due(now):
            following = next_reset(record.budget_duration, now, self.reset_clock) if record.budget_duration else None
            at_most = None if self.accounts is None else await self.accounts.most_let_go_of_key(record)
            await self._keys.reset_budget(record.token, now, following, at_most)
        for due in await self._spend.due(now):
            at_most = None if self.accounts is None else await self.accounts.most_let_go(due.meter)
            await self._spend.reset(due.meter, now, next_reset(due.duration, now, self.reset_clock), at_most)
        self._over_at = None
