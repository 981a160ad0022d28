"""The SQL of calls added up by what serves them."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CALLS_OF_DAYS_ARE_MORE",
    "CALLS_OF_KEY_ARE_MORE",
    "KNOWN_TIMES",
    "PERFORMANCE",
    "PERFORMANCE_OF_KEY",
    "USE_OF_DEPLOYMENTS",
]

KNOWN_TIMES: Final = """
SELECT
    max(:start, coalesce((SELECT min(started_at) FROM calls), :start)),
    min(:end, coalesce((SELECT max(started_at) FROM calls) + 1, :end))
"""

# Out of the tables themselves: to look up where each call's id comes from would take longer than all the rest.
_SUMS: Final = """
SELECT
    date(started_at, 'unixepoch'), coalesce(more ->> 'deployment_id', contexts.deployment_id), api_base,
    coalesce(more ->> 'model', contexts.model), coalesce(more ->> 'error_code', ''),
    count(*), sum(ended_at - started_at >= :slow_seconds), sum(ended_at - started_at),
    count(CASE WHEN completion_tokens > 0 THEN 1 END),
    coalesce(sum(CASE WHEN completion_tokens > 0 THEN (ended_at - started_at) / completion_tokens END), 0.0),
    count(CASE WHEN stream AND first_token_at < ended_at THEN 1 END),
    coalesce(sum(CASE WHEN stream AND first_token_at < ended_at THEN first_token_at - started_at END), 0.0)
FROM """
_HOLDS: Final = """
CROSS JOIN contexts ON contexts.id = context
WHERE coalesce(more ->> 'deployment_id', contexts.deployment_id) <> ''
    AND (:model_group IS NULL OR coalesce(more ->> 'model_group', contexts.model_group) = :model_group)
    AND (:end_user IS NULL OR more ->> 'end_user' = :end_user)
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
"""

# Each day of UTC, as far as it belongs to the span.
_DAYS: Final = """
WITH RECURSIVE days (since, until) AS (
    SELECT :start, min(:end, (floor(:start / 86400) + 1) * 86400.0) WHERE :start < :end
    UNION ALL SELECT until, min(:end, until + 86400.0) FROM days WHERE until < :end
)
"""
PERFORMANCE: Final = "".join((
    _DAYS,
    _SUMS,
    """days CROSS JOIN calls ON calls.id IN (
    SELECT latest.id FROM calls AS latest WHERE latest.started_at >= since AND latest.started_at < until
    ORDER BY latest.started_at DESC, latest.party DESC, latest.id DESC LIMIT :calls_max
)
""",
    _HOLDS,
))  # fmt: skip

CALLS_OF_DAYS_ARE_MORE: Final = "".join((
    _DAYS,
    """
SELECT EXISTS (SELECT 1 FROM days WHERE (
    SELECT count(*) FROM (
        SELECT 1 FROM calls WHERE started_at >= since AND started_at < until LIMIT :calls_max + 1
    )
) > :calls_max)
""",
))  # fmt: skip

_OF_KEY: Final = """
    SELECT latest.id FROM parties INDEXED BY parties_by_key CROSS JOIN party_seconds CROSS JOIN calls AS latest
    WHERE parties.key_token = :key_token AND party_seconds.party = parties.id AND second > :start - 1 AND second < :end
        AND latest.started_at >= max(second, :start) AND latest.started_at < min(second + 1, :end)
        AND latest.party = party_seconds.party
"""
PERFORMANCE_OF_KEY: Final = "".join((
    _SUMS, "calls", _HOLDS.replace("WHERE", "".join((
        "WHERE calls.id IN (", _OF_KEY, " ORDER BY second DESC LIMIT :calls_max)\n    AND",
    ))),
))  # fmt: skip

CALLS_OF_KEY_ARE_MORE: Final = "".join((
    "SELECT count(*) > :calls_max FROM (", _OF_KEY, " LIMIT :calls_max + 1)"
))  # fmt: skip

USE_OF_DEPLOYMENTS: Final = """
SELECT coalesce(more ->> 'deployment_id', contexts.deployment_id), count(*), sum(prompt_tokens + completion_tokens)
FROM calls CROSS JOIN contexts ON contexts.id = context
WHERE started_at >= ? AND started_at < ? AND coalesce(more ->> 'deployment_id', contexts.deployment_id) <> ''
GROUP BY 1
ORDER BY 1
"""
