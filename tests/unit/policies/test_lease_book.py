"""Leases: whatever several processes do, together they never hand out more than a limit leaves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from pointsman.core.errors import StorageUnavailable
from pointsman.policies import lease_book
from pointsman.policies.lease_book import Claim, LeaseBook, Missed
from pointsman.policies.leases import Take
from pointsman.stores.memory.shared_limits import MemorySharedLimits, SharedMemory
from pointsman.stores.shared_limits import GATHER_SECONDS, LIVE_SECONDS, Answer, Trade, Used


class Time:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


class Store(MemorySharedLimits):
    """One that can be cut off, and counts what it is asked."""

    is_cut = False
    asked = 0

    async def exchange(self, trades: Sequence[Trade], *, whole: bool = False) -> Answer:
        if self.is_cut:
            raise StorageUnavailable("cut off")
        self.asked += 1
        await asyncio.sleep(0)
        return await super().exchange(trades, whole=whole)

    async def recall(self, used: Sequence[Used]) -> None:
        if self.is_cut:
            raise StorageUnavailable("cut off")
        await super().recall(used)


class Fleet:
    """Replicas that share one memory."""

    def __init__(self, *, exact: bool) -> None:
        self.time = Time()
        self.memory = SharedMemory(self.time)
        self.exact = exact
        self.books: list[LeaseBook] = []
        self.stores: list[Store] = []
        self.turns: list[bool] = []

    async def grow(self, count: int) -> Fleet:
        for _ in range(count):
            store = Store(self.memory, f"replica-{len(self.books)}")
            book = LeaseBook(store, self.time, exact=self.exact, on_turn=lambda: self.turns.append(True))
            self.books.append(book)
            self.stores.append(store)
        await self.gathered()
        return self

    async def step(self) -> None:
        for book in self.books:
            await book.step()

    async def gathered(self) -> None:
        await self.step()
        self.time.now += GATHER_SECONDS
        await self.step()
        await self.step()

    async def ask(self, replica: int, *claims: Claim) -> list[Take] | Missed:
        book = self.books[replica]
        taken = book.take(claims)
        if taken is not None:
            return taken
        asking = asyncio.get_running_loop().create_task(book.obtain(claims))
        while not asking.done():
            await asyncio.sleep(0)
            await book.step()
        return await asking


@pytest.fixture(params=["exact", "leased"])
async def fleet(request: pytest.FixtureRequest) -> Fleet:
    return await Fleet(exact=request.param == "exact").grow(2)


def passed(outcome: list[Take] | Missed) -> list[Take]:
    assert isinstance(outcome, list), outcome
    return outcome


async def test_a_limit_holds_for_all_replicas_together(fleet: Fleet) -> None:
    through = 0
    for turn in range(30):
        lease = fleet.books[turn % 2].requests("team:a", 10)
        through += isinstance(await fleet.ask(turn % 2, (lease, 1)), list)
    assert through == 10


async def test_a_refusal_says_which_limit_and_for_how_long_and_burns_nothing(fleet: Fleet) -> None:
    book = fleet.books[0]
    narrow, wide = book.requests("narrow", 1), book.requests("wide", 5)
    passed(await fleet.ask(0, (narrow, 1), (wide, 1)))
    for _ in range(10):
        missed = await fleet.ask(0, (wide, 1), (narrow, 1))
        assert isinstance(missed, Missed)
        assert (missed.lease.name, missed.used) == (narrow.name, 1)
        assert 60 <= missed.wait <= 63
    other = fleet.books[1]
    for _ in range(4):
        passed(await fleet.ask(1, (other.requests("wide", 5), 1)))


async def test_leases_answer_without_asking(fleet: Fleet) -> None:
    book, store = fleet.books[0], fleet.stores[0]
    lease = book.requests("key:a", 100_000)
    for _ in range(100):
        passed(await fleet.ask(0, (lease, 1)))
        fleet.time.now += 0.01
    before = store.asked
    for _ in range(1_000):
        passed(await fleet.ask(0, (lease, 1)))
        if book._awake.is_set():  # as the loop in the background does
            await book.step()
        fleet.time.now += 0.01
    assert (store.asked - before) == (1_000 if fleet.exact else pytest.approx(15, abs=15))


async def test_a_slot_let_go_by_one_replica_is_there_for_the_next(fleet: Fleet) -> None:
    for turn in range(20):
        book = fleet.books[turn % 2]
        (take,) = passed(await fleet.ask(turn % 2, (book.slots("key:a", 1), 1)))
        missed = await fleet.ask((turn + 1) % 2, (fleet.books[(turn + 1) % 2].slots("key:a", 1), 1))
        assert isinstance(missed, Missed)
        book.count([take], 0)
        await book.step()


async def test_slots_of_a_replica_that_died_come_back(fleet: Fleet) -> None:
    passed(await fleet.ask(0, (fleet.books[0].slots("key:a", 1), 1)))
    fleet.books.pop(0)
    assert isinstance(await fleet.ask(0, (fleet.books[0].slots("key:a", 1), 1)), Missed)
    fleet.time.now += LIVE_SECONDS
    passed(await fleet.ask(0, (fleet.books[0].slots("key:a", 1), 1)))


async def test_a_replica_that_was_taken_for_dead_holds_again_what_it_held(fleet: Fleet) -> None:
    passed(await fleet.ask(0, (fleet.books[0].slots("key:a", 1), 1)))
    fleet.time.now += LIVE_SECONDS + 60
    await fleet.step()
    assert isinstance(await fleet.ask(1, (fleet.books[1].slots("key:a", 1), 1)), Missed)


async def test_idle_units_go_back_to_the_others(fleet: Fleet) -> None:
    one, two = fleet.books
    for _ in range(40):
        passed(await fleet.ask(0, (one.tokens("team:a", 100), 1)))
        fleet.time.now += 0.1
    for _ in range(12):
        fleet.time.now += 0.25
        await fleet.step()
    assert one.tokens("team:a", 100).free == 0
    passed(await fleet.ask(1, (two.tokens("team:a", 100), 60)))


async def test_tokens_are_counted_as_they_were_used(fleet: Fleet) -> None:
    one, two = fleet.books
    takes = passed(await fleet.ask(0, (one.tokens("team:a", 100), 90)))
    one.count(takes, 30)
    await one.step()
    passed(await fleet.ask(1, (two.tokens("team:a", 100), 70)))
    takes = passed(await fleet.ask(0, (one.tokens("team:b", 100), 10)))
    one.count(takes, 95)
    await one.step()
    assert isinstance(await fleet.ask(1, (two.tokens("team:b", 100), 6)), Missed)


async def test_money_held_is_let_go_only_with_what_the_database_says(fleet: Fleet) -> None:
    one, two = fleet.books
    money = one.money("team:a", 100)
    one.spend(passed(await fleet.ask(0, (money, 60))), cost=50)
    await one.step()
    for _ in range(40):
        fleet.time.now += 0.25
        await fleet.step()
    assert isinstance(await fleet.ask(1, (two.money("team:a", 49), 1)), Missed), "it counts, though nobody stored it"
    money.know(50, 0)
    one.touch(money)
    await one.step()
    assert isinstance(await fleet.ask(1, (two.money("team:a", 49), 1)), Missed), "and when the other has not seen it"
    passed(await fleet.ask(1, (two.money("team:a", 100), 40)))


async def test_a_replica_that_spends_nothing_does_not_hold_on_to_what_it_knew_of_the_spending(fleet: Fleet) -> None:
    one, two = fleet.books
    money = one.money("team:a", 100)
    one.spend(passed(await fleet.ask(0, (money, 60))), cost=60)
    money.know(100, 0)
    one.touch(money)
    await one.step()
    assert isinstance(await fleet.ask(1, (two.money("team:a", 100), 1)), Missed)
    for _ in range(30):
        fleet.time.now += 0.25
        await fleet.step()
    passed(await fleet.ask(1, (two.money("team:a", 100), 1)))  # as when the spending was set back in the database


async def test_without_the_store_everything_is_counted_and_told_later(fleet: Fleet) -> None:
    one, two = fleet.books
    fleet.stores[0].is_cut = True
    for _ in range(3):
        passed(await fleet.ask(0, (one.requests("team:a", 5), 1), (one.slots("team:a", 5), 1)))
    assert (one.is_open, one.share, one.outages) == (False, 2, 1)
    fleet.stores[0].is_cut = False
    await one.step()
    assert isinstance(await fleet.ask(1, (two.requests("team:a", 5), 3)), Missed), "told at once"
    assert (one.is_open, one.share) == (False, 2), "others may yet have to tell"
    fleet.time.now += 1.0
    await one.step()
    assert (one.is_open, one.share) == (True, 1)
    assert isinstance(await fleet.ask(1, (two.slots("team:a", 5), 3)), Missed)
    passed(await fleet.ask(1, (two.requests("team:a", 5), 2), (two.slots("team:a", 5), 2)))


async def test_a_store_that_lost_its_memory_is_told_what_was_used(fleet: Fleet) -> None:
    one, two = fleet.books
    passed(await fleet.ask(0, (one.requests("team:a", 5), 3), (one.slots("team:a", 5), 2)))
    fleet.memory.forget()
    await fleet.step()
    fleet.time.now += 2.5  # the beat that finds out
    await fleet.step()
    assert [book.is_open for book in fleet.books] == [False, False]
    passed(await fleet.ask(1, (two.requests("team:a", 5), 1)))
    await fleet.gathered()
    fleet.time.now += 1.0
    await fleet.step()
    assert [book.is_open for book in fleet.books] == [True, True]
    assert isinstance(await fleet.ask(1, (two.requests("team:a", 5), 2)), Missed)
    assert isinstance(await fleet.ask(1, (two.slots("team:a", 5), 4)), Missed)
    passed(await fleet.ask(0, (one.requests("team:a", 5), 1), (one.slots("team:a", 5), 3)))


async def test_the_first_to_come_back_to_a_store_that_lost_its_memory_keeps_to_its_part(fleet: Fleet) -> None:
    one, _ = fleet.books
    fleet.memory.forget()
    fleet.time.now += 2.5
    for _ in range(3):
        await one.step()
        assert one.is_open or one.share == 2
    assert (one.is_open, one.replicas) == (False, 2)


async def test_whoever_leaves_while_waiting_takes_nothing(fleet: Fleet) -> None:
    book = fleet.books[0]
    slots = book.slots("key:a", 1)
    asking = asyncio.get_running_loop().create_task(book.obtain([(slots, 1)]))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.sleep(0)
    await book.step()
    await book.step()
    passed(await fleet.ask(1, (fleet.books[1].slots("key:a", 1), 1)))


async def test_of_many_that_wait_at_once_as_many_pass_as_the_limit_leaves(fleet: Fleet) -> None:
    book = fleet.books[0]
    lease, slots = book.requests("team:a", 30), book.slots("team:a", 50)
    asking = [asyncio.get_running_loop().create_task(book.obtain([(slots, 1), (lease, 1)])) for _ in range(50)]
    while not all(one.done() for one in asking):
        await asyncio.sleep(0)
        await book.step()
    outcomes = [one.result() for one in asking]
    assert sum(isinstance(one, list) for one in outcomes) == 30
    assert slots.in_use == 30


PRICE_MAX = 9


class World:
    """Three replicas, a database, one account, and what was really let through."""

    def __init__(self, fleet: Fleet, limit: int) -> None:
        self.fleet = fleet
        self.limit = limit
        self.calls: list[list[list[Take]]] = [[], [], []]
        self.let_in_at: list[float] = []
        self.stored = 0
        self.pending = [0, 0, 0]
        self.since_all = 0

    def claim(self, book: LeaseBook) -> Claim:
        raise NotImplementedError

    def check(self) -> None:
        raise NotImplementedError

    async def call(self, replica: int, count: int) -> None:
        book = self.fleet.books[replica]
        for _ in range(count):
            outcome = await self.fleet.ask(replica, self.claim(book))
            if isinstance(outcome, list):
                self.calls[replica].append(outcome)
                self.let_in_at.append(self.fleet.time.now)
            self.check()
            self.fleet.time.now += 0.03
            if book._awake.is_set():  # as the loop in the background does
                await book.step()
            self.since_all += 1
            if self.since_all >= 40:
                self.since_all = 0
                await self.all_step()

    async def end(self, replica: int, count: int) -> None:
        ended, self.calls[replica] = self.calls[replica][:count], self.calls[replica][count:]
        for takes in ended:
            self.fleet.books[replica].count(takes, 0)

    async def store(self, replica: int, _: int) -> None:
        """Nothing to bring to the database, where no money is spent."""

    async def all_step(self) -> None:
        await self.fleet.step()

    async def wait(self, _: int, quarters: int) -> None:
        for quarter in range(quarters):
            self.fleet.time.now += 0.25
            if quarters < 10 or not quarter % 8:
                await self.all_step()

    async def step(self, replica: int, _: int) -> None:
        await self.fleet.books[replica].step()

    async def cut(self, replica: int, _: int) -> None:
        """Nobody asks for anything meanwhile."""
        self.fleet.stores[replica].is_cut = True
        await self.fleet.books[replica].step()
        self.fleet.stores[replica].is_cut = False
        await self.fleet.books[replica].step()
        self.fleet.time.now += 1.0
        await self.all_step()


class Rates(World):
    def claim(self, book: LeaseBook) -> Claim:
        return book.requests("k", self.limit), 1

    def check(self) -> None:
        now = self.fleet.time.now
        assert sum(now - at < 60 for at in self.let_in_at) <= self.limit


class Slots(World):
    def claim(self, book: LeaseBook) -> Claim:
        return book.slots("k", self.limit), 1

    def check(self) -> None:
        assert sum(map(len, self.calls)) <= self.limit


class Money(World):
    def claim(self, book: LeaseBook) -> Claim:
        return book.money("k", self.limit), 1 + len(self.let_in_at) % PRICE_MAX

    def check(self) -> None:
        reserved = sum(take.units for calls in self.calls for takes in calls for take in takes)
        assert self.stored + sum(self.pending) + reserved < self.limit + PRICE_MAX

    async def end(self, replica: int, count: int) -> None:
        book = self.fleet.books[replica]
        ended, self.calls[replica] = self.calls[replica][:count], self.calls[replica][count:]
        for takes in ended:
            cost = takes[0].units // 2
            book.spend(takes, cost)
            self.pending[replica] += cost

    async def all_step(self) -> None:
        """Each looks into the database every second or so."""
        for book, pending in zip(self.fleet.books, self.pending, strict=True):
            book.money("k", self.limit).know(self.stored, pending)
        await super().all_step()

    async def store(self, replica: int, _: int) -> None:
        self.stored += self.pending[replica]
        self.pending[replica] = 0
        money = self.fleet.books[replica].money("k", self.limit)
        money.know(self.stored, 0)
        self.fleet.books[replica].touch(money)


async def live(world: World, chance: random.Random) -> None:
    for _ in range(40):
        what = chance.choice(["call", "call", "call", "end", "store", "wait", "step", "cut"])
        amounts = {"call": (1, 5, 40, 70), "end": (1, 10, 70), "wait": (1, 2, 7, 230, 250)}
        await getattr(world, what)(chance.randrange(3), chance.choice(amounts.get(what, (0,))))
        world.check()


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("kind", [Rates, Slots, Money])
async def test_no_limit_is_passed_whatever_the_replicas_do(
    kind: type[World], exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_book, "_AGAIN_SECONDS", 0.0)
    for seed in range(5):
        for limit in (3, 60, 300):
            await live(kind(await Fleet(exact=exact).grow(3), limit), random.Random(f"{seed}-{limit}"))


async def test_units_that_are_handed_out_late_count_as_long_as_any() -> None:
    fleet = await Fleet(exact=False).grow(2)
    one, two = fleet.books
    for _ in range(40):
        passed(await fleet.ask(0, (one.requests("team:a", 100), 1)))
        fleet.time.now += 0.05
        await one.step()
    at_hand = one.requests("team:a", 100).free
    assert at_hand > 4
    granted_at = fleet.time.now
    fleet.time.now += 1.9
    late = [one.take([(one.requests("team:a", 100), 1)]) for _ in range(at_hand)]
    assert None not in late
    fleet.time.now = granted_at + 61.0
    assert isinstance(await fleet.ask(1, (two.requests("team:a", 100), 100 - at_hand + 1)), Missed)
    fleet.time.now = granted_at + 64.0
    passed(await fleet.ask(1, (two.requests("team:a", 100), 100)))
