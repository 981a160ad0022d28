-- oldest: 5
-- Whose spending rose is told once for each batch of calls, and no longer by a row for each account and key, which were
-- half of what an append wrote; see pointsman.stores.spend_news. As long as replicas of an older version are there, who
-- look into the rows of before, these are written as well.

CREATE TABLE spend_news (
    version BIGINT NOT NULL PRIMARY KEY,  -- from directory_versions
    before BIGINT NOT NULL,  -- the version of the batch before, 0 if there was none
    at DOUBLE PRECISION NOT NULL,
    names TEXT NOT NULL  -- JSON: ["team/t1", ...]
);

DELETE FROM directory_changes WHERE kind = 'spend';

-- How many steps of the schema a process knows. Older ones do not say it.
ALTER TABLE processes ADD COLUMN steps INTEGER;
