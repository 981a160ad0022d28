"""When deployments and keys rest."""

from __future__ import annotations

import pytest

from pointsman.core.errors import GatewayError, LimitReached, TimedOut, Unreachable
from pointsman.core.secret import Secret
from pointsman.core.upstream import Operation
from pointsman.routing.failures import CLIENT_TIMEOUT, Failure
from pointsman.routing.router import Router
from pointsman.routing.settings import RoutingSettings
from pointsman.routing.wish import Wish
from pointsman.wire.upstream_errors import upstream_failure
from tests.unit.routing.recovery_script import deployment, member, pool_of, router

WISH = Wish(Operation.CHAT)
SHARED = Secret("the-same-key")


def fail(made: Router, identity: str, error: GatewayError | int, now: float, name: str = "m") -> None:
    failure = upstream_failure(error, "no") if isinstance(error, int) else error
    made.failed(member(made, identity, name), failure, now, now)


def chosen(made: Router, now: float, name: str = "m") -> set[str]:
    """Who is chosen in many draws, none of which is answered."""
    pool, found = pool_of(made, name), set()
    for one in pool.members:
        picked, _ = made.choose(pool, WISH, now, {other.deployment.id for other in pool.members if other is not one})
        found.add(picked.deployment.id)
    return found


def test_each_of_some_statuses_is_enough() -> None:
    for status in (401, 402, 403, 404, 408, 429):
        made = router(deployment("a"), deployment("b"))
        fail(made, "a", status, 100.0)
        assert chosen(made, 101.0) == {"b"}, status
        assert chosen(made, 105.0) == {"a", "b"}, status


@pytest.mark.parametrize("error", [Unreachable("refused"), TimedOut("slow")])
def test_so_are_an_upstream_that_cannot_be_reached_and_one_that_is_silent(error: GatewayError) -> None:
    made = router(deployment("a"), deployment("b"))
    fail(made, "a", error, 100.0)
    assert chosen(made, 101.0) == {"b"}


def test_of_others_it_takes_three_in_a_row() -> None:
    made = router(deployment("a"), deployment("b"))
    for now in (100.0, 101.0):
        fail(made, "a", 500, now)
    assert chosen(made, 102.0) == {"a", "b"}
    fail(made, "a", 500, 102.0)
    assert chosen(made, 103.0) == {"b"}


def test_or_more_than_half_of_at_least_five_in_a_minute() -> None:
    made = router(deployment("a"), deployment("b"))
    live = member(made, "a").live
    for now in (100.0, 101.0, 102.0):
        fail(made, "a", 500, now)
        if now < 102.0:
            live.succeeded(now + 0.5, now, now, 1)
    assert chosen(made, 103.0) == {"b"}, "3 of 5"


def test_what_is_wrong_with_a_request_is_nobodys_fault_and_proves_that_there_is_life() -> None:
    made = router(deployment("a"), deployment("b"))
    for now in range(100, 110):
        fail(made, "a", 400, float(now))
    assert chosen(made, 110.0) == {"a", "b"} and member(made, "a").live.failures == 0
    fail(made, "a", 429, 110.0)
    fail(made, "a", 400, 115.0)
    assert member(made, "a").live.state(115.0) == "closed"


def test_a_retry_after_is_how_long_it_rests_if_that_is_longer() -> None:
    for seconds, until in ((7.0, 7.0), (1.0, 5.0), (1e9, 3600.0)):
        made = router(deployment("a"), deployment("b"))
        error = upstream_failure(429, "slow down")
        error.retry_after = seconds
        fail(made, "a", error, 100.0)
        assert chosen(made, 100.0 + until - 0.1) == {"b"} and chosen(made, 100.0 + until) == {"a", "b"}


def test_who_fails_when_it_is_tried_again_rests_again_whatever_it_takes_otherwise() -> None:
    made = router(deployment("a"), deployment("b"))
    fail(made, "a", 429, 100.0)
    picked = member(made, "a")
    picked.probe(105.0)
    fail(made, "a", 500, 105.1)
    assert chosen(made, 110.0) == {"b"} and chosen(made, 110.2) == {"a", "b"}


def test_a_time_that_only_the_client_found_too_long_makes_nobody_rest() -> None:
    made = router(deployment("a"), deployment("b"))
    for now in range(100, 110):
        fail(made, "a", TimedOut("too slow for the client", code=CLIENT_TIMEOUT), float(now))
    assert chosen(made, 110.0) == {"a", "b"}


def test_cooldown_time_may_be_the_deployments_own() -> None:
    made = router(deployment("a", cooldown_seconds=60.0), deployment("b"), settings=RoutingSettings(cooldown_seconds=1))
    fail(made, "a", 404, 100.0)
    fail(made, "b", 404, 100.0)
    assert chosen(made, 101.0) == {"b"} and chosen(made, 160.0) == {"a", "b"}


def test_allowed_fails_alone_decide_where_they_are_said() -> None:
    made = router(deployment("a"), deployment("b"), settings=RoutingSettings(allowed_fails=2))
    for now in (100.0, 101.0):
        fail(made, "a", 401, now)
    assert chosen(made, 101.5) == {"a", "b"}
    fail(made, "a", 401, 102.0)
    assert chosen(made, 102.5) == {"b"}


def test_they_are_counted_by_kind_where_that_is_said() -> None:
    policy = {Failure.RATE_LIMIT: 1, Failure.BAD_GATEWAY: 100}
    made = router(deployment("a"), deployment("b"), settings=RoutingSettings(allowed_fails_policy=policy))
    for now in range(100, 110):
        fail(made, "a", 500, float(now))
    fail(made, "a", 429, 110.0)
    assert chosen(made, 110.5) == {"a", "b"}
    fail(made, "a", 429, 111.0)
    assert chosen(made, 111.5) == {"b"}


def test_failures_of_another_minute_do_not_count() -> None:
    made = router(deployment("a"), deployment("b"), settings=RoutingSettings(allowed_fails=1))
    fail(made, "a", 500, 100.0)
    fail(made, "a", 500, 161.0)
    assert chosen(made, 161.5) == {"a", "b"}


def test_nobody_rests_where_the_operator_will_not_have_it() -> None:
    made = router(deployment("a"), deployment("b"), settings=RoutingSettings(cools_down=False))
    fail(made, "a", 401, 100.0)
    assert chosen(made, 100.0) == {"a", "b"} and member(made, "a").live.failures == 1


def test_when_all_rest_the_client_is_told_when_the_first_wakes() -> None:
    made = router(deployment("a"), deployment("b"))
    fail(made, "a", 429, 100.0)
    fail(made, "b", 429, 102.0)
    with pytest.raises(LimitReached, match="all of them failed lately") as caught:
        made.choose(pool_of(made), WISH, 102.0)
    assert caught.value.retry_after == 3.0 and caught.value.code == "no_deployments_available"


def test_machines_of_ones_own_are_tried_all_the_same() -> None:
    made = router(deployment("a", local=True), deployment("b", local=True))
    fail(made, "a", Unreachable("off"), 100.0)
    fail(made, "b", Unreachable("off"), 101.0)
    picked, why = made.choose(pool_of(made), WISH, 102.0)
    assert (picked.deployment.id, why) == ("a", "resting")


def test_in_a_pool_of_one_nobody_rests() -> None:
    made = router()
    fail(made, "a", 401, 100.0)
    assert made.choose(pool_of(made), WISH, 100.0)[1] == "only"


# -- keys ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_dead_key_rests_for_every_deployment_that_uses_it(status: int) -> None:
    others = deployment("c", model="other", api_key=SHARED), deployment("d")
    made = router(deployment("a", api_key=SHARED), deployment("b", group="n", api_key=SHARED), *others)
    fail(made, "b", status, 100.0, "n")
    assert chosen(made, 101.0) == {"d"}
    assert chosen(made, 105.0) == {"a", "c", "d"}


def test_it_is_tried_by_one_request_at_a_time_whichever_deployment_that_goes_to() -> None:
    made = router(deployment("a", api_key=SHARED), deployment("b", api_key=SHARED))
    fail(made, "a", 401, 100.0)
    probe, _ = made.choose(pool_of(made), WISH, 105.0)
    probe.probe(105.0)
    assert not made.is_awake(pool_of(made), 105.1)
    probe.answered(105.0)
    assert made.is_awake(pool_of(made), 106.0)


def test_where_nobody_else_is_there_those_that_have_rested_are_not_waited_for() -> None:
    made = router(deployment("a"), deployment("b"))
    for one in ("a", "b"):
        fail(made, one, 429, 100.0)
    for _ in range(4):
        picked, _ = made.choose(pool_of(made), WISH, 105.0)
        picked.probe(105.0)


def test_each_refusal_in_a_row_doubles_its_rest_up_to_five_minutes() -> None:
    made = router(deployment("a", api_key=SHARED), deployment("b"))
    now, rests = 100.0, []
    for _ in range(9):
        fail(made, "a", 401, now)
        rests.append(member(made, "a").rests_until - now)
        now = member(made, "a").rests_until
    assert rests == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_403_about_one_model_is_not_about_the_key() -> None:
    made = router(deployment("a", api_key=SHARED), deployment("b", model="other", api_key=SHARED))
    fail(made, "a", upstream_failure(403, "Your project may not use the model real."), 100.0)
    assert chosen(made, 101.0) == {"b"}


def test_a_limited_key_rests_for_that_model_of_the_provider() -> None:
    same = deployment("b", api_key=SHARED)
    made = router(deployment("a", api_key=SHARED), same, deployment("c", model="other", api_key=SHARED))
    fail(made, "a", 429, 100.0)
    assert chosen(made, 101.0) == {"c"}
    assert [member(made, one).admits(101.0) for one in "abc"] == [False, False, True]
    assert chosen(made, 105.0) == {"a", "b", "c"}


def test_a_key_without_money_is_dead_although_it_says_429() -> None:
    made = router(deployment("a", api_key=SHARED), deployment("b", model="other", api_key=SHARED), deployment("c"))
    fail(made, "a", upstream_failure(429, "no money", code="insufficient_quota"), 100.0)
    assert chosen(made, 101.0) == {"c"}


def test_the_same_key_at_another_address_is_another_key() -> None:
    made = router(deployment("a", api_key=SHARED), deployment("b", api_key=SHARED, api_base="http://elsewhere/v1"))
    fail(made, "a", 401, 100.0)
    assert chosen(made, 101.0) == {"b"}
