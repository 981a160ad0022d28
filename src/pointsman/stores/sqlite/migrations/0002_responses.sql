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

-- How much all of that is together, so that there can be a bound on it.
CREATE TABLE stored_bytes (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    bytes INTEGER NOT NULL
) STRICT;

INSERT INTO stored_bytes (id, bytes) VALUES (1, 0);

CREATE TRIGGER response_added AFTER INSERT ON responses BEGIN
    UPDATE stored_bytes SET bytes = bytes + length(new.input_items) + length(new.body);
END;

CREATE TRIGGER response_changed AFTER UPDATE OF input_items, body ON responses BEGIN
    UPDATE stored_bytes SET bytes = bytes + length(new.input_items) + length(new.body)
        - length(old.input_items) - length(old.body);
END;

CREATE TRIGGER response_removed AFTER DELETE ON responses BEGIN
    UPDATE stored_bytes SET bytes = bytes - length(old.input_items) - length(old.body);
END;

CREATE TRIGGER response_events_added AFTER INSERT ON response_events BEGIN
    UPDATE stored_bytes SET bytes = bytes + length(new.events);
END;

CREATE TRIGGER response_events_changed AFTER UPDATE OF events ON response_events BEGIN
    UPDATE stored_bytes SET bytes = bytes + length(new.events) - length(old.events);
END;

CREATE TRIGGER response_events_removed AFTER DELETE ON response_events BEGIN
    UPDATE stored_bytes SET bytes = bytes - length(old.events);
END;

CREATE TRIGGER conversation_changed AFTER UPDATE OF item_bytes ON conversations BEGIN
    UPDATE stored_bytes SET bytes = bytes + new.item_bytes - old.item_bytes;
END;

CREATE TRIGGER conversation_removed AFTER DELETE ON conversations BEGIN
    UPDATE stored_bytes SET bytes = bytes - old.item_bytes;
END;
