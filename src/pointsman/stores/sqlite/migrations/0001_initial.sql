-- Money is in picodollars (1e-12 USD), times are in seconds since the epoch, days are days of UTC.

PRAGMA application_id = 1349742675;  -- "PsmS": this file is Pointsman's store

CREATE TABLE keys (
    token TEXT NOT NULL PRIMARY KEY,  -- SHA-256 of the key, in hexadecimal; the key itself is nowhere
    key_name TEXT NOT NULL,
    key_alias TEXT UNIQUE,
    models TEXT NOT NULL,  -- JSON, as aliases, metadata, tags and extra
    aliases TEXT NOT NULL,
    metadata TEXT NOT NULL,
    user_id TEXT,
    team_id TEXT,
    spend INTEGER NOT NULL,
    max_budget INTEGER,
    soft_budget INTEGER,
    budget_duration TEXT,
    budget_reset_at REAL,
    rpm_limit INTEGER,
    tpm_limit INTEGER,
    max_parallel_requests INTEGER,
    expires REAL,
    blocked INTEGER NOT NULL CHECK (blocked IN (0, 1)),
    tags TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    created_by TEXT,
    last_active REAL,
    extra TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX keys_by_user ON keys (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX keys_by_team ON keys (team_id) WHERE team_id IS NOT NULL;
CREATE INDEX keys_by_budget_reset ON keys (budget_reset_at) WHERE budget_reset_at IS NOT NULL;

-- The latest deletion of each key, so that its calls keep their meaning.
CREATE TABLE deleted_keys (
    token TEXT NOT NULL PRIMARY KEY,
    key_name TEXT NOT NULL,
    key_alias TEXT,
    models TEXT NOT NULL,
    aliases TEXT NOT NULL,
    metadata TEXT NOT NULL,
    user_id TEXT,
    team_id TEXT,
    spend INTEGER NOT NULL,
    max_budget INTEGER,
    soft_budget INTEGER,
    budget_duration TEXT,
    budget_reset_at REAL,
    rpm_limit INTEGER,
    tpm_limit INTEGER,
    max_parallel_requests INTEGER,
    expires REAL,
    blocked INTEGER NOT NULL CHECK (blocked IN (0, 1)),
    tags TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    created_by TEXT,
    last_active REAL,
    extra TEXT NOT NULL,
    deleted_at REAL NOT NULL,
    deleted_by TEXT,
    replaced_by TEXT  -- the token of the key that was put in its place
) STRICT, WITHOUT ROWID;

CREATE VIEW all_keys AS
SELECT
    token, key_name, key_alias, models, aliases, metadata, user_id, team_id, spend, max_budget, soft_budget,
    budget_duration, budget_reset_at, rpm_limit, tpm_limit, max_parallel_requests, expires, blocked, tags, created_at,
    updated_at, created_by, last_active, extra, NULL AS deleted_at, NULL AS deleted_by, NULL AS replaced_by
FROM keys
UNION ALL
SELECT
    token, key_name, key_alias, models, aliases, metadata, user_id, team_id, spend, max_budget, soft_budget,
    budget_duration, budget_reset_at, rpm_limit, tpm_limit, max_parallel_requests, expires, blocked, tags, created_at,
    updated_at, created_by, last_active, extra, deleted_at, deleted_by, replaced_by
FROM deleted_keys;

-- The version at which each key changed last. It is raised in the transaction of the change, so that whoever has seen
-- a version has seen every change up to it.
CREATE TABLE key_changes (
    version INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE calls (
    id INTEGER NOT NULL PRIMARY KEY,
    call_id TEXT NOT NULL UNIQUE,
    operation TEXT NOT NULL,
    route TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL NOT NULL,
    first_token_at REAL,
    status TEXT NOT NULL,
    http_status INTEGER NOT NULL,
    error_code TEXT,
    error_message TEXT,
    key_token TEXT NOT NULL,
    key_alias TEXT,
    user_id TEXT,
    team_id TEXT,
    end_user TEXT,
    model_requested TEXT NOT NULL,
    model_group TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    api_base TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    audio_input_tokens INTEGER NOT NULL,
    audio_output_tokens INTEGER NOT NULL,
    usage_source TEXT NOT NULL,
    cost INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    overhead_ms REAL NOT NULL,
    tags TEXT NOT NULL,
    peer TEXT NOT NULL,
    prompt TEXT,
    reply TEXT
) STRICT;

CREATE INDEX calls_by_start ON calls (started_at);
CREATE INDEX calls_by_key ON calls (key_token, started_at);
CREATE INDEX calls_by_user ON calls (user_id, started_at) WHERE user_id IS NOT NULL;

CREATE TABLE daily_spend (
    day TEXT NOT NULL,
    key_token TEXT NOT NULL,
    user_id TEXT NOT NULL,
    model_group TEXT NOT NULL,
    provider TEXT NOT NULL,
    calls INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    spend INTEGER NOT NULL,
    PRIMARY KEY (day, key_token, user_id, model_group, provider)
) STRICT, WITHOUT ROWID;
