"""Codex, which speaks nothing but Responses, completes a task with tools on servers that have none."""

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

OPTIONS = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json"]
PATCH = f"*** Begin Patch\n*** Add File: answer.txt\n+{SECRET}\n*** End Patch\n"
CONFIG = """
model = "{model}"
model_provider = "pointsman"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.pointsman]
name = "Pointsman"
base_url = "{url}/v1"
env_key = "POINTSMAN_KEY"
wire_api = "responses"
"""


@pytest.fixture(scope="module")
def codex() -> Path:
    """The script that starts it."""
    return install(Path(__file__).parent / "agents") / "node_modules/@openai/codex/bin/codex.js"


def plan(offered: set[str], results: int) -> tuple[str, Mapping[str, Any]] | None:
    """Read with a command, write with a patch where it can patch."""
    if "exec_command" not in offered or results > 1:
        return None
    if not results:
        return "exec_command", {"cmd": "cat notes.txt"}
    if "apply_patch" in offered:
        return "apply_patch", {"input": PATCH}
    return "exec_command", {"cmd": f"echo {SECRET} > answer.txt"}


@pytest.mark.parametrize("model", ["coder", "gpt-5.5"])
@pytest.mark.parametrize("kind", ["openai", "anthropic", "ollama"])
def test_a_task_with_tools(codex: Path, kind: str, model: str, tmp_path: Path) -> None:
    """Codex knows the second model: it offers it a custom tool with a grammar, and wants it to be brief.

    Not every upstream can be told to be (``drop_params``). To the first model it offers functions.
    """
    prepare(tmp_path)
    known = model == "gpt-5.5"
    with (
        agent(kind, plan) as upstream,
        Gateway.start({"model_list": [entry_for(model, upstream, drop_params=known)]}) as gateway,
    ):
        home = tmp_path / "home" / ".codex"
        home.mkdir()
        (home / "config.toml").write_text(CONFIG.format(model=model, url=gateway.url), encoding="utf-8")
        key = gateway.new_key(models=[model])
        run = run_agent(codex, ["exec", *OPTIONS, TASK], tmp_path, {"POINTSMAN_KEY": key})
        assert run.status == 0, f"{run.told}\n{gateway.output()}"
        rows = gateway.settled_ledger(3)
    assert run.answer == f"{SECRET}\n", run.told
    kinds = [line["item"]["type"] for line in run.lines if line["type"] == "item.completed"]
    assert ("file_change" in kinds) == known, run.told
    assert DONE in run.told
    assert {row["status"] for row in rows} == {"success"}


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_call_of_a_tool_in_a_namespace_reaches_its_handler(codex: Path, kind: str, tmp_path: Path) -> None:
    """Codex tells the model that there is no such agent: it knew whom to ask."""
    prepare(tmp_path)
    tool = "multi_agent_v1__close_agent"

    def close_nobody(offered: set[str], results: int) -> tuple[str, Mapping[str, Any]] | None:
        return (tool, {"target": "nobody"}) if tool in offered and not results else None

    with (
        agent(kind, close_nobody) as upstream,
        Gateway.start({"model_list": [entry_for("coder", upstream)]}) as gateway,
    ):
        home = tmp_path / "home" / ".codex"
        home.mkdir()
        (home / "config.toml").write_text(CONFIG.format(model="coder", url=gateway.url), encoding="utf-8")
        run = run_agent(codex, ["exec", *OPTIONS, "Close it."], tmp_path, {"POINTSMAN_KEY": gateway.master_key})
        told = upstream.requests[-1].body
    assert run.status == 0, run.told
    assert b"invalid agent id nobody" in told, told[-2000:]
