"""Plain integers that count calls: cheap to add to, easy to send to another process and to add up."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

import msgspec

from pointsman.core.outcome import CallRecord
from pointsman.telemetry.budgets import BudgetNow
from pointsman.telemetry.deployments import DeploymentNow
from pointsman.telemetry.fallbacks import Move
from pointsman.telemetry.rates import RateNow

__all__ = ["BUCKETS", "CallLabels", "CallSeries", "Histogram", "HostSeries", "Snapshot"]

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

    def observe(self, seconds: list[float]) -> None:
        """Count many; ``seconds`` is sorted by this. Less than nothing, as a clock set back tells, is nothing."""
        seconds.sort()
        if seconds and seconds[0] < 0.0:
            seconds = [max(0.0, one) for one in seconds]
        counts = self.counts
        done = 0
        for place, bound in enumerate(BUCKETS):
            upto = bisect_right(seconds, bound, done)
            counts[place] += upto - done
            done = upto
            if done == len(seconds):
                break
        counts[-1] += len(seconds) - done
        self.total += sum(seconds)

    def merge(self, other: Histogram) -> None:
        """Add another's counts."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total


class CallLabels(msgspec.Struct, frozen=True):
    """What a series of calls has in common; ``extra`` are the values of labels that the operator asked for."""

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
    org: str = ""
    team_alias: str = ""
    org_alias: str = ""
    extra: tuple[str, ...] = ()


class CallSeries(msgspec.Struct):
    """The counts of one series. ``spend`` and ``energy_cost`` are in picodollars, energy in milliwatt-hours.

    ``upstream_failures`` are those of the failures in which the upstream had been asked.
    """

    labels: CallLabels
    latency: Histogram
    api_latency: Histogram
    first_token: Histogram
    overhead: Histogram
    per_token: Histogram = msgspec.field(default_factory=Histogram.empty)
    queued: Histogram = msgspec.field(default_factory=Histogram.empty)
    calls: int = 0
    failures: int = 0
    upstream_failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    images: int = 0
    spend: int = 0
    energy_mwh: int = 0
    energy_cost: int = 0

    @classmethod
    def empty(cls, labels: CallLabels) -> CallSeries:
        """With nothing counted."""
        return cls(labels, Histogram.empty(), Histogram.empty(), Histogram.empty(), Histogram.empty())

    def count(self, records: list[CallRecord]) -> None:
        """Count calls that have these labels."""
        usages = [record.usage for record in records]
        self.calls += len(records)
        failures = len(records) - [record.status for record in records].count("success")
        if failures:
            self.failures += failures
            self.upstream_failures += sum(record.status == "failure" and record.attempts > 0 for record in records)
        self.prompt_tokens += sum([usage.prompt for usage in usages])
        self.completion_tokens += sum([usage.completion for usage in usages])
        for usage in [usage for usage in usages if usage.cached or usage.reasoning or usage.cache_write]:
            self.cached_tokens += usage.cached
            self.cache_write_tokens += usage.cache_write
            self.reasoning_tokens += usage.reasoning
        for usage in [usage for usage in usages if usage.units is not None or usage.audio_input or usage.audio_output]:
            self.audio_input_tokens += usage.audio_input
            self.audio_output_tokens += usage.audio_output
            self.images += 0 if usage.units is None else usage.units.images
        self.spend += sum([record.cost for record in records])
        for record in [record for record in records if record.energy_mwh or record.energy_cost]:
            self.energy_mwh += record.energy_mwh
            self.energy_cost += record.energy_cost
        latency = [record.ended_at - record.started_at for record in records]
        if self.labels.deployment_id:
            self.queued.observe([record.queued_ms / 1000.0 for record in records])
            self.overhead.observe([record.overhead_ms / 1000.0 for record in records])
            # A wait for a turn is neither the gateway's own time nor the upstream's.
            apart = [(record.overhead_ms + record.queued_ms) / 1000.0 for record in records]
            self.api_latency.observe([whole - other for whole, other in zip(latency, apart, strict=True)])
        paces = zip(latency, usages, records, strict=True)
        self.per_token.observe(
            [
                seconds / usage.completion
                for seconds, usage, record in paces
                if usage.completion > 0 and record.status == "success"
            ]
        )
        first = [(record.first_token_at, record.started_at) for record in records if record.stream]
        self.first_token.observe([at - began for at, began in first if at is not None])
        self.latency.observe(latency)  # which sorts them, so it comes last

    def merge(self, other: CallSeries) -> None:
        """Add another process's counts of the same series."""
        for name in ("latency", "api_latency", "first_token", "overhead", "per_token", "queued"):
            getattr(self, name).merge(getattr(other, name))
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_SUMS: Final = (
    "calls",
    "failures",
    "upstream_failures",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "images",
    "spend",
    "energy_mwh",
    "energy_cost",
)


class HostSeries(msgspec.Struct):
    """A local server: how many requests wait for it and run there now, and how long they waited.

    ``idle_watt_hours`` is what it drew while nobody asked it for anything.
    """

    url: str
    depth: int
    running: int
    waits: Histogram
    idle_watt_hours: float = 0.0

    def merge(self, other: HostSeries) -> None:
        """Add another process's."""
        self.depth += other.depth
        self.running += other.running
        self.waits.merge(other.waits)
        self.idle_watt_hours += other.idle_watt_hours


class Snapshot(msgspec.Struct):
    """What one process counted, for another to add up; ``gauges`` are by name."""

    series: list[CallSeries]
    gauges: dict[str, float]
    hosts: list[HostSeries] = []
    deployments: list[DeploymentNow] = []
    budgets: list[BudgetNow] = []
    rates: list[RateNow] = []
    fallbacks: list[tuple[Move, int]] = []
