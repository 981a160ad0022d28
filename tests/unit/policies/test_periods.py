"""Writing limits down also writes down when their periods end; a new window begins empty."""

from __future__ import annotations

import pytest

from pointsman.core.errors import Malformed
from pointsman.policies.durations import next_reset
from pointsman.policies.periods import schedule
from pointsman.stores.directory.ports import Account, Meter
from pointsman.stores.directory.records import BudgetWindow, Limits, ModelLimits
from pointsman.stores.memory.database import MemoryDatabase
from pointsman.stores.memory.spend import MemorySpendStore

NOW = 1_700_000_000.0


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


async def test_every_period_of_an_account_is_scheduled(database: MemoryDatabase) -> None:
    spend = MemorySpendStore(database)
    limits = Limits(
        max_budget=5,
        budget_duration="1d",
        budget_limits=(BudgetWindow(duration="1h", max_budget=2),),
        model_limits={"m": ModelLimits(max_budget=3, duration="7d"), "n": ModelLimits(max_budget=3)},
    )
    await schedule(spend, "team", "t", limits, NOW)
    due = {due.meter: (due.duration, due.reset_at) for due in await spend.due(NOW + 40 * 86_400)}
    assert due == {
        Meter("team", "t"): ("1d", next_reset("1d", NOW)),
        Meter("team", "t", window="1h"): ("1h", next_reset("1h", NOW)),
        Meter("team", "t", "m"): ("7d", next_reset("7d", NOW)),
        Meter("team", "t", "n"): ("1d", next_reset("1d", NOW)),
    }


async def test_a_new_window_begins_empty_and_keeps_what_it_has_spent_when_written_again(
    database: MemoryDatabase,
) -> None:
    spend = MemorySpendStore(database)
    database.spend_totals[Account("team", "t")] = 70
    limits = Limits(budget_limits=(BudgetWindow(duration="1h", max_budget=2),))
    await schedule(spend, "team", "t", limits, NOW)
    meter = Meter("team", "t", window="1h")
    assert (await spend.spent([meter]))[meter].amount == 0
    database.spend_totals[Account("team", "t")] = 75
    await schedule(spend, "team", "t", limits, NOW)
    assert (await spend.spent([meter]))[meter].amount == 5


async def test_a_budget_that_loses_its_duration_never_starts_over(database: MemoryDatabase) -> None:
    spend = MemorySpendStore(database)
    await schedule(spend, "team", "t", Limits(max_budget=5, budget_duration="1d"), NOW)
    await schedule(spend, "team", "t", Limits(max_budget=5), NOW)
    assert await spend.due(NOW + 40 * 86_400) == ()


async def test_the_main_budget_of_a_key_is_left_to_the_keys_record(database: MemoryDatabase) -> None:
    spend = MemorySpendStore(database)
    await schedule(spend, "key", "k", Limits(max_budget=5, budget_duration="1d"), NOW)
    assert await spend.due(NOW + 40 * 86_400) == ()


async def test_a_duration_that_is_none_is_refused_before_anything_is_written(database: MemoryDatabase) -> None:
    spend = MemorySpendStore(database)
    limits = Limits(budget_duration="1d", budget_limits=(BudgetWindow(duration="soon", max_budget=2),))
    with pytest.raises(Malformed):
        await schedule(spend, "team", "t", limits, NOW)
    assert await spend.due(NOW + 40 * 86_400) == ()
