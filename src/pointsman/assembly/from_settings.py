"""From a configuration to what single parts of the gateway take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, time
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pointsman.config.load import Loaded
from pointsman.config.sections import StrategyArgs
from pointsman.core.errors import Misconfigured
from pointsman.core.limits import BODY_BYTES_MAX, KEEPALIVE_SECONDS
from pointsman.policies.admission import AdmissionSettings
from pointsman.policies.durations import ResetClock
from pointsman.providers.media import MediaLimits
from pointsman.routing.settings import (
    AffinityRules,
    FallbackLists,
    RoutingSettings,
    StrategyArguments,
    StrategyChoice,
    TagRules,
)
from pointsman.routing.strategies import STRATEGIES

__all__ = [
    "admission_settings",
    "body_bytes_max",
    "keepalive_seconds",
    "media_limits",
    "reset_clock",
    "routing_settings",
]

_MEGABYTE: Final = 1024 * 1024


def admission_settings(loaded: Loaded) -> AdmissionSettings:
    """The general limits on requests."""
    general = loaded.settings.general_settings
    return AdmissionSettings(
        parallel_per_key=general.max_parallel_requests,
        parallel_overall=general.global_max_parallel_requests,
        budget_exceeded_status=loaded.settings.litellm_settings.budget_exceeded_status_code,
    )


def body_bytes_max(loaded: Loaded) -> int:
    """The longest body of an inference request, in bytes."""
    megabytes = loaded.settings.general_settings.max_request_size_mb
    return BODY_BYTES_MAX if megabytes is None else int(megabytes * _MEGABYTE)


def media_limits(loaded: Loaded) -> MediaLimits:
    """What may be fetched for a client."""
    local = loaded.settings.local
    return MediaLimits(enabled=local.fetch_remote_images, bytes_max=local.fetch_remote_image_bytes_max)


def routing_settings(loaded: Loaded) -> RoutingSettings:
    """How requests find their deployment; ``router_settings`` wins over ``litellm_settings``, as in LiteLLM."""
    lite, router, usual = loaded.settings.litellm_settings, loaded.settings.router_settings, RoutingSettings()
    retries = lite.num_retries if router.num_retries is None else router.num_retries
    hops = lite.max_fallbacks if router.max_fallbacks is None else router.max_fallbacks
    checks = frozenset(router.optional_pre_call_checks)
    return RoutingSettings(
        strategy=_strategy(router.routing_strategy, router.routing_strategy_args),
        strategies={
            model: _strategy(group.routing_strategy, group.routing_strategy_args)
            for group in reversed(router.routing_groups)
            for model in group.models
        },
        tags=TagRules(enabled=router.enable_tag_filtering, match_any=router.tag_filtering_match_any),
        affinity=AffinityRules(
            checks,
            {model: frozenset(named) for model, named in router.model_group_affinity_config.items()},
            router.deployment_affinity_ttl_seconds or usual.affinity.seconds,
            router.session_affinity_repin_on_failover,
        ),
        pre_call_checks=router.enable_pre_call_checks,
        strict_limits=router.enable_pre_call_checks or "enforce_model_rate_limits" in checks,
        parallel_per_deployment=router.default_max_parallel_requests,
        num_retries=usual.num_retries if retries is None else retries,
        retry_after=router.retry_after,
        fallbacks=FallbackLists(
            general=_by_model(router.fallbacks or lite.fallbacks),
            context_window=_by_model(router.context_window_fallbacks or lite.context_window_fallbacks),
            content_policy=_by_model(router.content_policy_fallbacks or lite.content_policy_fallbacks),
            default=router.default_fallbacks or lite.default_fallbacks,
        ),
        max_fallbacks=usual.max_fallbacks if hops is None else hops,
        cooldown_seconds=usual.cooldown_seconds if router.cooldown_time is None else router.cooldown_time,
        cools_down=not router.disable_cooldowns,
    )


def _strategy(name: str | None, arguments: StrategyArgs) -> StrategyChoice:
    """What LiteLLM alone can do is done as usual; the operator was told when the file was read."""
    known = name if name in STRATEGIES else None
    return StrategyChoice(known, StrategyArguments(arguments.lowest_latency_buffer))


def _by_model(lists: Sequence[Mapping[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """One map out of LiteLLM's list of maps; the first that names a model counts."""
    found: dict[str, tuple[str, ...]] = {}
    for one in lists:
        for model, others in one.items():
            found.setdefault(model, others)
    return found


def reset_clock(loaded: Loaded) -> ResetClock:
    """When budgets are reset.

    Raises:
        Misconfigured: this system does not know the time zone.
    """
    lite = loaded.settings.litellm_settings
    # UTC is there even where the system has no list of time zones.
    zone = _zone(lite.timezone) if lite.timezone and lite.timezone != "UTC" else UTC
    hour, minute, second = [*map(int, (lite.budget_reset_time or "0:00").split(":")), 0][:3]
    return ResetClock(zone, time(hour, minute, second))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"litellm_settings.timezone: this system knows no time zone {name[:64]!r}."
        raise Misconfigured(message, hint="Write it like Europe/Berlin.") from None


def keepalive_seconds(loaded: Loaded) -> float:
    """Silence in a stream, in seconds, after which a comment is sent."""
    return loaded.settings.litellm_settings.sse_keepalive_ping_interval_seconds or KEEPALIVE_SECONDS
