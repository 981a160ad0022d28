"""The way to Redis: nobody waits for a server that is away, and everything goes on when it is back."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pointsman.core.errors import Misconfigured, StorageUnavailable
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.stores.redis import RedisBoards, RedisBulletin, RedisLink, RedisSettings
from tests.support.certificates import certificate
from tests.support.processes import free_port
from tests.support.redis_groups import ask
from tests.support.servers import RedisServer
from tests.upstreams.blackhole import Blackhole

_names = itertools.count()


def settings(url: str, seconds: float = 0.2) -> RedisSettings:
    return RedisSettings(at=Secret(url), namespace=f"link-{next(_names)}", command_seconds=seconds, retry_seconds=0.05)


@pytest.fixture
def nursery() -> Nursery:
    def fail(name: str, error: BaseException) -> None:
        raise error

    return Nursery(fail)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as started:
        yield started


@pytest.fixture
async def link(server: RedisServer, nursery: Nursery) -> AsyncIterator[RedisLink]:
    made = RedisLink(settings(server.url(), 5.0), nursery)
    assert await made.open()
    yield made
    await nursery.close()
    await made.close()


async def until(is_so: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_commands_of_one_turn_are_answered_each_by_its_own(link: RedisLink) -> None:
    answers = await asyncio.gather(*(link.run("ECHO", str(number)) for number in range(600)))
    assert answers == [str(number).encode() for number in range(600)]


async def test_a_command_that_is_refused_fails_alone(link: RedisLink) -> None:
    outcomes = await asyncio.gather(link.run("ECHO", "a"), link.run("NONSENSE"), return_exceptions=True)
    assert outcomes[0] == b"a"
    assert isinstance(outcomes[1], StorageUnavailable)
    assert link.up


async def test_a_script_that_the_server_has_forgotten_is_loaded_again(link: RedisLink) -> None:
    for _ in range(2):
        assert await link.evaluate("return ARGV[1]", [], "a") == b"a"
        await link.run("SCRIPT", "FLUSH")


async def test_a_server_that_is_silent_is_waited_for_once_and_for_a_bounded_time(nursery: Nursery) -> None:
    with Blackhole() as silent:
        link = RedisLink(settings(f"redis://127.0.0.1:{silent.port}"), nursery)
        started = time.monotonic()
        assert not await link.open()
        assert time.monotonic() - started < 2.0
        started = time.monotonic()
        for _ in range(100):
            with pytest.raises(StorageUnavailable):
                await link.run("PING")
        assert time.monotonic() - started < 0.1
        assert "does not answer in time" in (link.trouble or "")
        await link.close()


async def test_a_server_that_comes_back_is_found(link: RedisLink, server: RedisServer, nursery: Nursery) -> None:
    turns: list[float] = []
    nursery.start(link.keep_up(lambda: turns.append(time.monotonic())), "keep up")
    await asyncio.to_thread(server.stop)
    with pytest.raises(StorageUnavailable):
        await link.run("PING")
    assert not link.up
    assert "cannot be reached" in (link.trouble or "")
    await asyncio.to_thread(server.start)
    await until(lambda: link.up)
    assert await link.run("ECHO", "a") == b"a"
    assert len(turns) == 1 and link.trouble is None


class FixedAddress:
    """Leads new connections to ``port``, and leaves those that there are where they are."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, on = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(_pour(reader, on), _pour(there, writer))


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while told := await reader.read(65_536):
            writer.write(told)
    writer.close()


async def test_a_primary_that_has_become_a_replica_is_left_for_who_took_its_place(
    link: RedisLink, server: RedisServer, nursery: Nursery
) -> None:
    # As behind a cloud's address, or that of a balancer: the old primary lives, and so do the connections to it.
    with RedisServer() as replica:
        address = FixedAddress(server.port)
        async with await asyncio.start_server(address.lead, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            made = RedisLink(settings(f"redis://127.0.0.1:{port}", 5.0), nursery)
            assert await made.open()
            nursery.start(made.keep_up(lambda: None), "keep up")
            write = "return redis.call('SET', KEYS[1], ARGV[1])"
            await asyncio.gather(*(made.run("ECHO", "a") for _ in range(3)))
            assert await made.evaluate(write, [made.name("x")], "a") == b"OK"
            await link.run("REPLICAOF", "127.0.0.1", str(replica.port))
            # While the address leads to nobody who takes changes, it does not look as if all were well.
            with pytest.raises(StorageUnavailable):
                await made.evaluate(write, [made.name("x")], "b")
            assert not made.up and "replica" in (made.trouble or "")
            failures = made.failures
            await until(lambda: made.failures > failures + 1)
            assert not made.up
            address.port = replica.port
            await until(lambda: made.up)
            assert await made.evaluate(write, [made.name("x")], "c") == b"OK"
            assert b"$1\r\nc" in ask(replica.port, "GET", made.name("x"))
            await nursery.close()
            await made.close()


async def test_a_document_is_replaced_only_by_who_has_read_it(redis_server: RedisServer, nursery: Nursery) -> None:
    link = RedisLink(settings(redis_server.url(), 5.0), nursery)
    assert await link.open()
    boards = RedisBoards(link)
    nothing = await boards.exchange("gpu1", "0")
    assert (nothing.is_written, nothing.version, nothing.document) == (False, "0", b"")
    first = await boards.exchange("gpu1", "0", b"one")
    assert (first.is_written, first.version, first.document) == (True, "1", b"one")
    for version, document in (("0", b"two"), ("2", b"two"), ("1", b"")):
        left = await boards.exchange("gpu1", version, document)
        assert (left.is_written, left.version, left.document) == (False, "1", b"one")
    assert (await boards.exchange("gpu1", "1", b"two")).version == "2"
    assert (await boards.exchange("gpu2", "0")).document == b""
    assert 3_500_000 < await link.run("PTTL", link.name("slots:gpu1")) <= 3_600_000
    last = await boards.exchange("gpu1", "0")
    assert time.time() - 5 < last.now < time.time() + 1
    assert last.since == nothing.since <= last.now
    await link.close()


@pytest.mark.parametrize("turns", range(6))
async def test_whatever_is_on_its_way_when_it_is_closed_no_connection_is_left(
    redis_server: RedisServer, nursery: Nursery, turns: int
) -> None:
    link = RedisLink(settings(redis_server.url(), 5.0), nursery)
    assert await link.open()
    asked = [asyncio.create_task(link.run("ECHO", "a"))]
    for _ in range(turns):
        await asyncio.sleep(0)
        asked.append(asyncio.create_task(link.run("ECHO", "a")))
    await link.close()
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        assert outcome == b"a" or isinstance(outcome, StorageUnavailable)
    assert len(nursery) == 0
    pool = link._client.connection_pool  # type: ignore[union-attr]
    assert not [one for one in (*pool._available_connections, *pool._in_use_connections) if one.is_connected]


async def test_a_wrong_password_is_told_and_not_shown(link: RedisLink, server: RedisServer, nursery: Nursery) -> None:
    await link.run("CONFIG", "SET", "requirepass", "right")
    wrong = RedisLink(settings(server.url().replace("redis://", "redis://:hunter2@")), nursery)
    assert not await wrong.open()
    assert wrong.trouble == "it does not accept the password."
    right = RedisLink(RedisSettings(at=Secret(server.url()), password=Secret("right"), namespace="n"), nursery)
    assert await right.open()
    await right.close()


async def test_a_certificate_is_believed_by_its_authority_and_else_told_of(tmp_path: Path, nursery: Nursery) -> None:
    file, port = certificate(tmp_path, days=30), free_port()
    tls = ("--tls-port", str(port), "--tls-cert-file", str(file), "--tls-key-file", str(file))
    with RedisServer(settings=(*tls, "--tls-ca-cert-file", str(file), "--tls-auth-clients", "no")):
        stranger = RedisLink(settings(f"rediss://localhost:{port}", 5.0), nursery)
        assert not await stranger.open()
        assert "certificate is not to be trusted (self-signed certificate)" in (stranger.trouble or "")
        made = RedisLink(settings(f"rediss://localhost:{port}?ssl_ca_certs={file}", 5.0), nursery)
        assert await made.open()
        await made.close()


async def test_a_password_that_does_not_last_is_asked_for_with_each_connection(
    link: RedisLink, server: RedisServer, nursery: Nursery
) -> None:
    await link.run("CONFIG", "SET", "requirepass", "second")
    given = ["first", "second"]

    async def credentials() -> tuple[str | None, Secret]:
        if not given:
            raise Misconfigured("Nobody has one.")
        return None, Secret(given.pop(0))

    made = RedisLink(RedisSettings(at=Secret(server.url()), credentials=credentials, namespace="n"), nursery)
    assert not await made.open() and made.trouble == "it does not accept the password."
    assert await made.open()
    await made.close()
    assert not await made.open()
    await made.close()


def test_an_address_that_is_none_is_the_operators_mistake(nursery: Nursery) -> None:
    with pytest.raises(Misconfigured) as raised:
        RedisLink(settings("postgres://secret@host"), nursery)
    assert "secret" not in raised.value.told()


async def test_news_reaches_the_others_and_not_its_teller(link: RedisLink, nursery: Nursery) -> None:
    heard: list[tuple[str, bytes]] = []
    joined: list[str] = []
    boards = {}
    for name in ("one", "two"):
        boards[name] = RedisBulletin(link, name, nursery, lambda: joined.append("x"))
        boards[name].hear("topic", lambda body, who=name: heard.append((who, body)))  # type: ignore[misc]
        nursery.start(boards[name].run(), "bulletin")
    await until(lambda: len(joined) == 2)
    boards["one"].post("topic", b'{"a":1}')
    boards["one"].post("another topic")
    await link.run("PUBLISH", link.name("bulletin"), b"not json")
    await link.run("PUBLISH", link.name("bulletin"), b"x" * 10_000)
    boards["two"].post("topic", b"[2]")
    await until(lambda: len(heard) == 2)
    assert sorted(heard) == [("one", b"[2]"), ("two", b'{"a":1}')]


async def test_who_missed_news_is_told_to_look_when_it_hears_again(
    link: RedisLink, server: RedisServer, nursery: Nursery
) -> None:
    joined: list[float] = []
    board = RedisBulletin(link, "one", nursery, lambda: joined.append(time.monotonic()))
    nursery.start(link.keep_up(lambda: None), "keep up")
    nursery.start(board.run(), "bulletin")
    await until(lambda: len(joined) == 1)
    await asyncio.to_thread(server.stop)
    await until(lambda: not link.up)
    board.post("topic")  # to nobody, and without harm
    await asyncio.to_thread(server.start)
    await until(lambda: len(joined) == 2)


async def test_a_server_that_throws_keys_away_is_told_of(nursery: Nursery, caplog: pytest.LogCaptureFixture) -> None:
    evicting = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with RedisServer(settings=evicting) as server:
        link = RedisLink(settings(server.url(), 5.0), nursery)
        for _ in range(2):
            assert await link.open()
            await until(lambda: "maxmemory-policy allkeys-lru" in caplog.text)
        assert caplog.text.count("allkeys-lru") == 1
        await nursery.close()
        await link.close()
