"""Limits of all accounts of a call hold for several replicas together, and what a call took is put right at its end."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from pointsman.core.errors import BudgetExceeded, LimitReached, Refused
from pointsman.policies import lease_book
from pointsman.policies.accounts import Account
from pointsman.policies.admission import Admission, AdmissionSettings, Grant
from pointsman.policies.lease_book import LeaseBook
from pointsman.policies.principal import Principal, Ties
from pointsman.policies.sharing import SharedAccounts
from pointsman.stores.directory.records import BudgetWindow, Limits, ModelLimits
from pointsman.stores.memory.shared_limits import MemorySharedLimits, SharedMemory
from pointsman.stores.shared_limits import GATHER_SECONDS
from tests.unit.policies.desk import CENT, FakeClock, ask, deployment, key_record, priced, used

PRICE = 150 * CENT
"""Of the usual request: a cent for each of 150 tokens."""


class Site:
    """One replica, and the key and its team as that knows them."""

    def __init__(
        self, memory: SharedMemory, clock: FakeClock, name: str, *, exact: bool, key: Limits, team: Limits
    ) -> None:
        self.clock = clock
        self.book = LeaseBook(MemorySharedLimits(memory, name), clock, exact=exact, on_turn=lambda: None)
        self.admission = Admission(AdmissionSettings())
        self.shared = self.admission.shared = SharedAccounts(self.book)
        self.team = Account("team", "t")
        self.team.adopt_limits(team)
        record = key_record(
            max_budget=key.max_budget,
            rpm_limit=key.rpm_limit,
            tpm_limit=key.tpm_limit,
            max_parallel_requests=key.max_parallel_requests,
        )
        self.principal = Principal(record)
        self.principal.bind(Ties(accounts=(self.team,)) if team != Limits() else Ties())

    async def call(self, model: str = "d") -> Grant:
        to = msgspec.structs.replace(priced(), id=model, group=model)
        second = int(self.clock.now)
        grant = self.admission.admit(self.principal, ask(), to, second)
        if not self.shared.enter(grant):
            asking = asyncio.get_running_loop().create_task(self.shared.ask(grant, second))
            while not asking.done():
                await asyncio.sleep(0)
                await self.book.step()
            await asking
        return grant

    async def end(self, grant: Grant, cost: int = PRICE, tokens: int = 150) -> None:
        grant.settle(cost, used(tokens), int(self.clock.now))
        await self.book.step()


@pytest.fixture(params=[True, False], ids=["exact", "leased"])
def exact(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(lease_book, "_AGAIN_SECONDS", 0.0)
    return bool(request.param)


async def sites(*, exact: bool, key: Limits | None = None, team: Limits | None = None) -> tuple[Site, Site]:
    clock = FakeClock()
    memory = SharedMemory(clock)
    one, two = (
        Site(memory, clock, name, exact=exact, key=key or Limits(), team=team or Limits()) for name in ("one", "two")
    )
    for _ in range(2):
        for site in (one, two):
            await site.book.step()
        clock.now += GATHER_SECONDS
    for site in (one, two):
        await site.book.step()
        assert site.book.is_open
    return one, two


async def in_turns(one: Site, two: Site, *, ends: bool = False, count: int = 12) -> tuple[int, Refused | None]:
    """How many of so many calls are let in, each at the other replica, and the first refusal."""
    through, refusal = 0, None
    for turn in range(count):
        site = (one, two)[turn % 2]
        try:
            grant = await site.call()
        except Refused as refused:
            refusal = refusal or refused
        else:
            through += 1
            if ends:
                await site.end(grant)
    return through, refusal


RATES = [
    (Limits(rpm_limit=5), "requests"),
    (Limits(tpm_limit=5 * 150 + 100), "tokens"),
    (Limits(max_parallel_requests=5), "max_parallel_requests"),
    (Limits(tpd_limit=5 * 150 + 100), "tokens per day"),
    (Limits(model_limits={"d": ModelLimits(rpm_limit=5)}), "requests"),
    (Limits(itpm_limit=5 * 100 + 50), "tokens"),
    (Limits(model_otpm_limit={"d": 5 * 50 + 25}), "tokens"),
]


@pytest.mark.parametrize(("limits", "kind"), RATES)
async def test_a_rate_of_a_team_holds_for_all_replicas(limits: Limits, kind: str, exact: bool) -> None:
    through, refusal = await in_turns(*await sites(exact=exact, team=limits))
    assert through == 5
    assert isinstance(refusal, LimitReached)
    assert f"Limit type: {kind}" in refusal.message
    assert refusal.retry_after and refusal.retry_after >= 1


@pytest.mark.parametrize("limits", [Limits(rpm_limit=5), Limits(max_parallel_requests=5)])
async def test_a_rate_of_a_key_holds_for_all_replicas(limits: Limits, exact: bool) -> None:
    through, refusal = await in_turns(*await sites(exact=exact, key=limits))
    assert through == 5
    assert isinstance(refusal, LimitReached)


BUDGETS = [
    Limits(max_budget=5 * PRICE),
    Limits(budget_limits=(BudgetWindow(duration="1d", max_budget=5 * PRICE),)),
    Limits(model_limits={"d": ModelLimits(max_budget=5 * PRICE)}),
]


@pytest.mark.parametrize("limits", BUDGETS)
@pytest.mark.parametrize("ends", [True, False])
async def test_a_budget_holds_for_all_replicas(limits: Limits, ends: bool, exact: bool) -> None:
    through, refusal = await in_turns(*await sites(exact=exact, team=limits), ends=ends)
    assert through == 5
    assert isinstance(refusal, BudgetExceeded)
    assert "Team=t" in refusal.message


async def test_a_free_model_is_served_when_the_budget_is_gone(exact: bool) -> None:
    one, two = await sites(exact=exact, team=Limits(max_budget=PRICE))
    await one.end(await one.call())
    with pytest.raises(BudgetExceeded):
        await two.call()
    grant = two.admission.admit(two.principal, ask(), deployment(), int(two.clock.now))
    assert two.shared.enter(grant), "nothing has to be asked"


async def test_a_refusal_takes_nothing_of_any_limit(exact: bool) -> None:
    one, two = await sites(exact=exact, key=Limits(rpm_limit=4), team=Limits(max_parallel_requests=1))
    held = await one.call()
    for _ in range(6):
        with pytest.raises(LimitReached):
            await two.call()
        await two.book.step()
    assert (two.principal.in_flight, two.team.in_flight, two.principal.requests.total) == (0, 0, 0)
    await one.end(held)
    through, _ = await in_turns(one, two, ends=True)
    assert through == 3


async def test_tokens_are_corrected_and_slots_come_back_for_all(exact: bool) -> None:
    one, two = await sites(exact=exact, team=Limits(tpm_limit=400, max_parallel_requests=2))
    for _ in range(4):
        await one.end(await one.call(), tokens=60)
    await two.end(await two.call(), tokens=150)
    with pytest.raises(LimitReached):
        await one.call()


@pytest.mark.parametrize("limits", [Limits(tpm_limit=1000), Limits(max_budget=1000 * CENT)])
async def test_a_prompt_that_turns_out_longer_is_counted_for_all(limits: Limits, exact: bool) -> None:
    one, two = await sites(exact=exact, team=limits)
    grant = await one.call()
    grant.grow(ask(prompt=950), priced())
    await one.book.step()
    with pytest.raises(Refused):
        await two.call()
    await one.end(grant)
    await two.call()


async def test_what_moves_to_another_deployment_is_counted_there(exact: bool) -> None:
    limits = Limits(model_limits={"d": ModelLimits(rpm_limit=1), "e": ModelLimits(rpm_limit=1, max_budget=PRICE)})
    one, two = await sites(exact=exact, team=limits)
    grant = await one.call("d")
    grant.move(ask(), msgspec.structs.replace(priced(), id="e", group="e"))
    await one.book.step()
    with pytest.raises(Refused):
        await two.call("e")
    moved_back = await two.call("d")
    await two.end(moved_back)
    await one.end(grant)


@pytest.mark.parametrize("limits", [Limits(max_parallel_requests=1), Limits(rpm_limit=1), Limits(max_budget=PRICE)])
async def test_what_is_obtained_for_a_call_that_has_ended_goes_back(limits: Limits, exact: bool) -> None:
    one, two = await sites(exact=exact, team=limits)
    second = int(one.clock.now)
    grant = one.admission.admit(one.principal, ask(), priced(), second)
    assert not one.shared.enter(grant)
    asking = asyncio.get_running_loop().create_task(one.shared.ask(grant, second))
    await asyncio.sleep(0)
    grant.withdraw(second)
    await one.book.step()
    await asking
    assert grant.elsewhere is None
    await one.book.step()
    await two.call()


async def test_units_at_hand_are_taken_without_asking_and_count_for_all() -> None:
    one, two = await sites(exact=False, team=Limits(rpm_limit=100, max_parallel_requests=90))
    for _ in range(10):
        await one.end(await one.call())
    one.clock.now += 1
    await one.book.step()
    second = int(one.clock.now)
    held = [one.admission.admit(one.principal, ask(), priced(), second) for _ in range(5)]
    assert all(one.shared.enter(grant) and grant.elsewhere is not None for grant in held)
    await one.book.step()
    through, refusal = await in_turns(two, two, ends=True, count=100)
    assert through <= 85 and isinstance(refusal, LimitReached)


async def test_what_is_counted_without_asking_counts_for_all(exact: bool) -> None:
    one, two = await sites(exact=exact, team=Limits(max_parallel_requests=1))
    grant = one.admission.admit(one.principal, ask(), priced(), int(one.clock.now))
    one.shared.count(grant)
    await one.book.step()
    with pytest.raises(LimitReached):
        await two.call()
    await one.end(grant)
    await two.call()


async def test_names_that_others_see_do_not_tell_which_key_it_is(exact: bool) -> None:
    one, _ = await sites(exact=exact, key=Limits(rpm_limit=5), team=Limits(rpm_limit=5))
    await one.call()
    names = list(one.book._leases)
    assert len(names) == 2
    assert not any(one.principal.record.token in name for name in names)
    assert any(name.startswith("team:t") for name in names)
