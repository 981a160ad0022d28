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

-- Whose calls they are: few for a key or a user, so that their calls are found party by party. There is one row for each
-- pair; whoever adds one holds the write lock and has looked first (NULL is a user too, so UNIQUE could not see to it).
CREATE TABLE parties (
    id INTEGER NOT NULL PRIMARY KEY,
    key_token TEXT NOT NULL,
    user_id TEXT
) STRICT;

CREATE INDEX parties_by_key ON parties (key_token);
CREATE INDEX parties_by_user ON parties (user_id) WHERE user_id IS NOT NULL;

-- What many calls have in common. What clients make up is not here but with each call.
CREATE TABLE contexts (
    id INTEGER NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,  -- of all the others
    party INTEGER NOT NULL REFERENCES parties (id),
    key_alias TEXT,
    team_id TEXT,
    operation TEXT NOT NULL,
    route TEXT NOT NULL,
    status TEXT NOT NULL,
    http_status INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    usage_source TEXT NOT NULL,
    provider TEXT NOT NULL,
    api_base TEXT NOT NULL,
    tags TEXT NOT NULL,  -- JSON
    model_requested TEXT NOT NULL,
    model_group TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    model TEXT NOT NULL
) STRICT;

-- The first parts of call ids. Ids that end in eight hexadecimal digits are numbered: those digits are the lower half of
-- calls.id, and our own count up there, so that a process has one origin. Any other id is an origin of its own.
CREATE TABLE origins (
    id INTEGER NOT NULL PRIMARY KEY,
    prefix TEXT NOT NULL,
    numbered INTEGER NOT NULL CHECK (numbered IN (0, 1)),
    UNIQUE (prefix, numbered)
) STRICT;

-- References are not declared here, since each would be looked up for each call.
CREATE TABLE calls (
    id INTEGER NOT NULL PRIMARY KEY,  -- origin * 2^32 + number
    party INTEGER NOT NULL,
    context INTEGER NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL NOT NULL,
    first_token_at REAL,
    overhead_ms REAL NOT NULL,
    cost INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    peer TEXT NOT NULL,
    more TEXT  -- JSON: what is seldom there, and names of models that a client made up; see the view
) STRICT;

CREATE INDEX calls_by_start ON calls (started_at, party);

-- The seconds in which a party began calls; in those its calls are looked for by start. An index of calls by party would
-- have to be changed in another place for each call, which costs more than all the rest.
CREATE TABLE party_seconds (
    party INTEGER NOT NULL,
    second INTEGER NOT NULL,  -- started_at, rounded down
    PRIMARY KEY (party, second)
) STRICT, WITHOUT ROWID;

-- What was asked and answered, where the operator wants that kept.
CREATE TABLE contents (
    call INTEGER NOT NULL PRIMARY KEY,
    prompt TEXT,
    reply TEXT
) STRICT;

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
    parties.key_token, contexts.key_alias, parties.user_id, contexts.team_id,
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
    contexts.usage_source, calls.cost, contexts.attempts, contexts.stream, calls.overhead_ms, contexts.tags, calls.peer,
    contents.prompt, contents.reply
FROM calls
JOIN contexts ON contexts.id = calls.context
JOIN parties ON parties.id = calls.party
JOIN origins ON origins.id = calls.id >> 32
LEFT JOIN contents ON contents.call = calls.id;

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
