"""What :class:`pointsman.stores.ports.LedgerStore` promises, for every backend."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.core.errors import Malformed
from pointsman.core.outcome import CallRecord
from pointsman.core.usage import Usage
from pointsman.stores.ports import (
    INTEGER_MAX,
    DaySpend,
    EnergySpend,
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
    assert {name for name in full if full[name] == bare[name]} == {"call_id", "queued_ms", "user_agent"}, (
        "which are not stored"
    )
    usage, unset = full_call().usage, Usage()
    unchanged = {name for name in Usage.__struct_fields__ if getattr(usage, name) == getattr(unset, name)}
    assert not unchanged


async def test_a_call_counts_once_however_often_it_is_appended(keys: KeyStore, ledger: LedgerStore) -> None:
    await keys.insert(bare_key("t1"))
    calls = [bare_call(f"c{number}", key_token="t1", cost=10) for number in range(3)]
    appended = await ledger.append(calls[:2])
    assert (appended.calls, appended.spend) == (2, {"t1": 20})
    changed = bare_call("c0", key_token="t1", cost=99)
    appended = await ledger.append([changed, calls[2], calls[2]])
    assert (appended.calls, appended.spend) == (1, {"t1": 10})
    appended = await ledger.append(calls)
    assert (appended.calls, appended.spend) == (0, {})
    appended = await ledger.append([])
    assert (appended.calls, appended.spend) == (0, {})
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
    assert (appended.calls, appended.spend) == (4, {"t1": 3, "t2": 0, "master": 8})
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
        (LedgerQuery(call_id="c2", start=NOON + 2), ["c2"]),
        (LedgerQuery(call_id="c2", user_id="u2"), []),
        (LedgerQuery(call_id="c2", offset=1), []),
        (LedgerQuery(key_token="t1", user_id="u2", limit=1), ["c3"]),
        (LedgerQuery(key_token="t2", user_id="u2"), []),
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


async def test_calls_are_found_by_the_ids_of_their_answers(ledger: LedgerStore) -> None:
    """Which need not be unique, nor of the same hour."""
    await ledger.append(
        [
            bare_call("c1", started_at=NOON, answer_id="chatcmpl-1"),
            bare_call("c2", started_at=NOON + 5000, answer_id="chatcmpl-2", key_token="t2"),
            bare_call("c3", started_at=NOON + 90_000, answer_id="chatcmpl-1", key_token="t1"),
            bare_call("c4", started_at=NOON + 90_001, answer_id="1"),
            *(bare_call(f"n{n}", started_at=NOON, answer_id="namesakes") for n in (3, 1, 4, 2)),
            bare_call("c5", started_at=NOON + 90_002, answer_id="another-chatcmpl-1"),
            bare_call("c6", started_at=NOON + 90_003, answer_id="Zoë \x00"),
            bare_call("c7", started_at=NOON + 200_000),
        ]
    )

    async def found(answer_id: str, **more: Any) -> list[str]:
        return [one.call_id for one in await ledger.find(LedgerQuery(answer_id=answer_id, **more))]

    assert await found("chatcmpl-1") == ["c3", "c1"]
    assert await found("chatcmpl-1", limit=1) == ["c3"]
    assert await found("chatcmpl-1", key_token="t1") == ["c3"]
    assert await found("chatcmpl-1", end=NOON + 1) == ["c1"]
    assert await found("chatcmpl-1", end=NOON + 90_000) == ["c1"]
    assert await found("chatcmpl-1", start=NOON + 90_000) == ["c3"]
    assert await found("chatcmpl-1", offset=1) == ["c1"]
    assert await found("chatcmpl-1", user_id="nobody") == []
    assert await found("chatcmpl-2", key_token="t1") == []
    assert await found("namesakes") == ["n1", "n2", "n3", "n4"]
    assert [await found(one) for one in ("chatcmpl-2", "1", "Zoë \x00", "c7", "")] == [["c2"], ["c4"], ["c6"], [], []]


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


async def test_what_hosts_drew_is_summed_up_by_day_caller_model_and_host(ledger: LedgerStore) -> None:
    caller = {"user_id": "u", "key_token": "t"}
    await ledger.append(
        [
            bare_call("c1", api_base="http://GPU1:11434", energy_mwh=10, energy_cost=3),
            bare_call("c2", api_base="http://gpu1:11434/api", energy_mwh=20, energy_cost=6),
            bare_call("c3", api_base="http://gpu2:11434", energy_mwh=5),
            bare_call("c4", api_base="https://api.example"),
            bare_call("c5", api_base="http://gpu1:11434", started_at=NOON + DAY, energy_mwh=1, **caller),
        ]
    )
    await ledger.append([bare_call("c6", api_base="http://gpu2:11434", energy_mwh=7, energy_cost=1)])
    today, tomorrow = date(2024, 10, 4), date(2024, 10, 5)
    whole = SummaryQuery(first_day=today, last_day=tomorrow)
    assert await ledger.energy(whole) == (
        EnergySpend(today, "", "", "m", "http://gpu1:11434", 2, 30, 9),
        EnergySpend(today, "", "", "m", "http://gpu2:11434", 2, 12, 1),
        EnergySpend(tomorrow, "t", "u", "m", "http://gpu1:11434", 1, 1, 0),
    )
    theirs = SummaryQuery(first_day=today, last_day=tomorrow, key_token="t", user_id="u")
    assert [row.energy_mwh for row in await ledger.energy(theirs)] == [1]
    by_key = SummaryQuery(first_day=today, last_day=tomorrow, key_token="t")
    assert [row.energy_mwh for row in await ledger.energy(by_key)] == [1]
    assert await ledger.energy(SummaryQuery(first_day=today, last_day=tomorrow, key_token="t2", user_id="u")) == ()
    assert await ledger.energy(SummaryQuery(first_day=today, last_day=today, user_id="u")) == ()


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


@pytest.mark.parametrize(
    "changes",
    [
        {"deployment_id": "", "model_requested": "invented", "model_group": "invented", "model": ""},
        {"end_user": ""},
        {"answer_id": "Zoë \x00 🙂" * 100},
        {"user_id": ""},
        {"error_code": "odd", "error_message": 'quoted "\\" \x00 \u2028 Zoë 🙂'},
        {"tags": ("a", '"'), "usage": Usage(3, 2, 1, 1, 1, 1, 1, "estimated")},
        {"prompt": msgspec.Raw(b'{ "a": 1.50 }')},
        {"reply": msgspec.Raw(b"[]")},
        {"started_at": -0.25, "ended_at": 0.0},
        {"attempts": 3, "http_status": 599, "stream": True, "peer": "::1"},
    ],
    ids="-".join,
)
async def test_every_peculiarity_comes_back(ledger: LedgerStore, changes: dict[str, Any]) -> None:
    record = bare_call("c1", key_token="t1", **changes)
    await ledger.append([bare_call("c0", key_token="t1"), record, bare_call("c2", key_token="t1")])
    assert await ledger.find(LedgerQuery(call_id="c1")) == (record,)
    assert record in await ledger.find(LedgerQuery(key_token="t1"))


ODD_IDS = [
    "", "c1", "00000000", "0000000", "a00000000", "A0000000", "0x000000", "+0000000", "000_0000", "\u0660" * 8,
    "ffffffff", "chatcmpl-1", "e0a3ab5c-70e5-4dd0-a4e5-000000000000", "e0a3ab5c-70e5-4dd0-a4e5-0000ffffffff",
    "e0a3ab5c-70e5-4dd0-a4e5-000100000000", "E0A3AB5C-70E5-4DD0-A4E5-0000FFFFFFFF", "x" * 5000, "Zoë-12345678",
]  # fmt: skip


async def test_call_ids_of_any_kind_are_kept_apart_and_found(ledger: LedgerStore) -> None:
    calls = [bare_call(call_id, cost=number) for number, call_id in enumerate(ODD_IDS)]
    assert (await ledger.append(calls)).calls == len(ODD_IDS)
    assert (await ledger.append(calls)).calls == 0
    for call in calls:
        assert await ledger.find(LedgerQuery(call_id=call.call_id)) == (call,)
    assert await ledger.find(LedgerQuery(call_id="12345678")) == ()


@given(call_ids=st.lists(st.one_of(st.uuids().map(str), st.text("0aAfx-", max_size=20)), unique=True, max_size=20))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_two_call_ids_are_taken_for_one(stores_of_example: Any, call_ids: list[str]) -> None:
    async def follow(stores: Stores) -> None:
        for start in range(0, len(call_ids), 7):
            part = [bare_call(call_id) for call_id in call_ids[start : start + 7]]
            assert (await stores.ledger.append(part)).calls == len(part)
        found = await stores.ledger.find(EVERYTHING)
        assert sorted(record.call_id for record in found) == sorted(call_ids)

    stores_of_example(follow)


async def test_pages_of_a_key_follow_one_another_through_all_its_users(ledger: LedgerStore) -> None:
    calls = [
        bare_call(f"c{number}", key_token=f"t{number % 3}", user_id=(None, "u1", "u2")[number % 7 % 3], cost=number,
                  started_at=NOON + number * 0.3)
        for number in range(300)
    ]  # fmt: skip
    await ledger.append(calls[::2])
    await ledger.append(calls[1::2])
    latest_first = calls[::-1]
    for query, wanted in (
        (LedgerQuery(key_token="t1"), [call for call in latest_first if call.key_token == "t1"]),
        (LedgerQuery(user_id="u1"), [call for call in latest_first if call.user_id == "u1"]),
        (
            LedgerQuery(key_token="t2", start=NOON + 10.2, end=NOON + 60.3),
            [call for call in latest_first if call.key_token == "t2" and NOON + 10.2 <= call.started_at < NOON + 60.3],
        ),
    ):
        pages: list[CallRecord] = []
        while page := await ledger.find(msgspec.structs.replace(query, limit=9, offset=len(pages))):
            pages += page
        assert pages == wanted


@pytest.mark.parametrize("started_at", [float("inf"), float("nan"), 1e18])
async def test_a_call_that_began_on_no_day_is_refused_whole(ledger: LedgerStore, started_at: float) -> None:
    with pytest.raises(Malformed):
        await ledger.append([bare_call("c1"), bare_call("c2", started_at=started_at)])
    assert await ledger.find(EVERYTHING) == ()
    assert (await ledger.append([bare_call("c1")])).calls == 1


@pytest.mark.parametrize("count", [1, 9, 10, 99, 100, 101, 350])
async def test_a_batch_of_any_size_is_added_whole(ledger: LedgerStore, count: int) -> None:
    calls = [bare_call(f"{number:032x}", key_token=f"t{number % 3}", cost=number) for number in range(count)]
    assert (await ledger.append(calls)).calls == count
    more = [bare_call(f"{number:032x}", key_token="t0", cost=number) for number in range(count // 2, 2 * count)]
    appended = await ledger.append(more)
    assert (appended.calls, appended.spend) == (count, {"t0": sum(range(count, 2 * count))})
    assert (await ledger.totals()).spend == sum(range(2 * count))
    assert len(await ledger.find(EVERYTHING)) == 2 * count
