"""The tables that ``bench/run`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from harness.footprint import Footprint
    from harness.outcome import Outcome
    from harness.rounds import ScenarioResult
    from harness.scenarios import Scenario
    from harness.soak import Soak
    from harness.summary import Figures
    from harness.targets import Target

__all__ = ["print_report"]

# Below this share of its core a contender was waiting for the generator, so its requests/s say nothing about it.
_SATURATED_SHARE = 0.95
_LEGEND = (
    "CPU is that of the whole process tree. × nginx: CPU as a multiple of nginx's in the same round, less is better.",
    "× LiteLLM: requests served by the same CPU time, more is better. core: share of its core that was used.",
    "≥: the load generator was the limit, not the gateway. clean: clean windows/kept windows, −repeated ones.",
    "event µs, all µs: CPU per event and per whole stream. ev/s: events per second. 1st µs: p50 of the first byte.",
    "added: p50 less that of the upstream alone. closed: until the upstream saw the last abandoned stream closed.",
)


def print_report(console: Console, outcome: Outcome, targets: list[Target]) -> None:
    """Prints all that was measured."""
    console.print()
    console.print(" · ".join(f"{key} {value}" for key, value in outcome.machine.items()))
    console.print(" · ".join(f"{key} {value}" for key, value in outcome.versions.items()))
    figures = outcome.figures()
    for result in outcome.scenarios:
        rows = [each for each in figures if each.scenario == result.scenario.name]
        if rows:
            console.print(_scenario_table(result, rows))
    if outcome.footprints:
        console.print(_footprint_table(outcome.footprints))
    console.print(_target_table(targets))
    for line in _remarks(outcome, figures):
        console.print(line)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def _scenario_table(result: ScenarioResult, rows: list[Figures]) -> Table:
    scenario = result.scenario
    table = _table(f"{scenario.name}: {scenario.title}")
    table.add_column("", no_wrap=True, min_width=9)
    if scenario.rate:
        columns = ["p50 µs", "added µs", "p99 µs", "CPU µs"]
    elif scenario.streams:
        columns = ["event µs", "all µs", "ev/s", "1st µs"]
    else:
        columns = ["CPU µs", "req/s", "p50 µs", "p99 µs"]
    for column in [*columns, "× nginx", "× LiteLLM", "core", "clean"]:
        table.add_column(column, justify="right", no_wrap=True)
    for each in rows:
        cells = _cells(scenario, each)
        used = f"{each.own_share:.0%}" if each.cpu_us_per_request else "–"
        windows = f"{each.clean_windows}/{each.windows}" + (f" −{each.rejected}" if each.rejected else "")
        table.add_row(each.contender, *cells, _ratio(each.cpu_to_nginx), _ratio(each.work_to_litellm), used, windows)
    return table


def _cells(scenario: Scenario, each: Figures) -> list[str]:
    cpu = _compact(each.cpu_us_per_request) if each.cpu_us_per_request else "–"
    if scenario.rate:
        added = _compact(each.added_p50_us) if each.added_p50_us is not None else "–"
        return [_compact(each.p50_us), added, _compact(each.p99_us), cpu]
    if scenario.streams:
        per_event = _compact(each.cpu_us_per_event) if each.cpu_us_per_event else "–"
        return [per_event, cpu, _compact(each.events_per_s), _compact(each.first_byte_p50_us)]
    mark = "" if each.own_share >= _SATURATED_SHARE or not each.cpu_us_per_request else "≥"
    return [cpu, mark + _compact(each.requests_per_s), _compact(each.p50_us), _compact(each.p99_us)]


def _compact(value: float) -> str:
    """At most six characters, so that the tables fit eighty columns."""
    if abs(value) >= 10_000:
        return f"{value / 1000:,.1f}k" if abs(value) < 100_000 else f"{value / 1000:,.0f}k"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    return "–" if value is None else _compact(value)


def _footprint_table(footprints: dict[str, Footprint]) -> Table:
    table = _table("footprint: a fresh process")
    table.add_column("", no_wrap=True, min_width=9)
    for column in ["ready s", "idle MB", "loaded MB", "(PSS)", "streams", "KB/stream", "closed s"]:
        table.add_column(column, justify="right", no_wrap=True)
    for name, each in footprints.items():
        released = "> 10" if each.release_s is None else f"{each.release_s:.2f}"
        sizes = [each.idle.resident, each.warm.resident, each.warm.proportional]
        megabytes = [f"{size / 1e6:,.1f}" for size in sizes]
        table.add_row(
            name, f"{each.ready_s:.2f}", *megabytes, f"{each.held:,}", f"{each.bytes_per_stream / 1000:,.1f}", released
        )
    return table


def _target_table(targets: list[Target]) -> Table:
    table = _table("Pointsman's targets")
    for column in ["", "measured", "target", ""]:
        table.add_column(column)
    for target in targets:
        measured = "not measured" if target.measured is None else f"{target.measured:,.2f} {target.unit}"
        verdict = {None: "–", True: "[green]met[/]", False: "[red]missed[/]"}[target.met]
        table.add_row(
            target.title, measured, f"{'≥' if target.at_least else '≤'} {target.limit:g} {target.unit}", verdict
        )
    return table


def _remarks(outcome: Outcome, figures: list[Figures]) -> list[str]:
    lines = [f"• {note}" for note in outcome.notes]
    same = [name for name, identical in outcome.identical.items() if identical]
    lines.append(
        f"• Replies equal to the upstream's byte for byte: {', '.join(same) or 'none'}; others compared by meaning."
    )
    lines += [f"[red]• {name}: {fault}[/]" for name, faults in outcome.faults.items() for fault in faults]
    lines += [f"[red]• {each.scenario}, {each.contender}: {fault}[/]" for each in figures for fault in each.faults]
    unclean = [f"{each.scenario} {each.contender}" for each in figures if not each.clean_windows]
    if unclean:
        lines.append(f"[yellow]• No clean window, low confidence: {', '.join(unclean)}[/]")
    if outcome.soak:
        lines.append(_soak_line(outcome.soak))
    return [*lines, *_LEGEND]


def _soak_line(soak: Soak) -> str:
    first, last = soak.samples[0], soak.samples[-1]
    growth = f"{soak.bytes_per_1000_requests:+,.0f} B per 1,000 requests after the first fifth"
    memory = f"{first[1] / 1e6:.1f} → {last[1] / 1e6:.1f} MB"
    return f"• Soak: {last[0]:,} requests, {memory}, {growth}, {soak.wrong} wrong replies"
