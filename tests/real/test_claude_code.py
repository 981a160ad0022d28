"""Claude Code completes a task with tools on models that are not Anthropic's, and on Anthropic's through the relay."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.real.agent_run import SECRET, TASK, prepare, run_agent
from tests.real.agent_upstreams import DONE, agent, entry_for
from tests.support.gateway import Gateway
from tests.support.node import install

pytestmark = pytest.mark.node

OPTIONS = ["--allowedTools", "Read,Write", "--output-format", "stream-json", "--verbose", "--model", "coder"]
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
}


@pytest.fixture(scope="module")
def claude() -> Path:
    """The script that starts it."""
    return install(Path(__file__).parent / "agents") / "node_modules/@anthropic-ai/claude-code/cli-wrapper.cjs"


@pytest.mark.parametrize("kind", ["openai", "ollama", "anthropic"])
def test_a_task_with_tools(claude: Path, kind: str, tmp_path: Path) -> None:
    project = prepare(tmp_path)

    def plan(offered: set[str], results: int) -> tuple[str, Mapping[str, Any]] | None:
        if "Read" not in offered or results > 1:
            return None
        written = {"file_path": str(project / "answer.txt"), "content": f"{SECRET}\n"}
        return ("Write", written) if results else ("Read", {"file_path": str(project / "notes.txt")})

    with agent(kind, plan) as upstream, Gateway.start({"model_list": [entry_for("coder", upstream)]}) as gateway:
        environment = {
            **QUIET,
            "ANTHROPIC_BASE_URL": gateway.url,
            "ANTHROPIC_AUTH_TOKEN": gateway.new_key(models=["coder"]),
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": "coder",
        }
        run = run_agent(claude, ["-p", TASK, *OPTIONS], tmp_path, environment)
        assert run.status == 0, f"{run.told}\n{gateway.output()}"
        rows = gateway.settled_ledger(3)
    assert run.answer == f"{SECRET}\n", run.told
    assert run.lines[-1]["result"] == DONE and not run.lines[-1]["is_error"]
    assert {row["status"] for row in rows} == {"success"}
