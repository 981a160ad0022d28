"""Several worker processes on one port: the kernel spreads connections over them, a dead one is replaced."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from types import FrameType
from typing import Final

import msgspec
from rich.console import Console

from pointsman.assembly.plan import ServePlan
from pointsman.cli.worker import listening_socket

__all__ = ["Orders", "supervise"]

_POLL_SECONDS: Final = 0.2
_RESTART_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 30.0
"""What a worker may take beyond its grace to bring its records home."""


class Orders(msgspec.Struct):
    """What a worker process is told on its standard input. Keys travel here, never in its arguments."""

    host: str
    port: int
    data_directory: str
    config_path: str | None
    ollama: tuple[str, ...]
    authenticate: bool
    workers: int
    worker: int
    demo_base: str | None = None
    demo_key: str | None = None


class _Supervisor:
    def __init__(self, plan: ServePlan, console: Console, grace_seconds: float) -> None:
        self._plan = plan
        self._stop_seconds = grace_seconds + _STOP_SECONDS
        self._console = console
        self._children: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self._stopping = False

    def run(self) -> int:
        """Keep the workers running until a signal; gives the exit status."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._stop)
        listening_socket(self._plan, shared=False).close()
        for worker in range(self._plan.workers):
            self._start(worker)
        while not self._stopping:
            time.sleep(_POLL_SECONDS)
            for worker, (child, started) in list(self._children.items()):
                if child.poll() is not None and not self._stopping:
                    self._replace(worker, child.returncode, started)
        return self._wait()

    def _start(self, worker: int) -> None:
        child = subprocess.Popen([sys.executable, "-m", "pointsman.cli.worker_process"], stdin=subprocess.PIPE)
        if child.stdin is not None:
            child.stdin.write(msgspec.json.encode(_orders(self._plan, worker)) + b"\n")
            child.stdin.flush()
        self._children[worker] = (child, time.monotonic())

    def _replace(self, worker: int, status: int, started: float) -> None:
        self._console.print(f"Worker {worker} ended with status {status}; starting another.")
        if time.monotonic() - started < _RESTART_SECONDS:
            time.sleep(_RESTART_SECONDS)
        self._start(worker)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stopping = True
        for child, _ in self._children.values():
            if child.poll() is None:
                child.terminate()

    def _wait(self) -> int:
        give_up = time.monotonic() + self._stop_seconds
        for child, _ in self._children.values():
            try:
                child.wait(timeout=max(0.1, give_up - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
        return 0


def supervise(plan: ServePlan, console: Console, grace_seconds: float) -> None:
    """Run ``plan.workers`` processes until told to stop; each then has ``grace_seconds`` for what is under way.

    Raises:
        Misconfigured: the port is taken.
    """
    console.print(f"Pointsman serves on http://{plan.host}:{plan.port} with {plan.workers} workers.")
    sys.exit(_Supervisor(plan, console, grace_seconds).run())


def _orders(plan: ServePlan, worker: int) -> Orders:
    return Orders(
        host=plan.host,
        port=plan.port,
        data_directory=str(plan.data_directory),
        config_path=str(plan.config_path) if plan.config_path else None,
        ollama=plan.ollama,
        authenticate=plan.authenticate,
        workers=plan.workers,
        worker=worker,
        demo_base=plan.demo.api_base if plan.demo else None,
        demo_key=plan.demo.key.reveal() if plan.demo else None,
    )
