"""Processes hear what others have under way at local hosts, and when each model was used last."""

from __future__ import annotations

from collections.abc import Callable

from pointsman.assembly.host_news import EVERYTHING_SECONDS, HostNews
from pointsman.core.clock import Clock
from pointsman.routing.hosts import Fleet, Host
from tests.unit.policies.desk import FakeClock


class Wire:
    """A bulletin whose news everybody hears at once."""

    def __init__(self) -> None:
        self.hearers: list[Callable[[bytes], None]] = []
        self.posts = 0

    def hear(self, _topic: str, hearer: Callable[[bytes], None]) -> None:
        self.hearers.append(hearer)

    def post(self, _topic: str, body: bytes = b"null") -> None:
        self.posts += 1
        for hearer in self.hearers:
            hearer(body)


class Process:
    def __init__(self, name: str, wire: Wire, clock: Clock) -> None:
        self.fleet = Fleet()
        self.host: Host = self.fleet.at("http://gpu1:11434")
        self.fleet.listed = (self.host,)
        self.news = HostNews(self.fleet, name, [wire], clock)


def scene() -> tuple[FakeClock, Wire, Process, Process]:
    clock, wire = FakeClock(), Wire()
    one, other = Process("one", wire, clock), Process("other", wire, clock)
    one.news.step()
    other.news.step()
    clock.now += 0.1
    return clock, wire, one, other


def test_a_call_that_is_over_before_anybody_looks_is_heard_of_all_the_same() -> None:
    clock, wire, one, other = scene()
    one.host.used["tiny"] = clock.monotonic() - 0.05
    one.news.step()
    at = other.host.used_elsewhere["tiny"]
    assert abs(at - (clock.monotonic() - 0.05)) < 0.02
    assert one.host.used_elsewhere == {}, "nobody hears itself"
    posts = wire.posts
    clock.now += 0.1
    one.news.step()
    assert wire.posts == posts, "it is told once"


def test_what_runs_elsewhere_was_used_until_it_was_last_heard_of() -> None:
    clock, _, one, other = scene()
    one.host.in_flight["m"] = 1
    for _ in range(50):
        clock.now += 0.1
        one.news.step()
        other.news.step()
    assert other.host.is_wanted("m")
    last = clock.monotonic()
    clock.now += 7.0
    other.news.step()
    assert not other.host.is_wanted("m"), "whoever is silent is forgotten"
    used = other.host.last_used("m")
    assert used is not None and last - 2.1 < used <= last


def test_who_comes_later_hears_everything_soon() -> None:
    clock, wire, one, _ = scene()
    one.host.used["m"] = clock.monotonic()
    one.news.step()
    late = Process("late", wire, clock)
    clock.now += EVERYTHING_SECONDS
    one.news.step()
    assert late.host.last_used("m") is not None
    assert abs((late.host.last_used("m") or 0.0) - (clock.monotonic() - EVERYTHING_SECONDS)) < 0.2


def test_what_is_no_news_is_passed_over() -> None:
    _, wire, _, other = scene()
    for said in (b"", b"{", b"[]", b'{"process":"x","hosts":[["http://gpu1:11434",{},{},{"m":"soon"}]]}'):
        wire.post("hosts", said)
    wire.post("hosts", b'{"process":"old","hosts":[["http://gpu1:11434",{"m":1},{}]]}')
    assert other.host.is_wanted("m"), "one that does not tell it yet is understood"
