"""Calls added up by what serves them; see :mod:`pointsman.stores.performance`."""

from __future__ import annotations

from typing import Final

import apsw
import msgspec

from pointsman.stores.performance import DeploymentUse, PerformanceQuery, PerformanceRow

__all__ = ["read_performance", "read_use"]

# Out of the tables themselves: to look up where each call's id comes from would take longer than all the rest.
_PERFORMANCE: Final = """
SELECT
    date(started_at, 'unixepoch'), coalesce(more ->> 'deployment_id', contexts.deployment_id), api_base,
    coalesce(more ->> 'model', contexts.model), coalesce(more ->> 'error_code', ''),
    count(*), sum(ended_at - started_at >= :slow_seconds), sum(ended_at - started_at),
    count(CASE WHEN completion_tokens > 0 THEN 1 END),
    coalesce(sum(CASE WHEN completion_tokens > 0 THEN (ended_at - started_at) / completion_tokens END), 0.0),
    count(CASE WHEN stream AND first_token_at < ended_at THEN 1 END),
    coalesce(sum(CASE WHEN stream AND first_token_at < ended_at THEN first_token_at - started_at END), 0.0)
FROM calls CROSS JOIN contexts ON contexts.id = context
WHERE started_at >= :start AND started_at < :end
    AND coalesce(more ->> 'deployment_id', contexts.deployment_id) <> ''
    AND (:model_group IS NULL OR coalesce(more ->> 'model_group', contexts.model_group) = :model_group)
    AND (:key_token IS NULL OR calls.party IN (SELECT id FROM parties WHERE key_token = :key_token))
    AND (:end_user IS NULL OR more ->> 'end_user' = :end_user)
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
"""

_USE: Final = """
SELECT coalesce(more ->> 'deployment_id', contexts.deployment_id), count(*), sum(prompt_tokens + completion_tokens)
FROM calls CROSS JOIN contexts ON contexts.id = context
WHERE started_at >= ? AND started_at < ? AND coalesce(more ->> 'deployment_id', contexts.deployment_id) <> ''
GROUP BY 1
ORDER BY 1
"""


def read_performance(connection: apsw.Connection, query: PerformanceQuery) -> tuple[PerformanceRow, ...]:
    """The rows for what the ledger holds."""
    names = PerformanceRow.__struct_fields__
    found = connection.execute(_PERFORMANCE, msgspec.structs.asdict(query))
    return tuple(PerformanceRow(**dict(zip(names, row, strict=True))) for row in found)


def read_use(connection: apsw.Connection, start: float, end: float) -> tuple[DeploymentUse, ...]:
    """What each deployment was sent within the span."""
    return tuple(DeploymentUse(*row) for row in connection.execute(_USE, (start, end)))
