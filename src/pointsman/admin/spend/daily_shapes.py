"""The answer of ``…/daily/activity`` (``SpendAnalyticsPaginatedResponse`` of LiteLLM 1.109.1). Money is in USD."""

from __future__ import annotations

import msgspec

from pointsman.core.price import dollars
from pointsman.stores.activity import Counts

__all__ = [
    "Breakdown",
    "DailySpendData",
    "DailySpendMetadata",
    "KeyMetadata",
    "KeyMetric",
    "Metric",
    "SpendAnalyticsReply",
    "SpendMetrics",
    "metrics_of",
]


class SpendMetrics(msgspec.Struct, frozen=True):
    """Sums. What this gateway has no such thing for (flat costs, savings by compression and the like) is 0.

    ``energy_wh`` (watt-hours of local hosts) and ``energy_cost`` are ours.
    """

    spend: float = 0.0
    flat_cost: float = 0.0
    ptu_hours: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    compression_saved_tokens: int = 0
    compression_savings_spend: float = 0.0
    prompt_caching_savings_spend: float = 0.0
    gateway_injected_caching_savings_spend: float = 0.0
    autorouter_savings_spend: float = 0.0
    total_tokens: int = 0
    successful_requests: int = 0
    failed_requests: int = 0
    api_requests: int = 0
    total_response_time_ms: int = 0
    timed_requests: int = 0
    energy_wh: float = 0.0
    energy_cost: float = 0.0


class KeyMetadata(msgspec.Struct, frozen=True):
    """Whose key it is, as far as it still exists."""

    key_alias: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    user_email: str | None = None
    key_exists: bool | None = None


class KeyMetric(msgspec.Struct, frozen=True):
    """The sums of one key."""

    metrics: SpendMetrics
    metadata: KeyMetadata = KeyMetadata()


class Metric(msgspec.Struct, frozen=True):
    """The sums of one model, provider, endpoint or entity, and those of its keys."""

    metrics: SpendMetrics
    metadata: dict[str, str] = {}
    api_key_breakdown: dict[str, KeyMetric] = {}


class Breakdown(msgspec.Struct, frozen=True):
    """One day's sums from several sides."""

    mcp_servers: dict[str, Metric] = {}
    models: dict[str, Metric] = {}
    model_groups: dict[str, Metric] = {}
    providers: dict[str, Metric] = {}
    endpoints: dict[str, Metric] = {}
    api_keys: dict[str, KeyMetric] = {}
    entities: dict[str, Metric] = {}
    guardrails: dict[str, Metric] = {}


class DailySpendData(msgspec.Struct, frozen=True):
    """One day."""

    date: str
    metrics: SpendMetrics
    breakdown: Breakdown


class DailySpendMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of all days of the answer, and which page it is."""

    total_spend: float
    total_flat_cost: float = 0.0
    total_ptu_hours: float = 0.0
    total_prompt_tokens: int
    total_completion_tokens: int
    total_tokens: int
    total_api_requests: int
    total_successful_requests: int
    total_failed_requests: int
    total_cache_read_input_tokens: int
    total_cache_creation_input_tokens: int
    total_compression_saved_tokens: int = 0
    total_compression_savings_spend: float = 0.0
    total_prompt_caching_savings_spend: float = 0.0
    total_gateway_injected_caching_savings_spend: float = 0.0
    total_autorouter_savings_spend: float = 0.0
    total_response_time_ms: int
    total_timed_requests: int
    page: int
    total_pages: int
    has_more: bool
    api_key_limit: int | None = None
    total_api_keys: int | None = None
    entity_total_api_keys: dict[str, int] | None = None


class SpendAnalyticsReply(msgspec.Struct, frozen=True):
    """Days, the latest first, and their sums."""

    results: list[DailySpendData]
    metadata: DailySpendMetadata


def metrics_of(counts: Counts) -> SpendMetrics:
    """Sums as LiteLLM names them."""
    return SpendMetrics(
        spend=dollars(counts.spend),
        prompt_tokens=counts.prompt_tokens,
        completion_tokens=counts.completion_tokens,
        cache_read_input_tokens=counts.cached_tokens,
        cache_creation_input_tokens=counts.cache_write_tokens,
        total_tokens=counts.total_tokens,
        successful_requests=counts.successes,
        failed_requests=counts.failures,
        api_requests=counts.calls,
        total_response_time_ms=counts.milliseconds,
        timed_requests=counts.calls,
        energy_wh=counts.energy_mwh / 1000,
        energy_cost=dollars(counts.energy_cost),
    )
