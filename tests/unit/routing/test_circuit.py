"""A circuit breaker."""

from __future__ import annotations

from pointsman.routing.circuit import Circuit


def test_it_is_closed_then_open_then_half_open_for_one_probe_at_a_time_then_closed() -> None:
    circuit = Circuit()
    assert circuit.admits(10.0) and circuit.state(10.0) == "closed"
    circuit.open(10.0, 5.0)
    assert not circuit.admits(14.9) and circuit.state(14.9) == "open"
    assert circuit.admits(15.0) and circuit.state(15.0) == "half-open"
    circuit.probe(15.0)
    assert not circuit.admits(15.1), "one is enough"
    circuit.answered(15.0)
    assert circuit.admits(15.1) and circuit.state(15.1) == "closed"


def test_a_probe_that_fails_opens_it_again() -> None:
    circuit = Circuit()
    circuit.open(10.0, 5.0)
    circuit.probe(15.0)
    circuit.open(16.0, 5.0)
    assert not circuit.admits(20.9) and circuit.admits(21.0)


def test_of_two_moments_the_later_one_counts() -> None:
    circuit = Circuit()
    circuit.open(10.0, 60.0)
    circuit.open(11.0, 5.0)
    assert not circuit.admits(69.0) and circuit.admits(70.0)


def test_an_answer_to_what_was_sent_before_it_opened_proves_nothing() -> None:
    circuit = Circuit()
    circuit.open(10.0, 5.0)
    circuit.answered(9.0)
    assert circuit.state(11.0) == "open"
    circuit.answered(10.5)
    assert circuit.state(11.0) == "closed"


def test_a_probe_that_never_ends_holds_up_others_for_half_a_minute_at_most() -> None:
    circuit = Circuit()
    circuit.open(10.0, 5.0)
    circuit.probe(15.0)
    assert not circuit.admits(44.0) and circuit.admits(45.0)
