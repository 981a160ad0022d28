"""What a host draws is shared out among its calls, to the milliwatt-hour."""

from __future__ import annotations

import pytest

from pointsman.routing.power import NO_ENERGY, Energy, Power


def test_a_hundred_seconds_at_350_watts_are_9_7_watt_hours() -> None:
    draw = Power(watts_busy=350, watts_idle=60, price_kwh=0.23).begin(1000.0)
    energy = draw.end(1100.0)
    assert energy.mwh == 9722
    assert energy.cost == pytest.approx(9.722e-3 * 0.23 * 1e12)


def test_calls_at_the_same_time_share_evenly() -> None:
    power = Power(watts_busy=360)
    first = power.begin(0.0)
    second = power.begin(10.0)
    assert first.end(30.0).mwh == 2000  # 10 s alone and half of 20 s
    assert second.end(50.0).mwh == 3000  # half of 20 s and 20 s alone
    assert power.busy_seconds == 50.0


def test_what_a_host_draws_between_calls_is_nobodys() -> None:
    power = Power(watts_busy=360)
    assert power.begin(0.0).end(10.0).mwh == 1000
    assert power.begin(500.0).end(510.0).mwh == 1000
    assert power.busy_seconds == 20.0


def test_short_calls_add_up() -> None:
    power = Power(watts_busy=36)
    parts = [power.begin(float(second)).end(second + 0.01).mwh for second in range(100)]
    assert sum(parts) in {9, 10}
    assert max(parts) == 1


def test_a_second_end_counts_nothing() -> None:
    power = Power(watts_busy=360)
    draw = power.begin(0.0)
    assert draw.end(10.0) == Energy(1000)
    assert draw.end(20.0) is NO_ENERGY
    assert power.running == 0


def test_a_clock_that_stands_or_errs_takes_nothing_back() -> None:
    power = Power(watts_busy=360)
    draw = power.begin(10.0)
    assert draw.end(5.0).mwh == 0


def test_idle_time_counts_while_the_host_is_seen_awake() -> None:
    power = Power(watts_busy=360, watts_idle=60)
    power.look(1000.0, awake=True)  # nothing is known of what was before
    power.look(1060.0, awake=True)
    assert power.idle_watt_hours == 1.0
    draw = power.begin(1060.0)
    power.look(1070.0, awake=True)
    draw.end(1080.0)
    assert power.idle_watt_hours == 1.0
    power.look(1140.0, awake=False)
    assert power.idle_watt_hours == 2.0
    power.look(2000.0, awake=True)
    assert power.idle_watt_hours == 2.0
