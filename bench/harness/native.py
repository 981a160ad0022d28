"""Compiles the mock upstream and the load generator; a binary is reused while its sources are unchanged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from harness.surroundings import BENCH, cache_directory, require, run_quietly

__all__ = ["Binaries", "build"]


@dataclass(frozen=True, slots=True)
class Binaries:
    """Paths of the two compiled programs."""

    mock: Path
    loadgen: Path


def build() -> Binaries:
    """Compiles what is missing; raises :class:`harness.surroundings.BenchError` when there is no compiler."""
    sources = sorted((BENCH / "native").glob("*.[ch]"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    directory = cache_directory() / f"native-{digest}"
    directory.mkdir(exist_ok=True)
    return Binaries(_compile(directory, "mock"), _compile(directory, "loadgen"))


def _compile(directory: Path, name: str) -> Path:
    binary = directory / name
    if not binary.exists():
        require("cc")
        native = BENCH / "native"
        run_quietly(
            ["cc", "-O2", "-Wall", "-Wextra", "-o", str(binary)]
            + [str(native / f"{part}.c") for part in (name, "http", "awake")]
        )
    return binary
