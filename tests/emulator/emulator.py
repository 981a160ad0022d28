"""The emulator ``@copilotkit/aimock`` as a child process: every service's API on one port, with the same answers."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.node import NODE, install
from tests.support.waiting import eventually

__all__ = ["Emulator"]

_HERE: Final = Path(__file__).parent
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_PROGRAM: Final = "node_modules/@copilotkit/aimock/dist/cli.js"
_ADDRESS: Final = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")


class Emulator:
    """One that runs, with the answers of ``fixtures.json``."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Emulator]:
        """Installed if need be, started, and ended afterwards."""
        program = install(_HERE) / _PROGRAM
        # A request that no answer is written for is an error, never an answer that was made up.
        command = [NODE, str(program), "--port", "0", "--fixtures", str(_HERE / "fixtures.json"), "--strict"]
        command += ["--validate-on-load"]
        with tempfile.TemporaryFile() as output:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env={})
            try:
                yield cls(eventually(lambda: _port(child, output), "the emulator listens", _START_SECONDS))
            finally:
                child.terminate()
                child.wait(_STOP_SECONDS)


def _port(child: subprocess.Popen[bytes], output: Any) -> int:
    output.seek(0)
    text = output.read().decode("utf-8", "replace")
    if child.poll() is not None:
        raise AssertionError(f"the emulator ended with {child.returncode}\n{text}")
    found = _ADDRESS.search(text)
    return int(found[1]) if found else 0
