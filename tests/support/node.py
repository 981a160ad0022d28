"""Programs and libraries of npm, in the versions of a lock file, installed once per machine outside of the checkout."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final, NoReturn

import pytest

__all__ = ["NODE", "cannot", "install"]

NODE: Final = shutil.which("node") or ""
_MANIFESTS: Final = ("package.json", "package-lock.json")
_INSTALL_SECONDS: Final = 300
_LEAST_VERSION: Final = 20


def cannot(reason: str) -> NoReturn:
    """Without Node there is nothing to test: a failure in CI, a loud skip on a developer's machine."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason)
    pytest.skip(f"NOT TESTED: {reason}")


def install(directory: Path) -> Path:
    """The folder where the packages of ``directory`` are installed; scripts of theirs are not run."""
    npm = shutil.which("npm")
    if not NODE or npm is None:
        cannot("Node and npm are not on the path.")
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip().lstrip("v").split(".")[0]) < _LEAST_VERSION:
        cannot(f"Node {_LEAST_VERSION} or newer is needed, and this is {version.strip()}.")
    manifests = {name: (directory / name).read_bytes() for name in _MANIFESTS}
    digest = hashlib.sha256(b"".join(manifests.values())).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pointsman" / "node"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = cache / digest
        if not (place / ".complete").exists():
            _install(npm, place, manifests)
    return place


def _install(npm: str, place: Path, manifests: dict[str, bytes]) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name, data in manifests.items():
        (place / name).write_bytes(data)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        cannot(f"npm did not install the packages within {_INSTALL_SECONDS} s.")
    if done.returncode:
        cannot(f"npm cannot install the packages: {done.stderr.strip()[-500:]}")
    (place / ".complete").touch()
