"""The source as data, for the tests that examine it: files, syntax trees and what stands in them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "pointsman"


class Source(NamedTuple):
    """One Python file: where it is below the package, its dotted name, its text and its tree."""

    place: str
    name: str
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        return self.place.endswith("__init__.py")


def parsed(text: str, place: str = "sample.py") -> Source:
    """A source from a string, for the tests that show that a rule can fail."""
    return Source(place, place.removesuffix(".py").replace("/", "."), text, ast.parse(text))


@functools.cache
def sources() -> tuple[Source, ...]:
    """Every Python file of the package, in the order of their paths."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        dotted = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        text = path.read_text(encoding="utf-8")
        found.append(Source(place, dotted, text, ast.parse(text, str(path))))
    assert len(found) > 15, f"the package is not where it is looked for: {PACKAGE}"
    return tuple(found)


def functions(source: Source) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """All functions with their qualified names, nested ones included."""
    yield from _functions_below(source.tree, "")


def _functions_below(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child
        inner = (
            f"{prefix}{child.name}."
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            else prefix
        )
        yield from _functions_below(child, inner)


def enclosing(source: Source, line: int) -> str:
    """The qualified name of the innermost function around a line, or ``<module>``."""
    around = [(node.lineno, name) for name, node in functions(source) if node.lineno <= line <= (node.end_lineno or 0)]
    return max(around)[1] if around else "<module>"


def dotted_name(node: ast.AST) -> str:
    """``a.b.c`` for a chain of names, otherwise the empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted_name(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def expect_none(objections: Iterable[str]) -> None:
    """Fail with the whole list, one objection to a line, unless it is empty."""
    found = list(objections)
    assert not found, "\n" + "\n".join(found)
