"""The record of calls in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import apsw
import msgspec

from pointsman.core.errors import Malformed
from pointsman.core.outcome import CallRecord
from pointsman.core.usage import Usage
from pointsman.stores.ports import Appended, DaySpend, LedgerQuery, LedgerTotals, SummaryQuery
from pointsman.stores.records import Charge, DailyRow, by_day, charges, saturated, tallies
from pointsman.stores.sqlite.database import SqliteDatabase
from pointsman.stores.sqlite.statements import (
    ADD_CALL,
    ADD_DAILY,
    CALLS_BY_ID,
    CALLS_BY_KEY,
    CALLS_BY_START,
    CALLS_BY_USER,
    CHARGE_DELETED_KEY,
    CHARGE_KEY,
    DAILY,
    TOTALS,
)
from pointsman.stores.sqlite.transaction import rows

__all__ = ["SqliteLedgerStore"]

_HALF: Final = 2**32
_USAGE_COLUMNS: Final = (
    ("prompt", "prompt_tokens"),
    ("completion", "completion_tokens"),
    ("cached", "cached_tokens"),
    ("cache_write", "cache_write_tokens"),
    ("reasoning", "reasoning_tokens"),
    ("audio_input", "audio_input_tokens"),
    ("audio_output", "audio_output_tokens"),
    ("source", "usage_source"),
)


class SqliteLedgerStore:
    """Keeps :class:`pointsman.stores.ports.LedgerStore`'s promises in a SQLite file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def append(self, records: Sequence[CallRecord]) -> Appended:
        """See the port.

        Raises:
            Malformed: a record cannot be kept; none of them was.
        """
        try:
            return await self._database.write(lambda connection: _append(connection, records))
        except (apsw.ConstraintError, UnicodeEncodeError) as error:
            raise Malformed(f"A call record cannot be kept ({error}).", code="record_not_kept") from error

    async def find(self, query: LedgerQuery) -> tuple[CallRecord, ...]:
        """See the port."""
        return await self._database.read(lambda connection: _find(connection, query))

    async def summary(self, query: SummaryQuery) -> tuple[DaySpend, ...]:
        """See the port."""
        return await self._database.read(lambda connection: _summary(connection, query))

    async def totals(self) -> LedgerTotals:
        """See the port."""
        return await self._database.read(_totals)


def _append(connection: apsw.Connection, records: Sequence[CallRecord]) -> Appended:
    fresh = _add_new(connection, records)
    daily = [
        (*group, tally.calls, tally.failures, tally.prompt_tokens, tally.completion_tokens, tally.spend)
        for group, tally in tallies(fresh).items()
    ]
    connection.executemany(ADD_DAILY, daily)
    charged = charges(fresh)
    for token, charge in charged.items():
        _charge(connection, token, charge)
    return Appended(len(fresh), {token: charge.amount for token, charge in charged.items()})


def _add_new(connection: apsw.Connection, records: Sequence[CallRecord]) -> Sequence[CallRecord]:
    """Add the calls that are not known yet, and give these."""
    connection.execute("SAVEPOINT calls")
    before = connection.total_changes()
    try:
        connection.executemany(ADD_CALL, map(_columns, records))
    except OverflowError:
        connection.execute("ROLLBACK TO calls")
        before = connection.total_changes()
        connection.executemany(ADD_CALL, [_columns(_within_range(record)) for record in records])
    if connection.total_changes() - before == len(records):
        return records
    # Seldom: some were known, after a crash or a time-out. SQLite does not say which, so ask and begin again.
    connection.execute("ROLLBACK TO calls")
    ids = msgspec.json.encode([record.call_id for record in records]).decode()
    known = {
        str(call_id)
        for (call_id,) in connection.execute(
            "SELECT call_id FROM calls WHERE call_id IN (SELECT value FROM json_each(?))", (ids,)
        )
    }
    fresh: dict[str, CallRecord] = {}
    for record in records:
        if record.call_id not in known:
            fresh.setdefault(record.call_id, record)
    connection.executemany(ADD_CALL, [_columns(_within_range(record)) for record in fresh.values()])
    return tuple(fresh.values())


def _charge(connection: apsw.Connection, token: str, charge: Charge) -> None:
    """Add to what a key spent; where it was replaced, to what its successor spent."""
    while True:
        values = {"token": token, "amount": charge.amount, "at": charge.at}
        connection.execute(CHARGE_KEY, values)
        if connection.changes():
            if charge.amount:
                connection.execute("INSERT OR REPLACE INTO key_changes (token) VALUES (?)", (token,))
            return
        found = connection.execute("SELECT replaced_by FROM deleted_keys WHERE token = ?", (token,)).fetchall()
        if not found:
            return  # the master key, or nobody's: such calls have no row to charge
        ((successor,),) = found
        if successor is None:
            connection.execute(CHARGE_DELETED_KEY, values)
            return
        token = str(successor)


def _find(connection: apsw.Connection, query: LedgerQuery) -> tuple[CallRecord, ...]:
    values = {
        "call_id": query.call_id,
        "key_token": query.key_token,
        "user_id": query.user_id,
        "start": float("-inf") if query.start is None else query.start,
        "end": float("inf") if query.end is None else query.end,
        "limit": query.limit,
        "offset": query.offset,
    }
    if query.call_id is not None:
        cursor = connection.execute(CALLS_BY_ID, values)
    elif query.key_token is not None:
        cursor = connection.execute(CALLS_BY_KEY, values)
    elif query.user_id is not None:
        cursor = connection.execute(CALLS_BY_USER, values)
    else:
        cursor = connection.execute(CALLS_BY_START, values)
    return tuple(_record(row) for row in rows(cursor))


def _summary(connection: apsw.Connection, query: SummaryQuery) -> tuple[DaySpend, ...]:
    values = {
        "first_day": query.first_day.isoformat(),
        "last_day": query.last_day.isoformat(),
        "key_token": query.key_token,
        "user_id": query.user_id,
    }
    return by_day([DailyRow(*row) for row in connection.execute(DAILY, values)])


def _totals(connection: apsw.Connection) -> LedgerTotals:
    row: tuple[Any, ...] = connection.execute(TOTALS).fetchall()[0]
    sums = [saturated(high * _HALF + low) for high, low in zip(row[2::2], row[3::2], strict=True)]
    return LedgerTotals(row[0], row[1], *sums)


def _within_range(record: CallRecord) -> CallRecord:
    """The record with whole numbers of 63 bits, whatever an upstream claimed to have used."""
    names = [name for name, _ in _USAGE_COLUMNS[:-1]]
    usage = msgspec.structs.replace(record.usage, **{name: saturated(getattr(record.usage, name)) for name in names})
    return msgspec.structs.replace(record, usage=usage, cost=saturated(record.cost))


def _columns(record: CallRecord) -> tuple[Any, ...]:
    """The values for ``ADD_CALL``, in its order."""
    usage = record.usage
    return (
        record.call_id,
        record.operation,
        record.route,
        record.started_at,
        record.ended_at,
        record.first_token_at,
        record.status,
        record.http_status,
        record.error_code,
        record.error_message,
        record.key_token,
        record.key_alias,
        record.user_id,
        record.team_id,
        record.end_user,
        record.model_requested,
        record.model_group,
        record.deployment_id,
        record.model,
        record.provider,
        record.api_base,
        usage.prompt,
        usage.completion,
        usage.cached,
        usage.cache_write,
        usage.reasoning,
        usage.audio_input,
        usage.audio_output,
        usage.source,
        record.cost,
        record.attempts,
        record.stream,
        record.overhead_ms,
        msgspec.json.encode(record.tags).decode() if record.tags else "[]",
        record.peer,
        None if record.prompt is None else bytes(record.prompt).decode("utf-8", "replace"),
        None if record.reply is None else bytes(record.reply).decode("utf-8", "replace"),
    )


def _record(row: dict[str, Any]) -> CallRecord:
    row["usage"] = Usage(**{field: row.pop(column) for field, column in _USAGE_COLUMNS})
    row["tags"] = msgspec.json.decode(row["tags"])
    row["stream"] = bool(row["stream"])
    prompt, reply = row.pop("prompt"), row.pop("reply")
    record = msgspec.convert(row, CallRecord)
    # Set afterwards, since msgspec does not convert to a union with Raw.
    record.prompt = None if prompt is None else msgspec.Raw(prompt.encode())
    record.reply = None if reply is None else msgspec.Raw(reply.encode())
    return record
