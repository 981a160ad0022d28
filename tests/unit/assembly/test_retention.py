"""Calls that are older than wanted go, in small steps and now and then; their sums stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.assembly.retention import Retention, RetentionRule, retention_rule
from pointsman.config.load import load
from pointsman.core.errors import Misconfigured, StorageUnavailable
from pointsman.stores.memory import MemoryDatabase, MemoryLedgerStore
from pointsman.stores.ports import LedgerQuery
from tests.stores.samples import DAY, NOON, bare_call
from tests.unit.admin.office_desk import SetClock


class Steps(MemoryLedgerStore):
    def __init__(self) -> None:
        super().__init__(MemoryDatabase())
        self.steps: list[int] = []
        self.down = False

    async def prune(self, before: float, limit: int) -> int:
        if self.down:
            raise StorageUnavailable("The database is locked.")
        self.steps.append(await super().prune(before, limit))
        return self.steps[-1]


@pytest.fixture
def clock() -> SetClock:
    clock = SetClock()
    clock.now = NOON + 10 * DAY
    return clock


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.assembly.retention._PAUSE_SECONDS", 0.0)


async def test_old_calls_go_in_small_steps_and_sums_stay(clock: SetClock) -> None:
    ledger = Steps()
    await ledger.append([bare_call(f"c{n}", started_at=NOON + n * DAY / 100, cost=1) for n in range(1001)])
    retention = Retention(ledger, lambda: RetentionRule(age_seconds=2 * DAY), clock)
    assert await retention.look() == 800
    assert ledger.steps == [500, 300, 0]
    assert len(await ledger.find(LedgerQuery(limit=5000))) == 201
    assert (await ledger.totals()).spend == 1001


async def test_steps_are_smaller_where_they_take_long(clock: SetClock) -> None:
    class Slow(Steps):
        async def prune(self, before: float, limit: int) -> int:
            clock.now += limit * seconds
            return await super().prune(before, limit)

    ledger, seconds = Slow(), 0.0005
    retention = Retention(ledger, lambda: RetentionRule(age_seconds=2 * DAY, interval_seconds=0.0), clock)
    await ledger.append([bare_call(f"c{n}", started_at=NOON + n) for n in range(1000)])
    assert await retention.look() == 1000
    assert ledger.steps == [500, 250, 125, 62, 50, 13, 0]
    ledger.steps.clear()
    seconds = 0.0
    await ledger.append([bare_call(f"d{n}", started_at=NOON + n) for n in range(1000)])
    assert await retention.look() == 1000
    assert max(ledger.steps) > 250


async def test_it_is_done_again_after_the_interval_and_not_before(clock: SetClock) -> None:
    ledger = Steps()
    retention = Retention(ledger, lambda: RetentionRule(age_seconds=DAY, interval_seconds=3600.0), clock)
    await retention.look()
    clock.now += 3599
    await retention.look()
    assert len(ledger.steps) == 1
    clock.now += 1
    await retention.look()
    assert len(ledger.steps) == 2


async def test_without_a_rule_nothing_is_removed(clock: SetClock) -> None:
    ledger = Steps()
    await ledger.append([bare_call()])
    assert await Retention(ledger, RetentionRule, clock).look() == 0
    assert ledger.steps == []


async def test_a_database_that_is_down_is_tried_again_soon(clock: SetClock) -> None:
    ledger = Steps()
    await ledger.append([bare_call()])
    ledger.down = True
    retention = Retention(ledger, lambda: RetentionRule(age_seconds=DAY), clock)
    assert await retention.look() == 0
    ledger.down = False
    assert await retention.look() == 1


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ("{}", RetentionRule()),
        ("{maximum_spend_logs_retention_period: 7d}", RetentionRule(7 * DAY, DAY)),
        (
            "{maximum_spend_logs_retention_period: 1mo, maximum_spend_logs_retention_interval: 12h}",
            RetentionRule(30 * DAY, DAY / 2),
        ),
        (
            "{maximum_spend_logs_retention_period: 1d, maximum_spend_logs_retention_interval: 3600}",
            RetentionRule(DAY, 3600.0),
        ),
    ],
)
def test_the_configuration_says_how_long(tmp_path: Path, lines: str, rule: RetentionRule) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"model_list: []\ngeneral_settings: {lines}\n")
    assert retention_rule(load(path, {})) == rule


def test_what_is_no_duration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("model_list: []\ngeneral_settings: {maximum_spend_logs_retention_period: soon}\n")
    with pytest.raises(Misconfigured, match="must be a duration"):
        retention_rule(load(path, {}))
