-- Calls are charged to projects and to groups of models, too: each named as its scope and its id, "project/p1".

ALTER TABLE contexts ADD COLUMN charges TEXT NOT NULL DEFAULT '[]';  -- JSON
