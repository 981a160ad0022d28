-- oldest: 5
-- How many different users a tag had within any span of days, without looking at the sums of all of them. A user counts
-- on the first of their days within the span, which is the one before which they were last seen before the span began:
-- so it is enough to know, of each day and tag, how many users there were by the day on which each was seen before.

-- Under which tags a user was seen on which days.
CREATE TABLE tag_user_days (
    tag TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    day INTEGER NOT NULL,  -- since 1970
    PRIMARY KEY (tag, user_id, day)
);

CREATE TABLE tag_users (
    day INTEGER NOT NULL,
    tag TEXT COLLATE "C" NOT NULL,
    since INTEGER NOT NULL,  -- the day on which these users were seen before, -1 if never
    users BIGINT NOT NULL,
    PRIMARY KEY (day, tag, since)
);

ALTER TABLE tag_users SET (fillfactor = 70);

-- By triggers, so that replicas of an older version, which know nothing of it, count as well. What is added to a line
-- that had calls on the day is no insertion. Whoever adds sums holds the lock of all replicas.
CREATE FUNCTION meet_tag_users() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tag_user_days (tag, user_id, day)
    SELECT DISTINCT added.identity, activity_lines.user_id, added.day
    FROM added JOIN activity_lines ON activity_lines.id = added.line
    WHERE added.scope = 5 AND activity_lines.user_id <> ''
    ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION count_tag_users() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    WITH placed AS (
        SELECT
            tag, user_id, day,
            coalesce((
                SELECT max(kept.day) FROM tag_user_days AS kept
                WHERE kept.tag = fresh.tag AND kept.user_id = fresh.user_id AND kept.day < fresh.day
            ), -1) AS before,
            (
                SELECT min(kept.day) FROM tag_user_days AS kept
                WHERE kept.tag = fresh.tag AND kept.user_id = fresh.user_id AND kept.day > fresh.day
            ) AS after,
            coalesce(lag(day) OVER days, -1) AS fresh_before,
            lead(day) OVER days AS fresh_after
        FROM fresh WINDOW days AS (PARTITION BY tag, user_id ORDER BY day)
    ), runs AS (
        -- Of days that are all new, the one behind which they lie.
        SELECT *, max(CASE WHEN before <> fresh_before OR before = -1 THEN before END)
            OVER (PARTITION BY tag, user_id ORDER BY day) AS before_all
        FROM placed
    ), changes (day, tag, since, users) AS (
        SELECT day, tag, before, 1 FROM runs
        -- If the user was seen later, too, which only calls that come late lead to, then that was since this day.
        UNION ALL SELECT after, tag, day, 1 FROM runs WHERE after IS NOT NULL AND fresh_after IS DISTINCT FROM after
        UNION ALL SELECT after, tag, before_all, -1 FROM runs
        WHERE after IS NOT NULL AND fresh_after IS DISTINCT FROM after
    )
    INSERT INTO tag_users AS kept (day, tag, since, users)
    SELECT day, tag, since, sum(users) FROM changes GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (day, tag, since) DO UPDATE SET users = kept.users + excluded.users;
    RETURN NULL;
END $$;

CREATE TRIGGER tag_users_met AFTER INSERT ON daily_activity
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION meet_tag_users();

CREATE TRIGGER tag_users_counted AFTER INSERT ON tag_user_days
REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION count_tag_users();

-- What was there before this step is filled in by gateways while they run, the latest first: these are the places behind
-- which that is done.
CREATE TABLE roll_up_progress (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    day INTEGER NOT NULL,
    identity TEXT COLLATE "C" NOT NULL,
    line INTEGER NOT NULL
);

INSERT INTO roll_up_progress (name, day, identity, line)
SELECT 'tag_users', max(day) + 1, '', 0 FROM daily_activity WHERE scope = 5 HAVING max(day) IS NOT NULL;
