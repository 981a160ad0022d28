"""The SQL of how many users tags had. What is counted is counted by triggers; see the migration ``tag_users``."""

from __future__ import annotations

from typing import Final

__all__ = [
    "END_FILLING",
    "FILLED_TO",
    "FILLING",
    "LET_USERS_GO",
    "MEET_USERS",
    "NOTE_FILLED",
    "TAG_USERS",
    "TO_BE_FILLED",
    "UNCOUNT_USERS",
    "USERS_OF_TAGS",
]

# $1 first day, $2 last day, $3 tags, $4 what occurs in them, $5 limit. A user counts on the first of their days.
TAG_USERS: Final = """
SELECT tag, sum(users)::BIGINT FROM tag_users
WHERE day BETWEEN $1 AND $2 AND since < $1
    AND ($3::TEXT[] IS NULL OR tag = ANY ($3))
    AND ($4::TEXT IS NULL OR position(lower($4 COLLATE "C") IN lower(tag COLLATE "C")) > 0)
GROUP BY tag HAVING sum(users) > 0 ORDER BY 2 DESC, tag LIMIT $5
"""

# $1 to $4 as above, $5 limit, $6 offset, $7 how many sums are looked at. Of each day the tags that had users, so that
# those of which nothing is wanted are passed over; and day after day, so that no plan can look at more than that.
USERS_OF_TAGS: Final = """
WITH met AS MATERIALIZED (
    SELECT DISTINCT day, tag FROM tag_users
    WHERE day BETWEEN $1 AND $2
        AND ($3::TEXT[] IS NULL OR tag = ANY ($3))
        AND ($4::TEXT IS NULL OR position(lower($4 COLLATE "C") IN lower(tag COLLATE "C")) > 0)
    ORDER BY day DESC, tag LIMIT $7
), looked_at AS MATERIALIZED (
    SELECT one.* FROM met CROSS JOIN LATERAL (
        SELECT identity, line, calls, failures, prompt_tokens, completion_tokens, spend FROM daily_activity
        WHERE scope = 5 AND day = met.day AND identity = met.tag OFFSET 0
    ) AS one LIMIT $7::BIGINT + 1
)
SELECT
    user_id, min(CASE WHEN lower("left"(identity, 11)) = 'user-agent:' THEN identity END),
    sum(calls)::BIGINT, sum(failures)::BIGINT,
    least(sum(prompt_tokens) + sum(completion_tokens), 9223372036854775807)::BIGINT,
    least(sum(spend), 9223372036854775807)::BIGINT,
    count(*) OVER (), (SELECT count(*) FROM looked_at)
FROM looked_at JOIN activity_lines ON activity_lines.id = line WHERE user_id <> ''
GROUP BY user_id ORDER BY sum(calls) - sum(failures) DESC, user_id LIMIT $5 OFFSET $6
"""

FILLING: Final = "SELECT day, identity, line FROM roll_up_progress WHERE name = 'tag_users'"
FILLED_TO: Final = "SELECT day FROM roll_up_progress WHERE name = 'tag_users'"

# The latest sums of tags and lines that are yet to be looked at, with their users; $1 to $3 the place behind them.
TO_BE_FILLED: Final = """
SELECT identity, coalesce(user_id, ''), day, line FROM (
    SELECT identity, day, line FROM daily_activity
    WHERE scope = 5 AND (day, identity, line) < ($1::INTEGER, $2::TEXT COLLATE "C", $3::INTEGER)
    ORDER BY day DESC, identity DESC, line DESC LIMIT $4
) AS activity LEFT JOIN activity_lines ON activity_lines.id = line
ORDER BY day DESC, identity DESC, line DESC
"""

MEET_USERS: Final = """
INSERT INTO tag_user_days (tag, user_id, day)
SELECT DISTINCT * FROM unnest($1::TEXT[], $2::TEXT[], $3::INTEGER[]) AS met (tag, user_id, day) ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
"""

# Those of the lines that are gone ($2 tags, $3 lines) who have no other line under the tag on that day ($1).
LET_USERS_GO: Final = """
DELETE FROM tag_user_days AS kept USING (
    SELECT DISTINCT let_go.tag, activity_lines.user_id
    FROM unnest($2::TEXT[], $3::INTEGER[]) AS let_go (tag, line) JOIN activity_lines ON activity_lines.id = let_go.line
    WHERE activity_lines.user_id <> ''
) AS gone
WHERE kept.day = $1 AND kept.tag = gone.tag AND kept.user_id = gone.user_id AND NOT EXISTS (
    SELECT FROM activity_lines JOIN daily_activity AS other ON other.line = activity_lines.id
    WHERE activity_lines.user_id <> '' AND activity_lines.user_id = gone.user_id
        AND other.scope = 5 AND other.day = $1 AND other.identity = gone.tag
)
RETURNING kept.tag, kept.user_id
"""

# What the triggers count when users ($2 tags, $3 users) are met on a day ($1), taken back.
UNCOUNT_USERS: Final = """
WITH near AS (
    SELECT gone.tag, coalesce((
        SELECT max(day) FROM tag_user_days AS kept
        WHERE kept.tag = gone.tag AND kept.user_id = gone.user_id AND kept.day < $1
    ), -1) AS before, (
        SELECT min(day) FROM tag_user_days AS kept
        WHERE kept.tag = gone.tag AND kept.user_id = gone.user_id AND kept.day > $1
    ) AS after
    FROM unnest($2::TEXT[], $3::TEXT[]) AS gone (tag, user_id)
), changes (day, tag, since, users) AS (
    SELECT $1::INTEGER, tag, before, -1 FROM near
    UNION ALL SELECT after, tag, $1, -1 FROM near WHERE after IS NOT NULL
    UNION ALL SELECT after, tag, before, 1 FROM near WHERE after IS NOT NULL
)
INSERT INTO tag_users AS kept (day, tag, since, users)
SELECT day, tag, since, sum(users) FROM changes GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (day, tag, since) DO UPDATE SET users = kept.users + excluded.users
"""

NOTE_FILLED: Final = "UPDATE roll_up_progress SET day = $1, identity = $2, line = $3 WHERE name = 'tag_users'"
END_FILLING: Final = "DELETE FROM roll_up_progress WHERE name = 'tag_users'"
