"""Does memory stay flat? Many requests through one contender, memory sampled between slices, and the slope of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.load import run_load

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.launching import Running
    from harness.rounds import Bench

__all__ = ["SLICES", "Soak", "run_soak", "slope"]

SLICES = 50
# The first fifth fills pools, arenas and caches of bounded size; a leak shows in the rest.
_SKIPPED = SLICES // 5


@dataclass(frozen=True, slots=True)
class Soak:
    """Samples are pairs of requests served and resident bytes; ``wrong`` counts replies that were not right."""

    samples: list[tuple[int, int]]
    wrong: int

    @property
    def bytes_per_1000_requests(self) -> float:
        """The slope after the first fifth."""
        return slope(self.samples[_SKIPPED:]) * 1000


def run_soak(bench: Bench, running: Running, requests: int, tick: Callable[[str], None]) -> Soak:
    """Alternates small chats with streams, a slice each."""
    samples = [(0, running.process.memory().resident)]
    wrong = served = 0
    for number in range(SLICES):
        tick(f"soak · {served:,} requests")
        kind = "stream" if number % 2 else "small"
        load = replace(
            bench.load(running, kind, None), connections=48, seconds=600, requests=max(1, requests // SLICES)
        )
        load = replace(load, events=52 if kind == "stream" else 0)
        result = run_load(bench.binaries.loadgen, load)
        served += result.completed
        wrong += result.wrong_status + result.wrong_body + result.broken + result.in_flight
        samples.append((served, running.process.memory().resident))
    return Soak(samples, wrong)


def slope(samples: list[tuple[int, int]]) -> float:
    """Least squares, bytes per request."""
    count = len(samples)
    mean_x = sum(x for x, _ in samples) / count
    mean_y = sum(y for _, y in samples) / count
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0
