-- Responses that an upstream made and may keep itself, beside their copies here.

ALTER TABLE responses ADD COLUMN upstream TEXT;  -- the account that made it
ALTER TABLE responses ADD COLUMN upstream_id TEXT;  -- its name there, if it is kept there

-- Items whose ids do not tell what response they belong to.
CREATE TABLE response_items (
    item_id TEXT NOT NULL,
    response_id TEXT NOT NULL REFERENCES responses (id) ON DELETE CASCADE,
    PRIMARY KEY (item_id, response_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX response_items_by_response ON response_items (response_id);
