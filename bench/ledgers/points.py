"""What was measured of a ledger at one size, what was promised, and where it leads to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from ledgers.asking import Cost
from ledgers.measuring import Remembered

__all__ = ["AIMS_MS", "FURTHEST", "Point", "extrapolated", "missed", "table"]

FURTHEST: Final = 100_000_000
AIMS_MS: Final = {
    "report of a month": 1000.0,
    "key check, not remembered": 2.0,
    "key check, remembered": 0.030,
}
MEMORY_MEGABYTES_MAX: Final = 1500.0
"""Of a process that has touched every key: it remembers 100,000 of them, however many there are."""
_FITTED: Final = 3


class Point(msgspec.Struct, frozen=True):
    """One ledger. Times are medians; ``append_us`` is processor time per call of very many keys, and of few."""

    backend: str
    calls: int
    keys: int
    teams: int
    megabytes: float
    start_seconds: float
    gateway_megabytes: float
    append_us: float
    append_few_us: float
    costs: dict[str, Cost]
    remembered: Remembered | None = None


def extrapolated(line: Sequence[tuple[int, float]], calls: int) -> float:
    """The value at ``calls``, by the power law that fits the largest three sizes best, but never falling."""
    fitted = [(math.log(size), math.log(value)) for size, value in line[-_FITTED:] if value > 0]
    if len(fitted) < 2:
        return line[-1][1]
    middle_x, middle_y = (sum(each) / len(fitted) for each in zip(*fitted, strict=True))
    spread = sum((x - middle_x) ** 2 for x, _ in fitted)
    slope = max(0.0, sum((x - middle_x) * (y - middle_y) for x, y in fitted) / spread)
    return math.exp(middle_y + slope * (math.log(calls) - middle_x))


def missed(points: Iterable[Point]) -> list[str]:
    """What the largest ledger of each backend does not hold. Processor time counts, since others may be at work."""
    found = []
    for point in {point.backend: point for point in points}.values():
        for name, aim in AIMS_MS.items():
            took = point.costs[name].worked
            if took > aim:
                found.append(f"{point.backend}: {name} took {took:.3f} ms, at most {aim:g} were wanted")
        if point.remembered is not None and point.remembered.megabytes > MEMORY_MEGABYTES_MAX:
            found.append(f"{point.backend}: {point.remembered.megabytes:.0f} MB to remember keys")
    return found


def table(points: Sequence[Point]) -> str:
    """All of it as Markdown: processor time and, behind it, the time waited; the last column is carried on."""
    heads = [f"{point.calls:,}" for point in points]
    lines = [f"| {points[0].backend} | {' | '.join(heads)} | 100 M (fit) |", "|---" + "|---:" * (len(points) + 1) + "|"]
    for name in points[0].costs:
        cells = [f"{_short(point.costs[name].worked)} ({_short(point.costs[name].waited)})" for point in points]
        far = extrapolated([(point.calls, point.costs[name].worked) for point in points], FURTHEST)
        lines.append(f"| {name}, ms | {' | '.join(cells)} | {_short(far)} |")
    for name, values in (
        ("append, calls of very many keys, µs", [point.append_us for point in points]),
        ("append, calls of 50 keys, µs", [point.append_few_us for point in points]),
        ("on disk, MB", [point.megabytes for point in points]),
        ("start of a gateway, s", [point.start_seconds for point in points]),
        ("memory of the gateway, MB", [point.gateway_megabytes for point in points]),
    ):
        far = extrapolated([(point.calls, value) for point, value in zip(points, values, strict=True)], FURTHEST)
        lines.append(f"| {name} | {' | '.join(map(_short, values))} | {_short(far)} |")
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
