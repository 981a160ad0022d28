"""Runs a coding agent in a folder of its own, with nobody to talk to but the gateway."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.support.node import NODE

__all__ = ["SECRET", "TASK", "AgentRun", "prepare", "run_agent"]

TASK: Final = "Read notes.txt and write the secret word, and nothing else, to answer.txt."
SECRET: Final = "heron"
_SECONDS: Final = 60


class AgentRun(msgspec.Struct, frozen=True):
    """What an agent did: its exit status, the JSON objects it printed, and all its words for reading failures."""

    status: int
    lines: tuple[dict[str, Any], ...]
    told: str
    answer: str | None


def prepare(directory: Path) -> Path:
    """The agent's project, with the notes in it."""
    project = directory / "project"
    project.mkdir()
    (directory / "home").mkdir()
    (project / "notes.txt").write_text(f"The secret word is {SECRET}.\n", encoding="utf-8")
    return project


def run_agent(script: Path, arguments: Sequence[str], directory: Path, environment: Mapping[str, str]) -> AgentRun:
    """Run it to its end. It finds no proxy and no server but those on this machine."""
    project = directory / "project"
    nowhere = "http://127.0.0.1:9"
    own = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory / "home"),
        "LANG": "C.UTF-8",
        "HTTPS_PROXY": nowhere,
        "HTTP_PROXY": nowhere,
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        [NODE, str(script), *arguments],
        cwd=project,
        env={**own, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    lines = tuple(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    written = project / "answer.txt"
    answer = written.read_text("utf-8") if written.exists() else None
    return AgentRun(done.returncode, lines, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}", answer)
