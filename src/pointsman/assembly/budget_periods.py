"""Has the store begin periods of budgets anew, each once in all processes, and before what is spent in it counts."""

from __future__ import annotations

from typing import Final, NamedTuple

from pointsman.core.clock import Clock
from pointsman.core.identity import KeyRecord
from pointsman.policies.account_book import AccountBook
from pointsman.policies.durations import UTC_MIDNIGHT, next_reset
from pointsman.stores.directory.ports import Due, SpendStore
from pointsman.stores.ports import KeyStore

__all__ = ["BudgetPeriods"]

_AT_ONCE: Final = 1000


class _Ended(NamedTuple):
    """What was found to be over and is not begun anew yet."""

    keys: tuple[KeyRecord, ...] = ()
    others: tuple[Due, ...] = ()


class BudgetPeriods:
    """Keeps :class:`pointsman.accounting.mover.Periods`' promises. ``accounts`` say what is let go of, once set.

    Periods end at whole seconds, so the store is asked once in each at most, whoever wants to know.
    """

    def __init__(self, keys: KeyStore, spend: SpendStore, clock: Clock) -> None:
        self.accounts: AccountBook | None = None
        self.reset_clock = UTC_MIDNIGHT
        self._keys = keys
        self._spend = spend
        self._clock = clock
        self._asked_in = -1
        self._ended = _Ended()

    async def over_at(self) -> float | None:
        """See the port."""
        if self.accounts is None:
            return None  # nobody can say yet what is to stay
        ended = await self._look()
        keys = [record.budget_reset_at for record in ended.keys]
        moments = [*keys, *(due.reset_at for due in ended.others)]
        return min((moment for moment in moments if moment is not None), default=None)

    async def begin(self) -> None:
        """See the port."""
        ended = await self._look()
        now = self._clock.wall()
        # Asked anew if this is not brought to its end, or if there may be more than were found.
        asked_in, self._asked_in, self._ended = self._asked_in, -1, _Ended()
        for record in ended.keys:
            following = next_reset(record.budget_duration, now, self.reset_clock) if record.budget_duration else None
            at_most = None if self.accounts is None else await self.accounts.most_let_go_of_key(record)
            await self._keys.reset_budget(record.token, now, following, at_most)
        for due in ended.others:
            at_most = None if self.accounts is None else await self.accounts.most_let_go(due.meter)
            await self._spend.reset(due.meter, now, next_reset(due.duration, now, self.reset_clock), at_most)
        if max(len(ended.keys), len(ended.others)) < _AT_ONCE:
            self._asked_in = max(asked_in, self._asked_in)

    async def _look(self) -> _Ended:
        now = self._clock.wall()
        if self._ended == _Ended() and int(now) != self._asked_in:
            self._ended = _Ended(await self._keys.budgets_due(now, _AT_ONCE), await self._spend.due(now, _AT_ONCE))
            self._asked_in = int(now)
        return self._ended
