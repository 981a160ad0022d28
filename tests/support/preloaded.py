"""Starts the program in copies of a process that has it loaded already, since loading is most of a start.

A copy (``fork``) has what importing the program defined, and importing does nothing else, which
``tests/house/test_imports_alone.py`` sees to. All the rest of a start is done by each: reading the arguments and the
environment, and everything after. Linux only (``pidfd_open``).
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import click

__all__ = ["PreloadedProcess", "can_preload", "run_command", "start_preloaded"]

_MESSAGE_BYTES_MAX: Final = 1 << 20
_ANSWER_SECONDS: Final = 30.0


def can_preload() -> bool:
    """Whether this system can."""
    return hasattr(os, "pidfd_open") and hasattr(os, "fork")


class PreloadedProcess:
    """A copy that runs; the same to its owner as a ``subprocess.Popen``."""

    def __init__(self, original: _Original, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._original = original
        self._end = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """The exit status, or None while it runs; a signal that ended it is told as a negative number."""
        if self.returncode is None and select.select([self._end], [], [], 0)[0]:
            self._reap()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once there is one.

        Raises:
            subprocess.TimeoutExpired: there is none within ``timeout`` seconds.
        """
        if self.returncode is None:
            if not select.select([self._end], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("pointsman", timeout or 0.0)
            self._reap()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _reap(self) -> None:
        self.returncode = os.waitstatus_to_exitcode(self._original.ask({"reap": self.pid})["status"])
        os.close(self._end)


class _Original:
    """The process that has loaded the program, seen from here. It ends when its end of the line closes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.settimeout(_ANSWER_SECONDS)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env={**kept, "PYTHONUNBUFFERED": "1"},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        atexit.register(self._close)

    def ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """What it answers."""
        with self._lock:
            self._line.send(json.dumps(message).encode())
            answer: dict[str, Any] = json.loads(self._line.recv(_MESSAGE_BYTES_MAX))
            return answer

    def _close(self) -> None:
        self._line.close()
        self._process.wait(_ANSWER_SECONDS)


@functools.cache
def _original() -> _Original:
    return _Original()


def start_preloaded(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, out: Path, err: Path
) -> PreloadedProcess:
    """``pointsman ARGUMENTS…`` in a session of its own; what it prints is appended to ``out`` and ``err``."""
    wanted = {"arguments": [*arguments], "env": {**env}, "cwd": str(cwd), "out": str(out), "err": str(err)}
    original = _original()
    return PreloadedProcess(original, original.ask(wanted)["pid"])


def run_command(
    arguments: Sequence[str], *, env: Mapping[str, str], timeout: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """``pointsman ARGUMENTS…``, until it has ended, in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="pointsman-command-") as directory:
        if not can_preload():
            command = [sys.executable, "-m", "pointsman", *arguments]
            return subprocess.run(
                command, env=env, cwd=directory, capture_output=True, text=True, timeout=timeout, check=False
            )
        out, err = Path(directory, "stdout.log"), Path(directory, "stderr.log")
        process = start_preloaded(arguments, env=env, cwd=Path(directory), out=out, err=err)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            raise
        return subprocess.CompletedProcess([*arguments], status, out.read_text("utf-8"), err.read_text("utf-8"))


# -- in the process that is copied -----------------------------------------------------------------------


def _stay_ready(line: socket.socket) -> dict[str, Any] | None:
    """Answer until the line closes (None); in each copy, what it is to run."""
    while data := line.recv(_MESSAGE_BYTES_MAX):
        message: dict[str, Any] = json.loads(data)
        if "reap" in message:
            _, status = os.waitpid(message["reap"], 0)
            line.send(json.dumps({"status": status}).encode())
        elif os.fork() == 0:
            return message
    return None


def _become(wanted: Mapping[str, Any], line: socket.socket) -> None:
    """Be as a process that was started with these arguments, this environment, directory and output."""
    os.setsid()
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(wanted[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(wanted["env"])
    time.tzset()
    os.chdir(wanted["cwd"])
    sys.path[0] = wanted["cwd"]
    sys.argv = ["pointsman", *wanted["arguments"]]
    # Only now, since its session may be asked for as soon as it is known.
    line.send(json.dumps({"pid": os.getpid()}).encode())
    line.close()


def _main() -> NoReturn:
    # Nothing here may be found by the program, nor by what it loads.
    sys.path[0] = os.sep
    from pointsman.cli.main import cli, main

    context = click.Context(cli)
    for name in cli.list_commands(context):
        cli.get_command(context, name)
    line = socket.socket(fileno=int(sys.argv[1]))
    gc.collect()
    gc.freeze()
    wanted = _stay_ready(line)
    if wanted is not None:
        _become(wanted, line)
        main()
    sys.exit(0)


if __name__ == "__main__":
    _main()
