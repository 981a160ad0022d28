"""What the system knows of a process and its children (Linux: /proc; elsewhere: ps)."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

__all__ = ["free_port", "process_tree", "resident_kilobytes"]


def free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _table() -> dict[int, tuple[int, int]]:
    """Parent and resident kilobytes of every process, by its id."""
    if Path("/proc/self/status").exists():
        found = (_status(file) for file in Path("/proc").glob("[0-9]*/status"))
        return {row[0]: (row[1], row[2]) for row in found if row}
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True)
    rows = (line.split() for line in listing.stdout.splitlines())
    return {int(pid): (int(parent), int(rss)) for pid, parent, rss in rows}


def _status(file: Path) -> tuple[int, int, int] | None:
    try:
        text = file.read_text()
    except OSError:
        return None  # it has just ended
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(fields["Pid"]), int(fields["PPid"]), int(fields.get("VmRSS", "0 kB").split()[0])


def process_tree(root: int) -> list[int]:
    """The process and all that descend from it."""
    parents = {pid: parent for pid, (parent, _) in _table().items()}
    family = [root]
    for pid in family:
        family += [child for child, parent in parents.items() if parent == pid]
    return family


def resident_kilobytes(root: int) -> int:
    """The resident memory of the process and its descendants together."""
    table = _table()
    return sum(table[pid][1] for pid in process_tree(root) if pid in table)
