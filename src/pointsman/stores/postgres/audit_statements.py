"""The SQL of the audit log, whole and with parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pointsman.stores.audit import AUDIT_SORTS, AuditSort

__all__ = [
    "ADD_ENTRY",
    "ALLOW_REMOVAL",
    "AUDIT_PAGE",
    "COMPLETE_ENTRY",
    "COUNT_AUDIT",
    "ENTRY",
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

# What does not occur anywhere in a value ($12, $13) is not looked for within its JSON. Names may be too long for an
# index.
_MATCHING: Final = """
FROM audit_log
WHERE ($1::TEXT IS NULL OR (changed_by = $1 AND "left"(changed_by, 256) = "left"($1, 256)))
    AND ($2::TEXT IS NULL OR changed_by_api_key = $2)
    AND ($3::TEXT IS NULL OR action = $3) AND ($4::TEXT IS NULL OR table_name = $4)
    AND ($5::TEXT IS NULL OR object_id = $5) AND ($6::TEXT IS NULL OR outcome = $6)
    AND ($7::FLOAT8 IS NULL OR at >= $7) AND ($8::FLOAT8 IS NULL OR at <= $8)
    AND ($9::TEXT IS NULL
        OR (strpos(before_value, $12) > 0 AND strpos(before_value::JSON ->> 'team_id', $9) > 0)
        OR (strpos(updated_values, $12) > 0 AND strpos(updated_values::JSON ->> 'team_id', $9) > 0))
    AND ($10::TEXT IS NULL
        OR (strpos(before_value, $13) > 0 AND strpos(before_value::JSON ->> 'token', $10) > 0)
        OR (strpos(updated_values, $13) > 0 AND strpos(updated_values::JSON ->> 'token', $10) > 0))
    AND ($11::TEXT IS NULL OR id = $11 OR (changed_by = $11 AND "left"(changed_by, 256) = "left"($11, 256))
        OR object_id = $11 OR changed_by_api_key = $11)
"""

_ORDERS: Final[Mapping[AuditSort, str]] = {
    **{sort: f"{sort} {{way}}, at {{way}}, number {{way}}" for sort in AUDIT_SORTS},
    "updated_at": "at {way}, number {way}",
    "changed_by": """"left"(changed_by, 256) {way}, at {way}, number {way}""",
}

# What a page does not show is never read as a whole entry.
AUDIT_PAGE: Final[dict[tuple[AuditSort, str], str]] = {
    (sort, way): "".join((
        "SELECT audit_log.* FROM (SELECT number AS wanted ", _MATCHING, "ORDER BY ", order.format(way=way),
        "\nLIMIT $14 OFFSET $15) AS page JOIN audit_log ON number = wanted ORDER BY ", order.format(way=way),
    ))
    for sort, order in _ORDERS.items() for way in ("asc", "desc")
}  # fmt: skip

COUNT_AUDIT: Final = "SELECT count(*) " + _MATCHING

READ_ENTRIES: Final = "SELECT * " + _MATCHING + "AND number > $14 ORDER BY number LIMIT $15"

# For the length of the transaction; a trigger of the schema lets nothing else be removed.
ALLOW_REMOVAL: Final = "SELECT set_config('pointsman.audit_removed_before', $1, true)"

SWEEP_ENTRIES: Final = """
DELETE FROM audit_log WHERE number IN (SELECT number FROM audit_log WHERE at < $1 ORDER BY at LIMIT $2)
"""

ENTRY: Final = "SELECT * FROM audit_log WHERE id = $1"
