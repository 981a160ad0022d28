"""``/spend/logs``, ``/spend/keys``, ``/global/spend``. A virtual key sees its own calls and no others."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from pointsman.admin.keys.lookup import flushed
from pointsman.admin.keys.rows import key_rows
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.spend.asking import Span, SpendKeysQuery, SpendLogsQuery, span_of
from pointsman.admin.spend.named import named_calls
from pointsman.admin.spend.rows import spend_row
from pointsman.admin.spend.sight import Sight, dearest_keys, has_many_lines, seen_keys, sight_of
from pointsman.core.identity import KeyRecord
from pointsman.core.outcome import CallRecord
from pointsman.core.price import dollars
from pointsman.stores.activity import ActivityQuery
from pointsman.stores.pages import CallQuery, wants
from pointsman.stores.ports import DaySpend, KeyQuery, LedgerQuery, SummaryQuery
from pointsman.stores.records import by_day, daily_rows, summary_activity

__all__ = [
    "DaySpendRow",
    "GlobalSpendReply",
    "KeySpendRow",
    "global_spend",
    "global_spend_keys",
    "spend_keys",
    "spend_logs",
]


_NAMED_MAX: Final = 100
"""Keys that a summary of everybody names where it cannot name all."""
_OTHERS: Final = "(others)"
_CUT_HEADER: Final = ("x-litellm-spend-logs-truncated", "true")
"""LiteLLM's word for: there may be more rows than these."""


class DaySpendRow(msgspec.Struct, frozen=True, kw_only=True):
    """One day (UTC) that had calls: USD in all, and by user, model group and key hash.

    As in LiteLLM, the sum of each key stands beside these under its hash, too.
    """

    start_time: str = msgspec.field(name="startTime")
    spend: float
    calls: int
    users: dict[str, float]
    models: dict[str, float]
    api_keys: dict[str, float]


class KeySpendRow(msgspec.Struct, frozen=True):
    """What a key has spent, in USD; ``api_key`` is its hash."""

    api_key: str
    key_alias: str | None
    key_name: str
    total_spend: float


class GlobalSpendReply(msgspec.Struct, frozen=True):
    """Everything that was ever spent, in USD."""

    spend: float
    max_budget: float | None
    calls: int
    failures: int
    prompt_tokens: int
    completion_tokens: int


async def spend_logs(office: Office, visit: Visit[SpendLogsQuery, Nothing]) -> Answer:
    """Calls, or their sums by day."""
    query = visit.query
    sight, tokens = await seen_keys(office, await sight_of(office, visit.caller, "/spend/logs"), query.api_key)
    token = None if tokens is None else ",".join(tokens)
    user_id = query.user_id
    if not sight.all and not sight.through:
        token = sight.token if sight.user_id is None else token
        user_id = sight.user_id or user_id
    span = span_of(query, office.clock.wall())
    await flushed(office)
    if span is not None and query.summarize and query.request_id is None:
        return await _summary(office, sight, span, token, user_id)
    wanted = LedgerQuery(
        call_id=query.request_id,
        key_token=token,
        user_id=user_id,
        start=span.start.timestamp() if span else None,
        end=span.end.timestamp() if span else None,
        limit=query.limit,
        offset=query.offset,
    )
    if not sight.is_unconfined or (token is not None and "," in token):
        records = await _filtered(office, sight, wanted)
    elif wanted.call_id is not None:
        records = await named_calls(office, wanted)
    else:
        records = await office.ledger.find(wanted)
    cut = (_CUT_HEADER,) if len(records) == query.limit else ()
    return Answer([spend_row(record, operator=visit.caller.admin) for record in records], headers=cut)


async def spend_keys(office: Office, visit: Visit[SpendKeysQuery, Nothing]) -> Answer:
    """The keys that spent most, as whole rows: all of them, or the caller's own."""
    return Answer(await key_rows(office, await _greatest_spenders(office, visit)))


async def global_spend_keys(office: Office, visit: Visit[SpendKeysQuery, Nothing]) -> Answer:
    """The keys that spent most, in brief: all of them, or the caller's own."""
    return Answer(
        [
            KeySpendRow(record.token, record.key_alias, record.key_name, dollars(record.spend))
            for record in await _greatest_spenders(office, visit)
        ]
    )


async def global_spend(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """The sum of everything."""
    await flushed(office)
    total = await office.ledger.totals()
    return Answer(
        GlobalSpendReply(
            dollars(total.spend), None, total.calls, total.failures, total.prompt_tokens, total.completion_tokens
        )
    )


async def _filtered(office: Office, sight: Sight, wanted: LedgerQuery) -> tuple[CallRecord, ...]:
    """What several keys did, or a user or some keys in the teams of which that is seen."""
    tokens = None if wanted.key_token is None else tuple(wanted.key_token.split(","))
    query = CallQuery(
        start=wanted.start, end=wanted.end, key_tokens=tokens, user_id=wanted.user_id,
        team_ids=None if sight.is_unconfined else sight.teams_within(None), limit=wanted.limit, offset=wanted.offset,
    )  # fmt: skip
    if wanted.call_id is None:
        return (await office.ledger.page(query)).records
    found = await named_calls(office, LedgerQuery(call_id=wanted.call_id))
    return tuple(record for record in found if wants(query, record))


async def _summary(office: Office, sight: Sight, span: Span, token: str | None, user_id: str | None) -> Answer:
    last = max(span.start, span.end - timedelta(microseconds=1))
    query = SummaryQuery(first_day=span.start.date(), last_day=last.date(), key_token=token, user_id=user_id)
    if sight.all and token is None and user_id is None and await has_many_lines(office):
        days = await _shortened(office, query)
        return Answer([_day_row(day) for day in days], headers=(_CUT_HEADER,))
    if sight.is_unconfined:
        days = await office.ledger.summary(query)
    else:
        days = by_day(daily_rows(await office.ledger.activity(sight.within(summary_activity(query)))))
    return Answer([_day_row(day) for day in days])


async def _shortened(office: Office, query: SummaryQuery) -> tuple[DaySpend, ...]:
    """A summary of everybody that names the keys which spent most, with their users, and adds up the others."""
    everybody = ActivityQuery(first_day=query.first_day, last_day=query.last_day, by=("day", "model_group"))
    whole = await office.ledger.activity(everybody)
    tokens = await dearest_keys(office, _NAMED_MAX)
    named = msgspec.structs.replace(summary_activity(query), key_tokens=tokens)
    known = {day.day: day for day in by_day(daily_rows(await office.ledger.activity(named)))}
    return tuple(_with_others(day, known.get(day.day)) for day in by_day(daily_rows(whole)))


def _with_others(whole: DaySpend, named: DaySpend | None) -> DaySpend:
    users, keys = ({}, {}) if named is None else (named.users, named.keys)
    others = whole.spend - sum(keys.values())
    rest = {_OTHERS: others} if others else {}
    return msgspec.structs.replace(whole, users={**users, **rest}, keys={**keys, **rest})


async def _greatest_spenders(office: Office, visit: Visit[SpendKeysQuery, Nothing]) -> tuple[KeyRecord, ...]:
    sight = await sight_of(office, visit.caller)
    await flushed(office)
    if not sight.all and sight.user_id is None:
        own = await office.keys.get(sight.token)
        return () if own is None else (own,)
    query = KeyQuery(
        size=visit.query.limit, sort_by="spend", user_id=sight.user_id, team_id=sight.team_id, counted=False
    )
    return (await office.keys.find(query)).records


def _day_row(day: DaySpend) -> dict[str, object]:
    by = [{name: dollars(amount) for name, amount in sums.items()} for sums in (day.users, day.models, day.keys)]
    users, models, keys = by
    row = DaySpendRow(
        start_time=day.day.isoformat(),
        spend=dollars(day.spend),
        calls=day.calls,
        users=users,
        models=models,
        api_keys=keys,
    )
    return {**keys, **msgspec.to_builtins(row)}
