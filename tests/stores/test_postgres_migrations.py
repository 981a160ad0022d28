"""How a PostgreSQL database comes to the schema of this version, and which ones are left alone."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.core.errors import Misconfigured, StorageUnavailable
from pointsman.core.secret import Secret
from pointsman.stores.postgres import PostgresDatabase, postgres_address
from pointsman.stores.postgres.migrate import Migration, shipped
from tests.support.servers import PostgresServer

FIRST = Migration(1, "0001_first.sql", "CREATE TABLE keys (n INTEGER);")
SECOND = Migration(2, "0002_second.sql", "ALTER TABLE keys ADD COLUMN m INTEGER; CREATE INDEX keys_by_m ON keys (m);")
BREAKING = Migration(2, "0002_breaking.sql", "-- oldest: 2\nALTER TABLE keys RENAME COLUMN n TO m;")


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.url(postgres.new_database())


async def migrated(url: str, *migrations: Migration) -> None:
    database = PostgresDatabase(postgres_address(Secret(url), "the test"), migrations=migrations)
    await database.open()
    await database.close()


def columns(postgres: PostgresServer, url: str) -> list[str]:
    found = postgres.fetch(
        "SELECT column_name::TEXT FROM information_schema.columns WHERE table_name = 'keys' ORDER BY 1",
        database=url.rpartition("/")[2],
    )
    return [name for (name,) in found]


def test_shipped_migrations_are_numbered_without_gaps() -> None:
    steps = shipped()
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert all(step.name.startswith(f"{step.number:04d}_") for step in steps)
    assert all(1 <= step.oldest <= step.number for step in steps)


async def test_later_steps_are_added_and_data_stays(postgres: PostgresServer, url: str) -> None:
    await migrated(url, FIRST)
    postgres.execute("INSERT INTO keys VALUES (7)", database=url.rpartition("/")[2])
    await migrated(url, FIRST, SECOND)
    assert columns(postgres, url) == ["m", "n"]
    assert postgres.fetch("SELECT n FROM keys", database=url.rpartition("/")[2]) == [(7,)]


async def test_several_replicas_at_once_apply_each_step_once(postgres: PostgresServer, url: str) -> None:
    await asyncio.gather(*(migrated(url, FIRST, SECOND) for _ in range(5)))
    assert columns(postgres, url) == ["m", "n"]


async def test_a_step_that_fails_leaves_the_database_as_it_was(postgres: PostgresServer, url: str) -> None:
    await migrated(url, FIRST)
    wrong = Migration(3, "0003_wrong.sql", "ALTER TABLE no_such_table ADD COLUMN x INTEGER;")
    with pytest.raises(StorageUnavailable):
        await migrated(url, FIRST, SECOND, wrong)
    assert columns(postgres, url) == ["n"]


async def test_an_older_version_goes_on_beside_steps_that_only_add(url: str) -> None:
    await migrated(url, FIRST, SECOND)
    await migrated(url, FIRST)


async def test_an_older_version_is_refused_where_it_could_not_go_on(url: str) -> None:
    await migrated(url, FIRST)
    await migrated(url, FIRST, BREAKING)
    with pytest.raises(Misconfigured, match="newer version: its schema is 2, this version knows 1"):
        await migrated(url, FIRST)


async def test_a_step_that_was_applied_with_other_text_is_refused(url: str) -> None:
    await migrated(url, FIRST)
    with pytest.raises(Misconfigured, match=r"another 0001_first\.sql"):
        await migrated(url, FIRST._replace(sql="CREATE TABLE keys (n BIGINT);"))


@pytest.mark.parametrize(
    ("table", "whose"), [('"LiteLLM_VerificationToken"', "LiteLLM"), ("invoices", "another program")]
)
async def test_the_database_of_another_program_is_left_alone(
    postgres: PostgresServer, url: str, table: str, whose: str
) -> None:
    database = url.rpartition("/")[2]
    postgres.execute(f"CREATE TABLE {table} (n INTEGER)", database=database)
    with pytest.raises(Misconfigured, match=f"belongs to {whose}") as refused:
        await migrated(url, FIRST)
    assert refused.value.hint is not None
    assert "?schema=pointsman" in refused.value.hint
    assert columns(postgres, url) == []


async def test_a_schema_of_its_own_makes_room_beside_another_program(postgres: PostgresServer, url: str) -> None:
    database = url.rpartition("/")[2]
    postgres.execute('CREATE TABLE "LiteLLM_VerificationToken" (n INTEGER)', database=database)
    await migrated(f"{url}?schema=pointsman", FIRST)
    await migrated(f"{url}?schema=pointsman", FIRST, SECOND)
    assert postgres.fetch(
        "SELECT table_schema::TEXT FROM information_schema.tables WHERE table_name = 'keys'", database=database
    ) == [("pointsman",)]
