"""What ``bench/run`` does, from its options to its tables."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from harness import native
from harness.bodies import EVERYBODYS, write_bodies
from harness.chart import write_chart
from harness.contenders import Contender, contender_named
from harness.footprint import measure_footprint
from harness.launching import Running, launch
from harness.machine import describe
from harness.options import Options, parse
from harness.outcome import Outcome, write_json
from harness.profiling import profile
from harness.report import print_report
from harness.rounds import Bench, Checks, entrants, expect_direct, run_scenario, warm_up
from harness.scenarios import Scenario, scenarios_named
from harness.soak import SLICES, run_soak
from harness.surroundings import BenchError, require, scratch_directory
from harness.targets import judge
from harness.upstream import start_upstream
from harness.window import Cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Runs the benchmark; 0, or 1 when something failed or, with ``--check``, a target was missed."""
    options, console = parse(arguments), Console()
    outcome = Outcome(describe())
    try:
        with _bench(options) as bench:
            if options.profile:
                return _profile(console, bench, contender_named(options.profile))
            _run(console, bench, options, outcome)
    except BenchError as failure:
        console.print(f"[red]bench:[/] {failure}", markup=True, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("[yellow]interrupted; what was measured until then:[/]")
    targets = judge(outcome)
    print_report(console, outcome, targets)
    if options.json_path:
        write_json(outcome, [asdict(target) | {"met": target.met} for target in targets], options.json_path)
    if options.chart_path:
        write_chart(outcome, options.chart_path)
    return int(options.check and any(target.met is False for target in targets))


@contextmanager
def _bench(options: Options) -> Iterator[Bench]:
    """Compiles, pins the harness itself beside the load generator, and runs the mock upstream meanwhile."""
    require("taskset")
    binaries = native.build()
    cores = Cores(*options.cores)
    if not set(options.cores) <= os.sched_getaffinity(0):
        raise BenchError(f"cores {options.cores} are not all available here: {sorted(os.sched_getaffinity(0))}")
    os.sched_setaffinity(0, {cores.load})
    directory = scratch_directory("harness")
    upstream = start_upstream(binaries.mock, cores.upstream, directory)
    try:
        yield Bench(binaries, write_bodies(directory), upstream, cores, directory, options.seconds, options.retries)
    finally:
        upstream.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _run(console: Console, bench: Bench, options: Options, outcome: Outcome) -> None:
    contenders = _installed(console, options, outcome)
    scenarios = scenarios_named(options.scenarios)
    with _progress(console) as progress:
        task = progress.add_task("", total=None)

        def tick(what: str) -> None:
            progress.update(task, description=what, advance=1)
            progress.refresh()

        steps = len(contenders) * (1 + (options.starts + 1) * options.footprint) + (
            SLICES if options.soak_requests else 0
        )
        progress.update(task, total=steps, completed=-1)
        if options.footprint:
            for contender in contenders:
                _tolerating(outcome, contender, lambda one=contender: _footprint(bench, one, options, outcome, tick))  # type: ignore[misc]
        _measure(
            bench,
            contenders,
            scenarios,
            options,
            outcome,
            (tick, lambda more: progress.update(task, total=steps + more)),
        )
        if options.soak_requests:
            _soak(bench, options, outcome, tick)


def _installed(console: Console, options: Options, outcome: Outcome) -> list[Contender]:
    """Those that could be installed; the others are reported and left out."""
    contenders = []
    for name in options.contenders:
        contender = contender_named(name)
        with console.status(f"installing {name}"):
            try:
                contender.install()
                outcome.versions[name] = contender.version()
            except BenchError as failure:
                outcome.faults[name] = [f"left out: {failure}"]
                console.print(f"[red]{name} is left out:[/] {failure}", highlight=False)
                continue
        outcome.notes += contender.notes()
        contenders.append(contender)
    return contenders


def _tolerating(outcome: Outcome, contender: Contender, step: Callable[[], None]) -> bool:
    """One contender that fails is reported; the others go on."""
    try:
        step()
    except (BenchError, OSError) as failure:
        outcome.faults.setdefault(contender.name, []).append(str(failure))
        return False
    return True


def _footprint(
    bench: Bench, contender: Contender, options: Options, outcome: Outcome, tick: Callable[[str], None]
) -> None:
    outcome.footprints[contender.name] = measure_footprint(bench, contender, options.starts, options.held_streams, tick)


def _measure(
    bench: Bench,
    contenders: list[Contender],
    scenarios: list[Scenario],
    options: Options,
    outcome: Outcome,
    progress: tuple[Callable[[str], None], Callable[[int], None]],
) -> None:
    """Starts everyone, warms each up with the others stopped, and runs the scenarios."""
    tick, plan = progress
    running: list[Running] = []
    checks: Checks = {}
    expect_direct(bench, checks)
    try:
        for contender in contenders if scenarios else []:
            tick(f"warm-up · {contender.name}")
            _tolerating(outcome, contender, lambda one=contender: running.append(_warmed(bench, one, checks, outcome)))  # type: ignore[misc]
        plan(options.rounds * sum(len(entrants(scenario, running)) for scenario in scenarios))
        for scenario in scenarios:
            outcome.scenarios.append(run_scenario(bench, scenario, running, checks, options.rounds, tick))
    finally:
        for one in running:
            one.stop()


def _warmed(bench: Bench, contender: Contender, checks: Checks, outcome: Outcome) -> Running:
    running = launch(contender, bench.cores.contender, bench.upstream.port)
    try:
        warm_up(bench, running, checks)
    except (BenchError, OSError):
        running.stop()
        raise
    own = [check for (name, _), check in checks.items() if name == contender.name]
    plain = [checks[contender.name, kind] for kind in EVERYBODYS]
    outcome.identical[contender.name] = all(check.identical for check in plain)
    faults = [check.fault for check in own if check.fault]
    if faults:
        outcome.faults.setdefault(contender.name, []).extend(dict.fromkeys(faults))
    running.process.pause()
    return running


def _soak(bench: Bench, options: Options, outcome: Outcome, tick: Callable[[str], None]) -> None:
    contender = contender_named("pointsman")
    running = launch(contender, bench.cores.contender, bench.upstream.port)
    try:
        outcome.soak = run_soak(bench, running, options.soak_requests, tick)
    finally:
        running.stop()


def _profile(console: Console, bench: Bench, contender: Contender) -> int:
    contender.install()
    for path in profile(bench, contender):
        console.print(str(path), soft_wrap=True)
        if path.suffix == ".txt":
            lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
            console.print("\n".join(lines[:25]), highlight=False, markup=False)
    return 0


def _progress(console: Console) -> Progress:
    # Drawn only between windows: a bar that redraws itself would take time from the load generator's core.
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    return Progress(*columns, console=console, auto_refresh=False)
