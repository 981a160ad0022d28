"""The record of calls in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import asyncpg

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
    summed_without_owners,
)
from pointsman.stores.call_rows import record_of, within_range
from pointsman.stores.pages import CallPage, CallQuery
from pointsman.stores.performance import DeploymentUse, PerformanceFound, PerformanceQuery
from pointsman.stores.ports import Appended, DaySpend, EnergySpend, LedgerQuery, LedgerTotals, SummaryQuery
from pointsman.stores.postgres.activity import (
    read_activity,
    read_failures,
    read_ranked,
    read_totals,
    set_activity,
)
from pointsman.stores.postgres.activity_statements import COUNT_LINES
from pointsman.stores.postgres.charging import count
from pointsman.stores.postgres.database import PostgresDatabase
from pointsman.stores.postgres.filing import Filing, Known, columns_of, contents_of, find_call
from pointsman.stores.postgres.pages import count_calls, place_of, prune, read_page
from pointsman.stores.postgres.performance import read_performance
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.statements import (
    ADD_CALLS,
    ADD_CONTENTS,
    CALL_BY_ANSWER,
    CALL_BY_ID,
    CALLS_BY_KEY,
    CALLS_BY_START,
    CALLS_BY_USER,
    DAILY_ENERGY,
    TOGETHER,
    USE_OF_DEPLOYMENTS,
)
from pointsman.stores.postgres.tag_users import fill_tag_users, read_tag_users, read_users_of_tags
from pointsman.stores.postgres.text import indexed, kept, told, told_columns
from pointsman.stores.records import by_day, daily_rows, latest_first, summary_activity
from pointsman.stores.tag_users import TagQuery, TagUserPage, TagUsersFound

__all__ = ["PostgresLedgerStore"]

_AT_ONCE: Final = 250
"""Calls in one statement: making it holds the event loop for about a millisecond."""


class PostgresLedgerStore:
    """Keeps :class:`pointsman.stores.ports.LedgerStore`'s promises in PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._known: Known | None = None

    async def append(self, records: Sequence[CallRecord]) -> Appended:
        """See the port.

        Raises:
            Malformed: a record cannot be kept; none of them was.
        """
        if not records:
            return Appended(0, {})
        try:
            try:
                return await self._append(records)
            except (asyncpg.DataError, OverflowError):
                # Seldom: an upstream claimed to have used an absurd number. Nothing was kept.
                return await self._append([within_range(record) for record in records])
        except (
            asyncpg.DataError,
            asyncpg.IntegrityConstraintViolationError,
            asyncpg.ProgramLimitExceededError,
            UnicodeEncodeError,
            OverflowError,
            TypeError,
        ) as error:
            raise Malformed(f"A call record cannot be kept ({error}).", code="record_not_kept") from error

    async def _append(self, records: Sequence[CallRecord]) -> Appended:
        async def job(session: Session) -> tuple[Appended, Known, Filing]:
            known = self._known
            if known is None or known.session is not session:
                known = Known(session, 0 if known is None else known.made)
            filing = Filing(known, records)
            await filing.resolve(session)
            return await _add(session, filing, records), known, filing

        appended, known, filing = await self._database.write(job)
        known.learn(filing)
        self._known = known
        return appended

    async def find(self, query: LedgerQuery) -> tuple[CallRecord, ...]:
        """See the port."""
        return await self._database.read(lambda session: _find(session, query))

    async def set_activity(self, day: int, routes: str, sums: Mapping[Cell, Counts]) -> int:
        """See the port."""

        async def job(session: Session) -> int:
            await session.execute(TOGETHER)
            filing = Filing(Known(session), ())
            await filing.resolve_lines(session, {cell.line for cell in (*sums, *summed_without_owners(sums))})
            return await set_activity(session, day, routes, sums, filing.lines)

        return await self._database.write(job, aside=True)

    async def page(self, query: CallQuery) -> CallPage:
        """See the port."""
        place = place_of(query)
        return await self._database.read(lambda session: read_page(session, query, place))

    async def count(self, query: CallQuery, most: int) -> int:
        """See the port."""
        place = place_of(query)
        return await self._database.read(lambda session: count_calls(session, query, place, most))

    async def prune(self, before: float, limit: int) -> int:
        """See the port."""
        return await self._database.write(lambda session: prune(session, before, limit), aside=True)

    async def summary(self, query: SummaryQuery) -> tuple[DaySpend, ...]:
        """See the port."""
        return by_day(daily_rows(await self.activity(summary_activity(query))))

    async def energy(self, query: SummaryQuery) -> tuple[EnergySpend, ...]:
        """See the port."""
        rows = await self._database.look(lambda session: session.rows(DAILY_ENERGY, *_filters(query)), aside=True)
        return tuple(EnergySpend(date.fromisoformat(row[0]), *_told(row[1:])) for row in rows)

    async def performance(self, query: PerformanceQuery) -> PerformanceFound:
        """See the port."""
        return await self._database.read(lambda session: read_performance(session, query))

    async def use_of_deployments(self, start: float, end: float) -> tuple[DeploymentUse, ...]:
        """See the port."""
        rows = await self._database.look(lambda session: session.rows(USE_OF_DEPLOYMENTS, start, end), aside=True)
        return tuple(DeploymentUse(told(row[0]), *row[1:]) for row in rows)

    async def activity(self, query: ActivityQuery) -> tuple[ActivityRow, ...]:
        """See the port."""
        return await self._database.read(lambda session: read_activity(session, query))

    async def ranked(self, scope: Scope, first_day: date, last_day: date, limit: int = 100) -> tuple[Ranked, ...]:
        """See the port."""
        days = day_number(first_day), day_number(last_day)
        return await self._database.look(lambda session: read_ranked(session, scope, days, limit), aside=True)

    async def tag_users(self, query: TagQuery) -> TagUsersFound:
        """See the port."""
        return await self._database.read(lambda session: read_tag_users(session, query))

    async def users_of_tags(self, query: TagQuery) -> TagUserPage:
        """See the port."""
        return await self._database.read(lambda session: read_users_of_tags(session, query))

    async def catch_up(self, limit: int) -> int:
        """See the port."""
        return await self._database.alone(lambda session: fill_tag_users(session, limit))

    async def lines(self, most: int) -> int:
        """See the port."""
        return await self._database.look(lambda session: session.whole(COUNT_LINES, most), aside=True) or 0

    async def failed_calls(self, query: FailureQuery) -> tuple[FailureRow, ...]:
        """See the port."""
        return await self._database.look(lambda session: read_failures(session, query), aside=True)

    async def totals(self) -> LedgerTotals:
        """See the port."""
        return await self._database.look(read_totals, aside=True)


async def _add(session: Session, filing: Filing, records: Sequence[CallRecord]) -> Appended:
    """Add the calls, and to every sum those of them that are new."""
    new: set[int] = set()
    for start in range(0, len(records), _AT_ONCE):
        end = min(start + _AT_ONCE, len(records))
        new.update(call for (call,) in await session.rows(ADD_CALLS, *columns_of(filing, records, start, end)))
    fresh: list[tuple[int, CallRecord]] = []
    sets: dict[object, list[CallRecord]] = {}
    for index, record in enumerate(records):
        origin, number = filing.ids[index]
        call = (filing.origins[origin] << 32) + number
        if call in new:
            new.remove(call)  # the same one may come twice in a batch
            fresh.append((call, record))
            sets.setdefault(filing.contexts[index], []).append(record)
    contents = contents_of(fresh)
    if contents:
        await session.execute(ADD_CONTENTS, *[list(column) for column in zip(*contents, strict=True)])
    return await count(session, filing, len(fresh), sets.values())


async def _find(session: Session, query: LedgerQuery) -> tuple[CallRecord, ...]:
    call = None
    if query.call_id is not None:
        call = await find_call(session, query.call_id)
        if call is None:
            return ()
    named: object = call
    statement = CALLS_BY_START
    if query.call_id is not None:
        statement = CALL_BY_ID
    elif query.answer_id is not None:
        statement, named = CALL_BY_ANSWER, kept(query.answer_id)
    elif query.key_token is not None:
        statement = CALLS_BY_KEY
    elif query.user_id is not None:
        statement = CALLS_BY_USER
    start = float("-inf") if query.start is None else query.start
    end = float("inf") if query.end is None else query.end
    rows = await session.named(
        statement, named, _wanted(query.key_token), _wanted(query.user_id), start, end, query.limit, query.offset
    )
    found = tuple(record_of(told_columns(row)) for row in rows)
    return found if query.answer_id is None else latest_first(found)


def _filters(query: SummaryQuery) -> tuple[str | None, ...]:
    days = (query.first_day.isoformat(), query.last_day.isoformat())
    return (*days, _wanted(query.key_token), _wanted(query.user_id))


def _told(row: Sequence[Any]) -> list[Any]:
    return [told(value) if isinstance(value, str) else value for value in row]


def _wanted(text: str | None) -> str | None:
    return None if text is None else indexed(text)
