"""Whose turn it is at a local server."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.routing.queue import BATCH_STEPS, HostQueue, QueueRules, Ticket


def queue(slots: int | None = 1, **options: object) -> HostQueue:
    return HostQueue({}, {}, slots=slots, **options)  # type: ignore[arg-type]


def ticket(model: str = "a", key: str = "k", at: float = 0.0, **more: object) -> Ticket:
    return Ticket(model, model, key, at, **more)  # type: ignore[arg-type]


def run(line: HostQueue, seconds: float = 1.0, now: float = 0.0) -> list[Ticket]:
    """Let everything run to its end, one after the other; gives the order in which they had their turn."""
    order: list[Ticket] = list(line.started())
    while line.started():
        now += seconds
        order += line.leave(line.started()[0], now)
    return order


def models(order: list[Ticket]) -> str:
    return "".join(each.model for each in order)


def test_one_slot_and_three_models_run_without_needless_swaps() -> None:
    line = queue()
    for model in "ABAACAB":
        line.enter(ticket(model), 0.0)
    assert models(run(line)) == "AAAABBC"


def test_those_who_want_another_model_are_passed_over_for_a_bounded_time() -> None:
    line = queue(rules=QueueRules(group_wait_seconds=15.0))
    for model in "ABAACAB":
        line.enter(ticket(model), 0.0)
    assert models(run(line, seconds=10.0)) == "AABBAAC"


def test_however_long_the_line_a_model_keeps_its_turn_for_the_bounded_time() -> None:
    """Else a full line, in which everybody has waited for long, would load a model for each request."""
    line = queue(rules=QueueRules(group_wait_seconds=20.0))
    for model in "AB" * 20:
        line.enter(ticket(model), 0.0)
    order = models(run(line, seconds=10.0))
    swaps = sum(one != other for one, other in pairwise(order))
    assert Counter(order) == {"A": 20, "B": 20}
    assert swaps <= 20


def test_what_is_loaded_is_taken_first_when_there_is_nothing_left_to_group() -> None:
    line = queue(is_loaded=lambda model: model == "C")
    for model in "ABCC":
        line.enter(ticket(model), 0.0)
    assert models(run(line)) == "ACCB"


def test_keys_take_turns() -> None:
    line = queue()
    for _ in range(10):
        line.enter(ticket(key="greedy"), 0.0)
    for key in ("modest", "other"):
        line.enter(ticket(key=key), 0.0)
    assert [each.key for each in run(line)][:4] == ["greedy", "modest", "other", "greedy"]


def test_a_key_whose_requests_take_long_has_fewer_of_them() -> None:
    line, now = queue(), 0.0
    for _ in range(30):
        line.enter(ticket(key="slow"), 0.0)
        line.enter(ticket(key="fast"), 0.0)
    used: Counter[str] = Counter()
    for _ in range(20):
        (running,) = line.started()
        seconds = 9.0 if running.key == "slow" else 1.0
        now += seconds
        used[running.key] += int(seconds)
        line.leave(running, now)
    assert abs(used["slow"] - used["fast"]) <= 10


def test_a_heavier_key_gets_more() -> None:
    line = queue()
    for _ in range(30):
        line.enter(ticket(key="heavy", weight=3.0), 0.0)
        line.enter(ticket(key="light"), 0.0)
    first = Counter(each.key for each in run(line)[:20])
    assert 13 <= first["heavy"] <= 16


def test_a_key_that_comes_later_does_not_catch_up_on_what_others_have_had() -> None:
    line, now = queue(), 0.0
    for _ in range(30):
        line.enter(ticket(key="early"), 0.0)
    for _ in range(10):
        now += 5.0
        line.leave(line.started()[0], now)
    for _ in range(10):
        line.enter(ticket(key="late", at=now), now)
    order = []
    for _ in range(10):
        now += 5.0
        (called,) = line.leave(line.started()[0], now)
        order.append(called.key)
    assert Counter(order) == {"early": 5, "late": 5}


def test_interactive_goes_before_batch_and_the_lower_priority_first() -> None:
    line = queue()
    for _ in range(50):
        line.enter(ticket(key="nightly", batch=True), 0.0)
    line.enter(ticket(key="person", priority=3), 0.0)
    line.enter(ticket(key="person", priority=1), 0.0)
    order = run(line)
    assert [each.priority for each in order[1:3]] == [1, 3]
    assert all(each.batch for each in order[3:])


def test_who_waits_becomes_as_important_as_anybody() -> None:
    line = queue(rules=QueueRules(ageing_seconds=10.0))
    line.enter(ticket(), 0.0)
    old = ticket(key="nightly", batch=True)
    line.enter(old, 0.0)
    before, after = ticket(at=BATCH_STEPS * 10.0 - 1), ticket(at=BATCH_STEPS * 10.0 - 1)
    line.enter(before, before.entered_at)
    assert line.leave(line.started()[0], before.entered_at) == [before]
    line.enter(after, after.entered_at)
    assert line.leave(before, BATCH_STEPS * 10.0) == [old]


def test_who_leaves_the_line_leaves_no_trace() -> None:
    line = queue()
    running, waiting = ticket(), ticket("b", key="other")
    line.enter(running, 0.0)
    line.enter(waiting, 0.0)
    assert not line.leave(waiting, 1.0)
    assert not line.leave(waiting, 1.0)
    assert (line.depth, dict(line.waiting), line.started()) == (0, {}, (running,))
    assert not line.leave(running, 2.0)
    assert (dict(line.running), line.started()) == ({}, ())
    assert (line._of_key, line._accounts, line._buckets) == ({}, {}, {}), "nor is it remembered who they were"


def test_a_line_has_an_end() -> None:
    line = queue(waiting_max=2)
    for _ in range(3):
        assert not line.is_full
        line.enter(ticket(), 0.0)
    assert line.is_full
    line.leave(line.started()[0], 1.0)
    assert not line.is_full


def test_those_who_wait_in_other_processes_are_in_the_same_line() -> None:
    line = queue(waiting_max=2)
    line.is_shared = True
    line.enter(ticket(), 0.0)
    assert not line.is_full
    line.waiting_elsewhere = 1
    assert line.is_full


def test_without_slots_nobody_waits() -> None:
    line = queue(slots=None)
    assert all(line.enter(ticket(), 0.0) for _ in range(100))
    assert not line.is_full
    assert line.wait_estimate(10) == 0.0


def test_more_slots_call_more() -> None:
    line = queue()
    for _ in range(4):
        line.enter(ticket(), 0.0)
    line.slots = 3
    assert len(line.advance(1.0)) == 2


def test_how_long_it_will_take_is_estimated_from_what_it_took() -> None:
    line = queue(slots=2)
    first = ticket()
    line.enter(first, 0.0)
    line.leave(first, 8.0)
    assert line.wait_estimate(3) == pytest.approx(16.0)
    assert queue(slots=2).wait_estimate(3, seconds=4.0) == pytest.approx(8.0)


def test_only_those_who_go_first_are_ahead() -> None:
    line = queue()
    for each in (ticket(), ticket(), ticket(priority=2), ticket(batch=True)):
        line.enter(each, 0.0)
    assert (line.ahead(0, 0.0), line.ahead(2, 0.0), line.ahead(BATCH_STEPS, 0.0)) == (1, 2, 3)
    assert line.ahead(0, 25.0) == 2, "who has waited counts as more important"


ARRIVALS = st.lists(
    st.tuples(st.sampled_from("ABCD"), st.sampled_from("xyz"), st.integers(0, 3), st.booleans(), st.integers(0, 20)),
    max_size=60,
)


@given(ARRIVALS, st.integers(1, 4), st.data())
def test_whatever_happens_everybody_has_exactly_one_turn_or_leaves(
    arrivals: list[tuple[str, str, int, bool, int]], slots: int, data: st.DataObject
) -> None:
    line, now = queue(slots=slots), 0.0
    had: list[Ticket] = []
    gone = 0
    inside: list[Ticket] = []
    for model, key, priority, batch, pause in arrivals:
        now += pause
        each = ticket(model, key, now, priority=priority, batch=batch)
        if line.enter(each, now):
            had.append(each)
        inside.append(each)
        if data.draw(st.booleans()):
            leaver = inside.pop(data.draw(st.integers(0, len(inside) - 1)))
            gone += not leaver.started_at and leaver not in had
            had += line.leave(leaver, now)
        assert len(line.started()) <= slots
        assert len(line.started()) == slots or line.depth == 0, "no slot is idle while somebody waits"
        assert sum(line.waiting.values()) == line.depth == len(list(line.waiters()))
        assert sum(line.running.values()) == len(line.started())
    while line.started():
        now += 5.0
        had += line.leave(line.started()[0], now)
    assert len(had) == len(set(had)) == len(arrivals) - gone
    assert (line.depth, dict(line.running), dict(line.waiting)) == (0, {}, {})


@given(st.lists(st.sampled_from("ABCD"), min_size=1, max_size=40), st.integers(0, 30))
def test_nobody_is_passed_over_for_ever(others: list[str], waits: int) -> None:
    """A stream of newcomers for other models and of other keys does not keep anybody from its turn."""
    rules = QueueRules(group_wait_seconds=float(waits))
    line = queue(rules=rules)
    line.enter(ticket("A", "flood"), 0.0)
    patient = ticket("Z", "patient", 0.0, priority=2)
    line.enter(patient, 0.0)
    now, place = 0.0, 0
    while not patient.started_at:
        for _ in range(2):
            line.enter(ticket(others[place % len(others)], f"flood{place % 3}", now), now)
            place += 1
        now += 1.0
        line.leave(line.started()[0], now)
        # Two steps of ageing, one bounded time of each other model, and a turn of each key.
        assert now <= 20.0 + 5 * (waits + 1) + 10
    assert patient.expires_at == inf
