from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pointsman.core.outcome import CallRecord
from pointsman.telemetry.metrics import CallMetrics


def counted(**changes: Any) -> dict[str, float]:
    metrics = CallMetrics(dict)
    metrics.call_ended(CallRecord("c", "acompletion", "/chat/completions", 1.0, deployment_id="d", **changes))
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {sample.name: sample.value for family in families for sample in family.samples}


@pytest.mark.parametrize(
    ("status", "attempts", "failures"),
    [("failure", 1, 1), ("failure", 0, None), ("cancelled", 1, None), ("cancelled", 0, None), ("success", 1, None)],
)
def test_what_we_refuse_or_the_client_breaks_off_is_no_failure_of_the_deployment(
    status: str, attempts: int, failures: int | None
) -> None:
    found = counted(status=status, attempts=attempts, http_status=429)
    assert found.get("litellm_deployment_failure_responses_total") == failures
    assert found["litellm_proxy_total_requests_metric_total"] == 1
