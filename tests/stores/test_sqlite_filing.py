"""What calls have in common is kept once, however many write, and whatever clients make up."""

from __future__ import annotations

import apsw
import msgspec
import pytest

from pointsman.core.clock import CallIds
from pointsman.core.errors import Malformed, StorageUnavailable
from pointsman.core.outcome import CallRecord
from pointsman.stores.ports import LedgerQuery
from pointsman.stores.sqlite import SqliteDatabase, SqliteLedgerStore, filing
from tests.stores.samples import bare_call, full_call

EVERYTHING = LedgerQuery(limit=10_000)
COUNTS = """
SELECT (SELECT count(*) FROM parties), (SELECT count(*) FROM contexts), (SELECT count(*) FROM origins),
    (SELECT count(*) FROM calls), (SELECT count(*) FROM contents)
"""


async def counts(database: SqliteDatabase) -> tuple[int, ...]:
    """Parties, contexts, origins, calls, contents."""
    found: tuple[int, ...] = await database.read(lambda connection: connection.execute(COUNTS).get)
    return found


def calls(count: int, ids: CallIds, *likes: CallRecord) -> list[CallRecord]:
    """Calls that differ in their ids, each of them like one of these in turn."""
    return [msgspec.structs.replace(likes[number % len(likes)], call_id=ids.fresh()) for number in range(count)]


async def test_what_calls_have_in_common_is_kept_once_for_all_who_write(database: SqliteDatabase) -> None:
    other = SqliteDatabase(database.path)
    await other.open()
    ids = CallIds(), CallIds()
    kinds = bare_call(key_token="t1"), bare_call(key_token="t1", user_id="u1"), full_call(), full_call(model="gpt-6")
    ledgers = SqliteLedgerStore(database), SqliteLedgerStore(other)
    recorded: list[CallRecord] = []
    for turn in range(6):
        batch = calls(111, ids[turn % 2], *kinds)
        await ledgers[turn % 2].append(batch)
        recorded += batch
    # A third that knows nothing yet.
    late = calls(10, ids[0], *kinds)
    await SqliteLedgerStore(other).append(late)
    found = await ledgers[0].find(EVERYTHING)
    assert sorted(found, key=lambda record: record.call_id) == sorted(
        [*recorded, *late], key=lambda record: record.call_id
    )
    parties, contexts, origins, rows, contents = await counts(other)
    assert (parties, contexts, origins) == (3, 4, 2)
    assert (rows, contents) == (676, sum(record.prompt is not None for record in found))
    await other.close()


async def test_what_was_undone_is_not_taken_for_known(database: SqliteDatabase) -> None:
    ledger = SqliteLedgerStore(database)
    ids = CallIds()
    with pytest.raises(Malformed):
        await ledger.append([*calls(5, ids, full_call()), bare_call("c1", started_at="yesterday")])
    assert await counts(database) == (0, 0, 0, 0, 0)
    pages = await database.read(lambda connection: connection.execute("PRAGMA page_count").get)
    await database.read(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").get)
    with pytest.raises(StorageUnavailable):
        await ledger.append(calls(500, ids, full_call()))
    await database.read(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").get)
    batch = calls(5, ids, full_call())
    await ledger.append(batch)
    assert sorted(await ledger.find(EVERYTHING), key=lambda record: record.call_id) == batch
    assert await counts(database) == (1, 1, 1, 5, 5)


async def test_a_database_that_was_opened_again_is_asked_again(database: SqliteDatabase) -> None:
    ledger = SqliteLedgerStore(database)
    await ledger.append([full_call("c1")])
    await database.close()
    for path in database.path.parent.iterdir():
        path.unlink()
    await database.open()
    await ledger.append([full_call("c2")])
    assert await ledger.find(EVERYTHING) == (full_call("c2"),)


async def test_models_that_clients_made_up_make_no_contexts(database: SqliteDatabase) -> None:
    ledger = SqliteLedgerStore(database)
    made_up = [
        full_call(f"c{number}", deployment_id="", model_requested=f"m{number}", model_group=f"m{number}", model="")
        for number in range(50)
    ]
    await ledger.append(made_up)
    assert sorted(await ledger.find(EVERYTHING), key=lambda record: int(record.call_id[1:])) == made_up
    assert (await counts(database))[:2] == (1, 1)


async def test_even_models_that_are_served_make_contexts_only_up_to_a_bound(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filing, "CONTEXTS_MADE_MAX", 20)
    monkeypatch.setattr(filing, "REMEMBERED_MAX", 10)
    ledger = SqliteLedgerStore(database)
    wild = [
        full_call(
            f"c{number}", deployment_id=f"d{number % 90}", model=f"m{number % 90}", model_requested=f"m{number % 90}"
        )
        for number in range(180)
    ]
    for start in range(0, 180, 15):
        await ledger.append(wild[start : start + 15])
    assert sorted(await ledger.find(EVERYTHING), key=lambda record: int(record.call_id[1:])) == wild
    assert (await counts(database))[:2] == (1, 21)


async def test_a_process_needs_no_row_for_the_ids_it_counts_up(database: SqliteDatabase) -> None:
    ledger = SqliteLedgerStore(database)
    first = "e0a3ab5c-70e5-4dd0-a4e5-0000"
    # Where the lower half begins anew there is another origin.
    batch = [bare_call(f"{first}{number:08x}") for number in (*range(2**32 - 60, 2**32), *range(60))]
    batch[60:] = [msgspec.structs.replace(one, call_id=one.call_id[:27] + "1" + one.call_id[28:]) for one in batch[60:]]
    assert (await ledger.append(batch)).calls == 120
    assert (await counts(database))[2] == 2
    assert {record.call_id for record in await ledger.find(EVERYTHING)} == {record.call_id for record in batch}


async def test_the_view_shows_calls_to_whoever_opens_the_file(database: SqliteDatabase) -> None:
    await SqliteLedgerStore(database).append([full_call("c1"), bare_call("c2", deployment_id="", model_group="x")])
    with apsw.Connection(str(database.path)) as connection:
        query = "SELECT call_id, model_group, error_code, cached_tokens, end_user FROM call_records ORDER BY call_id"
        assert list(connection.execute(query)) == [
            ("c1", "gpt-5", "upstream_broken", 10, "Zoë"), ("c2", "x", None, 0, None),
        ]  # fmt: skip
