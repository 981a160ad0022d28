"""What routers tell one another."""

from __future__ import annotations

from pointsman.routing.rests import Hearer, Rest
from pointsman.routing.router import Router
from pointsman.routing.settings import RoutingSettings
from pointsman.wire.upstream_errors import upstream_failure
from tests.unit.policies.desk import FakeClock
from tests.unit.routing.recovery_script import deployment, member, pool_of, router


class SharedRests:
    """The routers of one process tell one another."""

    def __init__(self) -> None:
        self._hearers: list[Hearer] = []

    def join(self, hearer: Hearer) -> None:
        self._hearers.append(hearer)

    def tell(self, rest: Rest, teller: Hearer) -> None:
        for hearer in self._hearers:
            if hearer != teller:
                hearer(rest)


def joined(settings: RoutingSettings | None = None) -> tuple[Router, Router, FakeClock]:
    board, clock = SharedRests(), FakeClock()
    one, two = (router(deployment("a"), deployment("b"), settings=settings) for _ in range(2))
    for each in (one, two):
        pool_of(each)
        each.share_rests(board, clock)
    return one, two, clock


def test_what_one_found_out_the_other_knows() -> None:
    one, two, clock = joined()
    one.failed(member(one, "a"), upstream_failure(429, "no"), clock.now, clock.now)
    assert member(two, "a").live.rests_until == member(one, "a").live.rests_until
    assert member(two, "b").live.state(clock.now) == "closed"


def test_it_counts_from_when_it_is_heard_and_the_later_end_counts() -> None:
    one, two, clock = joined()
    two.failed(member(two, "a"), upstream_failure(429, "no"), clock.now, clock.now)
    clock.now += 2
    one.failed(member(one, "a"), upstream_failure(429, "no"), clock.now, clock.now)
    assert member(two, "a").live.rests_until == clock.now + 5


def test_where_nobody_is_to_rest_nobody_is_heard() -> None:
    one, two, clock = joined()
    two.settings = RoutingSettings(cools_down=False)
    one.failed(member(one, "a"), upstream_failure(429, "no"), clock.now, clock.now)
    assert member(two, "a").live.state(clock.now) == "closed"


def test_a_deployment_that_only_one_has_troubles_nobody() -> None:
    board, clock = SharedRests(), FakeClock()
    one, two = router(deployment("a"), deployment("b")), router(deployment("b"))
    for each in (one, two):
        pool_of(each)
        each.share_rests(board, clock)
    one.failed(member(one, "a"), upstream_failure(429, "no"), clock.now, clock.now)
    assert two.lives.known("a") is None


def test_who_has_not_been_asked_yet_can_be_told_to_rest() -> None:
    one, two, clock = joined()
    two.lives = Router(two.table).lives
    one.failed(member(one, "a"), upstream_failure(429, "no"), clock.now, clock.now)
    known = two.lives.known("a")
    assert known is not None and known.state(clock.now) == "open"
