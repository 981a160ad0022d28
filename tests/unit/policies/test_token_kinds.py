"""Limits of the tokens that go in and of those that come out are kept apart from each other, and settled apart."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.core.errors import LimitReached
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.lifecycle.limit_heads import bound_lines, refusal_lines
from pointsman.policies import lease_book
from pointsman.policies.accounts import Account
from pointsman.policies.admission import Admission, AdmissionSettings, Grant
from pointsman.policies.principal import Principal, Ties
from pointsman.policies.token_kinds import KindTokens, expected_kinds, used_kinds
from pointsman.stores.directory.records import Limits
from tests.unit.policies.desk import ask, deployment, key_record
from tests.unit.policies.test_sharing import sites


def project(limits: Limits, *, share: int = 1) -> Account:
    account = Account("project", "p", share=share)
    account.adopt_limits(limits)
    return account


def caller(account: Account) -> Principal:
    principal = Principal(key_record())
    principal.bind(Ties(accounts=(account,)))
    return principal


def used_now(account: Account, second: int = 5) -> dict[str, int]:
    return {one.kind: one.tokens.used(second) for one in account.models["m"].kinds}


BOTH = Limits(model_itpm_limit={"m": 300}, model_otpm_limit={"m": 120})


def admitted(principal: Principal, admission: Admission | None = None, prompt: int = 100, most: int = 50) -> Grant:
    return (admission or Admission(AdmissionSettings())).admit(principal, ask(prompt, most), deployment(), 5)


def test_what_goes_in_and_what_comes_out_is_reserved_and_settled_each_by_itself() -> None:
    account = project(BOTH)
    grant = admitted(caller(account))
    assert used_now(account) == {"input": 100, "output": 50}
    grant.settle(0, Usage(80, 7, cached=30), 6)
    assert used_now(account, 6) == {"input": 50, "output": 7}, "what a cache had is no input"
    grant.settle(0, Usage(1000, 1000), 6)
    assert used_kinds(Usage(10, 5, cached=30)) == KindTokens(0, 5), "an upstream's mistake makes no room"
    assert used_now(account, 6) == {"input": 50, "output": 7}


@pytest.mark.parametrize(
    ("prompt", "most", "kind", "limit", "left"), [(301, 1, "input", 300, 300), (1, 121, "output", 120, 120)]
)
def test_either_kind_refuses_and_burns_nothing(prompt: int, most: int, kind: str, limit: int, left: int) -> None:
    account = project(BOTH)
    principal, admission = caller(account), Admission(AdmissionSettings())
    with pytest.raises(LimitReached, match=f"model_per_project_{kind[0]}tpm: p:m. Limit type: tokens") as refused:
        admitted(principal, admission, prompt, most)
    error = refused.value
    assert (error.limit_kind, error.limit, error.left) == (f"{kind}_tokens", limit, left)
    assert error.retry_after == 60
    assert used_now(account) == {"input": 0, "output": 0}
    assert (admission.in_flight, admission.admitted, principal.in_flight) == (0, 0, 0)
    lines = refusal_lines(error, 0.0).decode()
    assert "rate_limit_type: tokens\r\n" in lines
    assert f"x-ratelimit-limit-{kind}-tokens: {limit}\r\n" in lines
    assert f"x-ratelimit-remaining-{kind}-tokens: {left}\r\n" in lines


def test_a_request_fits_again_as_soon_as_its_kind_has_slid_out() -> None:
    account = project(Limits(model_otpm_limit={"m": 50}))
    principal, admission = caller(account), Admission(AdmissionSettings())
    admitted(principal, admission).settle(0, Usage(1, 50), 5)
    with pytest.raises(LimitReached) as refused:
        admission.admit(principal, ask(), deployment(), 35)
    assert refused.value.retry_after == 31
    admission.admit(principal, ask(), deployment(), 66)


def test_an_answer_without_a_bound_reserves_a_part_of_the_limit_and_a_limit_of_none_lets_nothing_through() -> None:
    account = project(BOTH)
    kinds = account.models["m"].kinds
    assert expected_kinds(ask(0, None), kinds) == KindTokens(1, 30)
    assert expected_kinds(ask(9, None), ()) == KindTokens(9, 1024)
    shut = caller(project(Limits(model_otpm_limit={"m": 0})))
    with pytest.raises(LimitReached):
        Admission(AdmissionSettings()).admit(shut, ask(1, None), deployment(), 5)


def test_a_call_that_is_withdrawn_or_grows_or_moves_takes_its_kinds_along() -> None:
    account = project(Limits(model_itpm_limit={"m": 300, "n": 90}, model_otpm_limit={"m": 120}))
    principal, admission = caller(account), Admission(AdmissionSettings())
    admitted(principal, admission).withdraw(5)
    assert used_now(account) == {"input": 0, "output": 0}
    grant = admitted(principal, admission)
    grant.grow(ask(130, 50), deployment())
    assert used_now(account) == {"input": 130, "output": 50}
    elsewhere = msgspec.structs.replace(deployment(), id="e", group="n")
    with pytest.raises(LimitReached):
        grant.move(ask(130, 50), elsewhere)
    assert used_now(account) == {"input": 130, "output": 50}
    grant.settle(0, NO_USAGE, 5)
    small = admitted(principal, admission, 80)
    small.move(ask(80, 50), elsewhere)
    assert used_now(account) == {"input": 0, "output": 0}
    assert [one.tokens.used(5) for one in account.models["n"].kinds] == [80]
    small.settle(0, Usage(60, 3), 5)
    assert [one.tokens.used(5) for one in account.models["n"].kinds] == [60]


def test_a_call_that_comes_to_such_limits_only_as_it_moves_is_measured_by_them() -> None:
    account = project(Limits(model_itpm_limit={"n": 90}))
    grant = admitted(caller(account), prompt=80)
    grant.move(ask(80, 50), msgspec.structs.replace(deployment(), id="e", group="n"))
    assert [one.tokens.used(5) for one in account.models["n"].kinds] == [80]


def test_what_is_counted_outlives_a_change_of_the_limit_and_each_process_has_its_part() -> None:
    account = project(BOTH, share=2)
    assert [one.tpm for one in account.models["m"].kinds] == [150, 60]
    admitted(caller(account))
    account.adopt_limits(Limits(model_itpm_limit={"m": 500}))
    account.share_among(1)
    assert used_now(account) == {"input": 100}
    assert [one.tpm for one in account.models["m"].kinds] == [500]


def test_an_answer_tells_what_is_left_of_each_kind() -> None:
    principal = caller(project(BOTH))
    grant = admitted(principal)
    assert grant.bound is not None
    lines = bound_lines(principal, grant.bound, 5).decode().split("\r\n")
    assert "x-ratelimit-limit-input-tokens: 300" in lines and "x-ratelimit-remaining-input-tokens: 200" in lines
    assert "x-ratelimit-limit-output-tokens: 120" in lines and "x-ratelimit-remaining-output-tokens: 70" in lines
    assert "x-ratelimit-model_per_project_itpm-limit-tokens: 300" in lines
    assert "x-ratelimit-model_per_project_otpm-remaining-tokens: 70" in lines
    assert not any(line.startswith("x-ratelimit-limit-tokens") for line in lines)


def test_a_keys_own_limit_of_a_kind_binds_it() -> None:
    principal = Principal(key_record(extra=msgspec.Raw(b'{"itpm_limit": 150}')))
    admission = Admission(AdmissionSettings())
    admitted(principal, admission).settle(0, Usage(100, 900), 5)
    with pytest.raises(LimitReached, match="Rate limit exceeded for api_key_itpm"):
        admitted(principal, admission)


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "leased"])
async def test_what_a_call_used_of_a_kind_is_known_to_other_replicas(
    exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_book, "_AGAIN_SECONDS", 0.0)
    one, two = await sites(exact=exact, team=Limits(itpm_limit=200, otpm_limit=120))
    grant = await one.call()
    grant.grow(ask(110), deployment())
    await one.book.step()
    with pytest.raises(LimitReached, match="team_itpm"):
        await two.call()
    grant.settle(0, Usage(90, 90), int(one.clock.now))
    await one.book.step()
    with pytest.raises(LimitReached, match="team_otpm"):
        await two.call()
