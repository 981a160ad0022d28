"""Every account that a call was made for is charged, once, and periods start over without losing a call."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.ports import Account, Changed, DirectoryStore, Due, Meter, SpendStore, Spent
from pointsman.stores.directory.records import Team, member_id
from pointsman.stores.ports import INTEGER_MAX, KeyQuery, KeyStore, LedgerStore
from tests.stores.conftest import Stores
from tests.stores.samples import bare_call, bare_key, full_call

TEAM = Meter("team", "team-1")


async def test_a_call_charges_all_its_accounts_once(
    ledger: LedgerStore, spend: SpendStore, directory: DirectoryStore
) -> None:
    member, belonging = member_id("team-1", "user-1"), member_id("org-1", "user-1")
    accounts = {
        Account("team", "team-1"), Account("team", "team-1", "gpt-5"), Account("user", "user-1"),
        Account("user", "user-1", "gpt-5"), Account("member", member), Account("member", member, "gpt-5"),
        Account("organization", "org-1"), Account("organization", "org-1", "gpt-5"), Account("key", "t1", "gpt-5"),
        Account("tag", "a"), Account("tag", "b"), Account("customer", "Zoë"), Account("model", "gpt-5"),
        Account("deployment", "d1"), Account("key", "t1"), Account("provider", "openai"), Account("global", ""),
        Account("organization_member", belonging), Account("project", "p-1"), Account("project", "p-1", "gpt-5"),
        Account("model_group", "g-1"),
    }  # fmt: skip
    appended = await ledger.append([full_call("c1"), full_call("c2", cost=6, end_user=None)])
    assert set(appended.accounts) == accounts
    await ledger.append([full_call("c1")])
    spent = await spend.spent([Meter(*account) for account in accounts])
    assert {meter.scope: one.amount for meter, one in spent.items() if meter.scope != "customer"} == dict.fromkeys(
        {account.scope for account in accounts if account.scope != "customer"}, 1240
    )
    assert spent[Meter("customer", "Zoë")] == Spent(1234)
    version, changed = await directory.changed_since(0)
    assert version
    assert {one.identity for one in changed} == {f"{account.scope}/{account.identity}" for account in accounts}


async def test_nobody_pays_for_another(ledger: LedgerStore, spend: SpendStore) -> None:
    other = {"team_id": "team-1", "model_group": "other", "model_requested": "other", "cost": 50}
    await ledger.append([full_call("c1"), bare_call("c2", **other), bare_call("c3", team_id="team-2", cost=9)])
    charged = {
        TEAM: 1284, Meter("team", "team-1", "gpt-5"): 1234, Meter("team", "team-1", "other"): 50,
        Meter("team", "team-2"): 9,
    }  # fmt: skip
    assert {meter: one.amount for meter, one in (await spend.spent(tuple(charged))).items()} == charged
    for asked in (tuple(charged), tuple(reversed(charged))):
        assert tuple(await spend.spent(asked)) == asked
    neighbours = [
        Meter("team", "team-1", "gpt-5"), Meter("team", "team-1", "", "1h"), Meter("team", "team-1", "gpt-5", "1h"),
        Meter("team", "team-2"), Meter("user", "team-1"),
    ]  # fmt: skip
    for number, meter in enumerate((TEAM, *neighbours)):
        await spend.set_amount(meter, 1000 * number)
        await spend.schedule(meter, "1d", 100.0 + number)
    for number, meter in enumerate((TEAM, *neighbours)):
        found = await spend.spent([meter, Meter("team", "nobody")])
        assert (found[meter].amount, found[meter].reset_at) == (1000 * number, 100.0 + number)
        assert found[Meter("team", "nobody")] == Spent()
    assert [due.meter for due in await spend.due(103.0)] == [TEAM, *neighbours[:3]]
    assert [due.meter for due in await spend.due(103.0, 2)] == [TEAM, neighbours[0]]
    for meter in (TEAM, *neighbours):
        before = await spend.spent([TEAM, *neighbours])
        assert await spend.reset(meter, 200.0, 300.0)
        after = await spend.spent([TEAM, *neighbours])
        assert after[meter].amount == 0
        assert {one: after[one] for one in after if one != meter} == {
            one: before[one] for one in before if one != meter
        }
    await spend.forget("team", "team-1")
    left = await spend.spent([TEAM, *neighbours])
    assert [meter for meter, one in left.items() if one.reset_at is not None] == neighbours[3:]


async def test_a_period_that_is_no_more_starts_over_never(ledger: LedgerStore, spend: SpendStore) -> None:
    await ledger.append([full_call("c1")])
    await spend.schedule(TEAM, "1d", 100.0)
    assert await spend.schedule(TEAM, "7d", 200.0) == Spent(1234, 0, 200.0)
    assert await spend.due(199.0) == ()
    assert await spend.due(200.0) == (Due(TEAM, "7d", 200.0),)
    assert (await spend.schedule(TEAM, None, None)).reset_at is None
    assert await spend.due(1000.0) == ()
    assert not await spend.reset(TEAM, 1000.0, 2000.0)
    await spend.schedule(TEAM, None, 100.0)
    assert await spend.due(1000.0) == ()


async def test_sums_stop_at_what_can_be_counted(ledger: LedgerStore, keys: KeyStore, spend: SpendStore) -> None:
    await keys.insert(bare_key("t1", spend=INTEGER_MAX - 10))
    await keys.insert(bare_key("t2", spend=INTEGER_MAX - 10))
    await keys.delete(["t2"], 1.0)
    for call in ("c1", "c2", "c3"):
        for token in ("t1", "t2"):
            await ledger.append(
                [bare_call(f"{call}-{token}", key_token=token, team_id="team-1", cost=INTEGER_MAX // 2)]
            )
    assert (await spend.spent([TEAM]))[TEAM].amount == INTEGER_MAX
    record = await keys.get("t1")
    assert record is not None and record.spend == INTEGER_MAX
    (removed,) = (await keys.find(KeyQuery(status="deleted"))).records
    assert removed.spend == INTEGER_MAX


async def test_a_call_that_cost_nothing_charges_nobody_and_one_that_reached_nothing_all_keys_together(
    ledger: LedgerStore, spend: SpendStore
) -> None:
    appended = await ledger.append([bare_call("c1", team_id="team-1"), bare_call("c2", deployment_id="", cost=3)])
    assert appended.accounts == {Account("global", ""): 3}
    assert await spend.spent([TEAM]) == {TEAM: Spent()}


async def test_a_period_starts_over_once(ledger: LedgerStore, spend: SpendStore) -> None:
    await ledger.append([full_call("c1")])
    assert await spend.schedule(TEAM, "1d", 100.0) == Spent(1234, 0, 100.0)
    assert await spend.due(99.9) == ()
    assert await spend.due(100.0) == (Due(TEAM, "1d", 100.0),)
    assert not await spend.reset(TEAM, 99.9, 200.0)
    assert await spend.reset(TEAM, 100.0, 200.0)
    assert not await spend.reset(TEAM, 100.0, 200.0)
    await ledger.append([full_call("c2", cost=7)])
    window = Meter("team", "team-1", "", "1h")
    spent = await spend.spent([TEAM, window])
    assert spent[TEAM].amount == 7
    assert spent[TEAM].reset_at == 200.0
    assert spent[window].amount == 1241


@pytest.mark.parametrize(("at_most", "left"), [(None, 0), (234, 1000), (1234, 0), (5000, 0), (0, 1234)])
async def test_what_was_spent_beyond_a_budget_can_be_carried_on(
    ledger: LedgerStore, spend: SpendStore, at_most: int | None, left: int
) -> None:
    await ledger.append([full_call("c1")])
    await spend.schedule(TEAM, "1d", 100.0)
    assert await spend.reset(TEAM, 100.0, 200.0, at_most)
    assert (await spend.spent([TEAM]))[TEAM].amount == left
    await ledger.append([full_call("c2", cost=7)])
    assert (await spend.spent([TEAM]))[TEAM].amount == left + 7


@pytest.mark.parametrize("amount", [0, 1000, 5000])
async def test_what_was_spent_can_be_set(ledger: LedgerStore, spend: SpendStore, amount: int) -> None:
    await ledger.append([full_call("c1")])
    await spend.schedule(TEAM, "1d", 100.0)
    assert (await spend.set_amount(TEAM, amount)).amount == amount
    await ledger.append([full_call("c2", cost=7)])
    assert (await spend.spent([TEAM]))[TEAM].amount == amount + 7
    assert (await spend.spent([TEAM]))[TEAM].reset_at == 100.0


async def test_periods_of_an_account_can_be_forgotten(ledger: LedgerStore, spend: SpendStore) -> None:
    await ledger.append([full_call("c1")])
    await spend.schedule(TEAM, "1d", 100.0)
    await spend.set_amount(TEAM, 5)
    await spend.forget("team", "team-1")
    assert await spend.due(1000.0) == ()
    assert await spend.spent([TEAM]) == {TEAM: Spent(1234)}


async def test_who_spent_is_told_once_for_each_that_asks(ledger: LedgerStore, directory: DirectoryStore) -> None:
    await directory.insert(TEAMS, Team(team_id="team-1"))
    start = await directory.version()
    await ledger.append([full_call("c1"), bare_call("c2", cost=3)])
    await directory.update(TEAMS, "team-1", lambda team: msgspec.structs.replace(team, alias="A"))
    await ledger.append([full_call("c3")])
    version, changed = await directory.changed_since(start)
    assert version == await directory.version()
    assert len(changed) == len(set(changed))
    assert Changed("team", "team-1") in changed
    assert Changed("spend", "team/team-1") in changed
    assert Changed("spend", "key/t1") in changed
    assert Changed("spend", "") not in changed
    assert await directory.changed_since(version) == (version, ())
    await ledger.append([bare_call("c4", cost=3), bare_call("c5", team_id="team-2")])
    later, changed = await directory.changed_since(version)
    assert later > version
    assert set(changed) == {Changed("spend", name) for name in ("global/", "model/m", "deployment/d1")}


async def test_what_the_calls_of_a_replaced_key_cost_is_told_of_its_successor(
    keys: KeyStore, ledger: LedgerStore, directory: DirectoryStore
) -> None:
    await keys.insert(bare_key("t1"))
    await keys.rotate("t1", bare_key("t2"))
    await keys.rotate("t2", bare_key("t3"))
    await ledger.append([bare_call("c1", key_token="t1", cost=3)])
    _, changed = await directory.changed_since(0)
    assert Changed("spend", "key/t3") in changed
    record = await keys.get("t3")
    assert record is not None and record.spend == 3


@pytest.mark.parametrize("stores", ["sqlite", "postgres"], indirect=True)
async def test_who_has_not_asked_for_long_is_told_that_anybody_may_have_spent(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stores.ledger.append([bare_call("c1", cost=3, team_id="team-1")])
    attentive, _ = await stores.directory.changed_since(0)
    for module in ("pointsman.stores.sqlite.ledger", "pointsman.stores.postgres.charging"):
        monkeypatch.setattr(f"{module}.NEWS_SECONDS", -1.0)
    await stores.ledger.append([bare_call("c2", cost=3, team_id="team-2")])
    _, changed = await stores.directory.changed_since(attentive)
    assert Changed("spend", "") not in changed and Changed("spend", "team/team-2") in changed
    await stores.ledger.append([bare_call("c3", cost=3, team_id="team-3")])
    _, changed = await stores.directory.changed_since(attentive)
    assert Changed("spend", "") in changed and Changed("spend", "team/team-3") in changed
