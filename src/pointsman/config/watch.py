"""Tells when a configuration's files have changed. The caller asks, say once a second; nothing here waits."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pointsman.config.findings import ConfigRefused, SourceFile
from pointsman.config.source_file import read_source

__all__ = ["ConfigWatch"]

_SUSPICIOUS_LOOKS: Final = 3
"""For so many looks after a change the contents are compared even if times and size stay the same.

A second write within one tick of the file system's clock changes neither.
"""

_Stamp = tuple[int, int, int, int] | None


class ConfigWatch:
    """Compares files with what was last known of them.

    Args:
        sources: What :func:`~pointsman.config.load.load` read, or what a refusal was about. A change between that
            reading and the first look is noticed.
    """

    def __init__(self, sources: Iterable[SourceFile]) -> None:
        self._files: dict[Path, _Watched] = {}
        self.follow(sources)

    def follow(self, sources: Iterable[SourceFile]) -> None:
        """From now on watch ``sources`` and nothing else, as they are known there."""
        self._files = {source.path: _Watched(source) for source in sources}

    @property
    def files(self) -> tuple[Path, ...]:
        """What is watched."""
        return tuple(self._files)

    def changed(self) -> bool:
        """Whether any file is other than at the last look; each change is told once.

        A few microseconds per file while nothing happens. A file that was removed and one that came back have changed.
        """
        looks = [watched.changed() for watched in self._files.values()]  # every one, so that each is told only once
        return any(looks)


class _Watched:
    """One file: its stamp, by which a look is cheap, and the digest, which decides."""

    def __init__(self, source: SourceFile) -> None:
        self._path = source.path
        self._digest = source.digest
        self._stamp: _Stamp = None
        self._suspicion = _SUSPICIOUS_LOOKS

    def changed(self) -> bool:
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._suspicion = _SUSPICIOUS_LOOKS
        elif not self._suspicion:
            return False
        else:
            self._suspicion -= 1
        digest = _digest(self._path)
        known, self._digest = self._digest, digest
        return digest != known


def _stamp(path: Path) -> _Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116 - twice as fast, and this runs every second
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _digest(path: Path) -> bytes | None:
    try:
        return read_source(path)[1].digest
    except ConfigRefused:
        return None
