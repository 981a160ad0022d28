from __future__ import annotations

from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from pointsman.telemetry.deployments import DeploymentNow
from pointsman.telemetry.metrics import CallMetrics


def now(name: str = "d1", **changes: Any) -> DeploymentNow:
    given: dict[str, Any] = {
        "model_group": "g",
        "litellm_model_name": "ollama/m",
        "model_id": name,
        "api_base": "http://h",
        "api_provider": "ollama",
        "state": 0,
        "in_flight": 1,
        "cooldown_seconds": 0.0,
        "cooldowns": {},
        **changes,
    }
    return DeploymentNow(**given)


def samples(metrics: CallMetrics) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("model_id", "") + sample.labels.get("exception_status", "")): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
        if "deployment" in sample.name or "remaining" in sample.name
    }


def test_what_is_known_is_told_and_what_is_not_is_left_out() -> None:
    rows = [
        now(
            remaining_requests=7,
            state=2,
            healthy=False,
            error_ratio=0.5,
            cooldown_seconds=3.0,
            cooldowns={"timeout": 2},
        ),
        now("d2", latency_seconds=1.5, first_token_seconds=0.5, tokens_per_second=40.0, healthy=True),
    ]
    found = samples(CallMetrics(dict, deployments=lambda: rows))
    assert {name: value for name, value in found.items() if name[1].startswith("d1")} == {
        ("litellm_deployment_state", "d1"): 2.0,
        ("litellm_deployment_cooled_down_total", "d1timeout"): 2.0,
        ("litellm_remaining_requests_metric", "d1"): 7.0,
        ("pointsman_deployment_in_flight", "d1"): 1.0,
        ("pointsman_deployment_healthy", "d1"): 0.0,
        ("pointsman_deployment_error_ratio", "d1"): 0.5,
        ("pointsman_deployment_cooldown_seconds", "d1"): 3.0,
    }
    assert found["pointsman_deployment_latency_seconds", "d2"] == 1.5
    assert found["pointsman_deployment_time_to_first_token_seconds", "d2"] == 0.5
    assert found["pointsman_deployment_tokens_per_second", "d2"] == 40.0


def test_of_several_workers_counts_are_added_and_the_worst_holds(tmp_path: Path) -> None:
    one = CallMetrics(
        dict,
        deployments=lambda: [
            now(remaining_tokens=9, cooldowns={"x": 1}, latency_seconds=1.0, tokens_per_second=9.0, healthy=True)
        ],
    )
    other = CallMetrics(
        dict,
        deployments=lambda: [
            now(remaining_tokens=5, state=1, cooldowns={"x": 1, "y": 1}, latency_seconds=2.0, tokens_per_second=5.0),
            now("d2"),
        ],
    )
    for number, metrics in enumerate((one, other)):
        metrics.share(tmp_path, number, 2)
        metrics.save()
    found = samples(one)
    assert found == samples(other)
    assert found["pointsman_deployment_in_flight", "d1"] == 2.0
    assert found["litellm_deployment_state", "d1"] == 1.0
    assert found["litellm_remaining_tokens_metric", "d1"] == 5.0
    assert found["litellm_deployment_cooled_down_total", "d1x"] == 2.0
    assert found["litellm_deployment_cooled_down_total", "d1y"] == 1.0
    assert found["pointsman_deployment_latency_seconds", "d1"] == 2.0
    assert found["pointsman_deployment_tokens_per_second", "d1"] == 5.0
    assert found["pointsman_deployment_healthy", "d1"] == 1.0
    assert found["pointsman_deployment_in_flight", "d2"] == 1.0
