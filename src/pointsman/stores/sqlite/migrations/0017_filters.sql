-- What lists are asked for most often, and so far looked at everything for.

-- The calls of a team are those that refer to one of its contexts: written once for each context, and not for each call.
CREATE INDEX contexts_by_team ON contexts (team_id) WHERE team_id IS NOT NULL;

-- Entries of the audit log by each of the filters that name something as a whole, in the order of their times.
CREATE INDEX audit_log_actor ON audit_log (changed_by, at);
CREATE INDEX audit_log_key ON audit_log (changed_by_api_key, at);
CREATE INDEX audit_log_action ON audit_log (action, at);
CREATE INDEX audit_log_table ON audit_log (table_name, at);
CREATE INDEX audit_log_outcome ON audit_log (outcome, at);
