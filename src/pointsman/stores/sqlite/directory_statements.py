"""The SQL of the directory and of the spend counters, whole and with parameters."""

from __future__ import annotations

from typing import Final, Literal

__all__ = [
    "CHANGED_ENTRIES",
    "CHARGE_ACCOUNTS",
    "COUNT_ENTRIES",
    "DUE_PERIODS",
    "FORGET_NEWS",
    "FORGET_PERIODS",
    "INSERT_ENTRY",
    "LATEST_ENTRIES",
    "LIST_ENTRIES",
    "NEXT_PERIOD",
    "NOTE_ENTRY",
    "NOTE_SPENDING",
    "PUT_ENTRY",
    "RESET_PERIOD",
    "SCHEDULE_PERIOD",
    "SET_BASELINE",
    "SPENDING_ENTRIES",
    "SPEND_NEWS",
    "SPENT",
    "UPDATE_ENTRY",
    "EntryWay",
]

EntryWay = Literal["all", "scan", "ids", "alias", "owner", "parent"]
"""By which filter entries of a kind are looked for first, and all others hold too; ``all``: there is none."""

INSERT_ENTRY: Final = """
INSERT INTO directory (kind, id, alias, unique_alias, parent, owner, created_at, updated_at, record)
VALUES (:kind, :id, :alias, :unique_alias, :parent, :owner, :created_at, :updated_at, :record)
"""

UPDATE_ENTRY: Final = """
UPDATE directory SET
    alias = :alias, unique_alias = :unique_alias, parent = :parent, owner = :owner, created_at = :created_at,
    updated_at = :updated_at, record = :record
WHERE kind = :kind AND id = :id
"""

PUT_ENTRY: Final = (
    INSERT_ENTRY
    + """
ON CONFLICT (kind, id) DO UPDATE SET
    alias = excluded.alias, unique_alias = excluded.unique_alias, parent = excluded.parent, owner = excluded.owner,
    created_at = excluded.created_at, updated_at = excluded.updated_at, record = excluded.record
"""
)

NOTE_ENTRY: Final = "INSERT OR REPLACE INTO directory_changes (kind, id) VALUES (?, ?)"

CHANGED_ENTRIES: Final = """
SELECT version, kind, id FROM directory_changes WHERE version > ? ORDER BY version LIMIT ?
"""

# At the version that was given last, that of the entry which stands for this.
NOTE_SPENDING: Final = """
INSERT INTO spend_news (version, before, at, names)
SELECT max(version), (SELECT coalesce(max(version), 0) FROM spend_news), unixepoch('subsec'), ? FROM directory_changes
"""

FORGET_NEWS: Final = """
DELETE FROM spend_news
WHERE at < unixepoch('subsec') - ?
    AND version < (SELECT max(version) FROM spend_news)
"""

SPEND_NEWS: Final = "SELECT version, before, names FROM spend_news WHERE version > ? ORDER BY version LIMIT ?"

# One statement for each way in, since SQLite chooses its plan before it knows which filters hold.
_HOLDS: Final = """
    AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))
    AND (:parent IS NULL OR parent = :parent)
    AND (:owner IS NULL OR owner = :owner)
    AND (:alias IS NULL OR alias = :alias)
    AND (:search IS NULL OR instr(lower(id), lower(:search)) OR instr(lower(coalesce(alias, '')), lower(:search)))
    AND (:stored IS NULL OR instr(record, :stored))
"""
_FROM: Final[dict[EntryWay, str]] = {
    "all": "FROM directory WHERE kind = :kind\n",
    "scan": "FROM directory WHERE kind = :kind" + _HOLDS,
    "ids": "".join(("FROM directory WHERE kind = :kind AND id IN (SELECT value FROM json_each(:ids))", _HOLDS)),
    "alias": "FROM directory INDEXED BY directory_by_alias WHERE kind = :kind AND alias = :alias" + _HOLDS,
    "owner": "FROM directory INDEXED BY directory_by_owner WHERE kind = :kind AND owner = :owner" + _HOLDS,
    "parent": "FROM directory INDEXED BY directory_by_parent WHERE kind = :kind AND parent = :parent" + _HOLDS,
}
_IN_ORDER: Final = """
ORDER BY
    CASE WHEN :falling THEN NULL ELSE CASE :sort_by
        WHEN 'alias' THEN alias WHEN 'created_at' THEN created_at WHEN 'updated_at' THEN updated_at
        ELSE id END END ASC,
    CASE WHEN :falling THEN CASE :sort_by
        WHEN 'alias' THEN alias WHEN 'created_at' THEN created_at WHEN 'updated_at' THEN updated_at
        ELSE id END END DESC,
    id ASC
LIMIT :size OFFSET :start
"""

COUNT_ENTRIES: Final = {
    **{way: "SELECT count(*) " + source for way, source in _FROM.items()},
    "all": "SELECT count(*) FROM directory INDEXED BY directory_by_age WHERE kind = :kind",
}
LIST_ENTRIES: Final = {way: "SELECT record " + source + _IN_ORDER for way, source in _FROM.items()}

_SPENT: Final = """(
    coalesce((
        SELECT total FROM spend_totals WHERE scope = directory.kind AND spend_totals.id = directory.id AND model = ''
    ), 0) - coalesce((
        SELECT baseline FROM spend_periods
        WHERE scope = directory.kind AND spend_periods.id = directory.id AND model = '' AND window = ''
    ), 0)
)"""
_DEAREST_FIRST: Final = "ORDER BY CASE WHEN :falling THEN -spent ELSE spent END, id\n"
SPENDING_ENTRIES: Final = {
    way: "".join((
        "SELECT record FROM (SELECT id AS wanted, ", _SPENT, " AS spent ", source, _DEAREST_FIRST,
        "LIMIT :size OFFSET :start) CROSS JOIN directory ON kind = :kind AND id = wanted\n", _DEAREST_FIRST,
    ))
    for way, source in _FROM.items()
}  # fmt: skip

# The list that is asked for most, in the order of an index; what the page does not show is skipped there.
LATEST_ENTRIES: Final = "".join((
    "SELECT record FROM (SELECT id AS wanted ", _FROM["all"], """
    ORDER BY created_at DESC, id ASC LIMIT :size OFFSET :start
) CROSS JOIN directory ON kind = :kind AND id = wanted ORDER BY created_at DESC, id ASC
""",
))  # fmt: skip

# A JSON array of [scope, id, model, amount].
# In the order of the table: then neighbours are found without coming from the top each time.
CHARGE_ACCOUNTS: Final = """
INSERT INTO spend_totals (scope, id, model, total)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM jsonb_each(?) WHERE true ORDER BY 1, 2, 3
ON CONFLICT (scope, id, model) DO UPDATE SET total = min(total + excluded.total, 9223372036854775807)
"""

# A JSON array of [scope, id, model, window].
SPENT: Final = """
SELECT
    asked.value ->> 0, asked.value ->> 1, asked.value ->> 2, asked.value ->> 3, coalesce(spend_totals.total, 0),
    coalesce(spend_periods.baseline, 0), spend_periods.reset_at
FROM jsonb_each(?) AS asked
LEFT JOIN spend_totals ON spend_totals.scope = asked.value ->> 0 AND spend_totals.id = asked.value ->> 1
    AND spend_totals.model = asked.value ->> 2
LEFT JOIN spend_periods ON spend_periods.scope = asked.value ->> 0 AND spend_periods.id = asked.value ->> 1
    AND spend_periods.model = asked.value ->> 2 AND spend_periods.window = asked.value ->> 3
"""

SET_BASELINE: Final = """
INSERT INTO spend_periods (scope, id, model, window, baseline) VALUES (:scope, :id, :model, :window, :baseline)
ON CONFLICT (scope, id, model, window) DO UPDATE SET baseline = excluded.baseline
"""

SCHEDULE_PERIOD: Final = """
INSERT INTO spend_periods (scope, id, model, window, baseline, duration, reset_at)
VALUES (:scope, :id, :model, :window, 0, :duration, :reset_at)
ON CONFLICT (scope, id, model, window) DO UPDATE SET duration = excluded.duration, reset_at = excluded.reset_at
"""

RESET_PERIOD: Final = """
UPDATE spend_periods SET reset_at = :next_reset_at, baseline = min(coalesce((
    SELECT total FROM spend_totals WHERE scope = :scope AND id = :id AND model = :model
), 0), coalesce(baseline + :at_most, 9223372036854775807))
WHERE scope = :scope AND id = :id AND model = :model AND window = :window AND reset_at <= :now
"""

DUE_PERIODS: Final = """
SELECT scope, id, model, window, duration, reset_at FROM spend_periods
WHERE reset_at <= ? AND duration IS NOT NULL ORDER BY reset_at, scope, id, model, window LIMIT ?
"""

NEXT_PERIOD: Final = "SELECT min(reset_at) FROM spend_periods WHERE reset_at IS NOT NULL AND duration IS NOT NULL"

FORGET_PERIODS: Final = "DELETE FROM spend_periods WHERE scope = ? AND id = ?"
