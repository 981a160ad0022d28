"""What the sums by day promise, for every backend: whatever is asked of them equals the sum of the calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import date, timedelta
from itertools import combinations_with_replacement
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.core.outcome import CallRecord
from pointsman.core.usage import Usage
from pointsman.stores.activity import (
    EPOCH,
    ActivityQuery,
    ActivityRow,
    Cell,
    Counts,
    Dimension,
    FailureQuery,
    Line,
    line_of,
)
from pointsman.stores.ports import INTEGER_MAX, LedgerStore
from pointsman.stores.postgres import PostgresLedgerStore
from pointsman.stores.tag_users import TagQuery
from tests.stores.conftest import Stores, postgres_at
from tests.stores.samples import DAY, NOON, bare_call, full_call

FIRST = EPOCH + timedelta(days=int(NOON // DAY))
SPAN: dict[str, Any] = {"first_day": FIRST, "last_day": FIRST + timedelta(days=3)}


def told(rows: Iterable[ActivityRow]) -> list[tuple[str, str, int, int]]:
    return [(row.day.isoformat(), row.identity, row.counts.calls, row.counts.spend) for row in rows]


async def test_a_call_is_counted_with_everything_that_it_used(ledger: LedgerStore) -> None:
    await ledger.append([full_call(ended_at=NOON + 2.5)])
    once = {}
    for scope in ("line", "all", "team", "organization", "customer", "project"):
        (row,) = await ledger.activity(ActivityQuery(**SPAN, scope=scope))
        counts = row.counts
        assert (counts.calls, counts.failures, counts.prompt_tokens, counts.completion_tokens) == (1, 1, 100, 50)
        assert (counts.cached_tokens, counts.cache_write_tokens, counts.reasoning_tokens) == (10, 5, 20)
        assert (counts.spend, counts.energy_mwh, counts.energy_cost) == (1234, 9_722, 2_236_060_000)
        assert counts.milliseconds == 2500
        once[scope] = msgspec.structs.asdict(counts)
    await ledger.append([full_call("c2", ended_at=NOON + 2.5), full_call("c3", ended_at=NOON + 2.5)])
    for scope, counted in once.items():
        (row,) = await ledger.activity(msgspec.structs.replace(ActivityQuery(**SPAN), scope=scope))
        assert msgspec.structs.asdict(row.counts) == {name: 3 * count for name, count in counted.items()}


async def test_sums_by_day_stop_at_what_can_be_counted(ledger: LedgerStore) -> None:
    huge = 2**62
    usage = Usage(huge, huge, huge, huge, huge, source="measured")
    for number in range(3):
        spent = {"cost": huge, "energy_mwh": huge, "energy_cost": huge}
        await ledger.append([bare_call(f"c{number}", usage=usage, user_id=f"u{number % 2}", **spent)])
    for query in (ActivityQuery(**SPAN, scope="all"), ActivityQuery(**SPAN, scope="line", by=())):
        (row,) = await ledger.activity(query)
        counts = msgspec.structs.asdict(row.counts)
        assert (counts.pop("calls"), counts.pop("failures"), counts.pop("milliseconds")) == (3, 0, 3000)
        assert set(counts.values()) == {INTEGER_MAX}


async def test_owners_are_told_apart_where_the_scope_knows_them(ledger: LedgerStore) -> None:
    await ledger.append([full_call("c1"), full_call("c2", key_token="t2", tags=("b",))])
    everything: tuple[Dimension, ...] = (
        "identity", "key_token", "user_id", "team_id", "organization_id", "model_group", "model", "provider", "route"
    )  # fmt: skip
    lane = ("gpt-5", "gpt-5-2025", "openai", "/v1/chat/completions")
    first, second = (Line(token, "user-1", "team-1", "org-1", *lane) for token in ("t1", "t2"))

    async def lines(scope: str) -> list[tuple[str, Line]]:
        rows = await ledger.activity(msgspec.convert({**SPAN, "scope": scope, "by": everything}, ActivityQuery))
        return [(row.identity, row.line) for row in rows]

    assert await lines("line") == [("", first), ("", second)]
    assert await lines("tag") == [("a", first), ("b", first), ("b", second)]
    assert await lines("customer") == [("Zoë", first), ("Zoë", second)]
    assert await lines("team") == [("team-1", Line("", "", "", "", *lane))]
    assert await lines("organization") == [("org-1", Line("", "", "", "", *lane))]
    assert await lines("all") == [("", Line("", "", "", "", *lane))]


@pytest.mark.parametrize("scope", ["line", "tag", "customer"])
async def test_however_many_sums_there_are_to_look_for_they_come_to_the_same(
    ledger: LedgerStore, scope: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.append([
        bare_call(
            f"c{n}", started_at=NOON + n % 3 * DAY, key_token=f"k{n % 4}", user_id=f"u{n % 2}", team_id=f"t{n % 3}",
            organization_id=f"o{n % 5}", end_user=f"e{n % 2}", tags=("a", f"b{n % 3}"), cost=n + 1,
        )
        for n in range(60)
    ])  # fmt: skip
    owners: list[dict[str, Any]] = [
        {"key_tokens": ("k1", "k2")}, {"user_id": "u1"}, {"team_ids": ("t1",)}, {"organization_id": "o1"},
        {"team_ids": ("t1",), "organization_id": "o1"}, {"key_tokens": ("k1",), "user_id": "u1", "team_ids": ("t1",)},
    ]  # fmt: skip
    named: list[dict[str, Any]] = [{}] if scope == "line" else [{}, {"identities": ("a", "b1", "e1")}]
    queries = [
        ActivityQuery(**SPAN, scope=scope, by=("day", "identity", "key_token"), **owner, **names)
        for owner in owners for names in named
    ]  # fmt: skip
    one_by_one = [await ledger.activity(query) for query in queries]
    assert all(one_by_one)
    for backend in ("sqlite", "postgres"):
        monkeypatch.setattr(f"pointsman.stores.{backend}.activity.LOOKED_FOR_MAX", 0)
    monkeypatch.setattr("pointsman.stores.postgres.activity._SOON_FOUND", 0)
    assert [await ledger.activity(query) for query in queries] == one_by_one


async def test_models_that_no_deployment_served_are_not_named(ledger: LedgerStore) -> None:
    await ledger.append([bare_call(deployment_id="", model_group="made up", model="made up")])
    (row,) = await ledger.activity(ActivityQuery(**SPAN, by=("model_group", "model")))
    assert (row.line.model_group, row.line.model) == ("", "")


async def test_only_the_days_asked_for_count(ledger: LedgerStore) -> None:
    await ledger.append([bare_call(f"c{n}", started_at=NOON + n * DAY, team_id="t", cost=1 << n) for n in range(5)])
    for changes in ({"scope": "all"}, {"scope": "line", "team_ids": ("t",)}, {"scope": "team", "identities": ("t",)}):
        query = msgspec.structs.replace(ActivityQuery(**SPAN), **changes)
        assert [row.counts.spend for row in await ledger.activity(query)] == [1, 2, 4, 8]
        one = msgspec.structs.replace(query, first_day=FIRST + timedelta(days=2), last_day=FIRST + timedelta(days=2))
        assert [row.counts.spend for row in await ledger.activity(one)] == [4]
        none = msgspec.structs.replace(query, first_day=date(2001, 1, 1), last_day=date(2001, 2, 1))
        assert await ledger.activity(none) == ()


async def test_a_span_of_centuries_costs_nothing(ledger: LedgerStore) -> None:
    await ledger.append([bare_call(key_token="k", cost=3)])
    forever = ActivityQuery(first_day=date(1, 1, 1), last_day=date(9999, 12, 31), scope="line", key_tokens=("k",))
    assert told(await ledger.activity(forever)) == [(FIRST.isoformat(), "", 1, 3)]


async def test_filters_hold_together(ledger: LedgerStore) -> None:
    await ledger.append([
        bare_call("c1", key_token="k1", user_id="u1", team_id="t1", organization_id="o1", model="a", cost=1),
        bare_call("c2", key_token="k2", user_id="u1", team_id="t2", model="b", cost=2),
        bare_call("c3", key_token="k3", user_id="u2", team_id="t2", organization_id="o1", model="a", cost=4),
        bare_call("c4", key_token="k4", model="a", cost=8),
    ])  # fmt: skip
    of_lines = ActivityQuery(**SPAN, scope="line", by=())

    async def spent(**changes: Any) -> int:
        rows = await ledger.activity(msgspec.structs.replace(of_lines, **changes))
        return sum(row.counts.spend for row in rows)

    assert await spent() == 15
    assert await spent(key_tokens=("k1", "k4", "nobody")) == 9
    assert await spent(user_id="u1") == 3
    assert await spent(team_ids=("t2",)) == 6
    assert await spent(organization_id="o1") == 5
    assert await spent(organization_id="o1", team_ids=("t2",)) == 7, "either of them"
    assert await spent(user_id="u1", team_ids=("t2",)) == 2
    assert await spent(model="a") == 13
    assert await spent(key_tokens=("k1", "k2"), user_id="u1", team_ids=("t2",)) == 2
    assert await spent(key_tokens=("k2", "k3", "k4"), model="a") == 12
    assert await spent(key_tokens=("k1", "k2"), organization_id="o1") == 1
    assert await spent(user_id="u1", model="b") == 2
    assert await spent(team_ids=("t2",), model="a") == 4
    assert await spent(user_id="u2", organization_id="o1") == 4
    assert await spent(key_tokens=("k1",), user_id="u2") == 0
    assert await spent(key_tokens=(), model="a") == 0
    in_teams = ActivityQuery(**SPAN, scope="team", by=("identity",))
    assert told(await ledger.activity(msgspec.structs.replace(in_teams, but_not=("t1",)))) == [
        ("1970-01-01", "", 1, 8),
        ("1970-01-01", "t2", 2, 6),
    ]


async def test_the_greatest_come_first_and_pages_go_on(ledger: LedgerStore) -> None:
    await ledger.append([bare_call(f"c{n}", tags=(f"tag{n}",), cost=n % 3) for n in range(6)])
    query = ActivityQuery(**SPAN, scope="tag", by=("identity",), order="spend", limit=2)
    found = [row.identity for row in await ledger.activity(query)]
    found += [row.identity for row in await ledger.activity(msgspec.structs.replace(query, offset=2, limit=9))]
    assert found == ["tag2", "tag5", "tag1", "tag4", "tag0", "tag3"]
    ranked = await ledger.ranked("tag", SPAN["first_day"], SPAN["last_day"], 3)
    assert [(one.identity, one.calls, one.spend) for one in ranked] == [("tag2", 1, 2), ("tag5", 1, 2), ("tag1", 1, 1)]


async def test_users_of_a_tag_are_counted_once(ledger: LedgerStore) -> None:
    await ledger.append([
        bare_call("c1", key_token="k1", user_id="u1", tags=("User-Agent: x", "b")),
        bare_call("c2", key_token="k2", user_id="u1", tags=("User-Agent: x",), started_at=NOON + DAY),
        bare_call("c3", key_token="k3", user_id="u2", tags=("User-Agent: x",)),
        bare_call("c4", key_token="k4", tags=("b",), cost=5),
    ])  # fmt: skip
    query = TagQuery(**SPAN)
    assert await ledger.tag_users(query) == ((("User-Agent: x", 2), ("b", 1)), True)
    assert (await ledger.tag_users(msgspec.structs.replace(query, containing="AGENT"))).tags == (("User-Agent: x", 2),)
    assert (await ledger.tag_users(msgspec.structs.replace(query, tags=("b", "c")))).tags == (("b", 1),)
    assert (await ledger.tag_users(msgspec.structs.replace(query, limit=1))).tags == (("User-Agent: x", 2),)
    assert await ledger.catch_up(9) == 0
    page = await ledger.users_of_tags(query)
    assert page == ((("u1", "User-Agent: x", 3, 0, 0, 0), ("u2", "User-Agent: x", 1, 0, 0, 0)), 2, True)
    beyond = await ledger.users_of_tags(msgspec.structs.replace(query, offset=7, tags=("b",)))
    assert beyond == ((), 1, True)


async def test_failures_are_counted_by_host_and_status(ledger: LedgerStore) -> None:
    base = "https://user:pw@one.example/v1"
    await ledger.append([
        bare_call("c1", status="failure", http_status=429, api_base=base, cost=1),
        bare_call("c2", status="failure", http_status=429, api_base=base + "?key=x", cost=1),
        bare_call("c3", status="failure", http_status=429, api_base="https://two.example", started_at=NOON + DAY),
        bare_call("c4", status="failure", http_status=500, api_base=base),
        bare_call("c5", api_base=base),
        bare_call("c6", status="failure", http_status=429, deployment_id="", model_group="m"),
    ])  # fmt: skip
    await ledger.append([
        bare_call("c7", status="failure", http_status=429, api_base=base),
        bare_call("c8", status="failure", http_status=429, api_base=base, model_group="another"),
        bare_call("c9", status="failure", http_status=429, api_base=base, started_at=NOON - DAY),
        bare_call("c10", status="failure", http_status=429, api_base=base, started_at=NOON + 4 * DAY),
    ])  # fmt: skip
    found = await ledger.failed_calls(FailureQuery(**SPAN, model_group="m", http_status=429))
    assert found == ((FIRST, "https://one.example", 3), (FIRST + timedelta(days=1), "https://two.example", 1))


names = st.sampled_from(["", "a", "b", "ü"])
calls = st.builds(
    lambda **fields: fields,
    started_at=st.integers(0, 4).map(lambda day: NOON + day * DAY),
    key_token=names,
    user_id=names.map(lambda name: name or None),
    team_id=names.map(lambda name: name or None),
    organization_id=names.map(lambda name: name or None),
    end_user=names.map(lambda name: name or None),
    model_group=names,
    model=names,
    provider=names,
    status=st.sampled_from(["success", "failure", "cancelled"]),
    cost=st.integers(0, 10**6) | st.just(2**62),
    usage=st.builds(Usage, prompt=st.integers(0, 99), completion=st.integers(0, 99), cached=st.integers(0, 9)),
    tags=st.lists(names.filter(bool), max_size=2).map(tuple),
)


def expected(records: list[CallRecord], query: ActivityQuery) -> dict[tuple[str, str, Line], tuple[int, int, int]]:
    """The same from the calls themselves."""
    sums: dict[tuple[str, str, Line], tuple[int, int, int]] = {}
    for record in records:
        day = EPOCH + timedelta(days=int(record.started_at // DAY))
        line = line_of(record)
        identities = {
            "line": [""], "all": [""], "team": [line.team_id],
            "organization": [line.organization_id] if line.organization_id else [],
            "customer": [record.end_user] if record.end_user else [], "tag": sorted(set(record.tags)),
        }[query.scope]  # fmt: skip
        owned = query.scope in {"line", "customer", "tag"}
        line = line if owned else Line("", "", "", "", *line[4:])
        named = Line(*(getattr(line, name) if name in query.by else "" for name in Line._fields))
        if not query.first_day <= day <= query.last_day or (query.model not in {None, line.model, line.model_group}):
            continue
        if owned and query.user_id not in {None, line.user_id}:
            continue
        for identity in identities:
            at = (day.isoformat() if "day" in query.by else "1970-01-01", identity or "", named)
            count, spend, prompt = sums.get(at, (0, 0, 0))
            sums[at] = (count + 1, min(spend + record.cost, 2**63 - 1), prompt + record.usage.prompt)
    return sums


async def demand_right_users(ledger: LedgerStore, records: list[CallRecord]) -> None:
    """Whatever the order in which calls of several days came."""
    for first, last in combinations_with_replacement(range(5), 2):
        users: dict[str, set[str]] = {}
        for record in records:
            if record.user_id and NOON + first * DAY <= record.started_at <= NOON + last * DAY:
                for tag in record.tags:
                    users.setdefault(tag, set()).add(record.user_id)
        query = TagQuery(first_day=FIRST + timedelta(days=first), last_day=FIRST + timedelta(days=last))
        found = await ledger.tag_users(query)
        every = await ledger.users_of_tags(query)
        assert ({one.user_id for one in every.users}, every.is_whole) == (set().union(*users.values()), True), query
        second = await ledger.users_of_tags(msgspec.structs.replace(query, offset=1, limit=1))
        assert second == (every.users[1:2], len(every.users), True)
        assert dict(found.tags) == {tag: len(its) for tag, its in users.items()}, query


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(calls, max_size=6), max_size=5),
    st.sampled_from(["line", "all", "team", "organization", "customer", "tag"]),
    st.sets(st.sampled_from(["day", "key_token", "user_id", "team_id", "model_group", "model", "provider"])),
    st.sampled_from([None, "a"]),
    st.sampled_from([None, "b"]),
)
def test_sums_equal_the_calls(
    stores_of_example: Callable[[Callable[[Stores], Awaitable[None]]], None],
    batches: list[list[dict[str, Any]]],
    scope: str,
    by: set[str],
    model: str | None,
    user_id: str | None,
) -> None:
    records = [
        [bare_call(f"{number}-{index}", **fields) for index, fields in enumerate(batch)]
        for number, batch in enumerate(batches)
    ]
    owned = scope in {"line", "customer", "tag"}
    query = msgspec.convert(
        {
            **SPAN,
            "scope": scope,
            "by": (*sorted(by), "identity"),
            "model": model,
            "user_id": user_id if owned else None,
        },
        ActivityQuery,
    )

    async def work(stores: Stores) -> None:
        for batch in records:
            await stores.ledger.append(batch)
        rows = await stores.ledger.activity(query)
        found = {
            (row.day.isoformat(), row.identity, row.line): (
                row.counts.calls, row.counts.spend, row.counts.prompt_tokens
            )
            for row in rows
        }  # fmt: skip
        assert len(found) == len(rows)
        assert found == expected([record for batch in records for record in batch], query)
        if scope == "tag":
            await demand_right_users(stores.ledger, [record for batch in records for record in batch])

    stores_of_example(work)


@pytest.mark.parametrize("count", [1, 40])
async def test_lines_are_known_again_by_another_process(ledger: LedgerStore, count: int) -> None:
    for number in range(count):
        await ledger.append([bare_call(f"c{number}", key_token=f"k{number % 7}", cost=1)])
    rows = await ledger.activity(ActivityQuery(**SPAN, scope="line", by=("key_token",)))
    assert sum(row.counts.spend for row in rows) == count


async def test_replicas_that_add_up_at_once_lose_nothing(postgres_url: str) -> None:
    databases = [postgres_at(postgres_url, connections=2) for _ in range(3)]
    for database in databases:
        await database.open()
    ledgers = [PostgresLedgerStore(database) for database in databases]

    async def append(replica: int, batch: int) -> None:
        order = range(40) if replica % 2 else reversed(range(40))
        calls = [bare_call(f"{replica}-{batch}-{n}", key_token=f"k{n}", tags=(f"tag{n % 3}",), cost=1) for n in order]
        assert (await ledgers[replica].append(calls)).calls == 40

    await asyncio.gather(*(append(replica, batch) for batch in range(4) for replica in range(3)))
    for scope, by in (("line", "key_token"), ("tag", "identity"), ("all", "day")):
        query = msgspec.convert({**SPAN, "scope": scope, "by": (by,)}, ActivityQuery)
        assert sum(row.counts.spend for row in await ledgers[0].activity(query)) == 480
    assert await ledgers[1].lines(1000) == 41, "each once, and the one without owners"
    for database in databases:
        await database.close()


async def test_sums_of_another_gateway_are_set_and_not_added(ledger: LedgerStore) -> None:
    await ledger.append([full_call()])
    day = (FIRST - EPOCH).days
    line = Line("t1", "user-1", route="litellm:/chat/completions")
    sums = {
        Cell(day, "line", "", line): Counts(calls=3, failures=1, spend=700, milliseconds=9),
        Cell(day, "all", "", Line(route="litellm:/chat/completions")): Counts(calls=3, failures=1, spend=700),
        Cell(day, "tag", "Zoë", line): Counts(calls=1, spend=50),
    }
    for changed in (3, 0):
        assert await ledger.set_activity(day, "litellm:", sums) == changed
    sums[Cell(day, "tag", "Zoë", line)].spend = 60
    assert await ledger.set_activity(day, "litellm:", sums) == 1
    # Another line in its place: what was told by the former goes.
    moved = {Cell(day, "line", "", line._replace(team_id="red")): sums[Cell(day, "line", "", line)]}
    assert await ledger.set_activity(day, "litellm:", moved) == 2
    following = {Cell(day + 1, scope, "", line): Counts(calls=1) for scope in ("line", "all")}
    assert await ledger.set_activity(day + 1, "litellm:", following) == 2
    lines = await ledger.activity(ActivityQuery(**SPAN, scope="line", by=("day", "team_id")))
    assert [(row.line.team_id, row.counts.calls) for row in lines] == [("red", 3), ("team-1", 1), ("", 1)]
    rows = await ledger.activity(ActivityQuery(**SPAN, by=("day", "route")))
    assert [(row.line.route, row.counts.spend) for row in rows] == [
        ("/v1/chat/completions", 1234), ("litellm:/chat/completions", 700), ("litellm:/chat/completions", 0),
    ]  # fmt: skip
    tags = await ledger.activity(ActivityQuery(**SPAN, scope="tag", identities=("Zoë",)))
    assert told(tags) == [(FIRST.isoformat(), "", 1, 60)]
    totals = await ledger.totals()
    assert (totals.calls, totals.failures, totals.spend) == (5, 2, 1934)
    # The gateway goes on counting its own calls.
    await ledger.append([full_call("c2")])
    assert (await ledger.totals()).calls == 6


async def test_users_go_with_the_sums_that_told_of_them(ledger: LedgerStore) -> None:
    first = (FIRST - EPOCH).days

    def sums(day: int, *users: str) -> dict[Cell, Counts]:
        return {
            Cell(day, "tag", "web", Line(f"k-{user}", user, model=model, route="litellm:/chat")): Counts(calls=1)
            for user in users for model in ("a", "b")
        }  # fmt: skip

    async def users(since: int, until: int) -> int:
        days: dict[str, Any] = {"first_day": FIRST + timedelta(days=since), "last_day": FIRST + timedelta(days=until)}
        found = await ledger.tag_users(TagQuery(**days))
        return dict(found.tags).get("web", 0)

    await ledger.append([bare_call("own", started_at=NOON, user_id="u4", tags=("web",))])
    for day in range(3):
        await ledger.set_activity(first + day, "litellm:", sums(first + day, "u1", "u2", "u3", "u4"))
    assert [await users(day, day) for day in range(3)] == [4, 4, 4]
    kept = sums(first + 1, "u1", "u3")
    kept.popitem()  # one of a user's two lines
    await ledger.set_activity(first + 1, "litellm:", kept)
    await ledger.set_activity(first, "litellm:", sums(first, "u3"))
    assert [await users(day, day) for day in range(3)] == [2, 2, 4], "u4 was here as well"
    assert [await users(0, 1), await users(1, 2), await users(0, 2)] == [3, 4, 4]
    await ledger.set_activity(first + 1, "litellm:", sums(first + 1, "u2"))
    assert [await users(0, 1), await users(1, 1), await users(1, 2)] == [3, 1, 4]


async def test_sums_of_another_gateway_are_set_whole(ledger: LedgerStore) -> None:
    day = (FIRST - EPOCH).days
    cell = Cell(day, "all", "", Line(route="litellm:/chat/completions"))
    for factor in (1, 2, 0):
        counts = Counts(*(factor * number for number in range(1, 12)))
        assert await ledger.set_activity(day, "litellm:", {cell: counts}) == 1
        (row,) = await ledger.activity(ActivityQuery(**SPAN, scope="all", by=()))
        assert row.counts == counts
