"""The SQL of listing keys: one statement for each way in, since SQLite plans before it knows which filters hold.

What a page of all keys does not show is skipped in an index and never read as a whole row; where filters hold that have
no index, rows are read in the order of the table, since to fetch each through an index takes twenty times as long.
"""

from __future__ import annotations

from typing import Final, Literal

from pointsman.stores.ports import KeyOwner

__all__ = [
    "ALIASES_WITH",
    "COUNT_KEYS",
    "COUNT_KEYS_OF",
    "LATEST_KEYS",
    "LIST_KEYS",
    "SPENDING_KEYS",
    "TOKENS_WITH_USER",
    "Way",
]

Way = Literal["all", "scan", "token", "tokens", "user", "alias", "aliases", "team", "deleted"]
"""By which filter keys are looked for first, and all others hold too; ``all``: there is none."""

_HOLDS: Final = """
    AND (:user_id IS NULL OR user_id = :user_id OR (:substring AND instr(lower(user_id), lower(:user_id)))
        OR team_id IN (SELECT value FROM json_each(:also_teams)))
    AND (:team_id IS NULL OR team_id = :team_id)
    AND (:key_alias IS NULL OR key_alias = :key_alias
        OR (:substring AND instr(lower(key_alias), lower(:key_alias))))
    AND (:key_hash IS NULL OR token = :key_hash)
    AND (:search IS NULL OR token = :search OR instr(lower(key_alias), lower(:search)))
    AND (:blocked IS NULL OR blocked = :blocked)
    AND (:expires IS NULL OR (:expires = 'active' AND (expires IS NULL OR expires >= :now))
        OR (:expires = 'expired' AND expires < :now))
    AND (:organization_id IS NULL OR json_extract(extra, '$.organization_id') = :organization_id
        OR team_id IN (SELECT value FROM json_each(:organization_teams)))
    AND (:project_id IS NULL OR json_extract(extra, '$.project_id') = :project_id)
    AND (:agent_id IS NULL OR json_extract(extra, '$.agent_id') = :agent_id)
    AND (:access_group_id IS NULL OR EXISTS (
        SELECT 1 FROM json_each(extra, '$.access_group_ids') WHERE value = :access_group_id))
"""
_FOUND: Final = "(SELECT value FROM json_each(:found))"
_FROM: Final[dict[Way, str]] = {
    "all": "FROM keys\n",
    "scan": "FROM keys NOT INDEXED WHERE true" + _HOLDS,
    "token": "FROM keys WHERE token = :key_hash" + _HOLDS,
    "tokens": "".join(("FROM keys WHERE token IN ", _FOUND, _HOLDS)),
    "user": "FROM keys INDEXED BY keys_by_user WHERE user_id = :user_id" + _HOLDS,
    # The index of the constraint that no alias comes twice.
    "alias": "FROM keys INDEXED BY sqlite_autoindex_keys_2 WHERE key_alias = :key_alias" + _HOLDS,
    "aliases": "".join(("FROM keys WHERE key_alias IN ", _FOUND, _HOLDS)),
    "team": "FROM keys INDEXED BY keys_by_team WHERE team_id = :team_id" + _HOLDS,
    "deleted": "FROM deleted_keys WHERE true" + _HOLDS,
}
_IN_ORDER: Final = """
ORDER BY
    CASE WHEN :falling THEN NULL ELSE CASE :sort_by
        WHEN 'created_at' THEN created_at WHEN 'updated_at' THEN updated_at WHEN 'spend' THEN spend
        WHEN 'max_budget' THEN max_budget WHEN 'key_alias' THEN key_alias WHEN 'key_name' THEN key_name
        WHEN 'expires' THEN expires WHEN 'last_active' THEN last_active WHEN 'budget_reset_at' THEN budget_reset_at
        WHEN 'tpm_limit' THEN tpm_limit WHEN 'rpm_limit' THEN rpm_limit
        ELSE token END END ASC,
    CASE WHEN :falling THEN CASE :sort_by
        WHEN 'created_at' THEN created_at WHEN 'updated_at' THEN updated_at WHEN 'spend' THEN spend
        WHEN 'max_budget' THEN max_budget WHEN 'key_alias' THEN key_alias WHEN 'key_name' THEN key_name
        WHEN 'expires' THEN expires WHEN 'last_active' THEN last_active WHEN 'budget_reset_at' THEN budget_reset_at
        WHEN 'tpm_limit' THEN tpm_limit WHEN 'rpm_limit' THEN rpm_limit
        ELSE token END END DESC,
    token ASC
"""
_LATEST_FIRST: Final = "ORDER BY created_at DESC, token ASC\n"
_DEAREST_FIRST: Final = "ORDER BY spend DESC, token ASC\n"


def _page(way: Way, order: str) -> str:
    table = "deleted_keys" if way == "deleted" else "keys"
    wanted = "".join(("SELECT token AS wanted ", _FROM[way], order, "LIMIT :size OFFSET :start"))
    return "".join(("SELECT ", table, ".* FROM (", wanted, ") CROSS JOIN ", table, " ON token = wanted\n", order))


COUNT_KEYS: Final = {way: "SELECT count(*) " + source for way, source in _FROM.items()}
LIST_KEYS: Final = {way: _page(way, _IN_ORDER) for way in _FROM}

COUNT_KEYS_OF: Final[dict[KeyOwner, str]] = {
    "user": """
SELECT user_id, count(*) FROM keys INDEXED BY keys_by_user
WHERE user_id IS NOT NULL AND user_id IN (SELECT value FROM json_each(?)) GROUP BY user_id
""",
    "team": """
SELECT team_id, count(*) FROM keys INDEXED BY keys_by_team
WHERE team_id IS NOT NULL AND team_id IN (SELECT value FROM json_each(?)) GROUP BY team_id
""",
}

# Which keys have a text somewhere in their alias or user, out of an index alone, which is a fraction of the table. To
# ask the first for the tokens would have SQLite look at the table all the same.
ALIASES_WITH: Final = """
SELECT json_group_array(key_alias) FROM (
    SELECT key_alias FROM keys INDEXED BY sqlite_autoindex_keys_2
    WHERE key_alias IS NOT NULL AND instr(lower(key_alias), lower(?)) LIMIT ?
)
"""
TOKENS_WITH_USER: Final = """
SELECT json_group_array(token) FROM (
    SELECT token FROM keys INDEXED BY keys_by_user
    WHERE user_id IS NOT NULL AND instr(lower(user_id), lower(?)) LIMIT ?
)
"""

# Those that are asked for most, in the order of an index.
LATEST_KEYS: Final = _page("all", _LATEST_FIRST)
SPENDING_KEYS: Final = _page("all", _DEAREST_FIRST)
