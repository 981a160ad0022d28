"""A request takes from every limit or from none, and is told the first moment at which it fits."""

from __future__ import annotations

from copy import deepcopy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import LimitReached
from pointsman.policies.accounts import Account
from pointsman.policies.principal import Principal
from pointsman.policies.rates import demand_rate, take, take_rate
from pointsman.stores.directory.records import Limits
from tests.unit.policies.desk import key_record


def counts(principal: Principal) -> tuple[int, int]:
    return principal.requests.total, principal.tokens.total


def state(principal: Principal) -> tuple[list[int], list[int]]:
    return list(principal.requests._buckets), list(principal.tokens._buckets)


def tried(principal: Principal, tokens: int, second: int) -> LimitReached | None:
    try:
        take_rate(principal, tokens, second, None)
    except LimitReached as error:
        return error
    return None


def refusal(principal: Principal, tokens: int, second: int, parallel_max: int | None = None) -> LimitReached:
    with pytest.raises(LimitReached) as caught:
        take_rate(principal, tokens, second, parallel_max)
    return caught.value


def test_what_fits_is_taken_from_every_limit() -> None:
    principal = Principal(key_record(rpm_limit=2, tpm_limit=100))
    take_rate(principal, 60, 5, None)
    assert counts(principal) == (1, 60)
    take_rate(principal, 40, 5, None)
    assert counts(principal) == (2, 100)


@pytest.mark.parametrize(
    ("limits", "kind"),
    [(Limits(rpm_limit=2), "requests"), (Limits(tpm_limit=100), "tokens"), (Limits(tpd_limit=100), "tokens per day"),
     (Limits(max_parallel_requests=2), "max_parallel_requests")],
)  # fmt: skip
def test_what_others_allow_is_checked_to_the_last_unit(limits: Limits, kind: str) -> None:
    account = Account("team", "t")
    account.adopt_limits(limits)
    for _ in range(2):
        demand_rate(account, 50, 5)
        take(account, 5)
        account.tokens.add(50, 5)
        if account.day is not None:
            account.day.add(50, 5)
    with pytest.raises(LimitReached, match=f"Limit type: {kind}") as refused:
        demand_rate(account, 1, 5)
    assert refused.value.left == 0
    eased = {"requests": "r", "tokens": "t"}.get(kind, "")
    if eased:
        demand_rate(account, 1, 5, eased=eased)
    with pytest.raises(LimitReached):
        demand_rate(account, 1, 5, eased="rt".replace(eased or "-", ""))


def test_a_key_without_limits_counts_nothing() -> None:
    principal = Principal(key_record())
    take_rate(principal, 10**9, 5, None)
    assert counts(principal) == (0, 0)


@pytest.mark.parametrize(
    ("limits", "tokens", "kind"),
    [
        ({"rpm_limit": 1}, 1, "requests"),
        ({"tpm_limit": 100}, 60, "tokens"),
        ({"rpm_limit": 1, "tpm_limit": 100}, 1, "requests"),
        ({"rpm_limit": 9, "tpm_limit": 100}, 60, "tokens"),
        ({"rpm_limit": 1, "tpm_limit": 100}, 60, "requests"),
        ({"rpm_limit": 9, "tpm_limit": 900, "max_parallel_requests": 1}, 1, "max_parallel_requests"),
        ({"rpm_limit": 1, "tpm_limit": 100, "max_parallel_requests": 1}, 60, "max_parallel_requests"),
    ],
)
def test_a_refused_request_burns_nothing_whichever_limit_it_meets_first(
    limits: dict[str, int], tokens: int, kind: str
) -> None:
    principal = Principal(key_record(key_alias="tester", **limits))
    take_rate(principal, 60, 5, None)
    principal.in_flight = 1
    before = state(principal)
    for _ in range(3):
        error = refusal(principal, tokens, 6)
        assert f"Limit type: {kind}." in error.message and "api_key: tester." in error.message
        assert error.retry_after is not None and error.retry_after >= 1
    assert state(principal) == before


STEPS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3), st.integers(0, 60), st.booleans()), max_size=60)
LIMITS = st.tuples(
    st.one_of(st.none(), st.integers(0, 5)), st.one_of(st.none(), st.integers(0, 120)), st.integers(0, 4)
)


@given(LIMITS, STEPS)
def test_in_any_order_of_calls_the_windows_hold_just_what_was_let_in(
    limits: tuple[int | None, int | None, int], steps: list[tuple[int, int, int, bool]]
) -> None:
    """Calls also end in between, and some are told a second late, as when their key had to be looked up."""
    rpm, tpm, parallel = limits
    principal = Principal(key_record(rpm_limit=rpm, tpm_limit=tpm, max_parallel_requests=parallel))
    now = 1000
    let_in: list[tuple[int, int]] = []
    for step, late, tokens, ends in steps:
        now += step
        if ends and principal.in_flight:
            principal.in_flight -= 1
        second = now - late
        if tried(principal, tokens, second) is None:
            principal.in_flight += 1
            let_in.append((second, tokens))
        assert sum(principal.requests._buckets) == principal.requests.total >= 0
        assert sum(principal.tokens._buckets) == principal.tokens.total >= 0
        latest = max([second, principal.requests._second, principal.tokens._second])
        recent = [units for at, units in let_in if latest - at <= 60]
        if rpm is not None:
            assert principal.requests.used(latest) == len(recent) <= rpm
        if tpm is not None:
            assert principal.tokens.used(latest) == sum(recent) <= tpm
        assert principal.in_flight <= parallel


@given(st.integers(1, 4), st.integers(1, 100), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 60)), max_size=20))
def test_the_wait_is_the_first_second_at_which_the_limit_that_was_met_has_room(
    rpm: int, tpm: int, steps: list[tuple[int, int]]
) -> None:
    principal = Principal(key_record(rpm_limit=rpm, tpm_limit=tpm))
    now = 1000
    for step, tokens in steps:
        now += step
        error = tried(principal, tokens, now)
        if error is None:
            continue
        window, units, limit = principal.requests, 1, rpm
        if "Limit type: tokens" in error.message:
            window, units, limit = principal.tokens, tokens, tpm
        if units > limit:
            assert "more than the limit allows at all" in error.told()
            continue
        wait = int(error.retry_after or 0)
        fits = [deepcopy(window).take(units, limit, now + after) for after in (wait - 1, wait)]
        assert fits == [False, True]


def test_a_key_of_its_own_limit_is_not_held_to_the_general_one() -> None:
    own = Principal(key_record(max_parallel_requests=2))
    own.in_flight = 1
    take_rate(own, 1, 5, 1)
    general = Principal(key_record())
    general.in_flight = 1
    assert refusal(general, 1, 5, 1).retry_after == 1.0
    take_rate(general, 1, 5, 2)


def test_a_key_without_an_alias_is_named_by_what_is_shown_of_it() -> None:
    assert "api_key: sk-...test." in refusal(Principal(key_record(rpm_limit=0)), 1, 5).message


def test_a_changed_limit_counts_at_once_and_what_is_counted_stays() -> None:
    record = key_record(rpm_limit=1)
    principal = Principal(record)
    take_rate(principal, 0, 5, None)
    principal.adopt(msgspec.structs.replace(record, rpm_limit=2))
    take_rate(principal, 0, 5, None)
    refusal(principal, 0, 5)
