"""The SQL of stored responses and conversations, whole and with parameters: nothing is ever put into a statement."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADD_EVENTS",
    "ADD_ITEMS",
    "CANCEL_RESPONSE",
    "CHAIN",
    "DELETE_CONVERSATION",
    "DELETE_ITEM",
    "DELETE_RESPONSE",
    "EVENTS_AFTER",
    "EXPIRED",
    "FAIL_UNFINISHED",
    "FIND_CONVERSATION",
    "FIND_RESPONSE",
    "FIND_TURN",
    "FINISH_RESPONSE",
    "GROW_CONVERSATION",
    "INSERT_CONVERSATION",
    "IS_UNFINISHED",
    "ITEMS_FALLING",
    "ITEMS_RISING",
    "ITEM_BY_ID",
    "NAME_ITEM",
    "NEXT_EXPIRY",
    "PUT_RESPONSE",
    "RESPONSES_WITH_ITEM",
    "SEE_RESPONSE",
    "STORED_BYTES",
    "SUCCESSOR",
    "SWEEP_EVENTS",
    "UPDATE_METADATA",
]

# The ids of relayed responses are the upstream's: one that is somebody else's already stays theirs.
PUT_RESPONSE: Final = """
INSERT INTO responses (
    id, owner, model, status, created_at, expires_at, previous_response_id, conversation_id, worker, input_items, body,
    upstream, upstream_id
) VALUES (
    :id, :owner, :model, :status, :created_at, :expires_at, :previous_response_id, :conversation_id, :worker,
    :input_items, :body, :upstream, :upstream_id
)
ON CONFLICT (id) DO UPDATE SET
    model = excluded.model, status = excluded.status, created_at = excluded.created_at,
    expires_at = excluded.expires_at, previous_response_id = excluded.previous_response_id,
    conversation_id = excluded.conversation_id, worker = excluded.worker, input_items = excluded.input_items,
    body = excluded.body, upstream = excluded.upstream, upstream_id = excluded.upstream_id
WHERE responses.owner = excluded.owner
"""

FINISH_RESPONSE: Final = """
UPDATE responses SET status = :status, body = :body, upstream = :upstream, upstream_id = :upstream_id
WHERE id = :id AND status IN ('queued', 'in_progress')
"""

IS_UNFINISHED: Final = "SELECT 1 FROM responses WHERE id = ? AND status IN ('queued', 'in_progress')"

SEE_RESPONSE: Final = "SELECT owner, status FROM responses WHERE id = ? AND expires_at > ?"

FIND_RESPONSE: Final = """
SELECT
    id, owner, model, status, created_at, expires_at, previous_response_id, conversation_id, worker, input_items, body,
    upstream, upstream_id
FROM responses WHERE id = ?
"""

# The lengths of blobs are known without reading them.
CHAIN: Final = """
WITH RECURSIVE chain (id, depth) AS (
    VALUES (?1, 1)
    UNION ALL
    SELECT responses.previous_response_id, chain.depth + 1 FROM chain JOIN responses ON responses.id = chain.id
    WHERE responses.previous_response_id IS NOT NULL AND chain.depth < ?3
)
SELECT responses.id, responses.previous_response_id, length(responses.input_items) + length(responses.body)
FROM chain JOIN responses ON responses.id = chain.id
WHERE responses.expires_at > ?2
ORDER BY chain.depth
"""

FIND_TURN: Final = """
SELECT id, status, previous_response_id, conversation_id, input_items, body, upstream, upstream_id
FROM responses WHERE id = ?
"""

NAME_ITEM: Final = """
INSERT INTO response_items (item_id, response_id) SELECT :item_id, id FROM responses WHERE id = :id AND owner = :owner
ON CONFLICT DO NOTHING
"""

RESPONSES_WITH_ITEM: Final = """
SELECT response_id FROM response_items WHERE item_id = ? ORDER BY response_id LIMIT ?
"""

DELETE_RESPONSE: Final = "DELETE FROM responses WHERE id = ?"

CANCEL_RESPONSE: Final = """
UPDATE responses SET status = 'cancelled'
WHERE id = ? AND worker IS NOT NULL AND status IN ('queued', 'in_progress')
"""

SUCCESSOR: Final = "SELECT replaced_by FROM deleted_keys WHERE token = ? AND replaced_by IS NOT NULL"

FAIL_UNFINISHED: Final = """
UPDATE responses SET status = 'failed'
WHERE status IN ('queued', 'in_progress') AND (worker = ? OR worker >= ?)
"""

# The batch that begins at or before the event asked for, and those behind it.
EVENTS_AFTER: Final = """
SELECT first, events FROM response_events
WHERE response_id = ?1 AND first >= coalesce(
    (SELECT max(first) FROM response_events WHERE response_id = ?1 AND first <= ?2 + 1), 0
)
ORDER BY first LIMIT ?3
"""

ADD_EVENTS: Final = """
INSERT INTO response_events (response_id, first, events) VALUES (?, ?, ?)
ON CONFLICT (response_id, first) DO UPDATE SET events = excluded.events
"""

STORED_BYTES: Final = "SELECT bytes FROM stored_bytes"

# The end of the life of the ones that have the least of it left.
NEXT_EXPIRY: Final = """
SELECT max(expires_at) FROM (
    SELECT expires_at FROM (SELECT expires_at FROM responses ORDER BY expires_at LIMIT :limit)
    UNION ALL
    SELECT expires_at FROM (SELECT expires_at FROM conversations ORDER BY expires_at LIMIT :limit)
    ORDER BY expires_at LIMIT :limit
)
"""

# The oldest batches, if their responses are that old.
SWEEP_EVENTS: Final = """
DELETE FROM response_events WHERE rowid IN (
    SELECT oldest.rowid
    FROM (SELECT rowid, response_id FROM response_events ORDER BY rowid LIMIT :limit * 10) AS oldest
    JOIN responses ON responses.id = oldest.response_id
    WHERE responses.created_at <= :before
)
"""

EXPIRED: Final = (
    """
    DELETE FROM responses WHERE id IN (SELECT id FROM responses WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
    """,
    """
    DELETE FROM conversations WHERE id IN (
        SELECT id FROM conversations WHERE expires_at <= ? ORDER BY expires_at LIMIT ?
    )
    """,
)

INSERT_CONVERSATION: Final = """
INSERT INTO conversations (id, owner, created_at, expires_at, metadata)
VALUES (:id, :owner, :created_at, :expires_at, :metadata)
"""

FIND_CONVERSATION: Final = """
SELECT id, owner, created_at, expires_at, metadata, item_bytes
FROM conversations WHERE id = ? AND expires_at > ?
"""

UPDATE_METADATA: Final = "UPDATE conversations SET metadata = ? WHERE id = ?"

DELETE_CONVERSATION: Final = "DELETE FROM conversations WHERE id = ?"

GROW_CONVERSATION: Final = """
UPDATE conversations SET item_bytes = item_bytes + :bytes, expires_at = max(expires_at, :expires_at) WHERE id = :id
"""

ADD_ITEMS: Final = """
INSERT INTO conversation_items (conversation_id, position, item_id, item)
SELECT ?1, coalesce(max(position), 0) + 1, ?2, ?3 FROM conversation_items WHERE conversation_id = ?1
"""

ITEMS_RISING: Final = """
SELECT item_id, item FROM conversation_items
WHERE conversation_id = :id AND position > coalesce(
    (SELECT min(position) FROM conversation_items WHERE conversation_id = :id AND item_id = :after), 0
)
ORDER BY position LIMIT :limit
"""

ITEMS_FALLING: Final = """
SELECT item_id, item FROM conversation_items
WHERE conversation_id = :id AND position < coalesce(
    (SELECT max(position) FROM conversation_items WHERE conversation_id = :id AND item_id = :after), 9223372036854775807
)
ORDER BY position DESC LIMIT :limit
"""

ITEM_BY_ID: Final = """
SELECT item_id, item, position FROM conversation_items WHERE conversation_id = ? AND item_id = ?
ORDER BY position LIMIT 1
"""

DELETE_ITEM: Final = "DELETE FROM conversation_items WHERE conversation_id = ? AND position = ?"
