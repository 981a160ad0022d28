"""SQL that makes, inside SQLite, what the ledger would have written for the calls of :mod:`ledgers.calls`.

A call of key k to model m (by their numbers, of five models) has party k + 1, line 5k + m + 1, and the context twice
that number, or one less if it succeeded. After the lines of all keys come the five lines of nobody, by model.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADD_CALLS",
    "ADD_CONTEXT",
    "ADD_FAILURES",
    "ADD_KEYS",
    "ADD_LINE",
    "ADD_PARTIES",
    "ADD_SECONDS",
    "ADD_SUMS",
    "ADD_TOKEN",
    "ADD_TOTALS",
    "NOTE_ENTRIES",
    "NOTE_KEYS",
    "NOTE_TOTALS",
    "PREPARE",
    "SPEND_KEYS",
    "USED_CONTEXTS",
    "USED_LINES",
]

PREPARE: Final = """
CREATE TEMP TABLE models (number INTEGER PRIMARY KEY, name TEXT, provider TEXT);
CREATE TEMP TABLE tokens (key INTEGER PRIMARY KEY, token TEXT);
CREATE TEMP TABLE key_spend (key INTEGER PRIMARY KEY, spend INTEGER, last_active REAL);
"""

ADD_TOKEN: Final = "INSERT INTO tokens (key, token) VALUES (?, ?)"

ADD_CALLS: Final = """
INSERT INTO calls (
    id, party, context, started_at, ended_at, first_token_at, overhead_ms, cost, prompt_tokens, completion_tokens, peer,
    more, answer_id
)
WITH RECURSIVE numbers (n) AS (
    VALUES (:first) UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :last
), thrown AS (
    SELECT
        n, :start + n * :step AS at, n % 50 = 7 AS failed,
        CASE WHEN n % 10 THEN (n * 2654435761 % 4294967296 >> 8) % :busy
            ELSE (n * 2654435761 % 4294967296 >> 8) % :keys END AS key,
        iif((n * 2246822519 % 4294967296 >> 8) % 4 = 0, 5, 0) AS other,
        n * 3266489917 % 4294967296 >> 8 AS size,
        1 + (n * 668265263 % 4294967296 >> 8) % 800 AS completion
    FROM numbers
), placed AS (
    SELECT *, (key * 7 + other) % 20 AS slot, 20 + size % 3980 AS prompt FROM thrown
)
SELECT
    :origin * 4294967296 + n, key + 1,
    (key * 5 + (slot >= 10) + (slot >= 13) + (slot >= 16) + (slot >= 19)) * 2 + failed + 1,
    at, at + (200 + 10 * completion) / 1000.0, at + 0.2, 0.3,
    iif(failed, 0, prompt * 150000 + completion * 600000), prompt, iif(failed, 0, completion), '10.0.0.1',
    iif(n % 10 = 3, '{"end_user":"customer-' || (size % 1000) || '"}', NULL),
    printf('chatcmpl-%08x', n * 2654435761 % 4294967296)
FROM placed ORDER BY n
"""

USED_CONTEXTS: Final = "SELECT DISTINCT context FROM calls ORDER BY 1"
USED_LINES: Final = "SELECT DISTINCT (context + 1) / 2 FROM calls ORDER BY 1"

ADD_PARTIES: Final = """
INSERT INTO parties (id, key_token, user_id)
SELECT used.party, token, 'user-' || ((used.party - 1) / 2)
FROM (SELECT DISTINCT party FROM calls) AS used JOIN tokens ON tokens.key = used.party - 1 ORDER BY 1
"""

ADD_CONTEXT: Final = """
INSERT INTO contexts (
    id, digest, party, usage_source, key_alias, team_id, organization_id, operation, route, status, http_status,
    attempts, stream, provider, api_base, tags, charges, model_requested, model_group, deployment_id, model
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

ADD_LINE: Final = """
INSERT INTO activity_lines (
    id, digest, key_token, user_id, team_id, organization_id, model_group, model, provider, route
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

ADD_SECONDS: Final = """
INSERT INTO party_seconds (party, second)
SELECT DISTINCT party, CAST(started_at AS INTEGER) FROM calls ORDER BY 1, 2
"""

_SUMS: Final = """
INSERT INTO daily_activity (
    scope, day, identity, line, calls, failures, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, spend, energy_mwh, energy_cost, milliseconds
)
SELECT
    scope, :day, identity, line, count(*), sum(failed), sum(prompt_tokens), sum(completion_tokens), 0, 0, 0, sum(cost),
    0, 0, sum(CAST(round((ended_at - started_at) * 1000) AS INTEGER))
FROM (
    SELECT
        """
_OF_DAY: Final = """,
        1 - context % 2 AS failed, prompt_tokens, completion_tokens, cost, started_at, ended_at
    FROM calls
    WHERE started_at >= :day * 86400.0 AND started_at < (:day + 1) * 86400.0"""
_GROUPED: Final = """
) GROUP BY identity, line ORDER BY identity, line
"""
_WHOSE: Final = (
    "0 AS scope, '' AS identity, (context + 1) / 2 AS line",
    "1 AS scope, '' AS identity, :lanes + (context - 1) / 2 % 5 AS line",
    "2 AS scope, 'team-' || ((party - 1) % :teams) AS identity, :lanes + (context - 1) / 2 % 5 AS line",
    "3 AS scope, 'org-' || ((party - 1) % 20) AS identity, :lanes + (context - 1) / 2 % 5 AS line",
)
_CUSTOMER: Final = (
    "4 AS scope, more ->> 'end_user' AS identity, (context + 1) / 2 AS line",
    "6 AS scope, more ->> 'end_user' AS identity, :lanes + (context - 1) / 2 % 5 AS line",
)
_TAGS: Final = (
    ("5 AS scope, 'User-Agent: sdk' AS identity, (context + 1) / 2 AS line", " AND (party - 1) % 4 = 0"),
    ("5 AS scope, 'web' AS identity, (context + 1) / 2 AS line", ""),
    ("7 AS scope, 'User-Agent: sdk' AS identity, :lanes + (context - 1) / 2 % 5 AS line", " AND (party - 1) % 4 = 0"),
    ("7 AS scope, 'web' AS identity, :lanes + (context - 1) / 2 % 5 AS line", ""),
)

# One after the other, each over all days, so that every row goes to the end of what is there.
ADD_SUMS: Final = (
    *(_SUMS + whose + _OF_DAY + _GROUPED for whose in _WHOSE),
    *(_SUMS + whose + _OF_DAY + " AND more IS NOT NULL" + _GROUPED for whose in _CUSTOMER),
    *(_SUMS + whose + _OF_DAY + condition + _GROUPED for whose, condition in _TAGS),
)

ADD_FAILURES: Final = """
INSERT INTO daily_failures (day, model_group, host, http_status, calls)
SELECT activity.day, models.name, 'https://' || models.name || '.example', 429, activity.failures
FROM daily_activity AS activity JOIN models ON models.number = activity.line - :lanes
WHERE activity.scope = 1 AND activity.failures > 0
"""

SPEND_KEYS: Final = """
INSERT INTO key_spend (key, spend, last_active) SELECT party - 1, sum(cost), max(ended_at) FROM calls GROUP BY party
"""

ADD_KEYS: Final = """
INSERT INTO keys (
    token, key_name, key_alias, models, aliases, metadata, user_id, team_id, spend, max_budget, rpm_limit, blocked,
    tags, created_at, updated_at, last_active, extra
)
SELECT
    token, printf('sk-...%04d', key % 10000), 'key-' || key, '[]', '{}', '{}', 'user-' || (key / 2),
    'team-' || (key % :teams), coalesce(spend, 0), 100000000000000, 1000, 0, '[]', :start + key, :start + key,
    last_active, '{}'
FROM tokens LEFT JOIN key_spend USING (key) ORDER BY token
"""

_MEMBER: Final = """length('team-' || (key % :teams)) || ':team-' || (key % :teams) || '/user-' || (key / 2)"""
_BELONGING: Final = """length('org-' || (key % 20)) || ':org-' || (key % 20) || '/user-' || (key / 2)"""
_SPENT: Final = """
    SELECT (line - 1) / 5 AS key, (line - 1) % 5 AS model, sum(spend) AS amount FROM daily_activity
    WHERE scope = 0 GROUP BY line HAVING sum(spend) > 0
"""


def _totals(scope: str, identity: str, source: str = _SPENT, *, with_models: bool = True) -> str:
    """What accounts of a scope spent: in all, and by model."""
    each = f"SELECT '{scope}' AS scope, {identity} AS id, model, amount FROM ({source}) AS spent"
    parts = [f"SELECT scope, id, '' AS model, sum(amount) AS total FROM ({each}) GROUP BY id"]
    if with_models:
        parts.append(
            f"SELECT scope, id, models.name, sum(amount) FROM ({each}) AS each "
            "JOIN models ON models.number = each.model GROUP BY id, models.name"
        )
    return f"INSERT INTO spend_totals (scope, id, model, total) {' UNION ALL '.join(parts)} ORDER BY 2, 3"


def _of_scope(number: int) -> str:
    columns = "SELECT identity, line - :lanes AS model, spend AS amount"
    return f"{columns} FROM daily_activity WHERE scope = {number} AND spend > 0"


_NAME: Final = "(SELECT name FROM models WHERE number = model)"

ADD_TOTALS: Final = (
    _totals("customer", "identity", _of_scope(4), with_models=False),
    _totals("deployment", "'deployment-' || " + _NAME, _of_scope(1), with_models=False),
    _totals("global", "''", _of_scope(1), with_models=False),
    _totals("key", "(SELECT token FROM tokens WHERE tokens.key = spent.key)"),
    _totals("member", _MEMBER),
    _totals("model", _NAME, _of_scope(1), with_models=False),
    _totals("organization", "identity", _of_scope(3)),
    _totals("organization_member", _BELONGING, with_models=False),
    _totals("provider", "(SELECT provider FROM models WHERE number = model)", _of_scope(1), with_models=False),
    _totals("tag", "identity", _of_scope(5), with_models=False),
    _totals("team", "identity", _of_scope(2)),
    _totals("user", "'user-' || (key / 2)"),
)

NOTE_KEYS: Final = "INSERT INTO key_changes (token) SELECT token FROM keys ORDER BY token"
NOTE_ENTRIES: Final = "INSERT INTO directory_changes (kind, id) SELECT kind, id FROM directory ORDER BY kind, id"
NOTE_TOTALS: Final = "INSERT INTO directory_changes (kind, id) VALUES ('spend', '')"
