"""Server programs for tests: those of this machine, or else Debian's packages, unpacked beside the caches of this user.

Nothing is installed, so no service is started and nothing of the machine changes.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import pytest

__all__ = ["Program", "cannot", "program"]

_FETCH_SECONDS: Final = 300
_ARCHIVE: Final = "http://deb.debian.org/debian"
_PACKAGE: Final = re.compile(r"^'(?P<url>[^']+)' (?P<file>\S+)", re.MULTILINE)


class Program(NamedTuple):
    """A program to start, and the environment that it needs beside that of the tests."""

    path: Path
    environment: dict[str, str]

    def beside(self, name: str) -> str:
        """Another program of the same package."""
        return str(self.path.resolve().with_name(name))


def cannot(reason: str) -> NoReturn:
    """Without the server there is nothing to test: a failure in CI, a loud skip on a developer's machine."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason)
    pytest.skip(f"NOT TESTED: {reason}")


def program(names: Sequence[str], package: str) -> Program:
    """The first of the programs ``names`` that this machine has, else the one in Debian's ``package``."""
    found = _installed(names)
    if found is not None:
        return Program(found, {})
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        cannot(f"None of {', '.join(names)} is on the path; install the package {package}.")
    root = _unpacked(package)
    for name in names:
        places = ("usr/bin", "usr/sbin", "usr/lib/postgresql/*/bin")
        unpacked = sorted(path for place in places for path in root.glob(f"{place}/{name}"))
        if unpacked:
            libraries = ":".join(str(folder) for folder in sorted(root.glob("usr/lib/*-linux-gnu*")))
            return Program(unpacked[-1], {"LD_LIBRARY_PATH": libraries})
    cannot(f"Debian's package {package} holds none of {', '.join(names)}.")


def _installed(names: Sequence[str]) -> Path | None:
    for name in names:
        on_path = shutil.which(name)
        if on_path is not None:
            return Path(on_path)
        versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
        if versions:
            return versions[-1]
    return None


def _unpacked(package: str) -> Path:
    """The folder that holds the package and what it needs beside this machine's packages."""
    # What root keeps at home nobody else may read, and PostgreSQL does not run as root.
    own = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    cache = (Path("/var/cache") if os.geteuid() == 0 else own) / "pointsman" / "debian"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = cache / package
        if not (place / ".complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            (place / "packages").mkdir(parents=True)
            _fetch(package, place)
            (place / ".complete").touch()
    return place


def _fetch(package: str, place: Path) -> None:
    options: tuple[str, ...] = ()
    listed = _listed(package, options)
    if listed.returncode and os.geteuid() == 0:  # a fresh container has no lists of packages
        _run(["apt-get", "update", "-qq"], place)
        listed = _listed(package, options)
    if listed.returncode:
        options = _backports(place)
        _run(["apt-get", *options, "update", "-qq"], place)
        listed = _listed(package, options)
    if listed.returncode:
        cannot(f"apt-get does not know the package {package}: {listed.stderr.strip()[-300:]}")
    names = [match["file"].split("_")[0] for match in _PACKAGE.finditer(listed.stdout)]
    _run(["apt-get", *options, "download", "-qq", *names], place / "packages")
    for file in (place / "packages").glob("*.deb"):
        _run(["dpkg", "-x", str(file), str(place)], place)
        file.unlink()


def _listed(package: str, options: Sequence[str]) -> subprocess.CompletedProcess[str]:
    wanted = ["apt-get", *options, "install", "--print-uris", "--no-install-recommends", "-qq", package]
    return subprocess.run(wanted, capture_output=True, text=True, check=False)


def _backports(place: Path) -> tuple[str, ...]:
    """Options with which apt-get knows Debian's backports, too, and keeps its lists in ``place``."""
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    sources = place / "sources"
    (place / "lists" / "partial").mkdir(parents=True)
    lines = [
        f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {_ARCHIVE} {suite} main"
        for suite in (release, f"{release}-backports")
    ]
    (sources / "parts").mkdir(parents=True)
    (sources / "sources.list").write_text("\n".join(lines) + "\n")
    settings = {
        "Dir::Etc::SourceList": sources / "sources.list",
        "Dir::Etc::SourceParts": sources / "parts",
        "Dir::State::Lists": place / "lists",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Default-Release": f"{release}-backports",
        "Debug::NoLocking": "true",
        "Acquire::Languages": "none",
    }
    return tuple(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        cannot(f"{' '.join(command[:2])} did not end within {_FETCH_SECONDS} s.")
    if done.returncode:
        cannot(f"{' '.join(command[:2])} failed: {done.stderr.strip()[-500:]}")
