"""State has an owner: no ``global``, and nothing at module level that could be changed while running."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.house.code_base import Source, dotted_name, expect_none, parsed, sources

MUTABLE_MAKERS = frozenset({"bytearray", "Counter", "defaultdict", "deque", "dict", "list", "OrderedDict", "set"})
CONSTANT_WORDS = frozenset({"Final", "Mapping", "Sequence", "frozenset", "Set", "tuple", "Collection", "Iterable"})
CHANGING_METHODS = frozenset({
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove",
    "setdefault", "update",
})  # fmt: skip


def is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        return dotted_name(value.func).rpartition(".")[2] in MUTABLE_MAKERS
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


def is_constant(annotation: ast.expr) -> bool:
    outer = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return dotted_name(outer).rpartition(".")[2] in CONSTANT_WORDS


def module_level(source: Source) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    """Name, value and annotation of each assignment at module level."""
    for node in source.tree.body:
        if isinstance(node, ast.Assign):
            yield from ((dotted_name(target), node.value, None) for target in node.targets)
        elif isinstance(node, ast.AnnAssign):
            yield dotted_name(node.target), node.value, node.annotation


def changed_names(tree: ast.Module) -> Iterator[str]:
    """Names whose contents some statement changes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in CHANGING_METHODS:
                yield dotted_name(node.func.value)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield dotted_name(node.value)
        elif isinstance(node, ast.AugAssign):
            yield dotted_name(node.target)


def objections(source: Source) -> list[str]:
    found = [
        f"{source.place}: line {node.lineno}: global" for node in ast.walk(source.tree) if isinstance(node, ast.Global)
    ]
    changed = set(changed_names(source.tree))
    for name, value, annotation in module_level(source):
        if name.startswith("__") or not is_mutable(value):
            continue
        if annotation is None or not is_constant(annotation):
            found.append(
                f"{source.place}: {name} is mutable; make it a tuple or frozenset, or annotate it Final or Mapping"
            )
        if name in changed:
            found.append(f"{source.place}: {name} is changed while running")
    return found


def test_no_module_holds_state() -> None:
    expect_none(found for source in sources() for found in objections(source))


@pytest.mark.parametrize(
    "text",
    [
        "seen = []\n",
        "from collections import deque\nqueue = deque()\n",
        "T: Final = {}\ndef f(): T['a'] = 1\n",
        "T: Mapping[str, int] = dict()\ndef f(): T.update(a=1)\n",
        "def f():\n    global x\n    x = 1\n",
    ],
)
def test_state_in_a_module_is_noticed(text: str) -> None:
    assert objections(parsed(text))


@pytest.mark.parametrize(
    "text", ["__all__ = ['a']\n", "A: Final = {'a': 1}\n", "A: Mapping[str, int] = {}\n", "A = ()\n"]
)
def test_a_constant_is_accepted(text: str) -> None:
    assert objections(parsed(text)) == []
