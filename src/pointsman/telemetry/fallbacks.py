"""Counts the fallbacks of calls, under LiteLLM's metric names (``litellm_deployment_…_fallbacks``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric

from pointsman.core.outcome import CallRecord
from pointsman.core.trace import RouteTrace

__all__ = ["FallbackCounts", "Move", "fallback_families"]

_SERIES_MAX: Final = 5_000
_LABELS: Final = (
    "requested_model", "fallback_model", "hashed_api_key", "api_key_alias", "team", "exception_class",
)  # fmt: skip

Move = tuple[str, ...]
"""The values of the labels, and ``"1"`` behind them if the fallback answered, ``""`` if it did not."""


class FallbackCounts:
    """How often which model stood in for which, and whether it did answer; of 5,000 series at most."""

    def __init__(self) -> None:
        self.counts: dict[Move, int] = {}

    def count(self, records: Iterable[CallRecord]) -> None:
        """Count the fallbacks of these calls."""
        for record in records:
            trace = record.trace
            if trace is not None and trace.fallbacks:
                self._count(record, trace)

    def _count(self, record: CallRecord, trace: RouteTrace) -> None:
        answered = record.status == "success"
        why = trace.failed[0].error if trace.failed else record.error_code or ""
        for place, model in enumerate(trace.fallbacks, 1):
            outcome = "1" if answered and place == len(trace.fallbacks) else ""
            whose = (record.key_token, record.key_alias or "", record.team_id or "")
            move = (record.model_requested, model, *whose, why, outcome)
            if move in self.counts or len(self.counts) < _SERIES_MAX:
                self.counts[move] = self.counts.get(move, 0) + 1


def fallback_families(counts: Mapping[Move, int]) -> Iterable[Metric]:
    """The metrics."""
    good = CounterMetricFamily("litellm_deployment_successful_fallbacks", "Fallbacks that answered.", labels=_LABELS)
    bad = CounterMetricFamily("litellm_deployment_failed_fallbacks", "Fallbacks that failed, too.", labels=_LABELS)
    for (*values, outcome), number in counts.items():
        (good if outcome else bad).add_metric(values, number)
    yield from (good, bad)
