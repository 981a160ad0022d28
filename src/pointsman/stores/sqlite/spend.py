"""What accounts have spent, in SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

import apsw
import msgspec

from pointsman.stores.directory.ports import Due, Meter, Spent
from pointsman.stores.sqlite.database import SqliteDatabase
from pointsman.stores.sqlite.directory_statements import (
    DUE_PERIODS,
    FORGET_PERIODS,
    NEXT_PERIOD,
    NOTE_ENTRY,
    RESET_PERIOD,
    SCHEDULE_PERIOD,
    SET_BASELINE,
    SPENT,
)
from pointsman.stores.sqlite.stillness import Mark

__all__ = ["SqliteSpendStore"]


class SqliteSpendStore:
    """Keeps :class:`pointsman.stores.directory.ports.SpendStore`'s promises in a SQLite file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._none_due: tuple[float, Mark | None] = -inf, None

    async def spent(self, meters: Sequence[Meter]) -> Mapping[Meter, Spent]:
        """See the port."""
        return await self._database.read(lambda connection: _spent(connection, meters))

    async def set_amount(self, meter: Meter, amount: int) -> Spent:
        """See the port."""
        return await self._database.write(lambda connection: _set_amount(connection, meter, amount), durable=True)

    async def schedule(self, meter: Meter, duration: str | None, reset_at: float | None) -> Spent:
        """See the port."""
        values = {**_names(meter), "duration": duration, "reset_at": reset_at}
        return await self._database.write(
            lambda connection: _changed(connection, SCHEDULE_PERIOD, meter, values), durable=True
        )

    async def reset(self, meter: Meter, now: float, next_reset_at: float | None, at_most: int | None = None) -> bool:
        """See the port."""

        def job(connection: apsw.Connection) -> bool:
            values = {**_names(meter), "now": now, "next_reset_at": next_reset_at, "at_most": at_most}
            connection.execute(RESET_PERIOD, values)
            done = connection.changes() > 0
            if done:
                _note(connection, meter)
            return done

        return await self._database.write(job, durable=True)

    async def due(self, now: float, limit: int = 1000) -> tuple[Due, ...]:
        """See the port."""
        mark = self._database.mark()
        until, since = self._none_due
        if mark is not None and mark == since and now < until:
            return ()
        found, next_at = await self._database.read(lambda connection: _due(connection, now, limit))
        self._none_due = (-inf if found else next_at), mark
        return found

    async def forget(self, scope: str, identity: str) -> None:
        """See the port."""
        await self._database.write(lambda connection: connection.execute(FORGET_PERIODS, (scope, identity)))


def _due(connection: apsw.Connection, now: float, limit: int) -> tuple[tuple[Due, ...], float]:
    """Those that are due, and when the first one is at all (infinity: never)."""
    found = connection.execute(DUE_PERIODS, (now, limit))
    due = tuple(Due(Meter(*meter), str(duration), float(at)) for *meter, duration, at in found)
    next_at = connection.execute(NEXT_PERIOD).get
    return due, inf if next_at is None else float(next_at)


def _spent(connection: apsw.Connection, meters: Sequence[Meter]) -> dict[Meter, Spent]:
    found = connection.execute(SPENT, (msgspec.json.encode(meters).decode(),))
    return {Meter(*meter): Spent(total, baseline, reset_at) for *meter, total, baseline, reset_at in found}


def _set_amount(connection: apsw.Connection, meter: Meter, amount: int) -> Spent:
    total = _spent(connection, [meter])[meter].total
    return _changed(connection, SET_BASELINE, meter, {**_names(meter), "baseline": total - amount})


def _changed(
    connection: apsw.Connection, statement: str, meter: Meter, values: Mapping[str, str | float | None]
) -> Spent:
    connection.execute(statement, dict(values))
    _note(connection, meter)
    return _spent(connection, [meter])[meter]


def _note(connection: apsw.Connection, meter: Meter) -> None:
    connection.execute(NOTE_ENTRY, ("spend", f"{meter.scope}/{meter.identity}"))


def _names(meter: Meter) -> dict[str, str | float | None]:
    return {"scope": meter.scope, "id": meter.identity, "model": meter.model, "window": meter.window}
