"""Several worker processes on one port: the kernel spreads connections over them, a dead one is replaced."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import Final

import msgspec
from rich.console import Console

from pointsman.assembly.plan import ServePlan
from pointsman.cli.worker import held_port, on_hangup

__all__ = ["REFUSED_STATUS", "Orders", "supervise"]

_POLL_SECONDS: Final = 0.2
_RESTART_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 30.0
"""What a worker may take beyond its grace to bring its records home."""

REFUSED_STATUS: Final = 2
"""The exit status of a worker that cannot start, and has said why."""


class Orders(msgspec.Struct):
    """What a worker process is told on its standard input. Keys travel here, never in its arguments.

    One of the workers ``announces`` the gateway when it is ready; ``key_made``: the master key is to be shown then.
    """

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
    announces: bool = False
    key_made: bool = False


class _Supervisor:
    def __init__(self, plan: ServePlan, console: Console, grace_seconds: float, *, key_made: bool) -> None:
        self._plan = plan
        self._stop_seconds = grace_seconds + _STOP_SECONDS
        self._console = console
        self._key_made = key_made
        self._children: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self._replaced: set[int] = set()
        self._stopping = False
        self._status = 0

    def run(self) -> int:
        """Keep the workers running until a signal; gives the exit status."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._stop)
        on_hangup(self._reload, self._end_all)
        with held_port(self._plan) as port:
            self._plan = msgspec.structs.replace(self._plan, port=port)
            return self._run()

    def _run(self) -> int:
        for worker in range(self._plan.workers):
            self._start(worker, announces=worker == 0)
        while not self._stopping:
            time.sleep(_POLL_SECONDS)
            for worker, (child, started) in list(self._children.items()):
                if child.poll() is not None and not self._stopping:
                    self._ended(worker, child.returncode, started)
        return self._wait()

    def _start(self, worker: int, *, announces: bool = False) -> None:
        with _deaf_to_hangups():
            child = subprocess.Popen([sys.executable, "-m", "pointsman.cli.worker_process"], stdin=subprocess.PIPE)
        orders = _orders(self._plan, worker, announces=announces, key_made=announces and self._key_made)
        if child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it has ended already, which is seen at the next look
                child.stdin.write(msgspec.json.encode(orders) + b"\n")
                child.stdin.flush()
        self._children[worker] = (child, time.monotonic())

    def _ended(self, worker: int, status: int, started: float) -> None:
        if status == REFUSED_STATUS and worker not in self._replaced:
            # It has said why it cannot start; another would not fare better.
            self._status = status
            self._end_all()
            return
        self._console.print(f"Worker {worker} ended with status {status}; starting another.")
        if time.monotonic() - started < _RESTART_SECONDS:
            time.sleep(_RESTART_SECONDS)
        self._replaced.add(worker)
        self._start(worker)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._end_all()

    def _reload(self) -> None:
        """Have every worker read the configuration again."""
        for child, _ in self._children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGHUP)

    def _end_all(self) -> None:
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
        return self._status


@contextlib.contextmanager
def _deaf_to_hangups() -> Iterator[None]:
    """A process that is started meanwhile hears none until it wants to, and does not end by one that comes too soon."""
    if sys.platform == "win32":
        yield
        return
    heard = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, heard)


def supervise(plan: ServePlan, console: Console, grace_seconds: float, *, key_made: bool) -> None:
    """Run ``plan.workers`` processes until told to stop; each then has ``grace_seconds`` for what is under way.

    ``key_made``: the master key is new and has to be shown.

    Raises:
        Misconfigured: the port is taken.
    """
    sys.exit(_Supervisor(plan, console, grace_seconds, key_made=key_made).run())


def _orders(plan: ServePlan, worker: int, *, announces: bool, key_made: bool) -> Orders:
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
        announces=announces,
        key_made=key_made,
    )
