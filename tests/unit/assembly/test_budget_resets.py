"""A budget's first end, told when the key is made, and all later ones, set when it is reset, follow one rule."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pointsman.admin.keys.changes import changes_of
from pointsman.admin.keys.requests import GenerateKeyRequest
from pointsman.assembly.backends import SqliteBackend
from pointsman.assembly.storage import Storage
from pointsman.core.identity import KeyRecord
from pointsman.core.outcome import CallRecord
from pointsman.policies.account_book import AccountBook
from pointsman.policies.durations import UTC_MIDNIGHT
from pointsman.stores.directory.ports import Due, Meter
from pointsman.stores.records import changed_record


class SetClock:
    """A clock that stands where it is put."""

    def __init__(self, now: float) -> None:
        self.now = now

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("duration", "ends"),
    [
        ("1d", ["2026-11-25 00:00", "2026-11-26 00:00", "2026-11-27 00:00"]),
        ("7d", ["2026-11-30 00:00", "2026-12-07 00:00", "2026-12-14 00:00"]),
        ("1mo", ["2026-12-01 00:00", "2027-01-01 00:00", "2027-02-01 00:00"]),
        ("6h", ["2026-11-24 12:00", "2026-11-24 18:00", "2026-11-25 00:00"]),
        ("10d", ["2026-12-04 00:00", "2026-12-14 00:00", "2026-12-24 00:00"]),
    ],
)
async def test_making_and_resetting_a_key_follow_one_rule(tmp_path: Path, duration: str, ends: list[str]) -> None:
    clock = SetClock(moment("2026-11-24 08:30"))
    storage = Storage(SqliteBackend(tmp_path / "pointsman.db", clock), tmp_path, 0, clock)
    await storage.open()
    changes, _ = changes_of(GenerateKeyRequest(budget_duration=duration, max_budget=1.0), {}, clock.now, UTC_MIDNIGHT)
    await storage.keys.insert(changed_record(KeyRecord(token="t", key_name="sk-...", spend=5), changes))
    seen = []
    for end in ends:
        record = await storage.keys.get("t")
        assert record is not None
        seen.append(record.budget_reset_at)
        clock.now = moment(end) + 0.7
        await storage.periods.begin()
    await storage.close()
    assert seen == [moment(end) for end in ends]


async def test_what_is_spent_in_a_period_counts_in_it_however_late_the_period_is_begun_anew(tmp_path: Path) -> None:
    clock = SetClock(moment("2026-11-24 08:30"))
    storage = Storage(SqliteBackend(tmp_path / "pointsman.db", clock), tmp_path, 0, clock)
    await storage.open()
    storage.accounts = storage.periods.accounts = AccountBook(storage.directory, storage.spend, clock=clock)
    changes, _ = changes_of(GenerateKeyRequest(budget_duration="1d", max_budget=1.0), {}, clock.now, UTC_MIDNIGHT)
    await storage.keys.insert(changed_record(KeyRecord(token="t", key_name="sk-..."), changes))
    team = Meter("team", "core")
    await storage.spend.schedule(team, "1d", moment("2026-11-25 00:00"))
    spent = 0
    for number, ended in enumerate(("2026-11-24 23:59", "2026-11-25 00:00", "2026-11-25 00:01")):
        clock.now = moment(ended)
        storage.spool.append(
            CallRecord(
                str(number), "chat", "/v1/chat/completions", clock.now - 1, clock.now, key_token="t", team_id="core",
                cost=10**number,
            )
        )  # fmt: skip
        if number != 1:
            await storage.flush()  # what was spent on both sides of the end is brought over at once
        spent += 10**number
    record = await storage.keys.get("t")
    assert record is not None
    assert (record.spend, record.budget_reset_at) == (110, moment("2026-11-26 00:00"))
    found = (await storage.spend.spent([team]))[team]
    assert (found.amount, found.total, found.reset_at) == (110, spent, moment("2026-11-26 00:00"))
    await storage.close()


async def test_the_store_is_asked_once_a_second_what_is_over_by_whoever_wants_to_know(tmp_path: Path) -> None:
    clock = SetClock(moment("2026-11-24 08:30"))
    storage = Storage(SqliteBackend(tmp_path / "pointsman.db", clock), tmp_path, 0, clock)
    await storage.open()
    storage.accounts = storage.periods.accounts = AccountBook(storage.directory, storage.spend, clock=clock)
    await storage.spend.schedule(Meter("team", "core"), "1d", moment("2026-11-25 00:00"))
    asked: list[float] = []
    ask = storage.spend.due

    async def asking(now: float, limit: int = 1000) -> tuple[Due, ...]:
        asked.append(now)
        return await ask(now, limit)

    storage.spend.due = asking  # type: ignore[method-assign]
    for now in ("2026-11-24 23:59:59", "2026-11-25 00:00:00", "2026-11-25 00:00:01"):
        clock.now = moment(now)
        ended = await storage.periods.over_at()
        assert ended == (clock.now if now == "2026-11-25 00:00:00" else None)
        await storage.periods.begin()
        assert await storage.periods.over_at() is None
    assert asked == [moment("2026-11-24 23:59:59"), moment("2026-11-25 00:00:00"), moment("2026-11-25 00:00:01")]
    await storage.close()
