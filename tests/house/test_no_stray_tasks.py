"""A task without an owner can vanish, and its failure with it: only the nursery starts tasks."""

from __future__ import annotations

import ast

from tests.house.code_base import Source, dotted_name, parsed, sources

STARTERS = frozenset({"create_task", "ensure_future", "run_coroutine_threadsafe"})
NURSERY = "core/nursery.py"


def starts(source: Source) -> list[str]:
    """Lines that start a task, however the loop, group or module is called that does it."""
    calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
    return [
        f"{source.place}: line {node.lineno}"
        for node in calls
        if (node.func.attr if isinstance(node.func, ast.Attribute) else dotted_name(node.func)) in STARTERS
    ]


def test_only_the_nursery_starts_tasks() -> None:
    found = {source.place: starts(source) for source in sources() if starts(source)}
    assert set(found) == {NURSERY}, found


def test_a_stray_task_is_noticed() -> None:
    assert starts(parsed("get_running_loop().create_task(work())\n")) == ["sample.py: line 1"]
    assert starts(parsed("create_task(work())\n")) == ["sample.py: line 1"]
