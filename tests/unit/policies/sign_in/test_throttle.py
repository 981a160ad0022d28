from __future__ import annotations

import pytest

from pointsman.core.errors import LimitReached
from pointsman.policies.sign_in import throttle as throttle_module
from pointsman.policies.sign_in.throttle import Throttle, ThrottleSettings
from tests.unit.admin.office_desk import SetClock

SETTINGS = ThrottleSettings(per_pair=3, per_address=5, per_account=8, window_seconds=100, block_seconds=50)


def waits(throttle: Throttle, account: str, address: str) -> bool:
    try:
        throttle.demand_patience(account, address)
    except LimitReached as refused:
        return (refused.retry_after or 0.0) > 0
    return False


def wrong(throttle: Throttle, account: str, address: str, times: int) -> None:
    for _ in range(times):
        throttle.failed(account, address)


def test_who_is_wrong_too_often_waits_and_may_then_try_again() -> None:
    clock = SetClock()
    throttle = Throttle(SETTINGS, clock)
    wrong(throttle, "Ann", "192.0.2.1", 2)
    assert not waits(throttle, "ann", "192.0.2.1")
    wrong(throttle, "ann", "192.0.2.1", 1)
    assert waits(throttle, "ANN", "192.0.2.1")
    assert not waits(throttle, "ann", "192.0.2.2")
    assert not waits(throttle, "bob", "192.0.2.1")
    clock.now += 51
    assert not waits(throttle, "ann", "192.0.2.1")


def test_failures_are_forgotten_with_their_window_and_with_success() -> None:
    clock = SetClock()
    throttle = Throttle(SETTINGS, clock)
    wrong(throttle, "ann", "192.0.2.1", 2)
    clock.now += 101
    wrong(throttle, "ann", "192.0.2.1", 2)
    assert not waits(throttle, "ann", "192.0.2.1")
    throttle.succeeded("ann", "192.0.2.1")
    wrong(throttle, "ann", "192.0.2.1", 2)
    assert not waits(throttle, "ann", "192.0.2.1")


def test_an_address_that_tries_many_accounts_waits_for_all() -> None:
    throttle = Throttle(SETTINGS, SetClock())
    for number in range(5):
        wrong(throttle, f"user-{number}", "192.0.2.1", 1)
    assert waits(throttle, "somebody-else", "192.0.2.1")


def test_a_house_has_many_addresses_of_ipv6_and_counts_as_one() -> None:
    throttle = Throttle(SETTINGS, SetClock())
    for number in range(5):
        wrong(throttle, f"user-{number}", f"2001:db8:1:2::{number}", 1)
    assert waits(throttle, "x", "2001:db8:1:2:ffff::1")
    assert not waits(throttle, "x", "2001:db8:1:3::1")


def test_many_addresses_slow_an_account_down_for_all_but_its_owner() -> None:
    throttle = Throttle(SETTINGS, SetClock())
    throttle.succeeded("ann", "198.51.100.1")
    for number in range(8):
        wrong(throttle, "ann", f"192.0.2.{number}", 1)
    assert waits(throttle, "ann", "203.0.113.1")
    assert not waits(throttle, "ann", "198.51.100.1")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle_module, "REMEMBERED_MAX", 30)
    throttle = Throttle(SETTINGS, SetClock())
    for number in range(100):
        wrong(throttle, f"user-{number}", f"192.0.2.{number % 250}", 1)
        throttle.succeeded(f"user-{number}", f"192.0.2.{number % 250}")
    assert len(throttle) <= 30


def test_who_was_right_is_not_counted_as_wrong() -> None:
    throttle = Throttle(SETTINGS, SetClock())
    for number in range(50):
        wrong(throttle, f"user-{number}", "192.0.2.1", 1)
        throttle.succeeded(f"user-{number}", "192.0.2.1")
    assert not waits(throttle, "x", "192.0.2.1")
