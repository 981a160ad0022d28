"""Limits hold however many calls run at once; a refused call takes nothing; an admitted one settles once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import BudgetExceeded, LimitReached
from pointsman.core.price import FREE
from pointsman.policies.accounts import Account
from pointsman.policies.admission import Admission, AdmissionSettings, Grant
from pointsman.policies.principal import Principal, Ties
from pointsman.stores.directory.records import Limits
from tests.unit.policies.desk import CENT, ask, deployment, key_record, priced, used


def counts(admission: Admission, principal: Principal) -> tuple[int, ...]:
    return (
        admission.in_flight,
        principal.in_flight,
        principal.reserved,
        principal.spent,
        principal.pending,
        principal.requests.total,
        principal.tokens.total,
    )


def test_an_unlimited_call_reserves_nothing_but_its_place() -> None:
    admission, principal = Admission(AdmissionSettings()), Principal(key_record())
    grant = admission.admit(principal, ask(), priced(), 5)
    assert counts(admission, principal) == (1, 1, 0, 0, 0, 0, 0)
    grant.settle(3 * CENT, used(200), 6)
    assert counts(admission, principal) == (0, 0, 0, 3 * CENT, 3 * CENT, 0, 0)


def test_a_call_reserves_what_it_may_cost_and_settling_replaces_that_by_what_it_did_cost() -> None:
    admission = Admission(AdmissionSettings())
    principal = Principal(key_record(max_budget=1000 * CENT, tpm_limit=10_000, rpm_limit=10))
    grant = admission.admit(principal, ask(prompt=100, limit=50, choices=2), priced(1, 2), 5)
    assert grant.cost_reserved == (100 + 2 * 100) * CENT
    assert counts(admission, principal) == (1, 1, 300 * CENT, 0, 0, 1, 200)
    grant.settle(120 * CENT, used(110), 30)
    assert counts(admission, principal) == (0, 0, 0, 120 * CENT, 120 * CENT, 1, 110)


def test_who_drains_lets_nobody_in_and_takes_nothing() -> None:
    admission, principal = Admission(AdmissionSettings()), Principal(key_record(rpm_limit=10))
    admission.draining = True
    with pytest.raises(LimitReached) as refused:
        admission.admit(principal, ask(), priced(), 5)
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (503, "shutting_down", 1.0)
    assert counts(admission, principal) == (0, 0, 0, 0, 0, 0, 0)


def test_settling_a_second_time_does_nothing() -> None:
    admission = Admission(AdmissionSettings())
    principal = Principal(key_record(max_budget=1000 * CENT, tpm_limit=10_000, rpm_limit=10))
    grant = admission.admit(principal, ask(), priced(), 5)
    grant.settle(7 * CENT, used(9), 6)
    before = counts(admission, principal)
    grant.settle(7 * CENT, used(9), 6)
    assert counts(admission, principal) == before == (0, 0, 0, 7 * CENT, 7 * CENT, 1, 9)


def test_what_a_call_used_counts_from_its_end_and_its_reserve_is_gone() -> None:
    admission, principal = Admission(AdmissionSettings()), Principal(key_record(tpm_limit=1000))
    grant = admission.admit(principal, ask(prompt=300, limit=100), deployment(FREE), 100)
    grant.settle(0, used(50), 150)
    assert principal.tokens.used(161) == 50
    assert principal.tokens.used(210) == 50
    assert principal.tokens.used(211) == 0


@pytest.mark.parametrize(
    ("limits", "settings"),
    [
        ({"rpm_limit": 1}, {}),
        ({"tpm_limit": 200}, {}),
        ({"max_parallel_requests": 1}, {}),
        ({}, {"parallel_per_key": 1}),
        ({}, {"parallel_overall": 1}),
        ({"max_budget": 100 * CENT}, {}),
    ],
)
def test_a_refused_call_takes_nothing(limits: dict[str, int], settings: dict[str, Any]) -> None:
    admission = Admission(AdmissionSettings(**settings))
    principal = Principal(key_record(**limits))
    admission.admit(principal, ask(), priced(), 5)
    before = counts(admission, principal)
    for _ in range(3):
        with pytest.raises((LimitReached, BudgetExceeded)):
            admission.admit(principal, ask(), priced(), 5)
    assert counts(admission, principal) == before


@pytest.mark.parametrize(
    ("limits", "settings"),
    [({"max_parallel_requests": 2}, {}), ({}, {"parallel_per_key": 2}), ({}, {"parallel_overall": 2})],
)
def test_concurrency_limits_count_what_runs_and_give_the_place_back(
    limits: dict[str, int], settings: dict[str, Any]
) -> None:
    admission, principal = Admission(AdmissionSettings(**settings)), Principal(key_record(**limits))
    first = admission.admit(principal, ask(), deployment(), 5)
    admission.admit(principal, ask(), deployment(), 5)
    with pytest.raises(LimitReached) as caught:
        admission.admit(principal, ask(), deployment(), 5)
    assert caught.value.retry_after == 1
    first.settle(0, used(0), 6)
    admission.admit(principal, ask(), deployment(), 6)


def test_a_keys_own_concurrency_limit_wins_over_the_general_one() -> None:
    admission = Admission(AdmissionSettings(parallel_per_key=1))
    principal = Principal(key_record(max_parallel_requests=3))
    for _ in range(3):
        admission.admit(principal, ask(), deployment(), 5)
    with pytest.raises(LimitReached, match="3"):
        admission.admit(principal, ask(), deployment(), 5)


def test_the_overall_limit_holds_over_all_keys() -> None:
    admission = Admission(AdmissionSettings(parallel_overall=1))
    admission.admit(Principal(key_record("sk-a")), ask(), deployment(), 5)
    with pytest.raises(LimitReached):
        admission.admit(Principal(key_record("sk-b")), ask(), deployment(), 5)


def test_the_wait_that_a_rate_limit_tells_of_is_enough_and_not_more() -> None:
    admission, principal = Admission(AdmissionSettings()), Principal(key_record(rpm_limit=2))
    admission.admit(principal, ask(), deployment(), 100)
    admission.admit(principal, ask(), deployment(), 120)
    with pytest.raises(LimitReached) as caught:
        admission.admit(principal, ask(), deployment(), 130)
    wait = caught.value.retry_after
    assert wait == 31
    with pytest.raises(LimitReached):
        admission.admit(principal, ask(), deployment(), 130 + int(wait) - 1)
    admission.admit(principal, ask(), deployment(), 130 + int(wait))


def test_a_request_that_no_wait_will_ever_fit_is_told_so() -> None:
    admission, principal = Admission(AdmissionSettings()), Principal(key_record(tpm_limit=100))
    with pytest.raises(LimitReached) as caught:
        admission.admit(principal, ask(prompt=101), deployment(), 5)
    assert "more than the limit allows at all" in caught.value.told()


def test_an_output_of_unknown_length_reserves_at_most_a_quarter_of_the_token_limit() -> None:
    admission, principal = Admission(AdmissionSettings()), Principal(key_record(tpm_limit=400))
    assert admission.admit(principal, ask(prompt=10, limit=None), deployment(), 5).tokens_reserved == 110
    roomy = Principal(key_record(tpm_limit=1_000_000))
    assert admission.admit(roomy, ask(prompt=10, limit=None), deployment(), 5).tokens_reserved == 1034


def test_a_spent_budget_refuses_what_costs_and_lets_pass_what_is_free() -> None:
    admission = Admission(AdmissionSettings())
    principal = Principal(key_record(max_budget=CENT, spend=2 * CENT))
    with pytest.raises(BudgetExceeded) as caught:
        admission.admit(principal, ask(), priced(), 5)
    assert caught.value.status == 422 and "Budget has been exceeded! Current cost: 0.02, Max budget: 0.01" in str(
        caught.value
    )
    for free in (deployment(FREE), deployment(None), deployment(None, charges=True)):
        admission.admit(principal, ask(), free, 5)


def test_a_budget_of_nothing_allows_nothing_that_costs() -> None:
    with pytest.raises(BudgetExceeded):
        Admission(AdmissionSettings()).admit(Principal(key_record(max_budget=0)), ask(), priced(), 5)


def test_the_status_of_a_spent_budget_is_the_operators_to_choose() -> None:
    admission = Admission(AdmissionSettings(budget_exceeded_status=402))
    with pytest.raises(BudgetExceeded) as caught:
        admission.admit(Principal(key_record(max_budget=0)), ask(), priced(), 5)
    assert caught.value.status == 402


def test_calls_under_way_hold_the_budget_and_the_hint_says_so() -> None:
    admission, principal = Admission(AdmissionSettings()), Principal(key_record(max_budget=150 * CENT))
    grant = admission.admit(principal, ask(), priced(), 5)
    with pytest.raises(BudgetExceeded) as caught:
        admission.admit(principal, ask(), priced(), 5)
    assert "Other calls of this key hold the rest" in caught.value.told()
    grant.settle(CENT, used(3), 6)
    admission.admit(principal, ask(), priced(), 6)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 200), st.integers(0, 200)), max_size=60),
    st.integers(0, 1000),
)
def test_a_budget_is_passed_by_one_reservation_at_most_however_calls_interleave(
    steps: list[tuple[bool, int, int]], budget: int
) -> None:
    admission = Admission(AdmissionSettings())
    principal = Principal(key_record(max_budget=budget * CENT))
    running: list[Grant] = []
    largest = 0
    for begins, tokens, size in steps:
        if begins or not running:
            try:
                running.append(admission.admit(principal, ask(tokens, 0), priced(), 5))
            except BudgetExceeded:
                assert principal.spent + principal.reserved >= budget * CENT
            else:
                largest = max(largest, running[-1].cost_reserved)
        else:
            grant = running.pop(0)
            grant.settle(min(size * CENT, grant.cost_reserved), used(size), 6)
        assert principal.spent + principal.reserved < budget * CENT + largest or largest == 0
        assert principal.reserved == sum(grant.cost_reserved for grant in running)
        assert principal.in_flight == admission.in_flight == len(running)


def test_one_of_several_processes_lets_through_its_part_and_takes_the_others_to_reserve_as_much() -> None:
    admission = Admission(AdmissionSettings())
    record = key_record(rpm_limit=5, tpm_limit=1000, max_parallel_requests=3, max_budget=350 * CENT)
    principal = Principal(record, share=2)
    assert (principal.rpm, principal.tpm, principal.parallel) == (3, 500, 2)
    admission.admit(principal, ask(), priced(), 5)
    admission.admit(principal, ask(), priced(), 5)
    with pytest.raises(LimitReached, match="max_parallel_requests"):
        admission.admit(principal, ask(), deployment(), 5)
    other = Principal(key_record(max_budget=350 * CENT), share=2)
    admission.admit(other, ask(), priced(), 5)
    admission.admit(other, ask(), priced(), 5)
    with pytest.raises(BudgetExceeded):
        admission.admit(other, ask(), priced(), 5)


def test_a_prompt_that_turns_out_longer_reserves_more_and_settles_as_any() -> None:
    admission = Admission(AdmissionSettings())
    principal = Principal(key_record(max_budget=1000 * CENT, tpm_limit=10_000, rpm_limit=10))
    asked = ask(prompt=100, limit=50)
    grant = admission.admit(principal, asked, priced(1, 2), 5)
    grant.grow(asked, priced(1, 2))
    assert counts(admission, principal) == (1, 1, 200 * CENT, 0, 0, 1, 150)
    asked.prompt_estimate = 400
    grant.grow(asked, priced(1, 2))
    grant.grow(asked, priced(1, 2))
    assert counts(admission, principal) == (1, 1, 500 * CENT, 0, 0, 1, 450)
    grant.settle(7 * CENT, used(9), 6)
    asked.prompt_estimate = 800
    grant.grow(asked, priced(1, 2))
    assert counts(admission, principal) == (0, 0, 0, 7 * CENT, 7 * CENT, 1, 9)


# -- what a call holds when it turns elsewhere, and who pays ---------------------------------------------------


def of_team(limits: Limits, *, spared: bool = False, **key: int) -> tuple[Principal, Account]:
    """A key of a team with such limits; ``spared``: the team's budget does not bind it."""
    team = Account("team", "red")
    team.adopt_limits(limits)
    principal = Principal(key_record(**key))
    usual = Limits(max_budget=key.get("max_budget"), rpm_limit=key.get("rpm_limit"))
    principal.bind(Ties(accounts=(team,), no_budgets_of=(team,) if spared else (), usual=usual))
    return principal, team


def test_a_call_that_turns_to_a_dearer_model_reserves_its_price_instead() -> None:
    admission, principal = Admission(AdmissionSettings()), Principal(key_record(max_budget=300 * CENT))
    grant = admission.admit(principal, ask(100, 0), priced(1), 5)
    assert principal.reserved == 100 * CENT
    grant.move(ask(100, 0), priced(3))
    assert (principal.reserved, grant.cost_reserved) == (300 * CENT, 300 * CENT)
    with pytest.raises(BudgetExceeded):
        admission.admit(principal, ask(1, 0), priced(1), 5)
    grant.settle(250 * CENT, used(0), 6)
    assert counts(admission, principal)[:4] == (0, 0, 0, 250 * CENT)


def test_a_call_that_may_not_turn_elsewhere_still_holds_what_it_held() -> None:
    """Of the key's own budget, and of a team's that is nearly spent by others."""
    admission = Admission(AdmissionSettings())
    plain = Principal(key_record(max_budget=150 * CENT))
    tied, team = of_team(Limits(max_budget=150 * CENT))
    for principal, account in ((plain, plain), (tied, team)):
        free = admission.admit(principal, ask(100, 0), deployment(FREE), 5)
        others = admission.admit(principal, ask(200, 0), priced(1), 5)
        with pytest.raises(BudgetExceeded):
            free.move(ask(100, 0), priced(1))
        assert (account.reserved, free.cost_reserved) == (200 * CENT, 0)
        others.settle(120 * CENT, used(0), 6)
        held = admission.admit(principal, ask(10, 0), priced(1), 5)
        account.settle(40 * CENT)
        with pytest.raises(BudgetExceeded):
            held.move(ask(10, 0), priced(2))
        assert (account.reserved, held.cost_reserved) == (10 * CENT, 10 * CENT)
        held.settle(0, used(0), 6)
        free.settle(0, used(0), 6)
        assert (account.reserved, account.in_flight) == (0, 0)


def test_each_of_those_a_call_is_made_for_is_asked_and_not_only_the_first() -> None:
    admission = Admission(AdmissionSettings())
    principal, team = of_team(Limits(max_budget=100 * CENT, rpm_limit=2), max_budget=10_000 * CENT, rpm_limit=100)
    admission.admit(principal, ask(100, 0), priced(1), 5)
    with pytest.raises(BudgetExceeded, match="Team=red"):
        admission.admit(principal, ask(1, 0), priced(1), 5)
    admission.admit(principal, ask(1, 0), deployment(FREE), 5)
    with pytest.raises(LimitReached, match="team: red"):
        admission.admit(principal, ask(1, 0), deployment(FREE), 5)
    assert (principal.reserved, team.reserved, principal.requests.total) == (100 * CENT, 100 * CENT, 2)


@pytest.mark.parametrize("limits", [{"rpm_limit": 1}, {"tpm_limit": 110}])
def test_a_dynamic_rate_binds_only_while_its_model_fails(limits: dict[str, int]) -> None:
    admission, failing = Admission(AdmissionSettings()), [""]
    admission.accounts.is_failing = lambda group: group in failing
    (rate,) = limits
    principal, team = of_team(msgspec.convert({**limits, f"{rate}_type": "dynamic"}, Limits))
    for _ in range(3):
        admission.admit(principal, ask(100, 0), deployment(FREE), 5)
    failing.append(deployment().group)
    with pytest.raises(LimitReached, match="team: red"):
        admission.admit(principal, ask(100, 0), deployment(FREE), 5)
    assert team.in_flight == 3


def test_a_budget_that_does_not_bind_is_charged_all_the_same() -> None:
    admission = Admission(AdmissionSettings())
    principal, team = of_team(Limits(max_budget=10 * CENT), spared=True)
    for _ in range(2):
        admission.admit(principal, ask(100, 0), priced(1), 5).settle(70 * CENT, used(0), 6)
    assert (team.spent, team.pending, principal.spent) == (140 * CENT, 140 * CENT, 140 * CENT)


@pytest.mark.parametrize("is_tied", [False, True])
def test_who_was_never_let_in_burnt_nothing(is_tied: bool) -> None:
    """As a replica finds out that has to ask the others after its own limits let a call in, or a dry run."""
    admission, team = Admission(AdmissionSettings()), None
    principal = Principal(key_record(rpm_limit=3, tpm_limit=500, max_budget=900 * CENT))
    if is_tied:
        principal, team = of_team(Limits(rpm_limit=3, tpm_limit=500, max_budget=900 * CENT), rpm_limit=3)
    admission.try_out(principal, ask(), priced(), 5)
    grant = admission.admit(principal, ask(), priced(), 5)
    grant.withdraw(6)
    grant.withdraw(6)
    assert counts(admission, principal) == (0, 0, 0, 0, 0, 0, 0)
    assert admission.admitted == 0
    if team is not None:
        assert (team.in_flight, team.reserved, team.requests.total, team.tokens.total) == (0, 0, 0, 0)
