-- Entries of the audit log are removed by their age only, and replaced by nothing. Whoever removes some says in
-- audit_retention up to when, within the same transaction.

CREATE TABLE audit_retention (before REAL NOT NULL) STRICT;

CREATE TRIGGER audit_log_is_kept BEFORE DELETE ON audit_log
WHEN NOT EXISTS (SELECT 1 FROM audit_retention WHERE before > old.at)
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit log is removed by its age only');
END;

-- REPLACE removes without a word to the trigger above. As in ON CONFLICT DO NOTHING, what is there stays.
CREATE TRIGGER audit_log_is_not_replaced BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = new.id OR number = new.number)
BEGIN
    SELECT RAISE(IGNORE);
END;

DROP TRIGGER audit_log_is_append_only;
CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE ON audit_log
WHEN old.outcome <> 'unknown' OR old.id <> new.id OR old.number <> new.number
BEGIN
    SELECT RAISE(ABORT, 'a complete entry of the audit log is never changed');
END;
