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
    "ADD_LINE",
    "COUNT_LINES",
    "COUNT_NAMES",
    "FAILURES",
    "FIND_LINE",
    "KNOWN_DAYS",
    "LET_GO",
    "LINES_OF_OWNERS",
    "RANKED",
    "SET_ACTIVITY",
    "TOTALS",
]

FIND_LINE: Final = "SELECT id FROM activity_lines WHERE digest = ?"
ADD_LINE: Final = """
INSERT INTO activity_lines (
    digest, key_token, user_id, team_id, organization_id, model_group, model, provider, route
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
"""

COUNT_LINES: Final = "SELECT count(*) FROM (SELECT 1 FROM activity_lines LIMIT ?)"

ADD_ACTIVITY: Final = """
INSERT INTO daily_activity (
    scope, day, identity, line, calls, failures, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, spend, energy_mwh, energy_cost, milliseconds
) SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
    value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14
FROM jsonb_each(?) WHERE true
ON CONFLICT (scope, day, identity, line) DO UPDATE SET
    calls = calls + excluded.calls,
    failures = failures + excluded.failures,
    prompt_tokens = min(prompt_tokens + excluded.prompt_tokens, 9223372036854775807),
    completion_tokens = min(completion_tokens + excluded.completion_tokens, 9223372036854775807),
    cached_tokens = min(cached_tokens + excluded.cached_tokens, 9223372036854775807),
    cache_write_tokens = min(cache_write_tokens + excluded.cache_write_tokens, 9223372036854775807),
    reasoning_tokens = min(reasoning_tokens + excluded.reasoning_tokens, 9223372036854775807),
    spend = min(spend + excluded.spend, 9223372036854775807),
    energy_mwh = min(energy_mwh + excluded.energy_mwh, 9223372036854775807),
    energy_cost = min(energy_cost + excluded.energy_cost, 9223372036854775807),
    milliseconds = min(milliseconds + excluded.milliseconds, 9223372036854775807)
"""

SET_ACTIVITY: Final = """
INSERT INTO daily_activity (
    scope, day, identity, line, calls, failures, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, spend, energy_mwh, energy_cost, milliseconds
) SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
    value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14
FROM jsonb_each(?) WHERE true
ON CONFLICT (scope, day, identity, line) DO UPDATE SET
    calls = excluded.calls, failures = excluded.failures, prompt_tokens = excluded.prompt_tokens,
    completion_tokens = excluded.completion_tokens, cached_tokens = excluded.cached_tokens,
    cache_write_tokens = excluded.cache_write_tokens, reasoning_tokens = excluded.reasoning_tokens,
    spend = excluded.spend, energy_mwh = excluded.energy_mwh, energy_cost = excluded.energy_cost,
    milliseconds = excluded.milliseconds
WHERE (
    calls, failures, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, spend,
    milliseconds
) IS NOT (
    excluded.calls, excluded.failures, excluded.prompt_tokens, excluded.completion_tokens, excluded.cached_tokens,
    excluded.cache_write_tokens, excluded.reasoning_tokens, excluded.spend, excluded.milliseconds
)
"""

LET_GO: Final = """
DELETE FROM daily_activity
WHERE scope = :scope AND day = :day
    AND line IN (SELECT id FROM activity_lines WHERE substr(route, 1, length(:routes)) = :routes)
    AND (identity, line) NOT IN (SELECT value ->> 2, value ->> 3 FROM json_each(:cells) WHERE value ->> 0 = :scope)
RETURNING identity, line
"""

ADD_FAILURES: Final = """
INSERT INTO daily_failures (day, model_group, host, http_status, calls) SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
FROM jsonb_each(?) WHERE true
ON CONFLICT (day, model_group, host, http_status) DO UPDATE SET calls = calls + excluded.calls
"""

KNOWN_DAYS: Final = "SELECT min(day), max(day) FROM daily_activity WHERE scope = 1"

# Sums are made in two parts, since one beyond 63 bits would be an error; a product or a sum beyond them becomes a
# floating-point number, which is larger than the largest whole one.
_SUMS: Final = """
    sum(calls), sum(failures),
    min(sum(prompt_tokens / 4294967296) * 4294967296 + sum(prompt_tokens % 4294967296), 9223372036854775807),
    min(sum(completion_tokens / 4294967296) * 4294967296 + sum(completion_tokens % 4294967296), 9223372036854775807),
    min(sum(cached_tokens / 4294967296) * 4294967296 + sum(cached_tokens % 4294967296), 9223372036854775807),
    min(sum(cache_write_tokens / 4294967296) * 4294967296 + sum(cache_write_tokens % 4294967296), 9223372036854775807),
    min(sum(reasoning_tokens / 4294967296) * 4294967296 + sum(reasoning_tokens % 4294967296), 9223372036854775807),
    min(sum(spend / 4294967296) * 4294967296 + sum(spend % 4294967296), 9223372036854775807) AS spent,
    min(sum(energy_mwh / 4294967296) * 4294967296 + sum(energy_mwh % 4294967296), 9223372036854775807),
    min(sum(energy_cost / 4294967296) * 4294967296 + sum(energy_cost % 4294967296), 9223372036854775807),
    min(sum(milliseconds / 4294967296) * 4294967296 + sum(milliseconds % 4294967296), 9223372036854775807)
"""

_NAMES: Final = """
SELECT
    CASE WHEN :by_day THEN activity.day ELSE 0 END AS day_told,
    CASE WHEN :by_identity THEN identity ELSE '' END AS identity_told,
    CASE WHEN :by_key_token THEN key_token ELSE '' END,
    CASE WHEN :by_user_id THEN user_id ELSE '' END,
    CASE WHEN :by_team_id THEN team_id ELSE '' END,
    CASE WHEN :by_organization_id THEN organization_id ELSE '' END,
    CASE WHEN :by_model_group THEN model_group ELSE '' END,
    CASE WHEN :by_model THEN model ELSE '' END,
    CASE WHEN :by_provider THEN provider ELSE '' END,
    CASE WHEN :by_route THEN route ELSE '' END,
"""

_LINES_HOLD: Final = """
    AND (:key_tokens IS NULL OR key_token IN (SELECT value FROM json_each(:key_tokens)))
    AND (:user_id IS NULL OR user_id = :user_id)
    AND (:all_teams OR team_id IN (SELECT value FROM json_each(:team_ids)) OR organization_id = :organization_id)
    AND (:model IS NULL OR model = :model OR model_group = :model)
"""
_IN_ORDER: Final = """
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
ORDER BY CASE WHEN :by_spend THEN -spent ELSE 0 END, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
LIMIT :limit OFFSET :offset
"""

_DAYS: Final = """
WITH RECURSIVE days (day) AS (
    VALUES (:first_day) UNION ALL SELECT day + 1 FROM days WHERE day < :last_day
)
"""
_OF_LINES: Final = """
) CROSS JOIN activity_lines ON activity_lines.id = wanted
CROSS JOIN days
CROSS JOIN daily_activity AS activity ON scope = 0 AND activity.day = days.day AND identity = '' AND line = wanted
WHERE true
"""


def _by_lines(wanted: str) -> str:
    """Somebody's lines, each looked for on each day."""
    return "".join((_DAYS, _NAMES, _SUMS, "FROM (", wanted, _OF_LINES, _LINES_HOLD, _IN_ORDER))


# All of a scope within the days.
ACTIVITY: Final = "".join((
    _NAMES,
    _SUMS,
    """
FROM daily_activity AS activity CROSS JOIN activity_lines ON activity_lines.id = line
WHERE scope = :scope AND activity.day BETWEEN :first_day AND :last_day
    AND identity NOT IN (SELECT value FROM json_each(:but_not))
""",
    _LINES_HOLD,
    _IN_ORDER,
))  # fmt: skip

# Only some of a scope: each is looked for on each day.
ACTIVITY_OF_DAYS: Final = "".join((
    _DAYS,
    _NAMES,
    _SUMS,
    """
FROM days CROSS JOIN (SELECT DISTINCT value AS wanted FROM json_each(:identities))
CROSS JOIN daily_activity AS activity ON scope = :scope AND activity.day = days.day AND identity = wanted
CROSS JOIN activity_lines ON activity_lines.id = line
WHERE identity NOT IN (SELECT value FROM json_each(:but_not))
""",
    _LINES_HOLD,
    _IN_ORDER,
))  # fmt: skip

# One statement for each index.
_LINES: Final[dict[Owners, str]] = {
    "key": """
    SELECT id AS wanted FROM activity_lines
    WHERE key_token <> '' AND key_token IN (SELECT value FROM json_each(:key_tokens))
""",
    "user": """
    SELECT id AS wanted FROM activity_lines WHERE user_id <> '' AND user_id = :user_id
""",
    "team": """
    SELECT id AS wanted FROM activity_lines
    WHERE team_id <> '' AND team_id IN (SELECT value FROM json_each(:team_ids))
    UNION SELECT id FROM activity_lines WHERE organization_id <> '' AND organization_id = :organization_id
""",
}
ACTIVITY_BY_LINES: Final = {owners: _by_lines(lines) for owners, lines in _LINES.items()}

# Somebody's lines under each of the names of a scope that there are on a day, or of those that are asked for.
_NAMES_OF_DAYS: Final = """
    SELECT DISTINCT day AS met_day, identity AS met_identity FROM daily_activity
    WHERE :identities IS NULL AND scope = :scope_without_owners AND day BETWEEN :first_day AND :last_day
"""
ACTIVITY_OF_OWNERS: Final = {
    owners: "".join((
        _DAYS.rstrip(), ", met AS MATERIALIZED (", _NAMES_OF_DAYS,
        "    UNION ALL SELECT DISTINCT days.day, value FROM json_each(:identities) CROSS JOIN days\n)",
        _NAMES, _SUMS, "FROM (", lines, """
) CROSS JOIN activity_lines ON activity_lines.id = wanted
CROSS JOIN met
CROSS JOIN daily_activity AS activity
    ON activity.scope = :scope AND activity.day = met_day AND activity.identity = met_identity AND line = wanted
WHERE identity NOT IN (SELECT value FROM json_each(:but_not))
""",
        _LINES_HOLD, _IN_ORDER,
    ))
    for owners, lines in _LINES.items()
}  # fmt: skip

# How much that would be.
LINES_OF_OWNERS: Final = {
    owners: "".join(("SELECT count(*) FROM (SELECT 1 FROM (", lines, ") LIMIT :looked_for_max + 1)"))
    for owners, lines in _LINES.items()
}
COUNT_NAMES: Final = "".join(("SELECT count(*) FROM (", _NAMES_OF_DAYS, "LIMIT :looked_for_max + 1)"))

RANKED: Final = """
SELECT identity, sum(daily_calls), min(sum(daily_high) * 4294967296 + sum(daily_low), 9223372036854775807) AS spent
FROM (
    SELECT
        identity, sum(calls) AS daily_calls, sum(spend / 4294967296) AS daily_high, sum(spend % 4294967296) AS daily_low
    FROM daily_activity WHERE scope = :scope AND day BETWEEN :first_day AND :last_day
    GROUP BY day, identity
)
GROUP BY identity ORDER BY spent DESC, identity LIMIT :limit
"""

FAILURES: Final = """
SELECT day, host, calls FROM daily_failures
WHERE day BETWEEN :first_day AND :last_day AND model_group = :model_group AND http_status = :http_status
ORDER BY day, host
"""

TOTALS: Final = "".join(("SELECT ", _SUMS, "FROM daily_activity WHERE scope = 1"))
