"""The SQL of calls added up by what serves them."""

from __future__ import annotations

from typing import Final

__all__ = ["CALLS_OF_DAYS_ARE_MORE", "CALLS_OF_KEY_ARE_MORE", "KNOWN_TIMES", "PERFORMANCE", "PERFORMANCE_OF_KEY"]

KNOWN_TIMES: Final = """
SELECT
    greatest($1::DOUBLE PRECISION, (SELECT min(started_at) FROM calls)),
    least($2::DOUBLE PRECISION, (SELECT max(started_at) + 1 FROM calls))
"""

# $1 start, $2 end, $3 how many calls are looked at (of each day, or of the key), $4 from when on they are slow,
# $5 model group, $6 end user, $7 key. Out of the tables themselves: to look up where each call's id comes from would
# take longer than all the rest.
_SUMS: Final = """
SELECT
    to_char(to_timestamp(floor(started_at)) AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
    coalesce(looked_at.deployment_id, contexts.deployment_id), api_base, coalesce(looked_at.model, contexts.model),
    coalesce(error_code, '') COLLATE "C",
    count(*), count(*) FILTER (WHERE ended_at - started_at >= $4), sum(ended_at - started_at),
    count(*) FILTER (WHERE completion_tokens > 0),
    coalesce(sum((ended_at - started_at) / completion_tokens) FILTER (WHERE completion_tokens > 0), 0.0),
    count(*) FILTER (WHERE stream AND first_token_at < ended_at),
    coalesce(sum(first_token_at - started_at) FILTER (WHERE stream AND first_token_at < ended_at), 0.0)
FROM looked_at JOIN contexts ON contexts.id = looked_at.context
WHERE coalesce(looked_at.deployment_id, contexts.deployment_id) <> ''
    AND ($5::TEXT IS NULL OR coalesce(looked_at.model_group, contexts.model_group) = $5)
    AND ($6::TEXT IS NULL OR end_user = $6)
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
"""

# Each day of UTC, as far as it belongs to the span.
_DAYS: Final = """
FROM generate_series(floor($1::DOUBLE PRECISION / 86400)::BIGINT, ceil($2::DOUBLE PRECISION / 86400)::BIGINT - 1)
    AS days (day)
"""
_OF_DAY: Final = """
    WHERE started_at >= greatest($1, days.day * 86400.0) AND started_at < least($2, (days.day + 1) * 86400.0)
"""

PERFORMANCE: Final = "".join((
    "WITH looked_at AS MATERIALIZED (SELECT latest.*",
    _DAYS,
    "CROSS JOIN LATERAL (SELECT * FROM calls",
    _OF_DAY,
    "ORDER BY started_at DESC LIMIT $3::BIGINT) AS latest)",
    _SUMS,
))  # fmt: skip

CALLS_OF_DAYS_ARE_MORE: Final = "".join((
    "SELECT EXISTS (SELECT",
    _DAYS,
    "WHERE (SELECT count(*) FROM (SELECT 1 FROM calls",
    _OF_DAY,
    "LIMIT $3::BIGINT + 1) AS its) > $3)::INTEGER",
))  # fmt: skip

PERFORMANCE_OF_KEY: Final = "".join((
    """
WITH looked_at AS MATERIALIZED (
    SELECT latest.* FROM parties CROSS JOIN LATERAL (
        SELECT * FROM calls
        WHERE calls.party = parties.id AND started_at >= $1 AND started_at < $2 ORDER BY started_at DESC LIMIT $3
    ) AS latest
    WHERE parties.key_token = $7 ORDER BY latest.started_at DESC LIMIT $3
)
""",
    _SUMS,
))  # fmt: skip

CALLS_OF_KEY_ARE_MORE: Final = """
SELECT (count(*) > $3::BIGINT)::INTEGER FROM (
    SELECT 1 FROM parties CROSS JOIN LATERAL (
        SELECT 1 FROM calls
        WHERE calls.party = parties.id AND started_at >= $1::DOUBLE PRECISION AND started_at < $2::DOUBLE PRECISION
        LIMIT $3 + 1
    ) AS its
    WHERE parties.key_token = $4 LIMIT $3 + 1
) AS looked_at
"""
