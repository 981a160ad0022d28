"""What every backend does alike with the records it is given: check, change, and add them up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET

from pointsman.core.errors import Malformed, NotFound
from pointsman.core.identity import KeyRecord
from pointsman.core.outcome import CallRecord
from pointsman.stores.activity import (
    ActivityQuery,
    ActivityRow,
    Cell,
    Counts,
    FailureGroup,
    Line,
    line_of,
    sum_up,
)
from pointsman.stores.charges import charged_accounts
from pointsman.stores.directory.ports import Account
from pointsman.stores.energy import EnergyGroup, EnergyTally, energy_of
from pointsman.stores.ports import INTEGER_MAX, Conflict, DaySpend, KeyChange, KeyChanges, KeyRenewal, SummaryQuery
from pointsman.stores.response_ports import EventPage, ResponseStatus

__all__ = [
    "Charge",
    "DailyRow",
    "Sums",
    "added_up",
    "alias_taken",
    "by_day",
    "changed_record",
    "charged_record",
    "daily_rows",
    "day_of",
    "demand_keepable",
    "event_page",
    "latest_first",
    "no_such_key",
    "saturated",
    "succeeding_record",
    "summary_activity",
    "token_taken",
]

_DAY_SECONDS: Final = 86_400
_BLANK_LINE: Final = b"\n\n"
_NUMBERS = ("spend", "max_budget", "soft_budget", "rpm_limit", "tpm_limit", "max_parallel_requests")


class Charge(msgspec.Struct):
    """Picodollars to be charged to a key, and when the last of its calls ended."""

    amount: int = 0
    at: float = 0.0


class DailyRow(NamedTuple):
    """Spending of one group as a summary reads it."""

    day: str
    key_token: str
    user_id: str
    model_group: str
    calls: int
    spend: int


def saturated(number: int) -> int:
    """``number``, or the end of the 63-bit range that it is beyond."""
    return max(-INTEGER_MAX, min(number, INTEGER_MAX))


def day_of(moment: float) -> str:
    """The day of UTC, as ``2026-01-31``.

    Raises:
        Malformed: it is in no year from 1 to 9999.
    """
    try:
        return datetime.fromtimestamp(moment, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError) as error:
        raise Malformed(f"There is no day {moment:g} s after 1970.", code="record_not_kept") from error


class Sums(NamedTuple):
    """Calls added up: for the days; by ``key_token`` and by account, to be charged; and what local hosts drew."""

    activity: dict[Cell, Counts]
    failures: dict[FailureGroup, int]
    charges: dict[str, Charge]
    accounts: dict[Account, int]
    energy: dict[EnergyGroup, EnergyTally]


def added_up(sets: Iterable[Sequence[CallRecord]]) -> Sums:
    """The sums of all records; those of one set, none of which is empty, agree in everything but time and numbers.

    Raises:
        Malformed: see :func:`day_of`.
    """
    groups: dict[tuple[Line, tuple[str, ...], tuple[str, ...]], list[CallRecord]] = {}
    sets = list(sets)
    for records in sets:
        groups.setdefault((line_of(records[0]), records[0].tags, records[0].charges), []).extend(records)
    sums = Sums({}, {}, {}, charged_accounts(sets), {})
    days: dict[float, str] = {}
    drawing: list[tuple[str, Sequence[CallRecord]]] = []
    for (_, tags, _), records in groups.items():
        numbers = [record.started_at // _DAY_SECONDS for record in records]
        for number in set(numbers):
            day = days.get(number) or days.setdefault(number, day_of(number * _DAY_SECONDS))
            of_day = [record for record, its in zip(records, numbers, strict=True) if its == number]
            counts = sum_up(sums.activity, sums.failures, int(number), tags, of_day)
            _charge(sums, of_day, counts)
            if counts.energy_mwh:
                drawing.append((day, of_day))
    sums.energy.update(energy_of(drawing))
    for charge in sums.charges.values():
        charge.amount = saturated(charge.amount)
    return sums


def _charge(sums: Sums, records: Sequence[CallRecord], counts: Counts) -> None:
    key_token = records[0].key_token
    ended_at = max([record.ended_at for record in records])
    charge = sums.charges.get(key_token)
    if charge is None:
        sums.charges[key_token] = Charge(counts.spend, max(ended_at, 0.0))
    else:
        charge.amount += counts.spend
        charge.at = max(charge.at, ended_at)


def summary_activity(query: SummaryQuery) -> ActivityQuery:
    """What to ask the sums for a summary."""
    return ActivityQuery(
        first_day=query.first_day,
        last_day=query.last_day,
        scope="line",
        by=("day", "key_token", "user_id", "model_group"),
        key_tokens=None if query.key_token is None else (query.key_token,),
        user_id=query.user_id,
        limit=INTEGER_MAX,
    )


def daily_rows(rows: Iterable[ActivityRow]) -> list[DailyRow]:
    """Sums by day, key, user and model group, as a summary reads them."""
    return [
        DailyRow(
            row.day.isoformat(),
            row.line.key_token,
            row.line.user_id,
            row.line.model_group,
            row.counts.calls,
            row.counts.spend,
        )
        for row in rows
    ]


def latest_first(calls: Iterable[CallRecord]) -> tuple[CallRecord, ...]:
    """Calls in the order of their starts, and of their ids where those are the same."""
    return tuple(sorted(calls, key=lambda call: (-call.started_at, call.call_id)))


def by_day(rows: Sequence[DailyRow]) -> tuple[DaySpend, ...]:
    """Rows in the order of their days, as the days of a summary."""
    days: dict[str, list[DailyRow]] = {}
    for row in rows:
        days.setdefault(row.day, []).append(row)
    return tuple(_day(day, of_day) for day, of_day in days.items())


def _day(day: str, rows: list[DailyRow]) -> DaySpend:
    keys: dict[str, int] = {}
    users: dict[str, int] = {}
    models: dict[str, int] = {}
    for row in rows:
        for sums, name in ((keys, row.key_token), (users, row.user_id), (models, row.model_group)):
            sums[name] = saturated(sums.get(name, 0) + row.spend)
    total = saturated(sum(row.spend for row in rows))
    return DaySpend(date.fromisoformat(day), sum(row.calls for row in rows), total, keys, users, models)


def changed_record(record: KeyRecord, changes: KeyChange) -> KeyRecord:
    """``record`` with ``changes`` made."""
    if not isinstance(changes, KeyChanges):
        changes = changes(record)
    given = {name: getattr(changes, name) for name in changes.__struct_fields__}
    return msgspec.structs.replace(record, **{name: value for name, value in given.items() if value is not UNSET})


def charged_record(record: KeyRecord, charge: Charge) -> KeyRecord:
    """``record`` after calls that cost ``charge``."""
    last_active = max(charge.at, record.last_active or 0.0)
    return msgspec.structs.replace(record, spend=saturated(record.spend + charge.amount), last_active=last_active)


def succeeding_record(old: KeyRecord, renewed: KeyRenewal) -> KeyRecord:
    """The new key with what it takes over from the one in whose place it comes."""
    new = renewed if isinstance(renewed, KeyRecord) else renewed(old)
    return msgspec.structs.replace(new, spend=old.spend, created_at=old.created_at, last_active=old.last_active)


def demand_keepable(record: KeyRecord) -> None:
    """Raise unless every backend can keep the record.

    Raises:
        Malformed: a number is beyond 63 bits, or a text is not Unicode.
    """
    for name in _NUMBERS:
        number = getattr(record, name)
        if number is not None and number != saturated(number):
            raise Malformed(f"{name} is too large.", hint="Leave it out for no limit.", param=name)
    try:
        msgspec.json.encode(record)
    except UnicodeEncodeError as error:
        raise Malformed(
            "A text of the key is not valid Unicode.", hint="Send it as UTF-8 without lone surrogates."
        ) from error


def alias_taken(alias: str | None) -> Conflict:
    """The refusal of an alias that another key has."""
    return Conflict(
        f"Key with alias '{alias}' already exists.",
        hint="Unique key aliases across all keys are required: choose another, or delete that key.",
        param="key_alias",
    )


def token_taken() -> Conflict:
    """The refusal of a key that is there already."""
    return Conflict("This key exists already.", hint="Let the gateway make one.", param="key", code="key_exists")


def no_such_key() -> NotFound:
    """The refusal to change a key that is not there."""
    return NotFound("Key not found.", hint="It was never made here, or it was deleted.", code="key_not_found")


def event_page(
    status: ResponseStatus, batches: Sequence[tuple[int, bytes]], after: int, limit: int, *, is_last: bool
) -> EventPage:
    """Batches of server-sent events, each with the number of its first, as single events behind number ``after``."""
    found = [
        (first + index, event + _BLANK_LINE)
        for first, batch in batches
        for index, event in enumerate(batch.removesuffix(_BLANK_LINE).split(_BLANK_LINE))
        if first + index > after
    ]
    return EventPage(status, tuple(found[:limit]), is_last and len(found) <= limit)
