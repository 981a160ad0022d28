"""Runs the load generator and reads what it prints."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from harness.surroundings import BenchError

__all__ = ["HeldStreams", "Load", "LoadResult", "Quantiles", "hold_streams", "run_load"]


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Microseconds."""

    p50: float
    p90: float
    p99: float
    p999: float
    max: float


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What one run of the load generator saw.

    ``broken`` counts replies cut by a lost connection; ``lateness_us`` how late the generator itself sent requests of
    an open loop (part of the latency, and the same for everyone).
    """

    sent: int
    completed: int
    wrong_status: int
    wrong_body: int
    broken: int
    connects: int
    events: int
    elapsed_s: float
    cpu_s: float
    first_byte_us: Quantiles
    total_us: Quantiles
    lateness_us: Quantiles
    in_flight: int


@dataclass(frozen=True, slots=True)
class Load:
    """One load: where to, what, how.

    Attributes:
        port: of the gateway.
        body: file with the request body.
        headers: whole header lines.
        expect: file with the one right reply, or None when replies differ in their time stamps.
        events: events per reply and ``marker`` a text in it, checked when ``expect`` is None.
        connections: how many at once.
        seconds: length; an open or closed loop then drains for at most ``drain_s``.
        rate: requests per second of an open loop; 0 for a closed one.
        requests: stop after so many; 0 for no such end.
    """

    port: int
    body: Path
    headers: tuple[str, ...]
    expect: Path | None
    events: int
    marker: str
    connections: int
    seconds: float
    rate: float = 0
    requests: int = 0
    drain_s: float = 60
    core: int = field(default=1, kw_only=True)
    path: str = field(default="/v1/chat/completions", kw_only=True)


def run_load(binary: Path, load: Load) -> LoadResult:
    """Runs a load to its end."""
    mode = ["--mode", "open", "--rate", str(load.rate)] if load.rate else ["--mode", "closed"]
    command = [*_command(binary, load), *mode, "--requests", str(load.requests), "--drain", str(load.drain_s)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=load.seconds + load.drain_s + 30, check=False
    )
    if done.returncode != 0:
        message = f"the load generator failed: {done.stderr.strip()}"
        raise BenchError(message)
    return _read(done.stdout)


class HeldStreams:
    """Streams that stay open until :meth:`release`."""

    def __init__(self, process: subprocess.Popen[str], result: LoadResult) -> None:
        self._process = process
        self.result = result

    @property
    def count(self) -> int:
        """How many had their first byte."""
        return self.result.in_flight

    def release(self) -> None:
        """Closes every connection at once, as clients do that go away."""
        self._process.communicate(timeout=30)


def hold_streams(binary: Path, load: Load, ramp: int) -> HeldStreams:
    """Opens ``load.connections`` streams, at most ``ramp`` waiting for a first byte at any time."""
    command = [*_command(binary, load), "--mode", "hold", "--ramp", str(ramp)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        message = f"the load generator ended early, status {process.wait(10)}"
        raise BenchError(message)
    return HeldStreams(process, _read(line))


def _command(binary: Path, load: Load) -> list[str]:
    command = ["taskset", "--cpu-list", str(load.core), str(binary), "--port", str(load.port), "--body", str(load.body)]
    command += ["--path", load.path]
    command += ["--connections", str(load.connections), "--seconds", str(load.seconds)]
    for header in load.headers:
        command += ["--header", header]
    if load.expect:
        return [*command, "--expect", str(load.expect)]
    return [*command, "--events", str(load.events), "--marker", load.marker]


def _read(text: str) -> LoadResult:
    values = json.loads(text)
    for name in ("first_byte_us", "total_us", "lateness_us"):
        values[name] = Quantiles(**values[name])
    return LoadResult(**values)
