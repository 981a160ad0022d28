"""Values reach the database as parameters: no statement is put together from strings."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

import pytest

from tests.house.code_base import Source, dotted_name, enclosing, parsed, sources

EXECUTING = frozenset({"execute", "executemany", "executescript", "fetch", "fetchrow", "fetchval"})

ALLOWED: Mapping[str, str] = {}


def is_assembled(value: ast.expr) -> bool:
    """Whether an expression makes a string out of parts."""
    if isinstance(value, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in value.values)
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.Add | ast.Mod)
    if isinstance(value, ast.IfExp):
        return is_assembled(value.body) or is_assembled(value.orelse)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        return value.func.attr in {"format", "format_map", "join", "replace"}
    return False


def assembled_names(source: Source) -> set[str]:
    """Names that are given such a string anywhere in the module."""
    names: set[str] = set()
    for node in ast.walk(source.tree):
        match node:
            case ast.Assign(targets=targets, value=value) if is_assembled(value):
                names.update(dotted_name(target) for target in targets)
            case ast.AnnAssign(target=target, value=ast.expr() as value) if is_assembled(value):
                names.add(dotted_name(target))
            case ast.NamedExpr(target=target, value=value) if is_assembled(value):
                names.add(dotted_name(target))
            case ast.AugAssign(target=target):
                names.add(dotted_name(target))
    return names - {""}


def objections(source: Source) -> Iterator[str]:
    names = assembled_names(source)
    for node in ast.walk(source.tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if node.func.attr in EXECUTING and (is_assembled(node.args[0]) or dotted_name(node.args[0]) in names):
            yield f"{source.place}: {enclosing(source, node.lineno)}"


def test_no_statement_is_put_together_from_strings() -> None:
    assert {found for source in sources() for found in objections(source)} == set(ALLOWED)


@pytest.mark.parametrize(
    "text",
    [
        "def f(c, x): c.execute(f'select {x}')",
        "def f(c, x): c.execute('select ' + x)",
        "def f(c, x): c.execute('select %s' % x)",
        "def f(c, x): c.executemany('select {}'.format(x), [])",
        "def f(c, x):\n    sql = f'select {x}'\n    c.execute(sql)",
        "def f(c, x):\n    sql = 'select '\n    sql += x\n    c.execute(sql)",
    ],
)
def test_an_assembled_statement_is_noticed(text: str) -> None:
    assert list(objections(parsed(text))) == ["sample.py: f"]


def test_parameters_are_accepted() -> None:
    assert list(objections(parsed("def f(c, x): c.execute('select ?', (x,))"))) == []
