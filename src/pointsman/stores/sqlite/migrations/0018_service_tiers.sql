-- On which service tier a call was served, where its price depends on that; most calls say nothing of it.

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
    calls.answer_id, contents.prompt, contents.reply, contexts.charges,
    calls.more ->> 'service_tier' AS service_tier
FROM calls
JOIN contexts ON contexts.id = calls.context
JOIN parties ON parties.id = calls.party
JOIN origins ON origins.id = calls.id >> 32
LEFT JOIN contents ON contents.call = calls.id;
