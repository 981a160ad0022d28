"""A key is bound by everybody it belongs to; each of these is one account, however many keys share it."""

from __future__ import annotations

import gc

import msgspec
import pytest

from pointsman.core.errors import BudgetExceeded, Forbidden, LimitReached, StorageUnavailable
from pointsman.core.identity import KeyRecord, token_of
from pointsman.core.outcome import CallRecord
from pointsman.core.rules import RoutingRules
from pointsman.core.upstream import Ask
from pointsman.policies.access import demand_access, may_use
from pointsman.policies.account_book import AccountBook
from pointsman.policies.admission import Admission, AdmissionSettings
from pointsman.policies.durations import ResetClock
from pointsman.policies.general_limits import NO_GENERAL_LIMITS, GeneralLimits
from pointsman.policies.keyring import Keyring
from pointsman.policies.principal import Principal
from pointsman.stores.directory.kinds import (
    ACCESS_GROUPS,
    BUDGETS,
    CUSTOMERS,
    ORGANIZATION_MEMBERS,
    ORGANIZATIONS,
    PROJECTS,
    TAGS,
    TEAM_MEMBERS,
    TEAMS,
    USERS,
)
from pointsman.stores.directory.ports import Account, Changed, Meter
from pointsman.stores.directory.records import (
    AccessGroup,
    Budget,
    BudgetWindow,
    Customer,
    Limits,
    ModelLimits,
    Organization,
    OrganizationMember,
    Project,
    Tag,
    Team,
    TeamMember,
    User,
    member_id,
)
from pointsman.stores.memory.database import MemoryDatabase
from pointsman.stores.memory.directory import MemoryDirectoryStore
from pointsman.stores.memory.spend import MemorySpendStore
from tests.unit.policies.desk import CENT, FakeClock, FakeSource, ask, deployment, key_record, priced, used


class Desk:
    """A keyring with a directory behind it."""

    def __init__(self, *records: KeyRecord, share: int = 1) -> None:
        self.database = MemoryDatabase()
        self.directory = MemoryDirectoryStore(self.database)
        self.spend = MemorySpendStore(self.database)
        self.clock = FakeClock()
        self.source = FakeSource(*records)
        self.book = AccountBook(self.directory, self.spend, clock=self.clock, share=share)
        self.keyring = Keyring(None, self.source, self.clock, share=share, accounts=self.book)
        self.admission = Admission(AdmissionSettings(), self.book)

    async def key(self, name: str) -> Principal:
        return await self.keyring.find(token_of(name))

    async def call(self, name: str, request: Ask | None = None, cost: int = 0, tokens: int = 10) -> None:
        """A call from its beginning to its end."""
        principal, request = await self.key(name), request or ask()
        if not self.book.knows(principal, request):
            await self.book.learn(principal, request)
        self.book.demand_open(request)
        self.admission.admit(principal, request, priced(), 5).settle(cost, used(tokens), 5)


def member(key: str, **values: object) -> KeyRecord:
    return key_record(key, team_id="t", user_id="u", **values)


async def test_two_keys_of_a_team_share_one_account() -> None:
    desk = Desk(key_record("sk-a", team_id="t"), key_record("sk-b", team_id="t"))
    await desk.directory.insert(TEAMS, Team(team_id="t", alias="crew", limits=Limits(rpm_limit=2)))
    await desk.call("sk-a")
    await desk.call("sk-b")
    with pytest.raises(LimitReached, match=r"for team: crew\. Limit type: requests\. Current limit: 2"):
        await desk.call("sk-a")
    (team,) = (await desk.key("sk-a")).ties.accounts
    assert (await desk.key("sk-b")).ties.accounts == (team,)


@pytest.mark.parametrize("scope", ["team", "user", "member", "organization", "organization_member", "tag"])
async def test_a_budget_of_each_of_them_binds_the_key(scope: str) -> None:
    desk = Desk(key_record("sk-a", team_id=None if scope == "user" else "t", user_id="u", tags=("x",)))
    limits = {name: Limits(max_budget=150 * CENT) if name == scope else Limits() for name in _SCOPES}
    await fill(desk, limits)
    await desk.call("sk-a", cost=149 * CENT)
    await desk.call("sk-a", cost=CENT)
    with pytest.raises(BudgetExceeded) as refused:
        await desk.call("sk-a")
    assert "Current cost: 1.5, Max budget: 1.5" in refused.value.message
    free = desk.admission.admit(await desk.key("sk-a"), ask(), deployment(), 5)
    free.settle(0, used(0), 5)


_SCOPES = ("team", "user", "member", "organization", "organization_member", "tag")


async def fill(desk: Desk, limits: dict[str, Limits]) -> None:
    await desk.directory.insert(TEAMS, Team(team_id="t", organization_id="o", limits=limits["team"]))
    await desk.directory.insert(USERS, User(user_id="u", limits=limits["user"]))
    await desk.directory.insert(TEAM_MEMBERS, TeamMember(team_id="t", user_id="u", limits=limits["member"]))
    await desk.directory.insert(ORGANIZATIONS, Organization(organization_id="o", limits=limits["organization"]))
    belongs = OrganizationMember(organization_id="o", user_id="u", limits=limits["organization_member"])
    await desk.directory.insert(ORGANIZATION_MEMBERS, belongs)
    await desk.directory.insert(TAGS, Tag(name="x", limits=limits["tag"]))


async def test_what_the_store_has_counted_is_taken_over_and_what_waits_for_it_is_not_counted_twice() -> None:
    desk = Desk(member("sk-a"))
    desk.database.spend_totals[Account("team", "t")] = 30 * CENT
    await fill(desk, dict.fromkeys(_SCOPES, Limits()) | {"team": Limits(max_budget=100 * CENT)})
    await desk.call("sk-a", cost=20 * CENT)
    (team,) = (await desk.key("sk-a")).ties.accounts
    assert (team.spent, team.pending) == (50 * CENT, 20 * CENT)
    desk.database.spend_totals[Account("team", "t")] = 55 * CENT
    record = CallRecord(
        "1", "acompletion", "/v1/chat/completions", 0.0, key_token=token_of("sk-a"), team_id="t", user_id="u",
        cost=20 * CENT,
    )  # fmt: skip
    desk.book.stored([record])
    assert desk.book.spent_more(["team/t", "team/none", "user/u"]) == (team,)
    await desk.book.refresh([team])
    assert (team.spent, team.pending) == (55 * CENT, 0)


async def test_a_changed_team_is_in_force_with_the_next_call_and_what_is_counted_stays() -> None:
    desk = Desk(member("sk-a"))
    await fill(desk, dict.fromkeys(_SCOPES, Limits()) | {"team": Limits(rpm_limit=2, max_budget=10 * CENT)})
    await desk.call("sk-a", cost=CENT)
    await desk.directory.update(TEAMS, "t", lambda team: msgspec.structs.replace(team, limits=Limits(rpm_limit=1)))
    desk.keyring.entries_changed((Changed("team", "t"),))
    with pytest.raises(LimitReached, match="Current limit: 1"):
        await desk.call("sk-a")
    await desk.directory.update(TEAMS, "t", lambda team: msgspec.structs.replace(team, blocked=True))
    desk.keyring.entries_changed((Changed("team", "t"),))
    with pytest.raises(Forbidden, match="Team=t is blocked"):
        await desk.call("sk-a")


async def test_a_named_budget_binds_each_holder_by_itself() -> None:
    desk = Desk(key_record("sk-a", team_id="t1"), key_record("sk-b", team_id="t2"))
    await desk.directory.insert(BUDGETS, Budget(budget_id="b", limits=Limits(max_budget=10 * CENT)))
    for name in ("t1", "t2"):
        await desk.directory.insert(TEAMS, Team(team_id=name, budget_id="b"))
    await desk.call("sk-a", cost=10 * CENT)
    with pytest.raises(BudgetExceeded):
        await desk.call("sk-a")
    await desk.call("sk-b", cost=CENT)
    await desk.directory.update(
        BUDGETS, "b", lambda budget: msgspec.structs.replace(budget, limits=Limits(max_budget=20 * CENT))
    )
    desk.keyring.entries_changed((Changed("budget", "b"),))
    await desk.call("sk-a")


async def test_customers_and_keys_may_have_a_named_budget_too() -> None:
    desk = Desk(key_record("sk-a"), key_record("sk-b", extra=msgspec.Raw(b'{"budget_id":"b"}')))
    await desk.directory.insert(BUDGETS, Budget(budget_id="b", limits=Limits(rpm_limit=1)))
    await desk.directory.insert(CUSTOMERS, Customer(customer_id="c", budget_id="b"))
    served = ask()
    served.end_user = "c"
    await desk.call("sk-a", served)
    with pytest.raises(LimitReached, match="end_user: c"):
        await desk.call("sk-a", served)
    await desk.call("sk-b")
    with pytest.raises(LimitReached):
        await desk.call("sk-b")


async def test_a_call_adds_to_the_organisation_of_its_team() -> None:
    desk = Desk(key_record("sk-a", team_id="t"))
    await desk.directory.insert(ORGANIZATIONS, Organization(organization_id="o"))
    await desk.directory.insert(TEAMS, Team(team_id="t", organization_id="o"))
    assert (await desk.key("sk-a")).organization_id == "o"


async def test_members_without_limits_have_the_teams_usual_ones() -> None:
    desk = Desk(member("sk-a"), key_record("sk-b", team_id="t", user_id="v"))
    await desk.directory.insert(TEAMS, Team(team_id="t", member_limits=Limits(rpm_limit=1)))
    await desk.directory.insert(TEAM_MEMBERS, TeamMember(team_id="t", user_id="v", limits=Limits(rpm_limit=2)))
    await desk.call("sk-a")
    with pytest.raises(LimitReached, match="team_member"):
        await desk.call("sk-a")
    await desk.call("sk-b")
    await desk.call("sk-b")


async def test_a_users_budget_binds_the_keys_that_no_team_has_given_and_the_rates_bind_all() -> None:
    desk = Desk(key_record("sk-own", user_id="u"), member("sk-team"))
    await fill(desk, dict.fromkeys(_SCOPES, Limits()) | {"user": Limits(max_budget=CENT, rpm_limit=3)})
    await desk.call("sk-team", cost=CENT)
    with pytest.raises(BudgetExceeded):
        await desk.call("sk-own")
    await desk.call("sk-team")
    desk.book.follow(GeneralLimits(users_of_teams=True))
    desk.keyring.limits_changed()
    with pytest.raises(BudgetExceeded):
        await desk.call("sk-team")


async def test_a_model_of_a_key_has_its_own_budget_and_rates() -> None:
    extra = msgspec.Raw(
        b'{"model_max_budget":{"m":{"budget_limit":0.02,"time_period":"1d"},"other":{"rpm_limit":0}},'
        b'"model_rpm_limit":{"m":3}}'
    )
    desk = Desk(key_record("sk-a", extra=extra))
    await desk.call("sk-a", cost=CENT)
    await desk.call("sk-a", cost=CENT)
    with pytest.raises(BudgetExceeded, match="Model=m"):
        await desk.call("sk-a")
    desk.clock.now += 86_400
    await desk.call("sk-a", cost=CENT)
    with pytest.raises(LimitReached, match="model_per_key"):
        await desk.call("sk-a")


async def test_a_window_of_a_budget_ends_in_memory_as_soon_as_it_is_over() -> None:
    desk = Desk(key_record("sk-a", team_id="t"))
    window = BudgetWindow(duration="1h", max_budget=CENT)
    await desk.directory.insert(TEAMS, Team(team_id="t", limits=Limits(budget_limits=(window,), max_budget=5 * CENT)))
    await desk.call("sk-a", cost=CENT)
    with pytest.raises(BudgetExceeded, match="per 1h"):
        await desk.call("sk-a")
    desk.clock.now += 3600
    await desk.call("sk-a", cost=CENT)
    with pytest.raises(BudgetExceeded, match="per 1h"):
        await desk.call("sk-a")


@pytest.mark.parametrize("carries", [True, False])
async def test_what_was_spent_beyond_a_budget_counts_in_the_next_period_if_it_is_to(carries: bool) -> None:
    desk = Desk(key_record("sk-a", team_id="t"))
    desk.book.follow(NO_GENERAL_LIMITS, ResetClock(carries=carries))
    window = BudgetWindow(duration="1h", max_budget=2 * CENT)
    await desk.directory.insert(TEAMS, Team(team_id="t", limits=Limits(budget_limits=(window,), max_budget=9 * CENT)))
    await desk.call("sk-a", cost=7 * CENT)
    for _ in range(2):
        desk.clock.now += 3600
        if carries:
            with pytest.raises(BudgetExceeded, match="per 1h"):
                await desk.call("sk-a")
        else:
            await desk.call("sk-a")
    desk.clock.now += 3600
    await desk.call("sk-a")


async def test_the_budget_of_each_that_ends_is_known() -> None:
    desk = Desk(key_record("sk-a"))
    desk.book.follow(
        GeneralLimits(accounts={("model", "m"): Limits(max_budget=1)}, customers=Limits(max_budget=6)),
        ResetClock(carries=True),
    )
    named, five = Budget(budget_id="b", limits=Limits(max_budget=7)), Limits(max_budget=5)
    await desk.directory.insert(BUDGETS, named)
    limits = Limits(
        max_budget=5,
        model_limits={"m": ModelLimits(max_budget=2)},
        budget_limits=(BudgetWindow(duration="1h", max_budget=3),),
    )
    await desk.directory.insert(TEAMS, Team(team_id="t", limits=limits, member_limits=Limits(max_budget=4)))
    await desk.directory.insert(TEAM_MEMBERS, TeamMember(team_id="t", user_id="poor"))
    await desk.directory.insert(TEAM_MEMBERS, TeamMember(team_id="t", user_id="rich", budget_id="b"))
    await desk.directory.insert(TEAM_MEMBERS, TeamMember(team_id="gone", user_id="poor"))
    await desk.directory.insert(CUSTOMERS, Customer(customer_id="c", limits=five))
    await desk.directory.insert(CUSTOMERS, Customer(customer_id="usual"))
    await desk.directory.insert(PROJECTS, Project(project_id="p", budget_id="b"))
    expected = {
        Meter("team", "t"): 5, Meter("team", "t", "m"): 2, Meter("team", "t", "", "1h"): 3, Meter("team", "none"): None,
        Meter("member", member_id("t", "poor")): 4, Meter("member", member_id("t", "rich")): 7,
        Meter("customer", "c"): 5, Meter("customer", "usual"): 6, Meter("member", member_id("gone", "poor")): None,
        Meter("project", "p"): 7, Meter("model", "m"): 1, Meter("provider", "x"): None,
    }  # fmt: skip
    assert {meter: await desk.book.most_let_go(meter) for meter in expected} == expected
    of_key = key_record("sk-k", extra=msgspec.Raw(b'{"budget_id":"b"}'))
    assert await desk.book.most_let_go_of_key(of_key) == 7
    desk.book.follow(NO_GENERAL_LIMITS)
    assert await desk.book.most_let_go(Meter("team", "t")) is None


async def test_customers_and_tags_of_a_request_bind_it() -> None:
    desk = Desk(key_record("sk-a"))
    await desk.directory.insert(CUSTOMERS, Customer(customer_id="c", limits=Limits(rpm_limit=1)))
    await desk.directory.insert(CUSTOMERS, Customer(customer_id="bad", blocked=True))
    await desk.directory.insert(TAGS, Tag(name="x", limits=Limits(max_budget=CENT)))
    served = ask()
    served.end_user = "c"
    await desk.call("sk-a", served)
    with pytest.raises(LimitReached, match="for end_user: c"):
        await desk.call("sk-a", served)
    served.end_user = "bad"
    with pytest.raises(Forbidden, match="blocked"):
        await desk.call("sk-a", served)
    tagged = ask()
    tagged.routing = RoutingRules(tags=("x", "y"))
    await desk.call("sk-a", tagged, cost=CENT)
    with pytest.raises(BudgetExceeded, match="Tag=x"):
        await desk.call("sk-a", tagged)
    await desk.call("sk-a")


async def test_a_customer_uses_its_own_models_and_is_served_at_home() -> None:
    desk = Desk(key_record("sk-a"))
    for customer in (
        Customer(customer_id="open", models=("m",)),
        Customer(customer_id="shut", models=("other",)),
        Customer(customer_id="here", allowed_model_region="eu"),
    ):
        await desk.directory.insert(CUSTOMERS, customer)
    served = ask()
    for served.end_user in ("open", "unheard-of"):
        await desk.call("sk-a", served)
    served.end_user = "shut"
    with pytest.raises(Forbidden, match="The customer 'shut' may not use"):
        await desk.call("sk-a", served)
    served.end_user = "here"
    with pytest.raises(Forbidden, match="region 'eu' only"):
        await desk.call("sk-a", served)
    principal, european = await desk.key("sk-a"), msgspec.structs.replace(priced(), region="eu")
    desk.admission.admit(principal, served, european, 5).settle(0, used(10), 5)


async def test_a_customer_without_limits_of_its_own_has_those_that_the_key_brings() -> None:
    desk = Desk(key_record("sk-a", extra=msgspec.Raw(b'{"end_user_budget_id":"b"}')))
    await desk.directory.insert(BUDGETS, Budget(budget_id="b", limits=Limits(rpm_limit=1)))
    await desk.directory.insert(CUSTOMERS, Customer(customer_id="own", limits=Limits(rpm_limit=2)))
    desk.book.follow(GeneralLimits(customers=Limits(rpm_limit=3)))
    served = ask()
    for served.end_user, count in (("own", 2), ("anybody", 1)):
        for _ in range(count):
            await desk.call("sk-a", served)
        with pytest.raises(LimitReached):
            await desk.call("sk-a", served)


async def test_a_call_that_goes_elsewhere_gives_back_what_it_took_of_a_day() -> None:
    desk = Desk(key_record("sk-a"))
    desk.book.follow(GeneralLimits(accounts={("deployment", name): Limits(tpd_limit=500) for name in ("d", "e")}))
    desk.keyring.limits_changed()
    grant = desk.admission.admit(await desk.key("sk-a"), ask(), priced(), 5)
    grant.move(ask(), msgspec.structs.replace(priced(), id="e"))
    left, entered = desk.book.recalled("deployment", "d"), desk.book.recalled("deployment", "e")
    assert left is not None and left.day is not None and entered is not None and entered.day is not None
    assert (left.day.used(5), entered.day.used(5)) == (0, 150)
    grant.settle(0, used(20), 5)
    assert (left.day.used(5), entered.day.used(5)) == (0, 20)


async def test_all_who_are_in_memory_are_served_by_as_many_processes_as_there_are() -> None:
    desk = Desk(key_record("sk-a", team_id="t", rpm_limit=8))
    await desk.directory.insert(TEAMS, Team(team_id="t", limits=Limits(rpm_limit=6)))
    principal = await desk.key("sk-a")
    desk.keyring.share_among(2)
    assert [(one.share, one.rpm) for one in (principal, *principal.ties.accounts)] == [(2, 4), (2, 3)]


async def test_customers_without_limits_have_the_usual_ones() -> None:
    desk = Desk(key_record("sk-a"))
    desk.book.follow(GeneralLimits(customers=Limits(max_budget=CENT)))
    served = ask()
    served.end_user = "anybody"
    await desk.call("sk-a", served, cost=CENT)
    with pytest.raises(BudgetExceeded, match="End user=anybody"):
        await desk.call("sk-a", served)


async def test_models_have_to_be_let_through_by_all() -> None:
    desk = Desk(key_record("sk-a", models=("all-team-models",), team_id="t"), member("sk-b", models=("a", "b", "g")))
    await desk.directory.insert(TEAMS, Team(team_id="t", models=("b", "c"), model_aliases={"short": "b"}))
    await desk.directory.insert(TEAM_MEMBERS, TeamMember(team_id="t", user_id="u", models=("b", "c")))
    await desk.directory.insert(ACCESS_GROUPS, AccessGroup(access_group_id="1", name="g", models=("c",)))
    first, second = await desk.key("sk-a"), await desk.key("sk-b")
    none: frozenset[str] = frozenset()
    assert [may_use(first, name, name, none) for name in "abc"] == [False, True, True]
    assert [may_use(second, name, name, none) for name in "abc"] == [False, True, True]
    assert first.aliases == {"short": "b"}
    with pytest.raises(Forbidden, match="The team 't' may not use the model 'a'") as refused:
        demand_access(second, "a", "a", none)
    assert refused.value.kind == "team_model_access_denied"
    await desk.directory.update(ACCESS_GROUPS, "1", lambda group: msgspec.structs.replace(group, models=("z",)))
    desk.keyring.entries_changed((Changed("access_group", "1"),))
    assert not may_use(await desk.key("sk-b"), "c", "c", none)


async def test_no_default_models_is_nothing_without_a_team() -> None:
    desk = Desk(key_record("sk-a", user_id="u"), member("sk-b"))
    await fill(desk, dict.fromkeys(_SCOPES, Limits()))
    await desk.directory.update(USERS, "u", lambda user: msgspec.structs.replace(user, models=("no-default-models",)))
    assert not may_use(await desk.key("sk-a"), "m", "m", frozenset())
    assert may_use(await desk.key("sk-b"), "m", "m", frozenset())


async def test_a_key_whose_limits_cannot_be_read_is_let_in_nowhere() -> None:
    desk = Desk(key_record("sk-a", extra=msgspec.Raw(b'{"model_rpm_limit":{"m":"many"}}')))
    with pytest.raises(Forbidden, match="cannot be read"):
        await desk.key("sk-a")


async def test_accounts_live_as_long_as_the_keys_that_belong_to_them() -> None:
    desk = Desk(member("sk-a"))
    await fill(desk, dict.fromkeys(_SCOPES, Limits(rpm_limit=5)))
    await desk.key("sk-a")
    assert len(desk.book) == 5
    desk.keyring.changed(token_of("sk-a"), None)
    gc.collect()
    assert len(desk.book) == 0


async def test_a_key_that_is_moved_to_another_team_is_bound_by_that_one_and_keeps_its_counters() -> None:
    record = key_record("sk-a", team_id="t1", rpm_limit=2)
    desk = Desk(record)
    await desk.directory.insert(TEAMS, Team(team_id="t1", limits=Limits(max_budget=0)))
    with pytest.raises(BudgetExceeded):
        await desk.call("sk-a")
    moved = desk.source.records[record.token] = msgspec.structs.replace(record, team_id="t2")
    desk.keyring.changed(record.token, moved)
    await desk.call("sk-a")
    desk.keyring.changed(record.token, msgspec.structs.replace(moved, team_id="t3"))
    await desk.call("sk-a")
    with pytest.raises(LimitReached):
        await desk.call("sk-a")


async def test_a_model_of_a_member_has_its_own_budget() -> None:
    desk = Desk(member("sk-a"))
    limits = Limits(model_limits={"m": ModelLimits(max_budget=CENT)})
    await fill(desk, dict.fromkeys(_SCOPES, Limits()) | {"member": limits})
    await desk.call("sk-a", cost=CENT)
    with pytest.raises(BudgetExceeded, match="Team member=u in t Model=m"):
        await desk.call("sk-a")
    assert desk.book.spent_more([f"member/{member_id('t', 'u')}"])


async def test_a_key_whose_team_has_changed_goes_on_as_before_while_nobody_can_say_what_it_is_now() -> None:
    desk = Desk(member("sk-a"))
    await fill(desk, dict.fromkeys(_SCOPES, Limits()) | {"team": Limits(rpm_limit=2)})
    await desk.call("sk-a")
    desk.keyring.entries_changed((Changed("team", "t"),))

    async def gone(token: str) -> KeyRecord | None:
        raise StorageUnavailable(f"gone: {token}")

    back, desk.source.get = desk.source.get, gone  # type: ignore[method-assign]
    await desk.call("sk-a")
    with pytest.raises(LimitReached, match="Current limit: 2"):
        await desk.call("sk-a")
    desk.source.get = back  # type: ignore[method-assign]
    desk.keyring.entries_changed((Changed("team", "t"),))
    await desk.directory.update(TEAMS, "t", lambda team: msgspec.structs.replace(team, limits=Limits(rpm_limit=3)))
    await desk.call("sk-a")


async def test_limits_of_the_configuration_bind_everybody_and_keep_what_they_have_counted() -> None:
    desk = Desk(key_record("sk-a"), key_record("sk-b"))
    desk.database.spend_totals[Account("global", "")] = 3 * CENT
    assert desk.book.follow(GeneralLimits(accounts={("global", ""): Limits(max_budget=4 * CENT, rpm_limit=9)}))
    await desk.book.catch_up()
    desk.keyring.limits_changed()
    await desk.call("sk-a", cost=CENT)
    with pytest.raises(BudgetExceeded, match="All keys together"):
        await desk.call("sk-b")
    with pytest.raises(BudgetExceeded, match="All keys together"):
        desk.admission.admit(desk.keyring.anonymous, ask(), priced(), 5)
    same = GeneralLimits(accounts={("global", ""): Limits(max_budget=4 * CENT, rpm_limit=9)})
    assert not desk.book.follow(same), "nothing has changed, so that no key need be bound anew"
    assert desk.book.follow(GeneralLimits(accounts={("global", ""): Limits(rpm_limit=2)}))
    desk.keyring.limits_changed()
    await desk.call("sk-b")
    with pytest.raises(LimitReached, match="for global"):
        await desk.call("sk-a")
