"""What Prometheus is shown of a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.assembly.budgets_now import budgets_now, name_of, rates_now
from pointsman.assembly.gauges import gauges, host_series
from pointsman.assembly.performance import deployments_now
from pointsman.telemetry.metrics import CallMetrics

if TYPE_CHECKING:
    from pointsman.assembly.gateway import Gateway

__all__ = ["metrics_of"]


def metrics_of(gateway: Gateway) -> CallMetrics:
    """The metrics; what they tell is looked up when somebody scrapes them."""
    return CallMetrics(
        lambda: gauges(gateway),
        lambda: host_series(gateway.house.router.fleet.listed),
        deployments=lambda: deployments_now(gateway),
        budgets=lambda: budgets_now(gateway),
        rates=lambda: rates_now(gateway),
        name_of=name_of(gateway),
    )
