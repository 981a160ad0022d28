"""Why a request went where it went: in the header of its answer, and with its record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Broken, TimedOut
from pointsman.core.rules import Target
from pointsman.core.trace import Dropped, FailedAttempt
from pointsman.lifecycle.trail import Trail, route_line, usual_route_line
from pointsman.routing.settings import FallbackLists, RoutingSettings
from tests.unit.lifecycle.house_script import UPSTREAM_KEY, ScriptedFlight, Stage, chat_body, deployment
from tests.unit.lifecycle.openai_words import GOOD, LAST, chunk, refusal

TWO = (deployment(), deployment(id="dep-2"))


def told(head: bytes) -> str:
    (line,) = [line for line in head.decode().split("\r\n") if line.startswith("x-pointsman-route: ")]
    return line.removeprefix("x-pointsman-route: ")


@pytest.mark.parametrize("stream", [False, True])
def test_of_a_lone_deployment_at_the_first_attempt_nothing_is_kept(stream: bool) -> None:
    stage = Stage()
    stage.sender.act = lambda flight: flight.answer(chunk("a") + LAST if stream else GOOD)
    _, client = stage.tell(chat_body(stream=stream))
    assert told(client.head) == "dep-1;reason=only;attempts=1"
    assert stage.record.trace is None


def test_a_lone_deployment_that_failed_has_nothing_to_add_to_its_record() -> None:
    stage = Stage()
    stage.sender.act = lambda flight: flight.answer(refusal("no"), 500)
    _, client = stage.tell(chat_body())
    assert told(client.head) == "dep-1;reason=only;attempts=1" and stage.record.trace is None


@pytest.mark.parametrize("stream", [False, True])
def test_of_several_it_is_told_who_was_chosen_and_why(stream: bool) -> None:
    stage = Stage(*TWO, routing=RoutingSettings())
    stage.sender.act = lambda flight: flight.answer(chunk("a") + LAST if stream else GOOD)
    _, client = stage.tell(chat_body(stream=stream))
    assert told(client.head) == f"{stage.record.deployment_id};reason=shuffle;attempts=1"
    trace = stage.record.trace
    assert trace is not None
    assert (trace.reason, trace.strategy, trace.candidates, trace.dropped) == ("shuffle", "simple-shuffle", 2, ())


def test_it_is_told_who_rested() -> None:
    stage = Stage(*TWO, routing=RoutingSettings())
    pool = stage.house.router.pool("public")
    assert pool is not None
    pool.members[0].live.rests_until = stage.clock.monotonic() + 5
    stage.sender.act = lambda flight: flight.answer(GOOD)
    _, client = stage.tell(chat_body())
    assert told(client.head) == "dep-2;reason=only;attempts=1"
    trace = stage.record.trace
    assert trace is not None
    assert (trace.candidates, trace.dropped, trace.dropped_count) == (1, (Dropped("dep-1", "resting 5.0 s"),), 1)


def test_each_attempt_in_vain_is_kept_with_its_error_and_its_time() -> None:
    stage = Stage(
        deployment(), deployment(id="dep-2", group="spare"),
        routing=RoutingSettings(num_retries=0, fallbacks=FallbackLists(default=(Target("spare"),))),
    )  # fmt: skip

    def act(flight: ScriptedFlight) -> None:
        if len(stage.sender.flights) == 1:
            stage.clock.now += 0.25
            flight.fail(TimedOut("silent"))
        else:
            flight.answer(GOOD)

    stage.sender.act = act
    _, client = stage.tell(chat_body())
    assert told(client.head) == "dep-2;reason=only;attempts=2;fallbacks=spare"
    trace = stage.record.trace
    assert trace is not None
    assert trace.failed == (FailedAttempt("dep-1", "upstream_timeout", 250.0),)
    assert trace.fallbacks == ("spare",)


def test_an_error_answer_tells_of_the_way_too() -> None:
    stage = Stage(*TWO, routing=RoutingSettings(num_retries=1))
    stage.sender.act = lambda flight: flight.answer(refusal("no luck"), 500)
    _, client = stage.tell(chat_body())
    assert told(client.head).endswith(";reason=only;attempts=2")
    trace = stage.record.trace
    assert trace is not None and len(trace.failed) == 2


def test_an_upstream_cannot_write_our_trace() -> None:
    stage = Stage(*TWO, routing=RoutingSettings())

    def act(flight: ScriptedFlight) -> None:
        if len(stage.sender.flights) == 1:
            flight.fail(Broken("gone", code=f"x-{UPSTREAM_KEY}"))
        elif len(stage.sender.flights) == 2:
            flight.fail(Broken("gone", code="http://10.0.0.1/v1 is down\r\n"))
        else:
            flight.answer(GOOD)

    stage.sender.act = act
    stage.tell(chat_body())
    trace = stage.record.trace
    assert trace is not None and [attempt.error for attempt in trace.failed] == ["error", "error"]


@given(st.text(), st.text(), st.text())
def test_no_name_can_begin_a_line_or_a_part_of_its_own(identity: str, reason: str, rule: str) -> None:
    trail = Trail(reason, fallbacks=[rule], rules=(rule,))
    for line in (route_line(deployment(id=identity), trail, 3), usual_route_line(deployment(id=identity))):
        assert line.endswith(b"\r\n") and line.count(b"\r") == line.count(b"\n") == 1
        assert line.count(b";") == (4 if b"rules=" in line else 2) and line.isascii()
