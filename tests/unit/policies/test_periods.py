"""Writing limits down also writes down when their periods end; a new window begins empty."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pointsman.core.errors import Malformed
from pointsman.policies.durations import UTC_MIDNIGHT, next_reset
from pointsman.policies.periods import durations_of, mend, schedule
from pointsman.stores.directory.ports import Account, Meter, Spent
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


async def test_a_budget_without_a_period_forgives_nothing_when_it_is_written_again(database: MemoryDatabase) -> None:
    spend = MemorySpendStore(database)
    limits, meter = Limits(model_limits={"m": ModelLimits(max_budget=3)}), Meter("team", "t", "m")
    for total in (2, 3):
        database.spend_totals[Account("team", "t", "m")] = total
        await schedule(spend, "team", "t", limits, NOW)
        assert (await spend.spent([meter]))[meter] == Spent(total)


async def test_periods_that_are_missing_or_end_too_late_are_put_right_and_others_left_alone(
    database: MemoryDatabase,
) -> None:
    spend = MemorySpendStore(database)
    limits = Limits(
        max_budget=5,
        budget_duration="1d",
        budget_limits=(BudgetWindow(duration="1h", max_budget=2), BudgetWindow(duration="30d", max_budget=9)),
        model_limits={"m": ModelLimits(max_budget=3, duration="7d")},
    )
    wanted = durations_of("team", "t", limits)
    main, hourly, monthly, model = (meter for meter, _ in wanted)
    for account in (Account("team", "t"), Account("team", "t", "m")):
        database.spend_totals[account] = 70
    await spend.schedule(monthly, "30d", next_reset("30d", NOW))
    await spend.schedule(model, "30d", next_reset("30d", NOW))
    mended: Mapping[Meter, Spent] = {}
    for _ in range(2):
        mended = await mend(spend, wanted, await spend.spent([meter for meter, _ in wanted]), NOW, UTC_MIDNIGHT)
        assert {meter: (one.amount, one.reset_at) for meter, one in mended.items()} == {
            main: (70, next_reset("1d", NOW)),
            hourly: (0, next_reset("1h", NOW)),
            monthly: (70, next_reset("30d", NOW)),
            model: (70, next_reset("7d", NOW)),
        }
    assert mended == await spend.spent([meter for meter, _ in wanted])
    version = database.entry_version
    await mend(spend, wanted, mended, NOW, UTC_MIDNIGHT)
    await mend(spend, wanted, mended, NOW - 0.5, UTC_MIDNIGHT)
    assert database.entry_version == version, "nothing was to be written"
