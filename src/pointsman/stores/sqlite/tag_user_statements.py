"""The SQL of how many users tags had. What is counted is counted by triggers; see the migration ``tag_users``."""

from __future__ import annotations

from typing import Final

__all__ = ["END_FILLING", "FILLED_TO", "MEET_USERS", "NOTE_FILLED", "TAG_USERS", "TO_BE_FILLED"]

# A user counts on the first of their days within the span.
TAG_USERS: Final = """
SELECT tag, sum(users) FROM tag_users
WHERE day BETWEEN :first_day AND :last_day AND since < :first_day
    AND (:tags IS NULL OR tag IN (SELECT value FROM json_each(:tags)))
    AND (:containing IS NULL OR instr(lower(tag), lower(:containing)))
GROUP BY tag HAVING sum(users) > 0 ORDER BY 2 DESC, tag LIMIT :limit
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

NOTE_FILLED: Final = "UPDATE roll_up_progress SET day = ?, identity = ?, line = ? WHERE name = 'tag_users'"
END_FILLING: Final = "DELETE FROM roll_up_progress WHERE name = 'tag_users'"
