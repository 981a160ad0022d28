-- What lists are asked for most often, and so far looked at everything for.

-- The calls of a team are those that refer to one of its contexts: written once for each context, and not for each call.
CREATE INDEX contexts_by_team ON contexts (team_id) WHERE team_id IS NOT NULL;

