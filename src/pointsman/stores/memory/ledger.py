"""The record of calls in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from pointsman.core.outcome import CallRecord
from pointsman.stores.energy import EnergyTally
from pointsman.stores.memory.database import MemoryDatabase
from pointsman.stores.memory.performance import performance_of
from pointsman.stores.performance import PerformanceQuery, PerformanceRow
from pointsman.stores.ports import Appended, DaySpend, EnergySpend, LedgerQuery, LedgerTotals, SummaryQuery
from pointsman.stores.records import Charge, DailyRow, Tally, added_up, by_day, charged_record

__all__ = ["MemoryLedgerStore"]


class MemoryLedgerStore:
    """Keeps :class:`pointsman.stores.ports.LedgerStore`'s promises for the life of the process."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def append(self, records: Sequence[CallRecord]) -> Appended:
        """See the port."""
        calls = self._database.calls
        first: dict[str, CallRecord] = {}
        for record in records:
            if record.call_id not in calls:
                first.setdefault(record.call_id, record)
        sums = added_up([record] for record in first.values())
        calls.update(first)
        for group, tally in sums.daily.items():
            self._database.daily.setdefault(group, Tally()).add(tally)
        for drawn, part in sums.energy.items():
            self._database.energy.setdefault(drawn, EnergyTally()).add(part.calls, part.mwh, part.cost)
        for token, charge in sums.charges.items():
            self._charge(token, charge)
        self._database.charge_accounts(sums.accounts)
        while len(calls) > self._database.calls_max:
            calls.popitem(last=False)
        return Appended(len(first), {token: charge.amount for token, charge in sums.charges.items()}, sums.accounts)

    def _charge(self, token: str, charge: Charge) -> None:
        database = self._database
        while token not in database.keys and token in database.removed:
            record, removal = database.removed[token]
            if removal.replaced_by is None:
                database.removed[token] = (charged_record(record, charge), removal)
                return
            token = removal.replaced_by
        if token in database.keys:
            database.keys[token] = charged_record(database.keys[token], charge)
            if charge.amount:
                database.note_change(token)

    async def find(self, query: LedgerQuery) -> tuple[CallRecord, ...]:
        """See the port."""
        found = [record for record in self._database.calls.values() if _matches(query, record)]
        found.reverse()
        found.sort(key=lambda record: record.started_at, reverse=True)
        return tuple(found[query.offset : query.offset + query.limit])

    async def summary(self, query: SummaryQuery) -> tuple[DaySpend, ...]:
        """See the port."""
        first, last = query.first_day.isoformat(), query.last_day.isoformat()
        rows = [
            DailyRow(group.day, group.key_token, group.user_id, group.model_group, tally.calls, tally.spend)
            for group, tally in self._database.daily.items()
            if first <= group.day <= last
            and query.key_token in {None, group.key_token}
            and query.user_id in {None, group.user_id}
        ]
        return by_day(sorted(rows))

    async def energy(self, query: SummaryQuery) -> tuple[EnergySpend, ...]:
        """See the port."""
        first, last = query.first_day.isoformat(), query.last_day.isoformat()
        return tuple(
            EnergySpend(date.fromisoformat(group.day), *group[1:], tally.calls, tally.mwh, tally.cost)
            for group, tally in sorted(self._database.energy.items(), key=lambda item: item[0])
            if first <= group.day <= last
            and query.key_token in {None, group.key_token}
            and query.user_id in {None, group.user_id}
        )

    async def performance(self, query: PerformanceQuery) -> tuple[PerformanceRow, ...]:
        """See the port."""
        return performance_of(self._database.calls.values(), query)

    async def totals(self) -> LedgerTotals:
        """See the port."""
        total = Tally()
        for tally in self._database.daily.values():
            total.add(tally)
        return LedgerTotals(**msgspec.structs.asdict(total))


def _matches(query: LedgerQuery, record: CallRecord) -> bool:
    return (
        query.call_id in {None, record.call_id}
        and query.key_token in {None, record.key_token}
        and query.user_id in {None, record.user_id}
        and (query.start is None or record.started_at >= query.start)
        and (query.end is None or record.started_at < query.end)
    )
