-- Whose spending rose is told once for each batch of calls, and no longer by a row for each account and key, which were
-- half of what an append wrote; see pointsman.stores.spend_news.

CREATE TABLE spend_news (
    version INTEGER NOT NULL PRIMARY KEY,  -- which the entry "spend" without an id had in directory_changes
    before INTEGER NOT NULL,  -- the version of the batch before, 0 if there was none
    at REAL NOT NULL,
    names TEXT NOT NULL  -- JSON: ["team/t1", ...]
) STRICT;

DELETE FROM directory_changes WHERE kind = 'spend';
