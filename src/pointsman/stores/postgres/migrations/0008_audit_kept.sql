-- oldest: 5
-- Entries of the audit log are removed by their age only: whoever removes some says up to when, for the length of the
-- transaction. An older version that is to remove old entries meanwhile reports that the database refuses it.

CREATE FUNCTION refuse_audit_removal() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.at < NULLIF(current_setting('pointsman.audit_removed_before', true), '')::DOUBLE PRECISION THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'an entry of the audit log is removed by its age only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER audit_log_is_kept BEFORE DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_audit_removal();
CREATE TRIGGER audit_log_is_not_emptied BEFORE TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_removal();
