"""The SQL of stored responses, conversations and processes, whole and with parameters."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADD_EVENTS",
    "ADD_ITEMS",
    "BEAT",
    "CANCEL_RESPONSE",
    "CHAIN",
    "DELETE_CONVERSATION",
    "DELETE_ITEM",
    "DELETE_RESPONSE",
    "ENTER",
    "EVENTS_AFTER",
    "EXPIRED",
    "FAIL_LEFT",
    "FAIL_UNFINISHED",
    "FIND_CONVERSATION",
    "FIND_RESPONSE",
    "FIND_TURN",
    "FINISH_RESPONSE",
    "FORGET_NAMED",
    "FORGET_PROCESSES",
    "GROW_CONVERSATION",
    "HOLD_CONVERSATION",
    "INSERT_CONVERSATION",
    "ITEMS_FALLING",
    "ITEMS_RISING",
    "ITEM_BY_ID",
    "LEAVE",
    "NAME_ITEMS",
    "NEXT_EXPIRY",
    "PUT_RESPONSE",
    "RESPONSES_WITH_ITEM",
    "SEE_RESPONSE",
    "STORED_BYTES",
    "SUCCESSOR",
    "SWEEP_EVENTS",
    "UNFINISHED_STATUS",
    "UPDATE_METADATA",
]

# The ids of relayed responses are the upstream's: one that is somebody else's already stays theirs.
PUT_RESPONSE: Final = """
INSERT INTO responses (
    id, owner, model, status, created_at, expires_at, previous_response_id, conversation_id, worker, input_items, body,
    upstream, upstream_id
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (id) DO UPDATE SET
    model = excluded.model, status = excluded.status, created_at = excluded.created_at,
    expires_at = excluded.expires_at, previous_response_id = excluded.previous_response_id,
    conversation_id = excluded.conversation_id, worker = excluded.worker, input_items = excluded.input_items,
    body = excluded.body, upstream = excluded.upstream, upstream_id = excluded.upstream_id
WHERE responses.owner = excluded.owner
"""

FINISH_RESPONSE: Final = """
UPDATE responses SET status = $2, body = $3, upstream = $4, upstream_id = $5
WHERE id = $1 AND status IN ('queued', 'in_progress')
"""

# Whoever adds to a stream holds its response, so that it does not end meanwhile.
UNFINISHED_STATUS: Final = """
SELECT status FROM responses WHERE id = $1 AND status IN ('queued', 'in_progress') FOR SHARE
"""

SEE_RESPONSE: Final = "SELECT owner, status FROM responses WHERE id = $1 AND expires_at > $2"

FIND_RESPONSE: Final = """
SELECT
    id, owner, model, status, created_at, expires_at, previous_response_id, conversation_id, worker, input_items, body,
    upstream, upstream_id
FROM responses WHERE id = $1
"""

# The lengths of large values are known without reading them.
CHAIN: Final = """
WITH RECURSIVE chain (id, depth) AS (
    VALUES ($1::TEXT COLLATE "C", 1)
    UNION ALL
    SELECT responses.previous_response_id, chain.depth + 1 FROM chain JOIN responses ON responses.id = chain.id
    WHERE responses.previous_response_id IS NOT NULL AND chain.depth < $3
)
SELECT responses.id, responses.previous_response_id, octet_length(responses.input_items) + octet_length(responses.body)
FROM chain JOIN responses ON responses.id = chain.id
WHERE responses.expires_at > $2
ORDER BY chain.depth
"""

FIND_TURN: Final = """
SELECT id, status, previous_response_id, conversation_id, input_items, body, upstream, upstream_id
FROM responses WHERE id = $1
"""

NAME_ITEMS: Final = """
INSERT INTO response_items (item_id, response_id)
SELECT DISTINCT item_id, responses.id FROM responses CROSS JOIN unnest($3::TEXT[]) AS item_id
WHERE responses.id = $1 AND responses.owner = $2
ON CONFLICT DO NOTHING
"""

RESPONSES_WITH_ITEM: Final = """
SELECT response_id FROM response_items WHERE item_id = $1 ORDER BY response_id LIMIT $2
"""

DELETE_RESPONSE: Final = "DELETE FROM responses WHERE id = $1"

CANCEL_RESPONSE: Final = """
UPDATE responses SET status = 'cancelled'
WHERE id = $1 AND worker IS NOT NULL AND status IN ('queued', 'in_progress')
"""

SUCCESSOR: Final = "SELECT replaced_by FROM deleted_keys WHERE token = $1 AND replaced_by IS NOT NULL"

FAIL_UNFINISHED: Final = """
UPDATE responses SET status = 'failed'
WHERE status IN ('queued', 'in_progress') AND (worker = $1 OR worker >= $2)
"""

# The batch that begins at or before the event asked for, and those behind it.
EVENTS_AFTER: Final = """
SELECT first, events FROM response_events
WHERE response_id = $1 AND first >= coalesce(
    (SELECT max(first) FROM response_events WHERE response_id = $1 AND first <= $2 + 1), 0
)
ORDER BY first LIMIT $3
"""

ADD_EVENTS: Final = """
INSERT INTO response_events (response_id, first, events) VALUES ($1, $2, $3)
ON CONFLICT (response_id, first) DO UPDATE SET events = excluded.events
"""

STORED_BYTES: Final = "SELECT coalesce(sum(bytes), 0) FROM stored_bytes"

# The end of the life of the ones that have the least of it left.
NEXT_EXPIRY: Final = """
SELECT max(expires_at) FROM (
    SELECT expires_at FROM (SELECT expires_at FROM responses ORDER BY expires_at LIMIT $1) AS first_responses
    UNION ALL
    SELECT expires_at FROM (SELECT expires_at FROM conversations ORDER BY expires_at LIMIT $1) AS first_conversations
    ORDER BY expires_at LIMIT $1
) AS first_of_both
"""

# The oldest batches, if their responses are that old. What another replica is about to remove is left to it.
SWEEP_EVENTS: Final = """
DELETE FROM response_events WHERE id IN (
    SELECT oldest.id
    FROM (SELECT id, response_id FROM response_events ORDER BY id LIMIT $2 * 10) AS oldest
    JOIN responses ON responses.id = oldest.response_id
    WHERE responses.created_at <= $1
)
"""

EXPIRED: Final = (
    """
    DELETE FROM responses WHERE id IN (
        SELECT id FROM responses WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    """,
    """
    DELETE FROM conversations WHERE id IN (
        SELECT id FROM conversations WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    """,
)

INSERT_CONVERSATION: Final = """
INSERT INTO conversations (id, owner, created_at, expires_at, metadata) VALUES ($1, $2, $3, $4, $5)
"""

FIND_CONVERSATION: Final = """
SELECT id, owner, created_at, expires_at, metadata, item_bytes
FROM conversations WHERE id = $1 AND expires_at > $2
"""

# Whoever changes a conversation holds it, so that items keep their order and its size is what it is.
HOLD_CONVERSATION: Final = "SELECT id FROM conversations WHERE id = $1 FOR UPDATE"

UPDATE_METADATA: Final = "UPDATE conversations SET metadata = $2 WHERE id = $1"

DELETE_CONVERSATION: Final = "DELETE FROM conversations WHERE id = $1"

GROW_CONVERSATION: Final = """
UPDATE conversations SET item_bytes = item_bytes + $2, expires_at = greatest(expires_at, $3) WHERE id = $1
"""

ADD_ITEMS: Final = """
INSERT INTO conversation_items (conversation_id, position, item_id, item)
SELECT $1, (
    SELECT coalesce(max(position), 0) FROM conversation_items WHERE conversation_id = $1
) + added.place, added.item_id, added.item
FROM unnest($2::TEXT[], $3::BYTEA[]) WITH ORDINALITY AS added (item_id, item, place)
"""

ITEMS_RISING: Final = """
SELECT item_id, item FROM conversation_items
WHERE conversation_id = $1 AND position > coalesce(
    (SELECT min(position) FROM conversation_items WHERE conversation_id = $1 AND item_id = $2), 0
)
ORDER BY position LIMIT $3
"""

ITEMS_FALLING: Final = """
SELECT item_id, item FROM conversation_items
WHERE conversation_id = $1 AND position < coalesce(
    (SELECT max(position) FROM conversation_items WHERE conversation_id = $1 AND item_id = $2), 9223372036854775807
)
ORDER BY position DESC LIMIT $3
"""

ITEM_BY_ID: Final = """
SELECT item_id, item, position FROM conversation_items WHERE conversation_id = $1 AND item_id = $2
ORDER BY position LIMIT 1
"""

DELETE_ITEM: Final = "DELETE FROM conversation_items WHERE conversation_id = $1 AND position = $2"

# -- processes -------------------------------------------------------------------------------------------

ENTER: Final = "INSERT INTO processes (name, steps) VALUES ($1, $2) RETURNING number"

# One that was taken for dead is there again.
BEAT: Final = """
INSERT INTO processes (number, name, steps) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3)
ON CONFLICT (number) DO UPDATE SET seen_at = now()
"""

LEAVE: Final = "DELETE FROM processes WHERE number = $1"

# By the names of processes, up to the host's.
FORGET_NAMED: Final = "DELETE FROM processes WHERE split_part(name, '@', 1) || '@' = ANY ($1::TEXT[])"

FORGET_PROCESSES: Final = "DELETE FROM processes WHERE seen_at < now() - make_interval(secs => $1)"

FAIL_LEFT: Final = """
UPDATE responses SET status = 'failed'
WHERE status IN ('queued', 'in_progress') AND worker IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM processes WHERE number = responses.worker)
"""
