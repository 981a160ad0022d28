"""What deployments with limits were given is added up over processes, and goes on after a restart."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from pointsman.assembly import use_news
from pointsman.assembly.use_news import UseNews
from pointsman.core.errors import StorageUnavailable
from pointsman.core.terms import Terms
from pointsman.core.upstream import Deployment
from pointsman.core.usage import Usage
from pointsman.routing.gather import count_limits
from pointsman.routing.live import LiveBook
from pointsman.routing.meter import Meter
from pointsman.routing.table import Pattern, RoutingTable
from pointsman.routing.terms import Tallies
from pointsman.stores.performance import DeploymentUse
from tests.unit.assembly.test_host_news import Wire
from tests.unit.policies.desk import FakeClock
from tests.unit.routing.fleet_script import WISH, deployment

LIMITED = deployment("a", terms=Terms(itpm=200, otpm=10_000, rpd=10, tpd=1_000), rpm=5, tpm=1_000)


class Process:
    """One gateway, whose ledger says of the deployment what ``ledger`` is, or is away where that is None."""

    def __init__(
        self, name: str, wire: Wire, clock: FakeClock, *given: Deployment, ledger: tuple[int, int] | None = (0, 0)
    ) -> None:
        self.clock = clock
        self.lives = LiveBook()
        self.ledger = ledger
        self.asked: list[tuple[float, float]] = []
        self.table = RoutingTable(given or (LIMITED,))
        self.live = self.lives.of(LIMITED)
        count_limits(self.live, LIMITED)
        self.tallies._wall = clock.wall
        self.tallies.since = clock.wall()
        self.news = UseNews(self.lives, lambda: self.table, self.used, name, [wire], clock)
        self.news.follow()

    @property
    def meter(self) -> Meter:
        assert self.live.meter is not None
        return self.live.meter

    @property
    def tallies(self) -> Tallies:
        assert self.meter.tallies is not None
        return self.meter.tallies

    async def used(self, start: float, end: float) -> Sequence[DeploymentUse]:
        self.asked.append((start, end))
        if self.ledger is None:
            raise StorageUnavailable("It is away.")
        return [DeploymentUse("a", *self.ledger), DeploymentUse("gone", 9, 9)]

    def give(self, prompt: int = 10, completion: int = 5) -> None:
        now = self.clock.monotonic()
        self.meter.began(prompt, now)
        self.tallies.began(prompt, completion, int(now))
        self.meter.ended(prompt, prompt + completion, now, now)
        self.tallies.ended(prompt, completion, Usage(prompt, completion), int(now), int(now))
        self.news.step()

    def day(self) -> tuple[int, int]:
        others = self.tallies.elsewhere
        told = (others.day_requests, others.day_tokens) if others.day == self.tallies.day else (0, 0)
        return self.tallies.day_requests + told[0], self.tallies.day_tokens + told[1]


def pair() -> tuple[FakeClock, Wire, Process, Process]:
    clock, wire = FakeClock(), Wire()
    one, other = Process("one", wire, clock), Process("other", wire, clock)
    clock.now += 1.0
    return clock, wire, one, other


def test_what_a_wildcard_has_made_is_shared_like_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use_news, "_MADE_MAX", 1)

    def expand(name: str, _: tuple[str, ...]) -> Deployment:
        return msgspec.structs.replace(LIMITED, id=name, group=name)

    _, _, one, other = pair()
    for process in (one, other):
        process.table = RoutingTable((), patterns=[Pattern("any/*", expand)])
        process.news.follow()
        group = process.table.resolve("any/a")
        assert group is not None
        process.live = process.lives.of(group.deployments[0])
        process.news.follow()
        assert process.table.resolve("any/b") is not None
        process.news.follow()
    assert one.lives.known("any/b") is None, "what clients make up is not followed without end"
    for _ in range(5):
        one.meter.began(18, one.clock.monotonic())
    one.news.step()
    assert other.meter.requests_used(int(other.clock.monotonic())) == 5


def test_what_one_gives_binds_the_other_of_minutes_and_of_days() -> None:
    clock, _, one, other = pair()
    for _ in range(5):
        one.give(18, 2)
    second = int(clock.monotonic())
    assert (other.meter.requests_used(second), other.meter.tokens_used(second)) == (5, 100)
    assert other.tallies.reached(WISH, second) is None
    one.give(20, 2)
    assert other.tallies.reached(WISH, second) == "itpm 110+100/200"
    assert other.day() == (6, 122)
    assert one.meter.elsewhere == (0, 0), "nobody hears itself"


def test_news_heard_twice_or_not_at_all_changes_nothing_for_good() -> None:
    _, wire, one, other = pair()
    one.give()
    hearers, wire.hearers = wire.hearers, []
    one.give()
    wire.hearers = [*hearers, *hearers]
    one.give()
    assert other.day() == (3, 45)
    other.give()
    assert one.day() == other.day() == (4, 60)


def test_a_minute_of_whom_nothing_is_heard_ends_and_its_day_does_not() -> None:
    clock, _, one, other = pair()
    one.give()
    clock.now += 7.0
    other.news.step()
    assert other.meter.elsewhere == (0, 0)
    assert other.day() == (1, 15)


def test_a_day_that_is_over_counts_no_more() -> None:
    clock, _, one, other = pair()
    one.give()
    clock.now += 86_400.0
    assert other.day() == (0, 0)
    one.give()
    assert other.day() == (1, 15)


async def test_a_restart_goes_on_with_what_the_ledger_has_and_what_others_had_told_is_not_added() -> None:
    clock, wire, one, other = pair()
    for process in (one, other):
        await process.news.recall()
        process.give()
        process.give()
    again = Process("again", wire, clock, ledger=(4, 60))
    await again.news.recall()
    one.news.step()
    other.news.step()
    assert again.day() == (4, 60)
    one.give()
    again.give()
    assert again.day() == (6, 90)
    assert one.day() == (6, 90), "the one before has not lived to see the restart undone"


async def test_the_ledger_is_asked_once_of_the_day_until_then() -> None:
    clock, wire = FakeClock(), Wire()
    alone = Process("alone", wire, clock, ledger=(9, 900))
    begun = clock.wall()
    clock.now += 5.0
    alone.give()
    await alone.news.recall()
    await alone.news.recall()
    assert alone.asked == [(begun // 86_400 * 86_400, begun)]
    assert alone.day() == (10, 915)
    assert alone.tallies.reached(WISH, 1) == "rpd 10/10"


async def test_a_ledger_that_is_away_is_asked_again() -> None:
    clock, wire = FakeClock(), Wire()
    alone = Process("alone", wire, clock, ledger=None)
    await alone.news.recall()
    await alone.news.recall()
    assert len(alone.asked) == 1 and alone.day() == (0, 0)
    alone.ledger = (1, 2)
    clock.now += 1.0
    await alone.news.recall()
    assert alone.day() == (1, 2)


@pytest.mark.parametrize("said", [b"{", b"null", b'{"process": "x", "since": 0, "use": [["a", "b"]]}'])
def test_what_is_no_news_is_not_heard(said: bytes) -> None:
    _, wire, one, _ = pair()
    wire.post("use", said)
    assert one.day() == (0, 0)


def test_thousands_are_told_in_pieces_that_a_bulletin_takes() -> None:
    clock, wire = FakeClock(), Wire()
    many = [deployment(f"d{number}", rpm=5) for number in range(300)]
    one = Process("one", wire, clock, *many)
    other = Process("other", wire, clock, *many)
    sizes: list[int] = []
    wire.hearers.append(lambda body: sizes.append(len(body)))
    for each in many:
        meter = one.lives.of(each).meter
        assert meter is not None
        meter.began(7, clock.monotonic())
    one.news.step()
    heard = [live for live in other.lives if live.meter and live.meter.elsewhere == (1, 7)]
    assert len(heard) == 300
    assert len(sizes) > 1 and max(sizes) < 3_500


def test_limits_that_are_taken_away_bind_nobody_any_more() -> None:
    _, _, one, _ = pair()
    for _ in range(10):
        one.give(0, 0)
    assert one.tallies.reached(WISH, 1) == "rpd 10/10"
    one.table = RoutingTable((deployment("a"),))
    count_limits(one.live, deployment("a"))
    assert one.tallies.reached(WISH, 1) is None
