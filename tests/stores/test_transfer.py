"""Everything that is kept arrives in the other database as it was, or nothing does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from pointsman.core.errors import Misconfigured
from pointsman.core.identity import Owner
from pointsman.core.secret import Secret
from pointsman.stores.activity import SCOPES, ActivityQuery, ActivityRow, Dimension, FailureQuery, Line, Scope
from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.ports import Meter
from pointsman.stores.directory.records import Team
from pointsman.stores.ports import KeyQuery, LedgerQuery, SummaryQuery
from pointsman.stores.postgres import postgres_address
from pointsman.stores.response_ports import ConversationRecord, ItemQuery, KeptItem, ResponseRecord
from pointsman.stores.spend_news import SPENDING
from pointsman.stores.sqlite import SqliteDatabase
from pointsman.stores.transfer import Progress, copy_everything
from pointsman.stores.transfer.call_columns import MORE_COLUMNS, apart, together
from pointsman.stores.transfer.postgres_end import PostgresEnd
from pointsman.stores.transfer.sqlite_end import SqliteEnd, back_up
from tests.stores.conftest import Stores, in_postgres, in_sqlite, postgres_at
from tests.stores.samples import DAY, NOON, bare_call, bare_key, full_call, full_key

FIRST, LAST = date(2024, 1, 1), date(2025, 1, 1)
ME = Owner("t1")
EVERYBODY = Owner("", sees_all=True)


async def fill(stores: Stores) -> None:
    """A little of everything, with what is hard to keep."""
    await stores.keys.insert(full_key("t1"))
    await stores.keys.insert(bare_key("t2", key_alias="nul \x00 and \uf8ff", spend=7))
    await stores.keys.insert(bare_key("t3"))
    await stores.keys.rotate("t3", bare_key("t4"))
    await stores.keys.delete(["t2"], NOON, "admin")
    await stores.ledger.append([full_call("c1"), bare_call("c2", key_token="t1", cost=2**62, started_at=NOON + DAY)])
    prefix = "e0a3ab5c-70e5-4dd0-a4e5-0000"
    await stores.ledger.append([bare_call(f"{prefix}{n:08x}", key_token="t4", cost=n) for n in range(50)])
    await stores.ledger.append(
        [bare_call("c3", deployment_id="", model_group="invented", status="failure", http_status=429)]
    )
    await stores.directory.insert(TEAMS, Team(team_id="team-1", alias="Zoë", created_at=NOON))
    await stores.spend.schedule(Meter("team", "team-1"), "30d", NOON + 30 * DAY)
    body = msgspec.Raw(b'{"status":"completed"}')
    conversation = ConversationRecord(id="conv_1", owner="t1", created_at=NOON, expires_at=NOON + DAY)
    await stores.conversations.create(conversation, [KeptItem("i1", msgspec.Raw(b'{"id":"i1"}'))])
    record = ResponseRecord(
        id="resp_1", owner="t1", model="m", status="in_progress", created_at=NOON, expires_at=NOON + DAY, body=body,
        conversation_id="conv_1", worker=0,
    )  # fmt: skip
    await stores.responses.begin(record)
    await stores.responses.add_events("resp_1", 0, [b"data: 1\n\n", b"data: 2\n\n"])
    more = [KeptItem("i2", msgspec.Raw(b'{"id":"i2"}'))]
    ended = msgspec.structs.replace(record, status="completed")
    await stores.responses.finish(ended, 2, [b"data: 3\n\n"], more, ["n1"])


async def activity(stores: Stores, scope: Scope) -> tuple[ActivityRow, ...]:
    """All sums of a scope."""
    by: tuple[Dimension, ...] = ("day", "identity", *Line._fields)  # type: ignore[assignment]
    return await stores.ledger.activity(ActivityQuery(first_day=FIRST, last_day=LAST, scope=scope, by=by))


async def everything(stores: Stores) -> dict[str, Any]:
    """All that can be read of it."""
    days = SummaryQuery(first_day=FIRST, last_day=LAST)
    return {
        "keys": await stores.keys.find(KeyQuery(size=100)),
        "deleted": await stores.keys.find(KeyQuery(size=100, status="deleted")),
        "changes": await stores.keys.changed_since(0),
        "calls": await stores.ledger.find(LedgerQuery(limit=1000)),
        "of a key": await stores.ledger.find(LedgerQuery(key_token="t1", limit=1000)),
        "days": await stores.ledger.summary(days),
        "energy": await stores.ledger.energy(days),
        "totals": await stores.ledger.totals(),
        **{scope: await activity(stores, scope) for scope in SCOPES},
        "failed": await stores.ledger.failed_calls(
            FailureQuery(first_day=FIRST, last_day=LAST, model_group="", http_status=429)
        ),
        "lines": await stores.ledger.lines(1000),
        "team": await stores.directory.get(TEAMS, "team-1"),
        "directory": [one for one in (await stores.directory.changed_since(0))[1] if one.kind != SPENDING],
        "spent": await stores.spend.spent([Meter("team", "team-1"), Meter("model", "gpt-5")]),
        "response": await stores.responses.with_item("n1", ME, NOON),
        "events": await stores.responses.events("resp_1", ME, NOON, after=-1),
        "items": await stores.conversations.page("conv_1", ME, NOON, ItemQuery(order="asc")),
    }


@asynccontextmanager
async def stores_at(place: Path | str) -> AsyncIterator[Stores]:
    if isinstance(place, Path):
        database = SqliteDatabase(place)
        await database.open()
        yield in_sqlite(database)
        await database.close()
    else:
        there = postgres_at(place)
        await there.open()
        yield in_postgres(there)
        await there.close()


async def copy(source: Path | str, target: Path | str, *, replace: bool = False) -> list[Progress]:
    told: list[Progress] = []
    if isinstance(source, Path):
        with SqliteEnd.reading(source) as origin:
            async with PostgresEnd.writing(postgres_address(Secret(str(target)), "it")) as end:
                await copy_everything(origin, end, told.append, replace=replace)
    else:
        async with PostgresEnd.reading(postgres_address(Secret(source), "it")) as beginning:
            with SqliteEnd.writing(Path(target)) as end:
                await copy_everything(beginning, end, told.append, replace=replace)
    return told


async def test_there_and_back_again_everything_is_as_it_was(tmp_path: Path, postgres_url: str) -> None:
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    async with stores_at(first) as stores:
        await fill(stores)
        kept = await everything(stores)
    assert all(kept.values())
    told = await copy(first, postgres_url)
    assert told[-1].done == told[-1].total > 60
    connection = await asyncpg.connect(postgres_url)
    looked_at = await connection.fetchval("SELECT reltuples FROM pg_class WHERE oid = 'calls'::regclass")
    await connection.close()
    assert looked_at == len(kept["calls"]), "the server does not plan for empty tables"
    async with stores_at(postgres_url) as stores:
        assert await everything(stores) == kept
    async with stores_at(second) as stores:
        assert await stores.keys.get("t1") is None
    await copy(postgres_url, second)
    async with stores_at(second) as stores:
        assert await everything(stores) == kept


@pytest.mark.parametrize("back", [False, True], ids=["to PostgreSQL", "to SQLite"])
async def test_what_arrived_goes_on_where_it_stopped(tmp_path: Path, postgres_url: str, *, back: bool) -> None:
    path = tmp_path / "a.db"
    places: tuple[Path | str, Path | str] = (postgres_url, path) if back else (path, postgres_url)
    async with stores_at(places[0]) as stores:
        await fill(stores)
        version, _ = await stores.keys.changed_since(0)
        lines = await stores.ledger.lines(1000)
    if back:
        async with stores_at(path):
            pass
    await copy(*places)
    async with stores_at(places[1]) as stores:
        assert (await stores.ledger.append([full_call("c1")])).calls == 0, "it is known there"
        again = bare_call("e0a3ab5c-70e5-4dd0-a4e5-000000000007", key_token="t4")
        assert (await stores.ledger.append([again, bare_call("c9", key_token="new", user_id="new", cost=1)])).calls == 1
        assert await stores.ledger.lines(1000) == lines + 1, "all but that of the new key"
        await stores.keys.insert(bare_key("t9"))
        assert (await stores.keys.changed_since(version))[1] == ("t9",)
        assert await stores.responses.sweep(NOON, bytes_max=1) > 0, "it knows how large what arrived is"
        await stores.responses.sweep(NOON, bytes_max=0)
        assert await stores.responses.sweep(NOON, bytes_max=0) == 0


async def test_nothing_is_copied_over_something_unless_it_is_said(tmp_path: Path, postgres_url: str) -> None:
    path = tmp_path / "a.db"
    async with stores_at(path) as stores:
        await fill(stores)
        kept = await everything(stores)
    async with stores_at(postgres_url) as stores:
        await stores.keys.insert(bare_key("other"))
    with pytest.raises(Misconfigured, match="is not empty: it holds 1 rows in key"):
        await copy(path, postgres_url)
    async with stores_at(postgres_url) as stores:
        assert await stores.keys.get("other") is not None
    await copy(path, postgres_url, replace=True)
    async with stores_at(postgres_url) as stores:
        assert await stores.keys.get("other") is None
        assert await everything(stores) == kept


async def test_a_copy_that_does_not_end_leaves_nothing(tmp_path: Path, postgres_url: str) -> None:
    path = tmp_path / "a.db"
    async with stores_at(path) as stores:
        await fill(stores)

    class Unplugged(Exception):
        pass

    def report(progress: Progress) -> None:
        if progress.table == "calls":
            raise Unplugged

    with pytest.raises(Unplugged), SqliteEnd.reading(path) as source:
        async with PostgresEnd.writing(postgres_address(Secret(postgres_url), "it")) as target:
            await copy_everything(source, target, report)
    async with stores_at(postgres_url) as stores:
        assert (await stores.keys.find(KeyQuery())).total == 0


async def test_what_arrives_otherwise_than_it_was_sent_is_refused(tmp_path: Path, postgres_url: str) -> None:
    path = tmp_path / "a.db"
    async with stores_at(path) as stores:
        await fill(stores)

    class Losing(SqliteEnd):
        async def rows(self, table: str) -> Any:
            async for batch in super().rows(table):
                yield batch[1:] if table == "calls" else batch

    with pytest.raises(Misconfigured, match="The table calls did not arrive as it was"), Losing.reading(path) as source:
        async with PostgresEnd.writing(postgres_address(Secret(postgres_url), "it")) as target:
            await copy_everything(source, target, lambda _: None)
    async with stores_at(postgres_url) as stores:
        assert (await stores.keys.find(KeyQuery())).total == 0


async def test_a_file_is_backed_up_while_it_is_used(tmp_path: Path) -> None:
    path, copy_of_it = tmp_path / "a.db", tmp_path / "copy.db"
    async with stores_at(path) as stores:
        await fill(stores)
        kept = await everything(stores)
        steps = list(back_up(path, copy_of_it))
    assert steps[-1][0] == steps[-1][1] > 0
    async with stores_at(copy_of_it) as stores:
        assert await everything(stores) == kept


@pytest.mark.parametrize(
    "more",
    [
        None,
        '{"end_user":"Zo\u00eb","cached_tokens":5}',
        '{"model_group":"m","units":{"images":2},"trace":{"pick":"x"}}',
    ],
)
def test_what_is_seldom_there_is_taken_apart_and_put_together(more: str | None) -> None:
    values = apart(more)
    assert len(values) == len(MORE_COLUMNS)
    again = together(values)
    assert (again and msgspec.json.decode(again)) == (more and msgspec.json.decode(more))
