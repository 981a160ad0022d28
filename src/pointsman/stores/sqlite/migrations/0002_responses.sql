-- What OpenAI's Responses API keeps between requests. Times are in seconds since the epoch.

CREATE TABLE responses (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,  -- the token of the key that asked
    model TEXT NOT NULL,
    status TEXT NOT NULL,  -- counts, whatever the body says
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    previous_response_id TEXT,
    conversation_id TEXT,
    worker INTEGER,  -- who works on it in the background
    input_items BLOB NOT NULL,  -- JSON array
    body BLOB NOT NULL  -- JSON, the response as it was told
) STRICT;

CREATE INDEX responses_by_expiry ON responses (expires_at);
CREATE INDEX responses_unfinished ON responses (worker) WHERE status IN ('queued', 'in_progress');

-- The stream of a response that is worked on in the background, in batches.
CREATE TABLE response_events (
    response_id TEXT NOT NULL REFERENCES responses (id) ON DELETE CASCADE,
    first INTEGER NOT NULL,  -- the number of the first event
    events BLOB NOT NULL,  -- as they are sent, one after the other
    PRIMARY KEY (response_id, first)
) STRICT;

CREATE TABLE conversations (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    metadata BLOB NOT NULL,  -- JSON object
    item_bytes INTEGER NOT NULL DEFAULT 0  -- of all its items together
) STRICT;

CREATE INDEX conversations_by_expiry ON conversations (expires_at);

CREATE TABLE conversation_items (
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    item_id TEXT NOT NULL,
    item BLOB NOT NULL,  -- JSON object
    PRIMARY KEY (conversation_id, position)
) STRICT;

CREATE INDEX conversation_items_by_id ON conversation_items (conversation_id, item_id);
