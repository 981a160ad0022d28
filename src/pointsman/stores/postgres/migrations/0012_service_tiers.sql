-- oldest: 5
-- On which service tier a call was served, where its price depends on that; most calls say nothing of it. Replicas of an
-- older version go on meanwhile, and say nothing of it either.

ALTER TABLE calls ADD COLUMN service_tier TEXT;

-- Calls as they were recorded, for the management API and for reports.
CREATE OR REPLACE VIEW call_records AS
SELECT
    calls.id,
    CASE WHEN origins.numbered THEN origins.prefix || lpad(to_hex(calls.id & 4294967295), 8, '0') ELSE origins.prefix END
        AS call_id,
    contexts.operation, contexts.route, calls.started_at, calls.ended_at, calls.first_token_at, contexts.status,
    contexts.http_status, calls.error_code, calls.error_message, parties.key_token, contexts.key_alias, parties.user_id,
    contexts.team_id, contexts.organization_id, calls.end_user,
    coalesce(calls.model_requested, contexts.model_requested) AS model_requested,
    coalesce(calls.model_group, contexts.model_group) AS model_group,
    coalesce(calls.deployment_id, contexts.deployment_id) AS deployment_id,
    coalesce(calls.model, contexts.model) AS model,
    contexts.provider, contexts.api_base, calls.prompt_tokens, calls.completion_tokens,
    coalesce(calls.cached_tokens, 0) AS cached_tokens,
    coalesce(calls.cache_write_tokens, 0) AS cache_write_tokens,
    coalesce(calls.reasoning_tokens, 0) AS reasoning_tokens,
    coalesce(calls.audio_input_tokens, 0) AS audio_input_tokens,
    coalesce(calls.audio_output_tokens, 0) AS audio_output_tokens,
    calls.units, calls.trace,
    coalesce(calls.energy_mwh, 0) AS energy_mwh,
    coalesce(calls.energy_cost, 0) AS energy_cost,
    contexts.usage_source, calls.cost, contexts.attempts, contexts.stream, calls.overhead_ms, contexts.tags, calls.peer,
    contents.prompt, contents.reply, contexts.charges, calls.answer_id,
    calls.service_tier
FROM calls
JOIN contexts ON contexts.id = calls.context
JOIN parties ON parties.id = calls.party
JOIN origins ON origins.id = calls.id >> 32
LEFT JOIN contents ON contents.call = calls.id;
