"""From LiteLLM's keys to ours. The keys themselves are not in its database, only their hashes, which are ours too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from pointsman.admin.keys.restrictions import KEPT_FIELDS, REFUSED_FIELDS
from pointsman.admin.permission_fields import is_ignorable
from pointsman.cli.migrate.entries import limits_of, raw
from pointsman.cli.migrate.rows import Row
from pointsman.core.identity import KeyRecord
from pointsman.policies.own_routing import unheeded_in
from pointsman.stores.directory.records import Limits

__all__ = ["ADMIN_UI_TEAM", "MadeKey", "key_of", "permissions_of"]

ADMIN_UI_TEAM: Final = "litellm-dashboard"
"""The team of keys that are sessions of LiteLLM's own admin pages."""

_IN_METADATA: Final = (
    "end_user_budget_id", "enforced_params", "guardrails", "model_rpm_limit", "model_tpm_limit", "policies", "prompts",
    "rpm_limit_type", "tag_rpm_limit", "temp_budget_expiry", "temp_budget_increase", "tpm_limit_type",
    "allowed_passthrough_routes", "denied_passthrough_routes",
)  # fmt: skip
"""What LiteLLM puts into the metadata of a key though it is a field of its own."""

_TEXTS: Final = ("agent_id", "budget_id", "key_type", "organization_id", "project_id", "rotation_interval")
_LISTS: Final = ("access_group_ids", "allowed_cache_controls", "allowed_routes", "policies")
_OBJECTS: Final = ("budget_fallbacks", "config", "model_max_budget", "permissions", "router_settings")
_EVERY_KEY_MAY: Final = ("llm_api_routes",)
_PLAIN_TYPES: Final = frozenset({None, "default", "llm_api"})
_SILENT: Final[tuple[object, ...]] = (None, False, "", [], {}, ())


class MadeKey(NamedTuple):
    """A key, and what is to be said of it."""

    record: KeyRecord
    notes: tuple[str, ...]


def key_of(row: Row, budgets: Mapping[str, Limits], permissions: Mapping[str, Mapping[str, object]]) -> MadeKey:
    """A key; ``budgets`` and ``permissions`` are those that it may refer to, by id."""
    limits, notes = limits_of(row)
    notes = (*notes, *row.strange_amounts("spend"))
    extra = _extra(row, permissions)
    soft_budget = limits.soft_budget
    shared = budgets.get(str(extra.get("budget_id")))
    if shared is not None and shared == Limits(soft_budget=shared.soft_budget):
        # LiteLLM makes a budget just for this, where it has no column.
        soft_budget = shared.soft_budget
        del extra["budget_id"]
    restricted, unheeded = _unenforced(extra)
    notes = (*notes, *(f"{name} is not enforced here, so the key comes over blocked." for name in restricted))
    routing = extra.get("router_settings")
    unheeded += unheeded_in(raw(routing)) if isinstance(routing, dict) else ()
    notes = (*notes, *(f"{name} is kept and has no effect here." for name in unheeded))
    metadata = {name: value for name, value in row.fields("metadata").items() if name not in {*_IN_METADATA, "tags"}}
    created_at = row.moment("created_at") or 0.0
    record = KeyRecord(
        token=row.named("token"),
        key_name=row.text("key_name") or "sk-...",
        key_alias=row.text("key_alias"),
        models=row.texts("models"),
        aliases={name: to for name, to in row.fields("aliases").items() if isinstance(to, str)},
        metadata=raw(metadata),
        user_id=row.text("user_id"),
        team_id=row.text("team_id"),
        spend=row.money("spend") or 0,
        max_budget=limits.max_budget,
        soft_budget=soft_budget,
        budget_duration=limits.budget_duration,
        budget_reset_at=row.moment("budget_reset_at") if limits.budget_duration else None,
        rpm_limit=limits.rpm_limit,
        tpm_limit=limits.tpm_limit,
        max_parallel_requests=limits.max_parallel_requests,
        expires=row.moment("expires"),
        blocked=row.flag("blocked") or bool(restricted),
        tags=_tags(row),
        created_at=created_at,
        updated_at=row.moment("updated_at") or created_at,
        created_by=row.text("created_by"),
        last_active=row.moment("last_active"),
        extra=raw(extra),
    )
    return MadeKey(record, notes)


def _extra(row: Row, permissions: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    metadata = row.fields("metadata")
    found: dict[str, object] = {}
    found |= {name: row.text(name) for name in _TEXTS}
    found |= {name: list(row.texts(name)) for name in _LISTS}
    found |= {name: row.fields(name) for name in _OBJECTS}
    found |= {name: metadata[name] for name in _IN_METADATA if name in metadata}
    found |= {"tpd_limit": row.limit("tpd_limit"), "budget_limits": row.json("budget_limits")}
    if row.flag("auto_rotate"):
        found |= {
            "auto_rotate": True,
            "rotation_count": row.whole("rotation_count") or 0,
            "last_rotation_at": row.moment("last_rotation_at"),
            "key_rotation_at": row.moment("key_rotation_at"),
        }
    granted = permissions.get(row.named("object_permission_id"), {})
    found["object_permission"] = {name: value for name, value in granted.items() if value not in _SILENT}
    if found.get("key_type") in _PLAIN_TYPES and tuple(row.texts("allowed_routes")) == _EVERY_KEY_MAY:
        del found["allowed_routes"]
    return {name: value for name, value in found.items() if not _says_nothing(value)}


def _unenforced(extra: Mapping[str, object]) -> tuple[list[str], list[str]]:
    """The fields that restrict and are not enforced, and those that only have no effect."""
    refused = {name for name in extra if name in REFUSED_FIELDS}
    restricted = sorted(name for name in refused if not is_ignorable(name, extra[name]))
    if "key_type" in KEPT_FIELDS and extra.get("key_type") not in _PLAIN_TYPES:
        restricted.append("key_type")
    unheeded = sorted(
        name for name in extra if name not in restricted and name != "key_type" and name in KEPT_FIELDS | refused
    )
    return restricted, unheeded


def _tags(row: Row) -> tuple[str, ...]:
    told = row.fields("metadata").get("tags")
    return tuple(one for one in told if isinstance(one, str)) if isinstance(told, list) else ()


def _says_nothing(value: object) -> bool:
    # By identity where it counts, since 0 equals False, and a limit of 0 says a lot.
    return value is None or value is False or (not isinstance(value, bool | int | float) and value in _SILENT)


def permissions_of(row: Row) -> dict[str, object]:
    """What an object permission says, by field."""
    lists = (
        "agent_access_groups", "agents", "blocked_tools", "mcp_access_groups", "mcp_servers", "mcp_toolsets", "models",
        "search_tools", "skills", "vector_stores",
    )  # fmt: skip
    return {name: list(row.texts(name)) for name in lists if row.texts(name)}
