"""What upstreams say they have left is read from a few answers a second, behind the requests' backs."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pointsman.lifecycle.remaining import Remaining, RemainingWatch


class Later:
    """What is to be called, in its order."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, seconds: float, call: Callable[[], None]) -> None:
        assert seconds == 1.0
        self.waiting.append(call)

    def pass_a_second(self) -> None:
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call()


class Sender:
    """Sends nothing; ``flights`` are what it was asked for."""

    def __init__(self) -> None:
        self.flights: list[Any] = []

    def send(self, _deployment: Any, _outbound: Any, *, stream: bool) -> Any:
        flight = SimpleNamespace(status=0, headers=(), stream=stream)
        self.flights.append(flight)
        return flight


def _house(sender: Sender) -> Any:
    return SimpleNamespace(sender=sender)


class Stage:
    """A house with a sender, and the watch in front of it."""

    def __init__(self) -> None:
        self.later, self.sender = Later(), Sender()
        self.house = _house(self.sender)
        self.watch: Any = RemainingWatch(self.house, self.later)
        self.watch.follow(self.sender)

    def call(self, deployment_id: str = "d", *headers: tuple[bytes, bytes]) -> Any:
        flight = self.house.sender.send(SimpleNamespace(id=deployment_id), None, stream=False)
        if headers:
            flight.status, flight.headers = 200, headers
        return flight


def test_what_an_answer_says_is_known_a_second_later() -> None:
    stage = Stage()
    stage.call("d", (b"x-ratelimit-remaining-requests", b"59"), (b"x-ratelimit-remaining-tokens", b"9000"))
    stage.call("claude", (b"anthropic-ratelimit-tokens-remaining", b"70"))
    stage.call("silent", (b"content-type", b"x"))
    stage.call("odd", (b"x-ratelimit-remaining-requests", b"many"), (b"x-ratelimit-remaining-tokens", b"9" * 40))
    assert stage.watch.of("d") == Remaining()
    stage.later.pass_a_second()
    assert stage.watch.of("d") == Remaining(59, 9000)
    assert stage.watch.of("claude") == Remaining(None, 70)
    assert stage.watch.of("silent") == stage.watch.of("odd") == stage.watch.of("nobody") == Remaining()
    assert not stage.later.waiting


def test_after_a_handful_of_requests_nobody_is_in_the_way_for_a_second() -> None:
    stage = Stage()
    for _ in range(16):
        assert stage.house.sender is stage.watch
        stage.call("d", (b"x-ratelimit-remaining-requests", b"1"))
    assert stage.house.sender is stage.sender
    assert len(stage.later.waiting) == 1
    stage.later.pass_a_second()
    assert stage.house.sender is stage.watch


def test_an_answer_that_takes_long_is_waited_for_and_one_that_never_comes_is_let_go() -> None:
    stage = Stage()
    slow, lost = stage.call("slow"), stage.call("lost")
    stage.later.pass_a_second()
    slow.status, slow.headers = 200, ((b"x-ratelimit-remaining-requests", b"3"),)
    stage.later.pass_a_second()
    assert stage.watch.of("slow") == Remaining(3, None)
    seconds = 0
    while stage.later.waiting:
        stage.later.pass_a_second()
        seconds += 1
    assert seconds == 29
    assert lost.status == 0


def test_another_sender_comes_behind_the_watch_or_in_its_place_while_it_rests() -> None:
    stage, other = Stage(), Sender()
    stage.watch.follow(other)
    stage.call()
    assert (len(other.flights), len(stage.sender.flights)) == (1, 0)
    for _ in range(15):
        stage.call()
    stage.watch.follow(stage.sender)
    assert stage.house.sender is stage.sender
