"""Which settings are only read at the start, and so wait for the next one when a reload changes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pointsman.assembly.metrics import extra_labels
from pointsman.assembly.replica_settings import redis_settings
from pointsman.config.load import Loaded
from pointsman.core.secret import Secret
from pointsman.stores.redis.settings import Sentinels

__all__ = ["waiting_for_restart"]


def _looked_for(loaded: Loaded) -> set[str]:
    """The hosts whose models are looked for; everything else about a host follows a reload."""
    settings = loaded.settings
    return {host.api_base for host in settings.local.local_hosts} if settings.discovers else set()


def _redis(loaded: Loaded) -> tuple[object, ...] | None:
    """Where Redis is, wherever that is said."""
    found = redis_settings(loaded)
    if found is None:
        return None
    at = found.at
    keeper = at.password if isinstance(at, Sentinels) else None
    secrets = tuple(one.reveal() for one in (found.password, keeper, at) if isinstance(one, Secret))
    where = None if isinstance(at, Secret) else (type(at), at.nodes, at.tls)
    service = at.service if isinstance(at, Sentinels) else None
    return (*secrets, where, service, found.username, found.database, found.namespace, found.command_seconds)


_AT_START: Final[Mapping[str, Callable[[Loaded], object]]] = MappingProxyType({
    "environment_variables.OLLAMA_HOST": lambda loaded: loaded.environment.ollama_host,
    "environment_variables.POINTSMAN_LOG_LEVEL": lambda loaded: loaded.environment.log_level,
    "environment_variables.POINTSMAN_OLLAMA": lambda loaded: loaded.environment.ollama,
    "general_settings.litellm_key_header_name": lambda loaded: loaded.settings.general_settings.litellm_key_header_name,
    "general_settings.database_connection_pool_limit": (
        lambda loaded: loaded.settings.general_settings.database_connection_pool_limit
    ),
    "general_settings.database_connection_timeout": (
        lambda loaded: loaded.settings.general_settings.database_connection_timeout
    ),
    "pointsman.metrics_labels": extra_labels,
    "litellm_settings.json_logs": lambda loaded: loaded.settings.litellm_settings.json_logs,
    "litellm_settings.set_verbose": lambda loaded: loaded.settings.litellm_settings.set_verbose,
    "litellm_settings.sse_keepalive_ping_interval_seconds": (
        lambda loaded: loaded.settings.litellm_settings.sse_keepalive_ping_interval_seconds
    ),
    "pointsman.discovery": lambda loaded: loaded.settings.discovers,
    "pointsman.local_hosts": _looked_for,
    "general_settings.coordination_redis": _redis,
    "pointsman.shared_limits": lambda loaded: loaded.settings.local.shared_limits,
    "pointsman.ollama": lambda loaded: loaded.settings.local.ollama,
})  # fmt: skip
"""Path of the setting → what it comes to. The change that makes one follow a reload takes it out of here."""


def waiting_for_restart(started: Loaded, now: Loaded) -> tuple[str, ...]:
    """The paths of settings that differ between what the process ``started`` with and what the file says ``now``."""
    changed = [path for path, value in _AT_START.items() if value(started) != value(now)]
    if not _same_key(started, now):
        changed.append("general_settings.master_key")
    if not _same_database(started, now):
        changed.append("general_settings.database_url")
    return tuple(changed)


def _same_database(started: Loaded, now: Loaded) -> bool:
    before, after = started.database_url, now.database_url
    if before is None or after is None:
        return before is after
    return before[0].matches(after[0].reveal())


def _same_key(started: Loaded, now: Loaded) -> bool:
    before, after = started.master_key, now.master_key
    if before is None or after is None:
        return before is after
    return before.matches(after.reveal())
