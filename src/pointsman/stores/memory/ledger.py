"""The record of calls in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from datetime import date

from pointsman.core.outcome import CallRecord
from pointsman.stores.activity import (
    ActivityQuery,
    ActivityRow,
    Cell,
    Counts,
    FailureQuery,
    FailureRow,
    Ranked,
    Scope,
    summed_without_owners,
)
from pointsman.stores.directory.ports import Changed
from pointsman.stores.energy import EnergyTally
from pointsman.stores.memory.activity import activity_of, failures_of, tag_users_of, users_of_tags
from pointsman.stores.memory.database import MemoryDatabase
from pointsman.stores.memory.performance import performance_of, use_of
from pointsman.stores.pages import CallPage, CallQuery, bad_cursor, cursor_time, wants
from pointsman.stores.performance import DeploymentUse, PerformanceFound, PerformanceQuery
from pointsman.stores.ports import Appended, DaySpend, EnergySpend, LedgerQuery, LedgerTotals, SummaryQuery
from pointsman.stores.records import (
    Charge,
    added_up,
    by_day,
    charged_record,
    daily_rows,
    latest_first,
    summary_activity,
)
from pointsman.stores.spend_news import SPENDING
from pointsman.stores.tag_users import TagQuery, TagUserPage, TagUsersFound

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
        for cell, counts in sums.activity.items():
            self._database.activity.setdefault(cell, Counts()).add(counts)
        for group, failed in sums.failures.items():
            self._database.failures[group] = self._database.failures.get(group, 0) + failed
        for drawn, part in sums.energy.items():
            self._database.energy.setdefault(drawn, EnergyTally()).add(part.calls, part.mwh, part.cost)
        self._database.charge_accounts(sums.accounts)
        for token, charge in sums.charges.items():
            self._charge(token, charge)
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
            if charge.amount:
                database.note_entry(Changed(SPENDING, f"key/{token}"))
        if token in database.keys:
            database.keys[token] = charged_record(database.keys[token], charge)

    async def find(self, query: LedgerQuery) -> tuple[CallRecord, ...]:
        """See the port."""
        found = [record for record in self._database.calls.values() if _matches(query, record)]
        if query.answer_id is not None:
            return latest_first(found)[query.offset : query.offset + query.limit]
        found.reverse()
        found.sort(key=lambda record: record.started_at, reverse=True)
        return tuple(found[query.offset : query.offset + query.limit])

    async def set_activity(self, day: int, routes: str, sums: Mapping[Cell, Counts]) -> int:
        """See the port."""
        self._set(day, routes, summed_without_owners(sums))
        return self._set(day, routes, sums)

    def _set(self, day: int, routes: str, sums: Mapping[Cell, Counts]) -> int:
        kept, scopes = self._database.activity, {cell.scope for cell in sums}
        gone = [
            cell
            for cell in kept
            if cell.day == day and cell.scope in scopes and cell.line.route.startswith(routes) and cell not in sums
        ]
        for cell in gone:
            del kept[cell]
        changed = len(gone) + sum(kept.get(cell) != counts for cell, counts in sums.items())
        kept.update({cell: copy(counts) for cell, counts in sums.items()})
        return changed

    async def page(self, query: CallQuery) -> CallPage:
        """See the port."""
        matching = [record for record in self._in_order(query) if wants(query, record)]
        found = matching[query.offset : query.offset + query.limit]
        more = len(matching) > query.offset + len(found)
        last = found[-1] if found and more else None
        return CallPage(tuple(found), None if last is None else f"{cursor_time(last.started_at)}_{last.call_id}")

    async def count(self, query: CallQuery, most: int) -> int:
        """See the port."""
        return min(most, sum(wants(query, record) for record in self._in_order(query)))

    async def prune(self, before: float, limit: int) -> int:
        """See the port."""
        calls = self._database.calls
        old = sorted((record.started_at, call_id) for call_id, record in calls.items() if record.started_at < before)
        for _, call_id in old[:limit]:
            del calls[call_id]
        return len(old[:limit])

    def _in_order(self, query: CallQuery) -> list[CallRecord]:
        """The calls behind the cursor, latest start first."""
        records = sorted(
            self._database.calls.values(), key=lambda record: (record.started_at, record.call_id), reverse=True
        )
        if query.cursor is None:
            return records
        at, _, call_id = query.cursor.partition("_")
        try:
            place = float.fromhex(at), call_id
        except (ValueError, OverflowError):
            raise bad_cursor() from None
        return [record for record in records if (record.started_at, record.call_id) < place]

    async def summary(self, query: SummaryQuery) -> tuple[DaySpend, ...]:
        """See the port."""
        return by_day(daily_rows(activity_of(self._database.activity, summary_activity(query))))

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

    async def performance(self, query: PerformanceQuery) -> PerformanceFound:
        """See the port."""
        return PerformanceFound(performance_of(self._database.calls.values(), query))

    async def use_of_deployments(self, start: float, end: float) -> tuple[DeploymentUse, ...]:
        """See the port."""
        return use_of(self._database.calls.values(), start, end)

    async def activity(self, query: ActivityQuery) -> tuple[ActivityRow, ...]:
        """See the port."""
        return activity_of(self._database.activity, query)

    async def ranked(self, scope: Scope, first_day: date, last_day: date, limit: int = 100) -> tuple[Ranked, ...]:
        """See the port."""
        query = ActivityQuery(
            first_day=first_day, last_day=last_day, scope=scope, by=("identity",), order="spend", limit=limit
        )
        found = activity_of(self._database.activity, query)
        return tuple(Ranked(row.identity, row.counts.calls, row.counts.spend) for row in found)

    async def tag_users(self, query: TagQuery) -> TagUsersFound:
        """See the port."""
        return tag_users_of(self._database.activity, query)

    async def users_of_tags(self, query: TagQuery) -> TagUserPage:
        """See the port."""
        return users_of_tags(self._database.activity, query)

    async def catch_up(self, limit: int) -> int:
        """See the port."""
        return 0

    async def lines(self, most: int) -> int:
        """See the port."""
        return min(most, len({cell.line for cell in self._database.activity}))

    async def failed_calls(self, query: FailureQuery) -> tuple[FailureRow, ...]:
        """See the port."""
        return failures_of(self._database.failures, query)

    async def totals(self) -> LedgerTotals:
        """See the port."""
        total = Counts()
        for cell, counts in self._database.activity.items():
            if cell.scope == "all":
                total.add(counts)
        return LedgerTotals(total.calls, total.failures, total.prompt_tokens, total.completion_tokens, total.spend)


def _matches(query: LedgerQuery, record: CallRecord) -> bool:
    return (
        query.call_id in {None, record.call_id}
        and query.answer_id in {None, record.answer_id}
        and query.key_token in {None, record.key_token}
        and query.user_id in {None, record.user_id}
        and (query.start is None or record.started_at >= query.start)
        and (query.end is None or record.started_at < query.end)
    )
