"""A ledger from before there were sums by day gets them from its calls."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw

from pointsman.core.outcome import CallRecord
from pointsman.stores.activity import EPOCH, ActivityQuery, ActivityRow
from pointsman.stores.memory import MemoryDatabase, MemoryLedgerStore
from pointsman.stores.ports import LedgerStore
from pointsman.stores.sqlite import SqliteDatabase, SqliteLedgerStore
from pointsman.stores.sqlite.migrate import shipped
from tests.stores.samples import DAY, NOON, bare_call, full_call

EVERYTHING = (
    "day", "identity", "key_token", "user_id", "team_id", "organization_id", "model_group", "model", "provider", "route"
)  # fmt: skip


async def as_before(now: Path, path: Path) -> None:
    """Make a database as it was before there were sums, with the calls of the one at ``now``."""
    database = SqliteDatabase(path, migrations=tuple(step for step in shipped() if step.number < 8))
    await database.open()
    await database.close()
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("ATTACH ? AS now", (str(now),))
        for table in ("parties", "contexts", "origins", "calls", "party_seconds", "contents"):
            known = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
            columns = ", ".join(name for (name,) in known)
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM now.{table}")


async def all_rows(ledger: LedgerStore, scope: Any) -> tuple[ActivityRow, ...]:
    span = {"first_day": EPOCH, "last_day": EPOCH + timedelta(days=40_000)}
    return await ledger.activity(ActivityQuery(**span, scope=scope, by=EVERYTHING))  # type: ignore[arg-type]


async def test_what_was_recorded_before_is_counted_as_if_it_were_recorded_now(tmp_path: Path) -> None:
    later = NOON + DAY
    calls: list[CallRecord] = [
        full_call("c1", charges=()),
        full_call("c2", key_token="t2", started_at=later, ended_at=later + 1, tags=(), charges=(), end_user=None),
        bare_call("c3", cost=2**62),
        bare_call("c4", cost=2**62),
        bare_call("c5", deployment_id="", model_group="made up", model="x", status="failure", http_status=429),
        bare_call("c6", organization_id="org-2", tags=("b", "c"), end_user="Zoë", cost=7),
    ]
    memory = MemoryLedgerStore(MemoryDatabase())
    await memory.append(calls)
    first = SqliteDatabase(tmp_path / "now.db")
    await first.open()
    await SqliteLedgerStore(first).append(calls)
    await first.close()
    await as_before(tmp_path / "now.db", tmp_path / "before.db")
    again = SqliteDatabase(tmp_path / "before.db")
    await again.open()
    ledger = SqliteLedgerStore(again)
    for scope in ("line", "all", "team", "organization", "customer", "tag", "customer_sum", "tag_sum"):
        assert await all_rows(ledger, scope) == await all_rows(memory, scope), scope
    assert await ledger.totals() == await memory.totals()
    more = bare_call("c7", key_token="t2", cost=5)
    await ledger.append([more])
    await memory.append([more])
    assert await all_rows(ledger, "line") == await all_rows(memory, "line")
    await again.close()
