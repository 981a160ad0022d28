"""A restart gives nobody a new day: what the ledger knows of it is counted in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from pointsman.core.errors import StorageUnavailable
from pointsman.core.identity import token_of
from pointsman.core.usage import Usage
from pointsman.policies.accounts import Account
from pointsman.policies.day_memory import DayMemory
from pointsman.stores.activity import ActivityQuery, ActivityRow
from pointsman.stores.directory.records import Limits, member_id, member_of
from pointsman.stores.memory.database import MemoryDatabase
from pointsman.stores.memory.ledger import MemoryLedgerStore
from tests.unit.admin.office_desk import call_record
from tests.unit.policies.desk import FakeClock

NOON = datetime(2026, 9, 21, 12, tzinfo=UTC).timestamp()
HOUR = 3600


def clock_at(wall: float) -> FakeClock:
    clock = FakeClock()
    clock.wall = lambda: wall  # type: ignore[method-assign]
    return clock


async def ledger_of(*calls: tuple[float, int]) -> MemoryLedgerStore:
    """Calls of one key, user, team, customer, tag and model, by their time and tokens; half of these are output."""
    ledger = MemoryLedgerStore(MemoryDatabase())
    await ledger.append([
        call_record(
            f"call-{number}", started_at=at, key_token=token_of("sk-a"), user_id="u", team_id="t", organization_id="o",
            end_user="c", tags=("x",), model_group="m",
            usage=Usage(tokens - tokens // 2, tokens // 2, source="measured"),
        )
        for number, (at, tokens) in enumerate(calls)
    ])  # fmt: skip
    return ledger


def limited(scope: str, identity: str, share: int = 1) -> Account:
    account = Account(scope, identity, share=share)
    account.adopt_limits(Limits(tpd_limit=1000))
    return account


@pytest.mark.parametrize(
    ("scope", "identity"),
    [
        ("key", token_of("sk-a")), ("user", "u"), ("team", "t"), ("member", member_id("t", "u")),
        ("organization", "o"), ("organization_member", member_id("o", "u")), ("customer", "c"),
        ("tag", "x"), ("model", "m"), ("global", ""),
    ],
)  # fmt: skip
async def test_each_of_them_has_used_today_what_the_ledger_says(scope: str, identity: str) -> None:
    ledger = await ledger_of((NOON - HOUR, 300), (NOON - 2 * HOUR, 101))
    clock = clock_at(NOON)
    account, other = limited(scope, identity), limited(scope, "1:z/z" if "member" in scope else "somebody else")
    memory = DayMemory(ledger.activity, clock)
    for _ in range(2):  # once for each, however often it is asked
        await memory.recall([account, other])
    second = int(clock.monotonic())
    assert account.day is not None and other.day is not None
    assert account.day.used(second) == 401
    assert other.day.used(second) == (401 if scope == "global" else 0)
    account.day.add(9, second)
    assert account.day.used(second + 24 * HOUR + 301) == 0
    half = limited(scope, identity, share=2)
    await memory.recall([half])
    assert half.day is not None and half.day.used(second) == 201


async def test_of_yesterday_counts_what_is_not_a_day_old() -> None:
    ledger = await ledger_of((NOON - 18 * HOUR, 1000))
    account, clock = limited("key", token_of("sk-a")), clock_at(NOON)
    await DayMemory(ledger.activity, clock).recall([account])
    assert account.day is not None
    second = int(clock.monotonic())
    assert account.day.used(second) == pytest.approx(500, abs=5)
    assert account.day.used(second + 6 * HOUR) == pytest.approx(250, abs=9)
    assert account.day.used(second + 13 * HOUR) == 0


async def test_only_the_tokens_that_count_are_recalled() -> None:
    ledger = await ledger_of((NOON - HOUR, 300))
    account, clock = limited("key", token_of("sk-a")), clock_at(NOON)
    await DayMemory(ledger.activity, clock, lambda: lambda usage: usage.completion).recall([account])
    assert account.day is not None and account.day.used(int(clock.monotonic())) == 150


async def test_while_nobody_can_say_they_begin_anew_and_it_is_made_up_for() -> None:
    ledger = await ledger_of((NOON - HOUR, 300))
    away = [True]

    async def activity(query: ActivityQuery) -> Sequence[ActivityRow]:
        if away:
            raise StorageUnavailable("The database is away.")
        return await ledger.activity(query)

    account, clock = limited("key", token_of("sk-a")), clock_at(NOON)
    memory = DayMemory(activity, clock)
    await memory.recall([account])
    second = int(clock.monotonic())
    assert account.day is not None and account.day.used(second) == 0
    account.day.add(7, second)
    away.clear()
    await memory.recall([account])
    assert account.day.used(second) == 307


async def test_who_has_no_such_limit_is_not_asked_about() -> None:
    async def activity(_query: ActivityQuery) -> Any:
        raise AssertionError

    await DayMemory(activity, clock_at(NOON)).recall([Account("key", "a")])


@pytest.mark.parametrize("pair", [("a", "b"), ("1:a/b", "c/d"), ("", "")])
def test_a_member_is_told_apart_again(pair: tuple[str, str]) -> None:
    assert member_of(member_id(*pair)) == pair
