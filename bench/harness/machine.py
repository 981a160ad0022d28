"""What the machine itself was doing during a window: work that was not ours, time stolen by the hypervisor."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
from dataclasses import dataclass
from pathlib import Path

from harness.surroundings import BenchError

__all__ = ["CoreTimes", "describe", "free_port", "read_core"]

# Below the range that clients are given ports from: polling a port of that range can connect to itself.
_FIRST_PORT, _PORTS = 20_000, 10_000
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class CoreTimes:
    """Seconds one core has spent: busy for anyone, for niced work (part of busy), and stolen by the hypervisor."""

    busy: float
    nice: float
    stolen: float

    def since(self, earlier: CoreTimes) -> CoreTimes:
        """What was spent between the two readings."""
        return CoreTimes(self.busy - earlier.busy, self.nice - earlier.nice, self.stolen - earlier.stolen)


def read_core(core: int) -> CoreTimes:
    """The core's counters in ``/proc/stat``."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            user, nice, system, _idle, _iowait, irq, softirq, steal = (
                int(field) / _TICKS_PER_SECOND for field in line.split()[1:9]
            )
            return CoreTimes(user + nice + system + irq + softirq, nice, steal)
    message = f"there is no core {core}"
    raise ValueError(message)


def describe() -> dict[str, str]:
    """The machine, for the report."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": str(os.cpu_count()),
        "memory": _field("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def free_port() -> int:
    """A TCP port on the loopback interface that nobody listens on."""
    for offset in range(_PORTS):
        port = _FIRST_PORT + (os.getpid() * 37 + offset) % _PORTS
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise BenchError("no free TCP port")


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return line.split(":", 1)[1].strip()
    return "unknown"
