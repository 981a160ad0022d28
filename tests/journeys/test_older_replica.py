"""A gateway goes on, and loses nothing, while a newer version has already brought the database to its schema."""

from __future__ import annotations

from typing import Any, Final

from pointsman.core.secret import Secret
from pointsman.stores.postgres import PostgresDatabase, postgres_address
from pointsman.stores.postgres.migrate import Migration, shipped
from pointsman.stores.sqlite import SqliteDatabase
from pointsman.stores.sqlite.migrate import Migration as SqliteMigration
from pointsman.stores.sqlite.migrate import shipped as sqlite_shipped
from tests.support.configs import ONE_ATTEMPT, openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.servers import PostgresServer, run_aside
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI

NEWER: Final = """
ALTER TABLE keys ADD COLUMN newer_note TEXT;
ALTER TABLE calls ADD COLUMN newer_number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE directory ADD COLUMN newer_note TEXT;
ALTER TABLE audit_log ADD COLUMN newer_note TEXT;
CREATE INDEX newer_index ON calls (newer_number);
CREATE TABLE newer (number BIGINT NOT NULL PRIMARY KEY);
"""


def migrated_further(database: PostgresDatabase | SqliteDatabase) -> None:
    """What the newer version does when it starts."""

    async def work() -> None:
        await database.open()
        await database.close()

    run_aside(work())


def in_file(gateway: Gateway) -> None:
    steps = sqlite_shipped()
    newer = SqliteMigration(len(steps) + 1, "9999_newer.sql", NEWER.replace("BIGINT", "INTEGER"))
    migrated_further(SqliteDatabase(gateway.data_dir / "pointsman.db", migrations=(*steps, newer)))


def on_server(url: str) -> None:
    steps = shipped()
    newer = Migration(len(steps) + 1, "9999_newer.sql", NEWER)
    migrated_further(PostgresDatabase(postgres_address(Secret(url), "the test"), migrations=(*steps, newer)))


def config(upstream: FakeOpenAI) -> dict[str, Any]:
    entry = openai_entry("m", upstream, input_cost_per_token=0.000001, output_cost_per_token=0.000002)
    return {**ONE_ATTEMPT, "model_list": [entry]}


def works(gateway: Gateway, *keys: str, calls: int) -> None:
    """Old keys and new ones are served, counted and listed; ``calls`` are those before."""
    team = gateway.http("POST", "/team/new", {"team_alias": f"t{calls}"}).json()["team_id"]
    fresh = gateway.http("POST", "/key/generate", {"team_id": team, "max_budget": 5}).json()["key"]
    for key in (*keys, fresh):
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        assert gateway.http("POST", "/v1/chat/completions", body, key=key).status == 200
    assert gateway.http("POST", "/key/update", {"key": fresh, "max_budget": 7}).status == 200
    assert gateway.http("GET", "/key/list?return_full_object=true").status == 200
    assert gateway.http("GET", f"/team/info?team_id={team}").status == 200
    assert gateway.http("GET", "/audit").json()["total"] > 0

    def recorded() -> bool:
        counted = gateway.http("GET", "/global/activity?start_date=2026-01-01&end_date=2099-12-31").json()
        spent = gateway.http("GET", f"/key/info?key={fresh}").json()["info"]["spend"]
        return bool(counted["sum_api_requests"] == calls + len(keys) + 1 and spent > 0)

    eventually(recorded, "every call is in the ledger")


def test_a_gateway_goes_on_when_a_newer_one_has_migrated_its_server(
    launch: Launch, upstream: FakeOpenAI, postgres: PostgresServer
) -> None:
    url = postgres.url(postgres.new_database())
    gateway = launch(config(upstream), env={"DATABASE_URL": url})
    key = gateway.new_key()
    works(gateway, key, calls=0)
    on_server(url)
    works(gateway, key, calls=2)
    gateway.restart()
    works(gateway, key, calls=4)
    assert gateway.http("GET", "/health/readiness").json()["status"] == "healthy"


def test_a_gateway_goes_on_when_a_newer_one_has_migrated_its_file(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream))
    key = gateway.new_key()
    works(gateway, key, calls=0)
    in_file(gateway)
    works(gateway, key, calls=2)
    assert gateway.http("GET", "/health/readiness").json()["status"] == "healthy"
    gateway.stop()
    gateway.spawn()
    assert gateway.process.wait(20.0) == 2, "but it does not start again, since nobody promised that there"
    assert "was made by a newer version" in gateway.output()
