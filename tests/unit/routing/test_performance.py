from __future__ import annotations

from pointsman.core.price import FREE
from pointsman.core.upstream import Deployment
from pointsman.routing.live import LiveBook
from pointsman.routing.performance import PerformanceBook
from pointsman.routing.router import Router
from pointsman.routing.table import RoutingTable


def deployment(name: str = "d") -> Deployment:
    return Deployment(
        id=name, group="g", provider="openai", model="m", litellm_model="openai/m", api_base="http://h", price=FREE
    )


def test_of_nothing_nothing_is_known() -> None:
    found = PerformanceBook(LiveBook()).of(deployment(), 1.0)
    assert (found.state, found.calls, found.error_rate, found.latency_seconds, found.tokens_per_second) == (
        "healthy", 0, None, None, None,
    )  # fmt: skip


def test_the_record_is_told_in_words() -> None:
    lives = LiveBook()
    live = lives.of(deployment())
    live.succeeded(102.0, 100.0, 100.5, 30)
    live.in_flight = 2
    found = PerformanceBook(lives).of(deployment(), 103.0)
    assert (found.in_flight, found.latency_seconds, found.time_to_first_token_seconds) == (2, 2.0, 0.5)
    assert found.tokens_per_second == 20.0
    live.failed(104.0, "upstream_timeout")
    found = PerformanceBook(lives).of(deployment(), 105.0)
    assert (found.state, found.last_failure, found.error_rate) == ("partial_outage", "upstream_timeout", 0.5)


def test_the_error_rate_is_that_of_the_last_minutes() -> None:
    lives = LiveBook()
    book, live = PerformanceBook(lives), lives.of(deployment())
    for second in range(1000):
        if second < 100:
            live.failed(float(second), "x")
        else:
            live.succeeded(float(second), second - 0.1, float(second), 1)
        book.look(float(second))
        if second == 99:
            assert book.of(deployment(), 99.0).error_rate == 1.0
        if second == 250:
            rate = book.of(deployment(), 250.0).error_rate
            assert rate is not None and 0.35 < rate < 0.45
    assert book.of(deployment(), 1000.0).error_rate == 0.0
    assert book.of(deployment(), 5000.0).error_rate is None


def test_rests_are_counted_by_what_caused_them() -> None:
    lives = LiveBook()
    book, live = PerformanceBook(lives), lives.of(deployment())
    for second in range(60):
        if second in {10, 40}:
            live.failed(float(second), "rate_limited" if second == 10 else "upstream_timeout")
            live.open(float(second), 5.0)
        book.look(float(second))
        state = book.of(deployment(), float(second)).state
        assert (state == "outage") is (10 <= second < 15 or 40 <= second < 45), second
    assert book.of(deployment(), 60.0).rests == {"rate_limited": 1, "upstream_timeout": 1}


def test_what_is_forgotten_by_the_live_book_is_forgotten_here() -> None:
    lives = LiveBook()
    book = PerformanceBook(lives)
    for number in range(3):
        lives.of(deployment(str(number))).failed(1.0, "x")
    book.look(1.0)
    lives._lives.pop("1")
    book.look(2.0)
    assert sorted(book._courses) == ["0", "2"]


def test_who_is_left_out_is_not_chosen_unless_alone() -> None:
    one, other = deployment("one"), deployment("other")
    router = Router(RoutingTable([one, other]))
    router.leave_out(frozenset({"one"}))
    pool = router.pool("g")
    assert pool is not None and [member.deployment.id for member in pool.members] == ["other"]
    router.leave_out(frozenset({"one", "other"}))
    pool = router.pool("g")
    assert pool is not None and len(pool.members) == 2
    router.leave_out(frozenset())
    assert router.pool("g") is not pool
