"""The SQL of the audit log, whole and with parameters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product
from typing import Final, Literal

from pointsman.stores.audit import AUDIT_SORTS, AuditSort

__all__ = [
    "ADD_ENTRY",
    "ALLOW_REMOVAL",
    "AUDIT_PAGE",
    "COMPLETE_ENTRY",
    "COUNT_AUDIT",
    "END_REMOVAL",
    "READ_ENTRIES",
    "SWEEP_ENTRIES",
    "WAYS",
    "Way",
]

Way = Literal["object_id", "search", "changed_by_api_key", "changed_by", "table_name", "action", "outcome", "all"]
"""By which filter entries are looked for, and all others hold, too; ``all``: by none."""

WAYS: Final[tuple[Way, ...]] = (
    "object_id", "search", "changed_by_api_key", "changed_by", "table_name", "action", "outcome",
)  # fmt: skip
"""The filters that have an index, those first that let the fewest through."""

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

_WITHIN: Final = "    AND at >= :start AND at <= :end\n"
# What does not occur anywhere in a value is not looked for within its JSON.
_HOLDS: Final = """
    AND (:changed_by IS NULL OR changed_by = :changed_by)
    AND (:changed_by_api_key IS NULL OR changed_by_api_key = :changed_by_api_key)
    AND (:action IS NULL OR action = :action)
    AND (:table_name IS NULL OR table_name = :table_name)
    AND (:object_id IS NULL OR object_id = :object_id)
    AND (:outcome IS NULL OR outcome = :outcome)
    AND (:object_team_id IS NULL
        OR (instr(before_value, :object_team_text) AND instr(before_value ->> 'team_id', :object_team_id))
        OR (instr(updated_values, :object_team_text) AND instr(updated_values ->> 'team_id', :object_team_id)))
    AND (:object_key_hash IS NULL
        OR (instr(before_value, :object_key_text) AND instr(before_value ->> 'token', :object_key_hash))
        OR (instr(updated_values, :object_key_text) AND instr(updated_values ->> 'token', :object_key_hash)))
    AND (:search IS NULL OR :search IN (id, changed_by, object_id, changed_by_api_key))
"""

# One statement for each index, since SQLite chooses its plan before it knows which filters are given. All indexes but
# that of the ids have the time as their second column.
_INDEXES: Final = {
    "updated_at": "audit_log_at",
    "object_id": "audit_log_object",
    "changed_by_api_key": "audit_log_key",
    "changed_by": "audit_log_actor",
    "table_name": "audit_log_table",
    "action": "audit_log_action",
    "outcome": "audit_log_outcome",
    "id": "sqlite_autoindex_audit_log_1",
}
_FROM: Final[dict[Way, str]] = {
    "all": "FROM audit_log INDEXED BY audit_log_at WHERE true\n",
    "search": """
FROM audit_log WHERE number IN (
    SELECT number FROM audit_log WHERE id = :search
    UNION ALL SELECT number FROM audit_log INDEXED BY audit_log_object WHERE object_id = :search
    UNION ALL SELECT number FROM audit_log INDEXED BY audit_log_actor WHERE changed_by = :search
    UNION ALL SELECT number FROM audit_log INDEXED BY audit_log_key WHERE changed_by_api_key = :search
)
""",
    **{
        way: "".join(("FROM audit_log INDEXED BY ", _INDEXES[way], " WHERE ", way, " = :", way, "\n"))
        for way in WAYS if way in _INDEXES
    },
}  # fmt: skip
_OTHERWISE: Final = """CASE :sort_by
    WHEN 'changed_by' THEN changed_by WHEN 'changed_by_api_key' THEN changed_by_api_key WHEN 'action' THEN action
    WHEN 'table_name' THEN table_name WHEN 'object_id' THEN object_id WHEN 'id' THEN id ELSE at END"""


def _page(source: str, order: str, *, falling: bool) -> str:
    """What a page does not show is never read as a whole entry."""
    way = " DESC" if falling else ""
    ordered = "".join(("ORDER BY ", order, way, ", at", way, ", number", way, "\n"))
    wanted = "".join(("SELECT number AS wanted ", source, ordered, "LIMIT :limit OFFSET :offset"))
    return "".join(("SELECT audit_log.* FROM (", wanted, ") CROSS JOIN audit_log ON number = wanted\n", ordered))


def _holding(source: str, *, alone: bool) -> str:
    return "".join((source, _WITHIN, "" if alone else _HOLDS))


def _pages_of_all(sort: AuditSort) -> Iterator[tuple[tuple[Way, AuditSort | None, bool, bool], str]]:
    source = "".join(("FROM audit_log INDEXED BY ", _INDEXES[sort], " WHERE true\n"))
    order = "at" if sort == "updated_at" else sort
    for falling, alone in _BOTH:
        yield ("all", sort, falling, alone), _page(_holding(source, alone=alone), order, falling=falling)


def _pages_of(way: Way) -> Iterator[tuple[tuple[Way, AuditSort | None, bool, bool], str]]:
    for falling, alone in _BOTH:
        source = _holding(_FROM[way], alone=alone)
        yield (way, "updated_at", falling, alone), _page(source, "at", falling=falling)
        yield (way, None, falling, alone), _page(source, _OTHERWISE, falling=falling)


_BOTH: Final = tuple(product((True, False), repeat=2))

# By way, order (None: one that the index of the way does not have), whether it falls, and whether no other filter than
# those of the way and of the time is given.
AUDIT_PAGE: Final = dict(
    chain(*map(_pages_of_all, AUDIT_SORTS), *map(_pages_of, WAYS))
)  # fmt: skip

COUNT_AUDIT: Final = {
    (way, alone): "".join(("SELECT count(*) ", _holding(source, alone=alone)))
    for way, source in _FROM.items() for alone in (True, False)
}  # fmt: skip

READ_ENTRIES: Final = "".join((
    "SELECT * FROM audit_log WHERE true\n", _WITHIN, _HOLDS, "AND number > :after ORDER BY number LIMIT :limit"
))  # fmt: skip

# Triggers of the schema let nothing else be removed.
ALLOW_REMOVAL: Final = "INSERT INTO audit_retention (before) VALUES (?)"
END_REMOVAL: Final = "DELETE FROM audit_retention"

SWEEP_ENTRIES: Final = """
DELETE FROM audit_log WHERE number IN (SELECT number FROM audit_log WHERE at < ? ORDER BY at LIMIT ?)
"""
