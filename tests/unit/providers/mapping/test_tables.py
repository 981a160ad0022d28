"""Rows as tables, for terminals and for the documentation."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from pointsman.providers.mapping.examine import Outcome, Row
from pointsman.providers.mapping.tables import markdown, text_table

ROOT = Path(__file__).resolve().parents[4]
ROWS = (
    Row("a", "parameter", Outcome.MAPPED, ("x.y", "z")),
    Row("bb", "content", Outcome.REFUSED, note="No | <never>, " + "word " * 20),
    Row("c", "parameter", Outcome.MAPPED, tuple("abcdefg")),
)


def test_a_terminal_gets_columns_and_no_line_too_long() -> None:
    lines = text_table(ROWS, 90).splitlines()
    assert max(map(len, lines)) <= 90 and len(lines) > len(ROWS) + 1
    assert lines[0].split()[:2] == ["says", "outcome"]
    assert lines[1].endswith("x.y, z") and lines[-1].endswith("a, b, c, d, e, and 2 more")


def test_markdown_keeps_to_its_cells() -> None:
    lines = markdown(ROWS).splitlines()
    assert lines[2] == "| a | mapped | `x.y`, `z` |"
    assert "No \\| &lt;never>" in lines[3] and len(lines) == len(ROWS) + 2


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_mapping_docs", ROOT / "scripts" / "make_mapping_docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documents_are_current(script: ModuleType) -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in script.TARGET.glob("*.md")}
    assert there == script.pages()
