"""What listing calls page by page promises, and letting old ones go, for every backend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial
from typing import Any

import apsw
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.core.errors import Malformed
from pointsman.stores.pages import CallQuery, wants
from pointsman.stores.ports import KeyStore, LedgerQuery, LedgerStore, SummaryQuery
from pointsman.stores.postgres import PostgresDatabase, PostgresLedgerStore
from pointsman.stores.sqlite import SqliteDatabase, SqliteLedgerStore
from tests.stores.conftest import Stores, postgres_at
from tests.stores.samples import DAY, NOON, bare_call, bare_key, full_call


async def all_pages(ledger: LedgerStore, query: CallQuery) -> list[str]:
    found: list[str] = []
    while True:
        page = await ledger.page(query)
        found += [record.call_id for record in page.records]
        if page.cursor is None:
            return found
        query = msgspec.structs.replace(query, cursor=page.cursor, offset=0)


async def test_a_page_gives_calls_as_they_were_recorded(ledger: LedgerStore) -> None:
    await ledger.append([full_call()])
    assert (await ledger.page(CallQuery())).records == (full_call(),)


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_go_on_where_the_last_ended_though_calls_are_added(ledger: LedgerStore, limit: int) -> None:
    await ledger.append([bare_call(f"c{n}", started_at=NOON + n // 3, key_token=f"k{n % 2}") for n in range(9)])
    first = await ledger.page(CallQuery(limit=limit))
    await ledger.append([bare_call("late", started_at=NOON + 99)])
    rest = [] if first.cursor is None else await all_pages(ledger, CallQuery(limit=limit, cursor=first.cursor))
    found = [record.call_id for record in first.records] + rest
    assert sorted(found) == [f"c{n}" for n in range(9)]
    assert [int(name[1:]) // 3 for name in found] == [2, 2, 2, 1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("cursor", ["", "x", "zz_1_1", "é_1_2"])
async def test_a_made_up_cursor_is_refused(ledger: LedgerStore, cursor: str) -> None:
    with pytest.raises(Malformed) as refused:
        await ledger.page(CallQuery(cursor=cursor))
    assert refused.value.param == "cursor"


names = st.sampled_from([None, "a", "b"])
query_fields: dict[str, Any] = {
    "start": st.sampled_from([None, NOON + 1]),
    "end": st.sampled_from([None, NOON + 3]),
    "key_tokens": st.sampled_from([None, (), ("a",), ("a", "b")]),
    "user_id": names,
    "team_ids": st.sampled_from([None, (), ("a",)]),
    "either": st.booleans(),
    "organization_id": names,
    "end_user": names,
    "key_alias": names,
    "status": st.sampled_from([None, "success", "failure", "cancelled", "failed"]),
    "model": names,
    "model_group": names,
    "deployment_id": names,
    "error_code": st.sampled_from([None, "a", "429"]),
    "error_message": st.sampled_from([None, "SAID"]),
    "cost_min": st.sampled_from([None, 2]),
    "cost_max": st.sampled_from([None, 3]),
}
few_filters = st.sets(st.sampled_from(sorted(query_fields)), max_size=3).flatmap(
    lambda chosen: st.fixed_dictionaries({name: query_fields[name] for name in sorted(chosen)})
)
calls = st.builds(
    lambda **fields: fields,
    started_at=st.integers(0, 4).map(lambda second: NOON + second),
    key_token=st.sampled_from(["", "a", "b"]),
    user_id=names,
    team_id=names,
    organization_id=names,
    end_user=names,
    key_alias=names,
    status=st.sampled_from(["success", "failure", "cancelled"]),
    http_status=st.sampled_from([200, 429]),
    model=st.sampled_from(["a", "b"]),
    model_group=st.sampled_from(["a", "b"]),
    deployment_id=st.sampled_from(["", "a"]),
    error_code=names,
    error_message=st.sampled_from([None, "he said so"]),
    cost=st.integers(0, 5),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(calls, max_size=8), few_filters, st.integers(1, 4))
def test_filters_give_the_calls_that_match_and_no_others(
    stores_of_example: Callable[[Callable[[Stores], Awaitable[None]]], None],
    made: list[dict[str, Any]],
    filters: dict[str, Any],
    limit: int,
) -> None:
    records = [bare_call(f"c{number}", **fields) for number, fields in enumerate(made)]
    query = CallQuery(**filters, limit=limit)

    async def work(stores: Stores) -> None:
        await stores.ledger.append(records)
        expected = sorted(record.call_id for record in records if wants(query, record))
        assert sorted(await all_pages(stores.ledger, query)) == expected
        assert await stores.ledger.count(query, 1000) == len(expected)
        assert await stores.ledger.count(query, 2) == min(2, len(expected))

    stores_of_example(work)


@pytest.fixture(params=["sqlite", "postgres"])
def kept_ledger(request: pytest.FixtureRequest) -> LedgerStore:
    """A ledger in a database."""
    if request.param == "sqlite":
        return SqliteLedgerStore(request.getfixturevalue("database"))
    return PostgresLedgerStore(request.getfixturevalue("postgres_database"))


async def test_a_page_that_looks_at_much_and_finds_little_goes_on(
    kept_ledger: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for backend in ("sqlite", "postgres"):
        monkeypatch.setattr(f"pointsman.stores.{backend}.pages.SCANNED_MAX", 4)
    ledger = kept_ledger
    await ledger.append([bare_call(f"c{n}", started_at=NOON + n, key_token="k", team_id=f"t{n}") for n in range(20)])
    for filters in ({"team_ids": ("t1",)}, {"team_ids": ("t1",), "key_tokens": ("k",)}):
        page = await ledger.page(CallQuery(**filters))  # type: ignore[arg-type]
        assert (page.records, page.cursor is None) == ((), False)
        assert await all_pages(ledger, CallQuery(**filters)) == ["c1"]  # type: ignore[arg-type]


async def test_the_oldest_calls_go_in_small_steps_and_sums_stay(keys: KeyStore, ledger: LedgerStore) -> None:
    await keys.insert(bare_key("k"))
    await ledger.append(
        [full_call(f"c{n}", started_at=NOON + n * DAY, key_token="k", cost=1) for n in range(5)]
        + [bare_call("x-0000000a", started_at=NOON, key_token="k", cost=1)]
    )
    before = await ledger.totals()
    assert [await ledger.prune(NOON + 3 * DAY, 3), await ledger.prune(NOON + 3 * DAY, 3)] == [3, 1]
    assert await ledger.prune(NOON + 3 * DAY, 3) == 0
    assert sorted(record.call_id for record in await ledger.find(LedgerQuery(key_token="k"))) == ["c3", "c4"]
    assert await ledger.find(LedgerQuery(call_id="c1")) == ()
    assert await ledger.totals() == before
    days = await ledger.summary(SummaryQuery(first_day=date(2024, 10, 4), last_day=date(2024, 10, 8)))
    assert [day.spend for day in days] == [2, 1, 1, 1, 1]
    stored = await keys.get("k")
    assert stored is not None
    assert stored.spend == 6


async def test_calls_that_started_at_once_are_told_once_though_little_is_looked_at(
    kept_ledger: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for backend in ("sqlite", "postgres"):
        monkeypatch.setattr(f"pointsman.stores.{backend}.pages.SCANNED_MAX", 4)
    calls = [bare_call(f"c{n:02}", started_at=NOON + n // 9, key_token="k", user_id=f"u{n % 2}") for n in range(20)]
    await kept_ledger.append(calls)
    for filters in ({}, {"user_id": "u1"}, {"key_tokens": ("k",)}):
        for limit in (1, 3, 100):
            query = CallQuery(**filters, limit=limit)
            expected = [call.call_id for call in calls if wants(query, call)]
            assert sorted(await all_pages(kept_ledger, query)) == expected


async def test_long_names_and_odd_ones_are_found(ledger: LedgerStore) -> None:
    odd = ("x" * 3000, "nul \x00", "\uf8ff0")
    for number, name in enumerate(odd):
        fields = {"key_token": name, "user_id": name, "team_id": name, "end_user": name, "error_message": name}
        await ledger.append([bare_call(f"c{number}", **fields)])
    for number, name in enumerate(odd):
        for query in (
            CallQuery(key_tokens=(name,), user_id=name), CallQuery(team_ids=(name,)), CallQuery(end_user=name),
            CallQuery(error_message=name),
        ):  # fmt: skip
            assert await all_pages(ledger, query) == [f"c{number}"]


async def test_a_call_that_was_let_go_may_come_back(ledger: LedgerStore) -> None:
    await ledger.append([full_call("c1")])
    assert await ledger.prune(NOON + 1, 10) == 1
    assert (await ledger.append([full_call("c1")])).calls == 1
    assert await ledger.find(LedgerQuery(call_id="c1")) == (full_call("c1"),)


async def test_two_who_let_go_at_once_are_not_in_each_others_way(postgres_url: str) -> None:
    databases = [postgres_at(postgres_url, connections=2) for _ in range(2)]
    for database in databases:
        await database.open()
    ledgers = [PostgresLedgerStore(database) for database in databases]
    await ledgers[0].append([bare_call(f"c{n}", started_at=NOON + n) for n in range(50)])
    removed = await asyncio.gather(*(ledger.prune(NOON + 99, 10) for _ in range(4) for ledger in ledgers))
    while more := await ledgers[0].prune(NOON + 99, 10):
        removed.append(more)
    assert sum(removed) == 50
    assert await ledgers[1].find(LedgerQuery()) == ()
    for database in databases:
        await database.close()


async def test_a_pruned_ledger_in_postgresql_keeps_nothing_of_its_calls_but_sums(
    postgres_database: PostgresDatabase,
) -> None:
    ledger = PostgresLedgerStore(postgres_database)
    await ledger.append([full_call(f"c{n}", started_at=NOON + n / 4) for n in range(40)])
    while await ledger.prune(NOON + 99, 7):
        pass
    left = "SELECT (SELECT count(*) FROM calls) + (SELECT count(*) FROM contents) + (SELECT count(*) FROM origins)"
    assert await postgres_database.look(lambda session: session.whole(left)) == 0


def count_rows(table: str, connection: apsw.Connection) -> Any:
    return connection.execute(f"SELECT count(*) FROM {table}").get


async def test_a_pruned_ledger_keeps_nothing_of_its_calls_but_sums(database: SqliteDatabase) -> None:
    ledger = SqliteLedgerStore(database)
    await ledger.append([full_call(f"c{n}", started_at=NOON + n / 4) for n in range(40)])
    while await ledger.prune(NOON + 99, 7):
        pass
    for table in ("calls", "contents", "party_seconds", "origins"):
        assert await database.read(partial(count_rows, table)) == 0, table


async def test_room_is_given_back_to_the_disk(database: SqliteDatabase) -> None:
    ledger = SqliteLedgerStore(database)
    await ledger.append([bare_call(f"c{n}", peer="x" * 500) for n in range(4000)])
    pages = await database.read(lambda connection: connection.execute("PRAGMA page_count").get)
    while await ledger.prune(NOON + 99, 1000):
        pass
    assert await database.read(lambda connection: connection.execute("PRAGMA page_count").get) < pages / 2


async def test_all_calls_of_a_time_have_pages_however_far_back(
    ledger: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for backend in ("sqlite", "postgres"):
        monkeypatch.setattr(f"pointsman.stores.{backend}.pages.SCANNED_MAX", 3)
    await ledger.append([bare_call(f"c{number}", started_at=1000.0 + number) for number in range(10)])
    query = CallQuery(start=1000.0, end=1009.0, limit=2, offset=6)
    page = await ledger.page(query)
    assert [one.call_id for one in page.records] == ["c2", "c1"]
    page = await ledger.page(CallQuery(start=1000.0, end=1009.0, limit=2, cursor=page.cursor))
    assert [one.call_id for one in page.records] == ["c0"]
    assert page.cursor is None
