"""A pinned process and its descendants: CPU time and memory as the kernel accounts them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.surroundings import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Memory", "PinnedProcess", "start_pinned", "wait_until"]

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process tree, bytes: resident, and resident with shared pages divided among their users."""

    resident: int
    proportional: int


class PinnedProcess:
    """A running process bound to one core, with all its descendants."""

    def __init__(self, process: subprocess.Popen[bytes], log_path: Path) -> None:
        self._process = process
        self._log_path = log_path

    @property
    def pid(self) -> int:
        """Of the root of the tree."""
        return self._process.pid

    def pids(self) -> list[int]:
        """The live tree, root first."""
        found, waiting = [], [self.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            waiting.extend(_children(pid))
        return found

    def cpu_s(self) -> float:
        """User and system seconds of the tree so far, children already reaped included; resolution 10 ms."""
        return sum(_cpu_ticks(pid) for pid in self.pids()) / _TICKS_PER_SECOND

    def memory(self) -> Memory:
        """What the tree occupies now."""
        pids = self.pids()
        return Memory(sum(_rollup(pid, "Rss:") for pid in pids), sum(_rollup(pid, "Pss:") for pid in pids))

    def pause(self) -> None:
        """Stops the tree's clock, so that its idle work does not disturb the others' windows."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undoes :meth:`pause`."""
        self._signal(signal.SIGCONT)

    def check_alive(self) -> None:
        """Raises :class:`BenchError` with the end of its log when the process has ended."""
        if self._process.poll() is not None:
            message = f"process ended with status {self._process.returncode}:\n{self.log_tail()}"
            raise BenchError(message)

    def log_tail(self, characters: int = 2000) -> str:
        """The end of what it printed."""
        return self._log_path.read_text(errors="replace")[-characters:]

    def stop(self) -> None:
        """Ends the tree: politely, then firmly after five seconds."""
        pids = self.pids()
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait(5)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def start_pinned(command: list[str], core: int, environment: dict[str, str], directory: Path) -> PinnedProcess:
    """Starts a command bound to one core; its output goes to ``output.log`` in the directory."""
    log_path = directory / "output.log"
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(core), *command],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return PinnedProcess(process, log_path)


def wait_until(condition: Callable[[], bool], timeout_s: float, every_s: float = 0.005) -> bool:
    """Polls until the condition holds; False when the time is up."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += [int(child) for child in (task / "children").read_text().split()]
    return children


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15])


def _rollup(pid: int, field: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    return 0
