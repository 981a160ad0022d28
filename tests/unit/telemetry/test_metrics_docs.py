"""``docs/metrics.md`` tells what ``/metrics`` tells."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_document_is_current() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "make_metrics_docs.py"))
    text = script["TARGET"].read_text(encoding="utf-8")
    assert text == script["rendered"](), "run scripts/make_metrics_docs.py"
    assert "| `litellm_remaining_team_budget_metric` | gauge |" in text
