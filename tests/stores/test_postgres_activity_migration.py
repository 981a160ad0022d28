"""A ledger in PostgreSQL from before there were sums by day gets them from its calls; no older version adds to it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from pointsman.core.errors import StorageUnavailable
from pointsman.core.outcome import CallRecord
from pointsman.core.secret import Secret
from pointsman.stores.activity import EPOCH, SCOPES, FailureQuery
from pointsman.stores.memory import MemoryDatabase, MemoryLedgerStore
from pointsman.stores.postgres import PostgresDatabase, PostgresLedgerStore, postgres_address
from pointsman.stores.postgres.migrate import shipped
from pointsman.stores.postgres.session import Session
from tests.stores.conftest import postgres_at
from tests.stores.samples import DAY, NOON, bare_call, full_call
from tests.stores.test_sqlite_activity_migration import all_rows
from tests.support.servers import PostgresServer

BEFORE = tuple(step for step in shipped() if step.number < 3)
LONG = "x" * 3000


async def as_before(postgres: PostgresServer, now: str) -> str:
    """Make a database as it was before there were sums, with the calls of the one at the URL ``now``; its URL."""
    url = postgres.url(postgres.new_database())
    there = postgres_at(now)
    before = PostgresDatabase(postgres_address(Secret(url), "the test"), migrations=BEFORE)
    await there.open()
    await before.open()
    for table in ("parties", "contexts", "origins", "calls", "contents"):
        rows = await there.look(partial(Session.named, statement=f"SELECT * FROM {table}"))
        if rows:
            columns = tuple(name for name in rows[0] if name not in {"charges", "answer_id", "service_tier"})  # later
            values = [tuple(row[name] for name in columns) for row in rows]
            await before.write(partial(Session.copy_in, table=table, columns=columns, records=values))
    for table in ("parties", "contexts", "origins"):
        await before.write(
            partial(Session.rows, statement=f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1000)")
        )
    await before.close()
    await there.close()
    return url


@pytest.fixture
def calls() -> list[CallRecord]:
    later = NOON + DAY
    return [
        full_call("c1", charges=(), tags=("nul \x00", "b", "b")),
        full_call("c2", key_token="t2", started_at=later, ended_at=later + 1, tags=(), charges=(), end_user=None),
        bare_call("c3", cost=2**62),
        bare_call("c4", cost=2**62),
        bare_call("c5", deployment_id="", model_group="made up", model="x", status="failure", http_status=429),
        bare_call("c6", organization_id="org-2", tags=("b", "c"), end_user="Zoë", cost=7),
        bare_call("c7", key_token="", user_id="nul \x00", team_id="\uf8ff", model="m2", cost=9),
    ]


async def test_what_was_recorded_before_is_counted_as_if_it_were_recorded_now(
    postgres: PostgresServer, postgres_template: str, calls: list[CallRecord]
) -> None:
    memory = MemoryLedgerStore(MemoryDatabase())
    await memory.append(calls)
    now = postgres.url(postgres.new_database(postgres_template))
    first = postgres_at(now)
    await first.open()
    await PostgresLedgerStore(first).append(calls)
    await first.close()
    again = postgres_at(await as_before(postgres, now))
    await again.open()
    ledger = PostgresLedgerStore(again)
    for scope in SCOPES:
        assert await all_rows(ledger, scope) == await all_rows(memory, scope), scope
    assert await ledger.totals() == await memory.totals()
    failed = FailureQuery(first_day=EPOCH, last_day=EPOCH.replace(year=2100), model_group="", http_status=429)
    assert [calls for _, _, calls in await ledger.failed_calls(failed)] == [1]
    more = bare_call("c8", key_token="t2", cost=5)
    await ledger.append([more])
    await memory.append([more])
    assert await all_rows(ledger, "line") == await all_rows(memory, "line")
    await again.close()


async def test_long_names_are_shortened_as_they_are_now(postgres: PostgresServer, postgres_template: str) -> None:
    names: dict[str, Any] = {"team_id": LONG, "model": LONG, "end_user": "ü" * 900, "tags": (LONG,)}
    now = postgres.url(postgres.new_database(postgres_template))
    first = postgres_at(now)
    await first.open()
    await PostgresLedgerStore(first).append([bare_call("c1", **names, cost=3)])
    rows = {scope: await all_rows(PostgresLedgerStore(first), scope) for scope in SCOPES}
    await first.close()
    again = postgres_at(await as_before(postgres, now))
    await again.open()
    assert {scope: await all_rows(PostgresLedgerStore(again), scope) for scope in SCOPES} == rows
    await again.close()


async def test_an_older_version_neither_adds_calls_nor_starts_again(
    postgres: PostgresServer,
) -> None:
    url = postgres.url(postgres.new_database())
    older = PostgresDatabase(postgres_address(Secret(url), "the test"), migrations=BEFORE)
    await older.open()
    newer = postgres_at(url)
    await newer.open()
    with pytest.raises(StorageUnavailable):
        await older.write(lambda session: session.execute("DELETE FROM daily_spend"))
    await newer.close()
    await older.close()
