"""The SQL of listing calls page by page, and of letting old ones go."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CALL_PAGE",
    "CALL_PAGE_OF_PARTIES",
    "COUNT_CALLS",
    "OLDEST_CALLS",
    "PAGE_END",
    "PARTIES_END",
    "PRUNE_CALLS",
    "PRUNE_CONTENTS",
    "PRUNE_ORIGINS",
]

_PARTIES_HOLD: Final = """
    ({tokens}::TEXT[] IS NULL OR parties.key_token = ANY ({tokens}))
    AND ({user}::TEXT IS NULL OR parties.user_id = {user})
"""

# How far the calls of one page may lie back; none: to the end. $1 and $2 are the place behind which the page begins.
PAGE_END: Final = """
SELECT started_at FROM calls
WHERE (started_at, id) < ($1, $2) AND started_at >= $3 AND started_at < $4
ORDER BY started_at DESC LIMIT 1 OFFSET $5
"""

PARTIES_END: Final = "".join((
    """
SELECT latest.started_at FROM parties CROSS JOIN LATERAL (
    SELECT calls.started_at FROM calls
    WHERE calls.party = parties.id AND (calls.started_at, calls.id) < ($1, $2)
        AND calls.started_at >= $3 AND calls.started_at < $4
    ORDER BY calls.started_at DESC LIMIT $5::BIGINT + 1
) AS latest
WHERE """,
    _PARTIES_HOLD.format(tokens="$6", user="$7"),
    "ORDER BY 1 DESC LIMIT 1 OFFSET $5",
))  # fmt: skip

# $1 and $2 the place behind which the page begins, $3 the earliest start, $4 before which they start, $5 key tokens,
# $6 user, $7 teams, $8 either, $9 organisation, $10 end user, $11 key alias, $12 status, $13 model, $14 model group,
# $15 deployment, $16 error code, $17 part of the error message, $18 and $19 bounds of the cost, $20 limit, $21 offset.
_MATCHING: Final = "".join((
    """
    AND (calls.started_at, calls.id) < ($1, $2) AND calls.started_at >= $3 AND calls.started_at < $4
    AND ($18::BIGINT IS NULL OR calls.cost >= $18)
    AND ($19::BIGINT IS NULL OR calls.cost <= $19)
    AND CASE WHEN $8 THEN contexts.team_id = ANY ($7::TEXT[]) OR (""",
    _PARTIES_HOLD.format(tokens="$5", user="$6"),
    ") ELSE ($7 IS NULL OR contexts.team_id = ANY ($7)) AND ",
    _PARTIES_HOLD.format(tokens="$5", user="$6"),
    """ END
    AND ($9::TEXT IS NULL OR contexts.organization_id = $9)
    AND ($10::TEXT IS NULL OR calls.end_user = $10)
    AND ($11::TEXT IS NULL OR contexts.key_alias = $11)
    AND ($12::TEXT IS NULL OR contexts.status = $12 OR ($12 = 'failed' AND contexts.status <> 'success'))
    AND ($13::TEXT IS NULL OR coalesce(calls.model, contexts.model) = $13
        OR coalesce(calls.model_group, contexts.model_group) = $13)
    AND ($14::TEXT IS NULL OR coalesce(calls.model_group, contexts.model_group) = $14)
    AND ($15::TEXT IS NULL OR coalesce(calls.deployment_id, contexts.deployment_id) = $15)
    AND ($16::TEXT IS NULL OR calls.error_code = $16 OR contexts.http_status::TEXT = $16)
    AND ($17::TEXT IS NULL OR position(lower($17 COLLATE "C") IN lower(calls.error_message COLLATE "C")) > 0)
""",
))  # fmt: skip
_OF_ALL: Final = """
calls JOIN contexts ON contexts.id = calls.context JOIN parties ON parties.id = calls.party WHERE true
"""
# The page is made once, whatever the server expects: else it might be made anew for each row of what is joined to it.
_WHOLE: Final = """
) SELECT call_records.* FROM page JOIN call_records ON call_records.id = page.page_id
ORDER BY call_records.started_at DESC, call_records.id DESC
"""

# What is seldom asked for (origins, contents) is looked up for the calls of the page and no others.
CALL_PAGE: Final = "".join((
    "WITH page AS MATERIALIZED (SELECT calls.id AS page_id FROM ",
    _OF_ALL,
    _MATCHING,
    "ORDER BY calls.started_at DESC, calls.id DESC LIMIT $20 OFFSET $21",
    _WHOLE,
))  # fmt: skip

# Of each party only as many as could be on the page, latest first, so that a long history costs nothing.
CALL_PAGE_OF_PARTIES: Final = "".join((
    """
WITH page AS MATERIALIZED (
    SELECT latest.id AS page_id FROM parties CROSS JOIN LATERAL (
        SELECT calls.id, calls.started_at FROM calls JOIN contexts ON contexts.id = calls.context
        WHERE calls.party = parties.id
""",
    _MATCHING,
    """
        ORDER BY calls.started_at DESC, calls.id DESC LIMIT $20::BIGINT + $21::BIGINT
    ) AS latest
    WHERE """,
    _PARTIES_HOLD.format(tokens="$5", user="$6"),
    "ORDER BY latest.started_at DESC, latest.id DESC LIMIT $20 OFFSET $21",
    _WHOLE,
))  # fmt: skip

COUNT_CALLS: Final = "".join((
    "SELECT count(*) FROM (SELECT 1 FROM ", _OF_ALL, _MATCHING, "LIMIT $20 OFFSET $21) AS matching"
))  # fmt: skip

# Those that another replica is removing are left to it.
OLDEST_CALLS: Final = """
SELECT id FROM calls WHERE started_at < $1 ORDER BY started_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
PRUNE_CALLS: Final = "DELETE FROM calls WHERE id = ANY ($1::BIGINT[])"
PRUNE_CONTENTS: Final = "DELETE FROM contents WHERE call = ANY ($1::BIGINT[])"
# An origin that is not numbered has one call.
PRUNE_ORIGINS: Final = "DELETE FROM origins WHERE id = ANY ($1::INTEGER[]) AND NOT numbered"
