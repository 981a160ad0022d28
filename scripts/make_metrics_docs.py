"""Make the tables in ``docs/metrics.md`` from what ``/metrics`` tells, or check that they are current.

python scripts/make_metrics_docs.py            write the file
python scripts/make_metrics_docs.py --check    exit with 1 if it is not what would be written
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prometheus_client.core import Metric

from pointsman.core.outcome import CallRecord
from pointsman.core.trace import FailedAttempt, RouteTrace
from pointsman.telemetry.budgets import BudgetNow
from pointsman.telemetry.deployments import DeploymentNow
from pointsman.telemetry.metrics import GAUGE_WORDS, CallMetrics
from pointsman.telemetry.rates import RateNow
from pointsman.telemetry.series import Histogram, HostSeries

TARGET: Final = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
BEGIN: Final = "<!-- Made by scripts/make_metrics_docs.py: -->\n"
END: Final = "<!-- End of what is made. -->\n"
SCOPES: Final = ("team", "key", "user", "organization", "customer", "provider")


def everything() -> Iterable[Metric]:
    """Each family that there is, with a sample at least."""
    trace = RouteTrace("fallback", failed=(FailedAttempt("d", "timeout", 1.0),), fallbacks=("one", "two"))
    call = CallRecord(
        "c", "acompletion", "/chat/completions", 1.0, 2.0, 1.5, deployment_id="d", attempts=1, energy_mwh=1, trace=trace
    )
    deployment = DeploymentNow(
        model_group="g", litellm_model_name="m", model_id="d", api_base="", api_provider="p", state=0, in_flight=0,
        cooldown_seconds=0.0, cooldowns={"timeout": 1}, healthy=True, latency_seconds=1.0, first_token_seconds=1.0,
        tokens_per_second=1.0, error_ratio=0.0, rpm_limit=1, tpm_limit=1, remaining_requests=1, remaining_tokens=1,
    )  # fmt: skip
    rates = [
        RateNow(scope, "i", "n", model, kind, 1, 0)
        for scope, model in (("key", ""), ("key", "m"), ("team", ""), ("project", "m"))
        for kind in ("requests", "tokens")
    ]
    metrics = CallMetrics(
        lambda: dict.fromkeys(GAUGE_WORDS, 0.0),
        lambda: [HostSeries("h", 0, 0, Histogram.empty(), 1.0)],
        deployments=lambda: [deployment],
        budgets=lambda: [BudgetNow(scope, "i", "n", 1, 1, 1.0) for scope in SCOPES],
        rates=lambda: rates,
    )
    failed = CallRecord(**{**{name: getattr(call, name) for name in call.__struct_fields__}, "status": "failure"})
    for record in (call, failed):
        metrics.call_ended(record)
    return metrics.collect()


def table(prefix: str) -> str:
    """The metrics whose names begin so."""
    lines = ["| Metric | Kind | What it tells | Labels |", "|---|---|---|---|"]
    for family in everything():
        if family.name.startswith(prefix):
            labels = ", ".join(f"`{name}`" for name in family.samples[0].labels if name != "le")
            name = f"{family.name}_total" if family.type == "counter" else family.name
            lines.append(f"| `{name}` | {family.type} | {family.documentation} | {labels} |")
    return "\n".join(lines) + "\n"


def rendered() -> str:
    """The document with the tables as they are to be."""
    before, _, rest = TARGET.read_text(encoding="utf-8").partition(BEGIN)
    made = f"## LiteLLM's names\n\n{table('litellm_')}\n## Pointsman's own\n\n{table('pointsman_')}"
    return before + BEGIN + "\n" + made + "\n" + END + rest.partition(END)[2]


def main() -> int:
    """Write the document, or compare it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true")
    text = rendered()
    if parser.parse_args().check:
        if TARGET.read_text(encoding="utf-8") == text:
            return 0
        print(f"{TARGET} is not current; run python scripts/make_metrics_docs.py", file=sys.stderr)
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
