"""Who comes into question for a request, and what is said when nobody does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Forbidden, LimitReached, Malformed
from pointsman.core.price import FREE
from pointsman.core.upstream import Operation
from pointsman.routing.candidates import Dropped, candidates
from pointsman.routing.queue import Ticket
from pointsman.routing.router import Router
from pointsman.routing.settings import TagRules
from pointsman.routing.wish import Wish
from tests.unit.routing.fleet_script import WISH, deployment, fleet, ids, local, member, router, the_pool, wish


def found(made: Router, asked: Wish = WISH, now: float = 0.0, tried: tuple[str, ...] = ()) -> list[str]:
    return sorted(ids(candidates(the_pool(made), asked, now, tried)))


def reasons(made: Router, asked: Wish = WISH, now: float = 0.0, tried: tuple[str, ...] = ()) -> dict[str, str]:
    dropped: list[Dropped] = []
    candidates(the_pool(made), asked, now, tried, dropped)
    return {one.deployment.id: reason for one, reason in dropped}


class TestOrder:
    @pytest.fixture
    def made(self) -> Router:
        return router(deployment("c"), deployment("b2", order=2), deployment("b", order=2), deployment("a", order=1))

    def test_the_lowest_goes_first_and_none_last(self, made: Router) -> None:
        assert found(made) == ["a"]
        assert reasons(made) == {"b": "order 2", "b2": "order 2", "c": "order None"}

    def test_the_next_follows_when_all_of_one_rest(self, made: Router) -> None:
        member(made, "a").live.rests_until = 10.0
        assert found(made) == ["b", "b2"]
        assert reasons(made)["a"] == "resting 10.0 s"

    def test_the_next_follows_when_all_of_one_were_tried(self, made: Router) -> None:
        assert found(made, tried=("a",)) == ["b", "b2"]
        assert found(made, tried=("a", "b")) == ["b2"]
        assert found(made, tried=("a", "b", "b2")) == ["c"]

    def test_the_first_is_tried_again_when_all_were(self, made: Router) -> None:
        assert found(made, tried=("a", "b", "b2", "c")) == ["a"]


class TestLimits:
    def test_one_that_had_its_requests_is_passed_over(self) -> None:
        made = router(deployment("a", rpm=2, weight=2), deployment("b", rpm=100, weight=100), strategy="round-robin")
        chosen = [made.choose(the_pool(made), WISH, 1.0)[0].deployment.id for _ in range(50)]
        assert chosen.count("a") <= 2
        member(made, "a").live.meter.requests.add(2, 1)  # type: ignore[union-attr]
        assert found(made, now=1.0) == ["b"]
        assert reasons(made, now=1.0)["a"].startswith("rpm ")
        assert found(made, now=63.0) == ["a", "b"]

    def test_of_tokens_the_prompt_counts(self) -> None:
        made = router(deployment("a", tpm=150), deployment("b", tpm=1000))
        assert found(made) == ["a", "b"]
        made.choose(the_pool(made), WISH, 0.0)
        assert found(made) == ["b"]
        assert reasons(made) == {"a": "tpm 100+100/150"}

    def test_what_was_used_counts_in_place_of_what_was_expected(self) -> None:
        made = router(deployment("a", tpm=1000), deployment("b", tpm=1000))
        made.choose(the_pool(made), WISH, 1.0)
        meter = member(made, "a").live.meter
        assert meter is not None
        meter.ended(100, 950, 1.0, 3.0)
        assert meter.tokens_used(3) == 950
        assert found(made, now=3.0) == ["b"]

    def test_a_limit_that_is_only_known_is_no_reason_to_refuse(self) -> None:
        made = router(deployment("a", rpm=1), deployment("b", rpm=1))
        for _ in range(5):
            made.choose(the_pool(made), WISH, 0.0)

    @pytest.mark.parametrize("settings", [{"strict_limits": True}, {"strategy": "usage-based-routing"}])
    @pytest.mark.parametrize("count", [1, 2])
    def test_a_limit_that_is_to_be_kept_is(self, settings: dict[str, Any], count: int) -> None:
        made = router(*(deployment(str(number), rpm=3) for number in range(count)), **settings)
        for _ in range(3 * count):
            made.choose(the_pool(made), WISH, 10.0)
        with pytest.raises(LimitReached) as refused:
            made.choose(the_pool(made), WISH, 30.0)
        assert refused.value.status == 429
        assert refused.value.retry_after == pytest.approx(41.0, abs=1.0)
        assert "requests a minute" in refused.value.message
        made.choose(the_pool(made), WISH, 72.0)

    def test_no_more_at_once_than_it_may_have(self) -> None:
        made = router(deployment("a", max_parallel_requests=2), deployment("b"), parallel_per_deployment=3)
        member(made, "a").live.in_flight = 2
        assert found(made) == ["b"]
        assert reasons(made) == {"a": "parallel 2/2"}
        member(made, "b").live.in_flight = 3
        with pytest.raises(LimitReached, match="at once"):
            made.choose(the_pool(made), WISH, 0.0)

    def test_a_single_one_has_its_bound_too(self) -> None:
        made = router(deployment("a", max_parallel_requests=1))
        made.choose(the_pool(made), WISH, 0.0)
        member(made, "a").live.in_flight = 1
        with pytest.raises(LimitReached):
            made.choose(the_pool(made), WISH, 0.0)


class TestTags:
    @pytest.fixture
    def made(self) -> Router:
        return router(
            deployment("free", tags=("free",)),
            deployment("paid", tags=("paid", "fast")),
            deployment("rest", tags=("default",)),
            deployment("bare"),
            tags=TagRules(enabled=True),
        )

    @pytest.mark.parametrize(
        ("tags", "served"),
        [
            (["free"], ["free"]),
            (["fast"], ["paid"]),
            (["free", "paid"], ["free", "paid"]),
            (["unknown"], ["rest"]),
            ([], ["rest"]),
            (["!default"], ["bare", "free", "paid"]),
            (["free", "paid", "!fast"], ["free"]),
        ],
    )
    def test_they_decide_as_in_litellm(self, made: Router, tags: list[str], served: list[str]) -> None:
        assert found(made, wish(tags=tags)) == served
        assert found(made, wish(tags=tags)) == served, "what is remembered is the same"

    def test_those_of_the_key_count_as_well(self, made: Router) -> None:
        assert found(made, Wish(Operation.CHAT, tags=("paid",))) == ["paid"]

    def test_all_must_fit_if_any_is_not_enough(self) -> None:
        made = router(
            deployment("paid", tags=("paid",)),
            deployment("both", tags=("paid", "fast")),
            tags=TagRules(enabled=True, match_any=False),
        )
        assert found(made, wish(tags=["paid", "fast"])) == ["both"]

    def test_without_one_that_fits_the_refusal_is_litellms(self) -> None:
        made = router(deployment("a", tags=("a",)), tags=TagRules(enabled=True))
        with pytest.raises(Forbidden, match="Not allowed to access model due to tags configuration") as refused:
            made.choose(the_pool(made), wish(tags=["b"]), 0.0)
        assert refused.value.status == 401

    @pytest.mark.parametrize(("said", "usual"), [(b"true", False), (b"false", True)])
    def test_a_model_has_a_switch_of_its_own(self, said: bytes, usual: bool) -> None:
        told = {"enable_tag_filtering": msgspec.Raw(said)}
        made = router(
            deployment("a", tags=("a",), told=told), deployment("b", tags=("b",)), tags=TagRules(enabled=usual)
        )
        both = ["a", "b"]
        assert found(made, wish(tags=["b"])) == (both if usual else ["b"])
        made.leave_out(frozenset({"a"}))
        if usual:
            made.leave_out(frozenset({"b"}))
            assert found(made, wish(tags=["b"])) == ["a"], "even what is left out for its health says it"
        else:
            with pytest.raises(Forbidden):
                made.choose(the_pool(made), wish(tags=["a"]), 0.0)

    @pytest.mark.parametrize(
        ("tags", "key_tags", "served"),
        [
            (["&eu", "&fast"], (), ["rest"]),
            (["!default", "!eu", "!fast"], (), ["rest"]),
            (["&eu"], (), ["eu"]),
            (["&invented"], (), ["rest"]),
            (["&eu", "&invented"], (), None),
            (["!eu"], ("&eu",), ["eu"]),
            ([], ("&us",), None),
        ],
    )
    def test_a_model_may_be_served_whatever_tags_are_asked_for(
        self, tags: list[str], key_tags: tuple[str, ...], served: list[str] | None
    ) -> None:
        """Each as LiteLLM 1.109.1 does with ``allow_fail_open``; what a key is kept to holds."""
        told = {"allow_fail_open": msgspec.Raw(b"true")}
        made = router(
            deployment("eu", tags=("eu",), told=told),
            deployment("fast", tags=("fast",)),
            deployment("rest", tags=("default",)),
            tags=TagRules(enabled=True),
        )
        asked = Wish(Operation.CHAT, rules=wish(tags=tags).rules, tags=key_tags)
        if served is None:
            with pytest.raises(Forbidden):
                made.choose(the_pool(made), asked, 0.0)
        else:
            assert found(made, asked) == served

    def test_switched_off_they_say_nothing(self) -> None:
        made = router(deployment("a", tags=("a",)), deployment("b", tags=("b",)))
        assert found(made, wish(tags=["a"])) == ["a", "b"]


class TestPrices:
    def test_what_has_no_price_is_not_used_where_the_operator_wants_one(self) -> None:
        made = router(deployment("unknown"), deployment("free", price=FREE), needs_price=True)
        assert found(made) == ["free"]
        assert reasons(made)["unknown"] == "unpriced"
        assert found(router(deployment("unknown"), deployment("free", price=FREE))) == ["free", "unknown"]

    def test_a_model_that_nobody_knows_the_price_of_is_refused_as_by_litellm(self) -> None:
        made = router(deployment("unknown"), needs_price=True)
        with pytest.raises(Forbidden, match="has no price") as refused:
            made.choose(the_pool(made), WISH, 0.0)
        assert (refused.value.status, refused.value.kind) == (403, "model_cost_map_missing")


class TestFitness:
    def test_a_teams_own_is_for_that_team(self) -> None:
        made = router(deployment("ours", team_id="t1"), deployment("all"))
        assert found(made, wish(team_id="t1")) == ["all", "ours"]
        assert found(made, wish(team_id="t2")) == ["all"]
        assert reasons(made) == {"ours": "team t1 only"}

    def test_one_that_is_only_a_teams_is_refused_to_others(self) -> None:
        made = router(deployment("ours", team_id="t1"))
        assert made.choose(the_pool(made), wish(team_id="t1"), 0.0)[0].deployment.id == "ours"
        with pytest.raises(Forbidden):
            made.choose(the_pool(made), WISH, 0.0)

    def test_each_member_is_for_those_who_may_use_it(self) -> None:
        made = router(deployment("a", access_groups=frozenset({"x"})), deployment("b", access_groups=frozenset({"y"})))
        allowed = wish(admits=lambda one: "y" in one.access_groups)
        assert found(made, allowed) == ["b"]
        assert reasons(made, allowed) == {"a": "access needs x"}
        assert the_pool(made).access_groups == {"x", "y"}

    def test_a_prompt_that_is_too_long_goes_where_it_fits(self) -> None:
        made = router(deployment("s", context_tokens=50), deployment("l", context_tokens=500), pre_call_checks=True)
        assert found(made) == ["l"]
        assert reasons(made) == {"s": "context 100/50"}

    def test_and_is_refused_with_the_numbers_where_it_fits_nowhere(self) -> None:
        made = router(deployment("s", context_tokens=50), deployment("l", context_tokens=80), pre_call_checks=True)
        with pytest.raises(Malformed, match=r"80 tokens.*100") as refused:
            made.choose(the_pool(made), WISH, 0.0)
        assert (refused.value.status, refused.value.code) == (400, "context_length_exceeded")

    def test_what_a_request_needs_decides_where_only_some_have_it(self) -> None:
        sees, calls = frozenset({"vision", "tools"}), frozenset({"tools"})
        made = router(
            deployment("sees", capabilities=sees), deployment("blind", capabilities=calls), deployment("unknown")
        )
        picture = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]}
        assert found(made, wish(body=picture)) == ["sees", "unknown"]
        assert reasons(made, wish(body=picture)) == {"blind": "unable vision"}
        assert found(made, wish(body={"messages": [], "tools": [{"type": "function"}]})) == ["blind", "sees", "unknown"]

    def test_but_one_that_is_not_known_to_have_it_is_better_than_none(self) -> None:
        made = router(
            deployment("a", capabilities=frozenset({"vision"})), deployment("b", capabilities=frozenset({"tools"}))
        )
        member(made, "b").live.rests_until = 9.0
        assert found(made, wish(body={"tools": [{"type": "function"}]})) == ["a"]

    def test_a_model_is_used_for_what_it_is_for(self) -> None:
        made = router(deployment("talks"), deployment("embeds", mode="embedding"))
        assert found(made) == ["talks"]
        assert found(made, Wish(Operation.EMBEDDING)) == ["embeds"]

    def test_a_host_that_is_gone_is_left_alone_while_another_is_there(self) -> None:
        made = router(local("a"), local("b"))
        hosts = fleet(made, a={"online": False}, b={})
        assert found(made) == ["b"]
        assert reasons(made) == {"a": "offline"}
        hosts["b"].online = False
        assert found(made) == ["a", "b"]

    def test_so_is_one_whose_line_is_full(self) -> None:
        made = router(local("a"), local("b"))
        line = made.fleet.queue_of(fleet(made, a={"queue_max": 1}, b={})["a"])
        assert found(made) == ["a", "b"]
        for number in range(2):
            line.enter(Ticket("real", "g", f"key {number}", 0.0), 0.0)
        assert found(made) == ["b"]
        assert reasons(made) == {"a": "queue full 1"}


@given(
    st.lists(st.tuples(st.integers(0, 2) | st.none(), st.booleans(), st.booleans()), min_size=1, max_size=8),
)
def test_whoever_is_found_is_awake_and_nobody_is_both_found_and_dropped(
    members: list[tuple[int | None, bool, bool]],
) -> None:
    made = router(*(deployment(str(number), order=order) for number, (order, _, _) in enumerate(members)))
    tried = []
    for number, (_, rests, was_tried) in enumerate(members):
        member(made, str(number)).live.rests_until = 5.0 if rests else 0.0
        if was_tried:
            tried.append(str(number))
    dropped: list[Dropped] = []
    chosen = ids(candidates(the_pool(made), WISH, 1.0, tried, dropped))
    assert sorted([*chosen, *ids(one for one, _ in dropped)]) == sorted(map(str, range(len(members))))
    awake = [str(number) for number, (_, rests, _) in enumerate(members) if not rests]
    assert set(chosen) <= set(awake)
    assert bool(chosen) == bool(awake)
    if any(one not in tried for one in awake):
        assert not set(chosen) & set(tried)
    assert chosen == ids(candidates(the_pool(made), WISH, 1.0, tried))


def test_a_machine_of_ones_own_that_rests_is_tried_by_those_only_who_may_use_it() -> None:
    made = router(local("ours", team_id="t1"), deployment("all", context_tokens=50), pre_call_checks=True)
    for one in the_pool(made).members:
        one.live.rests_until = 9.0
    assert made.choose(the_pool(made), wish(team_id="t1"), 1.0)[1] == "resting"
    with pytest.raises(Malformed):
        made.choose(the_pool(made), wish(team_id="t2"), 1.0)
