"""A chart of what questions cost as the ledger grows, both axes logarithmic, carried on to 100 million calls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from ledgers.points import FURTHEST, extrapolated

__all__ = ["plot"]

_WIDTH: Final = 980
_HEIGHT: Final = 440
_LEFT: Final = 70
_RIGHT: Final = 430
_TOP: Final = 40
_BOTTOM: Final = 50
_COLOURS: Final = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0")

_Lines = Mapping[str, Sequence[tuple[int, float]]]
_Span = tuple[float, float, float, float]


def plot(panels: Mapping[str, _Lines]) -> str:
    """A panel for each backend, one below the other, with milliseconds by number of calls, as SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT * len(panels)}">',
        "<style>text { font: 13px sans-serif }</style>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT * len(panels)}" fill="white"/>',
    ]
    span = _span(panels)
    for number, (title, lines) in enumerate(panels.items()):
        parts += [f'<g transform="translate(0 {number * _HEIGHT})">', *_panel(title, lines, span), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _span(panels: Mapping[str, _Lines]) -> _Span:
    """First and last size, lowest and highest value of all panels, so that they can be compared."""
    lines = [line for panel in panels.values() for line in panel.values()]
    values = [value for line in lines for _, value in line if value > 0]
    highest = max([*values, *(extrapolated(line, FURTHEST) for line in lines)])
    return min(line[0][0] for line in lines), FURTHEST, min(values), highest


def _panel(title: str, lines: _Lines, span: _Span) -> list[str]:
    parts = [f'<text x="{_LEFT}" y="24" style="font-size: 16px">{title}</text>', *_axes(span)]
    for index, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (_at(span, *point) for point in line))
        far = extrapolated(line, FURTHEST)
        (x1, y1), (x2, y2) = _at(span, *line[-1]), _at(span, FURTHEST, far)
        label = f"{name}: {line[-1][1]:.3g} ms, then {far:.3g}"
        parts += [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-dasharray="4 4"/>',
            f'<rect x="{_WIDTH - _RIGHT + 15}" y="{_TOP + index * 24}" width="12" height="12" fill="{colour}"/>',
            f'<text x="{_WIDTH - _RIGHT + 33}" y="{_TOP + 11 + index * 24}">{label}</text>',
        ]
    return parts


def _at(span: _Span, calls: float, milliseconds: float) -> tuple[float, float]:
    first, last, lowest, highest = span
    along = math.log(calls / first) / math.log(last / first)
    up = math.log(max(milliseconds, lowest) / lowest) / math.log(highest / lowest)
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
