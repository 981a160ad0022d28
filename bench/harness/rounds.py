"""Fairness: every contender in every round, the order rotated, the others stopped, contended windows repeated."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.bodies import EVERYBODYS, KINDS
from harness.load import Load, run_load
from harness.replies import ReplyCheck, check_direct, check_reply
from harness.window import Cores, Subject, Window, measure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.bodies import Bodies
    from harness.launching import Running
    from harness.native import Binaries
    from harness.scenarios import Scenario
    from harness.upstream import Upstream

__all__ = ["DIRECT", "Bench", "Checks", "ScenarioResult", "entrants", "expect_direct", "run_scenario", "warm_up"]

DIRECT = "direct"
# A moment of load before a window lets pools reconnect and caches fill again after the pause.
_SETTLE_S = 0.4

Checks = dict[tuple[str, str], ReplyCheck]


@dataclass(frozen=True, slots=True)
class Bench:
    """What all measurements share."""

    binaries: Binaries
    bodies: Bodies
    upstream: Upstream
    cores: Cores
    directory: Path
    seconds: float
    retries: int

    def body(self, kind: str) -> Path:
        """The file of a request body."""
        bodies = self.bodies
        paths = {"small": bodies.small, "large": bodies.large, "stream": bodies.stream, **bodies.translated}
        return paths[kind]

    def load(self, running: Running | None, kind: str, check: ReplyCheck | None) -> Load:
        """One connection's load for a tenth of a second; callers set what differs."""
        return Load(
            port=running.place.port if running else self.upstream.port,
            body=self.body(kind),
            headers=running.headers if running else (),
            expect=check.expect if check else None,
            events=check.events if check else 0,
            marker=KINDS[kind].marker,
            path=KINDS[kind].path,
            connections=1,
            seconds=0.1,
            core=self.cores.load,
        )


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """All windows of one scenario: the kept ones, and how many per contender were thrown away as contended."""

    scenario: Scenario
    windows: list[Window]
    rejected: dict[str, int]


def entrants(scenario: Scenario, running: list[Running]) -> list[Running | None]:
    """Who takes part; None stands for the upstream without a gateway."""
    if scenario.beside:
        return [one for one in running if one.contender.translates]
    slow = [one for one in running if one.contender.rate_max < 200]
    if scenario.for_slow:
        taking_part = [one for one in running if one in slow or one.contender.name == "pointsman"] if slow else []
    elif scenario.rate:
        taking_part = [one for one in running if one.contender.rate_max >= scenario.rate]
    else:
        taking_part = list(running)
    return ([None] if scenario.with_direct and taking_part else []) + list(taking_part)


def expect_direct(bench: Bench, checks: Checks) -> None:
    """Notes what the upstream answers without a gateway."""
    for kind in EVERYBODYS:
        keep = bench.directory / f"expect-{DIRECT}-{kind}"
        checks[DIRECT, kind] = check_direct(bench.upstream.port, bench.body(kind), keep)


def warm_up(bench: Bench, running: Running, checks: Checks) -> None:
    """Checks what the contender answers, then keeps it busy until its caches and compilers have settled."""
    name = running.contender.name
    kinds = tuple(KINDS) if running.contender.translates else EVERYBODYS
    for kind in kinds:
        keep = bench.directory / f"expect-{name}-{kind}"
        about = KINDS[kind]
        checks[name, kind] = check_reply(
            (running.place.port, bench.upstream.port),
            bench.body(kind),
            (about.path, bench.body(about.reference), about.reference_path),
            running.headers,
            keep,
        )
    for kind in (kind for kind in kinds if kind != "large"):
        load = bench.load(running, kind, checks[name, kind])
        run_load(bench.binaries.loadgen, replace(load, connections=48, seconds=running.contender.warm_s / 2))


def run_scenario(
    bench: Bench, scenario: Scenario, running: list[Running], checks: Checks, rounds: int, tick: Callable[[str], None]
) -> ScenarioResult:
    """All rounds of a scenario; ``tick`` is told after each kept window."""
    result = ScenarioResult(scenario, [], {})
    taking_part = entrants(scenario, running)
    bench.upstream.pace(scenario.gap_us)
    for round_number in range(rounds):
        turn = round_number % len(taking_part) if taking_part else 0
        for one in taking_part[turn:] + taking_part[:turn]:
            name = one.contender.name if one else DIRECT
            tick(f"{scenario.name} · {name}")
            windows = _until_clean(bench, scenario, one, checks, round_number)
            result.rejected[name] = result.rejected.get(name, 0) + len(windows) - 1
            # When every attempt was contended, the least contended is kept, and stays marked as such.
            result.windows.append(
                min(windows, key=lambda window: (not window.clean, window.foreign_share + window.stolen_share))
            )
    bench.upstream.pace(0)
    return result


def _until_clean(
    bench: Bench, scenario: Scenario, one: Running | None, checks: Checks, round_number: int
) -> list[Window]:
    name = one.contender.name if one else DIRECT
    check = checks.get((name, scenario.body))
    scale = one.contender.scale if one and not scenario.rate else 1
    settle = replace(bench.load(one, scenario.body, check), connections=scenario.connections, seconds=_SETTLE_S)
    load = replace(settle, seconds=bench.seconds * scenario.stretch * scale, rate=scenario.rate)
    subject = Subject(name, one.process if one else None, one.contender.uses_upstream_key if one else False)
    windows: list[Window] = []
    if one:
        one.process.check_alive()
        one.process.resume()
        time.sleep(0.05)
    while len(windows) <= bench.retries and not any(window.clean for window in windows):
        run_load(bench.binaries.loadgen, replace(settle, connections=1) if scenario.rate else settle)
        windows.append(
            measure(bench.binaries.loadgen, load, subject, bench.upstream, (scenario.name, round_number, bench.cores))
        )
    if one:
        one.process.pause()
    return windows
