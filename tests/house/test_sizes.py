"""The house numbers of ARCHITECTURE.md, section 6: the gates, not the aims."""

from __future__ import annotations

import ast

from tests.house.code_base import Source, expect_none, functions, parsed, sources

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 500
WIRE_TYPES_LINES_MAX = 700
POSITIONAL_MAX = 7
CORE_LINES_MAX = 2_500
STORY_LINES_MAX = 80


def lines(source: Source) -> int:
    return len(source.text.splitlines())


def long_functions(source: Source) -> list[str]:
    measured = [(name, (node.end_lineno or 0) - node.lineno + 1) for name, node in functions(source)]
    return [f"{source.place}: {name} has {length} lines" for name, length in measured if length > FUNCTION_LINES_MAX]


def wide_functions(source: Source) -> list[str]:
    measured = [(name, positional(node)) for name, node in functions(source)]
    return [f"{source.place}: {name} takes {count} by position" for name, count in measured if count > POSITIONAL_MAX]


def positional(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    names = [argument.arg for argument in [*node.args.posonlyargs, *node.args.args]]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def test_no_function_is_longer_than_the_gate() -> None:
    expect_none(found for source in sources() for found in long_functions(source))


def test_no_file_is_longer_than_the_gate() -> None:
    too_long = []
    for source in sources():
        allowed = WIRE_TYPES_LINES_MAX if source.place.endswith("/types.py") else FILE_LINES_MAX
        if lines(source) > allowed:
            too_long.append(f"{source.place} has {lines(source)} lines, {allowed} are allowed")
    expect_none(too_long)


def test_no_function_takes_more_than_the_gate_by_position() -> None:
    expect_none(found for source in sources() for found in wide_functions(source))


def test_the_vocabulary_stays_small() -> None:
    core = [source for source in sources() if source.place.startswith("core/")]
    assert core
    assert sum(map(lines, core)) <= CORE_LINES_MAX


def test_the_story_of_a_request_fits_one_screen() -> None:
    lifecycle = {source.place: lines(source) for source in sources() if source.place.startswith("lifecycle/")}
    if lifecycle:
        assert lifecycle["lifecycle/serve.py"] <= STORY_LINES_MAX


def test_the_gates_close() -> None:
    long = "def f():\n" + "    pass\n" * FUNCTION_LINES_MAX
    wide = "class A:\n    def f(self, a, b, c, d, e, f, g, h, *, i): ...\n"
    assert long_functions(parsed(long)) == ["sample.py: f has 61 lines"]
    assert wide_functions(parsed(wide)) == ["sample.py: A.f takes 8 by position"]
