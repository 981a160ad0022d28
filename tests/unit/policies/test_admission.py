"""Limits hold however many calls run at once; a refused call takes nothing; an admitted one settles once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import BudgetExceeded, LimitReached
from pointsman.core.price import FREE
from pointsman.policies.admission import Admission, AdmissionSettings, Grant
from pointsman.policies.principal import Principal
from tests.unit.policies.desk import CENT, ask, deployment, key_record, priced


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
    grant.settle(3 * CENT, 200, 6)
    assert counts(admission, principal) == (0, 0, 0, 3 * CENT, 3 * CENT, 0, 0)


def test_a_call_reserves_what_it_may_cost_and_settling_replaces_that_by_what_it_did_cost() -> None:
    admission = Admission(AdmissionSettings())
    principal = Principal(key_record(max_budget=1000 * CENT, tpm_limit=10_000, rpm_limit=10))
    grant = admission.admit(principal, ask(prompt=100, limit=50, choices=2), priced(1, 2), 5)
    assert grant.cost_reserved == (100 + 2 * 100) * CENT
    assert counts(admission, principal) == (1, 1, 300 * CENT, 0, 0, 1, 200)
    grant.settle(120 * CENT, 110, 30)
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
    grant.settle(7 * CENT, 9, 6)
    before = counts(admission, principal)
    grant.settle(7 * CENT, 9, 6)
    assert counts(admission, principal) == before == (0, 0, 0, 7 * CENT, 7 * CENT, 1, 9)


def test_what_a_call_used_counts_from_its_end_and_its_reserve_is_gone() -> None:
    admission, principal = Admission(AdmissionSettings()), Principal(key_record(tpm_limit=1000))
    grant = admission.admit(principal, ask(prompt=300, limit=100), deployment(FREE), 100)
    grant.settle(0, 50, 150)
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
    first.settle(0, 0, 6)
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
    grant.settle(CENT, 3, 6)
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
    for begins, tokens, used in steps:
        if begins or not running:
            try:
                running.append(admission.admit(principal, ask(tokens, 0), priced(), 5))
            except BudgetExceeded:
                assert principal.spent + principal.reserved >= budget * CENT
            else:
                largest = max(largest, running[-1].cost_reserved)
        else:
            grant = running.pop(0)
            grant.settle(min(used * CENT, grant.cost_reserved), used, 6)
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
    grant.settle(7 * CENT, 9, 6)
    asked.prompt_estimate = 800
    grant.grow(asked, priced(1, 2))
    assert counts(admission, principal) == (0, 0, 0, 7 * CENT, 7 * CENT, 1, 9)
