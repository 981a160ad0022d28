"""Whether anybody has written to the database since, told by its files alone.

A gateway asks every second what other processes have changed. While nobody does anything, which on a laptop is most of
the time, two looks at the file system answer that, and the thread of the database sleeps.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from pointsman.core.clock import Clock

__all__ = ["Mark", "mark_of"]

Mark = tuple[int, ...]
"""Inode, length and time of the last change, of the file and of its log; every commit makes another one."""

_RACE_SECONDS: Final = 0.1
"""Times of files move in steps of some milliseconds, and two writes within one step look like one."""


def mark_of(path: Path, clock: Clock) -> Mark | None:
    """How the database at ``path`` stands; None: it was written a moment ago, or nobody can tell, so read it."""
    if sys.platform == "win32":  # there a file that is held open has an old time of change
        return None
    mark: list[int] = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        try:
            found = file.stat()
        except OSError:
            return None
        if clock.wall() - found.st_mtime < _RACE_SECONDS:
            return None
        mark += (found.st_ino, found.st_size, found.st_mtime_ns)
    return tuple(mark)
