"""The audit log, over every backend: begun before, completed once, never changed, found, read and swept."""

from __future__ import annotations

import asyncio
from typing import Any

import apsw
import asyncpg
import msgspec
import pytest

from pointsman.stores.audit import AUDIT_SORTS, AuditEntry, AuditQuery, AuditStore
from pointsman.stores.memory.audit import MemoryAuditStore
from pointsman.stores.postgres import PostgresAuditStore, PostgresDatabase
from pointsman.stores.sqlite import SqliteAuditStore, SqliteDatabase
from tests.support.servers import PostgresServer

NOW = 1_790_000_000.0


def entry(number: int, **changes: object) -> AuditEntry:
    begun = AuditEntry(id=f"a-{number}", at=NOW + number, action="created", table_name="keys", object_id=f"o-{number}")
    return msgspec.structs.replace(begun, **changes)


def done(number: int, **changes: object) -> AuditEntry:
    return entry(number, **{"outcome": "done", "status": 200, **changes})


async def test_an_entry_is_begun_and_completed_once(audit: AuditStore) -> None:
    await audit.append([entry(1)])
    assert await audit.get("a-1") == entry(1)
    complete = done(1, updated_values=msgspec.Raw(b'{"a":"\xc3\xa9"}'), changed_by="me", peer="10.0.0.1")
    await audit.complete([complete, done(2)])
    assert await audit.get("a-1") == complete
    assert await audit.get("a-2") == done(2)
    await audit.complete([done(1, action="deleted"), done(3)])
    assert await audit.get("a-1") == complete
    assert await audit.get("a-3") is None


async def test_an_entry_that_is_there_is_not_added_again(audit: AuditStore) -> None:
    await audit.append([done(1)])
    await audit.append([done(1, action="deleted"), done(2)])
    assert await audit.get("a-1") == done(1)
    assert (await audit.find(AuditQuery())).total == 2


async def test_what_was_never_completed_stays_as_unknown(audit: AuditStore) -> None:
    await audit.append([entry(1), done(2)])
    page = await audit.find(AuditQuery(outcome="unknown"))
    assert [one.id for one in page.entries] == ["a-1"]


async def test_filters_hold_together(audit: AuditStore) -> None:
    await audit.append(
        [
            done(1, changed_by="ann", action="created", table_name="keys"),
            done(2, changed_by="ann", action="deleted", table_name="keys"),
            done(3, changed_by="bob", action="created", table_name="teams", changed_by_api_key="k"),
        ]
    )

    async def ids(**filters: object) -> list[str]:
        page = await audit.find(msgspec.structs.replace(AuditQuery(), **filters))
        assert page.total == len(page.entries)
        return [one.id for one in page.entries]

    assert await ids(changed_by="ann") == ["a-2", "a-1"]
    assert await ids(changed_by="ann", action="created") == ["a-1"]
    assert await ids(table_name="teams") == ["a-3"]
    assert await ids(changed_by_api_key="k") == ["a-3"]
    assert await ids(object_id="o-2") == ["a-2"]
    assert await ids(start=NOW + 2) == ["a-3", "a-2"]
    assert await ids(end=NOW + 2) == ["a-2", "a-1"]
    assert await ids(changed_by="nobody") == []


async def test_values_are_searched_for_teams_and_keys(audit: AuditStore) -> None:
    await audit.append(
        [
            done(1, before_value=msgspec.Raw(b'{"team_id":"team-7"}')),
            done(2, updated_values=msgspec.Raw(b'{"team_id":"team-70","token":"abc"}')),
            done(3, updated_values=msgspec.Raw(b'{"other":"team-7"}')),
            done(4, before_value=msgspec.Raw(b'{"team_id":"team-8","token":"x"}')),
            done(5, updated_values=msgspec.Raw(b'{"team_id":"team-8","token":"x"}')),
        ]
    )
    assert [one.id for one in (await audit.find(AuditQuery(object_team_id="team-7"))).entries] == ["a-2", "a-1"]
    assert [one.id for one in (await audit.find(AuditQuery(object_key_hash="abc"))).entries] == ["a-2"]
    assert [one.id for one in (await audit.find(AuditQuery(object_key_hash="x"))).entries] == ["a-5", "a-4"]


async def test_an_entry_is_found_by_its_id_and_by_whom_or_what_it_is_about(audit: AuditStore) -> None:
    await audit.append(
        [done(1, changed_by="eve"), done(2, object_id="eve"), done(3, changed_by_api_key="eve"), done(4)]
    )
    assert {one.id for one in (await audit.find(AuditQuery(search="eve"))).entries} == {"a-1", "a-2", "a-3"}
    assert [one.id for one in (await audit.find(AuditQuery(search="a-4"))).entries] == ["a-4"]
    assert (await audit.find(AuditQuery(search="ev"))).total == 0
    assert [one.entry.id for one in await audit.read(AuditQuery(search="eve"), 0, 1)] == ["a-1"]


async def test_pages_and_orders(audit: AuditStore) -> None:
    await audit.append([done(number, changed_by=f"who-{9 - number}") for number in range(1, 6)])
    page = await audit.find(AuditQuery(page=2, page_size=2))
    assert ([one.id for one in page.entries], page.total) == (["a-3", "a-2"], 5)
    for sort in AUDIT_SORTS:
        rising = await audit.find(AuditQuery(sort_by=sort, sort_order="asc"))
        falling = await audit.find(AuditQuery(sort_by=sort))
        assert [one.id for one in rising.entries] == [one.id for one in reversed(falling.entries)]
    by_name = await audit.find(AuditQuery(sort_by="changed_by", sort_order="asc", page_size=1))
    assert by_name.entries[0].changed_by == "who-4"


FILTERED: tuple[dict[str, Any], ...] = (
    {}, {"start": NOW + 5, "end": NOW + 20}, {"changed_by": "who-1"}, {"changed_by_api_key": "k2"}, {"action": "act-0"},
    {"table_name": "table-1"}, {"object_id": "o3"}, {"outcome": "refused"}, {"search": "who-1"}, {"search": "a-7"},
    {"object_team_id": "team/1"}, {"object_key_hash": "k2"}, {"action": "act-1", "changed_by": "who-0", "start": NOW},
    {"object_id": "o3", "outcome": "done"}, {"search": "o3", "action": "act-1", "end": NOW + 30},
)  # fmt: skip


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("filters", FILTERED, ids=lambda filters: "-".join(filters) or "none")
async def test_every_filter_goes_with_every_order(audit: AuditStore, filters: dict[str, Any], order: Any) -> None:
    entries = [
        done(
            number, changed_by=f"who-{number % 3}", changed_by_api_key=f"k{number % 4}", action=f"act-{number % 2}",
            table_name=f"table-{number % 5 % 2}", object_id=f"o{number % 7}", at=NOW + number * 7 % 11,
            outcome="refused" if number % 6 == 1 else "done",
            updated_values=msgspec.Raw(b'{"team_id":"team/%d","token":"k%d"}' % (number % 3, number % 4)),
        )
        for number in range(1, 40)
    ]  # fmt: skip
    await audit.append(entries)
    reference = MemoryAuditStore()
    await reference.append(entries)
    for sort in AUDIT_SORTS:
        for page in (1, 2, 3):
            query = AuditQuery(**filters, sort_by=sort, sort_order=order, page=page, page_size=4)
            assert await audit.find(query) == await reference.find(query), query


async def test_the_whole_log_is_read_in_its_order(audit: AuditStore) -> None:
    await audit.append([done(number) for number in range(1, 6)])
    read, after = [], 0
    while found := await audit.read(AuditQuery(start=NOW + 2), after, 2):
        read += [one.entry.id for one in found]
        after = found[-1].number
    assert read == ["a-2", "a-3", "a-4", "a-5"]


async def test_old_entries_are_swept_a_few_at_a_time(audit: AuditStore) -> None:
    await audit.append([done(number) for number in range(1, 6)])
    assert await audit.sweep(NOW + 4, 2)
    assert not await audit.sweep(NOW + 4, 2)
    assert [one.entry.id for one in await audit.read(AuditQuery(), 0)] == ["a-4", "a-5"]


async def test_sqlite_itself_refuses_to_change_a_complete_entry(database: SqliteDatabase) -> None:
    await SqliteAuditStore(database).append([done(1)])
    with pytest.raises(apsw.ConstraintError, match="never changed"):
        await database.write(lambda connection: connection.execute("UPDATE audit_log SET action = 'x'"))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_log",
        "UPDATE OR REPLACE audit_log SET number = 1 WHERE outcome = 'unknown'",
        "UPDATE OR REPLACE audit_log SET id = 'a-1' WHERE outcome = 'unknown'",
    ],
)
async def test_sqlite_itself_refuses_to_remove_an_entry(database: SqliteDatabase, statement: str) -> None:
    audit = SqliteAuditStore(database)
    await audit.append([done(1), entry(2)])
    with pytest.raises(apsw.ConstraintError, match=r"removed by its age only|never changed"):
        await database.write(lambda connection: connection.execute(statement))
    assert (await audit.find(AuditQuery())).total == 2


@pytest.mark.parametrize("taken", ["id = 'a-1', number = 7", "id = 'other', number = 1"])
async def test_sqlite_itself_replaces_no_entry(database: SqliteDatabase, taken: str) -> None:
    audit = SqliteAuditStore(database)
    await audit.append([done(1)])

    def replace(connection: apsw.Connection) -> None:
        connection.execute("CREATE TEMP TABLE other AS SELECT * FROM audit_log")
        connection.execute(f"UPDATE other SET {taken}, action = 'x'")
        connection.execute("INSERT OR REPLACE INTO audit_log SELECT * FROM other")

    await database.write(replace)
    assert [one.entry for one in await audit.read(AuditQuery(), 0)] == [done(1)]


@pytest.mark.parametrize("statement", ["DELETE FROM audit_log", "TRUNCATE audit_log"])
async def test_postgres_itself_refuses_to_remove_an_entry(
    postgres_database: PostgresDatabase, postgres: PostgresServer, postgres_shared: str, statement: str
) -> None:
    audit = PostgresAuditStore(postgres_database)
    await audit.append([done(1)])
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="removed by its age only"):
        await asyncio.to_thread(postgres.execute, statement, database=postgres_shared)
    assert not await audit.sweep(NOW)
    assert (await audit.find(AuditQuery())).total == 1
