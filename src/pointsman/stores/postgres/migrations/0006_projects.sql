-- oldest: 5
-- Calls are charged to projects and to groups of models, too: each named as its scope and its id, "project/p1". Replicas
-- of an older version go on meanwhile; they neither hold calls to such budgets nor charge them.

ALTER TABLE contexts ADD COLUMN charges TEXT NOT NULL DEFAULT '[]';  -- JSON
