"""Second requests are rare whatever happens, and come when an answer is late by its own measure."""

from __future__ import annotations

import pytest

from pointsman.routing.hedging import Hedging


def taken(hedging: Hedging) -> bool:
    may = hedging.may()
    if may:
        hedging.take()
    return may


def test_no_more_second_requests_than_their_share() -> None:
    hedging = Hedging(0.1, 0.05)
    sent = 0
    for _ in range(1_000):
        hedging.asked()
        sent += taken(hedging)
    assert sent == 50


def test_a_quiet_time_saves_up_only_a_few() -> None:
    hedging = Hedging(0.1, 0.5)
    for _ in range(10_000):
        hedging.asked()
    assert sum(taken(hedging) for _ in range(100)) == 10


def test_the_first_request_has_no_second_one() -> None:
    hedging = Hedging(0.1, 0.05)
    hedging.asked()
    assert not hedging.may()


def test_what_the_operator_says_holds_at_once() -> None:
    assert Hedging(0.25, 0.05).patience(stream=True) == 0.25


def test_patience_is_what_nearly_all_answers_took() -> None:
    hedging = Hedging(None, 0.05)
    for number in range(1, 20):
        hedging.began(number / 10, stream=True)
    assert hedging.patience(stream=True) is None, "too little is known"
    for number in range(20, 101):
        hedging.began(number / 10, stream=True)
    assert hedging.patience(stream=True) == pytest.approx(9.5, abs=0.5)
    assert hedging.patience(stream=False) is None, "whole answers are another matter"


def test_old_answers_are_forgotten() -> None:
    hedging = Hedging(None, 0.05)
    for seconds in [9.0] * 200 + [0.1] * 128:
        hedging.began(seconds, stream=False)
        hedging.patience(stream=False)
    assert hedging.patience(stream=False) == 0.1
