"""The SQL of how many users tags had. What is counted is counted by triggers; see the migration ``tag_users``."""

from __future__ import annotations

from typing import Final

__all__ = [
    "END_FILLING",
    "FILLED_TO",
    "LET_USERS_GO",
    "MEET_USERS",
    "NOTE_FILLED",
    "TAG_USERS",
    "TO_BE_FILLED",
    "UNCOUNT_USER",
    "USERS_OF_TAGS",
]

# A user counts on the first of their days within the span.
TAG_USERS: Final = """
SELECT tag, sum(users) FROM tag_users
WHERE day BETWEEN :first_day AND :last_day AND since < :first_day
    AND (:tags IS NULL OR tag IN (SELECT value FROM json_each(:tags)))
    AND (:containing IS NULL OR instr(lower(tag), lower(:containing)))
GROUP BY tag HAVING sum(users) > 0 ORDER BY 2 DESC, tag LIMIT :limit
"""

# Of each day the tags that had users, so that those of which nothing is wanted are passed over. A sum beyond 63 bits
# would be an error, so they are made in two parts.
USERS_OF_TAGS: Final = """
WITH met AS MATERIALIZED (
    SELECT DISTINCT day, tag FROM tag_users
    WHERE day BETWEEN :first_day AND :last_day
        AND (:tags IS NULL OR tag IN (SELECT value FROM json_each(:tags)))
        AND (:containing IS NULL OR instr(lower(tag), lower(:containing)))
    ORDER BY day DESC, tag LIMIT :sums_max
), looked_at AS MATERIALIZED (
    SELECT identity, line, calls, failures, prompt_tokens, completion_tokens, spend
    FROM met CROSS JOIN daily_activity AS activity
        ON activity.scope = 5 AND activity.day = met.day AND activity.identity = met.tag
    LIMIT :sums_max + 1
)
SELECT
    user_id, min(CASE WHEN lower(substr(identity, 1, 11)) = 'user-agent:' THEN identity END),
    sum(calls), sum(failures),
    min(
        sum(prompt_tokens / 4294967296 + completion_tokens / 4294967296) * 4294967296
            + sum(prompt_tokens % 4294967296 + completion_tokens % 4294967296), 9223372036854775807
    ),
    min(sum(spend / 4294967296) * 4294967296 + sum(spend % 4294967296), 9223372036854775807),
    count(*) OVER (), (SELECT count(*) FROM looked_at)
FROM looked_at CROSS JOIN activity_lines ON activity_lines.id = line WHERE user_id <> ''
GROUP BY user_id ORDER BY sum(calls) - sum(failures) DESC, user_id LIMIT :limit OFFSET :offset
"""

FILLED_TO: Final = "SELECT day FROM roll_up_progress WHERE name = 'tag_users'"

# The latest sums of tags and lines that are yet to be looked at, with their users.
TO_BE_FILLED: Final = """
SELECT identity, coalesce(user_id, ''), day, line FROM (
    SELECT activity.identity, activity.day, activity.line
    FROM roll_up_progress AS done CROSS JOIN daily_activity AS activity
        ON (activity.day, activity.identity, activity.line) < (done.day, done.identity, done.line)
    WHERE done.name = 'tag_users' AND activity.scope = 5
    ORDER BY activity.day DESC, activity.identity DESC, activity.line DESC LIMIT ?
) LEFT JOIN activity_lines ON activity_lines.id = line
"""

MEET_USERS: Final = """
INSERT INTO tag_user_days (tag, user_id, day) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
"""

# Those of the lines that are gone who have no other line under the tag on that day.
LET_USERS_GO: Final = """
DELETE FROM tag_user_days
WHERE day = :day AND (tag, user_id) IN (
    SELECT value ->> 0, user_id FROM json_each(:gone) JOIN activity_lines ON activity_lines.id = value ->> 1
    WHERE user_id <> ''
) AND NOT EXISTS (
    SELECT 1 FROM activity_lines CROSS JOIN daily_activity AS other
        ON other.scope = 5 AND other.day = :day AND other.identity = tag AND other.line = activity_lines.id
    WHERE activity_lines.user_id <> '' AND activity_lines.user_id = tag_user_days.user_id
)
RETURNING tag, user_id
"""

# What the triggers count when a user is met on a day, taken back.
UNCOUNT_USER: Final = """
WITH near AS MATERIALIZED (
    SELECT
        coalesce((SELECT max(day) FROM tag_user_days WHERE tag = :tag AND user_id = :user_id AND day < :day), -1)
            AS before,
        (SELECT min(day) FROM tag_user_days WHERE tag = :tag AND user_id = :user_id AND day > :day) AS after
)
INSERT INTO tag_users (day, tag, since, users)
SELECT * FROM (
    SELECT :day, :tag, before, -1 FROM near
    UNION ALL SELECT after, :tag, :day, -1 FROM near WHERE after IS NOT NULL
    UNION ALL SELECT after, :tag, before, 1 FROM near WHERE after IS NOT NULL
) WHERE true
ON CONFLICT (day, tag, since) DO UPDATE SET users = users + excluded.users
"""

NOTE_FILLED: Final = "UPDATE roll_up_progress SET day = ?, identity = ?, line = ? WHERE name = 'tag_users'"
END_FILLING: Final = "DELETE FROM roll_up_progress WHERE name = 'tag_users'"
