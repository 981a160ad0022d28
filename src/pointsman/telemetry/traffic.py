"""What rules about traffic have counted, added up over the workers as :mod:`pointsman.telemetry.metrics` does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from pointsman.lifecycle.traffic import TrafficCounts

__all__ = ["TrafficBook"]


class TrafficBook:
    """``own`` are the counts of this process."""

    def __init__(self, own: Callable[[], TrafficCounts]) -> None:
        self._own = own
        self._directory: Path | None = None
        self._worker = 0
        self._workers = 1

    def share(self, directory: Path, worker: int, workers: int) -> None:
        """Add up with the other ``workers``, through files in ``directory``; those of former processes do not count."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory, self._worker, self._workers = directory, worker, workers
        _file(directory, worker).unlink(missing_ok=True)

    def save(self) -> None:
        """Leave the counts for the other workers, if there are any."""
        counts = self._own()
        if self._directory is not None and (counts.models or counts.bulkheads):
            own_file = _file(self._directory, self._worker)
            spare = own_file.with_suffix(".new")
            spare.write_bytes(msgspec.msgpack.encode(counts))
            spare.replace(own_file)

    def gathered(self) -> TrafficCounts:
        """The counts of all workers; of the others as they were a moment ago."""
        total = TrafficCounts({}, {})
        total.merge(self._own())
        for worker in range(self._workers if self._directory is not None else 0):
            if worker != self._worker and self._directory is not None:
                try:
                    data = _file(self._directory, worker).read_bytes()
                    total.merge(msgspec.msgpack.decode(data, type=TrafficCounts))
                except (OSError, msgspec.MsgspecError):
                    continue
        return total


def _file(directory: Path, worker: int) -> Path:
    return directory / f"traffic-{worker}.msgpack"
