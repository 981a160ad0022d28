"""What a list or a report of a few looks at does not grow with what belongs to others, in SQLite."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import apsw
import pytest

from pointsman.stores.activity import EPOCH, ActivityQuery
from pointsman.stores.pages import CallQuery
from pointsman.stores.sqlite import SqliteDatabase, SqliteLedgerStore
from pointsman.stores.sqlite.activity import read_activity
from pointsman.stores.sqlite.pages import count_calls, read_page
from tests.stores.samples import NOON, bare_call

OTHERS = 2_000
DAY = EPOCH + timedelta(seconds=NOON)


@pytest.fixture
async def crowded(database: SqliteDatabase) -> SqliteDatabase:
    """Two calls of one key, user, team, and very many of others."""
    calls = [
        bare_call(
            f"c-{n:08x}", started_at=NOON + n, key_token=f"k{n}", user_id=f"u{n}", team_id=f"t{n}", tags=("web",),
            end_user="somebody",
        )
        for n in range(OTHERS)
    ]  # fmt: skip
    calls += [
        bare_call(f"d-{n:08x}", started_at=NOON + n, key_token="k1", user_id="u1", team_id="t1", tags=("web",))
        for n in (10, 20)
    ]
    await SqliteLedgerStore(database).append(calls)
    return database


async def steps(database: SqliteDatabase, work: Callable[[apsw.Connection], Any]) -> tuple[Any, int]:
    """What work gives, and how many steps SQLite took for it."""

    def job(connection: apsw.Connection) -> tuple[Any, int]:
        taken: list[int] = []

        def note(event: dict[str, Any]) -> None:
            taken.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])

        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, note)
        try:
            return work(connection), sum(taken)
        finally:
            connection.trace_v2(0)

    return await database.read(job)


async def test_calls_of_others_are_passed_over_without_a_look_at_what_they_are(crowded: SqliteDatabase) -> None:
    query = CallQuery(team_ids=("t1",))
    page, taken = await steps(crowded, lambda connection: read_page(connection, query))
    assert len(page.records) == 3
    assert taken < 40 * OTHERS
    count, taken = await steps(crowded, lambda connection: count_calls(connection, query, 1000))
    assert count == 3
    assert taken < 40 * OTHERS


@pytest.mark.parametrize("scope", ["tag", "customer"])
@pytest.mark.parametrize("owner", [{"key_tokens": ("k1",)}, {"user_id": "u1"}, {"team_ids": ("t1",)}])
@pytest.mark.parametrize("identities", [None, ("web", "somebody", "nobody")])
async def test_what_one_did_under_a_tag_is_looked_for_by_their_own_lines(
    crowded: SqliteDatabase, scope: str, owner: dict[str, Any], identities: tuple[str, ...] | None
) -> None:
    query = ActivityQuery(first_day=DAY, last_day=DAY, scope=scope, identities=identities, **owner)  # type: ignore[arg-type]
    (row,), taken = await steps(crowded, lambda connection: read_activity(connection, query))
    assert row.counts.calls == (3 if scope == "tag" else 1)
    assert taken < OTHERS
