"""``/spend/energy``: what local hosts drew, beside what clouds were paid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from pointsman.admin.keys.lookup import flushed, token_meant
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.spend.asking import SpendLogsQuery, span_of
from pointsman.core.price import dollars
from pointsman.stores.ports import EnergySpend, SummaryQuery

__all__ = ["EnergyQuery", "EnergyRow", "energy_row", "spend_energy"]


class EnergyQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which days (UTC), both included; all of them where none is given. ``api_key`` is a key or its hash."""

    start_date: str | None = None
    end_date: str | None = None
    api_key: str | None = None
    user_id: str | None = None


class EnergyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One day's calls of one model on one host by one key. Money is in USD, ``api_key`` is the hash of the key."""

    day: str
    host: str
    model_group: str
    api_key: str
    user: str
    calls: int
    energy_wh: float
    energy_cost: float


async def spend_energy(office: Office, visit: Visit[EnergyQuery, Nothing]) -> Answer:
    """What local hosts drew, by day, key, user, model and host."""
    asked = visit.query
    span = span_of(SpendLogsQuery(start_date=asked.start_date, end_date=asked.end_date), office.clock.wall())
    await flushed(office)
    today = datetime.fromtimestamp(office.clock.wall(), UTC)
    first = datetime.fromtimestamp(0, UTC) if span is None else span.start
    last = today + timedelta(days=1) if span is None else max(span.start, span.end - timedelta(microseconds=1))
    query = SummaryQuery(
        first_day=first.date(),
        last_day=last.date(),
        key_token=None if asked.api_key is None else token_meant(asked.api_key),
        user_id=asked.user_id,
    )
    return Answer([energy_row(one) for one in await office.ledger.energy(query)])


def energy_row(one: EnergySpend) -> EnergyRow:
    """The sums of the ledger as they are shown."""
    return EnergyRow(
        day=one.day.isoformat(),
        host=one.host,
        model_group=one.model_group,
        api_key=one.key_token,
        user=one.user_id,
        calls=one.calls,
        energy_wh=one.energy_mwh / 1000,
        energy_cost=dollars(one.energy_cost),
    )
