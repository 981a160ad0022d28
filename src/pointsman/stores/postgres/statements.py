"""The SQL of keys and of the ledger, whole and with parameters: nothing is ever put into a statement."""

from __future__ import annotations

from typing import Final

from pointsman.stores.ports import KeyOwner

__all__ = [
    "ADD_CALLS",
    "ADD_CONTENTS",
    "ADD_CONTEXTS",
    "ADD_DAILY_ENERGY",
    "ADD_ORIGINS",
    "ADD_PARTIES",
    "ALL_KEYS_IN_ORDER",
    "ARCHIVE_KEY",
    "BUDGETS_DUE",
    "CALLS_BY_KEY",
    "CALLS_BY_START",
    "CALLS_BY_USER",
    "CALL_BY_ANSWER",
    "CALL_BY_ID",
    "CHANGED_KEYS",
    "CHARGE_DELETED_KEYS",
    "CHARGE_KEYS",
    "COUNT_ALL_KEYS",
    "COUNT_KEYS",
    "COUNT_KEYS_OF",
    "DAILY_ENERGY",
    "DELETE_KEY",
    "FIND_CONTEXTS",
    "FIND_ORIGINS",
    "FIND_PARTIES",
    "INSERT_KEY",
    "KEY",
    "KEYS_VERSION",
    "LATEST_KEYS",
    "LATEST_OF_FEW_KEYS",
    "LIST_KEYS",
    "NOTE_KEYS",
    "PLAN_ANEW",
    "RESET_BUDGET",
    "SUCCESSORS",
    "TOGETHER",
    "UPDATE_KEY",
    "USE_OF_DEPLOYMENTS",
]

TOGETHER: Final = "SELECT pg_advisory_xact_lock(1349742675)"
"""Wait for every other replica that changes keys or sums, until the end of its transaction."""

PLAN_ANEW: Final = "SET LOCAL plan_cache_mode = force_custom_plan"
"""Plan for the values that are given, until the end of the transaction: where filters may be absent, no plan is good
for all of them, and to look for one takes a millisecond or two."""

# -- keys ------------------------------------------------------------------------------------------------

KEY: Final = "SELECT * FROM keys WHERE token = $1"

INSERT_KEY: Final = """
INSERT INTO keys (
    token, key_name, key_alias, models, aliases, metadata, user_id, team_id, spend, max_budget, soft_budget,
    budget_duration, budget_reset_at, rpm_limit, tpm_limit, max_parallel_requests, expires, blocked, tags, created_at,
    updated_at, created_by, last_active, extra
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24
)
"""

UPDATE_KEY: Final = """
UPDATE keys SET
    key_name = $2, key_alias = $3, models = $4, aliases = $5, metadata = $6, user_id = $7, team_id = $8, spend = $9,
    max_budget = $10, soft_budget = $11, budget_duration = $12, budget_reset_at = $13, rpm_limit = $14, tpm_limit = $15,
    max_parallel_requests = $16, expires = $17, blocked = $18, tags = $19, created_at = $20, updated_at = $21,
    created_by = $22, last_active = $23, extra = $24
WHERE token = $1
"""

ARCHIVE_KEY: Final = """
INSERT INTO deleted_keys SELECT keys.*, $2::DOUBLE PRECISION, $3::TEXT, $4::TEXT FROM keys WHERE token = $1
ON CONFLICT (token) DO UPDATE SET
    key_name = excluded.key_name, key_alias = excluded.key_alias, models = excluded.models, aliases = excluded.aliases,
    metadata = excluded.metadata, user_id = excluded.user_id, team_id = excluded.team_id, spend = excluded.spend,
    max_budget = excluded.max_budget, soft_budget = excluded.soft_budget, budget_duration = excluded.budget_duration,
    budget_reset_at = excluded.budget_reset_at, rpm_limit = excluded.rpm_limit, tpm_limit = excluded.tpm_limit,
    max_parallel_requests = excluded.max_parallel_requests, expires = excluded.expires, blocked = excluded.blocked,
    tags = excluded.tags, created_at = excluded.created_at, updated_at = excluded.updated_at,
    created_by = excluded.created_by, last_active = excluded.last_active, extra = excluded.extra,
    deleted_at = excluded.deleted_at, deleted_by = excluded.deleted_by, replaced_by = excluded.replaced_by
"""

DELETE_KEY: Final = "DELETE FROM keys WHERE token = $1"

NOTE_KEYS: Final = """
INSERT INTO key_changes (token) SELECT unnest($1::TEXT[])
ON CONFLICT (token) DO UPDATE SET version = excluded.version
"""

CHANGED_KEYS: Final = "SELECT version, token FROM key_changes WHERE version > $1 ORDER BY version LIMIT $2"

KEYS_VERSION: Final = "SELECT coalesce(max(version), 0) FROM key_changes"

RESET_BUDGET: Final = """
UPDATE keys SET spend = CASE WHEN $4::BIGINT IS NULL THEN 0 ELSE greatest(spend - $4, 0) END, budget_reset_at = $2
WHERE token = $1 AND budget_reset_at <= $3
"""

BUDGETS_DUE: Final = "SELECT * FROM keys WHERE budget_reset_at <= $1 ORDER BY budget_reset_at, token LIMIT $2"

_ALL_KEYS: Final = "FROM all_keys WHERE (deleted_at IS NOT NULL) = $1"
_LIVE_KEYS: Final = "FROM keys WHERE NOT $1::BOOLEAN"
_KEY_FILTERS: Final = """
    AND ($2::TEXT IS NULL OR user_id = $2 OR (cardinality($7::TEXT[]) > 0 AND team_id = ANY ($7))
        OR ($5 AND position(lower($2 COLLATE "C") IN lower(user_id COLLATE "C")) > 0))
    AND ($3::TEXT IS NULL OR team_id = $3)
    AND ($4::TEXT IS NULL OR key_alias = $4
        OR ($5 AND position(lower($4 COLLATE "C") IN lower(key_alias COLLATE "C")) > 0))
    AND ($6::TEXT IS NULL OR token = $6)
    AND ($8::TEXT IS NULL OR token = $8
        OR position(lower($8 COLLATE "C") IN lower(key_alias COLLATE "C")) > 0)
    AND ($9::BOOLEAN IS NULL OR blocked = $9)
    AND ($10::TEXT IS NULL OR ($10 = 'active' AND (expires IS NULL OR expires >= $11::DOUBLE PRECISION))
        OR ($10 = 'expired' AND expires < $11))
    AND ($12::TEXT IS NULL OR team_id = ANY ($13::TEXT[]) OR {said} ->> 'organization_id' = $12)
    AND ($14::TEXT IS NULL OR {said} ->> 'project_id' = $14)
    AND ($15::TEXT IS NULL OR {said} ->> 'agent_id' = $15)
    AND ($16::TEXT IS NULL OR {said} -> 'access_group_ids' ? $16)
""".replace(
    # PostgreSQL reads no JSON with a NUL in it; nobody finds a key by what has one.
    "{said}",
    "(CASE WHEN extra = '{}' OR position('\\u0000' IN extra) > 0 THEN NULL ELSE extra::jsonb END)",
)

COUNT_KEYS: Final = "SELECT count(*) " + _ALL_KEYS + _KEY_FILTERS

COUNT_KEYS_OF: Final[dict[KeyOwner, str]] = {
    "user": "SELECT user_id, count(*) FROM keys WHERE user_id = ANY ($1::TEXT[]) GROUP BY user_id",
    "team": "SELECT team_id, count(*) FROM keys WHERE team_id = ANY ($1::TEXT[]) GROUP BY team_id",
}

# By times, by whole numbers and by texts apart, since one expression has one type.
LIST_KEYS: Final = (
    "SELECT * "
    + _ALL_KEYS
    + _KEY_FILTERS
    + """
ORDER BY
    CASE WHEN $18 THEN NULL ELSE CASE $17 WHEN 'created_at' THEN created_at WHEN 'updated_at' THEN updated_at
        WHEN 'expires' THEN expires WHEN 'last_active' THEN last_active WHEN 'budget_reset_at' THEN budget_reset_at
        END END
        ASC NULLS FIRST,
    CASE WHEN $18 THEN NULL ELSE CASE $17 WHEN 'spend' THEN spend WHEN 'max_budget' THEN max_budget
        WHEN 'tpm_limit' THEN tpm_limit WHEN 'rpm_limit' THEN rpm_limit END END
        ASC NULLS FIRST,
    CASE WHEN $18 THEN NULL ELSE CASE $17 WHEN 'key_alias' THEN key_alias WHEN 'key_name' THEN key_name END END
        ASC NULLS FIRST,
    CASE WHEN $18 THEN CASE $17 WHEN 'created_at' THEN created_at WHEN 'updated_at' THEN updated_at
        WHEN 'expires' THEN expires WHEN 'last_active' THEN last_active WHEN 'budget_reset_at' THEN budget_reset_at
        END END
        DESC NULLS LAST,
    CASE WHEN $18 THEN CASE $17 WHEN 'spend' THEN spend WHEN 'max_budget' THEN max_budget
        WHEN 'tpm_limit' THEN tpm_limit WHEN 'rpm_limit' THEN rpm_limit END END DESC NULLS LAST,
    CASE WHEN $18 THEN CASE $17 WHEN 'key_alias' THEN key_alias WHEN 'key_name' THEN key_name WHEN 'token' THEN token
        END END DESC NULLS LAST,
    token ASC
LIMIT $19 OFFSET $20
"""
)

# The list that is asked for most, in the order of an index.
LATEST_KEYS: Final = (
    "SELECT * " + _LIVE_KEYS + _KEY_FILTERS + "ORDER BY created_at DESC, token ASC LIMIT $17 OFFSET $18"
)

# The same of few, which are sorted: the order is written so that no index has it, since those few would be looked for
# one by one in an index of all keys.
LATEST_OF_FEW_KEYS: Final = (
    "SELECT * " + _LIVE_KEYS + _KEY_FILTERS + "ORDER BY created_at + 0.0 DESC, token ASC LIMIT $17 OFFSET $18"
)

# Of all keys: what a page does not show is never read as a whole row. Spending has no index, since it changes with
# every batch of calls, and then every other index of the key would have to change, too.
COUNT_ALL_KEYS: Final = "SELECT count(*) FROM keys"
_KEY_ORDERS: Final = {
    ("created_at", "asc"): "created_at ASC",
    ("created_at", "desc"): "created_at DESC",
    ("updated_at", "asc"): "updated_at ASC",
    ("updated_at", "desc"): "updated_at DESC",
    ("spend", "asc"): "spend ASC",
    ("spend", "desc"): "spend DESC",
    ("max_budget", "asc"): "max_budget ASC NULLS FIRST",
    ("max_budget", "desc"): "max_budget DESC NULLS LAST",
    ("key_alias", "asc"): "key_alias ASC NULLS FIRST",
    ("key_alias", "desc"): "key_alias DESC NULLS LAST",
    ("key_name", "asc"): "key_name ASC",
    ("key_name", "desc"): "key_name DESC",
    ("expires", "asc"): "expires ASC NULLS FIRST",
    ("expires", "desc"): "expires DESC NULLS LAST",
    ("last_active", "asc"): "last_active ASC NULLS FIRST",
    ("last_active", "desc"): "last_active DESC NULLS LAST",
    ("budget_reset_at", "asc"): "budget_reset_at ASC NULLS FIRST",
    ("budget_reset_at", "desc"): "budget_reset_at DESC NULLS LAST",
    ("tpm_limit", "asc"): "tpm_limit ASC NULLS FIRST",
    ("tpm_limit", "desc"): "tpm_limit DESC NULLS LAST",
    ("rpm_limit", "asc"): "rpm_limit ASC NULLS FIRST",
    ("rpm_limit", "desc"): "rpm_limit DESC NULLS LAST",
    ("token", "asc"): "token ASC",
    ("token", "desc"): "token DESC",
}
_ALL_IN_ORDER: Final = """
SELECT keys.* FROM (
    SELECT token AS wanted FROM keys ORDER BY {order}, token ASC LIMIT $1 OFFSET $2
) AS page JOIN keys ON token = wanted ORDER BY {order}, token ASC
"""
ALL_KEYS_IN_ORDER: Final = {which: _ALL_IN_ORDER.format(order=order) for which, order in _KEY_ORDERS.items()}

# -- what calls refer to ---------------------------------------------------------------------------------

# Each in the same order in all replicas, so that none of two waits for the other.
ADD_PARTIES: Final = """
INSERT INTO parties (key_token, user_id)
SELECT DISTINCT * FROM unnest($1::TEXT[], $2::TEXT[]) AS party (key_token, user_id) ORDER BY key_token, user_id
ON CONFLICT DO NOTHING
"""

FIND_PARTIES: Final = """
SELECT parties.id, asked.key_token, asked.user_id
FROM unnest($1::TEXT[], $2::TEXT[]) AS asked (key_token, user_id)
JOIN parties ON parties.key_token = asked.key_token
    AND coalesce(parties.user_id, '') = coalesce(asked.user_id, '')
    AND (parties.user_id IS NULL) = (asked.user_id IS NULL)
"""

ADD_CONTEXTS: Final = """
INSERT INTO contexts (
    digest, party, usage_source, key_alias, team_id, organization_id, operation, route, status, http_status, attempts,
    stream, provider, api_base, tags, charges, model_requested, model_group, deployment_id, model
)
SELECT * FROM unnest(
    $1::BYTEA[], $2::INTEGER[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TEXT[], $9::TEXT[],
    $10::BIGINT[], $11::BIGINT[], $12::BOOLEAN[], $13::TEXT[], $14::TEXT[], $15::TEXT[], $16::TEXT[], $17::TEXT[],
    $18::TEXT[], $19::TEXT[], $20::TEXT[]
) AS context (digest) ORDER BY digest
ON CONFLICT (digest) DO NOTHING
"""

FIND_CONTEXTS: Final = "SELECT digest, party, id FROM contexts WHERE digest = ANY ($1::BYTEA[])"

ADD_ORIGINS: Final = """
INSERT INTO origins (digest, prefix, numbered)
SELECT * FROM unnest($1::BYTEA[], $2::TEXT[], $3::BOOLEAN[]) AS origin (digest) ORDER BY digest
ON CONFLICT (digest) DO NOTHING
"""

FIND_ORIGINS: Final = "SELECT digest, id FROM origins WHERE digest = ANY ($1::BYTEA[])"

# -- calls -----------------------------------------------------------------------------------------------

ADD_CALLS: Final = """
INSERT INTO calls (
    id, party, context, started_at, ended_at, first_token_at, overhead_ms, cost, peer, prompt_tokens, completion_tokens,
    end_user, error_code, error_message, cached_tokens, cache_write_tokens, reasoning_tokens, audio_input_tokens,
    audio_output_tokens, energy_mwh, energy_cost, units, trace, model_requested, model_group, deployment_id, model,
    answer_id, service_tier
)
SELECT * FROM unnest(
    $1::BIGINT[], $2::INTEGER[], $3::INTEGER[], $4::DOUBLE PRECISION[], $5::DOUBLE PRECISION[],
    $6::DOUBLE PRECISION[], $7::DOUBLE PRECISION[], $8::BIGINT[], $9::TEXT[], $10::BIGINT[], $11::BIGINT[],
    $12::TEXT[], $13::TEXT[], $14::TEXT[], $15::BIGINT[], $16::BIGINT[], $17::BIGINT[], $18::BIGINT[], $19::BIGINT[],
    $20::BIGINT[], $21::BIGINT[], $22::TEXT[], $23::TEXT[], $24::TEXT[], $25::TEXT[], $26::TEXT[], $27::TEXT[],
    $28::TEXT[], $29::TEXT[]
)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""

ADD_CONTENTS: Final = """
INSERT INTO contents (call, prompt, reply) SELECT * FROM unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[])
ON CONFLICT (call) DO NOTHING
"""

CALL_BY_ID: Final = """
SELECT * FROM call_records
WHERE id = $1 AND ($2::TEXT IS NULL OR key_token = $2) AND ($3::TEXT IS NULL OR user_id = $3)
    AND started_at >= $4 AND started_at < $5
LIMIT $6 OFFSET $7
"""

# One span of time after the other, the latest first, until there are enough. Here and below the page is made once,
# whatever the server expects: else it might be made anew for each row of what is joined to it.
CALL_BY_ANSWER: Final = """
WITH RECURSIVE spans (span) AS (
    SELECT (
        SELECT floor(started_at / 512)::BIGINT FROM calls WHERE answer_id IS NOT NULL
        ORDER BY floor(started_at / 512)::BIGINT DESC LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT floor(started_at / 512)::BIGINT FROM calls
        WHERE answer_id IS NOT NULL AND floor(started_at / 512)::BIGINT < spans.span
        ORDER BY floor(started_at / 512)::BIGINT DESC LIMIT 1
    ) FROM spans WHERE spans.span IS NOT NULL
), page AS MATERIALIZED (
    SELECT named.id FROM spans CROSS JOIN LATERAL (
        SELECT calls.id FROM calls JOIN parties ON parties.id = calls.party
        WHERE floor(started_at / 512)::BIGINT = spans.span AND "right"(answer_id, 8) = "right"($1, 8)
            AND answer_id = $1 AND ($2::TEXT IS NULL OR key_token = $2) AND ($3::TEXT IS NULL OR user_id = $3)
            AND started_at >= $4 AND started_at < $5
        ORDER BY started_at DESC
    ) AS named LIMIT $6 OFFSET $7
)
SELECT call_records.* FROM page JOIN call_records ON call_records.id = page.id
"""

# Of each party only as many as could be on the page, latest first, so that a long history costs nothing.
CALLS_BY_KEY: Final = """
WITH page AS MATERIALIZED (
    SELECT latest.id AS page_id FROM parties CROSS JOIN LATERAL (
        SELECT calls.id, calls.started_at FROM calls
        WHERE calls.party = parties.id AND calls.started_at >= $4 AND calls.started_at < $5
        ORDER BY calls.started_at DESC, calls.id DESC LIMIT $6::BIGINT + $7::BIGINT
    ) AS latest
    WHERE $1::BIGINT IS NULL AND parties.key_token = $2 AND ($3::TEXT IS NULL OR parties.user_id = $3)
    ORDER BY latest.started_at DESC, latest.id DESC LIMIT $6 OFFSET $7
) SELECT call_records.* FROM page JOIN call_records ON call_records.id = page.page_id
ORDER BY call_records.started_at DESC, call_records.id DESC
"""

CALLS_BY_USER: Final = """
WITH page AS MATERIALIZED (
    SELECT latest.id AS page_id FROM parties CROSS JOIN LATERAL (
        SELECT calls.id, calls.started_at FROM calls
        WHERE calls.party = parties.id AND calls.started_at >= $4 AND calls.started_at < $5
        ORDER BY calls.started_at DESC, calls.id DESC LIMIT $6::BIGINT + $7::BIGINT
    ) AS latest
    WHERE $1::BIGINT IS NULL AND $2::TEXT IS NULL AND parties.user_id = $3
    ORDER BY latest.started_at DESC, latest.id DESC LIMIT $6 OFFSET $7
) SELECT call_records.* FROM page JOIN call_records ON call_records.id = page.page_id
ORDER BY call_records.started_at DESC, call_records.id DESC
"""

CALLS_BY_START: Final = """
WITH page AS MATERIALIZED (
    SELECT id AS page_id FROM calls
    WHERE $1::BIGINT IS NULL AND $2::TEXT IS NULL AND $3::TEXT IS NULL AND started_at >= $4 AND started_at < $5
    ORDER BY started_at DESC, id DESC LIMIT $6 OFFSET $7
) SELECT call_records.* FROM page JOIN call_records ON call_records.id = page.page_id
ORDER BY call_records.started_at DESC, call_records.id DESC
"""

# -- sums ------------------------------------------------------------------------------------------------

CHARGE_KEYS: Final = """
UPDATE keys SET
    spend = least(spend::NUMERIC + charge.amount, 9223372036854775807)::BIGINT,
    last_active = greatest(coalesce(last_active, 0.0), charge.at)
FROM unnest($1::TEXT[], $2::BIGINT[], $3::DOUBLE PRECISION[]) AS charge (token, amount, at)
WHERE keys.token = charge.token
RETURNING keys.token
"""

SUCCESSORS: Final = "SELECT token, replaced_by FROM deleted_keys WHERE token = ANY ($1::TEXT[])"

CHARGE_DELETED_KEYS: Final = """
UPDATE deleted_keys SET
    spend = least(spend::NUMERIC + charge.amount, 9223372036854775807)::BIGINT,
    last_active = greatest(coalesce(last_active, 0.0), charge.at)
FROM unnest($1::TEXT[], $2::BIGINT[], $3::DOUBLE PRECISION[]) AS charge (token, amount, at)
WHERE deleted_keys.token = charge.token
"""

ADD_DAILY_ENERGY: Final = """
INSERT INTO daily_energy AS kept (day, key_token, user_id, model_group, host, calls, energy_mwh, energy_cost)
SELECT * FROM unnest(
    $1::TEXT[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::BIGINT[], $7::BIGINT[], $8::BIGINT[]
)
ON CONFLICT (day, key_token, user_id, model_group, host) DO UPDATE SET
    calls = kept.calls + excluded.calls,
    energy_mwh = least(kept.energy_mwh::NUMERIC + excluded.energy_mwh, 9223372036854775807)::BIGINT,
    energy_cost = least(kept.energy_cost::NUMERIC + excluded.energy_cost, 9223372036854775807)::BIGINT
"""

DAILY_ENERGY: Final = """
SELECT day, key_token, user_id, model_group, host, calls, energy_mwh, energy_cost FROM daily_energy
WHERE day BETWEEN $1 AND $2 AND ($3::TEXT IS NULL OR key_token = $3) AND ($4::TEXT IS NULL OR user_id = $4)
ORDER BY day, key_token, user_id, model_group, host
"""

USE_OF_DEPLOYMENTS: Final = """
SELECT
    coalesce(calls.deployment_id, contexts.deployment_id) COLLATE "C", count(*),
    sum(prompt_tokens + completion_tokens)::BIGINT
FROM calls JOIN contexts ON contexts.id = calls.context
WHERE started_at >= $1 AND started_at < $2 AND coalesce(calls.deployment_id, contexts.deployment_id) <> ''
GROUP BY 1
ORDER BY 1
"""
