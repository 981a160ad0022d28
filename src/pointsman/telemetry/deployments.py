"""How each deployment does now, for Prometheus: LiteLLM's names where it has them, ours otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

__all__ = ["DEPLOYMENTS_MAX", "DeploymentNow", "deployment_families", "merged"]

DEPLOYMENTS_MAX: Final = 5_000
"""How many are told of, so that a large table does not make a scrape endless."""

Number = TypeVar("Number", int, float)

_PLACE: Final = ("litellm_model_name", "model_id", "api_base", "api_provider")
_ALL: Final = ("model_group", *_PLACE)


class DeploymentNow(msgspec.Struct, kw_only=True):
    """One deployment as one process sees it. ``state`` is LiteLLM's: 0 healthy, 1 partial outage, 2 outage.

    ``cooldowns`` counts by the code of the error that caused them. What is not known is None.
    """

    model_group: str
    litellm_model_name: str
    model_id: str
    api_base: str
    api_provider: str
    state: int
    in_flight: int
    cooldown_seconds: float
    cooldowns: dict[str, int]
    healthy: bool | None = None
    latency_seconds: float | None = None
    first_token_seconds: float | None = None
    tokens_per_second: float | None = None
    error_ratio: float | None = None
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    remaining_requests: int | None = None
    remaining_tokens: int | None = None

    def merge(self, other: DeploymentNow) -> None:
        """Take in what another process sees: what can be counted is added, of the rest the worst holds."""
        self.in_flight += other.in_flight
        self.state = max(self.state, other.state)
        self.cooldown_seconds = max(self.cooldown_seconds, other.cooldown_seconds)
        self.latency_seconds = _worst(max, self.latency_seconds, other.latency_seconds)
        self.first_token_seconds = _worst(max, self.first_token_seconds, other.first_token_seconds)
        self.error_ratio = _worst(max, self.error_ratio, other.error_ratio)
        self.tokens_per_second = _worst(min, self.tokens_per_second, other.tokens_per_second)
        self.remaining_requests = _worst(min, self.remaining_requests, other.remaining_requests)
        self.remaining_tokens = _worst(min, self.remaining_tokens, other.remaining_tokens)
        if other.healthy is not None:
            self.healthy = other.healthy if self.healthy is None else self.healthy and other.healthy
        for code, count in other.cooldowns.items():
            self.cooldowns[code] = self.cooldowns.get(code, 0) + count


_GAUGES: Final[tuple[tuple[str, str, Callable[[DeploymentNow], float | None]], ...]] = (
    ("litellm_deployment_rpm_limit", "Requests a minute that it takes.", lambda now: now.rpm_limit),
    ("litellm_deployment_tpm_limit", "Tokens a minute that it takes.", lambda now: now.tpm_limit),
    (
        "litellm_remaining_requests_metric",
        "Requests that the upstream says it has left for us.",
        lambda now: now.remaining_requests,
    ),
    (
        "litellm_remaining_tokens_metric",
        "Tokens that the upstream says it has left for us.",
        lambda now: now.remaining_tokens,
    ),
    ("pointsman_deployment_in_flight", "Requests under way.", lambda now: now.in_flight),
    ("pointsman_deployment_healthy", "1 if the last check found it well, 0 if not.", lambda now: now.healthy),
    ("pointsman_deployment_latency_seconds", "Time to the end of an answer, lately.", lambda now: now.latency_seconds),
    (
        "pointsman_deployment_time_to_first_token_seconds",
        "Time to the beginning of an answer, lately.",
        lambda now: now.first_token_seconds,
    ),
    ("pointsman_deployment_tokens_per_second", "Pace of writing, lately.", lambda now: now.tokens_per_second),
    ("pointsman_deployment_error_ratio", "Share of failures, in five minutes.", lambda now: now.error_ratio),
    ("pointsman_deployment_cooldown_seconds", "For how much longer it rests.", lambda now: now.cooldown_seconds),
)


def merged(seen: Iterable[Sequence[DeploymentNow]]) -> list[DeploymentNow]:
    """What several processes see of the same deployments."""
    found: dict[str, DeploymentNow] = {}
    for rows in seen:
        for row in rows:
            known = found.setdefault(row.model_id, row)
            if known is not row:
                known.merge(row)
    return list(found.values())


def deployment_families(rows: Sequence[DeploymentNow]) -> Iterable[Metric]:
    """The metrics."""
    state = GaugeMetricFamily(
        "litellm_deployment_state", "0: healthy, 1: partial outage, 2: complete outage.", labels=_PLACE
    )
    cooled = CounterMetricFamily(
        "litellm_deployment_cooled_down", "How often it was left alone.", labels=(*_PLACE, "exception_status")
    )
    for row in rows:
        where = (row.litellm_model_name, row.model_id, row.api_base, row.api_provider)
        state.add_metric(where, row.state)
        for code, count in row.cooldowns.items():
            cooled.add_metric((*where, code), count)
    yield state
    yield cooled
    for name, words, value_of in _GAUGES:
        gauge = GaugeMetricFamily(name, words, labels=_ALL)
        for row in rows:
            value = value_of(row)
            if value is not None:
                place = (row.model_group, row.litellm_model_name, row.model_id, row.api_base, row.api_provider)
                gauge.add_metric(place, float(value))
        yield gauge


def _worst(choose: Callable[[Number, Number], Number], one: Number | None, other: Number | None) -> Number | None:
    return other if one is None else one if other is None else choose(one, other)
