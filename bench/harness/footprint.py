"""How long a contender takes to start, what it weighs idle, and what one open stream adds."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.launching import Running, launch
from harness.load import hold_streams, run_load
from harness.processes import Memory, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.contenders import Contender
    from harness.rounds import Bench

__all__ = ["Footprint", "measure_footprint"]

# While streams are weighed the upstream sends nothing after the first event.
_HELD_GAP_US = 600_000_000
_HOLD_S_MAX = 60
_RAMP = 50
_RELEASE_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """Of one contender.

    Attributes:
        ready_s: median of the timed starts, from exec to the first 200.
        idle: memory when ready, nothing served yet.
        warm: memory after two seconds of load at 48 connections.
        held: how many streams were open at once, of those asked for, after a minute at most.
        held_memory: memory while they were.
        release_s: from the clients' departure until the upstream saw the last stream closed; None when that took longer
            than ten seconds.
    """

    ready_s: float
    idle: Memory
    warm: Memory
    held: int
    held_memory: Memory
    release_s: float | None

    @property
    def bytes_per_stream(self) -> float:
        """Growth of resident memory per open stream, over the warm process."""
        return (self.held_memory.resident - self.warm.resident) / max(1, self.held)


def measure_footprint(
    bench: Bench, contender: Contender, starts: int, streams: int, tick: Callable[[str], None]
) -> Footprint:
    """Starts it once unmeasured, then as often as asked; the last of these also holds the streams."""
    ready: list[float] = []
    for number in range(starts + 1):
        tick(f"start {number} · {contender.name}")
        running = launch(contender, bench.cores.contender, bench.upstream.port)
        try:
            if number:
                ready.append(running.ready_s)
            if number == starts:
                return _weigh(bench, running, statistics.median(ready), streams)
        finally:
            running.stop()
    raise AssertionError(starts)


def _weigh(bench: Bench, running: Running, ready_s: float, streams: int) -> Footprint:
    idle = running.process.memory()
    load = bench.load(running, "small", None)
    run_load(bench.binaries.loadgen, replace(load, connections=48, seconds=2))
    warm = running.process.memory()
    bench.upstream.pace(_HELD_GAP_US)
    try:
        stream = replace(bench.load(running, "stream", None), connections=streams, seconds=_HOLD_S_MAX)
        held = hold_streams(bench.binaries.loadgen, stream, _RAMP)
        time.sleep(1)
        memory = running.process.memory()
        held.release()
        began = time.monotonic()
        closed = wait_until(lambda: bench.upstream.counters().streams_open == 0, _RELEASE_S_MAX)
        release_s = time.monotonic() - began if closed else None
    finally:
        bench.upstream.pace(0)
    return Footprint(ready_s, idle, warm, held.count, memory, release_s)
