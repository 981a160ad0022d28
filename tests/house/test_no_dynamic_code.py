"""No request can reach an interpreter, a shell or a process: such calls are not in the code that serves."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

import pytest

from tests.house.code_base import Source, dotted_name, parsed, sources

DYNAMIC_CALLS = frozenset({"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load"})
PICKLES = frozenset({"code", "codeop", "cloudpickle", "dill", "jsonpickle", "marshal", "pickle", "runpy", "shelve"})
PROCESSES = frozenset({"multiprocessing", "pty", "subprocess"})
PROCESS_CALLS = (
    "create_subprocess_exec",
    "create_subprocess_shell",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
)

MAY_START_PROCESSES: Mapping[str, str] = {
    "cli/": "started by the operator on a command line; no request gets there",
}
MAY_CALL: Mapping[str, str] = {}


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [(node.module or "").partition(".")[0]]
    return []


def dangers(source: Source) -> Iterator[str]:
    may_start = source.place.startswith(tuple(MAY_START_PROCESSES))
    for node in ast.walk(source.tree):
        modules = set(imported(node))
        yield from modules & PICKLES
        if not may_start:
            yield from modules & PROCESSES
        if isinstance(node, ast.Call):
            yield from dangerous_call(node, may_start=may_start)


def dangerous_call(node: ast.Call, *, may_start: bool) -> Iterator[str]:
    name = dotted_name(node.func)
    if name in DYNAMIC_CALLS:
        yield name
    if not may_start and any(start in name for start in PROCESS_CALLS):
        yield name
    for keyword in node.keywords:
        if keyword.arg == "shell" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False):
            yield "shell="


def test_nothing_that_serves_runs_code_or_processes() -> None:
    found = {f"{source.place}: {danger}" for source in sources() for danger in dangers(source)}
    assert found == set(MAY_CALL)


@pytest.mark.parametrize(
    "text",
    [
        "eval('1')",
        "import pickle",
        "from marshal import loads",
        "import subprocess",
        "import asyncio\nasyncio.create_subprocess_exec('ls')",
        "import os\nos.system('ls')",
        "run('ls', shell=True)",
    ],
)
def test_each_danger_is_noticed(text: str) -> None:
    assert list(dangers(parsed(text, "server/routes.py")))


def test_the_command_line_may_start_processes_but_no_shell() -> None:
    assert list(dangers(parsed("import subprocess\nsubprocess.run(['ls'])", "cli/demo.py"))) == []
    assert list(dangers(parsed("run('ls', shell=True)", "cli/demo.py"))) == ["shell="]
