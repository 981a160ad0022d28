"""No list and no report looks at all of a table that grows with calls, keys or entries, in SQLite and in PostgreSQL."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Final

import apsw
import asyncpg
import pytest

import pointsman.stores.postgres
import pointsman.stores.sqlite
from pointsman.stores.audit import AUDIT_SORTS
from pointsman.stores.sqlite import SqliteDatabase

GROWING: Final = frozenset({
    "calls", "call_records", "contents", "contexts", "parties", "party_seconds", "origins", "keys", "directory",
    "daily_activity", "activity", "activity_lines", "daily_energy", "daily_failures", "spend_totals", "spend_periods",
    "tag_users", "tag_user_days", "key_changes", "directory_changes", "audit_log", "responses", "conversations",
    "latest", "named", "counted", "whose", "kept",
})  # fmt: skip
"""Tables with a row for each call, key, entry, or day of one, and what statements call them."""

AUDIT_ORDERS: Final = [sort for sort in AUDIT_SORTS if sort != "updated_at"]
NO_INDEX: Final = "filters and orders of the list of keys that have no index; it grows with keys, never with calls"
IN_SQLITE: Final = {
    "COUNT_LINES": "ends at a limit",
    **{
        f"AUDIT_PAGE {('all', by, falling, alone)}": "goes along an index as far as the page"
        for by in AUDIT_ORDERS
        for falling in (True, False)
        for alone in (True, False)
    },
    "COUNT_KEYS all": "counts what is in an index",
    "CALL_BY_ANSWER": "the last entry of an index",
    "NEXT_EXPIRY": "goes along an index as far as its limit",
    "LATEST_KEYS": "goes along an index as far as the page",
    "SPENDING_KEYS": "goes along an index as far as the page",
    "COUNT_KEYS scan": NO_INDEX,
    "LIST_KEYS all": NO_INDEX,
    "LIST_KEYS scan": NO_INDEX,
}
IN_POSTGRESQL: Final = {
    "COUNT_KEYS": NO_INDEX,
    "LIST_KEYS": NO_INDEX,
    "LATEST_OF_FEW_KEYS": NO_INDEX,
    **{
        f"ALL_KEYS_IN_ORDER {(by, way)}": "no index, since spending changes with every batch; it grows with keys alone"
        for by in (
            "updated_at",
            "spend",
            "max_budget",
            "key_alias",
            "key_name",
            "expires",
            "last_active",
            "budget_reset_at",
            "tpm_limit",
            "rpm_limit",
        )
        for way in ("asc", "desc")
    },
}
"""Statements that look at all of a table, and why that is so."""

NO_FILTERS: Final = ", ".join(["NULL"] * 13)
PLANNED_ANEW: Final = {
    "COUNT_AUDIT": NO_FILTERS,
    **{f"AUDIT_PAGE {(by, way)}": NO_FILTERS + ", 50, 0" for by in AUDIT_SORTS for way in ("asc", "desc")},
    "CALL_PAGE_OF_PARTIES": "'inf', 0, '-inf', 'inf', '{t}', NULL, NULL, false" + ", NULL" * 11 + ", 50, 0",
    "PARTIES_END": "'inf', 0, '-inf', 'inf', 9, '{t}', NULL",
}
"""Values for statements of PostgreSQL that go by an index only if they are planned for what is given."""


def statements(package: ModuleType) -> Iterator[tuple[str, str]]:
    """Every statement that reads, by its name."""
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if module.name.endswith("statements"):
            loaded = importlib.import_module(module.name)
            for name in loaded.__all__:
                value = getattr(loaded, name)
                for key, statement in value.items() if isinstance(value, dict) else [("", value)]:
                    if isinstance(statement, str) and re.match(r"[\s(]*(SELECT|WITH)\b", statement):
                        yield f"{name} {key}".strip(), statement


def nothing_for(statement: str) -> dict[str, None] | tuple[None, ...]:
    """NULL for every parameter of a statement of SQLite."""
    named = dict.fromkeys(re.findall(r":(\w+)", statement))
    places = re.findall(r"\?(\d*)", re.sub(r"'[^']*'|--.*", "", statement))
    return named or (None,) * (max(map(int, places)) if any(places) else len(places))


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    database = SqliteDatabase(tmp_path / "p.db")
    await database.open()
    await database.close()
    return database.path


def test_sqlite_reads_everything_through_an_index(path: Path) -> None:
    found: dict[str, list[str]] = {}
    with closing(apsw.Connection(str(path))) as connection:
        for name, statement in statements(pointsman.stores.sqlite):
            plan = [
                str(row[-1])
                for row in connection.execute("EXPLAIN QUERY PLAN " + statement, nothing_for(statement)).fetchall()
            ]
            bad = [step for step in plan if step.startswith("SCAN") and step.split()[1] in GROWING]
            if bad:
                found[name] = bad
    assert found.keys() == IN_SQLITE.keys(), found


async def test_postgresql_reads_everything_through_an_index(postgres_url: str) -> None:
    found: dict[str, list[str]] = {}
    connection = await asyncpg.connect(postgres_url)
    # The tables are empty. What has an index that serves it is not scanned then either.
    await connection.execute("SET enable_seqscan = off; SET jit = off")
    for name, statement in statements(pointsman.stores.postgres):
        count = max(map(int, re.findall(r"\$(\d+)", statement)), default=0)
        values = PLANNED_ANEW.get(name) or ", ".join(["NULL"] * count)
        way = "custom" if name in PLANNED_ANEW else "generic"
        await connection.execute(f"SET plan_cache_mode = force_{way}_plan; PREPARE one AS {statement}")
        plan = [str(row[0]) for row in await connection.fetch(f"EXPLAIN EXECUTE one{f'({values})' if values else ''}")]
        await connection.execute("DEALLOCATE one")
        scanned = [(step.strip(), re.search(r"Seq Scan on (\w+)", step)) for step in plan]
        bad = [step for step, table in scanned if table is not None and table[1] in GROWING]
        if bad:
            found[name] = bad
    await connection.close()
    assert found.keys() == IN_POSTGRESQL.keys(), found
