"""Lists that are asked for often go by an index in SQLite: none of them looks at all keys, entries or calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from pointsman.stores.sqlite import SqliteDatabase
from pointsman.stores.sqlite.directory_statements import COUNT_ENTRIES, LATEST_ENTRIES, LIST_ENTRIES
from pointsman.stores.sqlite.key_list_statements import (
    ALIASES_WITH,
    COUNT_KEYS,
    LATEST_KEYS,
    LIST_KEYS,
    SPENDING_KEYS,
    TOKENS_WITH_USER,
)
from pointsman.stores.sqlite.page_statements import (
    CALL_PAGE,
    CALL_PAGE_OF_PARTIES,
    COUNT_ALL_CALLS,
    COUNT_CALLS_OF_PARTIES,
    PARTIES_END,
)

SEARCHED = {
    **{f"keys by {way}": LIST_KEYS[way] for way in ("token", "tokens", "user", "alias", "aliases", "team")},
    **{f"number of keys by {way}": COUNT_KEYS[way] for way in ("token", "tokens", "user", "alias", "aliases", "team")},
    **{f"entries by {way}": LIST_ENTRIES[way] for way in ("ids", "alias", "owner", "parent")},
    **{f"number of entries by {way}": COUNT_ENTRIES[way] for way in ("all", "ids", "alias", "owner", "parent")},
    **{f"calls of a {way}": CALL_PAGE_OF_PARTIES[way] for way in ("key", "user")},
    **{f"number of calls of a {way}": COUNT_CALLS_OF_PARTIES[way] for way in ("key", "user")},
    **{f"end of a page of a {way}": PARTIES_END[way] for way in ("key", "user")},
    "calls": CALL_PAGE,
    "number of calls": COUNT_ALL_CALLS,
    "the latest entries": LATEST_ENTRIES,
}
ORDERED = {"the latest keys": LATEST_KEYS, "the keys that spent most": SPENDING_KEYS}


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    database = SqliteDatabase(tmp_path / "p.db")
    await database.open()
    await database.close()
    return database.path


@pytest.fixture
def connection(path: Path) -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(str(path))) as connection:
        yield connection


def plan(connection: apsw.Connection, statement: str) -> list[str]:
    values = dict.fromkeys(re.findall(r":(\w+)", statement))
    return [str(row[-1]) for row in connection.execute("EXPLAIN QUERY PLAN " + statement, values).fetchall()]


@pytest.mark.parametrize("name", SEARCHED)
def test_nothing_is_scanned(connection: apsw.Connection, name: str) -> None:
    scanned = [step for step in plan(connection, SEARCHED[name]) if step.startswith("SCAN")]
    given_ones = ("SCAN json_each VIRTUAL TABLE", "SCAN (subquery")
    assert [step for step in scanned if not step.startswith(given_ones)] == []


@pytest.mark.parametrize("statement", [ALIASES_WITH, TOKENS_WITH_USER])
def test_a_text_is_looked_for_in_an_index_alone(connection: apsw.Connection, statement: str) -> None:
    explained = connection.execute("EXPLAIN QUERY PLAN " + statement, ("x", 9)).fetchall()
    assert any("COVERING INDEX" in str(row[-1]) for row in explained), explained


@pytest.mark.parametrize("name", ORDERED)
def test_a_page_is_read_in_the_order_of_an_index(connection: apsw.Connection, name: str) -> None:
    steps = plan(connection, ORDERED[name])
    assert any(step.startswith("SCAN keys USING COVERING INDEX") for step in steps), steps
    # What is sorted is the page.
    assert sum("TEMP B-TREE FOR ORDER BY" in step for step in steps) <= 1
