"""The SQL of listing calls page by page, and of letting old ones go."""

from __future__ import annotations

from typing import Final, Literal

__all__ = [
    "CALL_PAGE",
    "CALL_PAGE_OF_ALL",
    "CALL_PAGE_OF_CONTEXTS",
    "CALL_PAGE_OF_PARTIES",
    "COUNT_ALL_CALLS",
    "COUNT_CALLS",
    "COUNT_CALLS_OF_CONTEXTS",
    "COUNT_CALLS_OF_PARTIES",
    "OLDEST_CALLS",
    "PAGE_END",
    "PARTIES_END",
    "PRUNE_CALLS",
    "PRUNE_CONTENTS",
    "PRUNE_ORIGINS",
    "PRUNE_SECONDS",
    "TEAM_CONTEXTS",
    "Parties",
]

Parties = Literal["key", "user"]
"""By which of the two parties are looked for; the other holds too."""

# How far the calls of one page may lie back; None: to the end.
PAGE_END: Final = """
SELECT started_at, party, id FROM calls
WHERE started_at >= :start AND started_at < :end AND (started_at, party, id) < (:at, :party, :id)
ORDER BY started_at DESC, party DESC, id DESC LIMIT 1 OFFSET :scanned_max
"""

# One statement for each index.
_PARTIES: Final[dict[Parties, str]] = {
    "key": """
    SELECT id FROM parties INDEXED BY parties_by_key
    WHERE key_token IN (SELECT value FROM json_each(:key_tokens)) AND (:user_id IS NULL OR user_id = :user_id)
""",
    "user": "SELECT id FROM parties INDEXED BY parties_by_user WHERE user_id = :user_id",
}

PARTIES_END: Final = {
    way: "".join((
        "SELECT second, 0, 0 FROM party_seconds WHERE party IN (", parties, """)
    AND second > :start - 1 AND second <= :at
ORDER BY second DESC LIMIT 1 OFFSET :scanned_max
"""))
    for way, parties in _PARTIES.items()
}  # fmt: skip

# What calls of teams refer to, so that no other call need be joined with anything to be passed over.
TEAM_CONTEXTS: Final = """
SELECT json_group_array(id) FROM (
    SELECT id FROM contexts INDEXED BY contexts_by_team
    WHERE team_id IS NOT NULL AND team_id IN (SELECT value FROM json_each(:team_ids)) LIMIT :contexts_max + 1
)
"""

_MATCHING: Final = """
    AND (calls.started_at, calls.party, calls.id) < (:at, :party, :id)
    AND (calls.started_at, calls.party, calls.id) >= (:end_at, :end_party, :end_id)
    AND calls.started_at >= :start AND calls.started_at < :end
    AND (:cost_min IS NULL OR calls.cost >= :cost_min)
    AND (:cost_max IS NULL OR calls.cost <= :cost_max)
    AND CASE WHEN :either THEN
            team_id IN (SELECT value FROM json_each(:team_ids))
            OR ((:key_tokens IS NULL OR key_token IN (SELECT value FROM json_each(:key_tokens)))
                AND (:user_id IS NULL OR user_id = :user_id))
        ELSE
            (:key_tokens IS NULL OR key_token IN (SELECT value FROM json_each(:key_tokens)))
            AND (:user_id IS NULL OR user_id = :user_id)
            AND (:team_ids IS NULL OR team_id IN (SELECT value FROM json_each(:team_ids)))
        END
    AND (:organization_id IS NULL OR organization_id = :organization_id)
    AND (:end_user IS NULL OR end_user = :end_user)
    AND (:key_alias IS NULL OR key_alias = :key_alias)
    AND (:status IS NULL OR status = :status OR (:status = 'failed' AND status <> 'success'))
    AND (:model IS NULL OR model = :model OR model_group = :model)
    AND (:model_group IS NULL OR model_group = :model_group)
    AND (:deployment_id IS NULL OR deployment_id = :deployment_id)
    AND (:error_code IS NULL OR error_code = :error_code OR CAST(http_status AS TEXT) = :error_code)
    AND (:error_message IS NULL OR instr(lower(error_message), lower(:error_message)))
"""
_LATEST_FIRST: Final = "ORDER BY calls.started_at DESC, calls.party DESC, calls.id DESC LIMIT :limit OFFSET :offset"
_ROWS: Final = "SELECT call_records.*, calls.party AS page_party FROM "
_OF_ALL: Final = "calls CROSS JOIN call_records ON call_records.id = calls.id WHERE true"
_OF_CONTEXTS: Final = """
calls CROSS JOIN call_records ON call_records.id = calls.id
WHERE calls.context IN (SELECT value FROM json_each(:contexts))
"""

CALL_PAGE: Final = "".join((_ROWS, _OF_ALL, _MATCHING, _LATEST_FIRST))
CALL_PAGE_OF_CONTEXTS: Final = "".join((_ROWS, _OF_CONTEXTS, _MATCHING, _LATEST_FIRST))

# Where nothing is sifted out, what comes before the page is skipped in the index.
CALL_PAGE_OF_ALL: Final = "".join((
    _ROWS, """
(
    SELECT id AS wanted FROM calls
    WHERE (started_at, party, id) < (:at, :party, :id) AND started_at >= :start AND started_at < :end
    ORDER BY started_at DESC, party DESC, id DESC LIMIT :limit OFFSET :offset
) CROSS JOIN calls ON calls.id = wanted CROSS JOIN call_records ON call_records.id = calls.id
ORDER BY calls.started_at DESC, calls.party DESC, calls.id DESC
"""))  # fmt: skip

_OF_PARTIES: Final = {
    way: "".join((
        """
(
    SELECT calls.id AS wanted FROM party_seconds CROSS JOIN calls
        ON calls.started_at >= second AND calls.started_at < second + 1 AND calls.party = party_seconds.party
    WHERE party_seconds.party IN (""", parties, """)
        AND second > :start - 1 AND second < :end AND second <= :at AND second >= :end_at - 1
) CROSS JOIN calls ON calls.id = wanted CROSS JOIN call_records ON call_records.id = calls.id WHERE true
"""))
    for way, parties in _PARTIES.items()
}  # fmt: skip
CALL_PAGE_OF_PARTIES: Final = {
    way: "".join((_ROWS, source, _MATCHING, _LATEST_FIRST)) for way, source in _OF_PARTIES.items()
}

COUNT_CALLS: Final = "".join(("SELECT count(*) FROM (SELECT 1 FROM ", _OF_ALL, _MATCHING, "LIMIT :limit)"))
COUNT_CALLS_OF_CONTEXTS: Final = "".join((
    "SELECT count(*) FROM (SELECT 1 FROM ", _OF_CONTEXTS, _MATCHING, "LIMIT :limit)"
))  # fmt: skip
COUNT_CALLS_OF_PARTIES: Final = {
    way: "".join(("SELECT count(*) FROM (SELECT 1 FROM ", source, _MATCHING, "LIMIT :limit)"))
    for way, source in _OF_PARTIES.items()
}
# What is counted most often: all of a time.
COUNT_ALL_CALLS: Final = """
SELECT count(*) FROM (
    SELECT 1 FROM calls
    WHERE started_at >= max(:start, :end_at) AND started_at < :end
        AND (started_at, party, id) >= (:end_at, :end_party, :end_id)
    LIMIT :limit
)
"""

OLDEST_CALLS: Final = """
SELECT id, party, CAST(floor(started_at) AS INTEGER) FROM calls WHERE started_at < ? ORDER BY started_at LIMIT ?
"""
PRUNE_CALLS: Final = "DELETE FROM calls WHERE id IN (SELECT value FROM json_each(?))"
PRUNE_CONTENTS: Final = "DELETE FROM contents WHERE call IN (SELECT value FROM json_each(?))"
# An origin that is not numbered has one call.
PRUNE_ORIGINS: Final = """
DELETE FROM origins WHERE NOT numbered AND id IN (SELECT value >> 32 FROM json_each(?))
"""
PRUNE_SECONDS: Final = """
DELETE FROM party_seconds
WHERE (party, second) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?)) AND NOT EXISTS (
    SELECT 1 FROM calls
    WHERE calls.started_at >= second AND calls.started_at < second + 1 AND calls.party = party_seconds.party
)
"""
