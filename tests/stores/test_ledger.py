"""What :class:`pointsman.stores.ports.LedgerStore` promises, for every backend."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.core.outcome import CallRecord
from pointsman.core.usage import Usage
from pointsman.stores.ports import (
    INTEGER_MAX,
    Appended,
    DaySpend,
    KeyStore,
    LedgerQuery,
    LedgerStore,
    LedgerTotals,
    SummaryQuery,
)
from tests.stores.conftest import Stores
from tests.stores.samples import DAY, NOON, bare_call, bare_key, full_call

EVERYTHING = LedgerQuery(limit=10_000)


@pytest.mark.parametrize("record", [full_call(), bare_call()], ids=["full", "bare"])
async def test_a_call_comes_back_as_it_was_recorded(ledger: LedgerStore, record: CallRecord) -> None:
    await ledger.append([record])
    assert await ledger.find(LedgerQuery(call_id="c1")) == (record,)


async def test_a_sample_sets_every_field() -> None:
    full, bare = msgspec.structs.asdict(full_call()), msgspec.structs.asdict(CallRecord("c1", "", "", 0.0))
    assert {name for name in full if full[name] == bare[name]} == {"call_id"}
    assert all(getattr(full_call().usage, name) != getattr(Usage(), name) for name in Usage.__struct_fields__)


async def test_a_call_counts_once_however_often_it_is_appended(keys: KeyStore, ledger: LedgerStore) -> None:
    await keys.insert(bare_key("t1"))
    calls = [bare_call(f"c{number}", key_token="t1", cost=10) for number in range(3)]
    assert await ledger.append(calls[:2]) == Appended(2, {"t1": 20})
    changed = bare_call("c0", key_token="t1", cost=99)
    assert await ledger.append([changed, calls[2], calls[2]]) == Appended(1, {"t1": 10})
    assert await ledger.append(calls) == Appended(0, {})
    assert await ledger.append([]) == Appended(0, {})
    stored = await keys.get("t1")
    assert stored is not None
    assert stored.spend == 30
    assert sorted(record.cost for record in await ledger.find(EVERYTHING)) == [10, 10, 10]
    assert (await ledger.totals()).calls == 3


async def test_appending_raises_what_the_key_spent_and_when_it_was_used(keys: KeyStore, ledger: LedgerStore) -> None:
    await keys.insert(bare_key("t1", spend=5))
    await keys.insert(bare_key("t2", last_active=NOON + 99))
    appended = await ledger.append(
        [
            bare_call("c1", key_token="t1", cost=1, ended_at=NOON + 7),
            bare_call("c2", key_token="t1", cost=2, ended_at=NOON + 3),
            bare_call("c3", key_token="t2", cost=0),
            bare_call("c4", key_token="master", cost=8),
        ]
    )
    assert appended == Appended(4, {"t1": 3, "t2": 0, "master": 8})
    assert await keys.get("t1") == bare_key("t1", spend=8, last_active=NOON + 7)
    assert await keys.get("t2") == bare_key("t2", last_active=NOON + 99)


async def test_absurd_numbers_saturate_and_stop_nobody(keys: KeyStore, ledger: LedgerStore) -> None:
    await keys.insert(bare_key("t1"))
    absurd = Usage(prompt=10**30, completion=2**63, source="measured")
    for call_id in ("c1", "c2"):
        await ledger.append([bare_call(call_id, key_token="t1", cost=10**25, usage=absurd), bare_call(f"{call_id}b")])
    stored = await keys.get("t1")
    assert stored is not None
    assert stored.spend == INTEGER_MAX
    assert await ledger.totals() == LedgerTotals(4, 0, INTEGER_MAX, INTEGER_MAX, INTEGER_MAX)
    (day,) = await ledger.summary(SummaryQuery(first_day=date(2024, 10, 4), last_day=date(2024, 10, 4)))
    assert (day.calls, day.spend) == (4, INTEGER_MAX)
    assert len(await ledger.find(EVERYTHING)) == 4


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (LedgerQuery(), ["c4", "c3", "c2", "c1"]),
        (LedgerQuery(limit=2), ["c4", "c3"]),
        (LedgerQuery(limit=2, offset=3), ["c1"]),
        (LedgerQuery(call_id="c2"), ["c2"]),
        (LedgerQuery(call_id="c2", key_token="t2"), []),
        (LedgerQuery(call_id="c2", user_id="u1", key_token="t1"), ["c2"]),
        (LedgerQuery(key_token="t1"), ["c3", "c2", "c1"]),
        (LedgerQuery(key_token="t1", user_id="u1"), ["c2"]),
        (LedgerQuery(user_id="u1"), ["c4", "c2"]),
        (LedgerQuery(start=NOON + 2), ["c4", "c3", "c2"]),
        (LedgerQuery(end=NOON + 3), ["c2", "c1"]),
        (LedgerQuery(key_token="t1", start=NOON + 2, end=NOON + 3), ["c2"]),
        (LedgerQuery(user_id="u1", start=NOON + 3), ["c4"]),
        (LedgerQuery(call_id="c2", end=NOON + 2), []),
    ],
)
async def test_calls_are_found_latest_first(ledger: LedgerStore, query: LedgerQuery, found: list[str]) -> None:
    await ledger.append(
        [
            bare_call("c2", started_at=NOON + 2, key_token="t1", user_id="u1"),
            bare_call("c1", started_at=NOON + 1, key_token="t1"),
            bare_call("c4", started_at=NOON + 4, key_token="t2", user_id="u1"),
            bare_call("c3", started_at=NOON + 3, key_token="t1", user_id="u2"),
        ]
    )
    assert [record.call_id for record in await ledger.find(query)] == found


async def test_days_are_summed_up_by_key_user_and_model(ledger: LedgerStore) -> None:
    await ledger.append(
        [
            bare_call("c1", key_token="t1", user_id="u1", model_group="a", cost=1),
            bare_call("c2", key_token="t1", user_id="u1", model_group="b", provider="ollama", cost=2),
            bare_call("c3", key_token="t2", model_group="b", provider="openai", cost=4),
            bare_call("c4", key_token="t2", started_at=NOON + DAY, model_group="a", cost=8),
            bare_call("c5", key_token="t2", started_at=NOON + 2 * DAY, cost=16),
        ]
    )
    await ledger.append([bare_call("c6", key_token="t1", user_id="u1", model_group="a", cost=32)])
    both = SummaryQuery(first_day=date(2024, 10, 4), last_day=date(2024, 10, 5))
    assert await ledger.summary(both) == (
        DaySpend(date(2024, 10, 4), 4, 39, {"t1": 35, "t2": 4}, {"u1": 35, "": 4}, {"a": 33, "b": 6}),
        DaySpend(date(2024, 10, 5), 1, 8, {"t2": 8}, {"": 8}, {"a": 8}),
    )
    assert [day.spend for day in await ledger.summary(msgspec.structs.replace(both, key_token="t2"))] == [4, 8]
    assert [day.spend for day in await ledger.summary(msgspec.structs.replace(both, user_id="u1"))] == [35]
    assert [day.spend for day in await ledger.summary(msgspec.structs.replace(both, user_id="nobody"))] == []


@pytest.mark.parametrize(("offset", "day"), [(-0.001, 3), (0.0, 4), (DAY - 0.001, 4), (DAY, 5)])
async def test_a_day_is_a_day_of_utc(ledger: LedgerStore, offset: float, day: int) -> None:
    await ledger.append([bare_call(started_at=NOON - DAY / 2 + offset)])
    (found,) = await ledger.summary(SummaryQuery(first_day=date(2024, 1, 1), last_day=date(2025, 1, 1)))
    assert found.day == date(2024, 10, day)


async def test_models_that_reached_no_deployment_are_not_listed(ledger: LedgerStore) -> None:
    await ledger.append([bare_call(model_group="invented-4711", deployment_id="", status="failure")])
    (found,) = await ledger.summary(SummaryQuery(first_day=date(2024, 10, 4), last_day=date(2024, 10, 4)))
    assert found.models == {"": 0}


async def test_totals_count_everything(ledger: LedgerStore) -> None:
    assert await ledger.totals() == LedgerTotals()
    await ledger.append(
        [
            bare_call("c1", usage=Usage(10, 5), cost=7),
            bare_call("c2", usage=Usage(1, 2), status="cancelled", started_at=NOON + DAY),
            bare_call("c3", status="failure", key_token="t9"),
        ]
    )
    assert await ledger.totals() == LedgerTotals(3, 2, 11, 7, 7)


_Batches = st.lists(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["t1", "t2", "t3", "master"])), max_size=8), max_size=12
)


@given(batches=_Batches)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_keys_spent_equals_what_their_calls_cost_in_any_order_of_appends(
    stores_of_example: Any, batches: list[list[tuple[int, str]]]
) -> None:
    async def follow(stores: Stores) -> None:
        for token in ("t1", "t2", "t3"):
            await stores.keys.insert(bare_key(token))
        told: dict[str, int] = {}
        for batch in batches:
            # The number alone identifies a call: the same one may come again, even under another key.
            calls = [bare_call(f"c{number}", key_token=token, cost=number * 7) for number, token in batch]
            for token, amount in (await stores.ledger.append(calls)).spend.items():
                told[token] = told.get(token, 0) + amount
        recorded = await stores.ledger.find(EVERYTHING)
        assert len({record.call_id for record in recorded}) == len(recorded)
        for token in ("t1", "t2", "t3"):
            stored = await stores.keys.get(token)
            assert stored is not None
            cost = sum(record.cost for record in recorded if record.key_token == token)
            assert stored.spend == cost == told.get(token, 0)
        totals = await stores.ledger.totals()
        assert totals.spend == sum(record.cost for record in recorded) == sum(told.values())
        assert totals.calls == len(recorded)

    stores_of_example(follow)
