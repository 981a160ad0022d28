"""What is said of few deployments: limits by direction and day, hours for some teams, what they are for."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pointsman.core.errors import LimitReached, Malformed
from pointsman.core.terms import AccessWindow, Terms
from pointsman.core.upstream import Operation
from pointsman.core.usage import Usage
from pointsman.routing.candidates import Dropped, candidates
from pointsman.routing.router import Router
from pointsman.routing.terms import Tallies, kept_away
from pointsman.routing.wish import Wish
from tests.unit.routing.fleet_script import WISH, deployment, member, router, the_pool, wish

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC).timestamp()
BERLIN = ZoneInfo("Europe/Berlin")


def tallies(**limits: Any) -> tuple[Tallies, list[float]]:
    clock = [NOON]
    return Tallies(Terms(**limits), lambda: clock[0]), clock


def choose(made: Router, asked: Wish = WISH, now: float = 1.0) -> str:
    return made.choose(the_pool(made), asked, now)[0].deployment.id


def test_tokens_are_counted_by_direction_and_what_a_cache_had_is_not() -> None:
    made, _ = tallies(itpm=1_000, otpm=1_000)
    made.began(900, 200, 1)
    assert made.reached(WISH, 1) is None
    assert made.reached(wish(prompt_tokens=200), 1) == "itpm 900+200/1000"
    made.ended(900, 200, Usage(900, 950, cached=800), 1, 2)
    assert made.reached(wish(prompt_tokens=200, output_limit=10), 2) is None
    assert made.reached(wish(output_limit=60), 2) == "otpm 950+60/1000"
    assert made.reached(WISH, 2) == "otpm 950+250/1000", "a quarter is reserved where the request says nothing"
    assert made.reached(WISH, 64) is None


def test_days_begin_when_they_are_said_to() -> None:
    made, clock = tallies(rpd=2, tpd=100, day_begins=13 * 3600)
    made.began(1, None, 1)
    made.began(1, None, 1)
    assert made.reached(WISH, 1) == "rpd 2/2"
    assert made.seconds_until("rpd", WISH, 1) == 3600.0
    clock[0] += 3600
    assert made.reached(WISH, 1) is None
    made.ended(1, None, Usage(90, 10), 1, 1)
    assert made.reached(WISH, 1) == "tpd 100/100"
    clock[0] += 86_400
    assert made.reached(WISH, 1) is None


def test_one_at_its_limit_is_passed_over_and_refused_only_where_limits_are_to_be_kept() -> None:
    made = router(deployment("a", terms=Terms(rpd=1)), deployment("b"))
    assert choose(made) == "a"
    assert {choose(made) for _ in range(3)} == {"b"}
    alone = router(deployment("a", terms=Terms(rpd=1)), strict_limits=True)
    assert choose(alone) == "a"
    with pytest.raises(LimitReached, match="requests a day") as refused:
        choose(alone)
    assert 0 < (refused.value.retry_after or 0.0) <= 86_400


@pytest.mark.parametrize(
    ("hours", "team", "open_to"),
    [((8, 18), "t", True), ((8, 18), "other", False), ((8, 18), None, False), ((18, 8), None, True),
     ((22, 14), None, False), ((14, 22), None, True), ((13, 14), None, False)],
)  # fmt: skip
def test_in_their_hours_some_teams_have_a_deployment_for_themselves(
    hours: tuple[int, int], team: str | None, open_to: bool
) -> None:
    window = AccessWindow(time(hours[0]), time(hours[1]), BERLIN, frozenset({"t"}))  # noon is 13:00 in Berlin
    told = kept_away(Terms(windows=(window,)), wish(team_id=team), NOON)
    assert told == (None if open_to else f"reserved until {hours[1]:02}:00 Europe/Berlin")


def test_who_is_reserved_for_others_is_said_so() -> None:
    always = tuple(AccessWindow(time(at), time((at + 12) % 24), BERLIN, frozenset({"t"})) for at in (0, 12))
    made = router(deployment("a", terms=Terms(windows=always)))
    with pytest.raises(Malformed, match="reserved until"):
        choose(made)
    assert choose(made, wish(team_id="t")) == "a"


def test_what_is_for_something_else_gets_no_conversations() -> None:
    terms = Terms(endpoints=("/v1/embeddings", "/rerank"))
    made = router(deployment("a", terms=terms), deployment("b"))
    assert {choose(made) for _ in range(4)} == {"b"}
    with pytest.raises(Malformed, match="Supported endpoints: /v1/embeddings,/rerank"):
        choose(router(deployment("a", terms=terms)))
    assert kept_away(Terms(endpoints=("/v1/chat/completions",)), wish(), NOON) is None


@pytest.mark.parametrize(
    ("given", "fits"),
    [(["a", "b"], True), (["a", "b", "c"], False), ("abc", True), ([1, 2, 3], True), ([[1], [2], [3]], False)],
)  # fmt: skip
def test_more_texts_than_a_deployment_takes_go_elsewhere(given: Any, fits: bool) -> None:
    asked = wish(body={"input": given}, operation=Operation.EMBEDDING)
    made = router(deployment("a", mode="embedding", terms=Terms(embedding_inputs_max=2)))
    dropped: list[Dropped] = []
    assert bool(candidates(the_pool(made), asked, 0.0, (), dropped)) is fits
    assert [reason for _, reason in dropped] == ([] if fits else ["batch 3/2"])


def test_what_is_counted_outlives_a_reload_and_new_limits_hold() -> None:
    made = router(deployment("a", terms=Terms(rpd=1)), deployment("b"))
    choose(made)
    made.follow(router(deployment("a", terms=Terms(rpd=2)), deployment("b")).table)
    assert choose(made) == "a"
    meter = member(made, "a").live.meter
    assert meter is not None and meter.tallies is not None and meter.tallies.day_requests == 2
