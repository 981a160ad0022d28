-- oldest: 5
-- Customers and tags are counted once more, without the owners of the calls, since those may be very many: scope 6
-- customer_sum, 7 tag_sum. An older version would add to the others alone: with its table gone it adds to none, and keeps
-- its calls in its spool until a newer one takes its place.

-- What lists of very many keys begin with. With the tokens a page in the middle is found without reading those before it.
DROP INDEX keys_by_age;
CREATE INDEX keys_by_age ON keys (created_at DESC, token);

-- From here on nobody adds calls: whoever does wants this table at the end.
ALTER TABLE activity RENAME TO daily_activity;

INSERT INTO daily_activity (
    scope, day, identity, line, calls, failures, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, spend, energy_mwh, energy_cost, milliseconds
) SELECT
    counted.scope + 2, counted.day, counted.identity, lane.id,
    sum(calls)::BIGINT,
    sum(failures)::BIGINT,
    least(sum(prompt_tokens), 9223372036854775807)::BIGINT,
    least(sum(completion_tokens), 9223372036854775807)::BIGINT,
    least(sum(cached_tokens), 9223372036854775807)::BIGINT,
    least(sum(cache_write_tokens), 9223372036854775807)::BIGINT,
    least(sum(reasoning_tokens), 9223372036854775807)::BIGINT,
    least(sum(spend), 9223372036854775807)::BIGINT,
    least(sum(energy_mwh), 9223372036854775807)::BIGINT,
    least(sum(energy_cost), 9223372036854775807)::BIGINT,
    least(sum(milliseconds), 9223372036854775807)::BIGINT
FROM daily_activity AS counted
JOIN activity_lines AS whose ON whose.id = counted.line
JOIN (
    SELECT max(id) AS id, model_group, model, provider, route FROM activity_lines
    WHERE key_token = '' AND user_id = '' AND team_id = '' AND organization_id = '' GROUP BY 2, 3, 4, 5
) AS lane USING (model_group, model, provider, route)
WHERE counted.scope IN (4, 5)
GROUP BY counted.scope, counted.day, counted.identity, lane.id;
