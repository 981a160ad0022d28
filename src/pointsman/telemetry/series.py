"""Plain integers that count calls: cheap to add to, easy to send to another process and to add up."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

import msgspec

from pointsman.core.outcome import CallRecord

__all__ = ["BUCKETS", "CallLabels", "CallSeries", "Histogram", "Snapshot"]

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 420.0, 600.0)
"""Upper bounds in seconds; LiteLLM's ``litellm_request_total_latency_metric`` has the same."""


class Histogram(msgspec.Struct):
    """Counts by bucket (the last one is +Inf) and the sum, in seconds."""

    counts: list[int]
    total: float = 0.0

    @classmethod
    def empty(cls) -> Histogram:
        """With nothing counted."""
        return cls([0] * (len(BUCKETS) + 1))

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def merge(self, other: Histogram) -> None:
        """Add another's counts."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total


class CallLabels(msgspec.Struct, frozen=True):
    """What a series of calls has in common."""

    key_token: str
    key_alias: str
    team: str
    user: str
    requested_model: str
    model_group: str
    deployment_id: str
    model: str
    provider: str
    api_base: str
    route: str
    status: int
    error: str


class CallSeries(msgspec.Struct):
    """The counts of one series. ``spend`` is in picodollars."""

    labels: CallLabels
    latency: Histogram
    api_latency: Histogram
    first_token: Histogram
    overhead: Histogram
    calls: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    spend: int = 0

    @classmethod
    def empty(cls, labels: CallLabels) -> CallSeries:
        """With nothing counted."""
        return cls(labels, Histogram.empty(), Histogram.empty(), Histogram.empty(), Histogram.empty())

    def count(self, record: CallRecord) -> None:
        """Count one call."""
        seconds = record.ended_at - record.started_at
        overhead = record.overhead_ms / 1000.0
        usage = record.usage
        self.calls += 1
        if record.status != "success":
            self.failures += 1
        self.prompt_tokens += usage.prompt
        self.completion_tokens += usage.completion
        self.cached_tokens += usage.cached
        self.reasoning_tokens += usage.reasoning
        self.spend += record.cost
        self.latency.observe(seconds)
        if record.deployment_id:
            self.api_latency.observe(max(0.0, seconds - overhead))
            self.overhead.observe(max(0.0, overhead))
        if record.first_token_at is not None and record.stream:
            self.first_token.observe(record.first_token_at - record.started_at)

    def merge(self, other: CallSeries) -> None:
        """Add another process's counts of the same series."""
        for name in ("latency", "api_latency", "first_token", "overhead"):
            getattr(self, name).merge(getattr(other, name))
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_SUMS: Final = (
    "calls",
    "failures",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "spend",
)


class Snapshot(msgspec.Struct):
    """What one process counted, for another to add up; ``gauges`` are by name."""

    series: list[CallSeries]
    gauges: dict[str, float]
