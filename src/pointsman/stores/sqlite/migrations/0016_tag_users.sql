-- How many different users a tag had within any span of days, without looking at the sums of all of them. A user counts
-- on the first of their days within the span, which is the one before which they were last seen before the span began:
-- so it is enough to know, of each day and tag, how many users there were by the day on which each was seen before.

-- Under which tags a user was seen on which days.
CREATE TABLE tag_user_days (
    tag TEXT NOT NULL,
    user_id TEXT NOT NULL,
    day INTEGER NOT NULL,  -- since 1970
    PRIMARY KEY (tag, user_id, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE tag_users (
    day INTEGER NOT NULL,
    tag TEXT NOT NULL,
    since INTEGER NOT NULL,  -- the day on which these users were seen before, -1 if never
    users INTEGER NOT NULL,
    PRIMARY KEY (day, tag, since)
) STRICT, WITHOUT ROWID;

-- By triggers, so that processes of an older version, which know nothing of it, count as well. They fire for the first
-- call of a line on a day, and not for those that are added to it.
CREATE TRIGGER tag_users_met AFTER INSERT ON daily_activity WHEN new.scope = 5
BEGIN
    INSERT INTO tag_user_days (tag, user_id, day)
    SELECT new.identity, user_id, new.day FROM activity_lines WHERE id = new.line AND user_id <> ''
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER tag_users_counted AFTER INSERT ON tag_user_days
BEGIN
    INSERT INTO tag_users (day, tag, since, users)
    SELECT new.day, new.tag, coalesce((
        SELECT max(day) FROM tag_user_days WHERE tag = new.tag AND user_id = new.user_id AND day < new.day
    ), -1), 1 WHERE true
    ON CONFLICT (day, tag, since) DO UPDATE SET users = users + 1;

    -- If the user was seen later, too, which only calls that come late lead to, then that was since today.
    INSERT INTO tag_users (day, tag, since, users)
    SELECT later.day, new.tag, way.since, way.difference
    FROM (
        SELECT min(day) AS day FROM tag_user_days WHERE tag = new.tag AND user_id = new.user_id AND day > new.day
    ) AS later CROSS JOIN (
        SELECT new.day AS since, 1 AS difference UNION ALL SELECT coalesce((
            SELECT max(day) FROM tag_user_days WHERE tag = new.tag AND user_id = new.user_id AND day < new.day
        ), -1), -1
    ) AS way WHERE later.day IS NOT NULL
    ON CONFLICT (day, tag, since) DO UPDATE SET users = users + excluded.users;
END;

-- What was there before this step is filled in by gateways while they run, the latest first: these are the places behind
-- which that is done.
CREATE TABLE roll_up_progress (
    name TEXT NOT NULL PRIMARY KEY,
    day INTEGER NOT NULL,
    identity TEXT NOT NULL,
    line INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO roll_up_progress (name, day, identity, line)
SELECT 'tag_users', max(day) + 1, '', 0 FROM daily_activity WHERE scope = 5 HAVING max(day) IS NOT NULL;
