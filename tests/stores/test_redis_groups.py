"""Redis in other forms than one server: a cluster, a primary that sentinels know, and Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from pointsman.core.errors import StorageUnavailable
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.stores.redis import RedisBoards, RedisBulletin, RedisLink, RedisSettings, RedisSharedLimits
from pointsman.stores.redis.settings import Cluster, Node, Sentinels
from pointsman.stores.shared_limits import GATHER_SECONDS, Answer, Trade
from tests.support.redis_groups import RedisCluster, WatchedRedis, ask
from tests.support.servers import RedisServer
from tests.unit.policies.desk import FakeClock

At = Secret | Cluster | Sentinels


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as started:
        yield started


@pytest.fixture
def watched() -> Iterator[WatchedRedis]:
    with WatchedRedis() as started:
        yield started


@pytest.fixture(scope="module")
def valkey() -> Iterator[RedisServer]:
    with RedisServer(made_by="valkey") as started:
        yield started


def nodes(*servers: RedisServer) -> tuple[Node, ...]:
    return tuple(Node("127.0.0.1", server.port) for server in servers)


def _fail(name: str, error: BaseException) -> None:
    raise error


@asynccontextmanager
async def links(at: At, count: int = 1) -> AsyncIterator[list[RedisLink]]:
    nursery = Nursery(_fail)
    made = [RedisLink(RedisSettings(at=at, command_seconds=5.0, retry_seconds=0.05), nursery) for _ in range(count)]
    for link in made:
        assert await link.open(), link.trouble
    yield made
    await nursery.close()
    for link in made:
        await link.close()


async def until(is_so: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.01)


async def keeps_limits(at: At) -> None:
    """Two processes take no more than the limit between them, and hear what the other tells."""
    async with links(at, 2) as (one, two):
        time = FakeClock()
        limits = [RedisSharedLimits(link, f"process-{number}", time) for number, link in enumerate((one, two))]
        for each in limits:
            await each.beat()
            await each.recall(())
        time.now += GATHER_SECONDS
        trade = Trade(account="a", limit=10, grain=1, moments=61, need=1, single=1)
        answers = await asyncio.gather(*(limits[turn % 2].exchange([trade]) for turn in range(30)))
        assert sum(_granted(answer) for answer in answers) == 10
        heard: list[bytes] = []
        joined: list[None] = []
        ear = asyncio.create_task(two.listen(two.name("news"), lambda: joined.append(None), heard.append))
        await until(lambda: joined)
        await one.run("PUBLISH", one.name("news"), b"something")
        await until(lambda: heard)
        assert heard == [b"something"]
        ear.cancel()
        await asyncio.wait([ear])


def _granted(answer: Answer) -> int:
    assert answer.deals is not None
    return answer.deals[0].granted


async def test_a_cluster_keeps_limits(cluster: RedisCluster) -> None:
    await keeps_limits(Cluster(nodes(cluster.servers[0])))


async def test_sentinels_lead_to_what_keeps_limits(watched: WatchedRedis) -> None:
    await keeps_limits(Sentinels(nodes=nodes(watched.sentinel), service=watched.service))


async def test_valkey_keeps_limits(valkey: RedisServer) -> None:
    await keeps_limits(Secret(valkey.url().replace("redis://", "valkey://")))


async def test_what_moves_within_a_cluster_is_followed(cluster: RedisCluster) -> None:
    async with links(Cluster(nodes(*cluster.servers))) as (link,):
        assert await link.evaluate("return redis.call('SET', KEYS[1], 'a')", [link.name("x")]) == b"OK"
        cluster.move_slot_of(link.name("x"))
        assert await link.evaluate("return redis.call('SET', KEYS[1], 'b')", [link.name("x")]) == b"OK"
        assert await link.run("GET", link.name("x")) == b"b"


async def test_the_new_primary_is_found_when_the_old_one_is_gone(watched: WatchedRedis) -> None:
    async with links(Sentinels(nodes=nodes(watched.sentinel), service=watched.service)) as (link,):
        await link.run("SET", link.name("x"), "a")
        await until(lambda: b"$1\r\na" in ask(watched.replica.port, "GET", link.name("x")))
        keeping = asyncio.create_task(link.keep_up(lambda: None))
        await asyncio.to_thread(watched.fail_over)
        with suppress(StorageUnavailable):  # unless the new one has been found already
            await link.run("GET", link.name("x"))
        await until(lambda: link.up)
        assert await link.run("GET", link.name("x")) == b"a"
        await link.run("SET", link.name("x"), "b")
        assert b"$1\r\nb" in ask(watched.replica.port, "GET", link.name("x"))
        keeping.cancel()
        await asyncio.wait([keeping])


async def test_news_goes_round_a_cluster(cluster: RedisCluster) -> None:
    async with links(Cluster(nodes(cluster.servers[1])), 2) as made:
        nursery, joined, heard = Nursery(_fail), list[None](), list[bytes]()
        boards = [
            RedisBulletin(link, str(number), nursery, lambda: joined.append(None)) for number, link in enumerate(made)
        ]
        for board in boards:
            board.hear("topic", heard.append)
            nursery.start(board.run(), "bulletin")
        await until(lambda: len(joined) == len(boards))
        boards[0].post("topic", b"[1]")
        await until(lambda: heard)
        assert heard == [b"[1]"]
        await nursery.close()


async def test_a_user_with_the_rights_in_the_documents_keeps_limits() -> None:
    text = (Path(__file__).parents[2] / "docs" / "replicas.md").read_text("utf-8")
    rule = text.partition("ACL SETUSER ")[2].partition("```")[0].split()
    with RedisServer() as server:
        assert ask(server.port, "ACL", "SETUSER", *rule) == b"+OK\r\n"
        assert ask(server.port, "ACL", "SETUSER", "default", "off") == b"+OK\r\n"
        at = Secret(server.url().replace("redis://", "redis://pointsman:secret@"))
        await keeps_limits(at)
        async with links(at) as (link,):
            await RedisSharedLimits(link, "one").leave()
            assert (await RedisBoards(link).exchange("gpu1", "0", b"one")).is_written
