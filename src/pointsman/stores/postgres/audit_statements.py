"""The SQL of the audit log, whole and with parameters."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADD_ENTRY",
    "ALLOW_REMOVAL",
    "COMPLETE_ENTRY",
    "COUNT_ENTRIES",
    "ENTRY",
    "FIND_ENTRIES",
    "READ_ENTRIES",
    "SWEEP_ENTRIES",
]

ADD_ENTRY: Final = """
INSERT INTO audit_log (
    id, at, changed_by, changed_by_api_key, action, table_name, object_id, before_value, updated_values, route, call_id,
    peer, outcome, status, message
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (id) DO NOTHING
"""

COMPLETE_ENTRY: Final = """
UPDATE audit_log SET
    at = $2, changed_by = $3, changed_by_api_key = $4, action = $5, table_name = $6, object_id = $7, before_value = $8,
    updated_values = $9, route = $10, call_id = $11, peer = $12, outcome = $13, status = $14, message = $15
WHERE id = $1 AND outcome = 'unknown'
"""

_MATCHING: Final = """
FROM audit_log
WHERE ($1::TEXT IS NULL OR changed_by = $1) AND ($2::TEXT IS NULL OR changed_by_api_key = $2)
    AND ($3::TEXT IS NULL OR action = $3) AND ($4::TEXT IS NULL OR table_name = $4)
    AND ($5::TEXT IS NULL OR object_id = $5) AND ($6::TEXT IS NULL OR outcome = $6)
    AND ($7::FLOAT8 IS NULL OR at >= $7) AND ($8::FLOAT8 IS NULL OR at <= $8)
    AND ($9::TEXT IS NULL OR strpos(before_value::JSON ->> 'team_id', $9) > 0
        OR strpos(updated_values::JSON ->> 'team_id', $9) > 0)
    AND ($10::TEXT IS NULL OR strpos(before_value::JSON ->> 'token', $10) > 0
        OR strpos(updated_values::JSON ->> 'token', $10) > 0)
    AND ($11::TEXT IS NULL OR $11 IN (id, changed_by, object_id, changed_by_api_key))
"""

FIND_ENTRIES: Final = (
    "SELECT * "
    + _MATCHING
    + """
ORDER BY
    CASE WHEN $13 THEN NULL WHEN $12 = 'updated_at' THEN at END,
    CASE WHEN $13 THEN NULL ELSE CASE $12
        WHEN 'changed_by' THEN changed_by WHEN 'changed_by_api_key' THEN changed_by_api_key WHEN 'action' THEN action
        WHEN 'table_name' THEN table_name WHEN 'object_id' THEN object_id WHEN 'id' THEN id END END,
    CASE WHEN $13 AND $12 = 'updated_at' THEN at END DESC NULLS LAST,
    CASE WHEN $13 THEN CASE $12
        WHEN 'changed_by' THEN changed_by WHEN 'changed_by_api_key' THEN changed_by_api_key WHEN 'action' THEN action
        WHEN 'table_name' THEN table_name WHEN 'object_id' THEN object_id WHEN 'id' THEN id END
    END DESC NULLS LAST,
    CASE WHEN $13 THEN -number ELSE number END
LIMIT $14 OFFSET $15
"""
)

COUNT_ENTRIES: Final = "SELECT count(*) " + _MATCHING

READ_ENTRIES: Final = "SELECT * " + _MATCHING + "AND number > $12 ORDER BY number LIMIT $13"

# For the length of the transaction; a trigger of the schema lets nothing else be removed.
ALLOW_REMOVAL: Final = "SELECT set_config('pointsman.audit_removed_before', $1, true)"

SWEEP_ENTRIES: Final = """
DELETE FROM audit_log WHERE number IN (SELECT number FROM audit_log WHERE at < $1 ORDER BY at LIMIT $2)
"""

ENTRY: Final = "SELECT * FROM audit_log WHERE id = $1"
