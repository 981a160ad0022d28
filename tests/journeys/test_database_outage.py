"""PostgreSQL behind the gateway: several replicas agree, and its outage stops nobody who is known."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.support.configs import ONE_ATTEMPT, openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.servers import PASSWORD, PostgresServer
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, faults
from tests.upstreams.openai_shapes import chat_chunks

AGREE_SECONDS: Final = 2.0
RECOVER_SECONDS: Final = 5.0


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of the test's own, to be stopped and started."""
    with PostgresServer() as own:
        yield own


def config(upstream: FakeOpenAI, **sections: Any) -> dict[str, Any]:
    entry = openai_entry("m", upstream, input_cost_per_token=0.000001, output_cost_per_token=0.000002)
    return {**ONE_ATTEMPT, "model_list": [entry], **sections}


def ask(gateway: Gateway, key: str) -> Any:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    return gateway.http("POST", "/v1/chat/completions", body, key=key)


def readiness(gateway: Gateway) -> Any:
    return gateway.http("GET", "/health/readiness").json()


def recorded(server: PostgresServer, database: str) -> tuple[int, int]:
    """The calls in the ledger, and those in its sums."""
    rows = server.fetch(
        "SELECT (SELECT count(*) FROM calls),"
        " (SELECT coalesce(sum(calls), 0)::BIGINT FROM daily_activity WHERE scope = 1)",
        database=database,
    )
    return rows[0][0], rows[0][1]


def test_an_outage_stops_nobody_who_is_known_and_loses_nothing(
    launch: Launch, upstream: FakeOpenAI, server: PostgresServer
) -> None:
    database = server.new_database()
    gateway = launch(config(upstream), env={"DATABASE_URL": server.url(database)})
    key, stranger = gateway.new_key(), gateway.new_key()
    statuses: Counter[int] = Counter()
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            statuses[ask(gateway, key).status] += 1

    threads = [threading.Thread(target=load, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: statuses[200] > 50, "calls are answered", 20.0)
    server.stop()
    before = statuses[200]
    refused = ask(gateway, stranger)
    assert refused.status == 503, "nobody can say whose key it is, which is not to say that it is nobody's"
    assert refused.error["code"] == "storage_unavailable"
    assert str(server.port) not in refused.error["message"]
    eventually(lambda: readiness(gateway)["status"] == "degraded", "readiness says degraded", 10.0)
    eventually(lambda: statuses[200] > before + 100, "known keys go on", 20.0)
    assert gateway.http("GET", "/health/liveliness").status == 200
    assert gateway.http("GET", "/key/list").status == 503
    server.start()
    began = time.monotonic()
    eventually(lambda: readiness(gateway)["status"] == "healthy", "it recovers", RECOVER_SECONDS)
    assert ask(gateway, stranger).status == 200
    assert time.monotonic() - began < RECOVER_SECONDS
    stop.set()
    for thread in threads:
        thread.join(20.0)
    assert set(statuses) == {200}
    served = statuses[200] + 1
    eventually(lambda: recorded(server, database) == (served, served), "every call is in the ledger", RECOVER_SECONDS)
    (spend,) = server.fetch("SELECT sum(spend)::BIGINT FROM keys", database=database)
    (cost,) = server.fetch("SELECT sum(cost)::BIGINT FROM calls", database=database)
    assert spend == cost


def test_a_frozen_database_is_waited_for_once(launch: Launch, upstream: FakeOpenAI, server: PostgresServer) -> None:
    database = server.new_database()
    gateway = launch(config(upstream), env={"DATABASE_URL": server.url(database)})
    key, *strangers = (gateway.new_key() for _ in range(4))
    assert ask(gateway, key).status == 200
    with server.frozen():
        waits = []
        for stranger in strangers:
            began = time.monotonic()
            refused = ask(gateway, stranger)
            waits.append(time.monotonic() - began)
            assert (refused.status, refused.error["code"]) == (503, "storage_unavailable")
        assert waits[0] < 3.0
        assert sum(waits[1:]) < 1.0, "it is known by now"
        assert ask(gateway, key).status == 200
        eventually(lambda: readiness(gateway)["status"] == "degraded", "readiness says degraded", 3.0)
    began = time.monotonic()
    eventually(lambda: readiness(gateway)["status"] == "healthy", "it recovers", RECOVER_SECONDS)
    eventually(lambda: ask(gateway, strangers[0]).status == 200, "for everybody", RECOVER_SECONDS)
    assert time.monotonic() - began < RECOVER_SECONDS
    eventually(lambda: recorded(server, database) == (3, 3), "and every call is in the ledger")


def test_what_was_spooled_in_an_outage_outlives_the_gateway(
    launch: Launch, upstream: FakeOpenAI, server: PostgresServer
) -> None:
    database = server.new_database()
    gateway = launch(config(upstream), env={"DATABASE_URL": server.url(database)})
    key = gateway.new_key()
    assert ask(gateway, key).status == 200
    server.stop()
    for _ in range(5):
        assert ask(gateway, key).status == 200
    gateway.kill()
    gateway.spawn()
    eventually(lambda: "It is tried again for 60 s" in gateway.output(), "the start waits, and says so", 15.0)
    server.start()
    eventually(gateway._is_ready, "the gateway is ready", 15.0)
    eventually(lambda: recorded(server, database) == (6, 6), "every call is in the ledger")


def test_after_the_grace_period_nobody_is_believed_any_longer(
    launch: Launch, upstream: FakeOpenAI, server: PostgresServer
) -> None:
    settings = config(upstream, pointsman={"storage_grace_seconds": 0})
    gateway = launch(settings, env={"DATABASE_URL": server.url(server.new_database())})
    key = gateway.new_key()
    assert ask(gateway, key).status == 200
    server.stop()
    eventually(lambda: ask(gateway, key).status == 503, "the key is not believed", 10.0)
    assert ask(gateway, gateway.master_key).status == 200, "the master key needs no database"
    server.start()
    eventually(lambda: ask(gateway, key).status == 200, "it is believed again", RECOVER_SECONDS)


def test_whoever_asks_for_it_has_everybody_let_in_meanwhile(
    launch: Launch, upstream: FakeOpenAI, server: PostgresServer
) -> None:
    settings = config(upstream, general_settings={"allow_requests_on_db_unavailable": True})
    database = server.new_database()
    gateway = launch(settings, env={"DATABASE_URL": server.url(database)})
    assert ask(gateway, "sk-never-made-anywhere").status == 401
    server.stop()
    assert ask(gateway, "sk-another-that-was-never-made").status == 200
    for method, path in (("POST", "/key/generate"), ("GET", "/key/list"), ("GET", "/spend/logs")):
        refused = gateway.http(method, path, {} if method == "POST" else None, key="sk-another-that-was-never-made")
        assert (refused.status, refused.json()["error"]["code"]) == (503, "storage_unavailable"), path
    server.start()
    third = "sk-a-third-that-was-never-made"
    eventually(lambda: ask(gateway, third).status == 401, "and then no more", RECOVER_SECONDS)
    eventually(lambda: recorded(server, database)[0] >= 1, "the call is in the ledger")
    owners = {owner for (owner,) in server.fetch("SELECT key_token FROM call_records", database=database)}
    assert "failed-to-connect-to-db" in owners


@pytest.fixture
def replicas(launch: Launch, upstream: FakeOpenAI, postgres: PostgresServer) -> tuple[Gateway, Gateway]:
    url = postgres.url(postgres.new_database())
    first, second = (launch(config(upstream), env={"DATABASE_URL": url}) for _ in range(2))
    return first, second


def test_replicas_agree_about_keys(replicas: tuple[Gateway, Gateway]) -> None:
    first, second = replicas
    assert ask(second, "sk-0123456789abcdef-chosen").status == 401
    first.http("POST", "/key/generate", {"key": "sk-0123456789abcdef-chosen"})
    eventually(lambda: ask(second, "sk-0123456789abcdef-chosen").status == 200, "made", AGREE_SECONDS)
    first.http("POST", "/key/block", {"key": "sk-0123456789abcdef-chosen"})
    eventually(lambda: ask(second, "sk-0123456789abcdef-chosen").status == 403, "blocked", AGREE_SECONDS)
    first.http("POST", "/key/delete", {"keys": ["sk-0123456789abcdef-chosen"]})
    eventually(lambda: ask(second, "sk-0123456789abcdef-chosen").status == 401, "deleted", AGREE_SECONDS)


def test_a_replica_that_starts_leaves_the_work_of_others_alone(
    launch: Launch, upstream: FakeOpenAI, postgres: PostgresServer
) -> None:
    url = postgres.url(postgres.new_database())
    first = launch(config(upstream), env={"DATABASE_URL": url})
    upstream.script(faults.stall_in_stream(chat_chunks(("Blue", " sky"), None)[:2]))
    body = {"model": "m", "input": "one", "background": True}
    begun = first.http("POST", "/v1/responses", body).json()["id"]
    upstream.wait_for(1, "/v1/chat/completions")
    second = launch(config(upstream), env={"DATABASE_URL": url})
    second.stop()
    third = launch(config(upstream), env={"DATABASE_URL": url})
    assert third.http("GET", f"/v1/responses/{begun}").json()["status"] == "in_progress"
    cancelled = third.http("POST", f"/v1/responses/{begun}/cancel").json()["status"]
    assert cancelled == "cancelled", "and any of them can be told about it"


def test_a_wrong_url_is_told_without_its_password(launch: Launch, postgres: PostgresServer) -> None:
    wrong = postgres.url("no_such_database")
    gateway = launch(ready=False, env={"DATABASE_URL": wrong})
    gateway.spawn()
    assert gateway.process.wait(20.0) == 2
    said = gateway.output()
    assert f"The database no_such_database at 127.0.0.1:{postgres.port} does not exist" in said
    assert "createdb" in said
    assert PASSWORD not in said


def test_workers_share_one_database(launch: Launch, upstream: FakeOpenAI, postgres: PostgresServer) -> None:
    database = postgres.new_database()
    gateway = launch(config(upstream), env={"DATABASE_URL": postgres.url(database)}, args=["--workers", "2"])
    key = gateway.new_key()
    for _ in range(20):
        assert ask(gateway, key).status == 200
    eventually(lambda: recorded(postgres, database) == (20, 20), "every call is in the ledger")
    there = "SELECT count(*) FROM processes"
    eventually(lambda: postgres.fetch(there, database=database) == [(2,)], "the second worker is there, too")
    assert gateway.stop() == 0
    assert postgres.fetch(there, database=database) == [(0,)]


def test_work_that_a_killed_gateway_left_has_failed_when_it_is_back(
    launch: Launch, upstream: FakeOpenAI, postgres: PostgresServer
) -> None:
    gateway = launch(config(upstream), env={"DATABASE_URL": postgres.url(postgres.new_database())})
    upstream.script(faults.stall_in_stream(chat_chunks(("Blue", " sky"), None)[:2]))
    begun = gateway.http("POST", "/v1/responses", {"model": "m", "input": "one", "background": True}).json()["id"]
    upstream.wait_for(1, "/v1/chat/completions")
    gateway.kill()
    gateway.launch()
    assert gateway.http("GET", f"/v1/responses/{begun}").json()["status"] == "failed"
