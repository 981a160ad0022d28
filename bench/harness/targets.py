"""The numbers Pointsman promises, held against what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.scenarios import SCENARIOS
from harness.summary import Figures, figures_of

if TYPE_CHECKING:
    from harness.outcome import Outcome

__all__ = ["Target", "judge"]

_NAME = "pointsman"
_MEGABYTE = 1_000_000
# "Flat" over half a million requests: less than two megabytes of growth, which is the noise of an allocator.
_SOAK_REQUESTS = 500_000
_SOAK_GROWTH_MB_MAX = 2.0
_TRANSLATED = (
    ("messages-small", "request", 3.0),
    ("claude-small", "request", 3.0),
    ("messages-packed", "event", 6.0),
    ("claude-packed", "event", 6.0),
    ("messages-paced", "event", 6.0),
    ("claude-paced", "event", 6.0),
)


@dataclass(frozen=True, slots=True)
class Target:
    """One promise; ``measured`` is None when this run did not measure it."""

    title: str
    measured: float | None
    limit: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether it holds; None when not measured."""
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


def judge(outcome: Outcome) -> list[Target]:
    """All promises, those not measured too."""
    figures = outcome.figures()
    footprint = outcome.footprints.get(_NAME)
    soak_mb = outcome.soak.bytes_per_1000_requests * _SOAK_REQUESTS / 1000 / _MEGABYTE if outcome.soak else None
    return [
        Target("CPU per request, 290 B", _to_nginx(figures, "chat-small"), 2.5, "× nginx"),
        Target("CPU per request, 8 KB", _to_nginx(figures, "chat-large"), 2.5, "× nginx"),
        Target("CPU per request, 5,000 per second", _to_nginx(figures, "equal-rate"), 2.5, "× nginx"),
        Target("CPU per event, back to back", _to_nginx(figures, "stream-packed"), 2.0, "× nginx"),
        Target("CPU per event, 5 ms apart", _to_nginx(figures, "stream-paced"), 2.0, "× nginx"),
        Target("requests per core", _to_litellm(figures), 100, "× LiteLLM", at_least=True),
        Target("added p50 at 200 per second", _added_ms(figures), 1.0, "ms"),
        Target("ready after", footprint.ready_s if footprint else None, 1.5, "s"),
        Target("memory under load", footprint.warm.resident / _MEGABYTE if footprint else None, 100, "MB"),
        Target("memory per open stream", footprint.bytes_per_stream / 1000 if footprint else None, 20, "KB"),
        *(
            Target(f"translated CPU per {what}, {name}", _to_express(figures, name), limit, "× express")
            for name, what, limit in _TRANSLATED
        ),
        Target("growth over 500,000 requests", soak_mb, _SOAK_GROWTH_MB_MAX, "MB"),
    ]


def _to_express(figures: list[Figures], scenario: str) -> float | None:
    """What the translated lane costs, as a multiple of what the express lane does for the same load."""
    beside = next(each.beside for each in SCENARIOS if each.name == scenario)
    own, express = figures_of(figures, scenario, _NAME), figures_of(figures, beside, _NAME)
    if own is None or express is None:
        return None
    if own.cpu_us_per_event:
        return own.cpu_us_per_event / express.cpu_us_per_event
    return own.cpu_us_per_request / express.cpu_us_per_request


def _to_nginx(figures: list[Figures], scenario: str) -> float | None:
    own = figures_of(figures, scenario, _NAME)
    return own.cpu_to_nginx if own else None


def _to_litellm(figures: list[Figures]) -> float | None:
    own = figures_of(figures, "chat-small", _NAME)
    return own.work_to_litellm if own else None


def _added_ms(figures: list[Figures]) -> float | None:
    own = figures_of(figures, "low-rate", _NAME)
    return own.added_p50_us / 1000 if own and own.added_p50_us is not None else None
