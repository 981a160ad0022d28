"""What follows a failure."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.core.errors import GatewayError, LimitReached, Malformed, TimedOut, Unreachable, Unsupported
from pointsman.core.rules import RoutingRules, Target
from pointsman.routing.failures import Failure
from pointsman.routing.recovery import Again, Elsewhere
from pointsman.routing.settings import FallbackLists, RoutingSettings
from pointsman.wire.upstream_errors import upstream_failure
from tests.unit.routing.recovery_script import deployment, pool_of, recovery, router, targets, told

LONE = pool_of(router())
TWO = pool_of(router(deployment("a"), deployment("b")))
A, B = deployment("a"), deployment("b")
CUT = upstream_failure(500, "gone")
TOO_LONG = upstream_failure(400, "too long", code="context_length_exceeded")
FILTERED = upstream_failure(400, "no", code="content_filter")


def lists(**given: tuple[Target, ...]) -> FallbackLists:
    return FallbackLists(
        general={"m": given["general"]} if "general" in given else {}, default=given.get("default", ())
    )


def slow(seconds: float) -> GatewayError:
    error = upstream_failure(429, "slow down")
    error.retry_after = seconds
    return error


# -- retries -------------------------------------------------------------------------------------------


def test_another_deployment_is_tried_at_once() -> None:
    assert recovery().next(CUT, TWO, A) == Again(0.0)


def test_the_same_one_after_a_pause_that_doubles() -> None:
    made = recovery(RoutingSettings(num_retries=8, wait_seconds_max=60.0))
    assert [told(made.next(CUT, LONE, A)) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4.0, 4.0]
    upper = recovery(RoutingSettings(num_retries=1), draw=0.999)
    assert told(upper.next(CUT, LONE, A)) == pytest.approx(0.2, abs=0.001), "not all at the same moment"


def test_there_are_as_many_as_were_configured_and_no_more() -> None:
    made = recovery(RoutingSettings(num_retries=2))
    assert [made.next(CUT, LONE, A) is None for _ in range(4)] == [False, False, True, True]
    assert made.retries == 2


def test_a_lone_deployment_costs_a_client_less_than_a_second_by_default() -> None:
    made = recovery(draw=0.999)
    assert [made.next(CUT, LONE, A) is None for _ in range(3)] == [False, False, True] and made.waited < 1.0


def test_retry_after_is_honoured_and_never_undercut() -> None:
    assert told(recovery().next(slow(7.0), LONE, A)) == 7.0
    late = told(recovery(draw=0.999).next(slow(7.0), LONE, A))
    assert isinstance(late, float) and 7.0 < late < 8.0
    assert told(recovery(RoutingSettings(retry_after=9.0)).next(slow(7.0), LONE, A)) == 9.0
    assert told(recovery(RoutingSettings(retry_after=9.0)).next(CUT, LONE, A)) == 9.0


def test_who_asks_to_be_left_alone_for_long_is_not_waited_for() -> None:
    assert recovery().next(slow(21.0), LONE, A) is None
    made = recovery(RoutingSettings(num_retries=5))
    assert told(made.next(slow(15.0), LONE, A)) == 15.0
    assert made.next(slow(15.0), LONE, A) is None, "all the pauses count together"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_what_a_lone_deployment_would_only_say_again_is_not_asked_again(status: int) -> None:
    assert recovery().next(upstream_failure(status, "no"), LONE, A) is None


def test_nor_is_a_silence_waited_out_twice() -> None:
    assert recovery().next(TimedOut("silent"), LONE, A) is None
    assert told(recovery().next(Unreachable("refused"), LONE, A)) == 0.1
    swallowed = Unreachable("no connection within 2 s")
    swallowed.slow = True
    assert recovery().next(swallowed, LONE, A) is None
    wanted = RoutingSettings(retry_policy={Failure.UNAVAILABLE: 1, Failure.TIMEOUT: 1})
    assert told(recovery(wanted).next(swallowed, LONE, A)) == told(recovery(wanted).next(TimedOut("x"), LONE, A)) == 0.1


@pytest.mark.parametrize("status", [401, 402, 403, 404, 408, 429, 500, 503, 529])
def test_another_deployment_may_say_otherwise(status: int) -> None:
    assert told(recovery().next(upstream_failure(status, "no"), TWO, A)) == 0.0


@pytest.mark.parametrize("error", [upstream_failure(400, "no"), TOO_LONG, FILTERED, upstream_failure(422, "no")])
def test_what_is_wrong_with_the_request_is_wrong_there_too(error: GatewayError) -> None:
    assert recovery().next(error, TWO, A) is None


def test_a_policy_counts_by_kind() -> None:
    policy = {Failure.RATE_LIMIT: 3, Failure.BAD_REQUEST: 1, Failure.INTERNAL: 0, Failure.OTHER: 1}
    settings = RoutingSettings(retry_policy=policy, wait_seconds_max=60.0)
    for error, retries in (
        (upstream_failure(429, "no"), 3),
        (upstream_failure(400, "no"), 1),
        (CUT, 0),
        (upstream_failure(503, "no"), 1),
    ):
        made = recovery(settings)
        while made.next(error, LONE, A) is not None:
            pass
        assert made.retries == retries == made.retries_max, error.status


def test_a_group_may_have_a_policy_of_its_own() -> None:
    settings = RoutingSettings(
        retry_policy={Failure.RATE_LIMIT: 5}, group_retry_policies={"m": {Failure.RATE_LIMIT: 0}}
    )
    assert recovery(settings).next(upstream_failure(429, "no"), LONE, A) is None
    every = msgspec.structs.replace(settings, group_retry_policies={"m*": {Failure.RATE_LIMIT: 0}})
    assert recovery(every).next(upstream_failure(429, "no"), LONE, A) is None


def test_a_deployment_may_say_how_often_and_a_request_too() -> None:
    eager = msgspec.structs.replace(A, num_retries=1)
    made = recovery(RoutingSettings(num_retries=0))
    assert told(made.next(CUT, LONE, eager)) == 0.1 and made.next(CUT, LONE, eager) is None
    assert recovery(rules=RoutingRules(num_retries=0)).next(CUT, LONE, eager) is None


def test_a_request_may_lower_what_a_policy_says_and_not_raise_it() -> None:
    settings = RoutingSettings(retry_policy={Failure.BAD_GATEWAY: 1})
    assert recovery(settings, RoutingRules(num_retries=0)).next(CUT, LONE, A) is None
    made = recovery(settings, RoutingRules(num_retries=9))
    assert told(made.next(CUT, LONE, A)) == 0.1 and made.next(CUT, LONE, A) is None


def test_a_mistake_of_ours_or_a_refusal_is_not_tried_again() -> None:
    settings = RoutingSettings(fallbacks=lists(default=targets("spare")))
    for error in (GatewayError("oops"), Malformed("no"), LimitReached("limit", retry_after=1.0)):
        assert recovery(settings).next(error, TWO, A) is None


@pytest.mark.parametrize("code", ["queue_full", "queue_timeout"])
def test_where_there_is_no_room_another_host_or_model_serves(code: str) -> None:
    full = LimitReached("full", code=code, retry_after=5.0)
    made = recovery(RoutingSettings(num_retries=0, fallbacks=lists(default=targets("spare"))))
    assert told(made.next(full, TWO, A)) == 0.0
    assert told(made.next(full, TWO, B)) == ("spare",)


def test_a_parameter_without_a_word_for_it_is_tried_at_another_provider() -> None:
    assert told(recovery().next(Unsupported("logit_bias"), TWO, A)) == 0.0
    assert recovery(RoutingSettings(falls_back_when_unsupported=False)).next(Unsupported("x"), TWO, A) is None


# -- fallbacks -----------------------------------------------------------------------------------------


def test_when_the_retries_are_used_up_others_stand_in_and_get_no_new_ones() -> None:
    made = recovery(RoutingSettings(num_retries=1, fallbacks=lists(general=targets("x", "y"))))
    assert told(made.next(CUT, LONE, A)) == 0.1
    step = made.next(CUT, LONE, A)
    assert told(step) == ("x", "y") and isinstance(step, Elsewhere)
    made.drop(step.hops[0])
    made.hops += 1
    other = pool_of(router(deployment("c", "x")), "x")
    assert told(made.next(CUT, other, deployment("c"))) == ("y",), "attempts are added up, never multiplied"


def test_there_are_as_many_hops_as_the_operator_lets() -> None:
    made = recovery(RoutingSettings(num_retries=0, max_fallbacks=1, fallbacks=lists(general=targets("x", "y"))))
    made.hops = 1
    assert made.next(CUT, LONE, A) is None
    assert recovery(RoutingSettings(num_retries=0, max_fallbacks=0, fallbacks=lists(general=targets("x")))).next(
        CUT, LONE, A
    ) is None  # fmt: skip


def test_lists_are_looked_up_by_name_then_without_the_provider_then_for_any_then_the_default() -> None:
    general = {"m": targets("own"), "bare": targets("by bare name"), "*": targets("any")}
    settings = RoutingSettings(num_retries=0, fallbacks=FallbackLists(general=general, default=targets("default")))
    for asked, found in ((("m",), "own"), (("openai/bare",), "by bare name"), (("else",), "any")):
        made = recovery(settings)
        made._asked = asked
        assert told(made.elsewhere(CUT, asked[0])) == (found,)
    wild = {"openai/*": targets("provider"), "openai/gpt-*": targets("family"), "openai/gpt-5": targets("own")}
    settings = msgspec.structs.replace(settings, fallbacks=FallbackLists(general={**wild, **general}))
    expected = {"openai/gpt-5": "own", "openai/gpt-4": "family", "openai/o1": "provider", "x/o1": "any"}
    for name, found in expected.items():
        made = recovery(settings)
        made._asked = (name,)
        assert told(made.elsewhere(CUT, name)) == (found,)
    plain = RoutingSettings(num_retries=0, fallbacks=FallbackLists(default=targets("default")))
    assert told(recovery(plain).next(CUT, LONE, A)) == ("default",)


def test_too_long_a_prompt_and_filtered_content_have_lists_of_their_own() -> None:
    every = FallbackLists(
        general={"m": targets("g")}, context_window={"m": targets("long")}, content_policy={"m": targets("free")}
    )
    settings = RoutingSettings(fallbacks=every)
    assert told(recovery(settings).next(TOO_LONG, LONE, A)) == ("long",)
    assert told(recovery(settings).next(FILTERED, LONE, A)) == ("free",)
    assert told(recovery(settings).next(Malformed("long", code="context_length_exceeded"), LONE, A)) == ("long",)
    only_general = RoutingSettings(fallbacks=lists(general=targets("g")))
    assert told(recovery(only_general).next(TOO_LONG, LONE, A)) == ("g",)
    assert told(recovery(only_general).next(upstream_failure(400, "wrong"), LONE, A)) is None


def test_the_special_ones_come_before_what_is_left_of_the_others() -> None:
    every = FallbackLists(general={"m": targets("x", "y")}, context_window={"x": targets("long")})
    made = recovery(RoutingSettings(num_retries=0, fallbacks=every))
    step = made.next(CUT, LONE, A)
    assert isinstance(step, Elsewhere)
    made.drop(step.hops[0])
    assert told(made.elsewhere(TOO_LONG, "x")) == ("long", "y")


def test_who_stands_in_may_have_fallbacks_too_and_nobody_comes_twice() -> None:
    every = FallbackLists(general={"m": targets("x"), "x": targets("m", "x", "y")})
    made = recovery(RoutingSettings(num_retries=0, fallbacks=every))
    step = made.next(CUT, LONE, A)
    assert isinstance(step, Elsewhere)
    made.drop(step.hops[0])
    assert told(made.elsewhere(CUT, "x")) == ("y",)


def test_a_request_names_its_own_or_will_have_none() -> None:
    settings = RoutingSettings(num_retries=0, fallbacks=lists(general=targets("x")))
    step = recovery(settings, RoutingRules(fallbacks=targets("mine"))).next(CUT, LONE, A)
    assert told(step) == ("mine",) and isinstance(step, Elsewhere) and step.hops[0].asked_for
    step = recovery(settings).next(CUT, LONE, A)
    assert isinstance(step, Elsewhere) and not step.hops[0].asked_for
    assert recovery(settings, RoutingRules(disable_fallbacks=True)).next(CUT, LONE, A) is None
    assert recovery(settings, RoutingRules(fallbacks=())).next(CUT, LONE, A) is None, "its own list is empty"
    own = RoutingRules(context_window_fallbacks=targets("long"), content_policy_fallbacks=targets("free"))
    assert told(recovery(settings, own).next(TOO_LONG, LONE, A)) == ("long",)
    assert told(recovery(settings, own).next(FILTERED, LONE, A)) == ("free",)


def test_the_same_model_with_other_words_is_another_target() -> None:
    again = Target("m", {"temperature": msgspec.Raw(b"0")})
    settings = RoutingSettings(num_retries=0, fallbacks=lists(general=(Target("m"), again)))
    assert told(recovery(settings).next(CUT, LONE, A)) == ("m",)


def test_for_a_name_that_nobody_serves_the_default_stands_in() -> None:
    settings = RoutingSettings(fallbacks=lists(default=targets("spare")))
    unknown = Malformed("not served", code="model_not_found")
    assert told(recovery(settings).elsewhere(unknown, "m")) == ("spare",)
    resting = LimitReached("all rest", retry_after=3.0, code="no_deployments_available")
    assert told(recovery(settings).elsewhere(resting, "m")) == ("spare",)
