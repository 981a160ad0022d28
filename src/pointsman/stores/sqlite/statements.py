"""The SQL of the stores, whole and with parameters: nothing is ever put into a statement."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADD_CALL",
    "ADD_CALLS",
    "ADD_CONTENTS",
    "ADD_CONTEXT",
    "ADD_DAILY_ENERGY",
    "ADD_ORIGIN",
    "ADD_PARTY",
    "ADD_SECONDS",
    "ARCHIVE_KEY",
    "CALLS_BY_KEY",
    "CALLS_BY_START",
    "CALLS_BY_USER",
    "CALL_BY_ANSWER",
    "CALL_BY_ID",
    "CHARGE_DELETED_KEY",
    "CHARGE_KEYS",
    "DAILY_ENERGY",
    "FIND_CONTEXT",
    "FIND_ORIGIN",
    "FIND_PARTY",
    "INSERT_KEY",
    "UNCHARGED_KEYS",
    "UPDATE_KEY",
]

INSERT_KEY: Final = """
INSERT INTO keys (
    token, key_name, key_alias, models, aliases, metadata, user_id, team_id, spend, max_budget, soft_budget,
    budget_duration, budget_reset_at, rpm_limit, tpm_limit, max_parallel_requests, expires, blocked, tags, created_at,
    updated_at, created_by, last_active, extra
) VALUES (
    :token, :key_name, :key_alias, :models, :aliases, :metadata, :user_id, :team_id, :spend, :max_budget, :soft_budget,
    :budget_duration, :budget_reset_at, :rpm_limit, :tpm_limit, :max_parallel_requests, :expires, :blocked, :tags,
    :created_at, :updated_at, :created_by, :last_active, :extra
)
"""

UPDATE_KEY: Final = """
UPDATE keys SET
    key_name = :key_name, key_alias = :key_alias, models = :models, aliases = :aliases, metadata = :metadata,
    user_id = :user_id, team_id = :team_id, spend = :spend, max_budget = :max_budget, soft_budget = :soft_budget,
    budget_duration = :budget_duration, budget_reset_at = :budget_reset_at, rpm_limit = :rpm_limit,
    tpm_limit = :tpm_limit, max_parallel_requests = :max_parallel_requests, expires = :expires, blocked = :blocked,
    tags = :tags, updated_at = :updated_at, extra = :extra
WHERE token = :token
"""

ARCHIVE_KEY: Final = """
INSERT OR REPLACE INTO deleted_keys (
    token, key_name, key_alias, models, aliases, metadata, user_id, team_id, spend, max_budget, soft_budget,
    budget_duration, budget_reset_at, rpm_limit, tpm_limit, max_parallel_requests, expires, blocked, tags, created_at,
    updated_at, created_by, last_active, extra, deleted_at, deleted_by, replaced_by
) SELECT
    token, key_name, key_alias, models, aliases, metadata, user_id, team_id, spend, max_budget, soft_budget,
    budget_duration, budget_reset_at, rpm_limit, tpm_limit, max_parallel_requests, expires, blocked, tags, created_at,
    updated_at, created_by, last_active, extra, :at, :by, :replaced_by
FROM keys WHERE token = :token
"""

# What a batch of calls adds to other tables comes as one parameter, a JSON array of arrays: each statement costs a
# change of hands between SQLite and the interpreter, and when the event loop is busy that is dearer than the work.
# A sum beyond 63 bits becomes a floating-point number, which is larger than the largest whole one.
CHARGE_KEYS: Final = """
UPDATE keys SET
    spend = min(spend + (charge.value ->> 1), 9223372036854775807),
    last_active = max(coalesce(last_active, 0.0), charge.value ->> 2)
FROM jsonb_each(?) AS charge WHERE keys.token = charge.value ->> 0
"""

UNCHARGED_KEYS: Final = """
SELECT json_group_array(charge.value ->> 0) FROM jsonb_each(?) AS charge
WHERE NOT EXISTS (SELECT 1 FROM keys WHERE keys.token = charge.value ->> 0)
"""

CHARGE_DELETED_KEY: Final = """
UPDATE deleted_keys SET
    spend = min(spend + ?, 9223372036854775807), last_active = max(coalesce(last_active, 0.0), ?)
WHERE token = ?
"""

# With the number of calls that each adds.
_ADD_CALLS: Final = """
INSERT INTO calls (
    id, party, context, more, started_at, ended_at, first_token_at, overhead_ms, cost, peer, prompt_tokens,
    completion_tokens, answer_id
) VALUES
    """
_CALL: Final = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_IF_NEW: Final = "\nON CONFLICT (id) DO NOTHING"
ADD_CALL: Final = _ADD_CALLS + _CALL + _IF_NEW
ADD_CALLS: Final = (
    (100, _ADD_CALLS + ",\n    ".join([_CALL] * 100) + _IF_NEW),
    (10, _ADD_CALLS + ",\n    ".join([_CALL] * 10) + _IF_NEW),
    (1, ADD_CALL),
)

ADD_SECONDS: Final = """
INSERT INTO party_seconds (party, second) SELECT value ->> 0, value ->> 1 FROM jsonb_each(?) WHERE true
ON CONFLICT (party, second) DO NOTHING
"""

ADD_CONTENTS: Final = "INSERT INTO contents (call, prompt, reply) VALUES (?, ?, ?)"

FIND_PARTY: Final = "SELECT id FROM parties WHERE key_token = ? AND user_id IS ?"
ADD_PARTY: Final = "INSERT INTO parties (key_token, user_id) VALUES (?, ?) RETURNING id"

FIND_CONTEXT: Final = "SELECT party, id FROM contexts WHERE digest = ?"
ADD_CONTEXT: Final = """
INSERT INTO contexts (
    digest, party, usage_source, key_alias, team_id, organization_id, operation, route, status, http_status, attempts,
    stream, provider, api_base, tags, charges, model_requested, model_group, deployment_id, model
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
"""

FIND_ORIGIN: Final = "SELECT id FROM origins WHERE prefix = ? AND numbered = ?"
ADD_ORIGIN: Final = "INSERT INTO origins (prefix, numbered) VALUES (?, ?) RETURNING id"

ADD_DAILY_ENERGY: Final = """
INSERT INTO daily_energy (day, key_token, user_id, model_group, host, calls, energy_mwh, energy_cost) SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
FROM jsonb_each(?) WHERE true
ON CONFLICT (day, key_token, user_id, model_group, host) DO UPDATE SET
    calls = calls + excluded.calls,
    energy_mwh = min(energy_mwh + excluded.energy_mwh, 9223372036854775807),
    energy_cost = min(energy_cost + excluded.energy_cost, 9223372036854775807)
"""

DAILY_ENERGY: Final = """
SELECT day, key_token, user_id, model_group, host, calls, energy_mwh, energy_cost FROM daily_energy
WHERE day BETWEEN :first_day AND :last_day
    AND (:key_token IS NULL OR key_token = :key_token)
    AND (:user_id IS NULL OR user_id = :user_id)
ORDER BY day, key_token, user_id, model_group, host
"""

# One statement for each index, since SQLite chooses its plan before it knows which filters are given.
CALL_BY_ID: Final = """
SELECT * FROM call_records
WHERE id = :id AND (:key_token IS NULL OR key_token = :key_token)
    AND (:user_id IS NULL OR user_id = :user_id) AND started_at >= :start AND started_at < :end
LIMIT :limit OFFSET :offset
"""

# One span of time after the other, the latest first, until there are enough.
CALL_BY_ANSWER: Final = """
WITH RECURSIVE spans (span) AS (
    SELECT (
        SELECT CAST(started_at / 512 AS INTEGER) FROM calls INDEXED BY calls_by_answer WHERE answer_id IS NOT NULL
        ORDER BY CAST(started_at / 512 AS INTEGER) DESC LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT CAST(started_at / 512 AS INTEGER) FROM calls INDEXED BY calls_by_answer
        WHERE answer_id IS NOT NULL AND CAST(started_at / 512 AS INTEGER) < spans.span
        ORDER BY CAST(started_at / 512 AS INTEGER) DESC LIMIT 1
    ) FROM spans WHERE spans.span IS NOT NULL
)
SELECT call_records.* FROM spans
CROSS JOIN calls AS named INDEXED BY calls_by_answer
    ON CAST(named.started_at / 512 AS INTEGER) = spans.span AND substr(named.answer_id, -8) = substr(:answer_id, -8)
    AND named.answer_id = :answer_id AND named.answer_id IS NOT NULL
CROSS JOIN call_records ON call_records.id = named.id
WHERE (:key_token IS NULL OR key_token = :key_token) AND (:user_id IS NULL OR user_id = :user_id)
    AND call_records.started_at >= :start AND call_records.started_at < :end
LIMIT :limit OFFSET :offset
"""

# Of each party only as many as could be on the page, latest first, so that a long history costs nothing.
CALLS_BY_KEY: Final = """
SELECT call_records.* FROM (
    SELECT calls.id AS page_id FROM parties CROSS JOIN calls
    WHERE parties.key_token = :key_token AND (:user_id IS NULL OR parties.user_id = :user_id) AND calls.id IN (
        SELECT latest.id FROM party_seconds CROSS JOIN calls AS latest
        WHERE party_seconds.party = parties.id AND second > :start - 1 AND second < :end
            AND latest.started_at >= max(second, :start) AND latest.started_at < min(second + 1, :end)
            AND latest.party = parties.id
        ORDER BY second DESC, latest.started_at DESC, latest.party DESC, latest.id DESC LIMIT :limit + :offset
    )
    ORDER BY calls.started_at DESC, calls.id DESC LIMIT :limit OFFSET :offset
) CROSS JOIN call_records ON call_records.id = page_id
ORDER BY call_records.started_at DESC, call_records.id DESC
"""

CALLS_BY_USER: Final = """
SELECT call_records.* FROM (
    SELECT calls.id AS page_id FROM parties CROSS JOIN calls
    WHERE parties.user_id = :user_id AND calls.id IN (
        SELECT latest.id FROM party_seconds CROSS JOIN calls AS latest
        WHERE party_seconds.party = parties.id AND second > :start - 1 AND second < :end
            AND latest.started_at >= max(second, :start) AND latest.started_at < min(second + 1, :end)
            AND latest.party = parties.id
        ORDER BY second DESC, latest.started_at DESC, latest.party DESC, latest.id DESC LIMIT :limit + :offset
    )
    ORDER BY calls.started_at DESC, calls.id DESC LIMIT :limit OFFSET :offset
) CROSS JOIN call_records ON call_records.id = page_id
ORDER BY call_records.started_at DESC, call_records.id DESC
"""

CALLS_BY_START: Final = """
SELECT call_records.* FROM (
    SELECT id AS page_id FROM calls WHERE started_at >= :start AND started_at < :end
    ORDER BY started_at DESC, party DESC, id DESC LIMIT :limit OFFSET :offset
) CROSS JOIN call_records ON call_records.id = page_id
ORDER BY call_records.started_at DESC, call_records.id DESC
"""
