"""How the deployments of this gateway do, for whoever shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pointsman.admin.models.description import address_without_secrets
from pointsman.telemetry.deployments import DEPLOYMENTS_MAX, DeploymentNow

if TYPE_CHECKING:
    from pointsman.assembly.gateway import Gateway
    from pointsman.core.upstream import Deployment

__all__ = ["deployments_now"]

_STATES: Final = {"healthy": 0, "partial_outage": 1, "outage": 2}


def deployments_now(gateway: Gateway) -> Sequence[DeploymentNow]:
    """Every deployment that is spelt out, the first of very many."""
    return [_now(gateway, one) for one in gateway.house.table.deployments[:DEPLOYMENTS_MAX]]


def _now(gateway: Gateway, deployment: Deployment) -> DeploymentNow:
    found = gateway.performance.of(deployment, gateway.clock.monotonic())
    verdict = gateway.health.known(deployment)
    left = gateway.traffic.remaining.of(deployment.id)
    is_ill = verdict is not None and not verdict.healthy
    return DeploymentNow(
        model_group=deployment.group,
        litellm_model_name=deployment.litellm_model,
        model_id=deployment.id,
        api_base=address_without_secrets(deployment.api_base),
        api_provider=deployment.provider,
        state=_STATES["outage" if is_ill else found.state],
        in_flight=found.in_flight,
        cooldown_seconds=found.rests_seconds,
        cooldowns=found.rests,
        healthy=None if verdict is None else verdict.healthy,
        latency_seconds=found.latency_seconds,
        first_token_seconds=found.time_to_first_token_seconds,
        tokens_per_second=found.tokens_per_second,
        error_ratio=found.error_rate,
        rpm_limit=deployment.rpm,
        tpm_limit=deployment.tpm,
        remaining_requests=left.requests,
        remaining_tokens=left.tokens,
    )
