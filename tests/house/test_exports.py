"""``__all__`` tells the whole of what a module offers. (That it is sorted, Ruff's RUF022 sees to.)

A constant that no other module asks for may stay out of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.code_base import Source, dotted_name, expect_none, parsed, sources


def exported(source: Source) -> list[str] | None:
    """The entries of ``__all__``, or None if there is none."""
    for node in source.tree.body:
        if isinstance(node, ast.Assign) and [dotted_name(target) for target in node.targets] == ["__all__"]:
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


def defined(source: Source) -> set[str]:
    """Names made at module level, imported ones not included."""
    names: set[str] = set()
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign) and not is_type_variable(node.value):
            names.update(
                found.id for target in node.targets for found in ast.walk(target) if isinstance(found, ast.Name)
            )
        elif isinstance(node, ast.AnnAssign):
            names.add(dotted_name(node.target))
    return {name for name in names if not name.startswith("__")}


def is_type_variable(value: ast.expr) -> bool:
    names = ("TypeVar", "ParamSpec", "TypeVarTuple")
    return isinstance(value, ast.Call) and dotted_name(value.func).rpartition(".")[2] in names


def imported(source: Source) -> set[str]:
    nodes = [node for node in ast.walk(source.tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {(alias.asname or alias.name).partition(".")[0] for node in nodes for alias in node.names}


def asked_for() -> Iterator[tuple[str, str]]:
    """Each (module, name) that some module of ours imports from another."""
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pointsman"):
                yield from ((node.module or "", alias.name) for alias in node.names)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def objections(source: Source, wanted: frozenset[tuple[str, str]] = frozenset()) -> list[str]:
    made = defined(source)
    public = {name for name in made if not is_private(name) and (not name.isupper() or (source.name, name) in wanted)}
    offers = exported(source) or []
    unknown = {name for name in offers if not name.startswith("__")} - made - imported(source)
    return [
        *(f"{source.place}: {name} is public and not in __all__" for name in sorted(public - set(offers))),
        *(f"{source.place}: __all__ names {name}, which is not there" for name in sorted(unknown)),
        *([f"{source.place}: __all__ names something twice"] if len(set(offers)) != len(offers) else []),
    ]


def test_every_module_says_what_it_offers() -> None:
    wanted = frozenset(asked_for())
    expect_none(found for source in sources() for found in objections(source, wanted))


def test_no_module_takes_what_another_keeps_to_itself() -> None:
    expect_none(f"{module}.{name} is private" for module, name in sorted(set(asked_for())) if is_private(name))


def test_what_is_missing_or_invented_is_noticed() -> None:
    wanted = frozenset({("sample", "LIMIT")})
    assert objections(parsed("LIMIT = 1\n")) == []
    assert objections(parsed("LIMIT = 1\n"), wanted) == ["sample.py: LIMIT is public and not in __all__"]
    assert objections(parsed("__all__ = ['A']\nA = 1\ndef b(): ...\n")) == ["sample.py: b is public and not in __all__"]
    assert objections(parsed("__all__ = ['c']\n")) == ["sample.py: __all__ names c, which is not there"]
