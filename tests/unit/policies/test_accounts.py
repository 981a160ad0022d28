"""One account: what of its budget is gone, by what it did itself and by what the store says."""

from __future__ import annotations

import pytest

from pointsman.policies.accounts import Account, Calendar
from pointsman.policies.durations import ResetClock
from pointsman.stores.directory.ports import Meter, Spent
from pointsman.stores.directory.records import BudgetWindow, Limits, ModelLimits
from tests.unit.policies.desk import FakeClock

HOUR = 3_600.0
TEAM, WINDOW = Meter("team", "t"), Meter("team", "t", "", "1h")


def account_of(limits: Limits) -> Account:
    account = Account("team", "t")
    account.adopt_limits(limits)
    return account


def test_the_store_says_what_was_spent_and_may_yet_have_to_begin_a_period_that_has_begun_here() -> None:
    clock = FakeClock()
    calendar, end = Calendar(clock), clock.wall() + HOUR
    window = BudgetWindow(duration="1h", max_budget=10)
    account = account_of(Limits(max_budget=10, budget_duration="1h", budget_limits=(window,)))
    account.settle(1)
    account.refresh({TEAM: Spent(8, 0, end), WINDOW: Spent(7, 0, end)})
    assert (account.spent, account.held, account.held_of(account.windows[0])) == (9, 9, 8)
    assert not account.is_gone(calendar) and account.window_gone(calendar) is None
    account.refresh({TEAM: Spent(10, 0, end), WINDOW: Spent(9, 0, end)})
    assert account.is_gone(calendar) and account.window_gone(calendar) is account.windows[0]
    clock.now += HOUR
    assert not account.is_gone(calendar) and account.window_gone(calendar) is None
    account.stored(1)
    account.refresh({TEAM: Spent(11, 0, end), WINDOW: Spent(10, 0, end)})
    assert (account.spent, account.windows[0].spent) == (0, 0), "that period is over"
    account.refresh({TEAM: Spent(2, 0, end + HOUR), WINDOW: Spent(3, 0, end + HOUR)})
    assert (account.spent, account.windows[0].spent) == (2, 3)


def test_a_budget_without_a_period_never_starts_over() -> None:
    clock = FakeClock()
    account = account_of(Limits(max_budget=10, budget_limits=(BudgetWindow(duration="1h", max_budget=5),)))
    account.refresh({TEAM: Spent(10), WINDOW: Spent(5)})
    clock.now += 100 * HOUR
    assert account.is_gone(Calendar(clock)) and account.window_gone(Calendar(clock)) is account.windows[0]


@pytest.mark.parametrize(("spent", "gone"), [(19, False), (20, True)])
def test_what_is_carried_on_may_use_up_the_next_period(spent: int, gone: bool) -> None:
    clock = FakeClock()
    calendar, end = Calendar(clock, ResetClock(carries=True)), clock.wall() + HOUR
    window = BudgetWindow(duration="1h", max_budget=10)
    account = account_of(Limits(max_budget=10, budget_duration="1h", budget_limits=(window,)))
    account.refresh({TEAM: Spent(spent, 0, end), WINDOW: Spent(spent, 0, end)})
    clock.now += HOUR
    assert account.is_gone(calendar) is gone
    assert (account.window_gone(calendar) is not None) is gone


def test_a_budget_may_be_raised_for_a_time() -> None:
    clock = FakeClock()
    until = clock.wall() + HOUR
    account = account_of(Limits(max_budget=10, temp_budget_increase=5, temp_budget_expiry=until))
    account.settle(12)
    assert not account.is_gone(Calendar(clock))
    clock.now += HOUR - 1
    assert not account.is_gone(Calendar(clock))
    clock.now += 1
    assert account.is_gone(Calendar(clock))


def test_who_has_something_under_way_is_not_idle() -> None:
    account = account_of(Limits(model_limits={"m": ModelLimits(max_budget=5)}))
    states = [account.is_idle]
    account.models["m"].in_flight += 1
    states.append(account.is_idle)
    account.models["m"].in_flight -= 1
    account.settle(1)
    states.append(account.is_idle)
    account.stored(1)
    assert [*states, account.is_idle] == [True, False, False, True]


def test_who_is_to_be_told_of_a_budget_is_its_owner() -> None:
    owners = [Account(scope, "x").parties() for scope in ("user", "team", "organization", "customer")]
    assert owners == [("x", None, None), (None, "x", None), (None, None, "x"), (None, None, None)]
