"""Calls at hand, added up by what serves them; see :mod:`pointsman.stores.performance`."""

from __future__ import annotations

from collections.abc import Iterable

from pointsman.core.outcome import CallRecord
from pointsman.stores.performance import DeploymentUse, PerformanceQuery, PerformanceRow
from pointsman.stores.records import day_of

__all__ = ["performance_of", "use_of"]


def performance_of(records: Iterable[CallRecord], query: PerformanceQuery) -> tuple[PerformanceRow, ...]:
    """The rows for calls that are at hand, ordered by day, deployment and outcome."""
    rows: dict[tuple[str, ...], PerformanceRow] = {}
    for record in records:
        if not record.deployment_id or not _is_meant(record, query):
            continue
        parts = (
            day_of(record.started_at),
            record.deployment_id,
            record.api_base,
            record.model,
            record.error_code or "",
        )
        row = rows.get(parts)
        if row is None:
            day, deployment_id, api_base, model, error_code = parts
            row = rows[parts] = PerformanceRow(
                day=day, deployment_id=deployment_id, api_base=api_base, model=model, error_code=error_code
            )
        _count(row, record, query.slow_seconds)
    return tuple(rows[key] for key in sorted(rows))


def use_of(records: Iterable[CallRecord], start: float, end: float) -> tuple[DeploymentUse, ...]:
    """What each deployment was sent within the span, ordered by its id."""
    sums: dict[str, tuple[int, int]] = {}
    for record in records:
        if record.deployment_id and start <= record.started_at < end:
            requests, tokens = sums.get(record.deployment_id, (0, 0))
            sums[record.deployment_id] = requests + 1, tokens + record.usage.total
    return tuple(DeploymentUse(identity, *sums[identity]) for identity in sorted(sums))


def _is_meant(record: CallRecord, query: PerformanceQuery) -> bool:
    return (
        query.start <= record.started_at < query.end
        and query.model_group in {None, record.model_group}
        and query.key_token in {None, record.key_token}
        and query.end_user in {None, record.end_user}
    )


def _count(row: PerformanceRow, record: CallRecord, slow_seconds: float) -> None:
    seconds = record.ended_at - record.started_at
    row.calls += 1
    row.seconds += seconds
    row.slow += seconds >= slow_seconds
    if record.usage.completion > 0:
        row.paced += 1
        row.pace_seconds += seconds / record.usage.completion
    first = record.first_token_at
    if record.stream and first is not None and first < record.ended_at:
        row.begun += 1
        row.first_seconds += first - record.started_at
