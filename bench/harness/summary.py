"""From windows to the figures that are quoted: medians, and ratios paired within a round."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.rounds import DIRECT, ScenarioResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.window import Window

__all__ = ["Figures", "figures_of", "summarise"]


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians of one contender in one scenario.

    ``cpu_to_nginx`` is its CPU per request (of a stream: per event) as a multiple of nginx's in the same round,
    ``work_to_litellm`` how many times LiteLLM's requests the same CPU time serves, ``added_p50_us`` its median latency
    less that of the upstream without a gateway. Each is None when the other one was not measured.
    """

    contender: str
    scenario: str
    cpu_us_per_request: float
    cpu_us_per_event: float
    requests_per_s: float
    events_per_s: float
    p50_us: float
    p99_us: float
    first_byte_p50_us: float
    own_share: float
    generator_share: float
    cpu_to_nginx: float | None
    work_to_litellm: float | None
    added_p50_us: float | None
    windows: int
    clean_windows: int
    rejected: int
    upstream_connections: int
    faults: tuple[str, ...]


def summarise(results: list[ScenarioResult]) -> list[Figures]:
    """One :class:`Figures` per scenario and contender, in the order measured."""
    figures = []
    for result in results:
        by_name: dict[str, list[Window]] = {}
        for window in result.windows:
            by_name.setdefault(window.contender, []).append(window)
        figures += [_figures(result, name, by_name) for name in by_name]
    return figures


def figures_of(figures: list[Figures], scenario: str, contender: str) -> Figures | None:
    """The figures of one pair, or None when it was not measured."""
    return next((each for each in figures if (each.scenario, each.contender) == (scenario, contender)), None)


def _figures(result: ScenarioResult, name: str, by_name: dict[str, list[Window]]) -> Figures:
    windows = by_name[name]
    used = [window for window in windows if window.clean] or windows

    def median(value: Callable[[Window], float]) -> float:
        return statistics.median(value(window) for window in used)

    def cpu(window: Window) -> float:
        return window.cpu_us_per_event if result.scenario.streams else window.cpu_us_per_request

    is_gateway = name != DIRECT
    return Figures(
        contender=name,
        scenario=result.scenario.name,
        cpu_us_per_request=median(lambda window: window.cpu_us_per_request),
        cpu_us_per_event=median(lambda window: window.cpu_us_per_event) if result.scenario.streams else 0.0,
        requests_per_s=median(lambda window: window.requests_per_s),
        events_per_s=median(lambda window: window.events_per_s),
        p50_us=median(lambda window: window.load.total_us.p50),
        p99_us=median(lambda window: window.load.total_us.p99),
        first_byte_p50_us=median(lambda window: window.load.first_byte_us.p50),
        own_share=median(lambda window: window.own_share),
        generator_share=median(lambda window: window.generator_share),
        cpu_to_nginx=_paired(windows, by_name.get("nginx", []), lambda own, other: cpu(own) / cpu(other))
        if is_gateway
        else None,
        work_to_litellm=_paired(windows, by_name.get("litellm", []), lambda own, other: cpu(other) / cpu(own))
        if is_gateway
        else None,
        added_p50_us=_paired(
            windows,
            by_name.get(DIRECT, []) if is_gateway else [],
            lambda own, other: own.load.total_us.p50 - other.load.total_us.p50,
        ),
        windows=len(windows),
        clean_windows=sum(window.clean for window in windows),
        rejected=result.rejected.get(name, 0),
        upstream_connections=max(window.upstream_connections for window in windows),
        faults=tuple(dict.fromkeys(fault for window in windows for fault in window.faults)),
    )


def _paired(own: list[Window], other: list[Window], compare: Callable[[Window, Window], float]) -> float | None:
    """The median over rounds; rounds in which both windows are clean, or all rounds if there is none."""
    by_round = {window.round: window for window in other if window.cpu_s or window.contender == DIRECT}
    pairs = [
        (window, by_round[window.round])
        for window in own
        if window.round in by_round and (window.cpu_s or not by_round[window.round].cpu_s)
    ]
    pairs = [pair for pair in pairs if pair[0].clean and pair[1].clean] or pairs
    return statistics.median(compare(*pair) for pair in pairs) if pairs else None
