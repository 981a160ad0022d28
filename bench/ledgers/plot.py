"""A chart of how long questions take as the ledger grows, both axes logarithmic, carried on to 100 million calls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["extrapolated", "plot"]

_WIDTH: Final = 820
_HEIGHT: Final = 460
_LEFT: Final = 70
_RIGHT: Final = 250
_TOP: Final = 20
_BOTTOM: Final = 50
_COLOURS: Final = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2", "#97bbf5", "#9c6b4e")
_FURTHEST: Final = 100_000_000


def extrapolated(points: Sequence[tuple[int, float]], calls: int) -> float:
    """Milliseconds at ``calls``, by the power law through the last two points, but never falling."""
    (first, before), (last, now) = points[-2:]
    slope = max(0.0, math.log(now / before) / math.log(last / first)) if before > 0 and now > 0 else 0.0
    return float(now * (calls / last) ** slope)


def plot(points: Sequence[tuple[int, Mapping[str, float]]]) -> str:
    """The chart as SVG."""
    names = list(points[0][1])
    lines = {name: [(calls, max(found[name], 1e-4)) for calls, found in points] for name in names}
    far = {name: extrapolated(line, _FURTHEST) for name, line in lines.items()}
    highest = max([*far.values(), *(value for line in lines.values() for _, value in line)])
    lowest = min(value for line in lines.values() for _, value in line)
    span = (points[0][0], _FURTHEST, lowest, highest)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        *_axes(span),
    ]
    for index, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (_at(span, *point) for point in line))
        (x1, y1), (x2, y2) = _at(span, *line[-1]), _at(span, _FURTHEST, far[name])
        parts += [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-dasharray="4 4"/>',
            f'<rect x="{_WIDTH - _RIGHT + 15}" y="{_TOP + index * 22}" width="12" height="12" fill="{colour}"/>',
            f'<text x="{_WIDTH - _RIGHT + 33}" y="{_TOP + 11 + index * 22}">{name}: {line[-1][1]:.3g} ms</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


_Span = tuple[float, float, float, float]


def _at(span: _Span, calls: float, milliseconds: float) -> tuple[float, float]:
    first, last, lowest, highest = span
    along = math.log(calls / first) / math.log(last / first)
    up = math.log(milliseconds / lowest) / math.log(highest / lowest)
    return _LEFT + along * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)


def _axes(span: _Span) -> list[str]:
    first, last, lowest, highest = span
    parts = []
    for power in range(math.ceil(math.log10(first)), math.floor(math.log10(last)) + 1):
        x, y = _at(span, 10**power, lowest)
        parts.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">10^{power}</text>')
        parts.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x:.1f}" y2="{_TOP}" stroke="#ddd"/>')
    for power in range(math.ceil(math.log10(lowest)), math.floor(math.log10(highest)) + 1):
        x, y = _at(span, first, 10**power)
        parts.append(f'<text x="{x - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
        parts.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT - 12}" text-anchor="middle">calls in the ledger</text>')
    parts.append(f'<text x="16" y="{_HEIGHT / 2:.0f}" transform="rotate(-90 16 {_HEIGHT / 2:.0f})">milliseconds</text>')
    return parts
