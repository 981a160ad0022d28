"""The record of calls in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

import apsw
import msgspec

from pointsman.core.errors import Malformed
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
    day_number,
)
from pointsman.stores.call_rows import record_of, within_range
from pointsman.stores.pages import CallPage, CallQuery
from pointsman.stores.performance import DeploymentUse, PerformanceFound, PerformanceQuery
from pointsman.stores.ports import Appended, DaySpend, EnergySpend, LedgerQuery, LedgerTotals, SummaryQuery
from pointsman.stores.records import Charge, added_up, by_day, daily_rows, latest_first, summary_activity
from pointsman.stores.spend_news import ANYBODY, NEWS_SECONDS, names_of
from pointsman.stores.sqlite.activity import (
    add_activity,
    read_activity,
    read_failures,
    read_ranked,
    read_totals,
    set_activity,
)
from pointsman.stores.sqlite.activity_statements import COUNT_LINES
from pointsman.stores.sqlite.database import SqliteDatabase
from pointsman.stores.sqlite.directory_statements import CHARGE_ACCOUNTS, FORGET_NEWS, NOTE_ENTRY, NOTE_SPENDING
from pointsman.stores.sqlite.filing import Filing, Known, id_of
from pointsman.stores.sqlite.pages import count_calls, prune, read_page
from pointsman.stores.sqlite.performance import read_performance, read_use
from pointsman.stores.sqlite.statements import (
    ADD_DAILY_ENERGY,
    CALL_BY_ANSWER,
    CALL_BY_ID,
    CALLS_BY_KEY,
    CALLS_BY_START,
    CALLS_BY_USER,
    CHARGE_DELETED_KEY,
    CHARGE_KEYS,
    DAILY_ENERGY,
    UNCHARGED_KEYS,
)
from pointsman.stores.sqlite.tag_users import fill_tag_users, read_tag_users, read_users_of_tags
from pointsman.stores.sqlite.transaction import rows
from pointsman.stores.tag_users import TagQuery, TagUserPage, TagUsersFound

__all__ = ["SqliteLedgerStore"]


class _NotPlain(Exception):
    """Some of the calls are known already."""


class SqliteLedgerStore:
    """Keeps :class:`pointsman.stores.ports.LedgerStore`'s promises in a SQLite file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._known: Known | None = None

    async def append(self, records: Sequence[CallRecord]) -> Appended:
        """See the port.

        Raises:
            Malformed: a record cannot be kept; none of them was.
        """
        try:
            try:
                return await self._append(records, _append)
            except (_NotPlain, OverflowError):
                # Seldom: some were known, after a crash or a time-out, or a number is absurd. Nothing was kept.
                return await self._append(records, _append_carefully)
        except (apsw.ConstraintError, UnicodeEncodeError, OverflowError, TypeError) as error:
            raise Malformed(f"A call record cannot be kept ({error}).", code="record_not_kept") from error

    async def _append(
        self, records: Sequence[CallRecord], append: Callable[[Filing, Sequence[CallRecord]], Appended]
    ) -> Appended:
        def job(connection: apsw.Connection) -> tuple[Appended, Known, Filing]:
            known = self._known
            if known is None or known.connection is not connection:
                known = Known(connection)
            filing = Filing(known)
            return append(filing, records), known, filing

        appended, known, filing = await self._database.write(job)
        known.learn(filing)
        self._known = known
        return appended

    async def find(self, query: LedgerQuery) -> tuple[CallRecord, ...]:
        """See the port."""
        return await self._database.read(lambda connection: _find(connection, query), aside=True)

    async def set_activity(self, day: int, routes: str, sums: Mapping[Cell, Counts]) -> int:
        """See the port."""
        # What a filing has met, it may forget: whoever takes over sums is no gateway at work.
        return await self._database.write(
            lambda connection: set_activity(connection, day, routes, sums, Filing(Known(connection)).line_id)
        )

    async def page(self, query: CallQuery) -> CallPage:
        """See the port."""
        return await self._database.read(lambda connection: read_page(connection, query), aside=True)

    async def count(self, query: CallQuery, most: int) -> int:
        """See the port."""
        return await self._database.read(lambda connection: count_calls(connection, query, most), aside=True)

    async def prune(self, before: float, limit: int) -> int:
        """See the port."""
        removed = await self._database.write(lambda connection: prune(connection, before, limit))
        if removed:
            await self._database.give_back_room()
        return removed

    async def summary(self, query: SummaryQuery) -> tuple[DaySpend, ...]:
        """See the port."""
        return await self._database.read(lambda connection: _summary(connection, query), aside=True)

    async def energy(self, query: SummaryQuery) -> tuple[EnergySpend, ...]:
        """See the port."""
        return await self._database.read(lambda connection: _energy(connection, query), aside=True)

    async def performance(self, query: PerformanceQuery) -> PerformanceFound:
        """See the port."""
        return await self._database.read(lambda connection: read_performance(connection, query), aside=True)

    async def use_of_deployments(self, start: float, end: float) -> tuple[DeploymentUse, ...]:
        """See the port."""
        return await self._database.read(lambda connection: read_use(connection, start, end), aside=True)

    async def activity(self, query: ActivityQuery) -> tuple[ActivityRow, ...]:
        """See the port."""
        return await self._database.read(lambda connection: read_activity(connection, query), aside=True)

    async def ranked(self, scope: Scope, first_day: date, last_day: date, limit: int = 100) -> tuple[Ranked, ...]:
        """See the port."""
        span = day_number(first_day), day_number(last_day)
        return await self._database.read(lambda connection: read_ranked(connection, scope, *span, limit), aside=True)

    async def tag_users(self, query: TagQuery) -> TagUsersFound:
        """See the port."""
        return await self._database.read(lambda connection: read_tag_users(connection, query), aside=True)

    async def users_of_tags(self, query: TagQuery) -> TagUserPage:
        """See the port."""
        return await self._database.read(lambda connection: read_users_of_tags(connection, query), aside=True)

    async def catch_up(self, limit: int) -> int:
        """See the port."""
        return await self._database.write(lambda connection: fill_tag_users(connection, limit))

    async def lines(self, most: int) -> int:
        """See the port."""
        return int(
            await self._database.read(lambda connection: connection.execute(COUNT_LINES, (most,)).get, aside=True)
        )

    async def failed_calls(self, query: FailureQuery) -> tuple[FailureRow, ...]:
        """See the port."""
        return await self._database.read(lambda connection: read_failures(connection, query), aside=True)

    async def totals(self) -> LedgerTotals:
        """See the port."""
        return await self._database.read(read_totals, aside=True)


def _append(filing: Filing, records: Sequence[CallRecord]) -> Appended:
    if not filing.add(records):
        raise _NotPlain
    return _count(filing, len(records), filing.sets())


def _append_carefully(filing: Filing, records: Sequence[CallRecord]) -> Appended:
    fresh = [record for record in records if filing.add_one(within_range(record))]
    return _count(filing, len(fresh), [[record] for record in fresh])


def _count(filing: Filing, calls: int, sets: Iterable[Sequence[CallRecord]]) -> Appended:
    """Add what was added up to the days and to the keys."""
    connection = filing.connection
    sums = added_up(sets)
    add_activity(connection, sums.activity, sums.failures, filing.line_id)
    if sums.energy:
        drawn = [(*group, tally.calls, tally.mwh, tally.cost) for group, tally in sums.energy.items()]
        connection.execute(ADD_DAILY_ENERGY, (msgspec.json.encode(drawn).decode(),))
    successors = _charge_keys(connection, sums.charges)
    if sums.accounts:
        charged = msgspec.json.encode([(*account, amount) for account, amount in sums.accounts.items()]).decode()
        connection.execute(CHARGE_ACCOUNTS, (charged,))
        connection.execute(NOTE_ENTRY, ANYBODY)
        connection.execute(NOTE_SPENDING, (names_of(sums.accounts, successors),))
        connection.execute(FORGET_NEWS, (NEWS_SECONDS,))
    return Appended(calls, {token: charge.amount for token, charge in sums.charges.items()}, sums.accounts)


def _charge_keys(connection: apsw.Connection, charges: Mapping[str, Charge]) -> list[str]:
    """Add to what keys spent, and give the keys that were charged in the place of others."""
    values = (msgspec.json.encode([(token, charge.amount, charge.at) for token, charge in charges.items()]).decode(),)
    connection.execute(CHARGE_KEYS, values)
    all_charged = connection.changes() == len(charges)
    if all_charged:
        return []
    uncharged = msgspec.json.decode(connection.execute(UNCHARGED_KEYS, values).get, type=list[str])
    return [name for token in uncharged for name in _charge_removed(connection, token, charges[token])]


def _charge_removed(connection: apsw.Connection, token: str, charge: Charge) -> list[str]:
    """Add to what a deleted key spent; where it was replaced, to what its successor spent, which is given."""
    found = connection.execute("SELECT replaced_by FROM deleted_keys WHERE token = ?", (token,)).fetchall()
    if not found:
        return []  # the master key, or nobody's: such calls have no row to charge
    ((successor,),) = found
    if successor is None:
        connection.execute(CHARGE_DELETED_KEY, (charge.amount, charge.at, token))
        return []
    return [str(successor), *_charge_keys(connection, {str(successor): charge})]


def _find(connection: apsw.Connection, query: LedgerQuery) -> tuple[CallRecord, ...]:
    call_id = None if query.call_id is None else id_of(connection, query.call_id)
    values = {
        "id": call_id,
        "answer_id": query.answer_id,
        "key_token": query.key_token,
        "user_id": query.user_id,
        "start": float("-inf") if query.start is None else query.start,
        "end": float("inf") if query.end is None else query.end,
        "limit": query.limit,
        "offset": query.offset,
    }
    if query.call_id is not None:
        cursor = connection.execute(CALL_BY_ID, values)
    elif query.answer_id is not None:
        cursor = connection.execute(CALL_BY_ANSWER, values)
    elif query.key_token is not None:
        cursor = connection.execute(CALLS_BY_KEY, values)
    elif query.user_id is not None:
        cursor = connection.execute(CALLS_BY_USER, values)
    else:
        cursor = connection.execute(CALLS_BY_START, values)
    found = tuple(record_of(row) for row in rows(cursor))
    return found if query.answer_id is None else latest_first(found)


def _summary(connection: apsw.Connection, query: SummaryQuery) -> tuple[DaySpend, ...]:
    return by_day(daily_rows(read_activity(connection, summary_activity(query))))


def _energy(connection: apsw.Connection, query: SummaryQuery) -> tuple[EnergySpend, ...]:
    found = connection.execute(DAILY_ENERGY, _filters(query))
    return tuple(EnergySpend(date.fromisoformat(str(day)), *others) for day, *others in found)


def _filters(query: SummaryQuery) -> dict[str, str | None]:
    return {
        "first_day": query.first_day.isoformat(),
        "last_day": query.last_day.isoformat(),
        "key_token": query.key_token,
        "user_id": query.user_id,
    }
