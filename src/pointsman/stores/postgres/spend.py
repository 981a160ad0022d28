"""What accounts have spent, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pointsman.stores.directory.ports import Due, Meter, Spent
from pointsman.stores.postgres.database import PostgresDatabase
from pointsman.stores.postgres.directory_statements import (
    DUE_PERIODS,
    FORGET_PERIODS,
    NOTE_ENTRIES,
    RESET_PERIOD,
    SCHEDULE_PERIOD,
    SET_BASELINE,
    SPENT,
)
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.text import indexed, told

__all__ = ["PostgresSpendStore"]


class PostgresSpendStore:
    """Keeps :class:`pointsman.stores.directory.ports.SpendStore`'s promises in PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def spent(self, meters: Sequence[Meter]) -> Mapping[Meter, Spent]:
        """See the port."""
        return await self._database.look(lambda session: _spent(session, meters), soon=True)

    async def set_amount(self, meter: Meter, amount: int) -> Spent:
        """See the port."""

        async def job(session: Session) -> Spent:
            total = (await _spent(session, [meter]))[meter].total
            return await _changed(session, SET_BASELINE, meter, total - amount)

        return await self._database.alone(job)

    async def schedule(self, meter: Meter, duration: str | None, reset_at: float | None) -> Spent:
        """See the port."""
        return await self._database.alone(lambda session: _changed(session, SCHEDULE_PERIOD, meter, duration, reset_at))

    async def reset(self, meter: Meter, now: float, next_reset_at: float | None, at_most: int | None = None) -> bool:
        """See the port."""

        async def job(session: Session) -> bool:
            done = await session.execute(RESET_PERIOD, *_names(meter), now, next_reset_at, at_most) > 0
            if done:
                await _note(session, meter)
            return done

        return await self._database.alone(job)

    async def due(self, now: float, limit: int = 1000) -> tuple[Due, ...]:
        """See the port."""
        rows = await self._database.look(lambda session: session.rows(DUE_PERIODS, now, limit))
        return tuple(
            Due(Meter(*(told(str(part)) for part in meter)), str(duration), float(at)) for *meter, duration, at in rows
        )

    async def forget(self, scope: str, identity: str) -> None:
        """See the port."""
        await self._database.alone(lambda session: session.execute(FORGET_PERIODS, scope, indexed(identity)))


async def _spent(session: Session, meters: Sequence[Meter]) -> dict[Meter, Spent]:
    if not meters:
        return {}
    columns = [list(column) for column in zip(*map(_names, meters), strict=True)]
    rows = await session.rows(SPENT, *columns)
    # As the meters were given, in whatever order they were joined.
    found = {place: Spent(total, baseline, reset_at) for place, total, baseline, reset_at in rows}
    return {meter: found[place] for place, meter in enumerate(meters, 1)}


async def _changed(session: Session, statement: str, meter: Meter, *values: object) -> Spent:
    await session.execute(statement, *_names(meter), *values)
    await _note(session, meter)
    return (await _spent(session, [meter]))[meter]


async def _note(session: Session, meter: Meter) -> None:
    await session.execute(NOTE_ENTRIES, ["spend"], [f"{meter.scope}/{indexed(meter.identity)}"])


def _names(meter: Meter) -> tuple[str, str, str, str]:
    return meter.scope, indexed(meter.identity), indexed(meter.model), indexed(meter.window)
