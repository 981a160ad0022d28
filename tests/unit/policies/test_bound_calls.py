"""However calls begin, move, grow and end: no limit of any account is passed, and at the end nothing is held."""

from __future__ import annotations

from typing import Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.errors import BudgetExceeded, LimitReached
from pointsman.core.price import Price
from pointsman.core.upstream import Deployment
from pointsman.policies.accounts import Account
from pointsman.policies.admission import Admission, AdmissionSettings, Grant
from pointsman.policies.principal import Principal, Ties
from pointsman.stores.directory.records import BudgetWindow, Limits, ModelLimits
from tests.unit.policies.desk import CENT, ask, deployment, key_record, used

SECOND: Final = 1_000

# Of the size of what a call costs (5 to 65 cents) or a few: with more the money would hardly ever be gone.
AMOUNT = st.one_of(st.none(), st.integers(0, 150))
COUNT = st.one_of(st.none(), st.integers(0, 6))
TOKENS = st.one_of(st.none(), st.integers(0, 400))


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    budget, window, model = draw(AMOUNT), draw(AMOUNT), draw(AMOUNT)
    return Limits(
        max_budget=None if budget is None else budget * CENT,
        budget_limits=() if window is None else (BudgetWindow(duration="1d", max_budget=window * CENT),),
        rpm_limit=draw(COUNT),
        tpm_limit=draw(TOKENS),
        tpd_limit=draw(TOKENS),
        itpm_limit=draw(TOKENS),
        model_otpm_limit={} if draw(st.booleans()) else {"m": draw(st.integers(0, 40))},
        max_parallel_requests=draw(COUNT),
        model_limits={} if model is None else {"m": ModelLimits(max_budget=model * CENT, rpm_limit=draw(COUNT))},
    )


STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "begin", "end", "move", "grow"]), st.integers(0, 1), st.integers(0, 60)),
    max_size=40,
)


def places() -> list[Deployment]:
    price = Price(1000 * CENT, 1000 * CENT)
    first = deployment(price, charges=True)
    return [first, msgspec.structs.replace(first, id="other", group="n")]


def principals(team: Limits, key: Limits) -> list[Principal]:
    shared = Account("team", "t")
    shared.adopt_limits(team)
    found = []
    for name in ("sk-a", "sk-b"):
        principal = Principal(
            key_record(name, max_budget=key.max_budget, rpm_limit=key.rpm_limit, tpm_limit=key.tpm_limit)
        )
        principal.bind(Ties(accounts=(shared,), usual=key))
        found.append(principal)
    return found


def everybody(callers: list[Principal]) -> list[Account]:
    accounts: list[Account] = [*callers, *callers[0].ties.accounts]
    accounts = [*accounts, *(its for account in accounts for its in account.models.values())]
    return [*accounts, *(its for account in accounts for its in account.kinds)]


def state(accounts: list[Account]) -> list[tuple[int, ...]]:
    return [
        (
            one.spent, one.reserved, one.in_flight, one.requests.total, one.tokens.total,
            0 if one.day is None else one.day.total, *(window.spent for window in one.windows),
        )
        for one in accounts
    ]  # fmt: skip


def demand_kept(accounts: list[Account], largest: int) -> None:
    for one in accounts:
        if one.budget is not None:
            assert one.spent + one.reserved < one.budget + largest or one.spent + one.reserved == 0
        for window in one.windows:
            assert window.spent + one.reserved < window.budget + largest or window.spent + one.reserved == 0
        assert one.rpm is None or one.requests.total <= one.rpm
        assert one.parallel is None or one.in_flight <= one.parallel
        assert one.in_flight >= 0
        assert one.reserved >= 0


@settings(max_examples=150)
@given(limits(), limits(), STEPS)
def test_no_limit_is_passed_nothing_is_burnt_and_all_is_given_back(
    team: Limits, key: Limits, steps: list[tuple[str, int, int]]
) -> None:
    admission, callers, to = Admission(AdmissionSettings()), principals(team, key), places()
    accounts = everybody(callers)
    running: list[Grant] = []
    largest = grown = 0
    for what, which, size in steps:
        before = state(accounts)
        request = ask(size, 5)
        try:
            if what == "begin":
                running.append(admission.admit(callers[which], request, to[which], SECOND))
            elif what == "move" and running:
                running[0].move(request, to[which])
            elif what == "grow" and running:
                held = running[-1].cost_reserved
                running[-1].grow(request, to[which])
                grown += running[-1].cost_reserved - held  # whoever was let in stays so, however much there is left
            elif what == "end" and running:
                grant = running.pop(0)
                grant.settle(min(size * CENT, grant.cost_reserved), used(0), SECOND)
        except (BudgetExceeded, LimitReached):
            assert state(accounts) == before, "a refusal burns nothing"
        largest = max([largest, *(grant.cost_reserved for grant in running)])
        demand_kept(accounts, largest + grown)
    for grant in running:
        grant.settle(0, used(0), SECOND)
        grant.settle(0, used(0), SECOND)
    assert admission.in_flight == 0
    for one in accounts:
        assert (one.reserved, one.in_flight, one.tokens.total) == (0, 0, 0)
        assert one.day is None or one.day.total == 0


@given(st.lists(st.tuples(st.integers(0, 90_000), st.integers(0, 50), st.booleans()), max_size=40))
def test_a_day_holds_just_what_was_counted_within_it(steps: list[tuple[int, int, bool]]) -> None:
    account = Account("key", "k")
    account.adopt_limits(Limits(tpd_limit=100))
    day, now = account.day, 10**6
    assert day is not None
    counted: list[tuple[int, int]] = []
    for ahead, units, replaces in steps:
        now += ahead
        if replaces and counted:
            then, before = counted.pop(0)
            day.replace(before, then, units, now)
        else:
            day.add(units, now)
        counted.append((now, units))
        within = sum(units for at, units in counted if now - at <= 86_400)
        longer = sum(units for at, units in counted if now - at <= 86_400 + 300)
        assert within <= day.used(now) <= longer
        if day.total >= 100:
            wait = day.seconds_until(1, 100, now)
            assert 1 <= wait <= 86_400 + 300
