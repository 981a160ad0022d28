"""One measurement: a contender under a load for some seconds, with the kernel's and the upstream's account of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.load import Load, LoadResult, run_load
from harness.machine import read_core
from harness.processes import PinnedProcess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.upstream import Upstream, UpstreamCounters

__all__ = ["Cores", "Subject", "Window", "measure"]

# Above these shares of a core, work that is not ours makes a window unfit.
_FOREIGN_SHARE_MAX = 0.10
_STOLEN_SHARE_MAX = 0.05
# A pool that has warmed up opens few connections; more than this per request means that it reconnects.
_CONNECTIONS_PER_REQUEST_MAX = 0.02


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core does what."""

    contender: int
    load: int
    upstream: int


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is measured: a gateway's process, or None for the upstream without a gateway."""

    name: str
    process: PinnedProcess | None
    uses_upstream_key: bool


@dataclass(frozen=True, slots=True)
class Window:
    """What one window showed.

    ``cpu_s`` is the contender's process tree (0 without a gateway). The shares are of one core over the window:
    ``own_share`` the contender's use of its core, ``foreign_share`` and ``stolen_share`` the worse of the cores in use,
    for work that is not ours and for time the hypervisor took, ``nice_share`` the part of foreign work that is niced,
    ``generator_share`` load generator and mock together.
    """

    contender: str
    scenario: str
    round: int
    load: LoadResult
    cpu_s: float
    own_share: float
    foreign_share: float
    stolen_share: float
    nice_share: float
    generator_share: float
    upstream_connections: int
    upstream_requests: int
    faults: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether the machine was ours for the window."""
        return self.foreign_share <= _FOREIGN_SHARE_MAX and self.stolen_share <= _STOLEN_SHARE_MAX

    @property
    def cpu_us_per_request(self) -> float:
        """CPU microseconds of the process tree per completed request."""
        return self.cpu_s * 1e6 / max(1, self.load.completed)

    @property
    def cpu_us_per_event(self) -> float:
        """CPU microseconds of the process tree per event that reached a client."""
        return self.cpu_s * 1e6 / max(1, self.load.events)

    @property
    def events_per_s(self) -> float:
        """Events that reached clients, per second."""
        return self.load.events / self.load.elapsed_s

    @property
    def requests_per_s(self) -> float:
        """Completed requests per second."""
        return self.load.completed / self.load.elapsed_s


def measure(loadgen: Path, load: Load, subject: Subject, upstream: Upstream, where: tuple[str, int, Cores]) -> Window:
    """Runs the load once; ``where`` is the scenario's name, the round, and the cores."""
    scenario, round_number, cores = where
    watched = sorted({cores.contender, cores.load, cores.upstream})
    before, seen_before, mock_before = (
        [read_core(core) for core in watched],
        upstream.counters(),
        upstream.process.cpu_s(),
    )
    cpu_before = subject.process.cpu_s() if subject.process else 0.0
    result = run_load(loadgen, load)
    cpu_s = subject.process.cpu_s() - cpu_before if subject.process else 0.0
    spent = [read_core(core).since(earlier) for core, earlier in zip(watched, before, strict=True)]
    seen, mock_s = upstream.counters().since(seen_before), upstream.process.cpu_s() - mock_before
    ours = {cores.contender: cpu_s}
    ours[cores.load] = ours.get(cores.load, 0) + result.cpu_s
    ours[cores.upstream] = ours.get(cores.upstream, 0) + mock_s
    foreign = [max(0.0, core.busy - ours[number]) for number, core in zip(watched, spent, strict=True)]
    elapsed = result.elapsed_s
    return Window(
        contender=subject.name,
        scenario=scenario,
        round=round_number,
        load=result,
        cpu_s=cpu_s,
        own_share=cpu_s / elapsed,
        foreign_share=max(foreign) / elapsed,
        stolen_share=max(core.stolen for core in spent) / elapsed,
        nice_share=max(core.nice for core in spent) / elapsed,
        generator_share=(result.cpu_s + mock_s) / elapsed,
        upstream_connections=seen.accepted,
        upstream_requests=seen.requests,
        faults=tuple(_faults(load, result, subject, seen)),
    )


def _faults(load: Load, result: LoadResult, subject: Subject, seen: UpstreamCounters) -> Sequence[str]:
    faults = []
    if result.wrong_status:
        faults.append(f"{result.wrong_status} replies with another status than 200")
    if result.wrong_body:
        faults.append(f"{result.wrong_body} replies with a wrong body")
    if result.broken or result.in_flight:
        faults.append(f"{result.broken} replies cut off, {result.in_flight} never finished")
    if seen.requests != result.sent:
        faults.append(f"{result.sent} requests sent, but the upstream saw {seen.requests}")
    if subject.process and seen.accepted > load.connections + _CONNECTIONS_PER_REQUEST_MAX * result.completed:
        faults.append(f"{seen.accepted} new upstream connections for {result.completed} requests: it reconnects")
    if subject.uses_upstream_key and (seen.keyed != seen.requests or seen.renamed != seen.requests):
        faults.append(
            f"of {seen.requests} upstream requests {seen.keyed} had the key and {seen.renamed} the model name"
        )
    return faults
