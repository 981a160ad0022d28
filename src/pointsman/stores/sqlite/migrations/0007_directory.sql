-- Who is governed beside keys (teams, users, budgets, ...), and what every account has spent.

CREATE TABLE directory (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    alias TEXT,
    unique_alias TEXT,  -- the alias, where only one entry of the kind may have it
    parent TEXT,
    owner TEXT,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    record TEXT NOT NULL,  -- JSON
    PRIMARY KEY (kind, id),
    UNIQUE (kind, unique_alias)
) STRICT, WITHOUT ROWID;

CREATE INDEX directory_by_alias ON directory (kind, alias) WHERE alias IS NOT NULL;
CREATE INDEX directory_by_parent ON directory (kind, parent) WHERE parent IS NOT NULL;
CREATE INDEX directory_by_owner ON directory (kind, owner) WHERE owner IS NOT NULL;
CREATE INDEX directory_by_age ON directory (kind, created_at);

-- As key_changes; for spending the kind is "spend" and the id is scope/id.
CREATE TABLE directory_changes (
    version INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    UNIQUE (kind, id)
) STRICT;

-- What was ever spent. A period's spending is the difference to its baseline, so that these only rise.
CREATE TABLE spend_totals (
    scope TEXT NOT NULL,
    id TEXT NOT NULL,
    model TEXT NOT NULL,  -- a model group, '' for all
    total INTEGER NOT NULL,
    PRIMARY KEY (scope, id, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE spend_periods (
    scope TEXT NOT NULL,
    id TEXT NOT NULL,
    model TEXT NOT NULL,
    window TEXT NOT NULL,  -- '' for the main budget, the duration for one beside it
    baseline INTEGER NOT NULL,
    duration TEXT,
    reset_at REAL,
    PRIMARY KEY (scope, id, model, window)
) STRICT, WITHOUT ROWID;

CREATE INDEX spend_periods_by_reset ON spend_periods (reset_at) WHERE reset_at IS NOT NULL;

ALTER TABLE contexts ADD COLUMN organization_id TEXT;

DROP VIEW call_records;

-- Calls as they were recorded, for the management API and for reports.
CREATE VIEW call_records AS
SELECT
    calls.id,
    CASE WHEN origins.numbered THEN origins.prefix || printf('%08x', calls.id & 4294967295) ELSE origins.prefix END
        AS call_id,
    contexts.operation, contexts.route, calls.started_at, calls.ended_at, calls.first_token_at, contexts.status,
    contexts.http_status,
    calls.more ->> 'error_code' AS error_code,
    calls.more ->> 'error_message' AS error_message,
    parties.key_token, contexts.key_alias, parties.user_id, contexts.team_id, contexts.organization_id,
    calls.more ->> 'end_user' AS end_user,
    coalesce(calls.more ->> 'model_requested', contexts.model_requested) AS model_requested,
    coalesce(calls.more ->> 'model_group', contexts.model_group) AS model_group,
    coalesce(calls.more ->> 'deployment_id', contexts.deployment_id) AS deployment_id,
    coalesce(calls.more ->> 'model', contexts.model) AS model,
    contexts.provider, contexts.api_base, calls.prompt_tokens, calls.completion_tokens,
    coalesce(calls.more ->> 'cached_tokens', 0) AS cached_tokens,
    coalesce(calls.more ->> 'cache_write_tokens', 0) AS cache_write_tokens,
    coalesce(calls.more ->> 'reasoning_tokens', 0) AS reasoning_tokens,
    coalesce(calls.more ->> 'audio_input_tokens', 0) AS audio_input_tokens,
    coalesce(calls.more ->> 'audio_output_tokens', 0) AS audio_output_tokens,
    calls.more ->> 'units' AS units,
    calls.more ->> 'trace' AS trace,
    coalesce(calls.more ->> 'energy_mwh', 0) AS energy_mwh,
    coalesce(calls.more ->> 'energy_cost', 0) AS energy_cost,
    contexts.usage_source, calls.cost, contexts.attempts, contexts.stream, calls.overhead_ms, contexts.tags, calls.peer,
    contents.prompt, contents.reply
FROM calls
JOIN contexts ON contexts.id = calls.context
JOIN parties ON parties.id = calls.party
JOIN origins ON origins.id = calls.id >> 32
LEFT JOIN contents ON contents.call = calls.id;
