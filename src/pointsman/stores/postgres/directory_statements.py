"""The SQL of the directory and of the spend counters, whole and with parameters."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CHANGED_ENTRIES",
    "CHARGE_ACCOUNTS",
    "COUNT_ENTRIES",
    "DELETE_ENTRY",
    "DIRECTORY_VERSION",
    "DUE_PERIODS",
    "ENTRY",
    "FORGET_NEWS",
    "FORGET_PERIODS",
    "INSERT_ENTRY",
    "LIST_ENTRIES",
    "NOTE_ENTRIES",
    "NOTE_SPENDING",
    "PUT_ENTRY",
    "RESET_PERIOD",
    "SCHEDULE_PERIOD",
    "SET_BASELINE",
    "SPENDING_ENTRIES",
    "SPENT",
    "UPDATE_ENTRY",
]

ENTRY: Final = "SELECT record FROM directory WHERE kind = $1 AND id = $2"

INSERT_ENTRY: Final = """
INSERT INTO directory (kind, id, alias, unique_alias, parent, owner, created_at, updated_at, record)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""

UPDATE_ENTRY: Final = """
UPDATE directory SET
    alias = $3, unique_alias = $4, parent = $5, owner = $6, created_at = $7, updated_at = $8, record = $9
WHERE kind = $1 AND id = $2
"""

PUT_ENTRY: Final = (
    INSERT_ENTRY
    + """
ON CONFLICT (kind, id) DO UPDATE SET
    alias = excluded.alias, unique_alias = excluded.unique_alias, parent = excluded.parent, owner = excluded.owner,
    created_at = excluded.created_at, updated_at = excluded.updated_at, record = excluded.record
"""
)

DELETE_ENTRY: Final = "DELETE FROM directory WHERE kind = $1 AND id = $2"

NOTE_ENTRIES: Final = """
INSERT INTO directory_changes (kind, id) SELECT * FROM unnest($1::TEXT[], $2::TEXT[])
ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version
"""

CHANGED_ENTRIES: Final = """
(
    SELECT version, kind, id, NULL::BIGINT, NULL::TEXT FROM directory_changes
    WHERE version > $1 ORDER BY version LIMIT $2
) UNION ALL (
    SELECT version, NULL, NULL, before, names FROM spend_news WHERE version > $1 ORDER BY version LIMIT $3
)
"""

DIRECTORY_VERSION: Final = """
SELECT greatest(
    (SELECT coalesce(max(version), 0) FROM directory_changes), (SELECT coalesce(max(version), 0) FROM spend_news)
)
"""

# To be called while no other replica adds up. Says whether there is a process of an older version, which does not look
# here.
NOTE_SPENDING: Final = """
INSERT INTO spend_news (version, before, at, names) SELECT
    nextval('directory_versions'), (SELECT coalesce(max(version), 0) FROM spend_news),
    extract(epoch FROM clock_timestamp()), $1
RETURNING (SELECT count(*) FROM processes WHERE steps IS NULL)
"""

FORGET_NEWS: Final = """
DELETE FROM spend_news
WHERE at < extract(epoch FROM clock_timestamp()) - $1::DOUBLE PRECISION
    AND version < (SELECT max(version) FROM spend_news)
"""


_MATCHING: Final = """
FROM directory
WHERE kind = $1
    AND ($2::TEXT[] IS NULL OR id = ANY ($2))
    AND ($3::TEXT IS NULL OR parent = $3)
    AND ($4::TEXT IS NULL OR owner = $4)
    AND ($5::TEXT IS NULL OR alias = $5)
    AND ($6::TEXT IS NULL OR position(lower($6 COLLATE "C") IN lower(id)) > 0
        OR position(lower($6 COLLATE "C") IN lower(coalesce(alias, ''))) > 0)
    AND ($7::TEXT IS NULL OR position($7 IN record) > 0)
"""

COUNT_ENTRIES: Final = "SELECT count(*) " + _MATCHING

# By times and by texts apart, since one expression has one type.
LIST_ENTRIES: Final = (
    "SELECT record "
    + _MATCHING
    + """
ORDER BY
    CASE WHEN $9 THEN NULL ELSE CASE $8 WHEN 'created_at' THEN created_at WHEN 'updated_at' THEN updated_at END END
        ASC NULLS FIRST,
    CASE WHEN $9 THEN NULL ELSE CASE $8 WHEN 'alias' THEN alias END END ASC NULLS FIRST,
    CASE WHEN $9 THEN CASE $8 WHEN 'created_at' THEN created_at WHEN 'updated_at' THEN updated_at END END
        DESC NULLS LAST,
    CASE WHEN $9 THEN CASE $8 WHEN 'alias' THEN alias WHEN 'id' THEN id END END DESC NULLS LAST,
    id ASC
LIMIT $10 OFFSET $11
"""
)

SPENDING_ENTRIES: Final = "".join((
    "SELECT record FROM (SELECT id AS wanted, record ", _MATCHING, """) AS page
LEFT JOIN spend_totals ON spend_totals.scope = $1 AND spend_totals.id = wanted AND spend_totals.model = ''
LEFT JOIN spend_periods ON spend_periods.scope = $1 AND spend_periods.id = wanted AND spend_periods.model = ''
    AND spend_periods."window" = ''
ORDER BY (coalesce(total, 0) - coalesce(baseline, 0)) * CASE WHEN $8::BOOLEAN THEN -1 ELSE 1 END, wanted
LIMIT $9 OFFSET $10
"""))  # fmt: skip

# In the order of the table: then neighbours are found one after the other.
CHARGE_ACCOUNTS: Final = """
INSERT INTO spend_totals AS kept (scope, id, model, total)
SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[]) AS charge (scope, id, model, amount)
ORDER BY scope COLLATE "C", id COLLATE "C", model COLLATE "C"
ON CONFLICT (scope, id, model) DO UPDATE SET
    total = excluded.total
        + least(kept.total, 9223372036854775807 - greatest(excluded.total, 0))
"""

SPENT: Final = """
SELECT asked.place, coalesce(spend_totals.total, 0), coalesce(spend_periods.baseline, 0), spend_periods.reset_at
FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::TEXT[]) WITH ORDINALITY AS asked (scope, id, model, part, place)
LEFT JOIN spend_totals ON spend_totals.scope = asked.scope AND spend_totals.id = asked.id
    AND spend_totals.model = asked.model
LEFT JOIN spend_periods ON spend_periods.scope = asked.scope AND spend_periods.id = asked.id
    AND spend_periods.model = asked.model AND spend_periods."window" = asked.part
"""

SET_BASELINE: Final = """
INSERT INTO spend_periods (scope, id, model, "window", baseline) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (scope, id, model, "window") DO UPDATE SET baseline = excluded.baseline
"""

SCHEDULE_PERIOD: Final = """
INSERT INTO spend_periods (scope, id, model, "window", baseline, duration, reset_at)
VALUES ($1, $2, $3, $4, 0, $5, $6)
ON CONFLICT (scope, id, model, "window") DO UPDATE SET duration = excluded.duration, reset_at = excluded.reset_at
"""

RESET_PERIOD: Final = """
UPDATE spend_periods SET reset_at = $6, baseline = least(coalesce((
    SELECT total FROM spend_totals WHERE scope = $1 AND id = $2 AND model = $3
), 0), baseline + $7::BIGINT)
WHERE scope = $1 AND id = $2 AND model = $3 AND "window" = $4 AND reset_at <= $5
"""

DUE_PERIODS: Final = """
SELECT scope, id, model, "window", duration, reset_at FROM spend_periods
WHERE reset_at <= $1 AND duration IS NOT NULL ORDER BY reset_at, scope, id, model, "window" LIMIT $2
"""

FORGET_PERIODS: Final = "DELETE FROM spend_periods WHERE scope = $1 AND id = $2"
