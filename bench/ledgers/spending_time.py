"""Processor time of processes with all their children, to the nanosecond, as Linux counts it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.support.processes import process_tree

__all__ = ["Spending"]


class Spending:
    """What processes spend from now on, with this one (``own``) or without.

    Threads that end before one looks are not counted, as are those of PostgreSQL that help with a single query.
    """

    def __init__(self, roots: Iterable[int], *, own: bool = False) -> None:
        self._roots = tuple(roots)
        self._before = _threads(self._roots)
        # Last, since to look takes some of it.
        self._own = time.process_time() if own else None

    def seconds(self) -> float:
        """What was spent so far."""
        own = 0.0 if self._own is None else time.process_time() - self._own
        after = _threads(self._roots)
        return own + sum(spent - self._before.get(thread, 0) for thread, spent in after.items()) / 1e9


def _threads(roots: Iterable[int]) -> Mapping[str, int]:
    """Nanoseconds by thread."""
    found = {}
    for root in roots:
        for process in process_tree(root):
            for file in Path(f"/proc/{process}/task").glob("*/schedstat"):
                try:
                    found[file.parent.name] = int(file.read_text().split()[0])
                except (OSError, IndexError):
                    continue  # it has just ended
    return found
