"""Each module opens by saying what it is for."""

from __future__ import annotations

import ast

from tests.house.code_base import expect_none, sources


def test_every_module_says_what_it_is_for() -> None:
    silent = [source.place for source in sources() if len((ast.get_docstring(source.tree) or "").split()) < 4]
    expect_none(silent)


def test_every_module_postpones_annotations() -> None:
    eager = [
        source.place
        for source in sources()
        if len(source.tree.body) > 1 and "from __future__ import annotations" not in source.text
    ]
    expect_none(eager)
