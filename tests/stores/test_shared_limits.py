"""Limits that processes share: the same promises in memory and in Redis, and the same answers to whatever is asked."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.stores.memory.shared_limits import MemorySharedLimits, SharedMemory
from pointsman.stores.redis import RedisLink, RedisSettings, RedisSharedLimits
from pointsman.stores.shared_limits import (
    GATHER_SECONDS,
    LIVE_SECONDS,
    SETTLED_SECONDS,
    Answer,
    Deal,
    SharedLimits,
    Trade,
    Used,
)
from tests.support.servers import RedisServer

MINUTE: Final[dict[str, Any]] = {"grain": 1, "moments": 61}
_names = itertools.count()


class Time:
    """What the store takes to be the time."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


class Shared:
    """A store, and processes that share it."""

    def __init__(self, time: Time, make: Callable[[str], SharedLimits], forget: Callable[[], Awaitable[None]]) -> None:
        self.time = time
        self.make = make
        self.forget = forget
        self._processes: dict[str, SharedLimits] = {}

    async def process(self, name: str) -> SharedLimits:
        """One that takes part already."""
        if name not in self._processes:
            self._processes[name] = process = self.make(name)
            await process.beat()
            await process.recall(())
            await self.gathered()
        return self._processes[name]

    async def gathered(self) -> None:
        self.time.now += GATHER_SECONDS

    async def trade(self, name: str, **words: Any) -> Deal:
        process = await self.process(name)
        trade = Trade(**{"account": "a", "limit": 10, "single": words.get("need", 0), **words})
        (deal,) = deals(await process.exchange([trade]))
        return deal


def deals(answer: Answer) -> tuple[Deal, ...]:
    assert answer.deals is not None
    return answer.deals


def in_memory() -> Shared:
    time = Time()
    memory = SharedMemory(time)

    async def forget() -> None:
        memory.forget()

    return Shared(time, lambda name: MemorySharedLimits(memory, name), forget)


async def link_to(server: RedisServer, nursery: Nursery) -> RedisLink:
    # Generous, since a machine that tests much at once is slow; what the limit does is tested by itself.
    settings = RedisSettings(at=Secret(server.url()), namespace=f"test-{next(_names)}", command_seconds=10.0)
    link = RedisLink(settings, nursery)
    assert await link.open()
    return link


def in_redis(link: RedisLink) -> Shared:
    time = Time()

    async def forget() -> None:
        await link.run("DEL", *await link.run("KEYS", link.name("*").replace("{", "\\{")))

    return Shared(time, lambda name: RedisSharedLimits(link, name, time), forget)


def nursery() -> Nursery:
    def fail(name: str, error: BaseException) -> None:
        raise error

    return Nursery(fail)


@pytest.fixture(params=["memory", "redis"])
async def shared(request: pytest.FixtureRequest) -> AsyncIterator[Shared]:
    if request.param == "memory":
        yield await with_two(in_memory())
        return
    link = await link_to(request.getfixturevalue("redis_server"), nursery())
    yield await with_two(in_redis(link))
    await link.close()


async def with_two(shared: Shared) -> Shared:
    await shared.process("one")
    await shared.process("two")
    return shared


async def test_what_one_process_is_granted_another_cannot_have(shared: Shared) -> None:
    assert (await shared.trade("one", need=7, **MINUTE)).granted == 7
    deal = await shared.trade("two", need=4, **MINUTE)
    assert (deal.granted, deal.used) == (3, 10)


async def test_a_unit_counts_for_its_moments_and_no_longer(shared: Shared) -> None:
    await shared.trade("one", need=10, **MINUTE)
    shared.time.now += 60
    assert (await shared.trade("one", need=1, **MINUTE)).granted == 0
    shared.time.now += 1
    assert (await shared.trade("one", need=10, **MINUTE)).granted == 10


async def test_who_is_refused_is_told_when_it_fits(shared: Shared) -> None:
    await shared.trade("one", need=6, **MINUTE)
    shared.time.now += 20
    await shared.trade("one", need=4, **MINUTE)
    assert (await shared.trade("two", need=3, **MINUTE)).wait == 41
    assert (await shared.trade("two", need=7, **MINUTE)).wait == 61
    assert (await shared.trade("two", need=11, **MINUTE)).wait == 60, "it never does"


async def test_of_a_whole_exchange_all_is_granted_or_nothing(shared: Shared) -> None:
    one = await shared.process("one")
    await shared.trade("one", account="full", need=10, **MINUTE)
    trades = [Trade(account=name, limit=10, need=1, single=1, **MINUTE) for name in ("free", "full")]
    assert [deal.granted for deal in deals(await one.exchange(trades, whole=True))] == [0, 0]
    assert (await shared.trade("one", account="free", **MINUTE)).used == 0


async def test_what_is_asked_in_advance_never_empties_an_account(shared: Shared) -> None:
    assert (await shared.trade("one", limit=100, wish=1_000, **MINUTE)).granted == 25
    assert (await shared.trade("two", limit=100, need=1, wish=1_000, **MINUTE)).granted == 18
    assert (await shared.trade("two", limit=100, need=57, wish=60, **MINUTE)).granted == 57


async def test_units_given_back_can_be_had_again_and_debts_are_counted(shared: Shared) -> None:
    await shared.trade("one", need=10, **MINUTE)
    moment = int(shared.time.now)
    assert (await shared.trade("one", changes=((moment, -4),), **MINUTE)).used == 6
    assert (await shared.trade("two", changes=((moment, 9),), **MINUTE)).used == 15
    assert (await shared.trade("two", changes=((moment, -99),), **MINUTE)).used == 0
    shared.time.now += 61
    assert (await shared.trade("two", changes=((moment, 5),), **MINUTE)).used == 0, "that moment is over"
    moment = int(shared.time.now)
    assert (await shared.trade("two", changes=((moment + 5, 5),), **MINUTE)).used == 5, "a clock that is ahead"
    shared.time.now += 30
    assert (await shared.trade("two", need=1, **MINUTE)).used == 6
    shared.time.now += 31
    assert (await shared.trade("two", **MINUTE)).used == 1


async def test_what_is_kept_counts_from_now_on(shared: Shared) -> None:
    await shared.trade("one", need=10, **MINUTE)
    then = int(shared.time.now)
    shared.time.now += 30
    await shared.trade("one", kept=4, kept_at=then, **MINUTE)
    shared.time.now += 31
    assert (await shared.trade("two", **MINUTE)).used == 4


async def test_moments_may_be_longer_than_a_second(shared: Shared) -> None:
    day = {"grain": 600, "moments": 145}
    await shared.trade("one", need=10, **day)
    shared.time.now += 86_000
    refused = await shared.trade("one", need=1, **day)
    assert (refused.granted, refused.wait % 600) == (0, 0)
    shared.time.now += refused.wait
    assert (await shared.trade("one", need=10, **day)).granted == 10


async def test_slots_of_the_living_count_and_those_of_the_dead_do_not(shared: Shared) -> None:
    assert (await shared.trade("one", limit=2, held=1, need=1)).granted == 1
    assert (await shared.trade("two", limit=2, need=1)).granted == 0
    shared.time.now += LIVE_SECONDS - 1
    assert (await shared.trade("two", limit=2, need=1)).granted == 0
    shared.time.now += 1
    assert (await shared.trade("two", limit=2, need=2)).granted == 2


async def test_to_say_twice_what_is_held_changes_nothing(shared: Shared) -> None:
    for _ in range(3):
        assert (await shared.trade("one", limit=2, held=1)).used == 1
    assert (await shared.trade("one", limit=2, held=0)).used == 0


async def test_who_leaves_holds_nothing(shared: Shared) -> None:
    await shared.trade("one", limit=1, held=1)
    await (await shared.process("one")).leave()
    deal = await shared.trade("two", limit=1, need=1)
    assert deal.granted == 1


async def test_money_lets_the_last_one_over_the_edge_and_nobody_after_it(shared: Shared) -> None:
    money = {"limit": 100, "edge": True}
    assert (await shared.trade("one", held=0, need=90, **money)).granted == 90
    assert (await shared.trade("two", held=0, need=90, **money)).granted == 90
    assert (await shared.trade("one", held=90, need=90, **money)).granted == 0
    assert (await shared.trade("two", held=90, idle=0, need=1, **money)).granted == 0


async def test_of_money_that_many_wait_for_one_alone_goes_over_the_edge(shared: Shared) -> None:
    deal = await shared.trade("one", limit=100, edge=True, need=500, single=30)
    assert deal.granted == 129


async def test_idle_money_is_no_reason_to_refuse_its_holder(shared: Shared) -> None:
    money = {"limit": 100, "edge": True}
    await shared.trade("two", held=90, **money)
    assert (await shared.trade("one", held=10, idle=10, need=20, single=30, **money)).granted == 20
    assert (await shared.trade("two", held=90, need=1, **money)).granted == 0


async def test_money_settled_by_a_dead_process_counts_until_the_database_must_have_it(shared: Shared) -> None:
    money = {"limit": 100, "edge": True}
    await shared.trade("one", held=30, settled=50, spent=5, **money)
    assert (await shared.trade("two", **money)).used == 85
    shared.time.now += LIVE_SECONDS
    assert (await shared.trade("two", **money)).used == 50
    shared.time.now += SETTLED_SECONDS
    assert (await shared.trade("two", **money)).used == 0


async def test_what_a_process_settled_is_forgotten_soon_once_it_is_stored(shared: Shared) -> None:
    money = {"limit": 100, "edge": True}
    await shared.trade("one", held=30, settled=50, **money)
    await (await shared.process("two")).leave("one", settled_seconds=5)
    assert (await shared.trade("two", **money)).used == 50
    shared.time.now += 5
    assert (await shared.trade("two", **money)).used == 0


async def test_the_highest_that_anybody_saw_of_the_databases_spending_counts(shared: Shared) -> None:
    money = {"limit": 100, "edge": True}
    await shared.trade("one", settled=40, spent=20, **money)
    await shared.trade("one", settled=0, spent=60, **money)
    assert (await shared.trade("two", spent=20, **money)).used == 60


async def test_who_has_lost_its_memory_grants_nothing_until_all_have_told(shared: Shared) -> None:
    one, two = await shared.process("one"), await shared.process("two")
    await shared.trade("one", need=4, **MINUTE)
    await shared.trade("two", need=3, **MINUTE)
    moment = int(shared.time.now)
    await shared.forget()
    ask = [Trade(account="a", limit=10, need=1, single=1, **MINUTE)]
    assert (await one.exchange(ask)).deals is None
    for _ in range(2):
        await one.recall([Used("a", 1, 61, ((moment, 4),))])
    assert (await one.exchange(ask)).deals is None
    assert (await two.beat()).deals is None
    await two.recall([Used("a", 1, 61, ((moment - 50, 3),))])
    await shared.gathered()
    assert (await shared.trade("two", need=4, **MINUTE)).used == 10
    shared.time.now += 9
    assert (await shared.trade("two", need=4, **MINUTE)).granted == 3


async def test_what_is_told_after_a_loss_counts_for_as_long_as_it_would_have(shared: Shared) -> None:
    one = await shared.process("one")
    await shared.forget()
    assert (await one.beat()).deals is None
    moment = int(shared.time.now)
    told = ((moment - 61, 50), (moment - 60, 1), (moment - 50, 2), (moment + 5, 4), (moment - 1, -3), (moment, 0))
    await one.recall([Used("a", 1, 61, told), Used("b", 600, 3, ((moment // 600, 8),)), Used("c", 1, 61, ())])
    await shared.gathered()
    one_now, later = {"limit": 100, **MINUTE}, moment + 12 - int(shared.time.now)
    assert (await shared.trade("one", **one_now)).used == 6, "the first has ceased to count meanwhile"
    assert (await shared.trade("one", account="b", limit=100, grain=600, moments=3)).used == 8
    assert (await shared.trade("one", account="c", **one_now)).used == 0
    shared.time.now += later
    assert (await shared.trade("one", **one_now)).used == 4
    shared.time.now += 60 - 12
    assert (await shared.trade("one", **one_now)).used == 4, "what was said to come counts from now on"
    shared.time.now += 1
    assert (await shared.trade("one", **one_now)).used == 0


async def test_what_was_told_to_a_store_that_forgot_again_is_told_anew(shared: Shared) -> None:
    one, two = await shared.process("one"), await shared.process("two")
    await shared.forget()
    assert (await one.beat()).deals is None
    await shared.forget()
    shared.time.now += 1
    assert (await two.beat()).deals is None
    used = [Used("a", 1, 61, ((int(shared.time.now), 4),))]
    await one.recall(used)
    assert (await one.beat()).deals is None
    await one.recall(used)
    await two.recall(())
    await shared.gathered()
    assert (await shared.trade("two", **MINUTE)).used == 4


async def test_processes_are_counted_while_they_live(shared: Shared) -> None:
    one, two = await shared.process("one"), await shared.process("two")
    await two.beat()
    assert (await one.beat()).replicas == 2
    shared.time.now += LIVE_SECONDS
    assert (await one.beat()).replicas == 1


async def test_redis_keeps_nothing_for_ever(redis_server: RedisServer) -> None:
    link = await link_to(redis_server, nursery())
    shared = await with_two(in_redis(link))
    start = len(link.name(""))

    async def kept() -> dict[str, int]:
        names = [name.decode() for name in await link.run("KEYS", link.name("*").replace("{", "\\{"))]
        return {name[start:]: await link.run("PTTL", name) for name in names}

    for second in range(80):
        shared.time.now += 1
        await shared.trade("one", account="busy", need=1, limit=100, **MINUTE)
        if second % 40 == 0:
            await shared.trade("two", account="slots", held=1)
            await shared.trade("one", account="slots", held=1, settled=2, spent=3)
    await shared.trade("two", account="slots", held=0)
    await shared.trade("one", account="nobody's", **MINUTE)
    await shared.trade("one", account="day", need=1, grain=600, moments=145)
    await (await shared.process("one")).recall([Used("told", 1, 61, ((int(shared.time.now), 4),))])
    seconds = {name.partition("told:")[1] or name: left / 1000 for name, left in (await kept()).items()}
    assert seconds.pop("epoch") < 0
    slack, lives = 60, LIVE_SECONDS + SETTLED_SECONDS
    for name, least in (
        ("holders", lives), ("limit:slots", lives), ("told:", 600), ("limit:busy", 62), ("limit:told", 62),
        ("limit:day", 146 * 600),
    ):  # fmt: skip
        assert least - slack < seconds.pop(name) <= max(least + 600, 3600)
    assert seconds == {}
    assert await link.run("HLEN", link.name("limit:busy")) <= 61 + len(("t", "o"))
    assert await link.run("HLEN", link.name("limit:slots")) == len(("h", "p", "s"))
    shared.time.now += LIVE_SECONDS + SETTLED_SECONDS - 1
    await (await shared.process("one")).beat()
    assert await link.run("ZCARD", link.name("holders")) == 2, "what it settled may count still"
    shared.time.now += 1
    await (await shared.process("one")).beat()
    assert await link.run("ZCARD", link.name("holders")) == 1
    await link.close()


async def test_without_a_clock_of_ours_the_servers_counts(redis_server: RedisServer) -> None:
    link = await link_to(redis_server, nursery())
    process = RedisSharedLimits(link, "one")
    before = time.time()
    assert before - 1 < (await process.beat()).now < time.time() + 1
    await process.recall([Used("a", 1, 61, ((int(before), 4), (int(before) - 61, 8)))])
    moment = str(int(before)).encode()
    assert await link.run("HGETALL", link.name("limit:a")) == {moment: b"4", b"t": b"4", b"o": moment}
    await link.close()


amounts = st.integers(0, 12)
windows: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    account=st.sampled_from(["w1", "w2"]),
    limit=st.integers(0, 20),
    need=amounts,
    single=amounts,
    wish=st.integers(0, 40),
    kept=st.integers(0, 4),
    ago=st.integers(-5, 70),
    changes=st.lists(st.tuples(st.integers(-5, 70), st.integers(-5, 5)), max_size=3),
)
holdings: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    account=st.sampled_from(["h1", "h2"]),
    limit=st.integers(0, 30),
    need=amounts,
    single=amounts,
    wish=st.integers(0, 40),
    edge=st.booleans(),
    idle=st.integers(0, 3),
    held=amounts,
    settled=st.integers(0, 6),
    spent=st.integers(0, 6),
)
steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.3, 1.0, 7.0, 9.0, 30.0, 65.0, 700.0]),
        st.sampled_from(["one", "two", "three"]),
        st.booleans(),
        st.lists(st.one_of(windows, holdings), max_size=3, unique_by=lambda trade: trade["account"]),
    ),
    max_size=25,
)


def as_trade(words: dict[str, Any], now: int) -> Trade:
    if "ago" not in words:
        return Trade(**words)
    # Each window keeps its shape: what a moment is belongs to the account.
    grain, moments = (1, 61) if words["account"] == "w1" else (10, 4)
    given = {name: value for name, value in words.items() if name not in ("ago", "changes")}
    changes = tuple(((now - ago) // grain, units) for ago, units in words["changes"])
    return Trade(**given, grain=grain, moments=moments, kept_at=(now - words["ago"]) // grain, changes=changes)


async def answers(shared: Shared, told: list[tuple[float, str, bool, list[dict[str, Any]]]]) -> list[Answer]:
    for name in ("one", "two", "three"):
        await shared.process(name)
    given = []
    for passes, name, whole, trades in told:
        shared.time.now += passes
        process = await shared.process(name)
        given.append(await process.exchange([as_trade(one, int(shared.time.now)) for one in trades], whole=whole))
    return given


@given(told=steps)
@settings(max_examples=100)
def test_redis_answers_as_memory_does(
    redis_server: RedisServer, told: list[tuple[float, str, bool, list[dict[str, Any]]]]
) -> None:
    async def compare() -> None:
        link = await link_to(redis_server, nursery())
        try:
            assert await answers(in_redis(link), told) == await answers(in_memory(), told)
        finally:
            await link.close()

    asyncio.run(compare())
