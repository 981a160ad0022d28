-- What calls came to, by day, so that reports never look at single calls; see pointsman.stores.activity.

-- What reports tell calls apart by.
CREATE TABLE activity_lines (
    id INTEGER NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,  -- of all the others, or random: then the same line may be there once more
    key_token TEXT NOT NULL,
    user_id TEXT NOT NULL,
    team_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    model_group TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    route TEXT NOT NULL
) STRICT;

CREATE INDEX activity_lines_by_key ON activity_lines (key_token) WHERE key_token <> '';
CREATE INDEX activity_lines_by_user ON activity_lines (user_id) WHERE user_id <> '';
CREATE INDEX activity_lines_by_team ON activity_lines (team_id) WHERE team_id <> '';
CREATE INDEX activity_lines_by_organization ON activity_lines (organization_id) WHERE organization_id <> '';

CREATE TABLE activity (
    scope INTEGER NOT NULL,  -- 0 line, 1 all, 2 team, 3 organization, 4 customer, 5 tag
    day INTEGER NOT NULL,  -- since 1970
    identity TEXT NOT NULL,
    line INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    spend INTEGER NOT NULL,
    energy_mwh INTEGER NOT NULL,
    energy_cost INTEGER NOT NULL,
    milliseconds INTEGER NOT NULL,
    PRIMARY KEY (scope, day, identity, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE daily_failures (
    day INTEGER NOT NULL,
    model_group TEXT NOT NULL,
    host TEXT NOT NULL,  -- scheme, name and port
    http_status INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (day, model_group, host, http_status)
) STRICT, WITHOUT ROWID;

-- From the calls that are there. Sums are in two parts, since one beyond 63 bits would be an error.

CREATE TEMP VIEW told AS
SELECT
    CAST(floor(started_at / 86400) AS INTEGER) AS day, key_token, coalesce(user_id, '') AS user_id,
    coalesce(team_id, '') AS team_id, coalesce(organization_id, '') AS organization_id,
    iif(deployment_id = '', '', model_group) AS model_group, iif(deployment_id = '', '', model) AS model,
    provider, route, coalesce(end_user, '') AS end_user, tags, deployment_id, api_base, http_status, status,
    1 AS calls, status <> 'success' AS failures, prompt_tokens, completion_tokens, cached_tokens,
        cache_write_tokens, reasoning_tokens, cost AS spend, energy_mwh, energy_cost,
        CAST(max(0.0, min((ended_at - started_at) * 1000, 1e15)) AS INTEGER) AS milliseconds
FROM main.call_records;

INSERT INTO activity_lines (
    digest, key_token, user_id, team_id, organization_id, model_group, model, provider, route
) SELECT randomblob(16), *
FROM (SELECT DISTINCT key_token, user_id, team_id, organization_id, model_group, model, provider, route FROM told);

INSERT INTO activity (
    scope, day, identity, line, calls, failures, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, spend, energy_mwh, energy_cost, milliseconds
) SELECT
    counted.scope, told.day, CASE counted.scope WHEN 4 THEN end_user ELSE '' END AS identity, activity_lines.id,
    sum(calls),
    sum(failures),
    min(sum(prompt_tokens / 4294967296) * 4294967296 + sum(prompt_tokens % 4294967296), 9223372036854775807),
    min(sum(completion_tokens / 4294967296) * 4294967296 + sum(completion_tokens % 4294967296), 9223372036854775807),
    min(sum(cached_tokens / 4294967296) * 4294967296 + sum(cached_tokens % 4294967296), 9223372036854775807),
    min(sum(cache_write_tokens / 4294967296) * 4294967296 + sum(cache_write_tokens % 4294967296), 9223372036854775807),
    min(sum(reasoning_tokens / 4294967296) * 4294967296 + sum(reasoning_tokens % 4294967296), 9223372036854775807),
    min(sum(spend / 4294967296) * 4294967296 + sum(spend % 4294967296), 9223372036854775807),
    min(sum(energy_mwh / 4294967296) * 4294967296 + sum(energy_mwh % 4294967296), 9223372036854775807),
    min(sum(energy_cost / 4294967296) * 4294967296 + sum(energy_cost % 4294967296), 9223372036854775807),
    min(sum(milliseconds / 4294967296) * 4294967296 + sum(milliseconds % 4294967296), 9223372036854775807)
FROM told
JOIN activity_lines USING (key_token, user_id, team_id, organization_id, model_group, model, provider, route)
JOIN (SELECT 0 AS scope UNION ALL SELECT 4) AS counted ON counted.scope = 0 OR end_user <> ''
GROUP BY 1, 2, 3, 4;

INSERT INTO activity (
    scope, day, identity, line, calls, failures, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, spend, energy_mwh, energy_cost, milliseconds
) SELECT
    5, told.day, tag.value, activity_lines.id,
    sum(calls),
    sum(failures),
    min(sum(prompt_tokens / 4294967296) * 4294967296 + sum(prompt_tokens % 4294967296), 9223372036854775807),
    min(sum(completion_tokens / 4294967296) * 4294967296 + sum(completion_tokens % 4294967296), 9223372036854775807),
    min(sum(cached_tokens / 4294967296) * 4294967296 + sum(cached_tokens % 4294967296), 9223372036854775807),
    min(sum(cache_write_tokens / 4294967296) * 4294967296 + sum(cache_write_tokens % 4294967296), 9223372036854775807),
    min(sum(reasoning_tokens / 4294967296) * 4294967296 + sum(reasoning_tokens % 4294967296), 9223372036854775807),
    min(sum(spend / 4294967296) * 4294967296 + sum(spend % 4294967296), 9223372036854775807),
    min(sum(energy_mwh / 4294967296) * 4294967296 + sum(energy_mwh % 4294967296), 9223372036854775807),
    min(sum(energy_cost / 4294967296) * 4294967296 + sum(energy_cost % 4294967296), 9223372036854775807),
    min(sum(milliseconds / 4294967296) * 4294967296 + sum(milliseconds % 4294967296), 9223372036854775807)
FROM told
JOIN activity_lines USING (key_token, user_id, team_id, organization_id, model_group, model, provider, route)
JOIN (SELECT DISTINCT tags, value FROM (SELECT DISTINCT tags FROM contexts) JOIN json_each(tags)) AS tag
    ON tag.tags = told.tags
GROUP BY 1, 2, 3, 4;

INSERT INTO activity_lines (
    digest, key_token, user_id, team_id, organization_id, model_group, model, provider, route
) SELECT randomblob(16), '', '', '', '', *
FROM (SELECT DISTINCT model_group, model, provider, route FROM activity_lines);

INSERT INTO activity (
    scope, day, identity, line, calls, failures, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, spend, energy_mwh, energy_cost, milliseconds
) SELECT
    counted.scope, activity.day,
    CASE counted.scope WHEN 2 THEN whose.team_id WHEN 3 THEN whose.organization_id ELSE '' END AS whom, lane.id,
    sum(calls),
    sum(failures),
    min(sum(prompt_tokens / 4294967296) * 4294967296 + sum(prompt_tokens % 4294967296), 9223372036854775807),
    min(sum(completion_tokens / 4294967296) * 4294967296 + sum(completion_tokens % 4294967296), 9223372036854775807),
    min(sum(cached_tokens / 4294967296) * 4294967296 + sum(cached_tokens % 4294967296), 9223372036854775807),
    min(sum(cache_write_tokens / 4294967296) * 4294967296 + sum(cache_write_tokens % 4294967296), 9223372036854775807),
    min(sum(reasoning_tokens / 4294967296) * 4294967296 + sum(reasoning_tokens % 4294967296), 9223372036854775807),
    min(sum(spend / 4294967296) * 4294967296 + sum(spend % 4294967296), 9223372036854775807),
    min(sum(energy_mwh / 4294967296) * 4294967296 + sum(energy_mwh % 4294967296), 9223372036854775807),
    min(sum(energy_cost / 4294967296) * 4294967296 + sum(energy_cost % 4294967296), 9223372036854775807),
    min(sum(milliseconds / 4294967296) * 4294967296 + sum(milliseconds % 4294967296), 9223372036854775807)
FROM activity
JOIN activity_lines AS whose ON whose.id = activity.line
JOIN (
    SELECT max(id) AS id, model_group, model, provider, route FROM activity_lines
    WHERE key_token = '' AND user_id = '' AND team_id = '' AND organization_id = '' GROUP BY 2, 3, 4, 5
) AS lane USING (model_group, model, provider, route)
JOIN (SELECT 1 AS scope UNION ALL SELECT 2 UNION ALL SELECT 3) AS counted
    ON counted.scope IN (1, 2) OR (counted.scope = 3 AND whose.organization_id <> '')
WHERE activity.scope = 0
GROUP BY 1, 2, 3, 4;

INSERT INTO daily_failures (day, model_group, host, http_status, calls)
SELECT day, model_group, '', http_status, count(*) FROM told WHERE status <> 'success' GROUP BY 1, 2, 3, 4;

DROP VIEW told;

-- All of it is in the tables above.
DROP TABLE daily_spend;
