"""The SQL of what calls came to by day, whole and with parameters."""

from __future__ import annotations

from typing import Final

from pointsman.stores.activity import Owners

__all__ = [
    "ACTIVITY",
    "ACTIVITY_BY_LINES",
    "ACTIVITY_OF_DAYS",
    "ACTIVITY_OF_OWNERS",
    "ADD_ACTIVITY",
    "ADD_FAILURES",
    "ADD_LINES",
    "COUNT_CALLS_OF_DAYS",
    "COUNT_LINES",
    "COUNT_NAMES",
    "FAILURES",
    "FIND_LINES",
    "KNOWN_DAYS",
    "LET_GO",
    "LINES_OF_OWNERS",
    "RANKED",
    "SET_ACTIVITY",
    "TOTALS",
]

FIND_LINES: Final = "SELECT digest, id FROM activity_lines WHERE digest = ANY ($1::BYTEA[])"

# Each in the same order in all replicas, so that none of two waits for the other; so in the next two.
ADD_LINES: Final = """
INSERT INTO activity_lines (
    digest, key_token, user_id, team_id, organization_id, model_group, model, provider, route
)
SELECT * FROM unnest(
    $1::BYTEA[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TEXT[], $9::TEXT[]
) AS line (digest) ORDER BY digest
ON CONFLICT (digest) DO NOTHING
"""

COUNT_LINES: Final = "SELECT count(*) FROM (SELECT 1 FROM activity_lines LIMIT $1) AS line"

# What would be beyond the largest number is that number; sums in NUMERIC would take several times as long.
ADD_ACTIVITY: Final = """
INSERT INTO daily_activity AS kept (
    scope, day, identity, line, calls, failures, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, spend, energy_mwh, energy_cost, milliseconds
)
SELECT * FROM unnest(
    $1::SMALLINT[], $2::INTEGER[], $3::TEXT[], $4::INTEGER[], $5::BIGINT[], $6::BIGINT[], $7::BIGINT[], $8::BIGINT[],
    $9::BIGINT[], $10::BIGINT[], $11::BIGINT[], $12::BIGINT[], $13::BIGINT[], $14::BIGINT[], $15::BIGINT[]
) AS cell (scope, day, identity, line) ORDER BY scope, day, identity COLLATE "C", line
ON CONFLICT (scope, day, identity, line) DO UPDATE SET
    calls = kept.calls + excluded.calls,
    failures = kept.failures + excluded.failures,
    prompt_tokens = excluded.prompt_tokens
        + least(kept.prompt_tokens, 9223372036854775807 - greatest(excluded.prompt_tokens, 0)),
    completion_tokens = excluded.completion_tokens
        + least(kept.completion_tokens, 9223372036854775807 - greatest(excluded.completion_tokens, 0)),
    cached_tokens = excluded.cached_tokens
        + least(kept.cached_tokens, 9223372036854775807 - greatest(excluded.cached_tokens, 0)),
    cache_write_tokens = excluded.cache_write_tokens
        + least(kept.cache_write_tokens, 9223372036854775807 - greatest(excluded.cache_write_tokens, 0)),
    reasoning_tokens = excluded.reasoning_tokens
        + least(kept.reasoning_tokens, 9223372036854775807 - greatest(excluded.reasoning_tokens, 0)),
    spend = excluded.spend
        + least(kept.spend, 9223372036854775807 - greatest(excluded.spend, 0)),
    energy_mwh = excluded.energy_mwh
        + least(kept.energy_mwh, 9223372036854775807 - greatest(excluded.energy_mwh, 0)),
    energy_cost = excluded.energy_cost
        + least(kept.energy_cost, 9223372036854775807 - greatest(excluded.energy_cost, 0)),
    milliseconds = excluded.milliseconds
        + least(kept.milliseconds, 9223372036854775807 - greatest(excluded.milliseconds, 0))
"""

SET_ACTIVITY: Final = """
INSERT INTO daily_activity AS kept (
    scope, day, identity, line, calls, failures, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, spend, energy_mwh, energy_cost, milliseconds
)
SELECT * FROM unnest(
    $1::SMALLINT[], $2::INTEGER[], $3::TEXT[], $4::INTEGER[], $5::BIGINT[], $6::BIGINT[], $7::BIGINT[], $8::BIGINT[],
    $9::BIGINT[], $10::BIGINT[], $11::BIGINT[], $12::BIGINT[], $13::BIGINT[], $14::BIGINT[], $15::BIGINT[]
) AS cell (scope, day, identity, line) ORDER BY scope, day, identity COLLATE "C", line
ON CONFLICT (scope, day, identity, line) DO UPDATE SET
    calls = excluded.calls, failures = excluded.failures, prompt_tokens = excluded.prompt_tokens,
    completion_tokens = excluded.completion_tokens, cached_tokens = excluded.cached_tokens,
    cache_write_tokens = excluded.cache_write_tokens, reasoning_tokens = excluded.reasoning_tokens,
    spend = excluded.spend, energy_mwh = excluded.energy_mwh, energy_cost = excluded.energy_cost,
    milliseconds = excluded.milliseconds
WHERE (
    kept.calls, kept.failures, kept.prompt_tokens, kept.completion_tokens, kept.cached_tokens, kept.cache_write_tokens,
    kept.reasoning_tokens, kept.spend, kept.milliseconds
) IS DISTINCT FROM (
    excluded.calls, excluded.failures, excluded.prompt_tokens, excluded.completion_tokens, excluded.cached_tokens,
    excluded.cache_write_tokens, excluded.reasoning_tokens, excluded.spend, excluded.milliseconds
)
"""

LET_GO: Final = """
DELETE FROM daily_activity AS activity USING activity_lines
WHERE scope = $1::SMALLINT AND day = $2::INTEGER AND activity_lines.id = line AND starts_with(route, $3::TEXT)
    AND NOT EXISTS (
        SELECT FROM unnest($4::TEXT[], $5::INTEGER[]) AS given (identity, line)
        WHERE given.identity = activity.identity AND given.line = activity.line
    )
RETURNING identity, line
"""

ADD_FAILURES: Final = """
INSERT INTO daily_failures AS kept (day, model_group, host, http_status, calls)
SELECT * FROM unnest($1::INTEGER[], $2::TEXT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[])
    AS failed (day, model_group, host, http_status)
ORDER BY day, model_group COLLATE "C", host COLLATE "C", http_status
ON CONFLICT (day, model_group, host, http_status) DO UPDATE SET calls = kept.calls + excluded.calls
"""

KNOWN_DAYS: Final = "SELECT min(day), max(day) FROM daily_activity WHERE scope = 1"

_SUMS: Final = """
    sum(calls)::BIGINT, sum(failures)::BIGINT,
    least(sum(prompt_tokens), 9223372036854775807)::BIGINT,
    least(sum(completion_tokens), 9223372036854775807)::BIGINT,
    least(sum(cached_tokens), 9223372036854775807)::BIGINT,
    least(sum(cache_write_tokens), 9223372036854775807)::BIGINT,
    least(sum(reasoning_tokens), 9223372036854775807)::BIGINT,
    least(sum(spend), 9223372036854775807)::BIGINT,
    least(sum(energy_mwh), 9223372036854775807)::BIGINT,
    least(sum(energy_cost), 9223372036854775807)::BIGINT,
    least(sum(milliseconds), 9223372036854775807)::BIGINT
"""

# $1 scope, $2 first day, $3 last day, $4 identities, $5 but not, $6 key tokens, $7 user, $8 all teams, $9 teams,
# $10 organisation, $11 model, $12 by spend, $13 limit, $14 offset, $15 to $24 which names to tell apart.
_NAMES: Final = """
SELECT
    CASE WHEN $15 THEN activity.day ELSE 0 END,
    CASE WHEN $16 THEN identity ELSE '' END,
    CASE WHEN $17 THEN key_token ELSE '' END,
    CASE WHEN $18 THEN user_id ELSE '' END,
    CASE WHEN $19 THEN team_id ELSE '' END,
    CASE WHEN $20 THEN organization_id ELSE '' END,
    CASE WHEN $21 THEN model_group ELSE '' END,
    CASE WHEN $22 THEN model ELSE '' END,
    CASE WHEN $23 THEN provider ELSE '' END,
    CASE WHEN $24 THEN route ELSE '' END,
"""

_HOLDS: Final = """
WHERE scope = $1 AND activity.day BETWEEN $2 AND $3
    AND ($4::TEXT[] IS NULL OR identity = ANY ($4))
    AND identity <> ALL ($5::TEXT[])
    AND ($6::TEXT[] IS NULL OR key_token = ANY ($6))
    AND ($7::TEXT IS NULL OR user_id = $7)
    AND ($8::BOOLEAN OR team_id = ANY ($9::TEXT[]) OR organization_id = $10::TEXT)
    AND ($11::TEXT IS NULL OR model = $11 OR model_group = $11)
"""
_IN_ORDER: Final = """
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
ORDER BY
    CASE WHEN $12 THEN -least(sum(spend), 9223372036854775807) ELSE 0 END, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
LIMIT $13 OFFSET $14
"""


def _by_lines(wanted: str) -> str:
    """Somebody's lines, each looked for on each day."""
    return "".join((
        "WITH lines AS MATERIALIZED (", wanted, ")",
        _NAMES,
        _SUMS,
        """
FROM generate_series($2::INTEGER, $3::INTEGER) AS days (day)
CROSS JOIN lines
JOIN daily_activity AS activity
    ON activity.scope = 0 AND activity.day = days.day AND activity.identity = '' AND activity.line = lines.id
""",
        _HOLDS,
        _IN_ORDER,
    ))  # fmt: skip


# All of a scope within the days.
ACTIVITY: Final = "".join((
    _NAMES,
    _SUMS,
    "FROM daily_activity AS activity JOIN activity_lines ON activity_lines.id = activity.line",
    _HOLDS,
    _IN_ORDER,
))  # fmt: skip

# Only some of a scope: each is looked for on each day.
ACTIVITY_OF_DAYS: Final = "".join((
    _NAMES,
    _SUMS,
    """
FROM generate_series($2::INTEGER, $3::INTEGER) AS days (day)
CROSS JOIN (SELECT DISTINCT wanted FROM unnest($4::TEXT[]) AS wanted) AS wanted
JOIN daily_activity AS activity ON activity.day = days.day AND activity.identity = wanted.wanted
JOIN activity_lines ON activity_lines.id = activity.line
""",
    _HOLDS,
    _IN_ORDER,
))  # fmt: skip

# One statement for each index.
_LINES: Final[dict[Owners, str]] = {
    "key": "SELECT * FROM activity_lines WHERE key_token <> '' AND key_token = ANY ({tokens}::TEXT[])",
    "user": "SELECT * FROM activity_lines WHERE user_id <> '' AND user_id = {user}::TEXT",
    "team": """
    SELECT * FROM activity_lines WHERE team_id <> '' AND team_id = ANY ({teams}::TEXT[])
    UNION SELECT * FROM activity_lines WHERE organization_id <> '' AND organization_id = {organization}::TEXT
""",
}


def _lines(owners: Owners, tokens: str, user: str, teams: str, organization: str) -> str:
    return _LINES[owners].format(tokens=tokens, user=user, teams=teams, organization=organization)


_HERE: Final = ("$6", "$7", "$9", "$10")
ACTIVITY_BY_LINES: Final = {owners: _by_lines(_lines(owners, *_HERE)) for owners in _LINES}

# Somebody's lines under each of the names of a scope that there are on a day, or of those that are asked for. $25 is
# the scope without owners. Each is looked for through the index, whatever the server expects.
ACTIVITY_OF_OWNERS: Final = {
    owners: "".join((
        "WITH lines AS MATERIALIZED (", _lines(owners, *_HERE), """), met AS MATERIALIZED (
    SELECT DISTINCT day AS met_day, identity AS met_identity FROM daily_activity
    WHERE $4::TEXT[] IS NULL AND scope = $25::SMALLINT AND day BETWEEN $2 AND $3
    UNION ALL SELECT DISTINCT days.day, name.name
    FROM unnest($4::TEXT[]) AS name (name) CROSS JOIN generate_series($2::INTEGER, $3::INTEGER) AS days (day)
)""",
        _NAMES, _SUMS, """
FROM lines CROSS JOIN met CROSS JOIN LATERAL (
    SELECT * FROM daily_activity AS kept
    WHERE kept.scope = $1 AND kept.day = met_day AND kept.identity = met_identity AND kept.line = lines.id OFFSET 0
) AS activity
""",
        _HOLDS, _IN_ORDER,
    ))
    for owners in _LINES
}  # fmt: skip

# How much that would be, $1 at most. Behind that come the owners by whom lines are found.
LINES_OF_OWNERS: Final = {
    owners: "".join((
        "SELECT count(*) FROM (SELECT 1 FROM (", _lines(owners, "$2", "$2", "$2", "$3"),
        ") AS line LIMIT $1::INTEGER + 1) AS counted",
    ))
    for owners in _LINES
}  # fmt: skip
COUNT_CALLS_OF_DAYS: Final = """
SELECT coalesce(sum(calls), 0)::BIGINT FROM daily_activity WHERE scope = 1 AND day BETWEEN $1 AND $2
"""
COUNT_NAMES: Final = """
SELECT count(*) FROM (
    SELECT DISTINCT day, identity FROM daily_activity WHERE scope = $1 AND day BETWEEN $2 AND $3 LIMIT $4::INTEGER + 1
) AS met
"""

RANKED: Final = """
SELECT identity, sum(calls)::BIGINT, least(sum(spend), 9223372036854775807)::BIGINT AS spent
FROM daily_activity WHERE scope = $1 AND day BETWEEN $2 AND $3
GROUP BY identity ORDER BY spent DESC, identity LIMIT $4
"""

FAILURES: Final = """
SELECT day, host, calls FROM daily_failures
WHERE day BETWEEN $1 AND $2 AND model_group = $3 AND http_status = $4
ORDER BY day, host
"""

TOTALS: Final = """
SELECT
    coalesce(sum(calls), 0)::BIGINT, coalesce(sum(failures), 0)::BIGINT,
    least(coalesce(sum(prompt_tokens), 0), 9223372036854775807)::BIGINT,
    least(coalesce(sum(completion_tokens), 0), 9223372036854775807)::BIGINT,
    least(coalesce(sum(spend), 0), 9223372036854775807)::BIGINT
FROM daily_activity WHERE scope = 1
"""
