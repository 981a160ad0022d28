"""The SQL of the audit log, whole and with parameters."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADD_ENTRY",
    "ALLOW_REMOVAL",
    "COMPLETE_ENTRY",
    "COUNT_ENTRIES",
    "END_REMOVAL",
    "FIND_ENTRIES",
    "READ_ENTRIES",
    "SWEEP_ENTRIES",
]

ADD_ENTRY: Final = """
INSERT INTO audit_log (
    id, at, changed_by, changed_by_api_key, action, table_name, object_id, before_value, updated_values, route, call_id,
    peer, outcome, status, message
) VALUES (
    :id, :at, :changed_by, :changed_by_api_key, :action, :table_name, :object_id, :before_value, :updated_values,
    :route, :call_id, :peer, :outcome, :status, :message
) ON CONFLICT (id) DO NOTHING
"""

COMPLETE_ENTRY: Final = """
UPDATE audit_log SET
    changed_by = :changed_by, changed_by_api_key = :changed_by_api_key, action = :action, table_name = :table_name,
    object_id = :object_id, before_value = :before_value, updated_values = :updated_values, route = :route,
    call_id = :call_id, peer = :peer, outcome = :outcome, status = :status, message = :message
WHERE id = :id AND outcome = 'unknown'
"""

_MATCHING: Final = """
FROM audit_log
WHERE (:changed_by IS NULL OR changed_by = :changed_by)
    AND (:changed_by_api_key IS NULL OR changed_by_api_key = :changed_by_api_key)
    AND (:action IS NULL OR action = :action)
    AND (:table_name IS NULL OR table_name = :table_name)
    AND (:object_id IS NULL OR object_id = :object_id)
    AND (:outcome IS NULL OR outcome = :outcome)
    AND (:start IS NULL OR at >= :start)
    AND (:end IS NULL OR at <= :end)
    AND (:object_team_id IS NULL OR instr(before_value ->> 'team_id', :object_team_id) > 0
        OR instr(updated_values ->> 'team_id', :object_team_id) > 0)
    AND (:object_key_hash IS NULL OR instr(before_value ->> 'token', :object_key_hash) > 0
        OR instr(updated_values ->> 'token', :object_key_hash) > 0)
    AND (:search IS NULL OR :search IN (id, changed_by, object_id, changed_by_api_key))
"""

FIND_ENTRIES: Final = (
    "SELECT * "
    + _MATCHING
    + """
ORDER BY
    CASE WHEN :falling THEN NULL ELSE CASE :sort_by
        WHEN 'updated_at' THEN at WHEN 'changed_by' THEN changed_by WHEN 'changed_by_api_key' THEN changed_by_api_key
        WHEN 'action' THEN action WHEN 'table_name' THEN table_name WHEN 'object_id' THEN object_id ELSE id END END,
    CASE WHEN :falling THEN CASE :sort_by
        WHEN 'updated_at' THEN at WHEN 'changed_by' THEN changed_by WHEN 'changed_by_api_key' THEN changed_by_api_key
        WHEN 'action' THEN action WHEN 'table_name' THEN table_name WHEN 'object_id' THEN object_id ELSE id END
    END DESC,
    CASE WHEN :falling THEN -number ELSE number END
LIMIT :limit OFFSET :offset
"""
)

COUNT_ENTRIES: Final = "SELECT count(*) " + _MATCHING

READ_ENTRIES: Final = "SELECT * " + _MATCHING + "AND number > :after ORDER BY number LIMIT :limit"

# Triggers of the schema let nothing else be removed.
ALLOW_REMOVAL: Final = "INSERT INTO audit_retention (before) VALUES (?)"
END_REMOVAL: Final = "DELETE FROM audit_retention"

SWEEP_ENTRIES: Final = """
DELETE FROM audit_log WHERE number IN (SELECT number FROM audit_log WHERE at < ? ORDER BY at LIMIT ?)
"""
