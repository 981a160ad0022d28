"""The chart of the simulator: for the largest fleet, what each strategy costs those who wait and those who pay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.chart import Panel, render
from simulator.traffic import Scenario
from simulator.world import Outcome

__all__ = ["panels", "write_picture"]


def write_picture(scenarios: Sequence[Scenario], outcomes: Sequence[Outcome], path: Path) -> None:
    """Writes the chart."""
    hours = scenarios[0].seconds / 3600.0 if scenarios else 0.0
    subtitle = f"a synthetic day of {hours:.0f} h, the product's own router over simulated hosts"
    path.write_text(render(panels(outcomes), subtitle, "Strategies of routing: shorter is better, logarithmic scale"))


def panels(outcomes: Sequence[Outcome]) -> list[Panel]:
    """One per figure and number of hosts, for all that have something to show."""

    def panel(title: str, unit: str, hosts: int, value: Callable[[Outcome], float]) -> Panel:
        bars = [(one.strategy, value(one)) for one in outcomes if one.hosts == hosts and value(one) > 0]
        return Panel(f"{title}, {hosts} hosts", unit, sorted(bars, key=lambda bar: bar[1]))

    fleets = [hosts for hosts in dict.fromkeys(one.hosts for one in outcomes) if hosts > 1]
    found = [panel("Models loaded per hour", "loads", hosts, lambda one: one.loads_per_hour) for hosts in fleets]
    for hosts in fleets[-1:]:
        found.append(panel("Wait, 95th percentile", "s", hosts, lambda one: one.wait_p95))
        found.append(panel("First token, median", "s", hosts, lambda one: one.first_token_p50))
        found.append(panel("Energy of the day", "kWh", hosts, lambda one: one.kwh))
    return [one for one in found if one.bars]
