"""What only PostgreSQL can go through: outages, replicas side by side, other people's databases."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import pytest

from pointsman.core.errors import Misconfigured, StorageUnavailable
from pointsman.stores.activity import EPOCH, ActivityQuery
from pointsman.stores.pages import CallQuery
from pointsman.stores.ports import Appended, KeyChanges, LedgerQuery
from pointsman.stores.postgres import PostgresDatabase, PostgresPresence, PostgresResponseStore
from pointsman.stores.postgres.migrate import shipped
from pointsman.stores.postgres.session import Session
from pointsman.stores.response_ports import ResponseRecord
from tests.stores.conftest import Stores, in_postgres, postgres_at
from tests.stores.samples import DAY, NOON, bare_call, bare_key
from tests.support.servers import PgBouncer, PostgresServer

SLEEP = "SELECT 1 FROM pg_sleep($1)"


@asynccontextmanager
async def opened(url: str, **options: float) -> AsyncIterator[PostgresDatabase]:
    database = postgres_at(url, **options)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def sleep(session: Session, seconds: float) -> int | None:
    return await session.whole(SLEEP, seconds)


# -- calls, and their order ------------------------------------------------------------------------------


async def test_results_of_the_main_lane_arrive_in_the_order_of_the_calls(postgres_database: PostgresDatabase) -> None:
    stores = in_postgres(postgres_database)
    arrived: list[str] = []

    async def ask(name: str) -> None:
        if name.startswith("append"):
            await stores.ledger.append([bare_call(name)])
        else:
            await stores.keys.get(name)
        arrived.append(name)

    names = [f"append-{number}" if number % 3 == 0 else f"key-{number}" for number in range(12)]
    await asyncio.gather(*map(ask, names))
    assert arrived == names


async def test_a_report_holds_up_no_key(postgres_database: PostgresDatabase) -> None:
    ended = asyncio.Event()

    async def long_report(session: Session) -> None:
        await session.rows("SELECT 1")
        await ended.wait()

    report = asyncio.ensure_future(postgres_database.look(long_report, aside=True))
    await asyncio.sleep(0)
    assert await in_postgres(postgres_database).keys.get("t1") is None
    assert not report.done()
    ended.set()
    await report


async def test_no_more_connections_are_made_than_may_be(postgres_url: str, postgres: PostgresServer) -> None:
    async with opened(postgres_url, connections=3) as database:
        await asyncio.gather(*(database.look(lambda session: sleep(session, 0.05), aside=True) for _ in range(8)))
        name = postgres_url.rpartition("/")[2]
        (row,) = postgres.fetch(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'pointsman'", name
        )
        assert row[0] == 2, "two at the side; the main lane was not needed"


async def test_with_one_connection_everything_goes_through_it(postgres_url: str) -> None:
    async with opened(postgres_url, connections=1) as database:
        stores = in_postgres(database)
        await stores.ledger.append([bare_call("c1")])
        assert len(await stores.ledger.find(LedgerQuery())) == 1


async def test_a_call_that_takes_too_long_is_told_and_the_next_one_is_answered(postgres_url: str) -> None:
    async with opened(postgres_url, timeout_seconds=1.5) as database:
        with pytest.raises(StorageUnavailable, match="did not answer"):
            await database.look(lambda session: sleep(session, 30.0))
        assert await in_postgres(database).keys.get("t1") is None


async def test_a_lock_that_somebody_holds_for_too_long_is_told_and_ends_nothing(postgres_url: str) -> None:
    async with opened(postgres_url) as other, opened(postgres_url, timeout_seconds=1.0) as database:
        keys, held, ended = in_postgres(database).keys, asyncio.Event(), asyncio.Event()

        async def hold(_: Session) -> None:
            held.set()
            await ended.wait()

        holding = asyncio.ensure_future(other.alone(hold))
        await held.wait()
        for _ in range(2):
            with pytest.raises(StorageUnavailable, match="did not answer"):
                await keys.insert(bare_key("t1"))
        ended.set()
        await holding
        async with asyncio.timeout(10):
            while await keys.get("t2") is None:
                with contextlib.suppress(StorageUnavailable):
                    await keys.insert(bare_key("t2"))


async def test_whoever_stops_waiting_stops_nobody_else(postgres_database: PostgresDatabase) -> None:
    used: list[Session] = []

    async def note(session: Session) -> None:
        used.append(session)
        await sleep(session, 0.2)

    waiting = asyncio.ensure_future(postgres_database.look(note))
    while not used:
        await asyncio.sleep(0.01)
    waiting.cancel()
    await postgres_database.look(note)
    assert used[0] is used[1], "the connection goes on"


async def test_a_stuck_database_does_not_gather_callers_without_bound(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointsman.stores.postgres.lanes._WAITING_MAX", 2)
    async with opened(postgres_url, timeout_seconds=2.0) as database:
        calls = [asyncio.ensure_future(database.look(lambda session: sleep(session, 0.2))) for _ in range(3)]
        await asyncio.sleep(0.05)
        calls.append(asyncio.ensure_future(database.look(lambda session: sleep(session, 0.0))))
        ended = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one) for one in ended].count(StorageUnavailable) == 1


async def test_a_closed_or_unopened_database_says_so(postgres_url: str) -> None:
    database = postgres_at(postgres_url)
    with pytest.raises(StorageUnavailable, match="is not open"):
        await in_postgres(database).keys.get("t1")
    await database.open()
    await database.close()
    with pytest.raises(StorageUnavailable, match="is not open"):
        await in_postgres(database).keys.get("t1")


async def test_behind_a_pool_everything_works_that_works_without(postgres: PostgresServer) -> None:
    day = EPOCH + timedelta(days=int(NOON // DAY))
    with PgBouncer(postgres) as bouncer:
        url = bouncer.url(postgres.new_database())
        async with opened(url) as one, opened(url) as two:
            replicas = [in_postgres(one), in_postgres(two)]
            for number in range(4):
                await replicas[number % 2].keys.insert(bare_key(f"t{number}"))

            async def append(batch: int) -> None:
                calls = [bare_call(f"{batch}-{number}", key_token=f"t{number % 4}", cost=1) for number in range(40)]
                await replicas[batch % 2].ledger.append(calls)

            async def ask(number: int) -> None:
                await replicas[number % 2].keys.get("t1")
                await replicas[number % 2].ledger.find(LedgerQuery(key_token="t1"))
                await replicas[number % 2].ledger.page(CallQuery(key_tokens=("t1",), status="success"))
                await replicas[number % 2].ledger.activity(ActivityQuery(first_day=day, last_day=day))
                await replicas[number % 2].responses.sweep(NOON)

            await asyncio.gather(*map(append, range(6)), *map(ask, range(20)))
            assert (await replicas[0].ledger.totals()).spend == 240
            assert len(await replicas[1].ledger.find(LedgerQuery(limit=1000))) == 240
            assert (await one.report()).applied == len(shipped())


# -- outages ---------------------------------------------------------------------------------------------


async def test_after_a_restart_of_the_server_it_goes_on_by_itself(postgres_template: str) -> None:
    with PostgresServer() as server:
        async with opened(server.url(server.new_database())) as database:
            stores = in_postgres(database)
            await stores.keys.insert(bare_key("t1"))
            await stores.ledger.append([bare_call("c1", key_token="t1", cost=1)])
            server.stop()
            for _ in range(3):
                with pytest.raises(StorageUnavailable, match="cannot be reached") as told:
                    await stores.keys.get("t1")
                assert str(server.port) in told.value.detail
                assert str(server.port) not in told.value.message
            server.start()
            async with asyncio.timeout(5):
                while await _is_down(stores):
                    await asyncio.sleep(0.05)
            assert await stores.ledger.append([bare_call("c1", key_token="t1", cost=1)]) == Appended(0, {}, {})
            assert (await stores.ledger.append([bare_call("c2", key_token="t1", cost=1)])).calls == 1
            key = await stores.keys.get("t1")
            assert key is not None
            assert key.spend == 2


async def test_a_server_that_swallows_everything_is_given_up_in_time(postgres_template: str) -> None:
    with PostgresServer() as server:
        async with opened(server.url(server.new_database()), timeout_seconds=1.5) as database:
            stores = in_postgres(database)
            await stores.keys.insert(bare_key("t1"))
            with server.frozen():
                began = asyncio.get_running_loop().time()
                asked = await asyncio.gather(*(stores.keys.get("t1") for _ in range(20)), return_exceptions=True)
                assert {type(one) for one in asked} == {StorageUnavailable}
                assert asyncio.get_running_loop().time() - began < 6.0
            async with asyncio.timeout(5):
                while await _is_down(stores):
                    await asyncio.sleep(0.05)
            assert (await stores.ledger.append([bare_call("c1", key_token="t1", cost=1)])).calls == 1


async def test_a_silent_server_is_waited_for_once_and_for_two_seconds(postgres_template: str) -> None:
    now = asyncio.get_running_loop().time
    with PostgresServer() as server:
        async with opened(server.url(server.new_database())) as database:
            stores = in_postgres(database)
            await stores.keys.insert(bare_key("t1"))
            await stores.ledger.find(LedgerQuery())
            with server.frozen():
                began = now()
                asked = await asyncio.gather(
                    stores.ledger.append([bare_call("c1", key_token="t1", cost=1)]),
                    stores.ledger.find(LedgerQuery()),
                    *(stores.keys.get("t1") for _ in range(20)),
                    return_exceptions=True,
                )
                assert {type(one) for one in asked} == {StorageUnavailable}
                assert now() - began < 3.0, "whoever waited behind an append of ten seconds, too"
                began = now()
                for _ in range(50):
                    assert await _is_down(stores)
                assert now() - began < 0.5, "it is known by now, so that nobody waits"
            async with asyncio.timeout(5):
                while await _is_down(stores):
                    await asyncio.sleep(0.05)
            assert (await stores.ledger.append([bare_call("c1", key_token="t1", cost=1)])).calls <= 1
            assert (await stores.ledger.totals()).spend == 1, "once, whether it had arrived before or not"


async def test_a_slow_server_is_not_a_silent_one(postgres_url: str) -> None:
    async with opened(postgres_url) as database:
        slow = asyncio.ensure_future(database.look(lambda session: sleep(session, 2.5)))
        await asyncio.sleep(0)
        with pytest.raises(StorageUnavailable, match="within 2 s"):
            await in_postgres(database).keys.get("t1")
        assert await slow == 1, "the server says that it is there, and what takes its time may do so"


async def _is_down(stores: Stores) -> bool:
    try:
        await stores.keys.get("t1")
    except StorageUnavailable:
        return True
    return False


async def test_a_connection_that_was_cut_while_idle_is_replaced_unnoticed(
    postgres_url: str, postgres: PostgresServer
) -> None:
    async with opened(postgres_url) as database:
        stores = in_postgres(database)
        await stores.keys.insert(bare_key("t1"))
        postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pointsman'")
        assert (await stores.keys.update("t1", KeyChanges(updated_at=1.0, key_name="new"))).key_name == "new"


async def test_opening_waits_for_a_server_that_is_not_there_yet(postgres_template: str) -> None:
    with PostgresServer() as server:
        url = server.url(server.new_database())
        server.stop()
        database = postgres_at(url)
        with pytest.raises(StorageUnavailable, match=f"cannot be reached.*{server.port}"):
            await database.open()
        opening = asyncio.ensure_future(database.open(30.0))
        await asyncio.sleep(0.1)
        server.start()
        await opening
        await database.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("correct-horse", "wrong-horse"), "does not let us in"),
        (("/test_", "/no_such_"), "does not exist"),
    ],
)
async def test_what_waiting_does_not_help_is_refused_at_once(
    postgres_url: str, change: tuple[str, str], said: str
) -> None:
    with pytest.raises(Misconfigured, match=said) as refused:
        await postgres_at(postgres_url.replace(*change)).open(60.0)
    assert "horse" not in f"{refused.value.message} {refused.value.hint}"


# -- replicas --------------------------------------------------------------------------------------------


async def test_replicas_add_up_the_same_keys_without_waiting_for_each_other_in_circles(postgres_url: str) -> None:
    async with opened(postgres_url) as one, opened(postgres_url) as two, opened(postgres_url) as three:
        replicas = [in_postgres(database) for database in (one, two, three)]
        tokens = [f"t{number}" for number in range(20)]
        for token in tokens:
            await replicas[0].keys.insert(bare_key(token))

        async def append(replica: int, batch: int) -> None:
            order = tokens if (replica + batch) % 2 else tokens[::-1]
            calls = [bare_call(f"{replica}-{batch}-{token}", key_token=token, cost=1, team_id=token) for token in order]
            await replicas[replica].ledger.append(calls)

        await asyncio.gather(*(append(replica, batch) for replica in range(3) for batch in range(6)))
        assert (await replicas[0].ledger.totals()).spend == 3 * 6 * 20
        for token in tokens:
            key = await replicas[1].keys.get(token)
            assert key is not None
            assert key.spend == 18


async def test_nobody_who_follows_changes_misses_one(postgres_url: str) -> None:
    """A version is only seen when every earlier one can be seen, however transactions overlap."""
    async with opened(postgres_url) as one, opened(postgres_url) as two, opened(postgres_url) as three:
        writers, reader = [in_postgres(one), in_postgres(two)], in_postgres(three)
        seen: set[str] = set()
        version, done = 0, False

        async def follow() -> None:
            nonlocal version
            while True:
                last = done
                version, tokens = await reader.keys.changed_since(version)
                seen.update(tokens)
                if last and not tokens:
                    return

        async def write(stores: Stores, name: str) -> None:
            for number in range(25):
                await stores.keys.insert(bare_key(f"{name}{number}"))

        following = asyncio.ensure_future(follow())
        await asyncio.gather(*(write(stores, f"w{number}-") for number, stores in enumerate(writers)))
        done = True
        await following
        assert len(seen) == 50


async def test_concurrent_appends_of_the_same_calls_count_once(postgres_url: str) -> None:
    async with opened(postgres_url) as one, opened(postgres_url) as two:
        calls = [bare_call(f"c{number}", key_token="t1", cost=1) for number in range(600)]
        appended = await asyncio.gather(*(in_postgres(database).ledger.append(calls) for database in (one, two)))
        assert sum(done.calls for done in appended) == 600
        assert (await in_postgres(one).ledger.totals()).spend == 600


async def test_concurrent_changes_of_a_key_are_all_made(postgres_url: str) -> None:
    async with opened(postgres_url) as one, opened(postgres_url) as two:
        await in_postgres(one).keys.insert(bare_key("t1"))
        first, second = in_postgres(one).keys, in_postgres(two).keys
        await asyncio.gather(
            first.update("t1", KeyChanges(updated_at=1.0, rpm_limit=5)),
            second.update("t1", KeyChanges(updated_at=1.0, tpm_limit=7)),
        )
        key = await first.get("t1")
        assert key is not None
        assert (key.rpm_limit, key.tpm_limit) == (5, 7)


async def test_a_process_fails_the_work_of_those_who_are_gone_and_of_nobody_else(
    postgres_database: PostgresDatabase, postgres: PostgresServer, postgres_url: str
) -> None:
    responses = PostgresResponseStore(postgres_database)
    here, there, gone, ended = (PostgresPresence(postgres_database) for _ in range(4))
    for name, presence in {"here": here, "there": there, "gone": gone, "ended": ended}.items():
        await presence.enter(f"{name}@host")
        await responses.begin(_unfinished(f"resp_{presence.number}", presence.number))
    assert len({here.number, there.number, gone.number, ended.number}) == 4
    await PostgresPresence(postgres_database).enter("next@host", ["ended@"])
    database = postgres_url.rpartition("/")[2]
    postgres.execute(
        f"UPDATE processes SET seen_at = now() - interval '1 hour' WHERE number = {gone.number}", database=database
    )
    assert await here.beat(look_after_others=False) == 0
    assert await here.beat() == 1
    assert await here.beat() == 0
    await there.leave()
    statuses = dict(postgres.fetch("SELECT worker, status FROM responses", database=database))
    assert statuses == {
        here.number: "in_progress",
        there.number: "failed",
        gone.number: "failed",
        ended.number: "failed",
    }
    await gone.beat()
    assert postgres.fetch(f"SELECT 1 FROM processes WHERE number = {gone.number}", database=database) == [(1,)]


def _unfinished(name: str, worker: int) -> ResponseRecord:
    return ResponseRecord(
        id=name,
        owner="t1",
        model="m",
        status="in_progress",
        created_at=NOON,
        expires_at=NOON + 99,
        body=msgspec.Raw(b"{}"),
        worker=worker,
    )


async def test_replicas_of_an_older_version_hear_of_spending_where_they_listen(postgres_url: str) -> None:
    async with opened(postgres_url) as database:
        stores = in_postgres(database)
        await stores.ledger.append([bare_call("c1", key_token="t1", team_id="team-1", cost=1)])

        async def noted(session: Session) -> list[tuple[object, ...]]:
            kinds = await session.rows(
                "SELECT kind, id FROM directory_changes UNION SELECT 'key', token FROM key_changes"
            )
            return sorted(map(tuple, kinds))

        assert await database.read(noted) == []
        await database.write(lambda session: session.execute("INSERT INTO processes (name) VALUES ('older')"))
        await stores.ledger.append([bare_call("c2", key_token="t1", team_id="team-1", cost=1)])
        assert await database.read(noted) == [
            ("key", "t1"), ("spend", "deployment/d1"), ("spend", "global/"), ("spend", "key/t1"), ("spend", "model/m"),
            ("spend", "team/team-1"),
        ]  # fmt: skip
        assert len((await stores.directory.changed_since(0))[1]) == 5
