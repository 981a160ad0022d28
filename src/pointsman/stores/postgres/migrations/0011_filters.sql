-- oldest: 5
-- Entries of the audit log by each of the filters that name something as a whole, in the order of their times.

CREATE INDEX audit_log_actor ON audit_log ("left"(changed_by, 256), at);
CREATE INDEX audit_log_key ON audit_log (changed_by_api_key, at);
CREATE INDEX audit_log_action ON audit_log (action, at);
CREATE INDEX audit_log_table ON audit_log (table_name, at);
CREATE INDEX audit_log_outcome ON audit_log (outcome, at);
