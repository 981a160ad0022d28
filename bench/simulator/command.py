"""The command ``bench/routing``: plays scenarios, prints a table, writes JSON and a chart, checks the promises."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from simulator.picture import write_picture
from simulator.scale import BOUND_MICROSECONDS, Pace, measure
from simulator.traffic import DAY_SECONDS, Scenario, arrivals
from simulator.world import STRATEGIES, Outcome, play

__all__ = ["Report", "broken_promises", "main"]

_LOADS_SHARE_MAX: Final = 0.34
"""How many of the others' model loads warm-first may need at the most, on more than one host."""


class Report(msgspec.Struct, frozen=True):
    """Everything measured."""

    scenarios: tuple[Scenario, ...]
    outcomes: tuple[Outcome, ...]
    paces: tuple[Pace, ...] = ()


def main(arguments: Sequence[str]) -> int:
    """Run it; the exit status."""
    options = _options(arguments)
    scenarios = tuple(
        Scenario(hosts, seconds=options.hours * 3600.0, load=options.load, seed=options.seed) for hosts in options.hosts
    )
    outcomes: list[Outcome] = []
    for scenario in scenarios:
        traffic = arrivals(scenario)
        print(f"\n{scenario.hosts} hosts, {scenario.models} models, {len(traffic)} requests")
        print(_HEAD)
        for trial in STRATEGIES:
            outcomes.append(play(scenario, trial, traffic))
            print(_row(outcomes[-1]), flush=True)
    paces = () if options.no_scale else (_fleet_pace(), _worst_pace())
    for pace in paces:
        print(f"\n{pace.title}: {pace.mean:.1f} µs CPU a decision (p50 {pace.p50:.1f}, p99 {pace.p99:.1f})")
    report = Report(scenarios, tuple(outcomes), paces)
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    if options.chart:
        write_picture(report.scenarios, report.outcomes, options.chart)
    broken = broken_promises(report)
    for promise in broken:
        print(f"missed: {promise}", file=sys.stderr)
    return 1 if options.check and broken else 0


def broken_promises(report: Report) -> list[str]:
    """What was promised and is not so."""
    broken = []
    by_name = {(outcome.hosts, outcome.strategy): outcome for outcome in report.outcomes}
    for scenario in report.scenarios:
        if scenario.hosts == 1:
            continue
        warm = by_name[scenario.hosts, "warm first"]
        for name in ("random", "round robin", "least busy", "latency"):
            other = by_name[scenario.hosts, name]
            if warm.loads > _LOADS_SHARE_MAX * other.loads:
                broken.append(f"{scenario.hosts} hosts: {warm.loads} loads, {name} has {other.loads}")
            if warm.wait_p95 > other.wait_p95:
                broken.append(f"{scenario.hosts} hosts: p95 wait {warm.wait_p95:.1f} s, {name} {other.wait_p95:.1f} s")
    broken += [
        f"{pace.title}: {pace.mean:.1f} µs a decision" for pace in report.paces if pace.mean > BOUND_MICROSECONDS
    ]
    return broken


_HEAD: Final = (
    f"{'strategy':25}{'wait p50':>9}{'p95 s':>9}{'token p50':>10}{'p95 s':>9}{'loads/h':>9}{'busy':>6}"
    f"{'Jain':>7}{'cached':>8}{'kWh':>8}{'USD':>8}"
)


def _row(one: Outcome) -> str:
    return (
        f"{one.strategy:25}{one.wait_p50:9.2f}{one.wait_p95:9.2f}{one.first_token_p50:10.2f}{one.first_token_p95:9.2f}"
        f"{one.loads_per_hour:9.1f}{one.busy_share:6.2f}{one.fairness:7.3f}{one.cached_share:8.2f}{one.kwh:8.1f}"
        f"{one.energy_cost:8.2f}"
    )


def _fleet_pace() -> Pace:
    return measure("10,000 hosts, 1,000 models, each host has 20", 10_000, 1_000, 20, 20_000)


def _worst_pace() -> Pace:
    return measure("10,000 hosts, each can serve the model that is asked for", 10_000, 10, 10, 20_000)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/routing", description=__doc__)
    parser.add_argument("--hosts", type=_numbers, default=(1, 4, 16, 64), help="how many hosts, e.g. 1,4,16")
    parser.add_argument("--hours", type=float, default=DAY_SECONDS / 3600.0, help="how long the day is")
    parser.add_argument("--load", type=float, default=0.12, help="share of the hosts' time that answering takes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--chart", type=Path, help="write a chart (SVG) there")
    parser.add_argument("--no-scale", action="store_true", help="leave out the time of a decision over 10,000 hosts")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a promise is missed")
    return parser.parse_args(arguments)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))
