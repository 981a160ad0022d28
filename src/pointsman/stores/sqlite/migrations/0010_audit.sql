-- Who tried to change what through the management API. Entries are completed once and never changed after that.

CREATE TABLE audit_log (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    changed_by TEXT NOT NULL,  -- whom the caller says to act for
    changed_by_api_key TEXT NOT NULL,  -- digest of the key that was presented
    action TEXT NOT NULL,
    table_name TEXT NOT NULL,  -- LiteLLM's name for the kind of object
    object_id TEXT NOT NULL,
    before_value TEXT,  -- JSON, secrets masked
    updated_values TEXT,
    route TEXT NOT NULL,
    call_id TEXT NOT NULL,
    peer TEXT NOT NULL,
    outcome TEXT NOT NULL,  -- unknown until the attempt has ended
    status INTEGER,
    message TEXT
) STRICT;

CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_object ON audit_log (object_id, at);

CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE ON audit_log WHEN old.outcome <> 'unknown' OR old.id <> new.id
BEGIN
    SELECT RAISE(ABORT, 'a complete entry of the audit log is never changed');
END;
