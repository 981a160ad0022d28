"""What Prometheus is shown of a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.assembly.budgets_now import budgets_now, email_of, name_of, rates_now
from pointsman.assembly.gauges import gauges, host_series
from pointsman.assembly.performance import deployments_now
from pointsman.config.load import Loaded
from pointsman.telemetry.metrics import CallMetrics

if TYPE_CHECKING:
    from pointsman.assembly.gateway import Gateway

__all__ = ["extra_labels", "metrics_of"]


def metrics_of(gateway: Gateway) -> CallMetrics:
    """The metrics; what they tell is looked up when somebody scrapes them."""
    return CallMetrics(
        lambda: gauges(gateway),
        lambda: host_series(gateway.house.router.fleet.listed),
        deployments=lambda: deployments_now(gateway),
        budgets=lambda: budgets_now(gateway),
        rates=lambda: rates_now(gateway),
        name_of=name_of(gateway),
        email_of=email_of(gateway),
        extra=extra_labels(gateway.loaded),
    )


def extra_labels(loaded: Loaded) -> tuple[str, ...]:
    """The labels that calls have because the operator wants it: LiteLLM has a switch for two of them."""
    lite = loaded.settings.litellm_settings
    wanted: set[str] = set(loaded.settings.local.metrics_labels)
    if lite.enable_end_user_cost_tracking_prometheus_only and not lite.disable_end_user_cost_tracking:
        wanted.add("end_user")
    if lite.prometheus_deployment_and_latency_caller_identity != "api_key_alias":
        wanted.add("user_email")
    return tuple(sorted(wanted))
