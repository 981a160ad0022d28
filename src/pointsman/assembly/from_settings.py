"""From a configuration to what single parts of the gateway take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, time
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pointsman.assembly.host_rules import local_places
from pointsman.config.fallback_targets import read_target
from pointsman.config.load import Loaded
from pointsman.config.routing_sections import StrategyArgs, StrategyGroup
from pointsman.config.sections import (
    FailsKind,
    FallbackList,
    LiteLLMSettings,
    RetryKind,
    RouterSettings,
)
from pointsman.core.errors import Misconfigured
from pointsman.core.rules import Target
from pointsman.core.usage import Usage
from pointsman.policies.admission import AdmissionSettings
from pointsman.policies.durations import ResetClock
from pointsman.providers.discovery import Place, default_places
from pointsman.providers.health import HealthSettings
from pointsman.providers.media import MediaLimits
from pointsman.routing.failures import Failure
from pointsman.routing.rules import Rulebook
from pointsman.routing.settings import (
    AffinityRules,
    FallbackLists,
    Purses,
    RetryPolicy,
    RoutingSettings,
    StrategyArguments,
    StrategyChoice,
    TagRules,
)
from pointsman.routing.strategies import STRATEGIES
from pointsman.wire.limits import BODY_BYTES_MAX, KEEPALIVE_SECONDS

__all__ = [
    "admission_settings",
    "body_bytes_max",
    "discovery_places",
    "health_settings",
    "keepalive_seconds",
    "media_limits",
    "reset_clock",
    "routing_settings",
    "storage_grace_seconds",
]

_STALE_INTERVALS: Final = 2
"""So many intervals a verdict on a deployment holds, as in LiteLLM."""
_FallbackKey = Literal["fallbacks", "context_window_fallbacks", "content_policy_fallbacks"]

_SHUFFLE: Final = "simple-shuffle"
_COUNTED_TOKENS: Final[Mapping[str, Callable[[Usage], int]]] = {
    "input": lambda usage: usage.prompt,
    "output": lambda usage: usage.completion,
}
_MEGABYTE: Final = 1024 * 1024


def admission_settings(loaded: Loaded) -> AdmissionSettings:
    """The general limits on requests."""
    general = loaded.settings.general_settings
    return AdmissionSettings(
        parallel_per_key=general.max_parallel_requests,
        parallel_overall=general.global_max_parallel_requests,
        budget_exceeded_status=loaded.settings.litellm_settings.budget_exceeded_status_code,
        counted_tokens=_COUNTED_TOKENS.get(general.token_rate_limit_type or ""),
    )


def body_bytes_max(loaded: Loaded) -> int:
    """The longest body of an inference request, in bytes."""
    megabytes = loaded.settings.general_settings.max_request_size_mb
    return BODY_BYTES_MAX if megabytes is None else int(megabytes * _MEGABYTE)


def media_limits(loaded: Loaded) -> MediaLimits:
    """What may be fetched for a client."""
    local = loaded.settings.local
    return MediaLimits(
        images=local.fetch_remote_images,
        image_bytes_max=local.fetch_remote_image_bytes_max,
        documents=local.fetch_remote_documents,
        document_bytes_max=local.fetch_remote_document_bytes_max,
    )


def routing_settings(loaded: Loaded, purses: Purses | None = None) -> RoutingSettings:
    """How requests find their deployment; ``router_settings`` wins over ``litellm_settings``, as in LiteLLM.

    Raises:
        Misconfigured: a fallback sets what it cannot.
    """
    lite, router, usual = loaded.settings.litellm_settings, loaded.settings.router_settings, RoutingSettings()
    retries = lite.num_retries if router.num_retries is None else router.num_retries
    hops = lite.max_fallbacks if router.max_fallbacks is None else router.max_fallbacks
    checks = frozenset(router.optional_pre_call_checks)
    fails = lite.allowed_fails if router.allowed_fails is None else router.allowed_fails
    general, local = loaded.settings.general_settings, loaded.settings.local
    return RoutingSettings(
        strategy=_strategy(router.routing_strategy, router.routing_strategy_args),
        strategies=_strategies(router.routing_groups),
        tags=TagRules(
            enabled=router.enable_tag_filtering,
            match_any=router.tag_filtering_match_any,
            prefix=router.tag_routing_prefix,
        ),
        affinity=AffinityRules(
            checks,
            {model: frozenset(named) for model, named in router.model_group_affinity_config.items()},
            router.deployment_affinity_ttl_seconds or usual.affinity.seconds,
            router.session_affinity_repin_on_failover,
            loaded.settings.local.conversation_affinity_seconds,
        ),
        pre_call_checks=router.enable_pre_call_checks,
        needs_price=lite.block_requests_for_models_without_pricing,
        strict_limits=router.enable_pre_call_checks or "enforce_model_rate_limits" in checks,
        parallel_per_deployment=router.default_max_parallel_requests,
        num_retries=usual.num_retries if retries is None else retries,
        retry_after=router.retry_after,
        fallbacks=_fallback_lists(router, lite),
        max_fallbacks=usual.max_fallbacks if hops is None else hops,
        cooldown_seconds=usual.cooldown_seconds if router.cooldown_time is None else router.cooldown_time,
        cools_down=not router.disable_cooldowns,
        rulebook=Rulebook(local.routing_rules) if local.routing_rules else None,
        retry_policy=_policy(router.retry_policy),
        group_retry_policies={name: _policy(counts) for name, counts in router.model_group_retry_policy.items()},
        allowed_fails=fails,
        allowed_fails_policy=_policy(router.allowed_fails_policy),
        wait_seconds_max=local.retry_wait_seconds_max,
        retry_budget=local.retry_budget_percent / 100.0,
        purses=purses,
        falls_back_when_unsupported=router.fallback_on_unsupported_params,
        demands_fallback_access=general.enforce_fallback_model_access,
        tells_fallback_errors=general.expose_fallback_errors_to_caller,
    )


def _strategies(groups: Sequence[StrategyGroup]) -> dict[str, StrategyChoice]:
    """By model; one of priorities says nothing of its models but what comes first where the group itself is asked."""
    found: dict[str, StrategyChoice] = {}
    for group in reversed(groups):
        has_order = group.routing_strategy == "priority"
        choice = _strategy(_SHUFFLE if has_order else group.routing_strategy, group.routing_strategy_args)
        named = () if group.group_name is None else (group.group_name,)
        found |= dict.fromkeys((*named, *(() if has_order else group.models)), choice)
    return found


def _strategy(name: str | None, arguments: StrategyArgs) -> StrategyChoice:
    """What LiteLLM alone can do is done as usual; the operator was told when the file was read."""
    known = name if name in STRATEGIES else None
    return StrategyChoice(known, StrategyArguments(arguments.lowest_latency_buffer))


def _policy(counts: Mapping[RetryKind, int] | Mapping[FailsKind, int]) -> RetryPolicy:
    """LiteLLM's names of counts, as in ``RateLimitErrorRetries``, taken for the kinds of failure that they mean."""
    kinds = {f"{kind.value}{ending}": kind for kind in Failure for ending in ("Retries", "AllowedFails")}
    return {kinds[name]: count for name, count in counts.items()}


def _fallback_lists(router: RouterSettings, lite: LiteLLMSettings) -> FallbackLists:
    def both(name: _FallbackKey) -> dict[str, tuple[Target, ...]]:
        return _by_model(getattr(router, name) or getattr(lite, name), name)

    return FallbackLists(
        general=both("fallbacks"),
        context_window=both("context_window_fallbacks"),
        content_policy=both("content_policy_fallbacks"),
        default=_targets(router.default_fallbacks or lite.default_fallbacks, "default_fallbacks"),
    )


def _by_model(lists: FallbackList, path: str) -> dict[str, tuple[Target, ...]]:
    """One map out of LiteLLM's list of maps; the first that names a model counts."""
    found: dict[str, tuple[Target, ...]] = {}
    for one in lists:
        for model, others in one.items():
            found.setdefault(model, _targets(others, f"{path}.{model}"))
    return found


def _targets(given: Sequence[msgspec.Raw], path: str) -> tuple[Target, ...]:
    """Those that stand in.

    Raises:
        Misconfigured: one of them cannot be understood, or sets what it cannot.
    """
    try:
        return tuple(read_target(raw) for raw in given)
    except ValueError as wrong:
        message = f"{path}: {wrong}"
        raise Misconfigured(message) from None


def reset_clock(loaded: Loaded) -> ResetClock:
    """When budgets are reset.

    Raises:
        Misconfigured: this system does not know the time zone.
    """
    lite = loaded.settings.litellm_settings
    # UTC is there even where the system has no list of time zones.
    zone = _zone(lite.timezone) if lite.timezone and lite.timezone != "UTC" else UTC
    hour, minute, second = [*map(int, (lite.budget_reset_time or "0:00").split(":")), 0][:3]
    return ResetClock(zone, time(hour, minute, second), lite.budget_rollover)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"litellm_settings.timezone: this system knows no time zone {name[:64]!r}."
        raise Misconfigured(message, hint="Write it like Europe/Berlin.") from None


def keepalive_seconds(loaded: Loaded) -> float:
    """Silence in a stream, in seconds, after which a comment is sent."""
    return loaded.settings.litellm_settings.sse_keepalive_ping_interval_seconds or KEEPALIVE_SECONDS


def health_settings(loaded: Loaded) -> HealthSettings:
    """How, and how often, the health of deployments is looked at."""
    general, router = loaded.settings.general_settings, loaded.settings.router_settings
    groups = general.background_health_check_model_groups
    groups = router.background_health_check_model_groups if groups is None else groups
    stale = general.health_check_staleness_threshold or router.health_check_staleness_threshold
    return HealthSettings(
        background=general.background_health_checks,
        interval_seconds=general.health_check_interval,
        concurrency=general.health_check_concurrency,
        details=general.health_check_details,
        skip_disabled=general.health_check_skip_disabled_background_models,
        groups=None if groups is None else frozenset(groups),
        routes=general.enable_health_check_routing or router.enable_health_check_routing,
        forgives=general.health_check_ignore_transient_errors or router.health_check_ignore_transient_errors,
        stale_seconds=stale or _STALE_INTERVALS * general.health_check_interval,
    )


def discovery_places(loaded: Loaded, named: tuple[str, ...] = ()) -> tuple[Place, ...]:
    """Where local servers are looked for; ``named`` are addresses of Ollamas from the command line."""
    given = named or loaded.settings.local.ollama or loaded.environment.ollama
    host = loaded.environment.ollama_host
    if loaded.settings.discovers:
        usual = default_places(tuple(given) or ((host,) if host else ()))
        said = {place.url: place for place in local_places(loaded.settings.local.local_hosts)}
        # What is listed among the Ollamas is one, whatever local_hosts leaves unsaid.
        ollamas = {place.url: place for place in usual if place.given and place.url in said}
        return (*(said | ollamas).values(), *(place for place in usual if place.url not in said))
    return default_places(tuple(given))[: len(given)]


def storage_grace_seconds(loaded: Loaded) -> float | None:
    """How long keys in memory are believed while the database does not answer; None: for ever."""
    settings = loaded.settings
    return None if settings.general_settings.allow_requests_on_db_unavailable else settings.local.storage_grace_seconds
