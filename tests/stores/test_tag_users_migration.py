"""Users of tags from before they were counted are counted in little by little, those of older versions at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from pointsman.core.secret import Secret
from pointsman.stores.postgres import PostgresDatabase, PostgresLedgerStore, postgres_address
from pointsman.stores.postgres.migrate import shipped as shipped_for_postgres
from pointsman.stores.sqlite import SqliteDatabase, SqliteLedgerStore
from pointsman.stores.sqlite.migrate import shipped as shipped_for_sqlite
from pointsman.stores.tag_users import TagQuery
from tests.stores.samples import DAY, NOON, bare_call
from tests.stores.test_activity import FIRST
from tests.support.servers import PostgresServer

Ledgers: TypeAlias = tuple[tuple[SqliteDatabase, SqliteLedgerStore] | tuple[PostgresDatabase, PostgresLedgerStore], ...]


def in_sqlite(path: Path) -> Ledgers:
    older = SqliteDatabase(path, migrations=tuple(step for step in shipped_for_sqlite() if step.number < 16))
    newer = SqliteDatabase(path)
    return (older, SqliteLedgerStore(older)), (newer, SqliteLedgerStore(newer))


def in_postgres(postgres: PostgresServer) -> Ledgers:
    address = postgres_address(Secret(postgres.url(postgres.new_database())), "the test")
    known = tuple(step for step in shipped_for_postgres() if step.number < 10)
    older, newer = PostgresDatabase(address, migrations=known), PostgresDatabase(address)
    return (older, PostgresLedgerStore(older)), (newer, PostgresLedgerStore(newer))


@pytest.fixture(params=["sqlite", "postgres"])
def ledgers(request: pytest.FixtureRequest, tmp_path: Path) -> Ledgers:
    makers: dict[str, Callable[[], Ledgers]] = {
        "sqlite": lambda: in_sqlite(tmp_path / "p.db"),
        "postgres": lambda: in_postgres(request.getfixturevalue("postgres")),
    }
    return makers[request.param]()


async def test_users_of_before_are_counted_in_the_latest_first(ledgers: Ledgers) -> None:
    (older, old), (newer, new) = ledgers
    await older.open()
    if isinstance(older, PostgresDatabase):  # what writes here is of today, and writes to a column that came later
        await older.write(lambda session: session.execute("ALTER TABLE calls ADD COLUMN service_tier TEXT"))
    await old.append([
        bare_call(f"c{day}{user}", key_token=f"k{user}", user_id=f"u{user}" if user else None, tags=("a", "b"),
                  started_at=NOON + day * DAY)
        for day in range(4) for user in range(4) if day % (user + 1) == 0
    ])  # fmt: skip
    if isinstance(older, PostgresDatabase):
        await older.write(lambda session: session.execute("ALTER TABLE calls DROP COLUMN service_tier"))
    await newer.open()
    await old.append([bare_call("late", key_token="k8", user_id="u8", tags=("b",), started_at=NOON + 3 * DAY)])
    last_day = TagQuery(first_day=FIRST + timedelta(days=3), last_day=FIRST + timedelta(days=3))
    assert await new.tag_users(last_day) == ((("b", 1),), False)
    steps = 0
    while await new.catch_up(3):
        steps += 1
        if steps == 2:
            assert await new.tag_users(last_day) == ((("b", 2), ("a", 1)), True)
    assert steps == 7
    whole = TagQuery(first_day=FIRST, last_day=FIRST + timedelta(days=3))
    assert await new.tag_users(whole) == ((("b", 4), ("a", 3)), True)
    days = [(FIRST + timedelta(days=first), FIRST + timedelta(days=last)) for first, last in ((1, 2), (2, 3), (1, 1))]
    counted = [(await new.tag_users(TagQuery(first_day=first, last_day=last))).tags for first, last in days]
    assert counted == [(("a", 1), ("b", 1)), (("b", 3), ("a", 2)), ()]
    await old.append([bare_call("last", key_token="k9", user_id="u9", tags=("a",), started_at=NOON)])
    assert (await new.tag_users(whole)).tags == (("a", 4), ("b", 4))
    await older.close()
    await newer.close()
