"""Processor time of processes with all their children, to the nanosecond, as Linux counts it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.support.processes import process_tree

__all__ = ["cpu_seconds"]


def cpu_seconds(roots: Iterable[int]) -> float:
    """What the threads that live spent so far. Those that end between two looks are not counted."""
    return sum(_of_thread(file) for root in roots for process in process_tree(root) for file in _threads(process)) / 1e9


def _threads(process: int) -> Iterable[Path]:
    return Path(f"/proc/{process}/task").glob("*/schedstat")


def _of_thread(file: Path) -> int:
    try:
        return int(file.read_text().split()[0])
    except (OSError, IndexError):
        return 0
