"""Where things are and what is installed: the one module that reads the environment and asks for system packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = [
    "BENCH",
    "ROOT",
    "BenchError",
    "cache_directory",
    "child_environment",
    "require",
    "run_quietly",
    "scratch_directory",
]

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent

_DEBIAN_PACKAGES = {
    "nginx": "nginx-light",
    "cc": "gcc libc6-dev",
    "taskset": "util-linux",
    "node": "nodejs",
    "npm": "npm",
}
_NOT_FOR_CHILDREN = (
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPYCACHEPREFIX",
    "PYTHONPATH",
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "all_proxy",
)


class BenchError(Exception):
    """Something the person at the keyboard has to mend; the text says what."""


def cache_directory() -> Path:
    """Where everything installed or compiled is kept between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    directory = Path(home) / "pointsman-bench"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def scratch_directory(name: str) -> Path:
    """A new, empty directory for one run of one contender."""
    runs = cache_directory() / "runs"
    runs.mkdir(exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=runs))


def child_environment(**extra: str) -> dict[str, str]:
    """The environment of a contender: ours, without proxies and without what keeps Python from caching bytecode."""
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_CHILDREN}
    return environment | {"NO_PROXY": "127.0.0.1,localhost", **extra}


def require(*programs: str) -> None:
    """Makes sure the programs are on the path.

    As root on a system with apt-get the missing ones are installed.

    Raises:
        BenchError: a program is missing; the text names the packages.
    """
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    packages = " ".join(_DEBIAN_PACKAGES.get(program, program) for program in missing).split()
    if os.geteuid() == 0 and shutil.which("apt-get"):
        run_quietly(["apt-get", "update"])
        run_quietly(["apt-get", "install", "--yes", "--no-install-recommends", *packages])
        missing = [program for program in missing if shutil.which(program) is None]
    if missing:
        message = f"missing: {', '.join(missing)}. On Debian or Ubuntu: sudo apt-get install {' '.join(packages)}"
        raise BenchError(message)


def run_quietly(command: list[str], cwd: Path | None = None, timeout_s: float = 1200) -> str:
    """Runs an installer to its end and returns what it printed.

    Raises:
        BenchError: it failed; the text holds the end of its output.
    """
    try:
        done = subprocess.run(
            command, cwd=cwd, env=child_environment(), capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        message = f"{' '.join(command[:4])}: {failure}"
        raise BenchError(message) from failure
    if done.returncode != 0:
        message = f"{' '.join(command[:4])} failed:\n{(done.stdout + done.stderr)[-2000:]}"
        raise BenchError(message)
    return done.stdout
