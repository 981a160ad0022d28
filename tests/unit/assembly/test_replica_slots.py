"""Replicas never send a host more than its slots together, as long as Redis can be asked."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable

import pytest

from pointsman.assembly.replica_slots import ReplicaSlots
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.lifecycle.calling import enter, leave
from pointsman.routing.hosts import Fleet
from pointsman.routing.queue import Ticket
from pointsman.stores.redis import RedisBulletin, RedisLink, RedisSettings
from tests.support.servers import RedisServer

LEASE = 0.8
_numbers = itertools.count()


class Replica:
    def __init__(self, url: str, namespace: str, slots: int, replicas: int) -> None:
        def fail(name: str, error: BaseException) -> None:
            raise error

        self.nursery = Nursery(fail)
        self.name = f"replica-{next(_numbers)}"
        self.link = RedisLink(
            RedisSettings(at=Secret(url), namespace=namespace, command_seconds=2.0, retry_seconds=0.05), self.nursery
        )
        self.bulletin = RedisBulletin(self.link, self.name, self.nursery, lambda: None)
        self.fleet = Fleet()
        self.host = self.fleet.at("http://gpu1:11434")
        self.fleet.resize(self.host, slots, 0.0)
        self.slots = ReplicaSlots(
            self.fleet,
            self.link,
            self.bulletin,
            self.nursery,
            SYSTEM_CLOCK,
            holder=self.name,
            replicas=lambda: replicas,
            lease_seconds=LEASE,
        )
        self.fleet.share_slots(self.slots)

    async def open(self) -> None:
        assert await self.link.open()
        self.nursery.start(self.link.keep_up(lambda: None), "link")
        self.nursery.start(self.bulletin.run(), "bulletin")
        self.nursery.start(self.slots.run(), "slots")

    async def die(self) -> None:
        await self.nursery.close()
        await self.link.close()

    @property
    def running(self) -> list[Ticket]:
        return list(self.fleet.queue_of(self.host).started())

    def come(self, model: str = "m") -> Ticket:
        ticket = Ticket(model, model, "k", SYSTEM_CLOCK.monotonic())
        enter(self.fleet, self.host, ticket)
        return ticket

    def go(self, ticket: Ticket) -> None:
        leave(self.fleet, self.host, ticket, SYSTEM_CLOCK.monotonic())


Replicas = Callable[..., "asyncio.Future[list[Replica]]"]


@pytest.fixture
async def replicas(redis_server: RedisServer) -> AsyncIterator[Replicas]:
    made: list[Replica] = []

    async def make(count: int = 2, slots: int = 1, server: RedisServer = redis_server) -> list[Replica]:
        namespace = f"slots-{next(_numbers)}"
        made.extend(Replica(server.url(), namespace, slots, count) for _ in range(count))
        for one in made:
            await one.open()
        return made

    yield make  # type: ignore[misc]
    for one in made:
        await one.die()


async def until(is_so: Callable[[], object], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.005)


async def test_a_slot_is_one_replicas_and_the_next_one_has_it_when_it_is_free(replicas: Replicas) -> None:
    one, two = await replicas()
    first = one.come()
    await until(lambda: one.running == [first])
    second = two.come()
    await asyncio.sleep(0.05)
    assert two.running == []
    one.go(first)
    began = SYSTEM_CLOCK.monotonic()
    await until(lambda: two.running == [second])
    assert SYSTEM_CLOCK.monotonic() - began < 0.4, "it was told, and did not find out by looking"


async def test_what_a_dead_replica_held_comes_back(replicas: Replicas) -> None:
    one, two = await replicas()
    first = one.come()
    await until(lambda: one.running == [first])
    second = two.come()
    await asyncio.sleep(0.05)
    await one.die()
    await until(lambda: two.running == [second], LEASE + 2.0)


async def test_who_leaves_while_it_waits_or_is_just_being_let_in_leaves_nothing_behind(replicas: Replicas) -> None:
    one, two = await replicas()
    for _ in range(20):
        ticket = one.come()
        if random.random() < 0.5:
            await asyncio.sleep(0)
        one.go(ticket)
    last = two.come()
    await until(lambda: two.running == [last])


async def test_under_a_crowd_there_are_never_more_than_the_slots(replicas: Replicas) -> None:
    crowd = await replicas(3, 2)
    served = most = 0

    async def request(replica: Replica) -> None:
        nonlocal served, most
        ticket = replica.come(random.choice("xy"))
        await until(lambda: ticket.started_at, 60.0)
        most = max(most, sum(len(one.running) for one in crowd))
        await asyncio.sleep(0.002)
        replica.go(ticket)
        served += 1

    await asyncio.gather(*(request(crowd[number % 3]) for number in range(90)))
    assert (served, most) == (90, 2)


async def test_a_redis_that_forgets_everything_is_told_again_before_it_gives_anything(replicas: Replicas) -> None:
    one, two = await replicas()
    first = one.come()
    await until(lambda: one.running == [first])
    await one.link.run("FLUSHDB")
    second = two.come()
    await asyncio.sleep(0.3)
    assert two.running == []
    one.go(first)
    await until(lambda: two.running == [second])


async def test_while_redis_is_away_each_takes_its_part_and_all_share_again_when_it_is_back(replicas: Replicas) -> None:
    with RedisServer() as server:
        one, two = await replicas(2, 3, server)
        held = [one.come() for _ in range(3)]
        await until(lambda: len(one.running) == 3)
        more = [two.come() for _ in range(3)]
        server.stop()
        await until(lambda: len(two.running) == 2)
        for ticket in held:
            one.go(ticket)
        assert len(two.running) == 2
        server.start()
        await until(lambda: len(two.running) == 3)
        for ticket in more:
            two.go(ticket)
        # Until then each takes its part, rounded up; the link is up before its slots are asked for again.
        await until(lambda: all(replica.fleet.queue_of(replica.host).is_shared for replica in (one, two)))
        again = [replica.come() for replica in (one, two, one, two)]
        await until(lambda: sum(bool(ticket.started_at) for ticket in again) == 3)
        await asyncio.sleep(0.2)
        assert sum(len(replica.running) for replica in (one, two)) == 3
