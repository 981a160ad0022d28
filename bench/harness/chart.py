"""The chart: one panel per figure, horizontal bars on a logarithmic scale, as plain SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.outcome import Outcome
    from harness.summary import Figures

__all__ = ["Panel", "panels_of", "render", "write_chart"]

_WIDTH, _LEFT, _RIGHT = 860, 160, 190
_BAR, _STEP, _HEADER, _FOOTER = 18, 26, 34, 30
_TITLE = "Gateways side by side: shorter is better, logarithmic scale"
_COLOURS = {
    "nginx": "#7a8794", "pointsman": "#1f7a5c", "portkey": "#9a6fb0", "litellm": "#c2703d", "warm first": "#1f7a5c",
    "warm first, no affinity": "#5fa58c",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure for each contender: ``bars`` are name and value; less is better."""

    title: str
    unit: str
    bars: list[tuple[str, float]]


def write_chart(outcome: Outcome, path: Path) -> None:
    """Writes the chart of an outcome."""
    path.write_text(render(panels_of(outcome), _subtitle(outcome)))


def panels_of(outcome: Outcome) -> list[Panel]:
    """The panels for which there is something to show."""
    figures = outcome.figures()

    def panel(title: str, unit: str, scenario: str, value: Callable[[Figures], float]) -> Panel:
        return Panel(
            title,
            unit,
            [(each.contender, value(each)) for each in figures if each.scenario == scenario and value(each) > 0],
        )

    def footprint(title: str, unit: str, values: dict[str, float]) -> Panel:
        return Panel(title, unit, [(name, value) for name, value in values.items() if value > 0])

    shown = outcome.footprints
    panels = [
        panel("CPU per request, 290 B body", "µs", "chat-small", lambda each: each.cpu_us_per_request),
        panel("CPU per request, 8 KB body", "µs", "chat-large", lambda each: each.cpu_us_per_request),
        panel("CPU per streamed event, back to back", "µs", "stream-packed", lambda each: each.cpu_us_per_event),
        panel("CPU per streamed event, 5 ms apart", "µs", "stream-paced", lambda each: each.cpu_us_per_event),
        panel("Added median latency at 200 requests/s", "µs", "low-rate", lambda each: each.added_p50_us or 0),
        footprint("Memory under load", "MB", {name: each.warm.resident / 1e6 for name, each in shown.items()}),
        footprint("Memory per open stream", "KB", {name: each.bytes_per_stream / 1e3 for name, each in shown.items()}),
        footprint("Time to ready", "s", {name: each.ready_s for name, each in shown.items()}),
    ]
    return [Panel(each.title, each.unit, sorted(each.bars, key=lambda bar: bar[1])) for each in panels if each.bars]


def render(panels: list[Panel], subtitle: str, title: str = _TITLE) -> str:
    """The SVG document."""
    parts, top = [], 70
    for panel in panels:
        parts.append(_panel(panel, top))
        top += _HEADER + _STEP * len(panel.bars) + _FOOTER
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{top}" viewBox="0 0 {_WIDTH} {top}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#1c2430">'
    )
    return "\n".join([
        opening,
        f'<rect width="{_WIDTH}" height="{top}" fill="#ffffff"/>',
        f'<text x="20" y="32" font-size="19" font-weight="600">{escape(title)}</text>',
        f'<text x="20" y="52" fill="#5a6675">{escape(subtitle)}</text>',
        *parts,
        "</svg>\n",
    ])  # fmt: skip


def _panel(panel: Panel, top: int) -> str:
    values = [value for _, value in panel.bars]
    low, high = math.floor(math.log10(min(values)) - 0.3), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def place(value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (math.log10(value) - low) / (high - low)

    bottom = top + _HEADER + _STEP * len(panel.bars)
    parts = [f'<text x="20" y="{top + 18}" font-weight="600">{escape(panel.title)} ({escape(panel.unit)})</text>']
    for power in range(low, high + 1):
        x = place(10.0**power)
        parts.append(f'<line x1="{x:.1f}" y1="{top + _HEADER - 6}" x2="{x:.1f}" y2="{bottom}" stroke="#dfe4ea"/>')
        mark = f"{10.0**power:,g}"
        parts.append(f'<text x="{x:.1f}" y="{bottom + 14}" font-size="11" text-anchor="middle">{mark}</text>')
    nginx = dict(panel.bars).get("nginx")
    for row, (name, value) in enumerate(panel.bars):
        y, end = top + _HEADER + _STEP * row, place(value)
        label = _number(value) + (f"  ({_number(value / nginx)} × nginx)" if nginx and name != "nginx" else "")
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        colour = _COLOURS.get(name, "#888888")
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="{end - _LEFT:.1f}" height="{_BAR}" fill="{colour}"/>')
        parts.append(f'<text x="{end + 6:.1f}" y="{y + 14}">{escape(label)}</text>')
    return "\n".join(parts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _subtitle(outcome: Outcome) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in outcome.versions.items())
    return f"{versions} · one core each · {outcome.machine.get('cpu', '')}"
