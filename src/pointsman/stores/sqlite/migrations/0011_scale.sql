-- What lists of very many begin with: the latest, and the keys that spent most.

CREATE INDEX keys_by_age ON keys (created_at DESC, token);
CREATE INDEX keys_by_spend ON keys (spend DESC, token);

DROP INDEX directory_by_age;
CREATE INDEX directory_by_age ON directory (kind, created_at DESC, id);

-- Customers and tags are counted once more, without the owners of the calls, since those may be very many: scope 6
-- customer_sum, 7 tag_sum. The name is new, as in PostgreSQL, where it keeps older versions from adding to the others
-- alone.
ALTER TABLE activity RENAME TO daily_activity;

INSERT INTO daily_activity (
    scope, day, identity, line, calls, failures, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, spend, energy_mwh, energy_cost, milliseconds
) SELECT
    counted.scope + 2, counted.day, counted.identity, lane.id,
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
FROM daily_activity AS counted
JOIN activity_lines AS whose ON whose.id = counted.line
JOIN (
    SELECT max(id) AS id, model_group, model, provider, route FROM activity_lines
    WHERE key_token = '' AND user_id = '' AND team_id = '' AND organization_id = '' GROUP BY 2, 3, 4, 5
) AS lane USING (model_group, model, provider, route)
WHERE counted.scope IN (4, 5)
GROUP BY 1, 2, 3, 4;
