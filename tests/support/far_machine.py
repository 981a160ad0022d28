"""A machine of its own, behind a network that can be told to drop every packet: a network namespace (Linux, root)."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, Self

import pytest

__all__ = ["FarMachine"]

_PORT: Final = 8000
_SECONDS: Final = 10.0
_PROGRAM: Final = Path(__file__).parents[1] / "upstreams" / "far_server.py"
_numbers = itertools.count()


class FarMachine:
    """A server in a namespace at the other end of a pair of cables. Whoever may not make these is told so, and skips.

    The addresses are of 198.18.0.0/15, which is for tests of networks (RFC 2544).
    """

    def __init__(self) -> None:
        number = (os.getpid() * 16 + next(_numbers) % 16) % 2**15
        self._name = f"pointsman-{number}"
        self._near, self._far = f"pmn{number}", f"pmf{number}"
        network = 198 << 24 | 18 << 16 | number << 2
        self.near, self.address = (_dotted(network + place) for place in (1, 2))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        """What ``api_base`` is set to."""
        return f"http://{self.address}:{_PORT}/v1"

    def __enter__(self) -> Self:
        try:
            self._lay_cables()
        except (OSError, subprocess.SubprocessError) as error:
            self._remove()
            _cannot(error)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=_SECONDS)
        self._remove()

    def drop(self) -> None:
        """From now on nothing comes back from there, no answer and no refusal, on old connections and on new ones."""
        _ip("netns", "exec", self._name, "ip", "route", "add", "blackhole", f"{self.near}/32")

    def pass_again(self) -> None:
        """The network is as it was."""
        _ip("netns", "exec", self._name, "ip", "route", "del", "blackhole", f"{self.near}/32")

    def _lay_cables(self) -> None:
        _ip("netns", "add", self._name)
        _ip("link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self._name)
        _ip("addr", "add", f"{self.near}/30", "dev", self._near)
        _ip("link", "set", self._near, "up")
        _ip("-n", self._name, "addr", "add", f"{self.address}/30", "dev", self._far)
        _ip("-n", self._name, "link", "set", self._far, "up")

    def _start(self) -> None:
        command = ["ip", "netns", "exec", self._name, sys.executable, str(_PROGRAM), self.address, str(_PORT)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._process.stdout is None or self._process.stdout.readline() != b"READY\n":
            raise AssertionError("the server in the namespace did not start")

    def _remove(self) -> None:
        if shutil.which("ip") is None:
            return
        for what in (("link", "del", self._near), ("netns", "del", self._name)):
            subprocess.run(["ip", *what], capture_output=True, timeout=_SECONDS, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, timeout=_SECONDS, check=True)


def _dotted(address: int) -> str:
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


def _cannot(error: Exception) -> None:
    """A failure where it has to work: in CI, as root; elsewhere a loud skip."""
    reason = f"NO NETWORK NAMESPACE COULD BE MADE, SO A NETWORK THAT DROPS WAS NOT TESTED: {error}"
    if os.geteuid() == 0 and os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason)
    pytest.skip(reason)
